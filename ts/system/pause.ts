// A synchronous pause.

const never = new Int32Array(new SharedArrayBuffer(4))

/** Blocks the thread for `milliseconds`. */
export function pause(milliseconds: number): void {
  Atomics.wait(never, 0, 0, milliseconds)
}
