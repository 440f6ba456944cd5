// Tests that a stale IORING_SQ_TASKRUN flag does not make any call loop forever. The kernel can set the flag after the
// task work that it announces has run already; it then stays set although no completion is outstanding.

import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import test from 'ava'
import { Nop, Read, Ring, type RingOptions, Timeout, Write } from 'uring'
import { ioUringSetup } from 'uring/sys'
import { fifo } from '../helpers/files.ts'

const SQ_FLAGS = 40 + 16 // offset of sq_off.flags in struct io_uring_params
const TASKRUN = 1 << 2

/** Returns the offset of the submission queue's flags in the mapping of a ring. */
function flagsOffset(): number {
  const params = Buffer.alloc(120)
  const fd = ioUringSetup(4, params)
  if (fd < 0) throw new Error(`no ring: ${fd}`)
  closeSync(fd)
  return params.readUInt32LE(SQ_FLAGS)
}

/** Returns the addresses at which rings are mapped. */
function mappings(): bigint[] {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes('[io_uring]') && / 00000000 /.test(line))
    .map((line) => BigInt(`0x${line.split('-')[0]}`))
}

/** Sets IORING_SQ_TASKRUN in each ring whose mapping is not in `before`. */
function setTaskrun(before: readonly bigint[]): void {
  const memory = openSync('/proc/self/mem', 'r+')
  const word = Buffer.alloc(4)
  for (const mapping of mappings().filter((address) => !before.includes(address))) {
    const at = Number(mapping) + flagsOffset()
    readSync(memory, word, 0, 4, at)
    word.writeUInt32LE(word.readUInt32LE() | TASKRUN)
    writeSync(memory, word, 0, 4, at)
  }
  closeSync(memory)
}

const MODES: Record<string, RingOptions> = {
  'the default mode': {},
  'coopTaskrun and taskrunFlag': { coopTaskrun: true, taskrunFlag: true },
}

for (const [name, mode] of Object.entries(MODES)) {
  test.serial(`Ring: every call returns while IORING_SQ_TASKRUN is stale: ${name}`, async (t) => {
    const before = mappings()
    await using ring = new Ring({ entries: 8, ...mode })
    t.is(await ring.run(new Nop({ result: 7 })), 7) // registers the eventfd
    t.true(mappings().length > before.length)

    setTaskrun(before)
    t.is(await ring.run(new Nop({ result: 8 })), 8)
    setTaskrun(before)
    t.is(await ring.run(new Timeout(1)), 'expired')
    setTaskrun(before)
    ring.push(new Nop({ result: 9 }))
    t.is(ring.wait()?.result, 9)
    setTaskrun(before)
    t.is(ring.tryWait(), undefined)

    // A later completion still wakes the event loop.
    const fd = fifo(t)
    const bytes = Buffer.alloc(4)
    const read = ring.run(new Read(fd, bytes))
    setTaskrun(before)
    t.is(await ring.run(new Write(fd, Buffer.from('late'))), 4)
    t.is(await read, 4)
    t.is(bytes.toString(), 'late')
  })
}
