// Every public name and helper of the reference systems (lio-uring, Zig, Odin) has a counterpart in this package.

import { closeSync, readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import * as uring from 'uring'
import * as sys from 'uring/sys'
import { ANSWERS } from './names/answers.ts'
import { HELPERS } from './names/helpers.ts'

const NAMES = JSON.parse(readFileSync(new URL('./names/names.json', import.meta.url), 'utf8')) as Record<
  string,
  string[]
>

/** Instances of some classes, by class: fields exist only on instances. */
type Instances = ReadonlyMap<unknown, object>

function instancesOf(t: ExecutionContext): Instances {
  const ring = new uring.Ring({ entries: 1 })
  t.teardown(() => ring[Symbol.dispose]())
  ring.push(new uring.Nop())
  const completion = ring.wait()
  if (completion === undefined) throw new Error('no completion')
  const params = new Uint8Array(sys.structs.io_uring_params.size)
  const fd = sys.ioUringSetup(1, params)
  t.teardown(() => closeSync(fd))
  const mapped = sys.mapRing(fd, params)
  t.teardown(() => mapped.unmap())
  return new Map<unknown, object>([
    [uring.Ring, ring],
    [uring.Completion, completion],
    [sys.MappedRing, mapped],
  ])
}

function hasMember(of: unknown, name: string): of is object {
  return ((typeof of === 'object' && of !== null) || typeof of === 'function') && name in of
}

/** Tells if an export, or a member of an export or of its instances, has this name. */
function exists(answer: string, instances: Instances): boolean {
  const path = answer.split('.')
  const name = path.pop() ?? ''
  let value: unknown = uring
  for (const step of path)
    value = step === 'sys' ? sys : (value as Record<string, unknown> | undefined)?.[step]
  const { prototype } = (typeof value === 'function' ? value : {}) as { prototype?: unknown }
  return [value, instances.get(value), prototype].some((of) => hasMember(of, name))
}

for (const [system, names] of Object.entries(NAMES)) {
  test(`names: every name of ${system} has a counterpart that exists`, (t) => {
    const instances = instancesOf(t)
    const answers = ANSWERS[system] ?? {}
    t.deepEqual(Object.keys(answers).toSorted(), names.toSorted())
    for (const [name, answer] of Object.entries(answers))
      t.true(exists(answer, instances), `${name}: ${answer}`)
  })
}

for (const [system, helpers] of Object.entries(HELPERS)) {
  test(`names: every helper of ${system} has a counterpart that exists`, (t) => {
    const instances = instancesOf(t)
    t.true(Object.keys(helpers).length > 20)
    for (const [name, answers] of Object.entries(helpers)) {
      for (const answer of [answers].flat()) t.true(exists(answer, instances), `${name}: ${answer}`)
    }
  })
}

test('names: every system is covered, and a name that does not exist is noticed', (t) => {
  t.deepEqual(Object.keys(ANSWERS), Object.keys(NAMES))
  const instances = instancesOf(t)
  for (const absent of [
    'Raed',
    'Ring.summit',
    'Completion.vlaue',
    'SqeFlags.LINK',
    'sys',
    'sys.ioUringMagic',
    'sys.structs.io_uring_magic',
    'sys.MappedRing.cqAdvanced',
    'Read.upcode',
  ])
    t.false(exists(absent, instances), absent)
})
