// The cases of all families of operations. The cases.ts of a family exports CONFORMANCE (how each operation is encoded),
// ARGUMENTS (which values it takes), or both.

import type { Subject } from './argument-subject.ts'
import type { Case } from './conformance-case.ts'
import * as cancel from '../cancel/conformance.ts'
import * as cancelArguments from '../cancel/arguments.ts'
import * as epoll from '../epoll/conformance.ts'
import * as epollArguments from '../epoll/arguments.ts'
import * as filesUpdate from '../files-update/conformance.ts'
import * as filesUpdateArguments from '../files-update/arguments.ts'
import * as fs from '../fs/conformance.ts'
import * as fsArguments from '../fs/arguments.ts'
import * as futex from '../futex/conformance.ts'
import * as futexArguments from '../futex/arguments.ts'
import * as msgRing from '../msg-ring/conformance.ts'
import * as msgRingArguments from '../msg-ring/arguments.ts'
import * as openclose from '../openclose/conformance.ts'
import * as opencloseArguments from '../openclose/arguments.ts'
import * as poll from '../poll/conformance.ts'
import * as pollArguments from '../poll/arguments.ts'
import * as provideBuffers from '../provide-buffers/conformance.ts'
import * as provideBuffersArguments from '../provide-buffers/arguments.ts'
import * as rw from '../rw/conformance.ts'
import * as rwFixed from '../rw-fixed/conformance.ts'
import * as rwFixedArguments from '../rw-fixed/arguments.ts'
import * as sendRecv from '../send-recv/conformance.ts'
import * as sendRecvArguments from '../send-recv/arguments.ts'
import * as sendmsg from '../sendmsg/conformance.ts'
import * as sendmsgArguments from '../sendmsg/arguments.ts'
import * as socket from '../socket/conformance.ts'
import * as socketArguments from '../socket/arguments.ts'
import * as splice from '../splice/conformance.ts'
import * as spliceArguments from '../splice/arguments.ts'
import * as statx from '../statx/conformance.ts'
import * as statxArguments from '../statx/arguments.ts'
import * as sync from '../sync/conformance.ts'
import * as syncArguments from '../sync/arguments.ts'
import * as timeout from '../timeout/conformance.ts'
import * as timeoutArguments from '../timeout/arguments.ts'
import * as uringCmd from '../uring-cmd/conformance.ts'
import * as uringCmdArguments from '../uring-cmd/arguments.ts'
import * as waitid from '../waitid/conformance.ts'
import * as waitidArguments from '../waitid/arguments.ts'
import * as xattr from '../xattr/conformance.ts'
import * as xattrArguments from '../xattr/arguments.ts'

interface Family {
  readonly CONFORMANCE?: Record<string, Case<unknown>>
  readonly ARGUMENTS?: Record<string, Subject>
}

const FAMILIES: readonly Family[] = [
  advise,
  cancel,
  cancelArguments,
  epoll,
  filesUpdate,
  fs,
  futex,
  msgRing,
  openclose,
  opencloseArguments,
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
  statxArguments,
  sync,
  timeout,
  timeoutArguments,
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
