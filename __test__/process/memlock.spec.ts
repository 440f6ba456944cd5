// The limit of locked memory, for a user to whom it applies: what works, and what errors say.

import { execFileSync } from 'node:child_process'
import test, { type ExecutionContext } from 'ava'
import type { Support } from 'uring'
import { type Outcome, run } from '../helpers/process.ts'
import { canBeUnprivileged, unprivilegedScript } from '../helpers/restricted.ts'

const KIB = 1024
const PAGE = Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' })) / KIB

/** Returns the JSON that a program prints when it runs as a user with `kib` KiB of locked memory. */
async function printed(t: ExecutionContext, kib: number, source: string): Promise<unknown> {
  const { code, stdout, stderr } = await unprivilegedScript(kib, source)
  t.is(stderr, '')
  t.is(code, 0)
  return JSON.parse(stdout)
}

/** Defines `attempt`: returns the result of a function, or the code, message and errno of its error. */
const ATTEMPT = `
  async function attempt(make) {
    try {
      return await make()
    } catch (error) {
      return [error.code, error.message, error.errno]
    }
  }
`

/** Defines `eventually`: creates a ring as soon as the kernel has released the memory of closed rings, which takes a moment. */
const EVENTUALLY = `
  function eventually(options) {
    for (;;) {
      try {
        return new Ring(options)
      } catch (error) {
        if (error.code !== 'ENOMEM') throw error
      }
    }
  }
`

test('Ring: a default ring and a ring of 64 entries work with 64 KiB of locked memory', async (t) => {
  if (!(await canBeUnprivileged(t))) {
    t.pass()
    return
  }
  const answer = await printed(
    t,
    64,
    `import { openSync } from 'node:fs'
    import { Read, Ring, run } from 'uring'
    const fd = openSync('package.json')
    const bytes = Buffer.alloc(1)
    const awaited = await run(new Read(fd, bytes, { offset: 0 }))
    const ring = new Ring({ entries: 64 })
    ring.push(new Read(fd, Buffer.alloc(2), { offset: 0 }))
    console.log(JSON.stringify([process.getuid() > 0, awaited, bytes.toString(), ring.wait().value]))`,
  )
  t.deepEqual(answer, [true, 1, '{', 2])
})

test('Ring: names the memory that it needs, the limit and the advice if a second ring is above the limit', async (t) => {
  if (!(await canBeUnprivileged(t))) {
    t.pass()
    return
  }
  const answer = await printed(
    t,
    64,
    `import { Ring } from 'uring'
    ${ATTEMPT}
    ${EVENTUALLY}
    const first = new Ring()
    const second = await attempt(() => new Ring())
    const large = await attempt(() => new Ring({ entries: 4096 }))
    await first.close()
    const again = eventually().entries
    console.log(JSON.stringify([second, large, again]))`,
  )
  const [second, large, again] = answer as [[string, string, number], [string, string, number], number]
  t.is(second[0], 'ENOMEM')
  t.is(second[2], -12)
  t.regex(
    second[1],
    /^ENOMEM: not enough memory, io_uring_setup: a ring of 256 entries needs \d+ bytes of locked memory, but too much is in use: the limit for all processes of this user together is 65536 \(ulimit -l 64\)\. Use fewer entries, close other rings, or raise the limit: ulimit -l/,
  )
  t.regex(
    large[1],
    /: a ring of 4096 entries needs \d+ bytes of locked memory, but the limit for all processes of this user together is 65536 \(ulimit -l 64\)\. Use fewer/,
  )
  t.is(again, 256)
})

for (const options of [
  '{}',
  '{ entries: 1 }',
  '{ entries: 300, cqEntries: 700 }',
  '{ entries: 512, sqe128: true, cqe32: true }',
  '{ entries: 4096, singleIssuer: true }',
]) {
  test(`Ring: needs as much locked memory as its error says, and not a page less: ${options}`, async (t) => {
    if (!(await canBeUnprivileged(t))) {
      t.pass()
      return
    }
    const source = `import { Ring } from 'uring'
      ${ATTEMPT}
      const made = await attempt(() => new Ring(${options}).closed)
      console.log(JSON.stringify(made))`
    const refusal = await printed(t, 0, source)
    if (!Array.isArray(refusal)) {
      t.false(refusal)
      t.log('this kernel does not count rings as locked memory')
      return
    }
    const needed = Number(/needs (\d+) bytes/.exec(refusal[1] as string)?.[1])
    t.is(needed % (PAGE * KIB), 0)
    t.is(await printed(t, needed / KIB, source), false)
    const less = (await printed(t, needed / KIB - PAGE, source)) as [string, string]
    t.is(less[0], 'ENOMEM')
    t.true(less[1].includes(`needs ${needed} bytes`))
  })
}

