// `uring doctor`, run in processes of its own: its text, its JSON and its exit status.

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { Ring, support, type UnavailableReason } from 'uring'
import { type Outcome, run } from '../helpers/process.ts'
import { canBeUnprivileged, runWithoutRings, seccompLauncher, unprivileged } from '../helpers/restricted.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const CLI = join(root, 'dist/cli.js')
const MANIFEST = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string
  bin: Record<string, string>
}
/** Makes a process believe that it runs in Kubernetes, so that a test does not depend on where it runs. */
const IN_KUBERNETES = { KUBERNETES_SERVICE_HOST: '10.0.0.1' }

interface Report {
  works: boolean
  available: boolean
  reason?: UnavailableReason
  explanation?: string
  errno?: number
  advice?: string
  remedies?: Record<string, string>
  limitations: string[]
  failure?: { code: string; message: string }
  limits: { memlock: number | null; memlockBinds: boolean; files: number | null }
  [other: string]: unknown
}

function doctor(...options: string[]): Promise<Outcome> {
  return run(process.execPath, [CLI, 'doctor', ...options])
}

/** Returns the report from the JSON on standard output; checks that there was no other output. */
function parsed(t: ExecutionContext, { code, stdout, stderr }: Outcome): Report {
  t.is(stderr, '')
  const report = JSON.parse(stdout) as Report
  t.is(code, report.works ? 0 : 1)
  return report
}

test('doctor: prints the verdict first, and then the facts', async (t) => {
  const { code, stdout, stderr } = await doctor()
  t.is(stderr, '')
  t.is(code, 0)
  t.regex(stdout, /^io_uring works here(\.|, with limitations\.)\n\n/)
  using ring = new Ring()
  const { operations } = support()
  for (const [label, text] of [
    ['uring', `${MANIFEST.version}, linux-${process.arch}`],
    ['runtime', `Node.js ${process.versions.node}`],
    ['kernel', release()],
    ['default ring', `${ring.entries} submission and ${ring.cqEntries} completion entries, `],
    ['mode', ''],
    ['waker', 'uv_poll, in the event loop'],
    ['features', 'SINGLE_MMAP NODROP '],
    ['operations', `${operations.length} of `],
    ['locked memory', ''],
    ['open files', `${support().limits.files}`],
    ['cgroup', 'memory '],
    ['seccomp', ''],
  ]) {
    t.true(stdout.includes(`\n  ${label?.padEnd(14)}${text}`), label)
  }
  t.false(stdout.includes('What to do') && !stdout.includes('with limitations'))
  t.is(stripVTControlCharacters(stdout), stdout, 'no colours without a terminal')
})

test('doctor: --json prints the result of support() and of its test', async (t) => {
  const report = parsed(t, await doctor('--json'))
  const plain = JSON.parse(JSON.stringify(support())) as Record<string, unknown>
  t.like(report, plain)
  using ring = new Ring()
  t.like(report, {
    works: true,
    version: MANIFEST.version,
    runtime: `Node.js ${process.versions.node}`,
    platform: `linux-${process.arch}`,
    waker: 'uv_poll',
    defaultRing: { entries: ring.entries, cqEntries: ring.cqEntries, setupFlags: ring.setupFlags },
  })
  t.is(report.failure, undefined)
  const shape = Object.fromEntries(
    Object.entries(report).map(([key, value]) => [key, Array.isArray(value) ? 'array' : typeof value]),
  )
  t.deepEqual(shape, {
    works: 'boolean',
    available: 'boolean',
    kernel: 'string',
    operations: 'array',
    features: 'number',
    limits: 'object',
    limitations: 'array',
    version: 'string',
    featureNames: 'array',
    missing: 'array',
    cgroup: 'object',
    seccompFilter: 'boolean',
    runtime: 'string',
    platform: 'string',
    place: 'string',
    defaultRing: 'object',
    waker: 'string',
    ...(report.limitations.length > 0 && { remedies: 'object' }),
  })
  const names = (report.missing as { name: string; since: string }[]).map(({ name }) => name)
  t.deepEqual(
    names.filter((name) => (report.operations as string[]).includes(name)),
    [],
  )
})

test('doctor: names the waiter thread if URING_WAKER=thread is set', async (t) => {
  const outcome = await run(process.execPath, [CLI, 'doctor', '--json'], { URING_WAKER: 'thread' })
  t.like(parsed(t, outcome), { works: true, waker: 'thread' })
})

