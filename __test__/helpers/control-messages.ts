// Control messages that pass descriptors, and the descriptors that came along.

import { readFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { type ControlMessage, ControlType, SocketLevel } from 'uring'
import { closing } from './sockets.ts'

/** A control message that passes descriptors. */
export function rights(...descriptors: number[]): ControlMessage {
  return {
    level: SocketLevel.SOCKET,
    type: ControlType.RIGHTS,
    data: Buffer.from(Int32Array.from(descriptors).buffer),
  }
}

/** The descriptors that came along, which are closed after the test. */
export function descriptors(t: ExecutionContext, control: readonly ControlMessage[]): number[] {
  return control
    .filter(({ level, type }) => level === SocketLevel.SOCKET && type === ControlType.RIGHTS)
    .flatMap(({ data }) => Array.from(new Int32Array(data.buffer, data.byteOffset, data.length / 4)))
    .map((fd) => closing(t, fd))
}

/** Whether a descriptor is closed in programs that are started. */
export function closesOnExec(fd: number): boolean {
  const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] as string
  return (Number.parseInt(flags, 8) & 0o2000000) !== 0
}