test('Ring: the limit bounds the number of rings, and closing a ring allows another', async (t) => {
  if (!(await canBeUnprivileged(t))) {
    t.pass()
    return
  }
  const answer = await printed(
    t,
    8 * KIB,
    `import { Ring } from 'uring'
    ${ATTEMPT}
    ${EVENTUALLY}
    const rings = []
    const refusal = await attempt(() => {
      while (rings.length < 1000) rings.push(new Ring())
    })
    const made = rings.length
    await rings.pop().close()
    const again = eventually().entries
    console.log(JSON.stringify([made, refusal, again]))`,
  )
  const [made, refusal, again] = answer as [number, [string, string], number]
  t.is(refusal[0], 'ENOMEM')
  const needed = Number(/needs (\d+) bytes of locked memory, but too much is in use/.exec(refusal[1])?.[1])
  t.is(made, Math.floor((8 * KIB * KIB) / needed))
  t.is(again, 256)
})

test('Ring: names the limit of open files if that is reached first', async (t) => {
  const source = `import { Ring } from 'uring'
    ${EVENTUALLY}
    const rings = []
    try {
      while (rings.length < 1000) rings.push(new Ring({ entries: 1 }))
    } catch (error) {
      const { code, errno, message } = error
      for (const ring of rings.splice(0)) await ring.close()
      console.log(JSON.stringify([code, errno, message, eventually().entries]))
    }`
  const { code, stdout, stderr } = await run('/bin/sh', [
    '-c',
    'ulimit -n 100 && exec "$@"',
    'sh',
    process.execPath,
    '--input-type=module',
    '--eval',
    source,
  ])
  t.is(stderr, '')
  t.is(code, 0)
  const [name, errno, message, entries] = JSON.parse(stdout) as [string, number, string, number]
  if (name === 'ENOMEM') {
    t.log('the limit of locked memory is reached first here')
    return
  }
  t.deepEqual([name, errno, entries], ['EMFILE', -24, 256])
  t.regex(
    message,
    /^EMFILE: too many open files, io_uring_setup: the limit of open files of this process is reached(: 100)? \(ulimit -n\)\. Close files, or raise the limit: ulimit -n/,
  )
})

test('SendZc, SendMsgZc: name the locked memory that they need if it is above the limit', async (t) => {
  if (!(await canBeUnprivileged(t))) {
    t.pass()
    return
  }
  const answer = await printed(
    t,
    64,
    `import { once } from 'node:events'
    import { connect, createServer } from 'node:net'
    import { Ring, SendMsgZc, SendZc } from 'uring'
    ${ATTEMPT}
    const ring = new Ring({ entries: 8 })
    const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect(server.address().port, '127.0.0.1')
    await once(client, 'connect')
    const fd = client._handle.fd
    const big = Buffer.alloc(1024 * 1024)
    const answers = [
      await attempt(() => ring.run(new SendZc(fd, big))),
      await attempt(() => ring.run(new SendMsgZc(fd, { buffers: [big.subarray(1), Buffer.alloc(1)] }))),
      await attempt(() => ring.chain([new SendZc(fd, big)])),
      await attempt(() => ring.run(new SendZc(fd, big.subarray(0, 8192)))),
    ]
    ring.push(new SendZc(fd, big), 'pushed')
    const { error, more } = ring.wait()
    answers.push([error.code, error.message, error.errno, error.operation])
    if (more) ring.wait()
    console.log(JSON.stringify(answers))
    client.destroy()
    server.close()`,
  )
  const needed = (KIB * KIB) / (PAGE * KIB) + 2
  const text = `it needs ${needed * PAGE * KIB} bytes of locked memory, but the limit for all processes of this user together is 65536 (ulimit -l 64). Raise it: ulimit -l KIB, LimitMEMLOCK= in systemd, docker run --ulimit memlock=BYTES`
  const message = `ENOMEM: not enough memory, send: ${text}`
  t.deepEqual(answer, [
    ['ENOMEM', message, -12],
    ['ENOMEM', message.replace('send:', 'sendmsg:'), -12],
    ['ENOMEM', `Step 0 of the chain (SendZc) failed: ${message}`, -12],
    8192,
    ['ENOMEM', message, -12, 'SendZc'],
  ])
})

