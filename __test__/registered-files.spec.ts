// Files that are registered with a ring.

import test from 'ava'
import { Read, Ring } from 'uring'
import { done } from './helpers/completions.ts'
import { file } from './helpers/files.ts'

test('registered files are read by their slots', (t) => {
  using ring = new Ring({ entries: 4 })
  using table = ring.registerFiles([-1, file(t, 'content').fd])
  const bytes = Buffer.alloc(7)
  t.is(done(ring, new Read(table.at(1), bytes)).value, 7)
  t.is(bytes.toString(), 'content')
})
