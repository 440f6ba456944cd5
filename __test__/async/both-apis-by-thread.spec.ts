// The same, woken by a thread.

import '../helpers/by-thread.ts'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { Nop, Ring } from 'uring'
import './both-apis.spec.ts'
import './messages.spec.ts'

test('it is a thread that wakes the event loop here', async (t) => {
  const ring = new Ring({ entries: 4 })
  await ring.run(new Nop())
  const names = readdirSync('/proc/self/task').map((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim()
    } catch {
      return 'gone'
    }
  })
  t.true(names.includes('uring-waker'))
  await ring.close()
})