test('support: as much memory as it says is left beside a default ring can be registered, and not a page more', async (t) => {
  if (!(await canBeUnprivileged(t))) {
    t.pass()
    return
  }
  const said = (await printed(
    t,
    64,
    "import { support } from 'uring'; console.log(JSON.stringify(support()))",
  )) as Support
  t.true(said.available)
  const [text = ''] = said.limitations
  if (/does not count rings/.test(text)) {
    t.log('this kernel does not count rings as locked memory')
    return
  }
  t.regex(
    text,
    /^The processes of this user together may lock 65536 bytes.*, so 1 can be open at a time; one ring leaves/,
  )
  t.like(said.limits, { memlock: 65536, memlockBinds: true })
  t.deepEqual(Object.keys(said.remedies ?? {}), ['shell', 'systemd', 'docker', 'kubernetes'])
  const left = Number(/one ring leaves (\d+) bytes/.exec(text)?.[1])
  t.true(left > 0)

  // In another process, as the kernel releases the memory of a closed ring a little later.
  const answers = await printed(
    t,
    64,
    `import { Ring } from 'uring'
    import { createAddressOf } from 'uring/native'
    import { ioUringRegister } from 'uring/sys'
    const ring = new Ring()
    const page = ${PAGE * KIB}
    const memory = Buffer.alloc(${left} + 2 * page)
    const aligned = Math.ceil(createAddressOf()(memory) / page) * page
    const register = (size) => ioUringRegister(ring.fd, 0, BigUint64Array.of(BigInt(aligned), BigInt(size)), 1)
    console.log(JSON.stringify([register(${left} + page), register(${left})]))`,
  )
  t.deepEqual(answers, [-12, 0])
})

test('support, Ring: explain a limit that is too low for any ring', async (t) => {
  if (!(await canBeUnprivileged(t))) {
    t.pass()
    return
  }
  const answer = await printed(
    t,
    0,
    `import { Ring, support } from 'uring'
    ${ATTEMPT}
    console.log(JSON.stringify([support(), await attempt(() => new Ring({ entries: 1 }).entries)]))`,
  )
  const [said, ring] = answer as [Record<string, unknown>, unknown]
  if (said.available === true) {
    t.is(ring, 1)
    t.log('this kernel does not count rings as locked memory')
    return
  }
  t.like(said, { available: false, reason: 'memlock', errno: -12, operations: [], limitations: [] })
  t.regex(
    said.explanation as string,
    /^a ring of 1 entry needs \d+ bytes of locked memory, but the limit for all processes of this user together is 0 \(ulimit -l 0\)$/,
  )
  t.regex(said.advice as string, /raise the limit: ulimit -l KIB, LimitMEMLOCK=/)
  t.deepEqual(ring, [
    'ENOMEM',
    `ENOMEM: not enough memory, io_uring_setup: ${said.explanation as string}. ${said.advice as string}`,
    -12,
  ])
})

test('support: the limit does not apply with CAP_IPC_LOCK', async (t) => {
  if (process.getuid?.() !== 0) {
    t.log('only the superuser has CAP_IPC_LOCK')
    t.pass()
    return
  }
  const { code, stdout } = await run('/bin/sh', [
    '-c',
    'ulimit -l 0 && exec "$@"',
    'sh',
    process.execPath,
    '--input-type=module',
    '--eval',
    "import { Ring, support } from 'uring'; new Ring(); console.log(JSON.stringify(support()))",
  ])
  t.is(code, 0)
  t.like(JSON.parse(stdout), {
    available: true,
    limitations: [],
    limits: { memlock: 0, memlockBinds: false },
    remedies: undefined,
  })
})

test('support: the limit applies with CAP_IPC_LOCK in a user namespace only', async (t) => {
  const inside = (kib: number, source: string): Promise<Outcome> => {
    const node = [process.execPath, '--input-type=module', '--eval', source]
    return run('unshare', ['-U', '-r', '/bin/sh', '-c', 'ulimit -l "$0" && exec "$@"', String(kib), ...node])
  }
  const probe = await inside(0, '')
  if (probe.code !== 0) {
    t.log(`user namespaces cannot be created here: ${probe.stderr}`)
    t.pass()
    return
  }
  const { code, stdout } = await inside(
    4,
    `import { Ring, support } from 'uring'
    ${ATTEMPT}
    console.log(JSON.stringify([support().limits, await attempt(() => new Ring().entries)]))`,
  )
  t.is(code, 0)
  const [limits, ring] = JSON.parse(stdout) as [unknown, [string, string] | number]
  t.like(limits, { memlock: 4096, memlockBinds: true })
  if (typeof ring === 'number') {
    t.log('this kernel does not count rings as locked memory')
    return
  }
  t.regex(
    ring[1],
    /needs \d+ bytes of locked memory, but the limit for all processes .* is 4096 \(ulimit -l 4\)/,
  )
})
