// The exports of the package's entry points are those that exports.json lists: none is lost or added unnoticed.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import test, { type ExecutionContext } from 'ava'
import * as uring from 'uring'
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

function sameNames(t: ExecutionContext, actual: readonly string[], listed: readonly string[]): void {
  const lost = listed.filter((name) => !actual.includes(name))
  const added = actual.filter((name) => !listed.includes(name))
  t.deepEqual({ lost, added }, { lost: [], added: [] })
}

const FACADES = [
  { name: 'uring', module: uring, declarations: 'index.d.ts' },
  { name: 'uring/sys', module: sys, declarations: 'sys.d.ts' },
] as const

for (const { name, module, declarations } of FACADES) {
  test(`${name}: exports the values that are listed`, (t) => {
    sameNames(t, Object.keys(module), LISTED[name].values)
  })

  test(`${name}: declares the types that are listed, and each value`, (t) => {
    const declared = [...exportsOf(declarations).keys()]
    const values = Object.keys(module)
    sameNames(
      t,
      declared.filter((type) => !values.includes(type)),
      LISTED[name].types,
    )
    t.deepEqual(
      values.filter((value) => !declared.includes(value)),
      [],
    )
  })
}

// The loader is CommonJS: its exports, as a module sees them, have Node.js's own names in between.
const native = createRequire(import.meta.url)('uring/native') as Record<string, unknown>

test('uring/native: exports the values that are listed', (t) => {
  sameNames(t, Object.keys(native), LISTED['uring/native'].values)
})

test('uring/native: declares the types that are listed', (t) => {
  const declared = Array.from(
    readFileSync(BINDING, 'utf8').matchAll(
      /^export (?:declare )?(?:class|interface|function|type|const) (\w+)/gm,
    ),
    ([, name = '']) => name,
  )
  const types = new Set(declared.filter((name) => !(name in native)))
  sameNames(t, [...types], LISTED['uring/native'].types)
})

test('exports.json: names are sorted, and none is listed twice', (t) => {
  for (const [name, { values, types }] of Object.entries(LISTED)) {
    for (const names of [values, types]) t.deepEqual(names, [...new Set(names)].toSorted(), name)
  }
})
