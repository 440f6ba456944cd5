// The examples and the facts of the README.

import { readFileSync, rmSync } from 'node:fs'
import test from 'ava'
import { script } from '../helpers/process.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

test.serial('README: its examples print what it says', async (t) => {
  const examples = [...README.matchAll(/```ts\n([\s\S]*?)```\s+It prints ([^:]*)/g)]
  t.is(examples.length, 2)
  t.teardown(() => rmSync('/tmp/uring-readme', { force: true }))
  for (const [, source = '', sentence = ''] of examples) {
    const promised = [...sentence.matchAll(/`(.*?)`/g)].map(([, line]) => line)
    const outcome = await script(source)
    t.deepEqual(outcome, { code: 0, signal: null, stdout: `${promised.join('\n')}\n`, stderr: '' })
    t.is(readFileSync('/tmp/uring-readme', 'utf8'), 'hello')
  }
})

test('README: links to all operations', (t) => {
  t.true(README.includes('(docs/operations.md)'))
})
