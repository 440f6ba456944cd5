// Accepting connections, one or many.

import { once } from 'node:events'
import { closeSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  Accept,
  type Accepted,
  AcceptMulti,
  AsyncCancel,
  Bind,
  Close,
  Connect,
  Entry,
  FixedFdInstall,
  FixedFile,
  type Operation,
  Ring,
  Socket,
  SocketDomain,
  SocketType,
  Write,
} from 'uring'
import { getpeername } from 'uring/sys'
import { complete, errorCode, value } from '../../helpers/completions.ts'
import {
  abstractName,
  client,
  exchangeData,
  fdOf,
  HAS_IPV6,
  listening,
  LOOPBACKS,
  nameOf,
  next,
  socket,
} from '../../helpers/connections.ts'
import { directory, file } from '../../helpers/files.ts'
import { acceptQueueLength } from '../../helpers/multishot.ts'
import { flagsOf } from '../../helpers/pipes.ts'
import { closing } from '../../helpers/sockets.ts'

const { UNIX, INET } = SocketDomain
const { STREAM, DGRAM, NONBLOCK, CLOEXEC } = SocketType

test('Accept: accepts a client of node:net, by every kind of address', async (t) => {
  using ring = new Ring({ entries: 8 })
  const path = join(directory(t), 'socket')
  for (const address of [...LOOPBACKS.map((address) => ({ address, port: 0 })), { path }]) {
    const server = listening(t, ring, address)
    const peer = await client(t, server.address)
    const fd: number = closing(t, value(ring, new Accept(server.fd)))
    t.is(flagsOf(fd) & (CLOEXEC | NONBLOCK), CLOEXEC)
    await exchangeData(t, ring, fd, peer)
  }
})

test('Accept: waits for a client', async (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  ring.push(new Accept(server.fd, { address: true }))
  ring.submit()
  t.is(ring.tryWait(), undefined)
  const [completion, peer] = await Promise.all([next(ring), client(t, server.address)])
  const accepted = completion.value as Accepted<number>
  closing(t, accepted.file)
  t.like(accepted.address, { address: peer.localAddress ?? '', port: peer.localPort ?? 0 })
  await exchangeData(t, ring, accepted.file, peer)
})

test('Accept: resolves to the address of the peer', async (t) => {
  using ring = new Ring({ entries: 8 })
  for (const address of LOOPBACKS) {
    const server = listening(t, ring, { address, port: 0 })
    const peer = await client(t, server.address)
    const accepted: Accepted<number> = value(ring, new Accept(server.fd, { address: true }))
    t.deepEqual(accepted.address, nameOf(fdOf(peer)))
    t.like(accepted.address, { address, port: peer.localPort })
    t.deepEqual(getpeername(closing(t, accepted.file)), accepted.address)
  }
  if (HAS_IPV6) {
    // An IPv4 peer of an IPv6 socket.
    const server = listening(t, ring, { address: '::', port: 0 })
    const port = 'port' in server.address ? server.address.port : 0
    await client(t, { address: '127.0.0.1', port })
    const accepted = value(ring, new Accept(server.fd, { address: true }))
    closing(t, accepted.file)
    t.like(accepted.address, { family: 'IPv6', address: '::ffff:127.0.0.1' })
  }
})

test('Accept: resolves to the address of a Unix peer, with or without a name', (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring, { path: abstractName(t) })
  const path = join(directory(t), 'client')
  const name = `${abstractName(t)}${'x'.repeat(108)}`.slice(0, 108)
  // The submissions of an entry share the room for the address: a short address does not cut the next.
  const operation = new Accept(server.fd, { address: true })
  for (const accept of [operation, operation.build()]) {
    for (const own of [undefined, `${path}1`, undefined, name, `${path}2`]) {
      const fd = own === undefined ? socket(t, ring, UNIX) : value(ring, new Socket(UNIX, STREAM))
      if (own !== undefined) value(ring, new Bind(fd, { path: own }))
      value(ring, new Connect(fd, server.address))
      const accepted = value<Accepted<number>>(ring, accept)
      closeSync(accepted.file)
      t.deepEqual(accepted.address, { family: 'Unix', path: own ?? '' })
      if (own === undefined) continue
      closeSync(fd)
      if (!own.startsWith('\0')) unlinkSync(own)
    }
  }
})

