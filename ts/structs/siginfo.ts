// `siginfo_t`, as waitid(2) fills it in.

import { constants } from 'node:os'
import { ChildCode } from '../flags/index.ts'

/** The change of a child process, as `WaitId` returns it. */
export interface ChildState {
  /** The process id of the child. */
  readonly pid: number
  /** The real user id of the child. */
  readonly uid: number
  /** The change, `ChildCode`. */
  readonly code: number
  /** The exit status for `ChildCode.EXITED`, otherwise the number of the signal. */
  readonly status: number
  /** The signal that ended, stopped or continued the child; `null` if it exited, or if the signal has no name. */
  readonly signal: NodeJS.Signals | null
}

/** The size of a `siginfo_t` in bytes. */
export const SIGINFO_BYTES = 128

const SIGNO = 0
const CODE = 8
const PID = 16
const UID = 20
const STATUS = 24

/** Names of signals. Some signals have a second, older name, which is left out. */
const NAMES = new Map<number, NodeJS.Signals>()
for (const [name, number] of Object.entries(constants.signals)) {
  if (!NAMES.has(number)) NAMES.set(number, name as NodeJS.Signals)
}

/** Decodes the change of a child; `undefined` if no child has changed and the struct is all zeros. */
export function decodeSiginfo(bytes: Buffer): ChildState | undefined {
  if (bytes.readInt32LE(SIGNO) === 0) return undefined
  const code = bytes.readInt32LE(CODE)
  const status = bytes.readInt32LE(STATUS)
  return {
    pid: bytes.readInt32LE(PID),
    uid: bytes.readUInt32LE(UID),
    code,
    status,
    signal: code === ChildCode.EXITED ? null : (NAMES.get(status) ?? null),
  }
}
