// The examination of `uring doctor`: the result of support(), and a test of a ring with default options.

import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { binding } from '../binding.ts'
import { WAKES_BY_THREAD } from '../ring/boundary.ts'
import { memoryLimit, type Place, place, runtime, taskLimit } from '../system/environment.ts'
import { UringError } from '../errors.ts'
import { Features, SetupFlags } from '../flags/index.ts'
import { ringBytes } from '../system/memlock.ts'
import { Timeout } from '../operations/timeout.ts'
import { ringSetup } from '../ring/setup.ts'
import { isFiltered } from '../system/proc.ts'
import { SECCOMP, SECCOMP_ADVICE } from '../system/remedies.ts'
import { Ring } from '../ring.ts'
import { type Support, support } from '../system/support.ts'

/** The error of a test that failed. */
interface Failure {
  readonly code: string
  readonly message: string
}

/** The ring that `new Ring()` creates. */
export interface DefaultRing {
  readonly entries: number
  readonly cqEntries: number
  /** `SetupFlags`. */
  readonly setupFlags: number
  readonly setupFlagNames: readonly string[]
  /** Bytes of memory that its queues take. */
  readonly bytes: number
}

/** The report: the result of support(), and more. */
export interface Report extends Support {
  /** True if a default ring was created and an operation on it has completed. */
  readonly works: boolean
  /** The error of the test, if it failed. */
  readonly failure?: Failure
  /** The version of this package. */
  readonly version: string
  /** The default ring; absent if it could not be created. */
  readonly defaultRing?: DefaultRing
  /** The names of the bits in `features`. */
  readonly featureNames: readonly string[]
  /** Operations of this package that the kernel does not support, each with the Linux version that has it. */
  readonly missing: readonly { readonly name: string; readonly since: string }[]
  /** Limits of the cgroup: bytes of memory, and number of tasks. */
  readonly cgroup: { readonly memory: number; readonly tasks: number }
  /** True if this process has a seccomp filter. */
  readonly seccompFilter: boolean
  readonly runtime: string
  readonly platform: string
  /** How completions wake the event loop: through libuv, or by a thread that waits for them. */
  readonly waker?: 'uv_poll' | 'thread'
  /** The environment that this process seems to run in. */
  readonly place: Place
}

/** Returns the version of this package. */
export function packageVersion(): string {
  const { version } = createRequire(import.meta.url)('#package') as { version: string }
  return version
}

/** Examines io_uring on this machine. */
export async function examine(): Promise<Report> {
  const supported = support()
  const common = {
    version: packageVersion(),
    featureNames: namesOf(Features, supported.features),
    missing: [],
    cgroup: { memory: memoryLimit(), tasks: taskLimit() },
    seccompFilter: isFiltered(),
    runtime: runtime(),
    platform: `${process.platform}-${process.arch}`,
    place: place(),
  }
  if (!supported.available) return { works: false, ...supported, ...common }
  const has = new Set(supported.operations)
  const missing = binding()
    .operationTable()
    .filter(({ name }) => !has.has(name))
    .map(({ name, since }) => ({ name, since }))
  const { works, ...tested } = await testDefault()
  return { works, ...supported, ...common, missing, ...tested, ...remedies(tested) }
}

type TestResult = Pick<Report, 'works' | 'failure' | 'defaultRing' | 'waker'>

/** Creates a ring with default options, and awaits an operation that completes later. */
async function testDefault(): Promise<TestResult> {
  let created: Pick<Report, 'defaultRing' | 'waker'> = {}
  try {
    const ring = new Ring()
    try {
      const { entries, cqEntries, setupFlags } = ring
      const setupFlagNames = namesOf(SetupFlags, setupFlags)
      const bytes = ringBytes(ringSetup({}))
      created = { defaultRing: { entries, cqEntries, setupFlags, setupFlagNames, bytes }, waker: wakerOf() }
      ring.submit() // fails at once if the system calls are forbidden
      await completes(ring)
      return { ...created, works: true }
    } finally {
      ring[Symbol.dispose]()
    }
  } catch (error) {
    return { ...created, works: false, failure: failureOf(error) }
  }
}

/** Milliseconds after which a timeout of 1 ms counts as lost; generous, for machines under load. */
const PATIENCE = 10_000

/** Runs an operation whose completion has to wake the event loop. */
async function completes(ring: Ring): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    const message = `a timeout of 1 ms did not complete within ${PATIENCE} ms`
    timer = setTimeout(() => reject(new UringError('ETIMEDOUT', message)), PATIENCE)
  })
  try {
    await Promise.race([ring.run(new Timeout(1)), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Returns the waker that rings use. */
function wakerOf(): 'uv_poll' | 'thread' {
  if (WAKES_BY_THREAD) return 'thread'
  const ring = binding().Ring.create(ringSetup({ entries: 1 }))
  if (typeof ring === 'number') return 'uv_poll' // a second ring is over a limit; uv_poll is the waker wherever libuv is
  const { ENOSYS } = constants.errno
  const result = ring.startWaker(() => {}, false)
  ring.close()
  return result === -ENOSYS ? 'thread' : 'uv_poll'
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: 'ERR_UNKNOWN', message: String(error) }
  const { code } = error as NodeJS.ErrnoException
  return { code: code ?? error.name, message: error.message }
}

/** Returns advice for a seccomp filter that allows creating rings, but not using them. */
function remedies({ failure }: Omit<TestResult, 'works'>): Pick<Report, 'advice' | 'remedies'> {
  return failure?.code === 'EPERM' && isFiltered() ? { advice: SECCOMP_ADVICE, remedies: SECCOMP } : {}
}

function namesOf(flags: Readonly<Record<string, number>>, mask: number): string[] {
  return Object.entries(flags)
    .filter(([, bit]) => (mask & bit) !== 0)
    .map(([name]) => name)
}
