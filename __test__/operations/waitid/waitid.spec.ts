// Waiting for child processes.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { constants } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { AsyncCancel, ChildCode, type ChildState, Entry, Ring, WaitFlags, WaitId, WaitType } from 'uring'
import { createAddressOf, GetSockOpt } from 'uring/native'
import { decodeSiginfo, SIGINFO_BYTES } from '../../../ts/structs/siginfo.ts'
import { nothingCompletes, outcome, outcomes, outcomesByUserData } from '../../helpers/completions.ts'
import { directory } from '../../helpers/files.ts'
import { script } from '../../helpers/process.ts'
import { closing } from '../../helpers/sockets.ts'

const { WEXITED, WSTOPPED, WCONTINUED, WNOHANG, WNOWAIT } = WaitFlags
const uid = process.getuid?.()

/**
 * A child, with its process number. Node.js waits for it too, but only when the event loop turns, and a test that has
 * no `await` in it is faster.
 */
function start(
  t: ExecutionContext,
  command: string,
  args: readonly string[] = [],
  detached = false,
): ChildProcess & { pid: number } {
  const child = spawn(command, args, { stdio: 'ignore', detached })
  t.teardown(() => child.kill('SIGKILL'))
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} does not start`)
  return Object.assign(child, { pid })
}

test('WaitId: resolves to the exit status of a child', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const status of [0, 1, 7, 255]) {
    const { pid } = start(t, 'sh', ['-c', `exit ${status}`])
    const expected = { pid, uid, code: ChildCode.EXITED, status, signal: null }
    t.deepEqual(outcome(ring, new WaitId('pid', pid, WEXITED | WNOWAIT)), expected)
    t.deepEqual(
      outcome(ring, new WaitId(WaitType.PID, pid, WEXITED | WNOWAIT)),
      expected,
      'it is still there',
    )
  }
})

test('WaitId: waits until the child exits', (t) => {
  using ring = new Ring({ entries: 8 })
  const { pid } = start(t, 'sleep', ['1000'])
  ring.push(new WaitId('pid', pid, WEXITED | WNOWAIT), 'wait')
  ring.submit()
  t.true(nothingCompletes(ring))
  process.kill(pid, 'SIGTERM')
  t.deepEqual(outcomes(ring, 1), [
    ['wait', { pid, uid, code: ChildCode.KILLED, status: 15, signal: 'SIGTERM' }],
  ])
})

test('WaitId: reports signals that kill, stop and continue a child', (t) => {
  using ring = new Ring({ entries: 8 })
  const { pid } = start(t, 'sleep', ['1000'])
  const change = (signal: NodeJS.Signals, options: number): unknown => {
    ring.push(new WaitId('pid', pid, options), 'wait')
    ring.submit()
    t.true(nothingCompletes(ring), signal)
    process.kill(pid, signal)
    const [[, state] = []] = outcomes(ring, 1)
    return state
  }
  const { SIGSTOP, SIGCONT, SIGKILL } = constants.signals
  for (let round = 0; round < 2; round += 1) {
    t.deepEqual(change('SIGSTOP', WSTOPPED), {
      pid,
      uid,
      code: ChildCode.STOPPED,
      status: SIGSTOP,
      signal: 'SIGSTOP',
    })
    t.deepEqual(change('SIGCONT', WCONTINUED | WEXITED | WNOWAIT), {
      pid,
      uid,
      code: ChildCode.CONTINUED,
      status: SIGCONT,
      signal: 'SIGCONT',
    })
    const left = outcome(ring, new WaitId('pid', pid, WCONTINUED | WNOHANG)) as ChildState
    t.is(left.signal, 'SIGCONT', 'WNOWAIT left it, this wait consumes it')
  }
  t.deepEqual(change('SIGKILL', WEXITED | WNOWAIT), {
    pid,
    uid,
    code: ChildCode.KILLED,
    status: SIGKILL,
    signal: 'SIGKILL',
  })
})

test('WaitId: reaps the child without WNOWAIT', (t) => {
  using ring = new Ring({ entries: 8 })
  const child = start(t, 'sh', ['-c', 'exit 3'])
  child.unref() // so that Node.js does not wait for it
  const { pid } = child
  t.like(outcome(ring, new WaitId('pid', pid, WEXITED)), { pid, status: 3 })
  t.is(outcome(ring, new WaitId('pid', pid, WEXITED)), 'ECHILD')
})

test('WaitId: resolves to undefined with WNOHANG if no child has changed', (t) => {
  using ring = new Ring({ entries: 8 })
  const { pid } = start(t, 'sleep', ['1000'])
  const operation = new WaitId('pid', pid, WEXITED | WNOHANG | WNOWAIT)
  t.is(outcome(ring, operation), undefined)
  const entry = operation.build()
  ring.push(entry)
  t.like(ring.wait(), { ok: true, value: undefined })
  process.kill(pid, 'SIGKILL')
  t.like(outcome(ring, new WaitId('pid', pid, WEXITED | WNOWAIT)), { pid })
  ring.push(entry)
  t.like(ring.wait()?.value, { pid, signal: 'SIGKILL' })
})

test('WaitId: decodes the result of an entry when its completion is consumed', (t) => {
  using ring = new Ring({ entries: 8 })
  const { pid } = start(t, 'sleep', ['1000'])
  const entry = new WaitId('pid', pid, WSTOPPED | WCONTINUED).build()
  const change = (signal: NodeJS.Signals) => {
    process.kill(pid, signal)
    ring.push(entry)
    return ring.wait({ timeout: 60_000 })
  }
  const [stopped, continued] = [change('SIGSTOP'), change('SIGCONT')]
  t.deepEqual(
    [stopped, continued].map((completion) => (completion?.value as ChildState | undefined)?.signal),
    ['SIGSTOP', 'SIGCONT'],
  )
})

test('WaitId: waits for a process group', (t) => {
  using ring = new Ring({ entries: 8 })
  const child = start(t, 'sleep', ['1000'], true)
  const other = start(t, 'sleep', ['1000'], true)
  ring.push(new WaitId('pgid', child.pid, WEXITED | WNOWAIT), 'group')
  ring.push(new WaitId('pgid', other.pid, WEXITED | WNOWAIT), 'other')
  ring.submit()
  t.true(nothingCompletes(ring))
  child.kill('SIGKILL')
  const [[name, state] = []] = outcomes(ring, 1)
  t.is(name, 'group')
  t.like(state, { pid: child.pid, signal: 'SIGKILL' })
  t.is(ring.inFlight, 1)
  ring.push(new AsyncCancel({ opcode: WaitId.opcode }), 'cancel')
  t.deepEqual(outcomesByUserData(ring, 2), { cancel: 1, other: 'ECANCELED' })
})

test('WaitId: waits for a process by its pidfd', async (t) => {
  using ring = new Ring({ entries: 8 })
  // A socket has a pidfd of the process at its other end.
  const path = join(directory(t), 'socket')
  const server = createServer().listen(path)
  await once(server, 'listening')
  const { pid } = start(t, process.execPath, ['-e', `require('node:net').connect(${JSON.stringify(path)})`])
  const [socket] = (await once(server, 'connection')) as [{ _handle: { fd: number }; destroy(): void }]
  t.teardown(() => void server.close())
  t.teardown(() => socket.destroy())
  const option = new Int32Array(1)
  const { SOL_SOCKET, SO_PEERPIDFD } = { SOL_SOCKET: 1, SO_PEERPIDFD: 77 }
  const address = createAddressOf()(new Uint8Array(option.buffer))
  const bytes = new GetSockOpt(
    socket._handle.fd,
    SOL_SOCKET,
    SO_PEERPIDFD,
    address,
    option.byteLength,
  ).build()
  ring.push(Entry.from(bytes, { keep: [option] }))
  t.is(ring.wait()?.result, option.byteLength)
  const pidfd = closing(t, option[0] ?? -1)
  t.is(outcome(ring, new WaitId(WaitType.PIDFD, pidfd, WEXITED | WNOHANG)), undefined)
  ring.push(new WaitId(WaitType.PIDFD, pidfd, WEXITED | WNOWAIT), 'wait')
  ring.submit()
  t.true(nothingCompletes(ring))
  process.kill(pid, 'SIGKILL')
  t.deepEqual(outcomes(ring, 1), [
    ['wait', { pid, uid, code: ChildCode.KILLED, status: 9, signal: 'SIGKILL' }],
  ])
})

test('WaitId: waits for all children, also those unknown to Node.js', async (t) => {
  const { stdout, stderr } = await script(`
    import { spawn } from 'node:child_process'
    import { Ring, WaitId, WaitFlags } from 'uring'
    {
      const ring = new Ring({ entries: 4 })
      const start = (status) => spawn('sh', ['-c', 'exit ' + status], { detached: status === 8 }).pid
      const children = new Set([7, 8, 9].map(start))
      const seen = []
      while (seen.length < 3) {
        ring.push(new WaitId('all', 0, WaitFlags.WEXITED))
        const { pid, status } = ring.wait().value
        if (!children.delete(pid)) throw new Error('who is ' + pid)
        seen.push(status)
      }
      ring.push(new WaitId('all', 0, WaitFlags.WEXITED))
      console.log(seen.toSorted().join(), ring.wait().error.code)
      process.exit()
    }
  `)
  t.is(stderr, '')
  t.is(stdout, '7,8,9 ECHILD\n')
})

test('WaitId: fails for processes that are not children, and for bad options', (t) => {
  using ring = new Ring({ entries: 8 })
  const { pid } = start(t, 'sleep', ['1000'])
  ring.push(new WaitId('pid', process.ppid, WEXITED))
  t.like(ring.wait()?.error, {
    code: 'ECHILD',
    syscall: 'waitid',
    operation: 'WaitId',
  })
  t.is(outcome(ring, new WaitId('pid', process.pid, WEXITED)), 'ECHILD')
  t.is(outcome(ring, new WaitId('pgid', pid, WEXITED)), 'ECHILD') // the child leads no group
  t.is(outcome(ring, new WaitId('pid', pid, 0)), 'EINVAL')
  t.is(outcome(ring, new WaitId('pid', pid, WNOHANG)), 'EINVAL')
  t.is(outcome(ring, new WaitId('pid', 0, WEXITED)), 'EINVAL')
  t.is(outcome(ring, new WaitId(9, pid, WEXITED)), 'EINVAL')
  t.is(outcome(ring, new WaitId(WaitType.PIDFD, 0, WEXITED)), 'EBADF') // no process behind this descriptor
})

test('WaitId: can be cancelled, and leaves the child running', (t) => {
  using ring = new Ring({ entries: 8 })
  const child = start(t, 'sleep', ['1000'])
  const other = start(t, 'sleep', ['1000'])
  const token = ring.push(new WaitId('pid', child.pid, WEXITED | WNOWAIT), 'wait')
  ring.push(new WaitId('pid', other.pid, WEXITED | WNOWAIT), 'other')
  ring.submit()
  ring.push(new AsyncCancel(token), 'cancel')
  t.deepEqual(outcomesByUserData(ring, 2), { cancel: 1, wait: 'ECANCELED' })
  t.is(outcome(ring, new WaitId('pid', child.pid, WEXITED | WNOHANG)), undefined)
  other.kill('SIGKILL')
  t.like(outcomes(ring, 1)[0]?.[1], { pid: other.pid })
})

test('WaitId: leaves the child to Node.js with WNOWAIT', async (t) => {
  using ring = new Ring({ entries: 8 })
  const child = start(t, 'sh', ['-c', 'exit 5'])
  const exit = new Promise((resolve) => child.once('exit', (...args) => resolve(args)))
  t.like(outcome(ring, new WaitId('pid', child.pid, WEXITED | WNOWAIT)), { status: 5 })
  t.deepEqual(await exit, [5, null])
})

test('WaitId: decodes the layout of siginfo_t', (t) => {
  t.is(SIGINFO_BYTES, 128)
  const info = (code: number, status: number): Buffer => {
    const bytes = Buffer.alloc(SIGINFO_BYTES)
    bytes.writeInt32LE(17, 0) // SIGCHLD
    bytes.writeInt32LE(code, 8)
    bytes.writeInt32LE(0x0123_4567, 16)
    bytes.writeUInt32LE(0xfedc_ba98, 20)
    bytes.writeInt32LE(status, 24)
    return bytes
  }
  const state = (code: number, status: number, signal: string | null): object => ({
    pid: 0x0123_4567,
    uid: 0xfedc_ba98,
    code,
    status,
    signal,
  })
  for (const [code, status, signal] of [
    [1, 9, null], // exited with a status that is also the number of a signal
    [2, 9, 'SIGKILL'],
    [2, 6, 'SIGABRT'], // not its old name, SIGIOT
    [2, 29, 'SIGIO'],
    [3, 11, 'SIGSEGV'],
    [4, 5, 'SIGTRAP'],
    [4, 0x405, null], // an event of ptrace(2), with the signal below
    [5, 20, 'SIGTSTP'],
    [6, 18, 'SIGCONT'],
    [2, 40, null], // a real-time signal
    [1, 0, null],
  ] as const) {
    t.deepEqual(decodeSiginfo(info(code, status)), state(code, status, signal) as never)
  }
  t.is(decodeSiginfo(Buffer.alloc(SIGINFO_BYTES)), undefined)
})
