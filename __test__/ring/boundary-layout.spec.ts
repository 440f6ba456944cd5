// The numbers of the native boundary are the same in TypeScript and in Rust.

import { readFileSync } from 'node:fs'
import test from 'ava'
import { AREA, KEEP, STATUS, STATUS_WORDS } from '../../ts/ring/boundary.ts'

const RUST = readFileSync(new URL('../../crates/node/src/layout.rs', import.meta.url), 'utf8')

/** Returns the constants of a Rust module: decimal numbers, and flags as `1 << n`. */
function constantsOf(module: string): Record<string, number> {
  const [, body = ''] = new RegExp(`^pub\\(crate\\) mod ${module} \\{\n([^]*?)^\\}`, 'm').exec(RUST) ?? []
  const constants = body.matchAll(/const (\w+): \w+ = (?:(\d+) << )?(\d+);/g)
  return Object.fromEntries(
    Array.from(constants, ([, name = '', one, number]) => [
      name,
      one === undefined ? Number(number) : Number(one) << Number(number),
    ]),
  )
}

test('boundary: both sides have the same words of the status header', (t) => {
  t.deepEqual(constantsOf('status'), { ...STATUS, WORDS: STATUS_WORDS })
})

test('boundary: both sides have the same areas', (t) => {
  t.deepEqual(constantsOf('area'), { ...AREA })
})

test('boundary: both sides keep the same things alive', (t) => {
  t.deepEqual(constantsOf('keep'), { ...KEEP })
})
