// Source text for programs that show what an operation keeps alive. Paths and structs are cut from common chunks, so
// what is dropped by mistake is mostly held by its neighbours: here an operation has chunks to itself.

/**
 * `alone(push)`: what `push` allocates first, 16 bytes at most, is all that its operation has in one chunk, and the
 * rest is all that there is in the next. `collect()`: what nobody holds is freed, handed out again and overwritten.
 * Needs `UnlinkAt`, and Node.js with `--expose-gc`.
 */
export const CHUNKS = `
const PIECE = 4096
/** Allocates so many bytes, and says where. */
const take = (size) => new DataView(new UnlinkAt('x'.repeat(size - 1)).build().bytes.buffer).getBigUint64(16, true)
/** Goes on to the next chunk, of which one piece is taken then; says how many pieces were left. */
const nextChunk = () => {
  let pieces = 0
  for (let last = take(PIECE); ; pieces += 1) {
    const address = take(PIECE)
    if (address !== last + BigInt(PIECE)) return pieces
    last = address
  }
}
nextChunk()
const CHUNK = (nextChunk() + 2) * PIECE
const alone = (push) => {
  nextChunk()
  for (let left = CHUNK - PIECE - 16; left > 0; left -= PIECE) take(Math.min(left, PIECE))
  push()
  nextChunk()
}
const noise = []
const collect = async () => {
  for (let round = 0; round < 4; round += 1) {
    globalThis.gc()
    await new Promise(setImmediate) // weak references hold until the job ends
    noise.push(Array.from({ length: 200 }, () => new Uint8Array(CHUNK).fill(0xee)))
    noise.push(Array.from({ length: 2000 }, () => new Uint8Array(20).fill(0xee).buffer))
  }
}
`
