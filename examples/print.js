// Prints files, all of them through one ring.
//
// Each file is read by a task, and one more task prints what these have read, in the order of the files. A task is a
// generator that is written as if it waited: it yields an operation, and is given the completion. The task itself is
// the operation's user data, so every completion says who goes on with it.

import { Close, OpenAt, Read, Statx, Write } from 'uring'

/** @import { Completion, Operation, Ring, Stats, UringError } from 'uring' */

/**
 * Yields an operation to be given its completion, or nothing to go on after others have got on.
 *
 * @template [R=void]
 * @typedef {Generator<Operation<unknown> | undefined, R, Completion>} Task
 */

/**
 * A file on its way.
 *
 * @typedef {object} Source
 * @property {string} path
 * @property {Buffer[]} free buffers to read into
 * @property {{ buffer: Buffer, length: number }[]} filled what was read and is not printed, in order
 * @property {boolean} ended whether all that can be read has been
 * @property {string | undefined} problem why that is not all of the file
 */

const STDOUT = 1
const STDERR = 2

/** Files on their way at a time: the one that is printed, and those behind it. */
const FILES = 4
/**
 * Buffers of each: one is filled while the other is printed. So memory is the same for files of any size, and a file
 * that is ahead cannot take the buffers that the one before it needs.
 */
const BUFFERS = 2
const BUFFER_BYTES = 128 * 1024

/**
 * Prints files in order. What cannot be read is reported on standard error, and the rest is printed all the same.
 *
 * @param {Ring} ring
 * @param {readonly string[]} paths
 * @returns {boolean} whether all of them could be read
 * @throws {UringError} when standard output takes no more
 */
export function printFiles(ring, paths) {
  const tasks = new Tasks(ring)
  let complete = true

  /** @returns {Task} */
  function* printAll() {
    const stdout = /** @type {Stats} */ ((yield new Statx(STDOUT)).value)
    /** @type {Source[]} */
    const sources = []
    let next = 0
    /** @param {Buffer[]} buffers */
    const startNext = (buffers) => {
      const path = paths[next]
      if (path === undefined) return
      next += 1
      /** @type {Source} */
      const source = { path, free: buffers, filled: [], ended: false, problem: undefined }
      sources.push(source)
      tasks.start(readFile(source, stdout))
    }

    for (let index = 0; index < Math.min(FILES, paths.length); index += 1) {
      startNext(Array.from({ length: BUFFERS }, () => Buffer.alloc(BUFFER_BYTES)))
    }
    for (let source = sources.shift(); source !== undefined; source = sources.shift()) {
      yield* printSource(source)
      if (source.problem !== undefined) {
        complete = false
        // Through the ring too, for it waits where standard error is full. Nobody to tell is no reason to stop.
        yield* write(STDERR, Buffer.from(`${source.problem}\n`))
      }
      startNext(source.free)
    }
  }

  tasks.start(printAll())
  tasks.run()
  return complete
}

/**
 * Prints a text.
 *
 * @param {Ring} ring
 * @param {string} text
 * @throws {UringError} when standard output takes no more
 */
export function printText(ring, text) {
  const tasks = new Tasks(ring)
  tasks.start(print(Buffer.from(text)))
  tasks.run()
}

/**
 * Opens a file, and reads it as buffers come free.
 *
 * @param {Source} source
 * @param {Stats} stdout
 * @returns {Task}
 */
function* readFile(source, stdout) {
  const { result: fd, error } = yield new OpenAt(source.path)
  if (error === undefined) {
    source.problem = yield* readOpen(source, fd, stdout)
    yield new Close(fd)
  } else {
    source.problem = error.message
  }
  source.ended = true
}

/**
 * @param {Source} source
 * @param {number} fd
 * @param {Stats} stdout
 * @returns {Task<string | undefined>} what went wrong
 */
function* readOpen({ path, free, filled }, fd, stdout) {
  const status = yield new Statx(fd)
  if (status.error !== undefined) return `${status.error.message} '${path}'`
  const file = /** @type {Stats} */ (status.value)
  if (file.isFile() && file.dev === stdout.dev && file.ino === stdout.ino) {
    return `${path}: input file is output file` // which would grow as it is printed, without end
  }
  for (;;) {
    const buffer = free.pop()
    if (buffer === undefined) {
      yield
      continue
    }
    // From the file's own position, for pipes have no other; and until nothing comes, since sizes tell little: files
    // grow while they are read, and those of /proc have none.
    const { result: length, error } = yield new Read(fd, buffer)
    if (length > 0) {
      filled.push({ buffer, length })
    } else {
      free.push(buffer)
      return error && `${error.message} '${path}'`
    }
  }
}

/**
 * @param {Source} source
 * @returns {Task}
 */
function* printSource(source) {
  while (!source.ended || source.filled.length > 0) {
    const chunk = source.filled.shift()
    if (chunk === undefined) {
      yield
    } else {
      yield* print(chunk.buffer.subarray(0, chunk.length))
      source.free.push(chunk.buffer)
    }
  }
}

/**
 * @param {Buffer} bytes
 * @returns {Task}
 */
function* print(bytes) {
  const error = yield* write(STDOUT, bytes)
  if (error !== undefined) throw error
}

/**
 * Writes all of it: pipes take what they have room for.
 *
 * @param {number} fd
 * @param {Buffer} bytes
 * @returns {Task<UringError | undefined>}
 */
function* write(fd, bytes) {
  for (let rest = bytes; rest.length > 0;) {
    const { result: written, error } = yield new Write(fd, rest)
    if (error !== undefined) return error
    rest = rest.subarray(written)
  }
  return undefined
}

/** Tasks that share a ring. */
class Tasks {
  #ring
  #unfinished = 0
  /** @type {Task[]} tasks that wait for others */
  #idle = []

  /** @param {Ring} ring */
  constructor(ring) {
    this.#ring = ring
  }

  /** @param {Task} task */
  start(task) {
    this.#unfinished += 1
    this.#settle(task, task.next())
  }

  /** Returns when all tasks have finished. What a task throws ends it at once. */
  run() {
    while (this.#unfinished > 0) {
      // One system call hands over what was pushed, and waits until something is done.
      for (const completion of this.#ring.waitMany(1, { max: this.#ring.cqEntries })) {
        const task = /** @type {Task} */ (completion.userData)
        this.#settle(task, task.next(completion))
      }
      for (const task of this.#idle.splice(0)) this.#settle(task, task.next())
    }
  }

  /**
   * @param {Task} task
   * @param {IteratorResult<Operation<unknown> | undefined, void>} step what it has come to
   */
  #settle(task, { done, value }) {
    if (done) this.#unfinished -= 1
    else if (value === undefined) this.#idle.push(task)
    else this.#ring.push(value, task)
  }
}
