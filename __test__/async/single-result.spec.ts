// Tests run() with operations that have a single result of several completions.

import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import {
  ProvideBuffers,
  Ring,
  Send,
  SendBundle,
  SendMsgZc,
  SendZc,
  SocketDomain,
  SocketType,
  UringError,
} from 'uring'
import { socketpair } from 'uring/sys'
import { closing } from '../helpers/sockets.ts'

/** Creates a TCP connection; returns its descriptor and a function that waits for bytes at the other end. */
async function connection(
  t: ExecutionContext,
): Promise<{ fd: number; received(bytes: number): Promise<string> }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const client = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1')
  const [[socket]] = await Promise.all([once(server, 'connection'), once(client, 'connect')])
  t.teardown(() => {
    client.destroy()
    server.close()
  })
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => void (text += chunk))
  const received = async (bytes: number): Promise<string> => {
    while (text.length < bytes) await once(socket, 'data')
    return text
  }
  return { fd: (client as unknown as { _handle: { fd: number } })._handle.fd, received }
}

test('run: resolves to the bytes sent when the notification of a zero-copy send arrives', async (t) => {
  await using ring = new Ring()
  const { fd, received } = await connection(t)
  t.is(await ring.run(new SendZc(fd, Buffer.from('one'))), 3)
  t.is(await ring.run(new SendMsgZc(fd, { buffers: [Buffer.from('tw'), Buffer.from('o')] })), 3)
  t.deepEqual(await ring.run(new SendZc(fd, Buffer.from('three'), { reportUsage: true })), {
    bytes: 5,
    copied: true, // always so on the loopback
  })
  t.is(await received(11), 'onetwothree')
  t.is(ring.inFlight, 0)
})

test('run: rejects after a failed zero-copy send has released its memory', async (t) => {
  await using ring = new Ring()
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  closing(t, left)
  closing(t, right)
  const error = await t.throwsAsync(ring.run(new SendZc(left, Buffer.from('x'))), { instanceOf: UringError })
  t.is(error.syscall, 'send')
  t.is(error.errno, -95)
  t.is(ring.inFlight, 0)
  t.is(await ring.run(new Send(left, Buffer.from('x'))), 1)
})

test('run: resolves to the total bytes sent by a SendBundle', async (t) => {
  await using ring = new Ring()
  const { fd, received } = await connection(t)
  await ring.run(new ProvideBuffers(Buffer.from('onetwosix'), 3, 3, 7))
  t.is(await ring.run(new SendBundle(fd, 7)), 9)
  t.is(await received(9), 'onetwosix')
})
