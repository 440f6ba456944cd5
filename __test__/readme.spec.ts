// What the README shows runs as written.

import { readFileSync, rmSync } from 'node:fs'
import test from 'ava'
import { script } from './helpers/process.ts'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('the ten lines print what the README says', async (t) => {
  const [, source] = /```ts\n([\s\S]*?)```/.exec(README) ?? []
  t.truthy(source)
  const outcome = await script(source ?? '')
  t.teardown(() => rmSync('/tmp/uring-readme', { force: true }))
  const promised = [...(/It prints `(.*?)` and `(.*?)`/.exec(README) ?? [])].slice(1)
  t.deepEqual(outcome, { code: 0, signal: null, stdout: `${promised.join('\n')}\n`, stderr: '' })
  t.is(readFileSync('/tmp/uring-readme', 'utf8'), 'hello')
})

test('the operations that it names are those that there are', async (t) => {
  const { operationTable } = await import('uring/native')
  const status = README.slice(README.indexOf('## Status'))
  for (const { name } of operationTable()) t.regex(status, new RegExp(`\`${name}\``))
})
