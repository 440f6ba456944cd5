// The declarations that users read say what everything is.

import { readFileSync } from 'node:fs'
import test from 'ava'

const DIST = new URL('../../dist/', import.meta.url)

/** What is told elsewhere: the statics of each operation at `Operation`, and a status at `fs.Stats`. */
const TOLD = [/\.static readonly (opcode|since|syscall)\b/, / StatsBase\./, /\.constructor\(/]

/** The names that a module exports, by the file that declares them; `*` for all of a file. */
function exported(module: string): Map<string, Set<string>> {
  const files = new Map<string, Set<string>>()
  const text = readFileSync(new URL(module, DIST), 'utf8')
  for (const [, list = '', path = ''] of text.matchAll(
    /^export (?:type )?(\*|\{[^}]*\}) from '\.\/(.*)\.ts';$/gm,
  )) {
    const names = list.replaceAll(/[{},]|\btype\b/g, ' ').split(/\s+/)
    const file = `${path}.d.ts`
    const found = path === 'flags' ? exported(file) : new Map([[file, new Set(names.filter(Boolean))]])
    for (const [key, value] of found) files.set(key, new Set([...(files.get(key) ?? []), ...value]))
  }
  return files
}

/** What has no comment, of the declarations of a file whose names count. */
function undocumented(text: string, counts: (name: string) => boolean): string[] {
  const lines = text.split('\n')
  const found: string[] = []
  let owner = ''
  for (const [index, line] of lines.entries()) {
    const documented = lines[index - 1]?.trimEnd().endsWith('*/') === true
    const [, kind = '', name = ''] =
      /^(?:export (?:declare )?(?:abstract )?|declare abstract )(class|interface|function|type|const) (\w+)/.exec(
        line,
      ) ?? []
    if (kind !== '') {
      owner = (kind === 'class' || kind === 'interface') && counts(name) ? name : ''
      if (counts(name) && !documented) found.push(name)
    } else if (line.startsWith('}')) {
      owner = ''
    } else if (
      owner !== '' &&
      /^ {4}[\w[]/.test(line) &&
      !/^ {4}(private|protected|set) /.test(line) &&
      !documented
    ) {
      found.push(`${owner}.${line.trim()}`)
    }
  }
  return found
}

for (const module of ['index.d.ts', 'sys.d.ts']) {
  test(`everything that ${module} exports has a comment`, (t) => {
    const files = exported(module)
    t.true(files.size > 3)
    const bare = [...files].flatMap(([file, names]) => {
      // The constants of the kernel have its names, and one comment for each kind.
      const isKernel = (name: string): boolean => file.startsWith('sys/') && /^(__)?[A-Z]+_/.test(name)
      return undocumented(
        readFileSync(new URL(file, DIST), 'utf8'),
        (name) => (names.has('*') || names.has(name)) && !isKernel(name),
      ).map((name) => `${file} ${name}`)
    })
    t.deepEqual(
      bare.filter((name) => !TOLD.some((told) => told.test(name))),
      [],
    )
  })
}

test('a comment that is missing is found', (t) => {
  const text = [
    '/** It has one. */',
    'export declare class A {',
    '    /** So has this. */',
    '    readonly one: number;',
    '    two(): void;',
    '}',
    'export declare function three(): void;',
    'export declare function four(): void;',
  ].join('\n')
  t.deepEqual(
    undocumented(text, (name) => name !== 'four'),
    ['A.two(): void;', 'three'],
  )
})
