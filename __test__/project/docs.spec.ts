// Documents that are made from the code are what it makes now.

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import test from 'ava'
import { operationTable } from 'uring/native'
import { operationsDocument } from '../../scripts/docs.js'
import { script } from '../helpers/process.ts'

const OPERATIONS = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')

test('docs/operations.md is fresh (npm run docs makes it anew)', (t) => {
  t.is(OPERATIONS, operationsDocument())
})

test('docs/operations.md has a line for every row of the table, with nothing left out', (t) => {
  const lines = OPERATIONS.split('\n').filter((line) => line.startsWith('| `'))
  const rows = operationTable()
  t.is(lines.length, rows.length)
  for (const { name, opcode, since, man } of rows) {
    const line = lines.find((text) => text.startsWith(`| \`${name}\` |`))
    const [, , number, version, call, result, manual] = (line ?? '').split(/ ?(?<!\\)\| ?/)
    t.deepEqual([number, version, manual], [String(opcode), since, man], name)
    t.truthy(call, `${name}: arguments`)
    t.truthy(result, `${name}: result`)
  }
})

const DOCUMENTS = readdirSync(new URL('../../docs/', import.meta.url))

const SPECS = new URL('../operations/', import.meta.url)

test('every operation has a test that names it', (t) => {
  const specs = readdirSync(SPECS, { encoding: 'utf8', recursive: true })
    .filter((name) => name.endsWith('.spec.ts'))
    .map((name) => readFileSync(new URL(name, SPECS), 'utf8'))
  for (const { name } of operationTable()) {
    // The title starts with the class, or with a variable that runs over several classes.
    const written = new RegExp(
      `^ *test(?:\\.serial)?\\(\\s*['"\`](?:\\w+(?:, | and ))*${name}(?:(?:, | and )\\w+)*: `,
      'm',
    )
    const filledIn = /^ *test(?:\.serial)?\(\s*`\$\{\w+(?:\.name)?\}: /m
    const found = specs.some(
      (text) => written.test(text) || (filledIn.test(text) && text.includes(`new ${name}(`)),
    )
    t.true(found, `${name}: a title that starts with "${name}: "`)
  }
})

/** What a link to a heading ends with. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-')
}

for (const name of ['README.md', ...DOCUMENTS.map((document) => `docs/${document}`)]) {
  test(`${name}: its links lead somewhere`, (t) => {
    const file = new URL(`../../${name}`, import.meta.url)
    const prose = readFileSync(file, 'utf8').replaceAll(/```[^]*?```/g, '')
    for (const [, link = ''] of prose.matchAll(/\]\(([^)]*)\)/g)) {
      const target = new URL(link, file)
      if (target.protocol !== 'file:') continue
      t.true(existsSync(target), link)
      if (target.hash === '') continue
      const headings = readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm)
      t.true(Array.from(headings, ([, heading = '']) => `#${anchorOf(heading)}`).includes(target.hash), link)
    }
    t.pass()
  })
}

for (const name of DOCUMENTS) {
  const text = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
  const examples = [...text.matchAll(/```ts\n((?:(?!```)[^])*)```\s+It prints ([^.]*)\./g)]
  test(`docs/${name}: each of its examples is tried`, (t) => {
    t.is(examples.length, [...text.matchAll(/```ts\n/g)].length)
  })
  for (const [index, [, source = '', lines = '']] of examples.entries()) {
    // Examples share a file.
    test.serial(`docs/${name}: example ${index + 1} prints what is said`, async (t) => {
      t.teardown(() => rmSync('/tmp/uring-registered', { force: true }))
      const promised = [...lines.matchAll(/`(.*?)`/g)].map(([, line]) => line)
      const outcome = await script(source)
      t.deepEqual(outcome, { code: 0, signal: null, stdout: `${promised.join('\n')}\n`, stderr: '' })
    })
  }
}
