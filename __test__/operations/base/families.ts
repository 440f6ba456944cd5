// The cases of all families of operations. The cases.ts of a family exports CONFORMANCE (how each operation is encoded),
// ARGUMENTS (which values it takes), or both.

import type { Subject } from './argument-subject.ts'
import type { Case } from './conformance-case.ts'
import * as advise from '../advise/cases.ts'
import * as cancel from '../cancel/cases.ts'
import * as epoll from '../epoll/cases.ts'
import * as filesUpdate from '../files-update/cases.ts'
import * as fs from '../fs/cases.ts'
import * as futex from '../futex/cases.ts'
import * as msgRing from '../msg-ring/cases.ts'
import * as openclose from '../openclose/cases.ts'
import * as poll from '../poll/cases.ts'
import * as provideBuffers from '../provide-buffers/cases.ts'
import * as rw from '../rw/conformance.ts'
import * as rwFixed from '../rw-fixed/conformance.ts'
import * as rwFixedArguments from '../rw-fixed/arguments.ts'
import * as sendRecv from '../send-recv/conformance.ts'
import * as sendRecvArguments from '../send-recv/arguments.ts'
import * as sendmsg from '../sendmsg/conformance.ts'
import * as sendmsgArguments from '../sendmsg/arguments.ts'
import * as socket from '../socket/conformance.ts'
import * as socketArguments from '../socket/arguments.ts'
import * as splice from '../splice/cases.ts'
import * as statx from '../statx/cases.ts'
import * as sync from '../sync/cases.ts'
import * as timeout from '../timeout/cases.ts'
import * as truncate from '../truncate/cases.ts'
import * as uringCmd from '../uring-cmd/cases.ts'
import * as waitid from '../waitid/cases.ts'
import * as xattr from '../xattr/cases.ts'

interface Family {
  readonly CONFORMANCE?: Record<string, Case<unknown>>
  readonly ARGUMENTS?: Record<string, Subject>
}

const FAMILIES: readonly Family[] = [
  advise,
  cancel,
  epoll,
  filesUpdate,
  fs,
  futex,
  msgRing,
  openclose,
  poll,
  provideBuffers,
  rw,
  rwFixed,
  rwFixedArguments,
  sendRecv,
  sendRecvArguments,
  sendmsg,
  sendmsgArguments,
  socket,
  socketArguments,
  splice,
  statx,
  sync,
  timeout,
  truncate,
  uringCmd,
  waitid,
  xattr,
]

/** How each operation is encoded, by its name. */
export const CONFORMANCE: Record<string, Case<unknown>> = Object.assign(
  {},
  ...FAMILIES.map((family) => family.CONFORMANCE),
)

/** The arguments of each operation, by its name. */
export const ARGUMENTS: Record<string, Subject> = Object.assign(
  {},
  ...FAMILIES.map((family) => family.ARGUMENTS),
)
