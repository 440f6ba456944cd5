// Encoding and decoding of socket addresses.

import { isIPv4, isIPv6 } from 'node:net'
import test from 'ava'
import * as fc from 'fast-check'
import {
  ADDRESS_BYTES,
  addressBlock,
  addressIn,
  addressBuffer,
  checkAddress,
  decodeAddress,
  encodeAddress,
} from '../../ts/structs/sockaddr.ts'
import type { Address, SocketAddress } from 'uring'
import { equal } from '../operations/base/arbitraries.ts'
import { memoryAt } from '../operations/base/process-memory.ts'
import { address, addressBytes, ipv6 } from '../helpers/addresses.ts'

function bytesOf(address: Address): string {
  return encodeAddress(address, 'address').toString('hex')
}

/** Returns the 32 hexadecimal digits of an IPv6 address. */
function digitsOf(address: string): string {
  return bytesOf({ address, port: 0 }).slice(16, 48)
}

/** Returns the text of the IPv6 address with these hexadecimal digits. */
function textOf(digits: string): string | undefined {
  const decoded = decodeAddress(Buffer.from(`0a00000000000000${digits.padStart(32, '0')}00000000`, 'hex'))
  return decoded !== undefined && 'address' in decoded ? decoded.address : undefined
}

test('IPv4: encodes family, port and address', (t) => {
  t.is(bytesOf({ address: '127.0.0.1', port: 0x1234 }), '020012347f0000010000000000000000')
  t.is(bytesOf({ address: '255.254.10.0', port: 65_535 }), '0200fffffffe0a000000000000000000')
  t.is(bytesOf({ address: '0.0.0.0', port: 0 }), '02000000000000000000000000000000')
  // IPv4 ignores the scope and the flow.
  t.is(bytesOf({ address: '1.2.3.4', port: 1, scopeId: 9, flowInfo: 9 }), '02000001010203040000000000000000')
  t.deepEqual(decodeAddress(Buffer.from('020012347f00000100000000000000ff', 'hex')), {
    family: 'IPv4',
    address: '127.0.0.1',
    port: 0x1234,
  })
})

test('IPv6: encodes family, port, flow, address and scope', (t) => {
  const expected = '0a001234012345670102030405060708090a0b0c0d0e0f1078563412'
  const given = {
    address: '102:304:506:708:90a:b0c:d0e:f10',
    port: 0x1234,
    scopeId: 0x1234_5678,
    flowInfo: 0x0123_4567,
  }
  t.is(bytesOf(given), expected)
  t.deepEqual(decodeAddress(Buffer.from(expected, 'hex')), { family: 'IPv6', ...given })
  t.is(bytesOf({ address: '::', port: 0 }), `0a00${'00'.repeat(26)}`)
  const most = { address: '::1', port: 0, scopeId: 0xffff_ffff, flowInfo: 0xffff_ffff }
  t.is(bytesOf(most), `0a000000ffffffff${'00'.repeat(15)}01ffffffff`)
  t.like(decodeAddress(encodeAddress(most, 'address')), most)
})

