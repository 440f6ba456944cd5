// The example program, from outside: its output, its errors and its exit codes for `npm start -- FILE...`, and the tour.

import { type ChildProcess, execFileSync, spawn, type StdioOptions } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { directory } from '../helpers/files.ts'

const MIB = 1024 * 1024
const main = fileURLToPath(new URL('../../examples/main.js', import.meta.url))

interface Options {
  /** Flags of Node.js. */
  readonly flags?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly stdio?: StdioOptions
}

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Starts a program, which is killed at the end of the test. */
function start(
  t: ExecutionContext,
  command: string,
  args: readonly string[],
  options: Options,
): ChildProcess {
  const { env = {}, stdio = ['ignore', 'pipe', 'pipe'] } = options
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

/** Starts the example program with arguments. */
function startMain(t: ExecutionContext, args: readonly string[], options: Options = {}): ChildProcess {
  return start(t, process.execPath, [...(options.flags ?? []), main, ...args], options)
}

/** Starts a shell script; `"$@"` in it runs the example program with arguments. */
function startShell(
  t: ExecutionContext,
  script: string,
  args: readonly string[],
  options: Options = {},
): ChildProcess {
  return start(
    t,
    'sh',
    ['-c', script, 'sh', process.execPath, ...(options.flags ?? []), main, ...args],
    options,
  )
}

async function ended(child: ChildProcess): Promise<Ended> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal }
}

