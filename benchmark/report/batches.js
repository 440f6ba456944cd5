// Batches that are pushed and waited for together, beside the same loop in Rust.

import { LOOP, median, NATIVE, perOperation } from '../measure.js'

/** The loops, and at which size of a batch a ratio is promised. */
const CASES = [
  { name: 'nop', reference: 'nop', title: 'no-op, typed', promised: new Map([[128, 0.65]]) },
  { name: 'entry', reference: 'nop', title: 'no-op, built entry', promised: new Map([[128, 0.75]]) },
  { name: 'read', reference: 'read', title: '4 KiB read, typed', promised: new Map([[32, 0.9]]) },
]
const BATCHES = [1, 8, 32, 128]

/** @param {import('../options.js').Options} options */
export async function reportBatches({ milliseconds, rounds }) {
  process.stdout.write('case                  batch   native    uring   ratio   promised\n')
  for (const { name, reference, title, promised } of CASES) {
    for (const batch of BATCHES) {
      /** @type {number[]} */
      const theirs = []
      /** @type {number[]} */
      const ours = []
      for (let round = 0; round < rounds; round += 1) {
        theirs.push((await perOperation([NATIVE, reference, String(batch)], milliseconds)).time)
        ours.push((await perOperation([process.execPath, LOOP, name, String(batch)], milliseconds)).time)
      }
      const ratio = median(theirs) / median(ours)
      const promise = promised.get(batch)
      const verdict =
        promise === undefined ? '' : `${promise.toFixed(2)} ${ratio >= promise ? 'kept' : 'MISSED'}`
      process.stdout.write(
        `${title.padEnd(20)} ${String(batch).padStart(6)} ${median(theirs).toFixed(0).padStart(8)} ` +
          `${median(ours).toFixed(0).padStart(8)} ${ratio.toFixed(2).padStart(7)}   ${verdict}`.trimEnd() +
          '\n',
      )
    }
  }
}
