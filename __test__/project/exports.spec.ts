// The entry points of the package export every name that exports.json lists. New names are free: a release lists them.

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

/** Expects that each of the listed names is there. */
function noneIsLost(t: ExecutionContext, names: readonly string[], listed: readonly string[]): void {
  t.true(listed.length > 0)
  t.deepEqual(
    listed.filter((name) => !names.includes(name)),
    [],
  )
}

const FACADES = [
  { name: 'uring', module: uring, declarations: 'index.d.ts' },
  { name: 'uring/sys', module: sys, declarations: 'sys.d.ts' },
] as const

for (const { name, module, declarations } of FACADES) {
  test(`${name}: exports the values that are listed`, (t) => {
    noneIsLost(t, Object.keys(module), LISTED[name].values)
  })

  test(`${name}: declares the types that are listed, and each value`, (t) => {
    const declared = [...exportsOf(declarations).keys()]
    noneIsLost(t, declared, LISTED[name].types)
    noneIsLost(t, declared, Object.keys(module))
  })
}

// The loader is CommonJS: imported, it would have names that Node.js adds.
const native = createRequire(import.meta.url)('uring/native') as Record<string, unknown>

test('uring/native: exports the values that are listed', (t) => {
  noneIsLost(t, Object.keys(native), LISTED['uring/native'].values)
})

test('uring/native: declares the types that are listed', (t) => {
  const declared = Array.from(
    readFileSync(BINDING, 'utf8').matchAll(
      /^export (?:declare )?(?:class|interface|function|type|const) (\w+)/gm,
    ),
    ([, name = '']) => name,
  )
  noneIsLost(t, declared, LISTED['uring/native'].types)
})

test('exports.json: names are sorted, and none is listed twice', (t) => {
  for (const [name, { values, types }] of Object.entries(LISTED)) {
    for (const names of [values, types]) t.deepEqual(names, [...new Set(names)].toSorted(), name)
  }
})