/** Returns everything that the child writes to one of its descriptors. */
async function everything(child: ChildProcess, fd: number): Promise<Buffer> {
  const stream = child.stdio[fd]
  const chunks: Buffer[] = []
  if (stream !== null && stream !== undefined && 'read' in stream) {
    for await (const chunk of stream) chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

/** Runs a child to its end. */
async function outcome(child: ChildProcess): Promise<Ended & { stdout: Buffer; stderr: string }> {
  const [end, stdout, stderr] = await Promise.all([ended(child), everything(child, 1), everything(child, 2)])
  return { ...end, stdout, stderr: stderr.toString() }
}

/** Waits until the child has printed `length` bytes, and returns them. */
async function printed(child: ChildProcess, length: number): Promise<Buffer> {
  const stdout = child.stdout
  if (stdout === null) throw new Error('standard output is not a pipe')
  let bytes = Buffer.alloc(0)
  while (bytes.length < length && !stdout.readableEnded) {
    const chunk = stdout.read() as Buffer | null
    if (chunk === null) await Promise.race([once(stdout, 'readable'), once(stdout, 'end')])
    else bytes = Buffer.concat([bytes, chunk])
  }
  return bytes
}

/** Makes files with these contents in a new directory, and returns their paths. */
function files(t: ExecutionContext, ...contents: readonly (string | Buffer)[]): string[] {
  const parent = directory(t)
  return contents.map((content, index) => {
    const path = join(parent, `file ${index}`)
    writeFileSync(path, content)
    return path
  })
}

function fifo(t: ExecutionContext): string {
  const path = join(directory(t), 'fifo')
  execFileSync('mkfifo', [path])
  return path
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

// Regular files

test('start: prints a file byte for byte', async (t) => {
  const content = randomBytes(300_001)
  const { code, stdout, stderr } = await outcome(startMain(t, files(t, content)))
  t.is(stderr, '')
  t.is(code, 0)
  t.true(stdout.equals(content))
})

test('start: prints nothing for an empty file', async (t) => {
  const { code, stdout, stderr } = await outcome(startMain(t, files(t, '')))
  t.deepEqual([code, stdout.length, stderr], [0, 0, ''])
})

test('start: prints files in the order of the arguments, whatever their sizes, and again where named again', async (t) => {
  // More files than are open at a time; the large ones take longer than those behind them.
  const contents = [700_000, 0, 1, 131_072, 0, 131_073, 5, 262_144, 3, 1_000_000, 17].map((size) =>
    randomBytes(size),
  )
  const paths = files(t, ...contents)
  const { code, stdout, stderr } = await outcome(startMain(t, [...paths, ...paths]))
  t.is(stderr, '')
  t.is(code, 0)
  t.is(sha256(stdout), sha256(Buffer.concat([...contents, ...contents])))
})

test('start: prints 64 MiB of data and holes through a pipe', async (t) => {
  const content = Buffer.alloc(64 * MIB)
  for (const at of [0, 5 * MIB + 1, 20 * MIB, 63 * MIB]) randomBytes(MIB).copy(content, at)
  const { code, stdout, stderr } = await outcome(startShell(t, '"$@" | cat', files(t, content)))
  t.is(stderr, '')
  t.is(code, 0)
  t.is(stdout.length, content.length)
  t.is(sha256(stdout), sha256(content))
})

test('start: uses little memory for a file that is larger', async (t) => {
  const [path = ''] = files(t, 'start')
  truncateSync(path, 1024 * MIB)
  writeFileSync(path, 'end', { flag: 'a' })
  // VmHWM, because the maximum that getrusage(2) reports survives execve(2).
  const report =
    'import{readFileSync,writeSync}from"node:fs";' +
    'process.on("exit",()=>writeSync(2,/VmHWM:.*/.exec(readFileSync("/proc/self/status","utf8"))[0]))'
  const child = startMain(t, [path], {
    flags: ['--max-old-space-size=64', `--import=data:text/javascript,${encodeURIComponent(report)}`],
  })
  let length = 0
  let last = Buffer.alloc(0)
  child.stdout?.on('data', (chunk: Buffer) => {
    length += chunk.length
    last = Buffer.concat([last, chunk]).subarray(-5)
  })
  const [{ code }, stderr] = await Promise.all([ended(child), everything(child, 2)])
  t.is(code, 0)
  t.is(length, 1024 * MIB + 3)
  t.is(last.toString(), '\0\0end')
  const peak = /^VmHWM:\s+(\d+) kB$/.exec(stderr.toString())?.[1]
  t.true(Number(peak) < 200 * 1024, `${peak} kB`)
})

test('start: writes at the file position of standard output', async (t) => {
  const [first = '', second = '', out = ''] = files(t, 'first\n', 'second\n', '')
  const fd = openSync(out, 'w')
  t.teardown(() => closeSync(fd))
  writeSync(fd, 'before\n')
  const stdio: StdioOptions = ['ignore', fd, 'pipe']
  t.is((await outcome(startMain(t, [first], { stdio }))).code, 0)
  t.is((await outcome(startMain(t, [second, first], { stdio }))).code, 0)
  t.is(readFileSync(out, 'utf8'), 'before\nfirst\nsecond\nfirst\n')
})

// Pipes and files of /proc

test('start: prints a FIFO that another process writes to, in its turn', async (t) => {
  const content = randomBytes(5 * MIB)
  const [before = '', source = '', after = ''] = files(t, 'before', content, 'after')
  const path = fifo(t)
  start(t, 'sh', ['-c', 'exec cat "$1" > "$2"', 'sh', source, path], { stdio: 'ignore' })
  const { code, stdout, stderr } = await outcome(startMain(t, [before, path, after]))
  t.is(stderr, '')
  t.is(code, 0)
  t.is(sha256(stdout), sha256(Buffer.concat([Buffer.from('before'), content, Buffer.from('after')])))
})

test('start: waits for the writer of a FIFO, for more data, and for the end', async (t) => {
  const [before = '', after = ''] = files(t, 'before', 'after')
  const path = fifo(t)
  const child = startMain(t, [before, path, after])
  // By now the FIFO, which is next, is being opened. It has no writer yet.
  t.is((await printed(child, 6)).toString(), 'before')
  // Both ends, because this opens without waiting for a reader.
  const fd = openSync(path, constants.O_RDWR)
  for (const text of ['one', 'another']) {
    writeSync(fd, text)
    t.is((await printed(child, text.length)).toString(), text)
  }
  closeSync(fd)
  const { code, stdout, stderr } = await outcome(child)
  t.deepEqual([code, stdout.toString(), stderr], [0, 'after', ''])
})

test('start: prints a pipe on standard input', async (t) => {
  const { code, stdout, stderr } = await outcome(startShell(t, 'echo piped | "$@"', ['/dev/stdin']))
  t.deepEqual([code, stdout.toString(), stderr], [0, 'piped\n', ''])
})

test('start: prints files of /proc, which have no size, completely', async (t) => {
  const paths = ['/proc/version', '/proc/filesystems', '/proc/cmdline']
  const { code, stdout, stderr } = await outcome(startMain(t, paths))
  t.is(stderr, '')
  t.is(code, 0)
  t.is(stdout.toString(), paths.map((path) => readFileSync(path, 'utf8')).join(''))
})

// Failures

test('start: reports a missing file as node:fs would, and prints the others', async (t) => {
  const [first = '', second = ''] = files(t, 'first\n', 'second\n')
  const missing = join(directory(t), 'no such file')
  const { code, stdout, stderr } = await outcome(startMain(t, [missing, first, missing, second]))
  const line = `ENOENT: no such file or directory, open '${missing}'\n`
  t.is(stderr, line + line)
  t.throws(() => readFileSync(missing), { message: line.trim() })
  t.is(stdout.toString(), 'first\nsecond\n')
  t.is(code, 1)
})

test('start: reports a directory by its name, and prints the others', async (t) => {
  const [file = ''] = files(t, 'content\n')
  const parent = directory(t)
  const { code, stdout, stderr } = await outcome(startMain(t, [parent, file]))
  t.is(stderr, `EISDIR: illegal operation on a directory, read '${parent}'\n`)
  t.is(stdout.toString(), 'content\n')
  t.is(code, 1)
})

test('start: keeps errors and output in order if both go to one file', async (t) => {
  const [first = '', second = ''] = files(t, 'first\n', 'second\n')
  const { stdout } = await outcome(
    startShell(t, 'exec "$@" 2>&1', [first, '/missing', second, '/missing too']),
  )
  t.deepEqual(stdout.toString().split('\n'), [
    'first',
    "ENOENT: no such file or directory, open '/missing'",
    'second',
    "ENOENT: no such file or directory, open '/missing too'",
    '',
  ])
})

test('start: refuses to print the file that it writes to', async (t) => {
  const [path = '', other = ''] = files(t, 'content\n', 'other\n')
  const { code, stderr } = await outcome(startShell(t, `"$@" >> '${path}'`, [path, other]))
  t.is(stderr, `${path}: input file is output file\n`)
  t.is(readFileSync(path, 'utf8'), 'content\nother\n')
  t.is(code, 1)
})

test('start: reports a full disk and ends', async (t) => {
  const fd = openSync('/dev/full', 'w')
  t.teardown(() => closeSync(fd))
  const stdio: StdioOptions = ['ignore', fd, 'pipe']
  const { code, stderr } = await outcome(startMain(t, files(t, 'one', 'two'), { stdio }))
  t.is(stderr, 'ENOSPC: no space left on device, write\n')
  t.is(code, 1)
})

test('start: says why io_uring is not available', async (t) => {
  const env = { NAPI_RS_NATIVE_LIBRARY_PATH: '/no such binding' }
  const { code, stdout, stderr } = await outcome(startMain(t, files(t, 'content'), { env }))
  t.regex(stderr, /^io_uring is not available: .+\n$/)
  t.is(stdout.length, 0)
  t.is(code, 1)
})

// Readers and signals

test('start: ends silently when its reader goes away', async (t) => {
  const [path = ''] = files(t, 'start')
  truncateSync(path, 1024 * MIB)
  // Node.js gives its children sockets, the shell gives them pipes. A FIFO without a writer must not keep it waiting.
  const viaSocket = startMain(t, [path, fifo(t)])
  viaSocket.stdout?.once('data', () => viaSocket.stdout?.destroy())
  const [{ code }, stderr] = await Promise.all([ended(viaSocket), everything(viaSocket, 2)])
  t.deepEqual([code, stderr.toString()], [0, ''])

  const viaPipe = startShell(t, '{ "$@"; echo "exit code $?" >&2; } | head -c 5', [path, fifo(t)])
  const { stdout, stderr: reported } = await outcome(viaPipe)
  t.deepEqual([stdout.toString(), reported], ['start', 'exit code 0\n'])
})

test('start: waits for a full pipe, even if standard output is non-blocking', async (t) => {
  const content = randomBytes(3 * MIB)
  // Node.js makes a pipe non-blocking at the first access to process.stdout.
  const look =
    'import{readFileSync,writeSync}from"node:fs";process.stdout;' +
    'writeSync(2,/flags:.*/.exec(readFileSync("/proc/self/fdinfo/1","utf8"))[0])'
  const child = startShell(t, '"$@" | cat', files(t, content), {
    flags: [`--import=data:text/javascript,${encodeURIComponent(look)}`],
  })
  const { stdout, stderr } = await outcome(child)
  const flags = /^flags:\s+([0-7]+)$/.exec(stderr)?.[1]
  t.truthy(Number.parseInt(flags ?? '', 8) & constants.O_NONBLOCK, stderr)
  t.is(sha256(stdout), sha256(content))
})

test('start: ends at an interrupt in the middle of a wait', async (t) => {
  const path = fifo(t)
  const child = startMain(t, [path])
  const fd = openSync(path, constants.O_RDWR)
  t.teardown(() => closeSync(fd))
  writeSync(fd, 'now it waits')
  await printed(child, 12)
  child.kill('SIGINT')
  const { code, signal, stderr } = await outcome(child)
  t.deepEqual([code, signal, stderr], [null, 'SIGINT', ''])
})

// The tour

test('tour: shows the kernel, a chain, a timeout and a race, and leaves no files behind', async (t) => {
  const TMPDIR = directory(t)
  const { code, stdout, stderr } = await outcome(startMain(t, [], { env: { TMPDIR } }))
  const text = stdout.toString()
  t.is(stderr, '')
  t.is(code, 0)
  t.deepEqual(readdirSync(TMPDIR), [])

  t.true(text.includes(release()))
  t.regex(text, /setup flags .*\bSUBMIT_ALL\b/)
  t.regex(text, /features .*\bNODROP\b/)
  t.regex(text, /operations [\s\S]*\bOpenAt\b[\s\S]*\bWritev\b[\s\S]*not supported/)
  t.regex(
    text,
    /userData 'write', result (\d+), flags 0\n.*'fsync', result 0, flags 0\n.*'read', result \1, flags 0\n/,
  )
  t.regex(text, /'expired' .* result -62 /)
  const row = (name: string): RegExp => new RegExp(String.raw`^ +${name} +\d+\.\d\d +\d+\.\d\d$`, 'm')
  t.regex(text, /^ +fs\.readSync +\d+\.\d\d +1\.00$/m)
  t.regex(text, row('FileHandle.read, one in flight'))
  t.regex(text, row('the ring, batches of 1'))
  t.regex(text, row('the ring, batches of 32'))
  t.regex(text, row('await ring.run, 32 in flight'))
})

test('tour: prints the start of the README', async (t) => {
  const { stdout } = await outcome(startMain(t, [], { env: { TMPDIR: directory(t) } }))
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  t.true(stdout.toString().includes(`through the ring\n\n${readme.split('\n').slice(0, 12).join('\n')}\n`))
})

test('tour: ends silently when its reader goes away, and leaves no files behind', async (t) => {
  const TMPDIR = directory(t)
  const child = startMain(t, [], { env: { TMPDIR } })
  child.stdout?.on('data', (chunk: Buffer) => {
    if (chunk.includes('A timeout')) child.stdout?.destroy()
  })
  const [{ code }, stderr] = await Promise.all([ended(child), everything(child, 2)])
  t.deepEqual([code, stderr.toString(), readdirSync(TMPDIR)], [0, '', []])
})
