// What the README shows runs as written.

import { readFileSync, rmSync } from 'node:fs'
import test from 'ava'
import { script } from '../helpers/process.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

test.serial('the examples print what the README says', async (t) => {
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

test('the operations that it names are those that there are', async (t) => {
  const { operationTable } = await import('uring/native')
  const status = README.slice(README.indexOf('## Status'))
  for (const { name } of operationTable()) t.regex(status, new RegExp(`\`${name}\``))
})