for (const [words, complaint] of [
  [[], 'missing command'],
  [['patient'], "unknown command 'patient'"],
  [['--jason'], "unknown option '--jason'"],
  [['doctor', '--jason'], "unknown option '--jason'"],
  [['doctor', 'nurse'], "unexpected argument 'nurse'"],
] as const) {
  test(`uring: names wrong usage and exits with 2: uring ${words.join(' ')}`, async (t) => {
    const { code, stdout, stderr } = await run(process.execPath, [CLI, ...words])
    t.is(code, 2)
    t.is(stdout, '')
    t.true(stderr.startsWith(`uring: ${complaint}\nusage: uring doctor [--json]\n`), stderr)
  })
}

test('uring: prints --help and --version on standard output', async (t) => {
  for (const words of [['--help'], ['doctor', '-h', '--json']]) {
    const { code, stdout, stderr } = await run(process.execPath, [CLI, ...words])
    t.deepEqual([code, stderr], [0, ''])
    t.regex(stdout, /^usage: uring doctor \[--json\]\n[^]*exit status: 0 .*1 .*2 /)
  }
  for (const word of ['--version', '-v']) {
    const outcome = await run(process.execPath, [CLI, word])
    t.deepEqual(outcome, { code: 0, signal: null, stdout: `${MANIFEST.version}\n`, stderr: '' })
  }
})

test('uring: ignores a reader that closes the pipe', async (t) => {
  for (const words of [['doctor'], ['patient']]) {
    const child = spawn(process.execPath, [CLI, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stdout.destroy()
    if (words[0] === 'patient') child.stderr.destroy()
    else child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text))
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    t.deepEqual([code, signal, stderr], [words[0] === 'patient' ? 2 : 0, null, ''])
  }
})

test('doctor: prints colours on terminals only, and not if NO_COLOR is set', async (t) => {
  if (spawnSync('script', ['-qec', 'true', '/dev/null']).status !== 0) {
    t.log('script(1), which provides a terminal, is not installed')
    t.pass()
    return
  }
  const shown = async (env: NodeJS.ProcessEnv): Promise<string> => {
    const command = `'${process.execPath}' '${CLI}' doctor`
    const terminal = { TERM: 'xterm', NO_COLOR: '', ...env }
    return (await run('script', ['-qec', command, '/dev/null'], terminal)).stdout
  }
  const coloured = await shown({})
  t.regex(stripVTControlCharacters(coloured), /^io_uring works here/)
  t.not(stripVTControlCharacters(coloured), coloured)
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
    const text = await shown(env)
    t.regex(text, /^io_uring works here/)
    t.is(stripVTControlCharacters(text), text)
  }
})

for (const [name, errno, reason, words] of [
  ['a seccomp filter', 1, 'seccomp', 'A seccomp filter forbids io_uring'],
  ['a security module', 13, 'lsm', 'A security module, such as SELinux, forbids io_uring'],
  ['another error', 99, 'other', 'EADDRNOTAVAIL: address not available'],
] as const) {
  test.serial(`doctor: explains why rings cannot be created and exits with 1: ${name}`, async (t) => {
    const [{ code, stdout, stderr }, json] = await Promise.all([
      runWithoutRings(errno, [CLI, 'doctor']),
      runWithoutRings(errno, [CLI, 'doctor', '--json']),
    ])
    t.deepEqual([code, stderr], [1, ''])
    t.true(stdout.startsWith(`io_uring is not available here.\n${words}`), stdout)
    t.regex(stdout, new RegExp(`\n  errno {9}-${errno}\n`))
    t.regex(stdout, /\n {2}seccomp {7}a filter is active\n/)
    t.regex(stdout, /\n\nWhat to do\n {2}\w/)

    const report = parsed(t, json)
    t.like(report, { works: false, available: false, reason, errno: -errno, operations: [] })
    t.is(report.defaultRing, undefined)
    const snippets = Object.values(report.remedies ?? {})
    t.is(snippets.length > 0, reason !== 'other')
    for (const line of snippets.join('\n').split('\n')) t.true(stdout.includes(`    ${line}`), line)
  })
}