test('IPv6: parses every notation', (t) => {
  for (const [text, digits] of [
    ['::', '0'],
    ['::1', '1'],
    ['1::', '00010000000000000000000000000000'],
    ['::ffff', 'ffff'],
    ['1::8', '00010000000000000000000000000008'],
    ['1:2::7:8', '00010002000000000000000000070008'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['1:2:3::5:6:7:8', '00010002000300000005000600070008'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['0001:0002:0003:0004:0005:0006:0007:0008', '00010002000300040005000600070008'],
    ['0:0:0:0:0:0:0:0', '0'],
    ['ABCD:EF01:abcd:ef01:AbCd:eF01::', 'abcdef01abcdef01abcdef0100000000'],
    ['::1.2.3.4', '01020304'],
    ['::255.255.255.255', 'ffffffff'],
    ['::ffff:1.2.3.4', 'ffff01020304'],
    ['::FFFF:102:304', 'ffff01020304'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['1:2:3:4:5:6:7.8.9.10', '0001000200030004000500060708090a'],
    ['1::5:6:7.8.9.10', '0001000000000000000500060708090a'],
    ['1:2:3:4:5::0.0.0.1', '00010002000300040005000000000001'],
  ] as const) {
    t.is(digitsOf(text), digits.padStart(32, '0'), text)
  }
})

test('IPv6: formats an address in its shortest form', (t) => {
  for (const [digits, text] of [
    ['0', '::'],
    ['1', '::1'],
    ['00010000000000000000000000000000', '1::'],
    ['20010db8000000000000000000000001', '2001:db8::1'],
    // `::` replaces the longest run of zeros, and the first of two equal runs.
    ['00010000000000020000000000000003', '1:0:0:2::3'],
    ['00010000000000000002000000000003', '1::2:0:0:3'],
    ['00010000000000020003000000000004', '1::2:3:0:0:4'],
    // A single zero group is not a run.
    ['00010000000200030004000500060007', '1:0:2:3:4:5:6:7'],
    ['00000001000200030004000500060000', '0:1:2:3:4:5:6:0'],
    ['00000000000100020003000400050006', '::1:2:3:4:5:6'],
    ['00010002000300040005000600000000', '1:2:3:4:5:6::'],
    ['abcdef000abc00de000f000000000000', 'abcd:ef00:abc:de:f::'],
    // IPv4-mapped addresses, and similar ones.
    ['ffff7f000001', '::ffff:127.0.0.1'],
    ['ffff00000000', '::ffff:0.0.0.0'],
    ['ffffffffffff', '::ffff:255.255.255.255'],
    ['fffe7f000001', '::fffe:7f00:1'],
    ['1ffff7f000001', '::1:ffff:7f00:1'],
    ['ffff000000000000', '::ffff:0:0:0'],
    ['01020304', '::102:304'],
  ] as const) {
    t.is(textOf(digits), text)
    t.is(digitsOf(text), digits.padStart(32, '0'))
  }
})

test('IPv6: parses and formats like the URL parser', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(ipv6, ({ text, groups }) => {
        const digits = digitsOf(text)
        const expected = groups.map((group) => group.toString(16).padStart(4, '0')).join('')
        if (digits !== expected) throw new Error(`${digits} is not ${expected}`)
        const shown = textOf(digits) ?? ''
        if (!isIPv6(shown) || digitsOf(shown) !== digits) throw new Error(`${shown} is another address`)
        const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1)
        if (shown !== canonical && !shown.startsWith('::ffff:')) throw new Error(`${shown}, not ${canonical}`)
      }),
      { numRuns: 5000, examples: [[{ text: '::', groups: Array<number>(8).fill(0) }]] },
    ),
  )
})

test('Unix: terminates a path with a NUL, but not an abstract name', (t) => {
  t.is(bytesOf({ path: '/run/x' }), `0100${Buffer.from('/run/x\0').toString('hex')}`)
  t.is(bytesOf({ path: 'ü' }), '0100c3bc00')
  t.is(bytesOf({ path: '\0name' }), '0100006e616d65')
  t.is(bytesOf({ path: '\0' }), '010000')
  t.is(bytesOf({ path: '\0a\0b\0' }), '01000061006200')
  t.is(bytesOf({ path: '' }), '0100')
})

test('Unix: accepts paths of 107 bytes, and abstract names of 108 bytes', (t) => {
  for (const [path, length] of [
    ['x'.repeat(107), 110],
    ['ü'.repeat(53) + 'x', 110],
    [`\0${'x'.repeat(107)}`, 110],
    [`\0${'\0'.repeat(107)}`, 110],
  ] as const) {
    t.is(encodeAddress({ path }, 'address').length, length)
    t.deepEqual(decodeAddress(encodeAddress({ path }, 'address')), { family: 'Unix', path })
  }
  for (const [path, most] of [
    ['x'.repeat(108), 107],
    ['ü'.repeat(54), 107],
    ['€'.repeat(36), 107],
    [`\0${'x'.repeat(108)}`, 108],
    ['/'.repeat(100_000), 107],
  ] as const) {
    t.throws(() => encodeAddress({ path }, 'peer'), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: new RegExp(`^The property 'peer\\.path' must have at most ${most} bytes\\. Received `),
    })
  }
})

