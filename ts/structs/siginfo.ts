// `siginfo_t`, as waitid(2) fills it in.

import { constants } from 'node:os'
import { ChildCode } from '../flags/index.ts'

/** How a child process changed. */
export interface ChildState {
  /** The child. */
  readonly pid: number
  /** Its real user. */
  readonly uid: number
  /** What happened, `ChildCode`. */
  readonly code: number
  /** The exit status after `EXITED`, else the number of the signal. */
  readonly status: number
  /** The signal that ended, stopped or continued it; `null` when it exited, and for signals without a name. */
  readonly signal: NodeJS.Signals | null
}

/** Bytes of a `siginfo_t`. */
export const SIGINFO_BYTES = 128

const SIGNO = 0
const CODE = 8
const PID = 16
const UID = 20
const STATUS = 24

/** The first name of each: some have an old one too. */
const NAMES = new Map<number, NodeJS.Signals>()
for (const [name, number] of Object.entries(constants.signals)) {
  if (!NAMES.has(number)) NAMES.set(number, name as NodeJS.Signals)
}

/** The change of a child; `undefined` where no child has changed, which is all zeros. */
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