test.serial('doctor: prints the advice for its environment first', async (t) => {
  const [elsewhere, { stdout }] = await Promise.all([
    runWithoutRings(1, [CLI, 'doctor']),
    runWithoutRings(1, [CLI, 'doctor'], IN_KUBERNETES),
  ])
  const headings = (text: string): string[] =>
    [...text.matchAll(/^ {2}(Shell|systemd|Docker|Kubernetes):$/gm)].map(([, heading = '']) => heading)
  t.is(headings(stdout)[0], 'Kubernetes')
  t.deepEqual(headings(stdout).toSorted(), ['Docker', 'Kubernetes', 'systemd'])
  t.deepEqual(headings(stdout).toSorted(), headings(elsewhere.stdout).toSorted())
  t.deepEqual(stdout.split('\n\n').slice(0, 2), elsewhere.stdout.split('\n\n').slice(0, 2))
})

test.serial('doctor: prints commands that create the seccomp profile', async (t) => {
  const { remedies } = parsed(t, await runWithoutRings(1, [CLI, 'doctor', '--json']))
  if (spawnSync('jq', ['--version']).status !== 0) {
    t.log('jq(1) is not installed')
    t.pass()
    return
  }
  const directory = mkdtempSync(join(tmpdir(), 'uring-doctor-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const profile =
    '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}'
  const commands = (remedies?.docker ?? '').replace(/curl \S+ \S+/, `echo '${profile}'`)
  const filter = commands.slice(0, commands.indexOf('docker run'))
  execFileSync('/bin/sh', ['-ec', filter], { cwd: directory })
  const made = JSON.parse(readFileSync(join(directory, 'io-uring.json'), 'utf8')) as { syscalls: unknown[] }
  t.deepEqual(made.syscalls, [
    { names: ['read'], action: 'SCMP_ACT_ALLOW' },
    { names: ['io_uring_setup', 'io_uring_enter', 'io_uring_register'], action: 'SCMP_ACT_ALLOW' },
  ])
})

/** Runs Node.js with these values of the sysctls, and with io_uring_setup(2) failing with EPERM. */
function switchedOff(value: string, args: readonly string[], group = '-1'): Promise<Outcome> {
  const show = (name: string, text: string): string =>
    `file="$(mktemp)"; printf %s '${text}' > "$file"; chmod 644 "$file"; mount --bind "$file" /proc/sys/kernel/${name}; rm "$file"`
  const source = `${show('io_uring_disabled', value)}; ${show('io_uring_group', group)}; exec "$@"`
  const program = [seccompLauncher(), '1', process.execPath, ...args]
  return run('unshare', ['--mount', '/bin/sh', '-ec', source, 'sh', ...program])
}

test.serial(
  'doctor: distinguishes the sysctl from a filter, and finds out if it applies to the process',
  async (t) => {
    const probe = await switchedOff('2', ['--version'])
    if (probe.code !== 0) {
      t.log(`the sysctl cannot be replaced here: ${probe.stderr}`)
      t.pass()
      return
    }
    const disabled = parsed(t, await switchedOff('2', [CLI, 'doctor', '--json']))
    t.like(disabled, {
      reason: 'sysctl',
      explanation: 'io_uring is disabled for all processes (kernel.io_uring_disabled = 2)',
      errno: -1,
    })
    t.regex(disabled.remedies?.shell ?? '', /sysctl -w kernel\.io_uring_disabled=0\n[^]*\/etc\/sysctl\.d\//)

    // With 1, the superuser and the group may create rings, so the EPERM comes from a filter.
    t.is(parsed(t, await switchedOff('1', [CLI, 'doctor', '--json'])).reason, 'seccomp')
    const become = (groups: string): string =>
      `data:text/javascript,process.setgroups([${groups}]); process.setgid(12345); process.setuid(12345)`
    const args = (groups: string): string[] => ['--import', become(groups), CLI, 'doctor', '--json']
    if (!(await canBeUnprivileged(t))) return
    const outsider = parsed(t, await switchedOff('1', args('')))
    t.is(outsider.reason, 'sysctl')
    t.regex(outsider.explanation ?? '', /neither have CAP_SYS_ADMIN nor are in the group of .* \(-?\d+\)$/)
    t.regex(outsider.remedies?.shell ?? '', /kernel\.io_uring_group=/)
    t.is(parsed(t, await switchedOff('1', args('54321'), '54322')).reason, 'sysctl')
    t.is(parsed(t, await switchedOff('1', args('54321'), '54321')).reason, 'seccomp')
    t.is(parsed(t, await switchedOff('1', args(''), '12345')).reason, 'seccomp', 'the group that it runs as')
    t.is(parsed(t, await switchedOff('0', args(''))).reason, 'seccomp')
  },
)

/** Returns the largest number of rings that a thread of the runtime creates at its start: libuv creates some since Node.js 22. */
function ownRings(t: ExecutionContext): number {
  const directory = mkdtempSync(join(tmpdir(), 'uring-doctor-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const options = ['-ff', '-o', join(directory, 'thread'), '-e', 'trace=io_uring_setup']
  const outcome = spawnSync('strace', [...options, process.execPath, '-e', '0'])
  t.is(outcome.status, 0)
  const calls = (file: string): number =>
    readFileSync(join(directory, file), 'utf8').match(/^io_uring_setup\(/gm)?.length ?? 0
  return Math.max(...readdirSync(directory).map(calls))
}

/** Runs the doctor with a system call that fails, by strace(1); `undefined` if that is not possible here. */
async function traced(
  t: ExecutionContext,
  call: string,
  error: string,
  ...more: readonly string[]
): Promise<Outcome | undefined> {
  const options = [
    ...more,
    '-f',
    '-o',
    '/dev/null',
    '-e',
    `trace=${call},io_uring_setup`,
    '-e',
    `inject=${call}:error=${error}`,
  ]
  const probe = spawnSync('strace', [...options, 'true'])
  if (/^Seccomp:\s*2$/m.test(readFileSync('/proc/self/status', 'utf8'))) {
    t.log('all programs have a seccomp filter here')
    t.pass()
    return undefined
  }
  if (probe.status !== 0) {
    t.log('strace(1) cannot make system calls fail here')
    t.pass()
    return undefined
  }
  // libuv works without rings if it cannot create them, but aborts if it cannot use them.
  const own = call === 'io_uring_setup' ? 0 : ownRings(t)
  if (own > 0) options.push('-e', `inject=io_uring_setup:error=ENOSYS:when=1..${own}`)
  return run('strace', [...options, process.execPath, CLI, 'doctor', '--json'])
}

for (const [error, reason, explanation] of [
  ['EPERM', 'lsm', /^a security module or a sandbox forbids io_uring: neither .* nor a seccomp filter does$/],
  ['ENOSYS', 'kernel', /^the kernel .* has no io_uring, or a sandbox hides it$/],
] as const) {
  test(`doctor: does not blame a filter if there is none: ${error}`, async (t) => {
    const outcome = await traced(t, 'io_uring_setup', error)
    if (outcome === undefined) return
    const report = parsed(t, outcome)
    t.like(report, { works: false, available: false, reason, seccompFilter: false })
    t.regex(report.explanation ?? '', explanation)
  })
}

for (const call of ['io_uring_enter', 'io_uring_register'] as const) {
  test(`doctor: reports that io_uring does not work if rings cannot be used: ${call}`, async (t) => {
    const outcome = await traced(t, call, 'EPERM')
    if (outcome === undefined) return
    const report = parsed(t, outcome)
    t.like(report, {
      works: false,
      available: true,
      failure: { code: 'EPERM', message: `EPERM: operation not permitted, ${call}` },
    })
  })
}

test('doctor: prints how to change a filter that allows creating rings, but not using them', async (t) => {
  // With --seccomp-bpf, strace installs a seccomp filter.
  const outcome = await traced(t, 'io_uring_enter', 'EPERM', '--seccomp-bpf')
  if (outcome === undefined) return
  const report = parsed(t, outcome)
  t.like(report, { works: false, available: true, seccompFilter: true, failure: { code: 'EPERM' } })
  t.regex(report.advice ?? '', /a profile that allows io_uring_setup, io_uring_enter and io_uring_register/)
  t.regex(report.remedies?.docker ?? '', /--security-opt seccomp=/)
})

test('doctor: prints limitations with 64 KiB of locked memory', async (t) => {
  if (!(await canBeUnprivileged(t))) {
    t.pass()
    return
  }
  const [text, json] = await Promise.all([
    unprivileged(64, [CLI, 'doctor']),
    unprivileged(64, [CLI, 'doctor', '--json']),
  ])
  t.deepEqual([text.code, text.stderr], [0, ''])
  t.regex(text.stdout, /^io_uring works here, with limitations\.\n/)
  t.regex(text.stdout, /\n {2}locked memory 64 KiB\n/)
  t.regex(text.stdout, /\n\nLimitations\n {2}The processes of this user together may lock 65536 bytes/)
  t.regex(text.stdout, /\n\nWhat to do\n[^]*\n {4}LimitMEMLOCK=64M\n/)
  t.like(parsed(t, json), { works: true, limits: { memlock: 65536, memlockBinds: true } })
})

test('doctor: reports that io_uring does not work if only a small ring can be created', async (t) => {
  if (!(await canBeUnprivileged(t))) {
    t.pass()
    return
  }
  const report = parsed(t, await unprivileged(16, [CLI, 'doctor', '--json']))
  if (report.works) {
    t.log('this kernel does not count rings as locked memory')
    return
  }
  t.like(report, { available: true, failure: { code: 'ENOMEM' }, defaultRing: undefined })
  t.regex(report.limitations[0] ?? '', /cannot be created; rings with fewer entries can$/)
  t.regex(report.remedies?.systemd ?? '', /LimitMEMLOCK=/)
  const { code, stdout } = await unprivileged(16, [CLI, 'doctor'])
  t.is(code, 1)
  t.regex(stdout, /^io_uring does not work here\.\nRings can be created, but .*: ENOMEM: not/)
})

/** Installs the published files of the package into a directory, with a link to its command, as npm does. */
function installed(t: ExecutionContext): { link: string; binding: string } {
  const directory = mkdtempSync(join(tmpdir(), 'uring-doctor-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [{ files } = { files: [] }] = JSON.parse(packed) as { files: { path: string }[] }[]
  const target = join(directory, 'node_modules/uring')
  for (const { path } of files) cpSync(join(root, path), join(target, path))
  const link = join(directory, 'node_modules/.bin/uring')
  mkdirSync(join(directory, 'node_modules/.bin'))
  symlinkSync(join('..', 'uring', MANIFEST.bin.uring ?? ''), link)
  chmodSync(link, 0o755)
  return { link, binding: join(target, 'binding') }
}

test('doctor: runs through its installed link, and reports a missing or broken binary', async (t) => {
  const { link, binding } = installed(t)
  const elsewhere = (...options: string[]): Promise<Outcome> =>
    run('/bin/sh', ['-c', 'cd / && exec "$@"', 'sh', link, ...options])
  t.is((await elsewhere('--version')).stdout, `${MANIFEST.version}\n`)

  const missing = parsed(t, await elsewhere('doctor', '--json'))
  t.like(missing, { works: false, available: false, reason: 'binary', errno: undefined })
  t.regex(missing.explanation ?? '', /^the package has no binary for linux-/)
  t.regex(missing.remedies?.shell ?? '', /npm install --include=optional/)

  const name = readdirSync(join(root, 'binding')).find((file) => file.endsWith('.node')) ?? 'none'
  writeFileSync(join(binding, name), 'no library')
  const broken = parsed(t, await elsewhere('doctor', '--json'))
  t.is(broken.reason, 'binary')
  t.regex(broken.explanation ?? '', /^the binary for linux-\w+ does not load: .*\.node: /)

  cpSync(join(root, 'binding', name), join(binding, name))
  t.like(parsed(t, await elsewhere('doctor', '--json')), { works: true })
})

test('doctor: reports a platform other than Linux', async (t) => {
  const outcome = await run(process.execPath, [
    '--import',
    "data:text/javascript,Object.defineProperty(process, 'platform', { value: 'sunos' })",
    CLI,
    'doctor',
  ])
  t.deepEqual([outcome.code, outcome.stderr], [1, ''])
  t.regex(
    outcome.stdout,
    /^io_uring is not available here\.\nio_uring is part of Linux, and this is sunos\.\n/,
  )
})

test('docs/troubleshooting.md: lists every reason, and the remedies of the doctor', async (t) => {
  const document = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8')
  const reasons: Record<UnavailableReason, true> = {
    platform: true,
    binary: true,
    kernel: true,
    sysctl: true,
    seccomp: true,
    lsm: true,
    memlock: true,
    memory: true,
    files: true,
    other: true,
  }
  for (const reason of Object.keys(reasons)) t.regex(document, new RegExp(`^\\| \`${reason}\` \\|`, 'm'))
  const remedies = await import('../../ts/system/remedies.ts')
  for (const group of [remedies.SYSCTL, remedies.SECCOMP, remedies.MEMLOCK]) {
    for (const snippet of Object.values(group)) t.true(document.includes(`\n${snippet}\n`), snippet)
  }
})