test('Unix: decodes addresses of the kernel', (t) => {
  const decode = (text: string): SocketAddress | undefined =>
    decodeAddress(Buffer.from(`\x01\0${text}`, 'latin1'))
  t.deepEqual(decode(''), { family: 'Unix', path: '' })
  t.deepEqual(decode('/run/x\0'), { family: 'Unix', path: '/run/x' })
  t.deepEqual(
    decode('/run/x'),
    { family: 'Unix', path: '/run/x' },
    'the kernel omits the NUL of a path of 108 bytes',
  )
  t.deepEqual(decode('/run/x\0rest'), { family: 'Unix', path: '/run/x' })
  t.deepEqual(decode('\0abc\0d\0'), { family: 'Unix', path: '\0abc\0d\0' })
  t.deepEqual(decode('\0'), { family: 'Unix', path: '\0' })
  t.deepEqual(decode('/\xc3\xbc\0'), { family: 'Unix', path: '/ü' })
  // Not UTF-8: as text, the path would name another file.
  for (const odd of ['/\xff\0', '\0\xff', '/\xc3\0']) {
    const decoded = decode(odd)
    t.deepEqual(decoded, { family: 1, bytes: Buffer.from(`\x01\0${odd}`, 'latin1') })
    const bytes = decoded !== undefined && 'bytes' in decoded ? decoded.bytes : Buffer.alloc(2)
    t.is(bytesOf(bytes), bytes.toString('hex'))
  }
})

test('sockaddr: copies the bytes of an address', (t) => {
  const bytes = Uint8Array.from({ length: 128 }, (_, index) => index)
  t.is(bytesOf(bytes), Buffer.from(bytes).toString('hex'))
  t.is(bytesOf(bytes.subarray(3, 5)), '0304')
  const given = Buffer.from([16, 0, 1])
  const encoded = encodeAddress(given, 'address')
  given.fill(0)
  t.deepEqual([...encoded], [16, 0, 1], 'a copy')
  for (const length of [0, 1, 129, 1000]) {
    t.throws(() => encodeAddress(new Uint8Array(length), 'to'), {
      code: 'ERR_OUT_OF_RANGE',
      message: `The value of "to.byteLength" is out of range. It must be >= 2 && <= 128. Received ${length}`,
    })
  }
  const detached = new Uint8Array(16)
  structuredClone(detached.buffer, { transfer: [detached.buffer] })
  t.throws(() => encodeAddress(detached, 'to'), { code: 'ERR_OUT_OF_RANGE' })
})

test('sockaddr: decodes unknown families and truncated addresses as bytes', (t) => {
  t.is(decodeAddress(Buffer.alloc(0)), undefined)
  t.is(decodeAddress(Buffer.from([2])), undefined)
  for (const [bytes, family] of [
    [[0, 0], 0],
    [[16, 0, 1, 2, 3], 16],
    [[2, 1], 0x102],
    [[0xff, 0xff], 0xffff],
    [[2, 0, 0, 80, 127, 0, 0], 2],
    [[2, 0, ...Array<number>(13).fill(0)], 2],
    [[10, 0, ...Array<number>(21).fill(0)], 10],
  ] as const) {
    const given = Buffer.from(bytes)
    const decoded = decodeAddress(given)
    given.fill(0xee)
    t.deepEqual(decoded, { family, bytes: Buffer.from(bytes) }, 'a copy')
  }
  // The scope was added to the struct later.
  t.like(decodeAddress(encodeAddress({ address: '::1', port: 5, scopeId: 7 }, 'address').subarray(0, 24)), {
    address: '::1',
    port: 5,
    scopeId: 0,
  })
})

test('sockaddr: decoding returns the address that was encoded', (t) => {
  let kinds = 0
  t.notThrows(() =>
    fc.assert(
      fc.property(address, (given) => {
        const encoded = encodeAddress(given, 'address')
        equal('encoded', encoded, addressBytes(given))
        const decoded = decodeAddress(encoded)
        if (decoded === undefined) throw new Error('no address')
        if (given instanceof Uint8Array) {
          kinds |= 1
          if ('bytes' in decoded) equal('bytes', decoded.bytes, given)
          return
        }
        if ('path' in given) {
          kinds |= 2
          t.deepEqual(decoded, { family: 'Unix', path: Buffer.from(given.path).toString() })
        } else if (isIPv4(given.address)) {
          kinds |= 4
          t.deepEqual(decoded, { family: 'IPv4', address: given.address, port: given.port })
        } else {
          kinds |= 8
          const { port, scopeId = 0, flowInfo = 0 } = given
          t.like(decoded, { family: 'IPv6', port, scopeId, flowInfo })
        }
        if ('bytes' in decoded) throw new Error('only bytes')
        equal('encoded again', encodeAddress(decoded, 'address'), encoded)
      }),
      { numRuns: 5000 },
    ),
  )
  t.is(kinds, 15)
})

