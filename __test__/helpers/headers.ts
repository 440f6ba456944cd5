// Reads constants and structs of kernel headers with the C compiler.

import { execFileSync } from 'node:child_process'

export interface HeaderField {
  readonly offset: number
  readonly size: number
}

export interface HeaderStruct {
  readonly size: number
  readonly fields: Record<string, HeaderField>
}

export interface Header {
  readonly constants: Record<string, number | bigint>
  readonly structs: Record<string, HeaderStruct>
}

/** A directory of headers to prefer, such as the result of `make headers_install` of a newer kernel. */
const HEADERS = process.env['KERNEL_HEADERS']
const INCLUDE = HEADERS === undefined ? [] : ['-I', HEADERS]

function cc(args: readonly string[], source: string): string {
  return execFileSync('cc', [...INCLUDE, ...args, '-'], {
    input: source,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 2 ** 26,
  })
}

/** Compiles and runs a program; returns the lines that it prints, split at blanks. */
export function runProgram(directory: string, headers: readonly string[], statements: string): string[][] {
  const program = `${directory}/program`
  const includes = ['stdio.h', 'stddef.h', ...headers].map((name) => `#include <${name}>\n`).join('')
  const print = `#define PRINT(name, x) do { printf("%s ", name); \\
  if ((x) < 0) printf("%lld\\n", (long long)(x)); else printf("%llu\\n", (unsigned long long)(x)); } while (0)\n`
  cc(
    ['-w', '-D_GNU_SOURCE', '-o', program, '-x', 'c'],
    `${includes}${print}int main(void) {\n${statements}\n}\n`,
  )
  const lines = execFileSync(program, { encoding: 'utf8' }).split('\n')
  return lines.filter((line) => line !== '').map((line) => line.split(' '))
}

/** Returns the reason why these headers cannot be read here, or `undefined` if they can. */
export function headersMissing(headers: readonly string[]): string | undefined {
  try {
    cc(['-E', '-x', 'c'], headers.map((name) => `#include <${name}>\n`).join(''))
    return undefined
  } catch {
    return `there is no C compiler with <${headers.join('>, <')}> here`
  }
}

/** Returns the headers that exist here. */
export function present(headers: readonly string[]): string[] {
  return headers.filter((name) => headersMissing([name]) === undefined)
}

/** Returns the names that the compiler does not know; `message` matches its error for a name. */
function unknown(
  header: string,
  names: readonly string[],
  uses: string,
  message: (name: string) => RegExp,
): string[] {
  try {
    const source = `#include <stddef.h>\n#include <${header}>\nvoid f(void) {\n${uses}}\n`
    cc(['-fsyntax-only', '-D_GNU_SOURCE', '-x', 'c'], source)
    return []
  } catch (error) {
    const output = String((error as { stderr?: unknown }).stderr)
    return names.filter((name) => message(name).test(output))
  }
}

/** Returns the members of a struct that the headers of this machine do not have. */
export function unknownMembers(header: string, type: string, members: readonly string[]): string[] {
  const uses = members.map((member) => `(void)sizeof(((${type} *)0)->${member});\n`).join('')
  return unknown(header, members, uses, (member) => new RegExp(`no member named .${member}\\b`))
}

/** Returns the constants that the headers of this machine do not have. */
export function unknownConstants(header: string, names: readonly string[]): string[] {
  const uses = names.map((name) => `(void)(${name});\n`).join('')
  return unknown(header, names, uses, (name) => new RegExp(`.${name}. undeclared`))
}

/** Parses an integer; returns a bigint if a number cannot hold it exactly. */
function value(text: string): number | bigint {
  return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text)
}

/** Returns the preprocessed text of the headers, without the headers that they include. */
function ownText(headers: readonly string[]): string {
  const all = cc(['-E', '-dD', '-x', 'c'], headers.map((name) => `#include <${name}>\n`).join(''))
  let own = false
  const kept: string[] = []
  for (const line of all.split('\n')) {
    const file = /^# \d+ "([^"]*)"/.exec(line)?.[1]
    if (file !== undefined) own = headers.some((name) => file.endsWith(`/${name}`))
    else if (own) kept.push(line)
  }
  return kept.join('\n')
}

