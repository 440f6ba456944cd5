// Registered buffers: invalid arguments.

import test from 'ava'
import { FixedBuffer, type RegisterBuffersOptions } from 'uring'
import { ioUringRegister } from 'uring/sys'
import { newRing, nextTag, ownMemory, tableOf, thrownBy } from '../helpers/registered.ts'

const GIB = 2 ** 30

/** Invalid arguments, and the name in the error message. */
const BAD_VIEWS: readonly (readonly [unknown, string, string])[] = [
  [undefined, 'ERR_INVALID_ARG_TYPE', '"views"'],
  [null, 'ERR_INVALID_ARG_TYPE', '"views"'],
  ['4', 'ERR_INVALID_ARG_TYPE', '"views"'],
  [4n, 'ERR_INVALID_ARG_TYPE', '"views"'],
  [Buffer.alloc(8), 'ERR_INVALID_ARG_TYPE', '"views"'],
  [{ length: 1, 0: Buffer.alloc(8) }, 'ERR_INVALID_ARG_TYPE', '"views"'],
  [[], 'ERR_OUT_OF_RANGE', '"views.length"'],
  [[undefined], 'ERR_INVALID_ARG_TYPE', '"views[0]"'],
  [Array.from({ length: 2 }), 'ERR_INVALID_ARG_TYPE', '"views[0]"'],
  [[null, 8], 'ERR_INVALID_ARG_TYPE', '"views[1]"'],
  [[Buffer.alloc(8), 'text'], 'ERR_INVALID_ARG_TYPE', '"views[1]"'],
  [[null, null, [1, 2]], 'ERR_INVALID_ARG_TYPE', '"views[2]"'],
  [[new FixedBuffer(0, Buffer.alloc(8))], 'ERR_INVALID_ARG_TYPE', '"views[0]"'],
  [[Object.create(ArrayBuffer.prototype)], 'ERR_INVALID_ARG_TYPE', '"views[0]"'],
  [[Object.create(Uint8Array.prototype)], 'ERR_INVALID_ARG_TYPE', '"views[0]"'],
  [[Buffer.alloc(8), Buffer.alloc(0)], 'ERR_OUT_OF_RANGE', '"views[1].byteLength"'],
  [[new ArrayBuffer(0)], 'ERR_OUT_OF_RANGE', '"views[0].byteLength"'],
  [[null, new SharedArrayBuffer(GIB + 1)], 'ERR_OUT_OF_RANGE', '"views[1].byteLength"'],
]

const BAD_TAGS: readonly (readonly [unknown, string, string])[] = [
  [null, 'ERR_INVALID_ARG_TYPE', '"options"'],
  [5, 'ERR_INVALID_ARG_TYPE', '"options"'],
  [[1n, 2n], 'ERR_INVALID_ARG_TYPE', '"options"'],
  [{ tags: null }, 'ERR_INVALID_ARG_TYPE', '"options.tags"'],
  [{ tags: 1n }, 'ERR_INVALID_ARG_TYPE', '"options.tags"'],
  [{ tags: new BigUint64Array(2) }, 'ERR_INVALID_ARG_TYPE', '"options.tags"'],
  [{ tags: [] }, 'ERR_INVALID_ARG_VALUE', "'options.tags'"],
  [{ tags: [1n] }, 'ERR_INVALID_ARG_VALUE', "'options.tags'"],
  [{ tags: [1n, 0n, 0n] }, 'ERR_INVALID_ARG_VALUE', "'options.tags'"],
  [{ tags: [1n, 5] }, 'ERR_INVALID_ARG_TYPE', '"options.tags[1]"'],
  [{ tags: [null, 0n] }, 'ERR_INVALID_ARG_TYPE', '"options.tags[0]"'],
  [{ tags: [-1n, 0n] }, 'ERR_OUT_OF_RANGE', '"options.tags[0]"'],
  [{ tags: [2n ** 62n, 0n] }, 'ERR_OUT_OF_RANGE', '"options.tags[0]"'],
  [{ tags: [1n, 1n] }, 'ERR_INVALID_ARG_VALUE', "'options.tags[1]'"], // a tag for an empty slot
]

test('registerBuffers: names invalid views, and registers nothing', (t) => {
  const ring = newRing(t)
  for (const [views, code, name] of BAD_VIEWS) {
    const error = thrownBy(() => ring.registerBuffers(views as Buffer[]))
    t.is(error.code, code, name)
    t.true(error.message.includes(name), error.message)
  }
  for (const size of [0, -1, 1.5, Number.NaN, 16_385, 2 ** 32 + 1])
    t.throws(() => ring.registerBuffers(size), {
      name: 'RangeError',
      code: 'ERR_OUT_OF_RANGE',
      message: /"views"/,
    })
  t.throws(() => ring.registerBuffers(2, { tags: [0n, 1n] }), {
    code: 'ERR_INVALID_ARG_VALUE',
    message: /'options\.tags\[1\]'/,
  })
  t.is(ioUringRegister(ring.fd, 1, null, 0), -6)
  t.is(ring.registerBuffers(2, { tags: [0n, 0n] }).size, 2)
})