test('sockaddr: decodes any bytes', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.constantFrom(0, 1, 2, 10, 16, 255),
        fc.uint8Array({ maxLength: 130 }),
        fc.nat(132),
        (family, rest, length) => {
          const bytes = Buffer.concat([Buffer.of(family, 0), rest]).subarray(0, length)
          const decoded = decodeAddress(bytes)
          if ((decoded === undefined) !== bytes.length < 2) throw new Error('no address')
          if (
            decoded !== undefined &&
            'address' in decoded &&
            !isIPv4(decoded.address) &&
            !isIPv6(decoded.address)
          )
            throw new Error(decoded.address)
        },
      ),
      { numRuns: 5000 },
    ),
  )
})

test('sockaddr: reads a getter once, and passes its error on', (t) => {
  const counted = (
    values: Record<string, unknown[]>,
  ): { address: Address; asked: Record<string, number> } => {
    const asked: Record<string, number> = {}
    const address = {}
    for (const [key, answers] of Object.entries(values)) {
      Object.defineProperty(address, key, {
        get: () => answers[Math.min((asked[key] = (asked[key] ?? 0) + 1) - 1, answers.length - 1)],
      })
    }
    return { address: address as Address, asked }
  }
  const internet = counted({
    address: ['::1', 'x'],
    port: [1, -1],
    scopeId: [2, -1],
    flowInfo: [3, -1],
  })
  t.is(bytesOf(internet.address), bytesOf({ address: '::1', port: 1, scopeId: 2, flowInfo: 3 }))
  t.deepEqual(internet.asked, { address: 1, port: 1, scopeId: 1, flowInfo: 1 })
  const unix = counted({ path: ['/a', '/b\0'] })
  t.is(bytesOf(unix.address), bytesOf({ path: '/a' }))
  t.deepEqual(unix.asked, { path: 1 })
  const thrower = {
    get path(): string {
      throw new Error('of the getter')
    },
  }
  t.throws(() => checkAddress(thrower), { message: 'of the getter' })
})

test('sockaddr: prefers a path to an address', (t) => {
  t.is(bytesOf({ path: '/x', address: '::1', port: 1 } as Address), bytesOf({ path: '/x' }))
})

test('addressBlock: copies the address, and names the file of a path', (t) => {
  for (const [address, path] of [
    [{ address: '127.0.0.1', port: 80 }, undefined],
    [{ address: '::1', port: 80 }, undefined],
    [{ path: '/run/x' }, '/run/x'],
    [encodeAddress({ path: '/run/y' }, 'address'), '/run/y'],
    [{ path: '\0name' }, undefined],
    [{ path: '' }, undefined],
    [Buffer.from('\x01\0/\xff', 'latin1'), undefined],
    [Uint8Array.of(16, 0), undefined],
  ] as const) {
    const block = addressBlock(address, 'address')
    t.is(block.length, encodeAddress(address, 'address').length)
    t.is(block.path, path)
    equal('block', memoryAt(BigInt(block.address), block.length), encodeAddress(address, 'address'))
  }
})

test('addressBuffer: has capacity for any address, and can be reused', (t) => {
  const room = addressBuffer()
  t.is(room.lengthAddress, room.address + ADDRESS_BYTES)
  const length = (): number => memoryAt(BigInt(room.lengthAddress), 4).readUInt32LE()
  t.is(length(), 128)
  t.deepEqual(addressIn(room), { family: 0, bytes: Buffer.alloc(128) })
  for (const address of [{ path: '/run/x' }, { address: '127.0.0.1', port: 80 }, { path: '' }]) {
    const bytes = encodeAddress(address, 'address')
    room.bytes.set(bytes)
    room.bytes.writeUInt32LE(bytes.length, 128)
    t.like(addressIn(room), address)
    t.is(length(), 128, 'the length is reset')
  }
  room.bytes.writeUInt32LE(0, 128)
  t.is(addressIn(room), undefined)
  // For a longer address, the kernel returns its full length, and truncates it.
  room.bytes.fill(7, 0, 128).writeUInt32LE(1000, 128)
  t.deepEqual(addressIn(room), { family: 0x707, bytes: Buffer.alloc(128, 7) })
})
