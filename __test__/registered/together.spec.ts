// Registered files, registered buffers and buffer rings together, in realistic programs.

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { connect, type Socket as NetSocket } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  AcceptMulti,
  allocate,
  BufferRing,
  Close,
  FixedFile,
  Fsync,
  Nop,
  OpenAt,
  Read,
  ReadFixed,
  RecvMulti,
  Ring,
  SendZc,
  WriteFixed,
} from 'uring'
import { listening } from '../helpers/connections.ts'
import { directory } from '../helpers/files.ts'

const SIZE = 2048
const COUNT = 32
const CLIENTS = 40
const PIECE = 65_536

/** Creates a ring with a table of files and a table of buffers. */
function equipped(t: ExecutionContext, memory: Buffer, slots: number) {
  const ring = new Ring({ entries: 64 })
  t.teardown(() => ring.close())
  const files = ring.registerFiles(slots)
  const buffers = ring.registerBuffers([memory])
  return { ring, files, fixed: buffers.at(0) }
}

/** The bytes that a client sends, and receives again. */
async function talk(port: number, bytes: Buffer): Promise<Buffer> {
  const socket: NetSocket = connect(port, '127.0.0.1')
  const echoed: Buffer[] = []
  let length = 0
  const over = once(socket, 'close')
  socket.on('data', (chunk: Buffer) => {
    echoed.push(chunk)
    length += chunk.length
    if (length === bytes.length) socket.end()
  })
  await once(socket, 'connect')
  socket.write(bytes)
  await over
  return Buffer.concat(echoed)
}

test.serial('BufferRing, FileTable: an echo server needs no descriptors and no copies', async (t) => {
  const memory = allocate(SIZE * COUNT)
  const { ring, fixed } = equipped(t, memory, CLIENTS + 4)
  const group = new BufferRing(ring, { count: COUNT, size: SIZE, memory })
  const server = listening(t, ring, undefined, CLIENTS)
  const port = 'port' in server.address ? server.address.port : 0
  await ring.run(new Nop()) // the ring creates no descriptors after this
  const descriptors = readdirSync('/proc/self/fd').length
  let served = 0

  async function serve(file: FixedFile): Promise<void> {
    for await (const { views } of ring.each(new RecvMulti(file, group), { buffers: 'borrow' })) {
      for (const view of views) {
        const from = view.byteOffset - memory.byteOffset
        const part = fixed.subarray(from, from + view.length)
        for (let sent = 0; sent < view.length;) sent += await ring.run(new SendZc(file, part.subarray(sent)))
      }
    }
    await ring.run(new Close(file))
    served += 1
  }

  const serving: Promise<void>[] = []
  const accepting = (async () => {
    for await (const file of ring.each(new AcceptMulti(server.fd, { direct: 'auto' }))) {
      serving.push(serve(file))
      if (serving.length === CLIENTS) break
    }
  })()
  const sent = Array.from({ length: CLIENTS }, (_, index) => randomBytes(1 + index * 3001))
  const echoes = await Promise.all(sent.map((bytes) => talk(port, bytes)))
  await accepting
  await Promise.all(serving)
  for (const [index, bytes] of sent.entries())
    t.true(bytes.equals(echoes[index] ?? Buffer.alloc(0)), `${index}`)
  t.is(served, CLIENTS)
  t.is(group.available, COUNT, 'all buffers are returned')
  t.is(readdirSync('/proc/self/fd').length, descriptors, 'no connection had a descriptor')
})

test('FileTable, BufferTable: copy a file in concurrent pieces', async (t) => {
  const pieces = 8
  const memory = allocate(pieces * PIECE)
  const { ring, fixed } = equipped(t, memory, 4)
  const folder = directory(t)
  const [from, to] = [join(folder, 'from'), join(folder, 'to')]
  const content = randomBytes(PIECE * 37 + 1234)
  writeFileSync(from, content)

  const source = await ring.run(new OpenAt(from, { direct: 'auto' }))
  const target = await ring.run(new OpenAt(to, { flags: 'w', direct: 'auto' }))
  let next = 0
  async function copy(piece: number): Promise<void> {
    const part = fixed.subarray(piece * PIECE, (piece + 1) * PIECE)
    for (let offset = next; offset < content.length; offset = next) {
      next += PIECE
      const length = await ring.run(new ReadFixed(source, part, { offset }))
      for (let written = 0; written < length;)
        written += await ring.run(
          new WriteFixed(target, part.subarray(written, length), { offset: offset + written }),
        )
    }
  }
  await Promise.all(Array.from({ length: pieces }, (_, piece) => copy(piece)))
  await ring.chain([new Fsync(target), new Close(target), new Close(source)])
  t.true(readFileSync(to).equals(content))
  await t.throwsAsync(ring.run(new Read(source, Buffer.alloc(1))), { code: 'EBADF' })
})

test('chain: opens a file into a slot, reads it into registered memory and closes it', async (t) => {
  const memory = allocate(PIECE)
  const { ring, files, fixed } = equipped(t, memory, 4)
  const path = join(directory(t), 'file')
  writeFileSync(path, 'opened, read, closed')
  const slot = files.acquire()
  const results = await ring.chain([
    new OpenAt(path, { direct: slot }),
    new ReadFixed(slot, fixed.subarray(0, 20), { offset: 0 }),
    new Close(slot),
  ])
  t.deepEqual(results.slice(1), [20, 0])
  t.is(memory.toString('latin1', 0, 20), 'opened, read, closed')
  files.release(slot)
})

test('FileTable, BufferTable: serve a file from registered memory to a connection in a slot', async (t) => {
  const memory = allocate(PIECE)
  const { ring, fixed } = equipped(t, memory, 8)
  const path = join(directory(t), 'file')
  const content = randomBytes(PIECE * 20 + 77)
  writeFileSync(path, content)
  const server = listening(t, ring, undefined, CLIENTS)
  const port = 'port' in server.address ? server.address.port : 0

  const serving = (async () => {
    const file = await ring.run(new OpenAt(path, { direct: 'auto' }))
    for await (const client of ring.each(new AcceptMulti(server.fd, { direct: 'auto' }))) {
      for (let offset = 0; ;) {
        const length = await ring.run(new ReadFixed(file, fixed, { offset }))
        if (length === 0) break
        for (let sent = 0; sent < length;)
          sent += await ring.run(new SendZc(client, fixed.subarray(sent, length)))
        offset += length
      }
      await ring.chain([new Close(client), new Close(file)])
      break
    }
  })()
  const hash = createHash('sha256')
  const socket = connect(port, '127.0.0.1')
  socket.on('data', (chunk) => hash.update(chunk))
  await once(socket, 'end')
  await serving
  t.is(hash.digest('hex'), createHash('sha256').update(content).digest('hex'))
})
