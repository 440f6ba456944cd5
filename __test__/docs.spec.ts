// Documents that are made from the code are what it makes now.

import { readdirSync, readFileSync, rmSync } from 'node:fs'
import test from 'ava'
import { operationTable } from 'uring/native'
import { operationsDocument } from '../scripts/docs.js'
import { script } from './helpers/process.ts'

const OPERATIONS = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8')

test('docs/operations.md is fresh (npm run docs makes it anew)', (t) => {
  t.is(OPERATIONS, operationsDocument())
})

test('docs/operations.md has a line for every row of the table, with nothing left out', (t) => {
  const lines = OPERATIONS.split('\n').filter((line) => line.startsWith('| `'))
  const rows = operationTable()
  t.is(lines.length, rows.length)
  for (const { name, opcode, since, man } of rows) {
    const line = lines.find((text) => text.startsWith(`| \`${name}\` |`))
    const [, , number, version, call, result, manual, tests] = (line ?? '').split(/ ?(?<!\\)\| ?/)
    t.deepEqual([number, version, manual], [String(opcode), since, man], name)
    t.truthy(call, `${name}: arguments`)
    t.truthy(result, `${name}: result`)
    t.regex(tests ?? '', /^\[[\w-]+\.spec\.ts\]\(\.\.\/__test__\/[\w-]+\.spec\.ts\)$/, `${name}: tests`)
  }
})

for (const name of readdirSync(new URL('../docs/', import.meta.url))) {
  const text = readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8')
  for (const [index, [, source = '', lines = '']] of [
    ...text.matchAll(/```ts\n((?:(?!```)[^])*)```\s+It prints ([^.]*)\./g),
  ].entries()) {
    // Examples share a file.
    test.serial(`docs/${name}: example ${index + 1} prints what is said`, async (t) => {
      t.teardown(() => rmSync('/tmp/uring-registered', { force: true }))
      const promised = [...lines.matchAll(/`(.*?)`/g)].map(([, line]) => line)
      const outcome = await script(source)
      t.deepEqual(outcome, { code: 0, signal: null, stdout: `${promised.join('\n')}\n`, stderr: '' })
    })
  }
}
