// The kernel's worker threads: where they run, and how many there may be.

import { readFileSync } from 'node:fs'
import { integer, invalidType, invalidValue, MAX_I32 } from '../arguments/validate.ts'
import { accepted } from './kernel-errors.ts'
import type { Registration } from './context.ts'

const REGISTER_IOWQ_AFF = 17
const UNREGISTER_IOWQ_AFF = 18
const REGISTER_IOWQ_MAX_WORKERS = 19

/** How many workers there may be. */
export interface MaxWorkers {
  /** For what ends by itself: files and devices. */
  readonly bounded: number
  /** For what may take any time: sockets, pipes, terminals. */
  readonly unbounded: number
}

/** What a kernel can be built for. */
const MAX_CPU = 8191

/** The highest processor that there may be. The kernel passes over those beyond without a word. */
function lastCpu(): number {
  try {
    const last = /(\d+)\s*$/.exec(readFileSync('/sys/devices/system/cpu/possible', 'utf8'))?.[1]
    return last === undefined ? MAX_CPU : Number(last)
  } catch {
    return MAX_CPU // no such file here
  }
}

export function registerAffinity(registration: Registration, cpus: readonly number[]): void {
  if (!Array.isArray(cpus)) throw invalidType('cpus', 'an instance of Array', cpus)
  const last = lastCpu()
  const numbers = Array.from(cpus, (cpu, index) => integer(cpu, `cpus[${index}]`, 0, last))
  if (numbers.length === 0) {
    throw invalidValue('cpus', cpus, 'must name a processor; unregisterIowqAffinity() allows all again')
  }
  const bits = new Uint8Array((last >> 3) + 1)
  for (const cpu of numbers) bits[cpu >> 3] = (bits[cpu >> 3] ?? 0) | (1 << (cpu & 7))
  accepted(registration.call(REGISTER_IOWQ_AFF, bits, bits.byteLength), 'Ring.registerIowqAffinity()', '5.14')
}

export function unregisterAffinity(registration: Registration): void {
  accepted(registration.call(UNREGISTER_IOWQ_AFF, null, 0), 'Ring.unregisterIowqAffinity()', '5.14')
}

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
    registration.call(REGISTER_IOWQ_MAX_WORKERS, bytes, counts.length),
    'Ring.registerIowqMaxWorkers()',
    '5.15',
  )
  const [before = 0, unboundedBefore = 0] = counts
  return { bounded: before, unbounded: unboundedBefore }
}
