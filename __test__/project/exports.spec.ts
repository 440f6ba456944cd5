// The entry points of the package export the names that exports.json lists, no fewer and no more. Operations, and the types
// of their options, are free to be added: the operation table lists those.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import test, { type ExecutionContext } from 'ava'
import * as uring from 'uring'
import { operationTable } from 'uring/native'
import * as sys from 'uring/sys'
import { exportsOf } from './declared.ts'

interface Exports {
  readonly values: readonly string[]
  /** Interfaces and type aliases. */
  readonly types: readonly string[]
}

type EntryPoint = 'uring' | 'uring/sys' | 'uring/native'

const LISTED = JSON.parse(readFileSync(new URL('./exports.json', import.meta.url), 'utf8')) as Record<
  EntryPoint,
  Exports
>

const BINDING = new URL('../../binding/index.d.cts', import.meta.url)

const OPERATIONS = new Set(operationTable().map(({ name }) => name))

/** True for an operation and the type of its options, which need no entry in the list. */
function isOfOperation(name: string): boolean {
  return OPERATIONS.has(name.replace(/Options$/, ''))
}

/** Expects the listed names, all of them, and no others but those of operations. */
function areListed(t: ExecutionContext, names: readonly string[], listed: readonly string[]): void {
  t.true(listed.length > 0)
  const known = new Set(listed)
  const unlisted = names.filter((name) => !known.has(name) && !isOfOperation(name))
  t.deepEqual({ lost: listed.filter((name) => !names.includes(name)), unlisted }, { lost: [], unlisted: [] })
}

const FACADES = [
  { name: 'uring', module: uring, declarations: 'index.d.ts' },
  { name: 'uring/sys', module: sys, declarations: 'sys.d.ts' },
] as const

for (const { name, module, declarations } of FACADES) {
  test(`${name}: exports the values that are listed`, (t) => {
    areListed(t, Object.keys(module), LISTED[name].values)
  })

  test(`${name}: declares the types that are listed, and each value`, (t) => {
    const declared = [...exportsOf(declarations).keys()]
    areListed(t, declared, [...LISTED[name].types, ...LISTED[name].values])
  })
}

// The loader is CommonJS: imported, it would have names that Node.js adds.
const native = createRequire(import.meta.url)('uring/native') as Record<string, unknown>

test('uring/native: exports the values that are listed', (t) => {
  areListed(t, Object.keys(native), LISTED['uring/native'].values)
})

test('uring/native: declares the types that are listed', (t) => {
  const declared = Array.from(
    readFileSync(BINDING, 'utf8').matchAll(
      /^export (?:declare )?(?:class|interface|function|type|const) (\w+)/gm,
    ),
    ([, name = '']) => name,
  )
  areListed(t, declared, [...LISTED['uring/native'].types, ...LISTED['uring/native'].values])
})

test('exports.json: names are sorted, and none is listed twice', (t) => {
  for (const [name, { values, types }] of Object.entries(LISTED)) {
    for (const names of [values, types]) t.deepEqual(names, [...new Set(names)].toSorted(), name)
  }
})
