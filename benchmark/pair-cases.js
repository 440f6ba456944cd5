// The cases that pair.js measures. It loads this module twice, once for each build.

import { BLOCK, FILE } from './cached.js'

/** Runs until a time of performance.now(), and returns how many operations that were. @typedef {(end: number) => number | Promise<number>} Case */

/** Batches, or awaited operations, between two readings of the clock. */
const STRIDE = 32

/**
 * @param {typeof import('uring')} uring
 * @param {string} name `nop`, `entry` or `read` in batches, `run-nop` or `run-read` awaited
 * @param {number} count the size of a batch, or the operations in flight
 * @param {number} fd
 * @returns {Case}
 */
export function makeCase({ Nop, Read, Ring }, name, count, fd) {
  const buffers = Array.from({ length: count }, () => Buffer.alloc(BLOCK))
  let offset = 0
  const nextOffset = () => {
    offset = (offset + BLOCK) % FILE
    return offset
  }

  /** @param {number} index */
  const read = (index) => new Read(fd, /** @type {Buffer} */ (buffers[index]), { offset: nextOffset() })

  if (name === 'run-nop' || name === 'run-read') {
    const ring = new Ring()
    return awaited(name === 'run-nop' ? () => ring.run(new Nop()) : (index) => ring.run(read(index)), count)
  }

  const ring = new Ring({ entries: 256 })
  if (name === 'nop') {
    return batches(ring, count, () => {
      for (let index = 0; index < count; index += 1) ring.push(new Nop(), index)
    })
  }
  if (name === 'entry') {
    const entry = new Nop().build()
    return batches(ring, count, () => {
      for (let index = 0; index < count; index += 1) ring.push(entry, index)
    })
  }
  return batches(ring, count, () => {
    for (let index = 0; index < count; index += 1) ring.push(read(index), index)
  })
}

/**
 * @param {import('uring').Ring} ring
 * @param {number} count
 * @param {() => void} push
 * @returns {Case}
 */
function batches(ring, count, push) {
  let failed = 0
  return (end) => {
    let operations = 0
    do {
      for (let round = 0; round < STRIDE; round += 1) {
        push()
        ring.submitAndWait(count)
        ring.drain((_, result) => {
          if (result < 0) failed += 1
        })
      }
      operations += count * STRIDE
    } while (performance.now() < end)
    if (failed > 0) throw new Error(`${failed} operations failed`)
    return operations
  }
}

/**
 * @param {(index: number) => Promise<unknown>} one
 * @param {number} count
 * @returns {Case}
 */
function awaited(one, count) {
  return async (end) => {
    let operations = 0
    const loop = async (/** @type {number} */ index) => {
      do {
        for (let round = 0; round < STRIDE; round += 1) await one(index)
        operations += STRIDE
      } while (performance.now() < end)
    }
    await Promise.all(Array.from({ length: count }, (_, index) => loop(index)))
    return operations
  }
}
