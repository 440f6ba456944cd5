// How late the rest of the event loop is while 256 loops of reads that are always ready run:
// node benchmark/fair.js <milliseconds>.

import { closeSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import { Read, Ring } from 'uring'
import { BLOCK, cachedFile } from './cached.js'

const LOOPS = 256
const milliseconds = Number(process.argv[2])
const fd = cachedFile()
const ring = new Ring()
const run = { running: true }
let reads = 0
let immediates = 0
/** @type {number[]} */
const late = []
/** @type {number[]} */
const echoes = []

async function loop() {
  const buffer = Buffer.alloc(BLOCK)
  while (run.running) {
    await ring.run(new Read(fd, buffer, { offset: 0 }))
    reads += 1
  }
}

function immediate() {
  immediates += 1
  if (run.running) setImmediate(immediate)
}

const server = createServer((socket) => {
  socket.on('error', () => {}) // the client is destroyed at the end
  socket.pipe(socket)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const client = connect(/** @type {import('node:net').AddressInfo} */ (server.address()).port, '127.0.0.1')
await once(client, 'connect')
client.setNoDelay()
client.on('error', () => {}) // it is destroyed at the end
let sent = performance.now()
client.on('data', () => {
  echoes.push(performance.now() - sent)
  if (!run.running) return
  sent = performance.now()
  client.write('x')
})
client.write('x')

let expected = performance.now() + 1
const interval = setInterval(() => {
  const now = performance.now()
  late.push(Math.max(now - expected, 0))
  expected = now + 1
}, 1)
immediate()
const loops = Array.from({ length: LOOPS }, loop)
setTimeout(() => {
  run.running = false
}, milliseconds)
await Promise.all(loops)
clearInterval(interval)
client.destroy()
server.close()
await ring.close()
closeSync(fd)

/** @param {number[]} numbers */
function p99(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * 0.99)] ?? Number.NaN
}
process.stdout.write(
  `${JSON.stringify({ reads, immediates, timers: late.length, timerP99: p99(late), echoes: echoes.length, echoP99: p99(echoes) })}\n`,
)
