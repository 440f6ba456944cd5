// The slot table by itself: tokens that outlive millions of submissions.

import test from 'ava'
import { Nop } from 'uring'
import { generationOf, slotOf, type Slot, Slots, tokenOf } from '../../ts/ring/submissions.ts'

const subject = Nop as never
const MAX_GENERATION = 2 ** 31 - 1

function find(slots: Slots, token: number): Slot | undefined {
  return slots.find(slotOf(token), generationOf(token))
}

test('a token that is a million generations old finds nothing', (t) => {
  const slots = new Slots()
  const first = slots.acquire(subject, undefined, 'old', 0)
  const old = tokenOf(first)
  t.is(find(slots, old), first)
  slots.release(first)
  const start = first.generation
  while (first.generation < start + 1_000_000) {
    const slot = slots.acquire(subject, undefined, undefined, 0)
    if (find(slots, old) !== undefined) return t.fail()
    slots.release(slot)
  }
  t.pass()
})

test('free slots are used in turn', (t) => {
  const slots = new Slots()
  const seen = new Set<number>()
  for (let index = 0; index < 50; index += 1) {
    const slot = slots.acquire(subject, undefined, undefined, 0)
    seen.add(slot.index)
    slots.release(slot)
  }
  t.is(seen.size, 50)
})

test('a slot whose generations are used up is retired', (t) => {
  const slots = new Slots()
  const used: Slot[] = []
  // All that there are at first, at the end of their generations.
  for (let index = 0; index < 63; index += 1) used.push(slots.acquire(subject, undefined, undefined, 0))
  for (const slot of used) slot.generation = MAX_GENERATION
  const last = tokenOf(used[0] as Slot)
  t.true(Number.isSafeInteger(last))
  t.is(find(slots, last), used[0])
  for (const slot of used) slots.release(slot)
  for (let index = 0; index < 1000; index += 1) {
    const slot = slots.acquire(subject, undefined, undefined, 0)
    t.false(used.includes(slot))
    t.true(slot.generation <= MAX_GENERATION)
    slots.release(slot)
  }
  t.is(find(slots, last), undefined)
})

test('the table grows, and keeps what is in it', (t) => {
  const slots = new Slots()
  const all = Array.from({ length: 5000 }, (_, index) => slots.acquire(subject, { index }, index, index % 2))
  t.is(new Set(all.map(({ index }) => index)).size, 5000)
  t.is(slots.many, 2500)
  for (const [index, slot] of all.entries()) t.is(find(slots, tokenOf(slot))?.userData, index)
  for (const slot of all) slots.release(slot)
  t.is(slots.many, 0)
  t.true(
    all.every((slot) => slot.state === undefined && slot.userData === undefined && slot.kind === undefined),
  )
})
