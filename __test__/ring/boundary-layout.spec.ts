// The numbers of the native boundary are the same in TypeScript and in Rust.

import test from 'ava'
import { boundaryLayout } from 'uring/native'
import { AREA, KEEP, STATUS, STATUS_WORDS } from '../../ts/ring/boundary.ts'

test('boundary: both sides have the same numbers', (t) => {
  t.deepEqual(boundaryLayout(), {
    status: { ...STATUS },
    statusWords: STATUS_WORDS,
    area: { ...AREA },
    keep: { ...KEEP },
  })
})
