// Everything that the reference systems offer has its counterpart here.

import { readFileSync } from 'node:fs'
import test from 'ava'
import * as uring from 'uring'
import * as sys from 'uring/sys'
import { ANSWERS, PENDING } from './names/answers.ts'

const NAMES = JSON.parse(readFileSync(new URL('names/names.json', import.meta.url), 'utf8')) as Record<
  string,
  string[]
>

function member(of: unknown, name: string): boolean {
  if (typeof of !== 'object' && typeof of !== 'function') return false
  return of !== null && name in of
}

/** Whether something of this name is there: a field of a ring counts, though only instances have it. */
function exists(answer: string, ring: uring.Ring): boolean {
  const [head = '', name] = answer.split('.')
  if (head === 'sys') return member(sys, name ?? '')
  const exported: unknown = (uring as Record<string, unknown>)[head]
  if (exported === undefined || name === undefined) return exported !== undefined
  const made: unknown = head === 'Ring' ? ring : (exported as { prototype?: unknown }).prototype
  return member(exported, name) || member(made, name)
}

for (const [system, names] of Object.entries(NAMES)) {
  test(`every name of ${system} is answered, by something that there is`, (t) => {
    using ring = new uring.Ring({ entries: 1 })
    const answers = ANSWERS[system] ?? {}
    t.deepEqual(Object.keys(answers).toSorted(), names.toSorted())
    for (const [name, answer] of Object.entries(answers)) {
      if (answer !== PENDING) t.true(exists(answer, ring), `${name}: ${answer}`)
    }
  })
}

test('every system is answered', (t) => {
  t.deepEqual(Object.keys(ANSWERS), Object.keys(NAMES))
  using ring = new uring.Ring({ entries: 1 })
  for (const absent of [
    'Raed',
    'Ring.summit',
    'FileTable.upgrade',
    'SqeFlags.LINK',
    'sys.ioUringMagic',
    'Read.upcode',
  ])
    t.false(exists(absent, ring), absent)
})