test('Accept: passes flags, and sets close-on-exec unless cloexec is false', (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  for (const [options, expected] of [
    [{ cloexec: true }, CLOEXEC],
    [{ cloexec: false }, 0],
    [{ flags: NONBLOCK }, CLOEXEC | NONBLOCK],
    [{ flags: NONBLOCK, cloexec: false }, NONBLOCK],
    [{ flags: CLOEXEC, cloexec: false }, CLOEXEC],
  ] as const) {
    value(ring, new Connect(socket(t, ring), server.address))
    const fd = closing(t, value(ring, new Accept(server.fd, options)))
    t.is(flagsOf(fd) & (CLOEXEC | NONBLOCK), expected)
  }
  t.is(errorCode(ring, new Accept(server.fd, { flags: 1 })), 'EINVAL', 'an unknown flag')
})

test('Accept: does not wait with dontWait, and polls first with pollFirst', (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  t.is(errorCode(ring, new Accept(server.fd, { dontWait: true })), 'EAGAIN')
  ring.push(new Accept(server.fd, { pollFirst: true }), 'accept')
  ring.submit()
  t.is(ring.tryWait(), undefined)
  ring.push(new Connect(socket(t, ring), server.address), 'connect')
  const accepted = ring.waitMany(2).find(({ userData }) => userData === 'accept')
  closing(t, accepted?.value as number)
  // With pollFirst it has to wait before its first attempt.
  value(ring, new Connect(socket(t, ring), server.address))
  t.is(errorCode(ring, new Accept(server.fd, { dontWait: true, pollFirst: true })), 'EAGAIN')
  closing(t, value(ring, new Accept(server.fd, { dontWait: true })))
})

test('Accept: accepts into fixed-file slots', async (t) => {
  using ring = new Ring({ entries: 8 })
  ring.registerFiles(3)
  const server = listening(t, ring)
  for (const [direct, slot] of [
    [1, 1],
    [new FixedFile(0), 0],
    ['auto', 2],
  ] as const) {
    const peer = await client(t, server.address)
    const file: FixedFile = value(ring, new Accept(server.fd, { direct, cloexec: true }))
    t.deepEqual(file, new FixedFile(slot))
    await exchangeData(t, ring, file, peer)
  }
  await client(t, server.address)
  t.is(errorCode(ring, new Accept(server.fd, { direct: 'auto' })), 'ENFILE', 'the table is full')
  t.is(
    errorCode(ring, new Accept(server.fd, { direct: 0, flags: CLOEXEC })),
    'EINVAL',
    'they have no such flag',
  )
  value(ring, new Close(new FixedFile(2)))
  const peer = await client(t, server.address)
  const accepted: Accepted<FixedFile> = value(ring, new Accept(server.fd, { direct: 'auto', address: true }))
  t.deepEqual(accepted.file, new FixedFile(2))
  t.like(accepted.address, { port: peer.localPort })
})

test('Accept: loses the connection if there is no file table for the slot', (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  for (const [direct, expected] of [
    [0, 'ENXIO'],
    ['auto', 'ENFILE'],
  ] as const) {
    value(ring, new Connect(socket(t, ring), server.address))
    t.is(errorCode(ring, new Accept(server.fd, { direct })), expected)
    t.is(errorCode(ring, new Accept(server.fd, { dontWait: true })), 'EAGAIN')
  }
})

test('Accept: fails with error codes of the kernel', (t) => {
  using ring = new Ring({ entries: 8 })
  const { error } = complete(ring, new Accept(socket(t, ring), { address: true }))
  t.is(error?.message, 'EINVAL: invalid argument, accept')
  t.like(error, { syscall: 'accept', operation: 'Accept' })
  t.is(errorCode(ring, new Accept(file(t).fd)), 'ENOTSOCK')
  t.is(errorCode(ring, new Accept(987_654)), 'EBADF')
  t.is(errorCode(ring, new Accept(socket(t, ring, INET, DGRAM))), 'ENOTSUP')
})

