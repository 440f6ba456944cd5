// The arguments of ts/operations/xattr.ts.

import { FGetXattr, FSetXattr, GetXattr, SetXattr } from 'uring'
import { allBut, type Bad, KINDS, noInteger, these, TYPE, VALUE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

const name: Bad[] = [
  ...allBut(['string']),
  ...these([Object('user.x'), ['user.x'], Buffer.from('user.x'), new URL('file:///user.x')], TYPE),
  ...these(['user.a\0b', '\0', 'user.x\0'], VALUE),
]
const value: Bad[] = [
  ...allBut(['string', 'bytes']),
  ...these([{ byteLength: 8 }, { buffer: new ArrayBuffer(8), byteOffset: 0, byteLength: 8 }], TYPE),
  ...these([Object('text'), ['text'], [8], { group: 1 }, new URL('file:///x')], TYPE),
]

const aPath = [KINDS.path, () => '/dev/null'] as const
const aFile = [KINDS.file, () => 0] as const
const aName = [name, () => 'user.x'] as const
const aValue = [value, () => Buffer.alloc(8)] as const
const setting = { flags: KINDS.mask }
const getting = { size: noInteger(0, 65_536) }

export const ARGUMENTS: Record<string, Subject> = {
  SetXattr: {
    Class: SetXattr,
    positional: { path: aPath, name: aName, value: aValue },
    options: setting,
  },
  FSetXattr: {
    Class: FSetXattr,
    positional: { file: aFile, name: aName, value: aValue },
    options: setting,
  },
  GetXattr: { Class: GetXattr, positional: { path: aPath, name: aName }, options: getting },
  FGetXattr: { Class: FGetXattr, positional: { file: aFile, name: aName }, options: getting },
}
