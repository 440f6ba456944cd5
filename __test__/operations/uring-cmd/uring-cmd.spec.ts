// Commands to drivers.

import { openSync, readFileSync, writeSync } from 'node:fs'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { release } from 'node:os'
import test, { type ExecutionContext } from 'ava'
import {
  BlockCommands,
  FixedBuffer,
  FixedFile,
  Nop,
  Nop128,
  type Operation,
  Ring,
  SocketCommands,
  UringCmd16,
  UringCmd80,
  UringCmd128,
  type UringCmdOptions,
  UringCmdFlags,
} from 'uring'
import { complete, outcome } from '../../helpers/completions.ts'
import { file } from '../../helpers/files.ts'
import { fixedRing } from '../../helpers/registered.ts'
import { closing, pair } from '../../helpers/sockets.ts'

/** Two TCP sockets; bytes written to the first stay in the queue of the second. */
async function tcp(t: ExecutionContext): Promise<{ from: number; to: number }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const client = connect(port, '127.0.0.1')
  await once(client, 'connect')
  const [peer] = await accepted
  t.teardown(() => {
    client.destroy()
    peer.destroy()
    server.close()
  })
  const fdOf = (socket: Socket): number => (socket as unknown as { _handle: { fd: number } })._handle.fd
  return { from: fdOf(client), to: fdOf(peer) }
}

/** Repeats the command until the result is as expected: bytes need time to pass through the kernel. */
function until(ask: () => unknown, right: (answer: unknown) => boolean): unknown {
  const deadline = performance.now() + 20_000
  for (;;) {
    const answer = ask()
    if (right(answer) || performance.now() > deadline) return answer
  }
}

const CLASSES = [
  ['UringCmd16', UringCmd16, {}],
  ['UringCmd80', UringCmd80, { sqe128: true }],
] as const

for (const [name, Command, options] of CLASSES) {
  test(`${name}: reads the input and output queue sizes of a socket`, async (t) => {
    using ring = new Ring({ entries: 8, ...options })
    const { from, to } = await tcp(t)
    const ask = (fd: number | FixedFile, command: number): unknown => outcome(ring, new Command(fd, command))
    t.is(ask(to, SocketCommands.SIOCINQ), 0)
    t.is(ask(from, SocketCommands.SIOCOUTQ), 0)
    writeSync(from, 'seven b')
    t.is(
      until(
        () => ask(to, SocketCommands.SIOCINQ),
        (count) => count === 7,
      ),
      7,
    )
    ring.registerFiles([-1, to])
    t.is(ask(new FixedFile(1), SocketCommands.SIOCINQ), 7)
    t.is(ask(new FixedFile(0), SocketCommands.SIOCINQ), 'EBADF')
    // More than the peer can receive.
    const much = Buffer.alloc(1 << 20)
    t.throws(
      () => {
        for (;;) writeSync(from, much)
      },
      { code: 'EAGAIN' },
    )
    const waiting = ask(from, SocketCommands.SIOCOUTQ)
    t.true(typeof waiting === 'number' && waiting > 0, String(waiting))
    t.is(ask(to, 0xffff), 'ENOTSUP') // no such command
  })

  test(`${name}: fails with ENOTSUP for a file without commands`, (t) => {
    using ring = new Ring({ entries: 8, ...options })
    const { fd, path } = file(t, 'content')
    const { error } = complete(ring, new Command(fd, 0))
    t.is(error?.code, 'ENOTSUP')
    t.is(error?.errno, -95)
    t.is(error?.operation, name)
    t.is(error?.syscall, 'uring_cmd')
    const range = new BigUint64Array([4096n])
    t.is(outcome(ring, new Command(fd, BlockCommands.DISCARD, { address: 0, data: range })), 'ENOTSUP')
    t.is(readFileSync(path, 'utf8'), 'content')
    t.is(outcome(ring, new Command(99_999, 0)), 'EBADF')
    t.is(outcome(ring, new Command(pair(t)[0], SocketCommands.SIOCINQ)), 'ENOTSUP')
  })

  test(`${name}: passes its flags to the kernel`, (t) => {
    const { ring, buffer } = fixedRing(t, 64, options)
    const fd = closing(t, openSync('/dev/null', 'r+'))
    const ask = (given: UringCmdOptions): unknown => outcome(ring, new Command(fd, 0, given))
    const plain = ask({})
    t.true(plain === 0 || plain === 'ENOTSUP', String(plain)) // /dev/null accepts any command; in older kernels, none
    t.is(ask({ flags: 1 << 20 }), 'EINVAL') // no such flag
    t.is(ask({ flags: UringCmdFlags.FIXED }), plain)
    t.is(ask({ fixedBuffer: buffer }), plain)
    t.is(ask({ fixedBuffer: buffer, flags: 1 << 20 }), 'EINVAL')
    t.is(
      ask({ data: new Uint8Array(16).fill(1), address: Buffer.alloc(8), length: 8, optionLength: 1 }),
      plain,
    )
  })

  test(`${name}: reports detached memory if the command succeeded`, (t) => {
    const { ring, buffer } = fixedRing(t, 64, options)
    const fd = closing(t, openSync('/dev/null', 'r+'))
    if (outcome(ring, new Command(fd, 0)) !== 0) {
      t.log('/dev/null takes no commands here')
      t.pass()
      return
    }
    const detach = ({ buffer }: Buffer): unknown =>
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
    const memory = Buffer.from(new ArrayBuffer(8))
    for (const [given, victim] of [
      [{ address: memory }, memory],
      [{ fixedBuffer: buffer.subarray(4) }, buffer.view],
      [{ fixedBuffer: new FixedBuffer(0, Buffer.from(new ArrayBuffer(8))), address: 8 }, undefined],
    ] as const) {
      const command = new Command(fd, 0, given)
      t.is(outcome(ring, command), 0)
      ring.push(command)
      detach(victim ?? given.fixedBuffer.view)
      t.is(ring.wait()?.error?.code, 'ERR_URING_BUFFER_DETACHED')
    }
  })
}

