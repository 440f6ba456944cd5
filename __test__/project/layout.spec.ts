// The layout rules of docs/architecture.md: folders and files stay small, imports run downward, comments are plain.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const TOP_FILES = 10
const FOLDER_ENTRIES = 26
const FILE_LINES = 450

/** Files that are data, of any length: the operation table and the kernel's constants. */
const TABLES =
  /^(crates\/core\/src\/(table|sys\/constants)\.rs|ts\/flags\/[\w-]+\.ts|ts\/sys\/(entries|rings)\.ts)$/

/** Returns the paths of all files in a folder and those below it, relative to the root. */
function filesIn(folder: string, suffix: string): string[] {
  return readdirSync(join(ROOT, folder), { encoding: 'utf8', recursive: true })
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(folder, name))
    .toSorted()
}

function foldersIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { encoding: 'utf8', recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => statSync(join(ROOT, path)).isDirectory())
}

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

const TYPESCRIPT = filesIn('ts', '.ts')
const RUST = readdirSync(join(ROOT, 'crates')).flatMap((crate) => filesIn(`crates/${crate}/src`, '.rs'))
const SOURCES = [...TYPESCRIPT, ...RUST]

/** Returns "path:line: text" of the lines of all sources that match. */
function linesThatMatch(pattern: RegExp): string[] {
  return SOURCES.flatMap((path) =>
    textOf(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  )
}

// Sizes

test(`layout: ts/ has at most ${TOP_FILES} files at its top`, (t) => {
  const files = readdirSync(join(ROOT, 'ts')).filter((name) => name.endsWith('.ts'))
  t.true(files.length <= TOP_FILES, files.join(', '))
})

test(`layout: no folder below ts/ has more than ${FOLDER_ENTRIES} entries`, (t) => {
  const large = foldersIn('ts').filter((path) => readdirSync(join(ROOT, path)).length > FOLDER_ENTRIES)
  t.deepEqual(large, [])
})

test(`layout: no source file has more than ${FILE_LINES} lines`, (t) => {
  const long = SOURCES.filter((path) => !TABLES.test(path))
    .map((path) => ({ path, lines: textOf(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > FILE_LINES)
    .map(({ path, lines }) => `${path}: ${lines}`)
  t.deepEqual(long, [])
})

// Imports

interface Import {
  readonly from: string
  readonly to: string
  /** The imported or re-exported values; `*` for all of them. */
  readonly values: readonly string[]
}

/** Returns the imports and re-exports of a module; those of types only have no values. */
function importsOf(from: string): Import[] {
  const statements = textOf(from).matchAll(
    /^(?:import|export) (type )?(?:(\{[^}]*\}|\*)(?: as \w+)? from )?'(\.[^']*)'/gm,
  )
  return Array.from(statements, ([, type, names = '*', path = '']) => {
    const listed = names.replaceAll(/[{}]/g, '').split(',')
    const values = listed
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type '))
    return { from, to: join(dirname(from), path), values: type === undefined ? values : [] }
  })
}

const VALUE_IMPORTS = TYPESCRIPT.flatMap(importsOf).filter(({ values }) => values.length > 0)

function isIn(folders: readonly string[], path: string): boolean {
  return folders.some((folder) => path.startsWith(`ts/${folder}/`))
}

function written({ from, to, values }: Import): string {
  return `${from} imports ${values.join(', ')} from ${to}`
}

/** The lowest floor. It may use the modules of a runtime beside it, too. */
const FLOOR = ['structs', 'arguments', 'memory', 'flags', 'entry']
const BESIDE_THE_FLOOR = /^ts\/(system\/\w+|errors|binding)\.ts$/

test('layout: every module below ts/ is found, with its imports', (t) => {
  t.true(VALUE_IMPORTS.length > 200)
  for (const { to } of VALUE_IMPORTS) t.true(existsSync(join(ROOT, to)), to)
})

test('layout: operations/ and registered/ import nothing but types from ring/ and async/', (t) => {
  const upward = VALUE_IMPORTS.filter(
    ({ from, to }) => isIn(['operations', 'registered'], from) && isIn(['ring', 'async'], to),
  )
  t.deepEqual(upward.map(written), [])
})

test(`layout: ${FLOOR.join('/, ')}/ import no values from above`, (t) => {
  const upward = VALUE_IMPORTS.filter(
    ({ from, to }) => isIn(FLOOR, from) && !isIn(FLOOR, to) && !BESIDE_THE_FLOOR.test(to),
  )
  // An entry made of bare bytes behaves as an operation class does that says nothing else.
  const allowed = 'ts/entry/entry.ts imports DEFAULT_BEHAVIOR from ts/operations/base/operation-class.ts'
  t.deepEqual(
    upward.map(written).filter((line) => line !== allowed),
    [],
  )
})

// Words

test('layout: no comment begins with "What", "Whether" or "Whoever"', (t) => {
  t.deepEqual(linesThatMatch(/^\s*(\/\/|\*|\/\*\*|\/\/\/|\/\/!) ?(What|Whether|Whoever|Where nobody)\b/), [])
})

test('layout: no line says "nobody", "whoever", "whosever" or "is told"', (t) => {
  t.deepEqual(linesThatMatch(/\b(nobody|whoever|whosever|is told)\b/i), [])
})

test('layout: no public parameter is named "given"', (t) => {
  const found = filesIn('dist', '.d.ts').filter((path) => /[(,]\s*given\??:/.test(textOf(path)))
  t.deepEqual(found, [])
})

// Specs

test('layout: each family of operations has its cases beside its specs', (t) => {
  const families = readdirSync(join(ROOT, '__test__/operations'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'base')
    .map(({ name }) => name)
  t.true(families.length > 20)
  t.deepEqual(
    families.filter((name) => !existsSync(join(ROOT, `__test__/operations/${name}/cases.ts`))),
    [],
  )
})