/** Returns the names of the macros with a value, and of the members of enumerations. */
function constantNames(text: string): string[] {
  const macros = [...text.matchAll(/^#define (\w+) +\S/gm)].map(([, name = '']) => name)
  const members = [...text.matchAll(/\benum\b\s*\w*\s*\{([^}]*)\}/g)].flatMap(([, body = '']) =>
    body.split(',').map((member) => /\w+/.exec(member)?.[0] ?? ''),
  )
  return [...macros, ...members].filter((name) => name !== '')
}

interface Member {
  readonly path: string
  /** True for an array without a length, which has an offset and no size. */
  readonly flexible: boolean
}

/** Parses the members from `tokens[at]`, which follows an opening brace, to the closing brace. */
function members(tokens: readonly string[], at: number, prefix: string): { found: Member[]; end: number } {
  const found: Member[] = []
  let index = at
  let declaration: string[] = []
  while (tokens[index] !== '}') {
    const token = tokens[index] ?? ''
    if (token === '{') {
      const inner = members(tokens, index + 1, '')
      const name = /^\w+$/.test(tokens[inner.end + 1] ?? '') ? tokens[inner.end + 1] : undefined
      const named = name !== undefined && !name.startsWith('__attribute__') ? `${name}.` : ''
      if (named !== '') found.push({ path: `${prefix}${name}`, flexible: false })
      found.push(...inner.found.map((member) => ({ ...member, path: `${prefix}${named}${member.path}` })))
      index = inner.end
      while (tokens[index] !== ';') index += 1
      declaration = []
    } else if (token === ';') {
      const bracket = declaration.indexOf('[')
      const name = declaration.at(bracket < 0 ? -1 : bracket - 1) ?? ''
      found.push({ path: `${prefix}${name}`, flexible: bracket >= 0 && declaration[bracket + 1] === ']' })
      declaration = []
    } else {
      declaration.push(token)
    }
    index += 1
  }
  return { found, end: index }
}

function structMembers(text: string): Map<string, Member[]> {
  const tokens = text.replaceAll(/^#.*$/gm, '').match(/\w+|[^\s\w]/g) ?? []
  const structs = new Map<string, Member[]>()
  for (let index = 0; index < tokens.length; index += 1) {
    const name = tokens[index + 1] ?? ''
    if (tokens[index] === 'struct' && /^\w+$/.test(name) && tokens[index + 2] === '{') {
      const { found, end } = members(tokens, index + 3, '')
      structs.set(name, found)
      index = end
    }
  }
  return structs
}

/** Returns what headers define: constants with values, and structs with the offsets and sizes of their members. */
export function readHeaders(directory: string, headers: readonly string[]): Header {
  const text = ownText(headers)
  const structs = structMembers(text)
  const statements = constantNames(text).map((name) => `PRINT("c ${name}", ${name});`)
  for (const [struct, found] of structs) {
    statements.push(`PRINT("s ${struct}", sizeof(struct ${struct}));`)
    for (const { path, flexible } of found) {
      statements.push(
        `PRINT("o ${struct} ${path}", offsetof(struct ${struct}, ${path}));`,
        `PRINT("f ${struct} ${path}", ${flexible ? '0' : `sizeof(((struct ${struct} *)0)->${path})`});`,
      )
    }
  }
  const constants: Record<string, number | bigint> = {}
  const layouts: Record<string, { size: number; fields: Record<string, { offset: number; size: number }> }> =
    {}
  for (const [kind, name = '', ...rest] of runProgram(directory, headers, statements.join('\n'))) {
    if (kind === 'c') constants[name] = value(rest[0] ?? '')
    else if (kind === 's') layouts[name] = { size: Number(rest[0]), fields: {} }
    else {
      const [path = '', number] = rest
      const fields = layouts[name]?.fields ?? {}
      const field = (fields[path] ??= { offset: 0, size: 0 })
      if (kind === 'o') field.offset = Number(number)
      else field.size = Number(number)
    }
  }
  return { constants, structs: layouts }
}
