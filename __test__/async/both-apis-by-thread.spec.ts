// Runs the specs of both APIs and of messages with the waiter thread instead of libuv.

import '../helpers/by-thread.ts'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { Nop, Ring } from 'uring'
import './both-apis-delivery.spec.ts'
import './both-apis.spec.ts'
import './messages.spec.ts'

test('waiter thread: runs with URING_WAKER=thread', async (t) => {
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