test('Accept: has a result type that follows from its options', (t) => {
  const plain: Operation<number> = new Accept(0)
  const options: Operation<number> = new Accept(0, { dontWait: true, address: false })
  const fixed: Operation<FixedFile> = new Accept(0, { direct: 3 })
  const address: Entry<Accepted<number>> = new Accept(0, { address: true }).build()
  const both: Operation<Accepted<FixedFile>> = new Accept(0, { address: true, direct: 'auto' })
  const many: Operation<number> = new AcceptMulti(0, { cloexec: false })
  const manyFixed: Operation<FixedFile> = new AcceptMulti(0, { direct: 'auto' })
  const made: Operation<number> = new Socket(1, 1, { protocol: 0 })
  const madeFixed: Operation<FixedFile> = new Socket(1, 1, { direct: new FixedFile(3) })
  // @ts-expect-error a fixed file is no number
  const wrong: Operation<number> = new Accept(0, { direct: 'auto' })
  // @ts-expect-error the result has an address too
  const more: Operation<number> = new Accept(0, { address: true })
  // @ts-expect-error each connection needs a slot of its own
  t.throws(() => new AcceptMulti(0, { direct: 3 }), { code: 'ERR_INVALID_ARG_VALUE' })
  for (const operation of [plain, options, fixed, both, many, manyFixed, made, madeFixed, wrong, more])
    t.notThrows(() => operation.build())
  t.true(address instanceof Entry)
})

test('AcceptMulti: accepts one connection after the other', async (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  const token = ring.push(new AcceptMulti(server.fd), 'server')
  const seen = new Set<number>()
  for (let count = 0; count < 5; count += 1) {
    const [completion, peer] = await Promise.all([next(ring), client(t, server.address)])
    t.true(completion.more)
    t.is(completion.token, token)
    t.is(completion.userData, 'server')
    const fd = closing(t, completion.value as number)
    t.is(flagsOf(fd) & (CLOEXEC | NONBLOCK), CLOEXEC)
    t.like(getpeername(fd), { port: peer.localPort })
    seen.add(fd)
    t.is(value(ring, new Write(fd, Buffer.from(`client ${count}`))), 8)
    t.is(String((await once(peer, 'data'))[0]), `client ${count}`)
  }
  t.is(seen.size, 5)
  ring.push(new AsyncCancel(token))
  const last = ring.waitMany(2).find(({ userData }) => userData === 'server')
  t.like(last, { more: false, result: -125 })
  t.is(last?.error?.message, 'ECANCELED: operation canceled, accept')
})

test('AcceptMulti: passes flags, and sets close-on-exec unless cloexec is false', (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  for (const [options, expected] of [
    [{ cloexec: false }, 0],
    [{ flags: NONBLOCK }, CLOEXEC | NONBLOCK],
    [{ flags: CLOEXEC, cloexec: false }, CLOEXEC],
  ] as const) {
    const token = ring.push(new AcceptMulti(server.fd, options), 'server')
    ring.push(new Connect(socket(t, ring), server.address))
    const accepted = ring.waitMany(2).find(({ userData }) => userData === 'server')
    t.is(flagsOf(closing(t, accepted?.value as number)) & (CLOEXEC | NONBLOCK), expected)
    ring.push(new AsyncCancel(token))
    t.is(ring.waitMany(2).length, 2)
  }
})