test('UringCmd16: copies its data at build()', (t) => {
  const data = Buffer.from('0123456789abcdef')
  const command = new UringCmd16(0, 1, { data: data.subarray(2, 6) })
  const before = command.build()
  data.fill(0)
  t.is(Buffer.from(before.bytes).toString('latin1', 48), `2345${'\0'.repeat(12)}`)
  t.is(Buffer.from(command.build().bytes).toString('latin1', 48), '\0'.repeat(16))
})

test('UringCmd16: works on an SQE128 ring, and clears the rest of the entry', (t) => {
  using ring = new Ring({ entries: 4, sqe128: true })
  const { fd } = file(t)
  for (let round = 0; round < 12; round += 1) {
    t.is(outcome(ring, new UringCmd80(fd, 1, { data: new Uint8Array(80).fill(0xff) })), 'ENOTSUP')
    t.is(outcome(ring, new UringCmd16(fd, 1, { data: new Uint8Array(16).fill(0xff) })), 'ENOTSUP')
    t.is(outcome(ring, new Nop({ result: round })), round)
  }
})

test('UringCmd80: requires an SQE128 ring', (t) => {
  using ring = new Ring({ entries: 4 })
  const command = new UringCmd80(0, 0)
  const refused = { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE', message: /sqe128/ }
  t.throws(() => ring.push(command), refused)
  t.throws(() => ring.pushAll([new Nop(), command]), refused)
  t.throws(() => ring.push(command.build()), refused)
  t.is(ring.sqReady, 0)
  t.is(outcome(ring, new Nop({ result: 5 })), 5)
})

const LATER: [string, () => Operation<unknown>][] = [
  ['UringCmd128', () => new UringCmd128(0, 0)],
  ['Nop128', () => new Nop128({ result: 5 })],
]

for (const [name, make] of LATER) {
  test(`${name}: works, or push() refuses it and says what it needs`, (t) => {
    for (const options of [{}, { sqe128: true }]) {
      using ring = new Ring({ entries: 4, ...options })
      const operation = make()
      const entry = operation.build()
      t.is(entry.bytes.length, 128)
      if (ring.supports(name === 'Nop128' ? Nop128 : UringCmd128)) {
        if ('sqe128' in options)
          t.is(complete(ring, operation).error?.code, name === 'Nop128' ? undefined : 'ENOTSUP')
        else t.throws(() => ring.push(operation), { code: 'ERR_INVALID_ARG_VALUE' })
        continue
      }
      for (const item of [operation, entry]) {
        const error = t.throws(() => ring.push(item), { code: 'ERR_URING_UNSUPPORTED' })
        t.true(error.message.includes(name), error.message)
        t.true(error.message.includes('Linux 6.19'), error.message)
        t.true(error.message.includes(release()), error.message)
      }
      t.is(ring.sqReady, 0)
      t.is(ring.inFlight, 0)
    }
  })
}

test('Nop128: accepts the options of Nop', (t) => {
  const given = {
    result: -7,
    file: new FixedFile(3),
    fixedBuffer: 9,
    taskWork: true,
    extra: [1n, 2n],
  } as const
  const narrow = Buffer.from(new Nop(given).build().bytes)
  const wide = Buffer.from(new Nop128(given).build().bytes)
  t.is(wide[0], 63)
  t.deepEqual(wide.subarray(1, 64), narrow.subarray(1))
  t.deepEqual(wide.subarray(64), Buffer.alloc(64))
})
