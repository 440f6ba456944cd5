// Documents: generated ones are up to date, links lead somewhere, examples print what is said.

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import test from 'ava'
import { operationTable } from 'uring/native'
import { operationsDocument } from '../../scripts/docs.js'
import { script } from '../helpers/process.ts'

const OPERATIONS = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')

test('docs/operations.md: is up to date (run npm run docs)', (t) => {
  t.is(OPERATIONS, operationsDocument())
})

test('docs/operations.md: has a complete line for every row of the operation table', (t) => {
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

test('specs: every operation has a test that names it', (t) => {
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

/** Returns the fragment of a link to a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-')
}

const LINKING = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']

for (const name of [...LINKING, ...DOCUMENTS.map((document) => `docs/${document}`)]) {
  test(`${name}: links to files and headings that exist`, (t) => {
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

for (const name of ['CONTRIBUTING.md', 'docs/architecture.md']) {
  test(`${name}: names source files that exist`, (t) => {
    const text = readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
    const paths = Array.from(text.matchAll(/`((?:ts|crates|__test__)\/[\w./-]+)`/g), ([, path = '']) => path)
    t.true(paths.length > 5)
    t.deepEqual(
      paths.filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url))),
      [],
    )
  })
}

for (const name of DOCUMENTS) {
  const text = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
  const examples = [...text.matchAll(/```ts\n((?:(?!```)[^])*)```\s+It prints ([^.]*)\./g)]
  test(`docs/${name}: says what each example prints`, (t) => {
    t.is(examples.length, [...text.matchAll(/```ts\n/g)].length)
  })
  for (const [index, [, source = '', lines = '']] of examples.entries()) {
    // Serial, because examples share a file.
    test.serial(`docs/${name}: example ${index + 1} prints what it says`, async (t) => {
      t.teardown(() => rmSync('/tmp/uring-registered', { force: true }))
      const promised = [...lines.matchAll(/`(.*?)`/g)].map(([, line]) => line)
      const outcome = await script(source)
      t.deepEqual(outcome, { code: 0, signal: null, stdout: `${promised.join('\n')}\n`, stderr: '' })
    })
  }
}
