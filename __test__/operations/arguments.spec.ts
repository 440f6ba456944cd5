// Operations refuse every bad value of every argument: in the constructor, and in the field when they are built or
// pushed.

import test from 'ava'
import * as uring from 'uring'
import { Nop, Operation } from 'uring'
import { absent, type Bad, KINDS, refuses, shown, Watched } from './base/bad-values.ts'
import { good, goodArguments, make } from './base/argument-subject.ts'
import { ARGUMENTS } from './base/families.ts'

/** Internal fields of every operation, which `link()`, `personality()` and the like set. */
const INTERNAL = new Set(['sqeFlags', 'personalityId'])

/** Returns the fields of an operation, those of its prototype included. */
function fieldsOf(operation: object): string[] {
  const fields: string[] = []
  for (const field in operation) fields.push(field)
  return fields
}

test('ARGUMENTS: has bad values for every public field of every operation', (t) => {
  const classes = Object.entries(uring)
    .filter(([, value]) => typeof value === 'function' && value.prototype instanceof Operation)
    .map(([name]) => name)
  t.deepEqual(Object.keys(ARGUMENTS).toSorted(), classes.toSorted())
  for (const [name, subject] of Object.entries(ARGUMENTS)) {
    const fields = fieldsOf(good(subject)).filter((field) => !INTERNAL.has(field))
    const rows = [...Object.entries(subject.positional), ...Object.entries(subject.options ?? {})]
    const named = rows.map(([field]) => field).filter((field) => !subject.rare?.includes(field))
    t.deepEqual(named.toSorted(), fields.toSorted(), name)
    for (const [field, row] of rows) t.true(row.length > 0, `${name}.${field}`)
  }
})

for (const [name, subject] of Object.entries(ARGUMENTS)) {
  const { positional, options } = subject

  test(`${name}: refuses bad arguments in the constructor`, (t) => {
    t.notThrows(() => good(subject))
    for (const [index, [field, [kind]]] of Object.entries(positional).entries()) {
      for (const bad of kind) {
        const args = goodArguments(subject).with(index, bad[0])
        refuses(t, `new ${name}, ${field}`, () => make(subject, args), bad, field)
      }
    }
    if (options === undefined) return
    for (const bad of KINDS.options) {
      refuses(
        t,
        `new ${name}, options`,
        () => make(subject, [...goodArguments(subject), bad[0]]),
        bad,
        'options',
      )
    }
    for (const [field, kind] of Object.entries(options)) {
      const args = (value: unknown): unknown[] => [...goodArguments(subject), { [field]: value }]
      t.notThrows(() => make(subject, args(undefined)), field) // as if it were absent
      for (const bad of absent(kind)) {
        refuses(t, `new ${name}, ${field}`, () => make(subject, args(bad[0])), bad, `options.${field}`)
      }
    }
  })

  test(`${name}: refuses bad fields when it is built or pushed`, (t) => {
    using watched = new Watched()
    const { ring } = watched
    const rows: [string, string, readonly Bad[]][] = [
      ...Object.entries(positional).map(([field, [kind]]): [string, string, readonly Bad[]] => [
        field,
        field,
        kind,
      ]),
      ...Object.entries(options ?? {}).map(([field, kind]): [string, string, readonly Bad[]] => [
        field,
        `options.${field}`,
        kind,
      ]),
    ]
    for (const [field, argument, kind] of rows) {
      const operation = good(subject)
      const fields = operation as unknown as Record<string, unknown>
      const before = fields[field]
      // A field may become undefined only if it is undefined by default.
      for (const bad of before === undefined ? absent(kind) : kind) {
        fields[field] = bad[0]
        const label = `${name}.${field}`
        refuses(t, `${label}, build`, () => operation.build(), bad, argument)
        refuses(t, `${label}, push`, () => ring.push(operation), bad, argument)
        watched.intact(t, `${label}, push: ${shown(bad[0])}`)
        refuses(
          t,
          `${label}, pushAll`,
          () => ring.pushAll([new Nop().link(), operation, new Nop()]),
          bad,
          argument,
        )
        watched.intact(t, `${label}, pushAll: ${shown(bad[0])}`)
      }
      watched.whole(t, field)
      // With the good value, the operation is built again.
      fields[field] = before
      t.notThrows(() => operation.build(), field)
    }
  })
}
