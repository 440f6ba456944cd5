// Masks are 32 bits: a negative number is accepted, and reads back as the unsigned number that the kernel gets.

import test from 'ava'
import {
  EpollCtl,
  Fallocate,
  FSetXattr,
  FutexWait,
  FutexWake,
  LinkAt,
  MsgRingData,
  OpenAt2,
  Pipe,
  PollAdd,
  PollUpdate,
  RenameAt,
  SetXattr,
  Splice,
  Statx,
  SyncFileRange,
  Tee,
  UnlinkAt,
} from 'uring'

const TOP = -0x8000_0000
const word = new Int32Array(1)

const MASKS: readonly [name: string, value: number | undefined][] = [
  ['EpollCtl: events', new EpollCtl(0, 'add', 1, { events: TOP }).events],
  ['RenameAt: flags', new RenameAt('a', 'b', { flags: TOP }).flags],
  ['LinkAt: flags', new LinkAt('a', 'b', { flags: TOP }).flags],
  ['UnlinkAt: flags', new UnlinkAt('a', { flags: TOP }).flags],
  ['FutexWait: mask', new FutexWait(word, 0, { mask: TOP }).mask],
  ['FutexWake: mask', new FutexWake(word, 1, { mask: TOP }).mask],
  ['MsgRingData: flags', new MsgRingData({ fd: 0 }, 0, 0, { flags: TOP }).flags],
  ['MsgRingData: userFlags', new MsgRingData({ fd: 0 }, 0, 0, { userFlags: TOP }).userFlags],
  ['OpenAt2: resolve', new OpenAt2('a', { resolve: TOP }).resolve],
  ['PollAdd: events', new PollAdd(0, TOP).events],
  ['PollUpdate: events', new PollUpdate(1, { events: TOP }).events],
  ['Splice: flags', new Splice(0, 1, 1, { flags: TOP }).flags],
  ['Tee: flags', new Tee(0, 1, 1, { flags: TOP }).flags],
  ['Pipe: flags', new Pipe({ flags: TOP }).flags],
  ['Statx: flags', new Statx('a', { flags: TOP }).flags],
  ['SyncFileRange: flags', new SyncFileRange(0, { flags: TOP }).flags],
  ['Fallocate: mode', new Fallocate(0, 1, { mode: TOP }).mode],
  ['SetXattr: flags', new SetXattr('a', 'b', 'c', { flags: TOP }).flags],
  ['FSetXattr: flags', new FSetXattr(0, 'a', 'b', { flags: TOP }).flags],
]

for (const [name, value] of MASKS) {
  test(`${name} reads back as an unsigned number`, (t) => {
    t.is(value, 0x8000_0000)
  })
}
