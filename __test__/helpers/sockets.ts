// Sockets that are closed after the test.

import { closeSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { SocketDomain, SocketType } from 'uring'
import { socketpair } from 'uring/sys'

/** Closes a descriptor after the test. */
export function closing(t: ExecutionContext, fd: number): number {
  t.teardown(() => closeSync(fd))
  return fd
}

/** Creates a pair of connected sockets. */
export function pair(t: ExecutionContext, type: number = SocketType.STREAM): [number, number] {
  const [left, right] = socketpair(SocketDomain.UNIX, type)
  return [closing(t, left), closing(t, right)]
}
