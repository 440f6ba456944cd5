// Restricted rings: they allow what was registered before enable().

import { readFileSync, writeSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import {
  AsyncCancel,
  FixedFile,
  Fsync,
  Nop,
  Nop128,
  PollAdd,
  PollEvents,
  Read,
  type Restriction,
  Ring,
  type RingOptions,
  Splice,
  SqeFlags,
  Timeout,
  UringError,
  Write,
} from 'uring'
import {
  eventfd,
  IORING_REGISTER_FILES,
  IORING_REGISTER_PERSONALITY,
  IORING_UNREGISTER_FILES,
} from 'uring/sys'
import { fifo, file } from '../helpers/files.ts'
import { script } from '../helpers/process.ts'
import { pipe } from '../helpers/pipes.ts'
import { closing, pair } from '../helpers/sockets.ts'

const MODES: readonly [string, RingOptions][] = [
  ['in the best mode', {}],
  ['in the plain mode', { submitAll: false }],
  ['with a polling thread', { sqPoll: { idle: 50 } }],
]

function sandbox(t: ExecutionContext, restrictions: readonly Restriction[], options?: RingOptions): Ring {
  const ring = new Ring({ entries: 8, disabled: true, ...options })
  t.teardown(() => ring[Symbol.dispose]())
  ring.registerRestrictions(restrictions)
  ring.enable()
  return ring
}

const rejection = (promise: Promise<unknown>): Promise<UringError> =>
  promise.then(
    () => {
      throw new Error('it resolved')
    },
    (error: unknown) => error as UringError,
  )

for (const [name, mode] of MODES) {
  test(`registerRestrictions: other operations fail with EACCES, allowed ones run, ${name}`, async (t) => {
    const ring = sandbox(t, [{ operation: Nop }, { operation: Write.opcode }], mode)
    const { fd } = file(t)
    ring.pushAll([new Nop(), new Fsync(fd), new Write(fd, Buffer.from('allowed'))], [1, 2, 3])
    const [nop, fsync, write] = ring.waitMany(3).toSorted((a, b) => Number(a.userData) - Number(b.userData))
    t.deepEqual([nop?.result, write?.result], [0, 7])
    t.like(fsync?.error, { code: 'EACCES', syscall: 'fsync', operation: 'Fsync' })
    t.is(fsync?.error?.message, 'EACCES: permission denied, fsync')

    t.is(await ring.run(new Nop()), 0)
    const error = await rejection(ring.run(new Fsync(fd)))
    t.true(error instanceof UringError)
    t.like(error, { code: 'EACCES', syscall: 'fsync' })
    t.is(await ring.run(new Write(fd, Buffer.from('more'))), 4)
    t.is((await rejection(ring.run(new Read(fd, Buffer.alloc(1))))).code, 'EACCES')
    t.is(await new Promise((resolve) => ring.start(new Timeout(1), resolve)), -13)
    t.is((await rejection(ring.each(new Timeout(1, { multi: true })).next())).code, 'EACCES')
    await ring.close()
  })

  test(`registerRestrictions: disallowed and missing entry flags fail with EACCES, ${name}`, async (t) => {
    const allowing = sandbox(t, [{ operation: Nop }, { flagsAllowed: SqeFlags.ASYNC }], mode)
    t.is(await allowing.run(new Nop()), 0)
    t.is(await allowing.run(new Nop().async()), 0)
    t.is((await rejection(allowing.run(new Nop().drain()))).code, 'EACCES')
    t.is((await rejection(allowing.chain([new Nop(), new Nop()]))).code, 'EACCES')
    allowing.push(new Nop().async())
    t.is(allowing.wait()?.result, 0)

    const linking = sandbox(
      t,
      [{ operation: Nop }, { flagsAllowed: SqeFlags.IO_LINK }, { flagsAllowed: SqeFlags.ASYNC }],
      mode,
    )
    t.deepEqual(await linking.chain([new Nop(), new Nop().async()]), [0, 0])

    const requiring = sandbox(t, [{ operation: Nop }, { flagsRequired: SqeFlags.ASYNC }], mode)
    t.is(await requiring.run(new Nop().async()), 0)
    t.is((await rejection(requiring.run(new Nop()))).code, 'EACCES')
  })

  test(`registerRestrictions: all operations can be cancelled with required entry flags, ${name}`, async (t) => {
    for (const required of [
      0,
      SqeFlags.FIXED_FILE,
      SqeFlags.ASYNC | SqeFlags.FIXED_FILE,
      ...(mode.sqPoll ? [] : [SqeFlags.FIXED_FILE | SqeFlags.IO_DRAIN]),
    ]) {
      const gate = fifo(t)
      const ring = new Ring({ entries: 8, disabled: true, ...mode })
      t.teardown(() => ring[Symbol.dispose]())
      ring.registerFiles([gate])
      ring.registerRestrictions([
        { operation: Read },
        { flagsAllowed: SqeFlags.FIXED_FILE },
        { flagsRequired: required },
      ])
      ring.enable()
      const target = new FixedFile(0)
      const read = (): Read => {
        const operation = new Read(target, Buffer.alloc(8))
        if ((required & SqeFlags.ASYNC) !== 0) operation.async()
        if ((required & SqeFlags.IO_DRAIN) !== 0) operation.drain()
        return operation
      }
      const label = `required: ${required}`
      t.is((await rejection(ring.run(read(), { timeout: 5 }))).name, 'TimeoutError', label)
      const at = new AbortController()
      const once = rejection(ring.run(read(), { signal: at.signal }))
      at.abort()
      t.is((await once).name, 'AbortError', label)
      const controller = new AbortController()
      const aborted = rejection(ring.run(read(), { signal: controller.signal }))
      setTimeout(() => controller.abort(), 5)
      t.is((await aborted).name, 'AbortError', label)
      // An operation may be between the queue and its worker, where cancellation does not find it: one attempt may come
      // too early.
      const beginsLater = (required & (SqeFlags.ASYNC | SqeFlags.IO_DRAIN)) !== 0
      for (const by of ['any', { file: target }, { file: gate }, { opcode: Read.opcode }] as const) {
        if (beginsLater) break
        const cancelled = rejection(ring.run(read()))
        t.is(await ring.cancel(by), 1, label)
        t.is((await cancelled).code, 'ECANCELED', label)
      }
      if (!beginsLater) {
        let finished = 0
        const token = ring.start(read(), () => void (finished += 1))
        t.is(await ring.cancel(token), 1, label)
        t.is(await ring.cancel(token), 0, label)
        t.is(finished, 1)
      }
      t.is(await ring.cancel('any'), 0)
      // close() cancels the rest.
      const last = rejection(ring.run(read()))
      ring.push(read())
      ring.submit()
      await ring.close()
      t.true(['ECANCELED', 'EINTR'].includes((await last).code), label)
      writeSync(gate, 'unread')
    }
  })
}

test('registerRestrictions: other registrations fail with EACCES', (t) => {
  const ring = sandbox(t, [{ operation: Nop }])
  t.throws(() => ring.registerPersonality(), { instanceOf: UringError, code: 'EACCES' })
  t.throws(() => ring.registerEventfd(closing(t, eventfd())), { code: 'EACCES' })
  t.throws(() => ring.unregisterPersonality(1), { code: 'EACCES' })
  const other = sandbox(t, [{ register: IORING_REGISTER_PERSONALITY }])
  t.is(other.registerPersonality(), 1)
  t.throws(() => other.unregisterPersonality(1), { code: 'EACCES' })
  other.push(new Nop())
  t.is(other.wait()?.error?.code, 'EACCES')
})

test('registerRestrictions: an empty list allows cancellation only', async (t) => {
  const ring = sandbox(t, [])
  ring.push(new Nop())
  t.is(ring.wait()?.error?.code, 'EACCES')
  ring.push(new AsyncCancel('any', { all: true }))
  t.is(ring.wait()?.value, 0)
  t.is(ring.cancelSync('any'), 0)
  t.is((await rejection(ring.run(new Nop()))).code, 'EACCES')
})

test('enable: puts restrictions in force, once', async (t) => {
  using running = new Ring({ entries: 8 })
  t.throws(() => running.registerRestrictions([{ operation: Nop }]), {
    instanceOf: UringError,
    code: 'EBADFD',
  })
  t.throws(() => running.enable(), { instanceOf: UringError, code: 'EBADFD', message: /io_uring_register/ })
  t.is(await running.run(new Nop(), { timeout: 60_000 }), 0)

  using ring = new Ring({ entries: 8, disabled: true })
  ring.registerRestrictions([{ operation: Nop }])
  t.throws(() => ring.registerRestrictions([{ operation: Read }]), { code: 'EBUSY' })
  t.is(ring.registerPersonality(), 1)
  t.throws(() => ring.submit(), { code: 'EBADFD' })
  t.is(ring.enable(), undefined)
  t.throws(() => ring.registerPersonality(), { code: 'EACCES' })
  t.throws(() => ring.enable(), { code: 'EACCES' })
  t.throws(() => ring.registerRestrictions([]), { code: 'EACCES' })
  ring.push(new Nop())
  t.is(ring.wait()?.result, 0)
})

test('enable: submits operations that were started before', async (t) => {
  for (const restrictions of [undefined, [{ operation: Nop }]]) {
    const ring = new Ring({ entries: 8, disabled: true })
    if (restrictions !== undefined) ring.registerRestrictions(restrictions)
    const { fd } = file(t)
    const promises = [ring.run(new Nop()), rejection(ring.run(new Fsync(1_000_000)))]
    const chain = ring.chain([new Nop()])
    ring.push(new Nop(), 'pushed')
    await new Promise((resolve) => setImmediate(resolve))
    t.throws(() => ring.submit(), { code: 'EBADFD' })
    ring.enable()
    t.is(await promises[0], 0)
    t.is(((await promises[1]) as UringError).code, restrictions === undefined ? 'EBADF' : 'EACCES')
    t.deepEqual(await chain, [0])
    t.is(ring.wait()?.userData, 'pushed')
    t.is(
      await rejection(ring.run(new Fsync(fd))).then(
        ({ code }) => code,
        () => 'none',
      ),
      restrictions === undefined ? 'none' : 'EACCES',
    )
    await ring.close()
  }
})

test('enable: keeps an eventfd of the program, and the promise API throws', async (t) => {
  const fd = closing(t, eventfd())
  const ring = new Ring({ entries: 8, disabled: true })
  ring.registerEventfd(fd)
  ring.registerRestrictions([{ operation: Nop }])
  ring.enable()
  ring.push(new Nop())
  t.is(ring.wait()?.result, 0)
  t.is((await rejection(ring.run(new Nop()))).code, 'ERR_URING_EVENTFD')
  t.throws(() => ring.unregisterEventfd(), { code: 'EACCES' })
  await ring.close()

  // If unregistering and registering an eventfd are allowed, the promise API can be used.
  const free = new Ring({ entries: 8, disabled: true })
  free.registerEventfd(fd)
  free.registerRestrictions([{ operation: Nop }, { register: 4 }, { register: 5 }])
  free.enable()
  t.is((await rejection(free.run(new Nop()))).code, 'ERR_URING_EVENTFD')
  free.unregisterEventfd()
  t.is(await free.run(new Nop()), 0)
  await free.close()
})

test('each, chain: end by break and timeout, although the list does not allow internal operations', async (t) => {
  const [left, right] = pair(t)
  const ring = sandbox(t, [{ operation: PollAdd }, { operation: Read }, { flagsAllowed: SqeFlags.IO_LINK }])
  writeSync(right, 'x')
  for await (const events of ring.each(new PollAdd(left, PollEvents.IN, { multi: true }))) {
    t.is(events, PollEvents.IN)
    break
  }
  const steps = [new Read(left, Buffer.alloc(1)), new Read(left, Buffer.alloc(1))] as const
  t.is((await rejection(ring.chain(steps, { timeout: 10 }))).name, 'TimeoutError')
  t.is(ring.inFlight, 0)
})

test('cancel: operations that required flags delay are cancelled when they start', async (t) => {
  const gate = fifo(t)
  const ring = sandbox(t, [{ operation: Read }, { flagsRequired: SqeFlags.IO_DRAIN }])
  const read = (): Read => new Read(gate, Buffer.alloc(8)).drain()
  const order: string[] = []
  const note = (error: UringError): void => void order.push(error.name)
  const first = rejection(ring.run(read(), { timeout: 20 })).then(note)
  const controller = new AbortController()
  const second = rejection(ring.run(read(), { signal: controller.signal })).then(note)
  await new Promise((resolve) => setImmediate(resolve))
  controller.abort()
  await Promise.all([first, second])
  t.deepEqual(order, ['TimeoutError', 'AbortError'])
  await ring.close()
})

test('cancel: reaches workers of a polling thread with entries that have the required flags', async (t) => {
  for (const required of [0, SqeFlags.FIXED_FILE, SqeFlags.FIXED_FILE | SqeFlags.ASYNC]) {
    const ring = new Ring({ entries: 8, disabled: true, sqPoll: { idle: 50 } })
    ring.registerFiles([pipe(t).read, file(t).fd])
    ring.registerRestrictions([
      { operation: Splice },
      { flagsAllowed: SqeFlags.FIXED_FILE },
      { flagsRequired: required },
    ])
    ring.enable()
    const splice = (): Splice => {
      const operation = new Splice(new FixedFile(0), new FixedFile(1), 100)
      return (required & SqeFlags.ASYNC) === 0 ? operation : operation.async()
    }
    t.is((await rejection(ring.run(splice(), { timeout: 5 }))).name, 'TimeoutError')
    const first = rejection(ring.run(splice()))
    const second = rejection(ring.run(splice()))
    ring.push(splice())
    ring.submit()
    await ring.close() // waits until they have ended
    const codes = (await Promise.all([first, second])).map(({ code }) => code)
    t.true(
      codes.every((code) => ['ECANCELED', 'EINTR', 'ERESTARTSYS'].includes(code)),
      codes.join(' '),
    )
  }
})

test('registerRestrictions: allows CQE_SKIP_SUCCESS only if the ring can be closed', async (t) => {
  const skips = { flagsAllowed: SqeFlags.CQE_SKIP_SUCCESS }
  for (const list of [
    [skips],
    [{ flagsRequired: SqeFlags.CQE_SKIP_SUCCESS }],
    [skips, { register: IORING_REGISTER_FILES }],
    [skips, { register: IORING_UNREGISTER_FILES }],
  ]) {
    using ring = new Ring({ entries: 8, disabled: true })
    t.throws(() => ring.registerRestrictions([{ operation: Nop }, ...list]), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: /'restrictions' allows CQE_SKIP_SUCCESS.* 2 and 3:/,
    })
    ring.registerRestrictions([]) // no restrictions were registered
  }
  const ring = sandbox(t, [
    { operation: Nop },
    skips,
    { register: IORING_REGISTER_FILES },
    { register: IORING_UNREGISTER_FILES },
  ])
  ring.push(new Nop().skipSuccess())
  ring.push(new Nop())
  t.is(ring.waitMany(1).length, 1)
  await ring.close()

  // A refusal by the kernel would discard completions of later entries, so push() throws, and changes nothing.
  const strict = sandbox(t, [{ operation: Nop }, { flagsAllowed: SqeFlags.IO_LINK }])
  const refusal = { instanceOf: UringError, code: 'EACCES', message: 'EACCES: permission denied, nop' }
  strict.push(new Nop().link(), 'first')
  t.throws(() => strict.push(new Nop().skipSuccess().link()), refusal)
  t.throws(() => strict.pushAll([new Nop().link(), new Nop().skipSuccess().link(), new Nop()]), refusal)
  t.is(strict.sqReady, 1)
  strict.push(new Nop(), 'second')
  t.deepEqual(
    strict.waitMany(2).map(({ userData, result }) => [userData, result]),
    [
      ['first', 0],
      ['second', 0],
    ],
  )
  t.is(strict.inFlight, 0)
  await strict.close()
})

