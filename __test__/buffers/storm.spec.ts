// A buffer ring with many more connections than buffers.

import { readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { AcceptMulti, BufferRing, Close, RecvMulti, RecvMultiBundle } from 'uring'
import { listening } from '../helpers/connections.ts'
import { descriptors, ringFor, turns, until } from '../helpers/multishot.ts'
import { script } from '../helpers/process.ts'

/** The limit of descriptors of a process, to which the program raises its own. */
function mostDescriptors(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  const hard = /^Max open files +\S+ +(\S+)/m.exec(limits)?.[1]
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
}

const WANTED = 1000
/** The number of connections. Each of the two processes has one end of each. */
const CONNECTIONS = Math.min(WANTED, mostDescriptors() - 200)
const BUFFERS = 256
const SIZE = 512
/** Bytes that each client sends: its number, and bytes derived from it. */
const LENGTH = 4096

const CLIENTS = (port: number): string => `
  import { connect } from 'node:net'
  const left = new Set()
  for (let id = 0; id < ${CONNECTIONS}; id += 1) {
    const bytes = Buffer.alloc(${LENGTH})
    for (let index = 4; index < bytes.length; index += 1) bytes[index] = (id * 7 + index * 13) % 251
    bytes.writeUInt32LE(id)
    const socket = connect({ host: '127.0.0.1', port: ${port}, noDelay: true })
    left.add(id)
    // In pieces of several lengths, from several clients at once.
    const write = (from) => {
      const to = from + 200 + (id * 31 + from) % 1500
      if (to >= bytes.length) socket.end(bytes.subarray(from))
      else socket.write(bytes.subarray(from, to), () => setImmediate(write, to))
    }
    socket.once('connect', () => write(0))
    socket.resume()
    socket.on('error', (error) => { throw error })
    socket.on('close', () => {
      left.delete(id)
      if (left.size === 0) console.log('done')
    })
  }
`

for (const [name, Receive] of [
  ['one buffer at a time', RecvMulti],
  ['bundles', RecvMultiBundle],
] as const) {
  test.serial(`BufferRing: ${CONNECTIONS} connections share ${BUFFERS} buffers: ${name}`, async (t) => {
    const before = descriptors()
    const ring = ringFor(t, { entries: 1024, cqEntries: 4096 })
    const group = new BufferRing(ring, { count: BUFFERS, size: SIZE })
    const server = listening(t, ring, undefined, 4096)
    const clients = script(CLIENTS('port' in server.address ? server.address.port : 0))

    let open: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const ids = new Set<number>()
    let holding = 0
    let results = 0
    let buffers = 0
    let wrong = 0
    async function serve(fd: number): Promise<void> {
      let at = 0
      let id = 0
      for await (const { bytes, views } of ring.each(new Receive(fd, group), { buffers: 'borrow' })) {
        results += 1
        buffers += views.length
        holding += 1
        await gate
        await turn() // other connections want buffers meanwhile
        holding -= 1
        for (const byte of bytes) {
          if (at < 4) id += byte * 256 ** at
          else if (byte !== (id * 7 + at * 13) % 251) wrong += 1
          at += 1
        }
      }
      if (at !== LENGTH) wrong += 1
      ids.add(id)
      await ring.run(new Close(fd))
    }

    const served: Promise<void>[] = []
    for await (const fd of ring.each(new AcceptMulti(server.fd))) {
      served.push(serve(fd as number))
      if (served.length === CONNECTIONS) break
    }
    // All buffers are borrowed, and no consumer continues: connections with new data wait for a buffer.
    await until(() => group.available === 0 && ring.inFlight === 0)
    t.true(holding > 0 && holding <= BUFFERS, `${holding}`)
    const { submitted, systemCalls } = ring.stats()
    await turns(200)
    t.is(ring.stats().submitted, submitted)
    // One or two late signals are fine; a connection that polls would submit every turn.
    t.true(ring.stats().systemCalls - systemCalls < 20, `${ring.stats().systemCalls - systemCalls}`)
    t.is(group.available, 0)

    open()
    await Promise.all(served)
    t.is(wrong, 0)
    t.is(ids.size, CONNECTIONS)
    t.is(group.available, BUFFERS)
    const done = ring.stats()
    // A returned buffer wakes one waiter, and the last buffer ends the multishot operation that consumes it; besides, each
    // connection is armed, ended and closed. A busy loop would submit thousands per turn.
    const most = submitted + 2 * buffers + 4 * CONNECTIONS
    t.true(done.submitted <= most, `${done.submitted} submissions, ${buffers} buffers`)
    t.log(
      `${results} results, ${done.submitted} submissions, ${done.systemCalls} system calls, ${done.rearmed} times armed again`,
    )
    t.deepEqual(await clients, { code: 0, signal: null, stdout: 'done\n', stderr: '' })
    await ring.close()
    t.true(descriptors() <= before + 1, `${before} descriptors before, ${descriptors()} after`)
  })
}
