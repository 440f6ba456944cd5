// The kernel's worker threads (io-wq): their processors, and their maximum number.

import { readFileSync } from 'node:fs'
import { integer, invalidType, invalidValue, MAX_I32 } from '../arguments/validate.ts'
import {
  IORING_REGISTER_IOWQ_AFF,
  IORING_REGISTER_IOWQ_MAX_WORKERS,
  IORING_UNREGISTER_IOWQ_AFF,
} from '../flags/registrations.ts'
import type { Registration } from './context.ts'
import { accepted } from './kernel-errors.ts'

/** The maximum numbers of workers. */
export interface MaxWorkers {
  /** For work of bounded duration: files and block devices. */
  readonly bounded: number
  /** For work of any duration: sockets, pipes, terminals. */
  readonly unbounded: number
}

/** The highest processor that a kernel can be built for. */
const MAX_CPU = 8191

/** Returns the highest processor of this machine: the kernel ignores those beyond without an error. */
function lastCpu(): number {
  try {
    const last = /(\d+)\s*$/.exec(readFileSync('/sys/devices/system/cpu/possible', 'utf8'))?.[1]
    return last === undefined ? MAX_CPU : Number(last)
  } catch {
    return MAX_CPU // sysfs is not mounted
  }
}

/** Binds the workers to processors. */
export function registerAffinity(registration: Registration, cpus: readonly number[]): void {
  if (!Array.isArray(cpus)) throw invalidType('cpus', 'an instance of Array', cpus)
  const last = lastCpu()
  const numbers = Array.from(cpus, (cpu, index) => integer(cpu, `cpus[${index}]`, 0, last))
  if (numbers.length === 0) {
    throw invalidValue('cpus', cpus, 'must name a processor; unregisterIowqAffinity() allows all again')
  }
  const bits = new Uint8Array((last >> 3) + 1)
  for (const cpu of numbers) bits[cpu >> 3] = (bits[cpu >> 3] ?? 0) | (1 << (cpu & 7))
  accepted(
    registration.call(IORING_REGISTER_IOWQ_AFF, bits, bits.byteLength),
    'Ring.registerIowqAffinity()',
    '5.14',
  )
}

/** Lets the workers run on every processor of the thread. */
export function unregisterAffinity(registration: Registration): void {
  accepted(registration.call(IORING_UNREGISTER_IOWQ_AFF, null, 0), 'Ring.unregisterIowqAffinity()', '5.14')
}

/** Limits the number of workers, and returns the limits before. */
export function registerMaxWorkers(
  registration: Registration,
  bounded: number,
  unbounded: number,
): MaxWorkers {
  const counts = Uint32Array.of(
    integer(bounded, 'bounded', 0, MAX_I32),
    integer(unbounded, 'unbounded', 0, MAX_I32),
  )
  const bytes = new Uint8Array(counts.buffer)
  accepted(
    registration.call(IORING_REGISTER_IOWQ_MAX_WORKERS, bytes, counts.length),
    'Ring.registerIowqMaxWorkers()',
    '5.15',
  )
  const [oldBounded = 0, oldUnbounded = 0] = counts // the kernel has replaced them
  return { bounded: oldBounded, unbounded: oldUnbounded }
}
