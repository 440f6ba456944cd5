// Source text for programs that show what an operation keeps alive. Paths and structs are allocated from shared chunks,
// so that neighbours usually keep memory alive that an operation drops by mistake. Here an operation has its own chunks.

/**
 * `alone(push)` calls `push` at the end of a chunk: its first allocation, of at most 16 bytes, is the last one in that
 * chunk, and its other allocations are alone in the next chunk. `collect()` runs the garbage collector, and allocates and
 * overwrites memory that is free. Needs `UnlinkAt`, and Node.js with `--expose-gc`.
 */
export const CHUNKS = `
const PIECE = 4096
/** Allocates \`size\` bytes; returns the address. */
const allocate = (size) => new DataView(new UnlinkAt('x'.repeat(size - 1)).build().bytes.buffer).getBigUint64(16, true)
/** Allocates until a piece of the next chunk is in use; returns the number of pieces that were left in the old one. */
const nextChunk = () => {
  let pieces = 0
  for (let last = allocate(PIECE); ; pieces += 1) {
    const address = allocate(PIECE)
    if (address !== last + BigInt(PIECE)) return pieces
    last = address
  }
}
nextChunk()
const CHUNK = (nextChunk() + 2) * PIECE
const alone = (push) => {
  nextChunk()
  for (let left = CHUNK - PIECE - 16; left > 0; left -= PIECE) allocate(Math.min(left, PIECE))
  push()
  nextChunk()
}
const noise = []
const collect = async () => {
  for (let round = 0; round < 4; round += 1) {
    globalThis.gc()
    await new Promise(setImmediate) // a WeakRef keeps its target until the job ends
    noise.push(Array.from({ length: 200 }, () => new Uint8Array(CHUNK).fill(0xee)))
    noise.push(Array.from({ length: 2000 }, () => new Uint8Array(20).fill(0xee).buffer))
  }
}
`
