// Arbitraries of fast-check for socket addresses, and the bytes of their `struct sockaddr`.

import * as fc from 'fast-check'
import type { Address } from 'uring'

/** From <sys/socket.h>, so that the tests do not depend on the constants of the package. */
const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10

const u16 = fc.oneof({ arbitrary: fc.nat(0xffff), weight: 5 }, fc.constantFrom(0, 1, 0xff, 0x100, 0xffff))
const u32 = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.constantFrom(0, 1, 0xffff_ffff))

/** Generates an IPv6 address: its groups, and one of their textual forms. */
export const ipv6: fc.Arbitrary<{ text: string; groups: readonly number[] }> = fc
  .record({
    groups: fc.array(fc.oneof({ arbitrary: fc.constant(0), weight: 2 }, u16), { minLength: 8, maxLength: 8 }),
    upper: fc.boolean(),
    padded: fc.boolean(),
    embedded: fc.boolean(),
    from: fc.nat(8),
    length: fc.nat(8),
  })
  .map(({ groups, upper, padded, embedded, from, length }) => {
    const end = Math.min(from + length, embedded ? 6 : 8)
    const elided = end > from // these groups are zero and written as ::
    const whole = groups.map((group, index) => (elided && index >= from && index < end ? 0 : group))
    const hex = (group: number): string => {
      const digits = group.toString(16).padStart(padded ? 4 : 1, '0')
      return upper ? digits.toUpperCase() : digits
    }
    const write = (first: number, last: number): string => {
      const parts = whole.slice(first, embedded ? Math.min(last, 6) : last).map(hex)
      const [high = 0, low = 0] = whole.slice(6)
      if (embedded && last === 8) parts.push([high >> 8, high & 0xff, low >> 8, low & 0xff].join('.'))
      return parts.join(':')
    }
    return { text: elided ? `${write(0, from)}::${write(end, 8)}` : write(0, 8), groups: whole }
  })

const GROUPS = new Map<string, readonly number[]>()

const internet: fc.Arbitrary<Address> = fc.oneof(
  fc.record({ address: fc.ipV4(), port: u16 }),
  fc
    .record({ ip: ipv6, port: u16, scopeId: u32, flowInfo: u32 }, { requiredKeys: ['ip', 'port'] })
    .map(({ ip: { text, groups }, ...rest }) => {
      GROUPS.set(text, groups)
      return Object.assign(rest, { address: text })
    }),
)

const fits = (text: string): boolean => Buffer.byteLength(text) <= 106
const unix: fc.Arbitrary<Address> = fc.oneof(
  fc
    .string({ unit: 'grapheme', maxLength: 106 })
    .filter((text) => !text.includes('\0') && fits(text))
    .map((text) => ({ path: `/${text}` })),
  fc
    .string({ unit: 'grapheme', maxLength: 106 })
    .filter(fits)
    .map((text) => ({ path: `\0${text}` })),
  fc.constantFrom({ path: '' }, { path: '\0' }, { path: 'relative' }, { path: `/${'x'.repeat(106)}` }),
)

/** Generates an address of any family. */
export const address: fc.Arbitrary<Address> = fc.oneof(
  internet,
  unix,
  fc.uint8Array({ minLength: 2, maxLength: 128 }),
)

/** Returns the `struct sockaddr` of an address that `address` generated. */
export function addressBytes(source: Address): Uint8Array {
  if (source instanceof Uint8Array) return source
  if ('path' in source) {
    const name = Buffer.from(source.path)
    const terminated = name.length > 0 && name[0] !== 0
    return Buffer.concat([Buffer.of(AF_UNIX, 0), name, Buffer.alloc(terminated ? 1 : 0)])
  }
  const port = Buffer.of(source.port >> 8, source.port & 0xff)
  const groups = GROUPS.get(source.address)
  if (groups === undefined) {
    const numbers = source.address.split('.').map(Number)
    return Buffer.concat([Buffer.of(AF_INET, 0), port, Buffer.from(numbers), Buffer.alloc(8)])
  }
  const { scopeId = 0, flowInfo = 0 } = source
  const tail = Buffer.alloc(24)
  tail.writeUInt32BE(flowInfo) // in network byte order, like the address
  for (const [index, group] of groups.entries()) tail.writeUInt16BE(group, 4 + 2 * index)
  tail.writeUInt32LE(scopeId, 20)
  return Buffer.concat([Buffer.of(AF_INET6, 0), port, tail])
}
