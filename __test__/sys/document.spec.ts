// docs/sys.md: its examples run as written, and all that it names exists.

import { readFileSync } from 'node:fs'
import test from 'ava'
import * as sys from 'uring/sys'
import { script } from '../helpers/process.ts'

const DOCUMENT = readFileSync(new URL('../../docs/sys.md', import.meta.url), 'utf8')

test('docs/sys.md: the examples print what it says', async (t) => {
  const examples = [...DOCUMENT.matchAll(/```ts\n([\s\S]*?)```\s+It prints `(.*?)`/g)]
  t.is(examples.length, 2)
  t.is(DOCUMENT.split('```ts').length - 1, 2)
  for (const [, source = '', promised = ''] of examples)
    t.deepEqual(await script(source), { code: 0, signal: null, stdout: `${promised}\n`, stderr: '' })
})

test('docs/sys.md: the structs and constants that it names exist', (t) => {
  const names = [...DOCUMENT.matchAll(/`(IO[A-Z_]*RING_\w+|IOSQE_\w+|SYS_\w+)`/g)].map(
    ([, name = '']) => name,
  )
  t.true(names.length > 8)
  for (const name of names) t.true(name in sys, name)
  const beside = /Structs of other headers are ([\s\S]*?)\. /.exec(DOCUMENT)?.[1] ?? ''
  const named = [...beside.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)
  const others = Object.keys(sys.structs).filter((name) => !/^(io_|zcrx_)/.test(name))
  t.deepEqual(named.toSorted(), others.toSorted())
})

test('docs/sys.md: has a line for every member of MappedRing', (t) => {
  const members = Object.getOwnPropertyNames(sys.MappedRing.prototype)
  const internal = new Set([
    'constructor',
    'check',
    'checkTail',
    'skipFiller',
    'at',
    'flagsAt',
    'places',
    'read',
  ])
  const lines = DOCUMENT.split('\n').filter((line) => line.startsWith('| `'))
  for (const name of members.filter((member) => !internal.has(member)))
    t.true(
      lines.some((line) => new RegExp(`^[^|]*\\|[^|]*\`${name}\\b`).test(line)),
      name,
    )
})
