// What the declarations promise. The type checker is the test: what does not hold here does not compile.

import test from 'ava'
import {
  type BigIntStats,
  Entry,
  FixedFile,
  OpenAt,
  Operation,
  Read,
  Ring,
  type Stats,
  Statx,
  Timeout,
  type Token,
} from 'uring'

test('operations and entries carry the type of their result', (t) => {
  using ring = new Ring({ entries: 8 })
  const read: Entry<number> = new Read(0, new Uint8Array(1)).link().drain().build()
  const open: Entry<number> = new OpenAt('x', { flags: 'r' }).build()
  const direct: Entry<FixedFile> = new OpenAt('x', { direct: 'auto' }).build()
  const stats: Operation<Stats> = new Statx('x')
  const big: Operation<BigIntStats> = new Statx('x', { bigint: true })
  const timeout: Entry<'expired' | 'count'> = new Timeout(1).build()
  // @ts-expect-error a read gives a number
  const wrong: Entry<string> = new Read(0, new Uint8Array(1)).build()
  // @ts-expect-error the status is not in bigints
  const notBig: Operation<BigIntStats> = new Statx('x')
  const tokens: Token[] = ring.pushAll([read, open, direct, stats, big, timeout, wrong, notBig])
  t.is(tokens.length, 8)
  t.true(stats instanceof Operation)
  t.true(read instanceof Entry)
})
