// The names that a compiled module exports, read from its declarations.

import { readFileSync } from 'node:fs'

const DIST = new URL('../../dist/', import.meta.url)

/** Returns the text of a declaration file; its path is relative to `dist`. */
export function declarationText(file: string): string {
  return readFileSync(new URL(file, DIST), 'utf8')
}

/** Returns the names that a declaration file exports, values and types, and the file that declares each. */
export function exportsOf(file: string): Map<string, string> {
  const text = declarationText(file)
  const found = new Map<string, string>()
  for (const [, name = ''] of text.matchAll(
    /^export (?:declare )?(?:abstract )?(?:class|interface|function|type|const) (\w+)/gm,
  )) {
    found.set(name, file)
  }
  for (const [, list = '', path = ''] of text.matchAll(
    /^export (?:type )?(\*|\{[^}]*\}) from '(\..*)\.ts';$/gm,
  )) {
    const source = exportsOf(new URL(`${path}.d.ts`, new URL(file, 'file:///')).pathname.slice(1))
    const names = list === '*' ? source.keys() : list.replaceAll(/[{},]|\btype\b/g, ' ').split(/\s+/)
    for (const name of names) {
      const origin = source.get(name)
      if (origin !== undefined) found.set(name, origin)
      else if (name !== '') throw new Error(`${file} exports ${name}, which ${path}.ts does not declare`)
    }
  }
  return found
}
