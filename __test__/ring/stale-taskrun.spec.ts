// The kernel sets the flag that says that completions wait for this thread after it has handed them over: by then they
// may have come, and the flag says so for ever. No call may believe it without end.

import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import test from 'ava'
import { Nop, Read, Ring, type RingOptions, Timeout, Write } from 'uring'
import { ioUringSetup } from 'uring/sys'
import { fifo } from '../helpers/files.ts'

const SQ_FLAGS = 40 + 16 // in struct io_uring_params: where the flags of the submission queue are
const TASKRUN = 1 << 2

/** Where the flags are in the mapping of a ring's queues. */
function flagsOffset(): number {
  const params = Buffer.alloc(120)
  const fd = ioUringSetup(4, params)
  if (fd < 0) throw new Error(`no ring: ${fd}`)
  closeSync(fd)
  return params.readUInt32LE(SQ_FLAGS)
}

/** Where the queues of rings are mapped. */
function mappings(): bigint[] {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes('[io_uring]') && / 00000000 /.test(line))
    .map((line) => BigInt(`0x${line.split('-')[0]}`))
}

/** Sets the flag of a ring that was made last. */
function lie(before: readonly bigint[]): void {
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
  'task work that does not interrupt': { coopTaskrun: true, taskrunFlag: true },
}

for (const [name, mode] of Object.entries(MODES)) {
  test.serial(`a flag that lies keeps no call from returning: ${name}`, async (t) => {
    const before = mappings()
    await using ring = new Ring({ entries: 8, ...mode })
    t.is(await ring.run(new Nop({ result: 7 })), 7) // the event loop is woken from here on
    t.true(mappings().length > before.length)

    lie(before)
    t.is(await ring.run(new Nop({ result: 8 })), 8)
    lie(before)
    t.is(await ring.run(new Timeout(1)), 'expired')
    lie(before)
    ring.push(new Nop({ result: 9 }))
    t.is(ring.wait()?.result, 9)
    lie(before)
    t.is(ring.tryWait(), undefined)

    // What comes later wakes the event loop all the same.
    const fd = fifo(t)
    const bytes = Buffer.alloc(4)
    const read = ring.run(new Read(fd, bytes))
    lie(before)
    t.is(await ring.run(new Write(fd, Buffer.from('late'))), 4)
    t.is(await read, 4)
    t.is(bytes.toString(), 'late')
  })
}
