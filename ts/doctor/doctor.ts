// What the command line finds out: support(), and whether a ring as everybody gets it does what it should.

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

/** A failure, as it is shown. */
export interface Failure {
  readonly code: string
  readonly message: string
}

/** What the default ring is. */
export interface DefaultRing {
  readonly entries: number
  readonly cqEntries: number
  /** `SetupFlags`. */
  readonly setupFlags: number
  readonly setupFlagNames: readonly string[]
  /** Bytes of memory that it takes. */
  readonly bytes: number
}

/** Everything that there is to know. */
export interface Report extends Support {
  /** Whether io_uring can be used here: a default ring was made, and an operation on it has completed. */
  readonly works: boolean
  /** What did not work. */
  readonly failure?: Failure
  /** The version of this package. */
  readonly version: string
  /** Without one, the default ring could not be made. */
  readonly defaultRing?: DefaultRing
  readonly featureNames: readonly string[]
  /** Operations of this package that the kernel does not have. */
  readonly missing: readonly { readonly name: string; readonly since: string }[]
  /** Limits of the cgroup. */
  readonly cgroup: { readonly memory: number; readonly tasks: number }
  /** Whether a seccomp filter is at work on this process. */
  readonly seccompFilter: boolean
  readonly runtime: string
  readonly platform: string
  /** How completions wake the event loop. */
  readonly waker?: 'uv_poll' | 'thread'
  /** Where this process seems to run. */
  readonly place: Place
}

/** The version of this package. */
export function packageVersion(): string {
  const { version } = createRequire(import.meta.url)('#package') as { version: string }
  return version
}

/** Looks at everything, and tries it. */
export async function examine(): Promise<Report> {
  const said = support()
  const common = {
    version: packageVersion(),
    featureNames: namesOf(Features, said.features),
    missing: [],
    cgroup: { memory: memoryLimit(), tasks: taskLimit() },
    seccompFilter: isFiltered(),
    runtime: runtime(),
    platform: `${process.platform}-${process.arch}`,
    place: place(),
  }
  if (!said.available) return { works: false, ...said, ...common }
  const has = new Set(said.operations)
  const missing = binding()
    .operationTable()
    .filter(({ name }) => !has.has(name))
    .map(({ name, since }) => ({ name, since }))
  const { works, ...tried } = await tryDefault()
  return { works, ...said, ...common, missing, ...tried, ...remedies(tried) }
}

type Trial = Pick<Report, 'works' | 'failure' | 'defaultRing' | 'waker'>

/** Makes a ring as everybody gets it, and waits for an operation that completes later. */
async function tryDefault(): Promise<Trial> {
  let made: Pick<Report, 'defaultRing' | 'waker'> = {}
  try {
    const ring = new Ring()
    try {
      const { entries, cqEntries, setupFlags } = ring
      const setupFlagNames = namesOf(SetupFlags, setupFlags)
      const bytes = ringBytes(ringSetup({}))
      made = { defaultRing: { entries, cqEntries, setupFlags, setupFlagNames, bytes }, waker: wakerOf() }
      ring.submit() // says at once if the calls are forbidden
      await completes(ring)
      return { ...made, works: true }
    } finally {
      ring[Symbol.dispose]()
    }
  } catch (error) {
    return { ...made, works: false, failure: failureOf(error) }
  }
}

/** Milliseconds that a timeout of one may take, on a machine that is busy. */
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

/** Asks the binding for the waker that rings ask for. */
function wakerOf(): 'uv_poll' | 'thread' {
  if (WAKES_BY_THREAD) return 'thread'
  const ring = binding().Ring.create(ringSetup({ entries: 1 }))
  if (typeof ring === 'number') return 'uv_poll' // there is no room for a second ring: the other is for where there is no libuv
  const { ENOSYS } = constants.errno
  const answer = ring.startWaker(() => {}, false)
  ring.close()
  return answer === -ENOSYS ? 'thread' : 'uv_poll'
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: 'ERR_UNKNOWN', message: String(error) }
  const { code } = error as NodeJS.ErrnoException
  return { code: code ?? error.name, message: error.message }
}

/** A filter may let rings be made, and nothing be done with them. */
function remedies({ failure }: Omit<Trial, 'works'>): Pick<Report, 'advice' | 'remedies'> {
  return failure?.code === 'EPERM' && isFiltered() ? { advice: SECCOMP_ADVICE, remedies: SECCOMP } : {}
}

function namesOf(flags: Readonly<Record<string, number>>, mask: number): string[] {
  return Object.entries(flags)
    .filter(([, bit]) => (mask & bit) !== 0)
    .map(([name]) => name)
}
