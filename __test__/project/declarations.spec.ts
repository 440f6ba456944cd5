// Every public declaration has a doc comment.

import test from 'ava'
import { declarationText, exportsOf } from './declared.ts'

/** Members that are documented elsewhere: the statics of an operation at `Operation`, a status at `fs.Stats`. */
const DOCUMENTED_ELSEWHERE = [/\.static readonly (opcode|since|syscall)\b/, / StatsBase\./, /\.constructor\(/]

/** Returns the declarations without a comment, and the members without one, of those whose names are public. */
function undocumented(text: string, isPublic: (name: string) => boolean): string[] {
  const lines = text.split('\n')
  const found: string[] = []
  let owner = ''
  for (const [index, line] of lines.entries()) {
    const documented = lines[index - 1]?.trimEnd().endsWith('*/') === true
    const [, keyword = '', name = ''] =
      /^(?:export (?:declare )?(?:abstract )?|declare abstract )(class|interface|function|type|const) (\w+)/.exec(
        line,
      ) ?? []
    if (keyword !== '') {
      owner = (keyword === 'class' || keyword === 'interface') && isPublic(name) ? name : ''
      if (isPublic(name) && !documented) found.push(name)
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
  test(`${module}: documents every export and each of its members`, (t) => {
    const exported = exportsOf(module)
    t.true(exported.size > 50)
    // The kernel's constants have its names, and one comment for each group.
    const isConstant = (name: string, file: string): boolean =>
      /^(flags|sys)\//.test(file) && /^(__)?[A-Z]+_/.test(name)
    const bare = [...new Set(exported.values())].flatMap((file) =>
      undocumented(
        declarationText(file),
        (name) => exported.get(name) === file && !isConstant(name, file),
      ).map((name) => `${file} ${name}`),
    )
    t.deepEqual(
      bare.filter((name) => !DOCUMENTED_ELSEWHERE.some((pattern) => pattern.test(name))),
      [],
    )
  })
}

test('undocumented: finds declarations and members without a comment', (t) => {
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