test('registerRestrictions: with sqPoll, refuses required flags that a cancellation cannot have', (t) => {
  using ring = new Ring({ entries: 8, disabled: true, sqPoll: { idle: 20 } })
  for (const flags of [SqeFlags.IO_DRAIN, SqeFlags.IO_LINK | SqeFlags.FIXED_FILE, SqeFlags.BUFFER_SELECT]) {
    t.throws(() => ring.registerRestrictions([{ flagsRequired: flags }]), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: /could not be closed/,
    })
  }
  ring.registerRestrictions([{ flagsRequired: SqeFlags.FIXED_FILE | SqeFlags.ASYNC }])
})

test('registerRestrictions: names invalid arguments, and registers nothing', (t) => {
  using ring = new Ring({ entries: 8, disabled: true })
  const bad = (restrictions: unknown, code: string, name: string): void => {
    const error = t.throws(() => ring.registerRestrictions(restrictions as never))
    t.is((error as NodeJS.ErrnoException).code, code, name)
    t.true(error?.message.includes(name), error?.message)
  }
  const TYPE = 'ERR_INVALID_ARG_TYPE'
  const RANGE = 'ERR_OUT_OF_RANGE'
  const VALUE = 'ERR_INVALID_ARG_VALUE'
  for (const value of [undefined, null, {}, 'Nop', new Set()]) bad(value, TYPE, '"restrictions"')
  for (const value of [undefined, null, 1, 'Nop']) bad([{ operation: Nop }, value], TYPE, '"restrictions[1]"')
  bad([{}], VALUE, "'restrictions[0]'")
  bad([{ operation: Nop, register: 1 }], VALUE, "'restrictions[0]'")
  for (const value of [null, 'Nop', {}, new Nop(), () => {}]) {
    bad([{ operation: value }], TYPE, '"restrictions[0].operation"')
  }
  for (const value of [-1, 256, 1.5, Number.NaN]) {
    bad([{ operation: value }], RANGE, '"restrictions[0].operation"')
    bad([{ register: value }], RANGE, '"restrictions[0].register"')
    bad([{ flagsAllowed: value }], RANGE, '"restrictions[0].flagsAllowed"')
    bad([{ flagsRequired: value }], RANGE, '"restrictions[0].flagsRequired"')
  }
  for (const name of ['register', 'flagsAllowed', 'flagsRequired']) {
    for (const value of [null, '1', 1n, {}]) bad([{ [name]: value }], TYPE, `"restrictions[0].${name}"`)
  }
  bad([{ operation: 255 }], 'EINVAL', 'io_uring_register') // the kernel has no operation of this number
  bad([{ register: 255 }], 'EINVAL', 'io_uring_register')
  if (!ring.supports(Nop128)) bad([{ operation: Nop128 }], 'ERR_URING_UNSUPPORTED', 'Nop128 needs Linux')
  // Duplicates are accepted, and so are all operations and registrations of a kernel.
  ring.registerRestrictions([
    ...Array.from({ length: 300 }, (): Restriction => ({ operation: Nop })),
    ...Array.from({ length: 300 }, (): Restriction => ({ register: IORING_REGISTER_PERSONALITY })),
  ])
  ring.enable()
  t.is(ring.registerPersonality(), 1)

  const closes = new Ring({ entries: 8, disabled: true })
  const getter = {
    get register(): number {
      closes[Symbol.dispose]()
      return 1
    },
  }
  const closed = { code: 'ERR_URING_CLOSED' }
  t.throws(() => closes.registerRestrictions([getter]), closed)
  t.throws(() => closes.registerRestrictions([]), closed)
  t.throws(() => closes.enable(), closed)
})

test('docs/sandbox.md: its example runs as documented', async (t) => {
  const page = readFileSync(new URL('../../docs/sandbox.md', import.meta.url), 'utf8')
  const [, source = '', sentence = ''] = /```ts\n([\s\S]*?)```\s+It prints ([\s\S]*?)\n\n/.exec(page) ?? []
  const promised = [...sentence.matchAll(/`(.*?)`/gs)].map(([, line]) => line?.replaceAll('\n', ' '))
  t.is(promised.length, 4)
  const outcome = await script(source)
  t.deepEqual(outcome, { code: 0, signal: null, stdout: `${promised.join('\n')}\n`, stderr: '' })
})
