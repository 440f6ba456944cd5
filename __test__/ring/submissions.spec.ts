// Tests the submission table on its own: tokens, generations and growth.

import test from 'ava'
import { Nop } from 'uring'
import { generationOf, indexOf, tokenOf } from '../../ts/entry/token.ts'
import { type Submission, SubmissionTable } from '../../ts/ring/submissions.ts'

const subject = Nop as never
const MAX_GENERATION = 2 ** 31 - 1

function find(submissions: SubmissionTable, token: number): Submission | undefined {
  return submissions.find(indexOf(token), generationOf(token))
}

test('SubmissionTable: a token that is a million generations old matches nothing', (t) => {
  const submissions = new SubmissionTable()
  const first = submissions.acquire(subject, undefined, 'old', 0)
  const old = tokenOf(first)
  t.is(find(submissions, old), first)
  submissions.release(first)
  const start = first.generation
  while (first.generation < start + 1_000_000) {
    const submission = submissions.acquire(subject, undefined, undefined, 0)
    if (find(submissions, old) !== undefined) return t.fail()
    submissions.release(submission)
  }
  t.pass()
})

test('SubmissionTable: uses free submissions in turn', (t) => {
  const submissions = new SubmissionTable()
  const seen = new Set<number>()
  for (let index = 0; index < 50; index += 1) {
    const submission = submissions.acquire(subject, undefined, undefined, 0)
    seen.add(submission.index)
    submissions.release(submission)
  }
  t.is(seen.size, 50)
})

test('SubmissionTable: retires a submission whose generations are used up', (t) => {
  const submissions = new SubmissionTable()
  const used: Submission[] = []
  // Acquires every submission of the initial table and sets it to its last generation.
  for (let index = 0; index < 63; index += 1) used.push(submissions.acquire(subject, undefined, undefined, 0))
  for (const submission of used) submission.generation = MAX_GENERATION
  const last = tokenOf(used[0] as Submission)
  t.true(Number.isSafeInteger(last))
  t.is(find(submissions, last), used[0])
  for (const submission of used) submissions.release(submission)
  for (let index = 0; index < 1000; index += 1) {
    const submission = submissions.acquire(subject, undefined, undefined, 0)
    t.false(used.includes(submission))
    t.true(submission.generation <= MAX_GENERATION)
    submissions.release(submission)
  }
  t.is(find(submissions, last), undefined)
})

test('SubmissionTable: keeps its submissions when it grows', (t) => {
  const submissions = new SubmissionTable()
  const all = Array.from({ length: 5000 }, (_, index) =>
    submissions.acquire(subject, { index }, index, index % 2),
  )
  t.is(new Set(all.map(({ index }) => index)).size, 5000)
  t.is(submissions.multishots, 2500)
  for (const [index, submission] of all.entries())
    t.is(find(submissions, tokenOf(submission))?.userData, index)
  for (const submission of all) submissions.release(submission)
  t.is(submissions.multishots, 0)
  t.true(
    all.every(
      (submission) =>
        submission.state === undefined &&
        submission.userData === undefined &&
        submission.operationClass === undefined,
    ),
  )
})