test('registerBuffers: names invalid tags, and registers nothing', (t) => {
  const ring = newRing(t)
  for (const [options, code, name] of BAD_TAGS) {
    const error = thrownBy(() =>
      ring.registerBuffers([ownMemory(8), null], options as RegisterBuffersOptions),
    )
    t.is(error.code, code, name)
    t.true(error.message.includes(name), error.message)
  }
  t.is(ioUringRegister(ring.fd, 1, null, 0), -6)
})

test('BufferTable: update() names invalid arguments, and changes nothing', (t) => {
  const ring = newRing(t)
  const memory = ownMemory(8)
  const table = ring.registerBuffers([memory, null, memory], { tags: [1n, 0n, 2n] })
  for (const [views, code, name] of BAD_VIEWS) {
    const error = thrownBy(() => table.update(0, views as Buffer[]))
    t.is(error.code, code, name)
    t.true(error.message.includes(name), error.message)
  }
  for (const [options, code, name] of BAD_TAGS) {
    const error = thrownBy(() => table.update(1, [ownMemory(8), null], options as RegisterBuffersOptions))
    t.is(error.code, code, name)
    t.true(error.message.includes(name), error.message)
  }
  for (const offset of [-1, 2, 0.5, Number.NaN])
    t.throws(() => table.update(offset, [ownMemory(8), null]), {
      code: 'ERR_OUT_OF_RANGE',
      message: /"offset"/,
    })
  for (const offset of [undefined, null, '0', 0n])
    t.throws(() => table.update(offset as unknown as number, [null]), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /"offset"/,
    })
  t.throws(() => table.update(0, [null, null, null, null]), {
    code: 'ERR_OUT_OF_RANGE',
    message: /"views\.length"/,
  })
  t.is(nextTag(ring), undefined)
  t.is(table.at(0).view.buffer, memory.buffer)
  t.is(table.at(2).view.buffer, memory.buffer)
})

test('BufferTable: at() names invalid slots', (t) => {
  const { table } = tableOf(t, ownMemory(8), ownMemory(8))
  for (const index of [-1, 2, 0.5, Number.NaN, 2 ** 32])
    t.throws(() => table.at(index), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE', message: /"index"/ })
  for (const index of [undefined, null, '0', 0n, {}])
    t.throws(() => table.at(index as number), { code: 'ERR_INVALID_ARG_TYPE', message: /"index"/ })
})

test('registerBuffers: refuses more than 1 GiB, and passes 1 GiB to the kernel', (t) => {
  const ring = newRing(t)
  const memory = new SharedArrayBuffer(GIB + 1)
  t.throws(() => ring.registerBuffers([memory]), {
    name: 'RangeError',
    message: `The value of "views[0].byteLength" is out of range. It must be >= 1 && <= ${GIB}; null is an empty slot. Received ${GIB + 1}`,
  })
})

test('registerBuffers: is not confused by getters of its arguments', (t) => {
  const ring = newRing(t)
  const options = {
    get tags() {
      ring[Symbol.dispose]()
      return [1n]
    },
  }
  t.throws(() => ring.registerBuffers([ownMemory(8)], options), { code: 'ERR_URING_CLOSED' })

  const other = newRing(t)
  const table = other.registerBuffers([ownMemory(8)])
  const views = [null]
  Object.defineProperty(views, 0, {
    configurable: true,
    get: () => {
      table.unregister()
      return null
    },
  })
  t.throws(() => table.update(0, views), { code: 'ERR_URING_RESOURCE_CLOSED' })

  const again = other.registerBuffers([ownMemory(8)])
  Object.defineProperty(views, 0, {
    get: () => {
      throw new Error('mine')
    },
  })
  t.throws(() => again.update(0, views), { message: 'mine' })
  t.throws(() => newRing(t).registerBuffers(views), { message: 'mine' })
  t.is(again.at(0).view.length, 8)

  // The properties of a view are read once, and V8 checks them: they cannot exceed its memory.
  const liar = ownMemory(8)
  let asked = 0
  Object.defineProperty(liar, 'byteLength', { get: () => (asked++ === 0 ? 8 : 2 ** 20) })
  t.throws(() => newRing(t).registerBuffers([liar]), { instanceOf: RangeError })
})
