// Nop and its options.

import test from 'ava'
import { FixedFile, Nop, Ring } from 'uring'
import { file } from '../../helpers/files.ts'

test('Nop: completes as its options say', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t)
  for (const [options, result] of [
    [undefined, 0],
    [{ result: 42 }, 42],
    [{ result: -5 }, -5],
    [{ result: 0 }, 0],
    [{ file: fd }, 0],
    [{ file: 987_654 }, -9],
    [{ file: new FixedFile(3) }, -9],
    [{ fixedBuffer: 3 }, -14],
    [{ fixedBuffer: { index: 3 } }, -14],
    [{ taskWork: true, result: 6 }, 6],
  ] as const) {
    ring.push(new Nop(options))
    t.is(ring.wait()?.result, result, JSON.stringify(options))
  }
})