test('AcceptMulti: does not wait with dontWait, and polls first with pollFirst', (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  value(ring, new Connect(socket(t, ring), server.address))
  ring.push(new AcceptMulti(server.fd, { dontWait: true }))
  const [first, second] = ring.waitMany(2)
  closing(t, first?.value as number)
  t.true(first?.more)
  t.is(second?.error?.code, 'EAGAIN', 'there are no more')
  t.false(second?.more)
  t.is(errorCode(ring, new AcceptMulti(server.fd, { dontWait: true })), 'EAGAIN')
  // With pollFirst it has to wait before its first attempt.
  value(ring, new Connect(socket(t, ring), server.address))
  t.is(errorCode(ring, new AcceptMulti(server.fd, { dontWait: true, pollFirst: true })), 'EAGAIN')
  ring.push(new AcceptMulti(server.fd, { pollFirst: true }))
  const third = ring.wait()
  t.true(third?.more)
  closing(t, third?.value as number)
})

test('AcceptMulti: accepts into fixed-file slots until the table is full', async (t) => {
  using ring = new Ring({ entries: 8 })
  ring.registerFiles(2)
  const server = listening(t, ring)
  ring.push(new AcceptMulti(server.fd, { direct: 'auto' }))
  for (const slot of [0, 1]) {
    const [completion, peer] = await Promise.all([next(ring), client(t, server.address)])
    t.true(completion.more)
    const fixed = completion.value as FixedFile
    t.deepEqual(fixed, new FixedFile(slot))
    value(ring, new Write(fixed, Buffer.from('x')))
    t.is(String((await once(peer, 'data'))[0]), 'x')
  }
  const [full] = await Promise.all([next(ring), client(t, server.address)])
  t.is(full.error?.code, 'ENFILE')
  t.false(full.more)
})

test('AcceptMulti: fails with error codes of the kernel', (t) => {
  using ring = new Ring({ entries: 8 })
  const { error, more } = complete(ring, new AcceptMulti(socket(t, ring)))
  t.like(error, { code: 'EINVAL', syscall: 'accept', operation: 'AcceptMulti' })
  t.false(more)
  t.is(errorCode(ring, new AcceptMulti(file(t).fd)), 'ENOTSOCK')
})

test('AcceptMulti: closes connections that were not consumed when each() ends', async (t) => {
  const ring = new Ring({ entries: 8 })
  try {
    ring.registerFiles(3)
    for (const options of [{}, { direct: 'auto' as const }]) {
      const server = listening(t, ring)
      const connections = ring.each(new AcceptMulti(server.fd, options))
      const clients = []
      for (let count = 0; count < 3; count += 1) clients.push(await client(t, server.address))
      const first = await connections.next()
      if (first.value === undefined) throw new Error('there is no connection')
      while (acceptQueueLength(server.fd) > 0) await new Promise(setImmediate)
      const ends = clients.map((socket) => once(socket.resume(), 'end'))
      await connections.return?.()
      // The first belongs to the caller; the others were not consumed.
      await Promise.all(ends.slice(1))
      t.false(clients[0]?.readableEnded)
      await ring.run(new Close(first.value))
      await ends[0]
    }
  } finally {
    await ring.close()
  }
})

test('Socket, Accept, AcceptMulti: name the descriptor that a result leaves open', (t) => {
  interface Leaving {
    leftover(result: number, state: unknown): unknown
  }
  const leftover = (operation: Operation<unknown>): unknown => {
    const Class = operation.constructor as unknown as Leaving
    return Class.leftover(7, (operation.build() as unknown as { state: unknown }).state)
  }
  for (const [operation, expected] of [
    [new Socket(UNIX, STREAM), 7],
    [new Socket(UNIX, STREAM, { direct: 'auto' }), new FixedFile(7)],
    [new Socket(UNIX, STREAM, { direct: 3 }), new FixedFile(3)],
    [new Accept(0), 7],
    [new Accept(0, { address: true }), 7],
    [new Accept(0, { address: true, direct: 'auto' }), new FixedFile(7)],
    [new Accept(0, { direct: new FixedFile(3) }), new FixedFile(3)],
    [new AcceptMulti(0), 7],
    [new AcceptMulti(0, { direct: 'auto' }), new FixedFile(7)],
    [new FixedFdInstall(new FixedFile(3)), 7],
  ] as const) {
    t.deepEqual(leftover(operation), [expected])
  }
})
