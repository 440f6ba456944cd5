// Prints files, all of them through one ring.
//
// A task reads each file, and one more task prints the contents in the order of the files. A task is a generator: it
// yields an operation and is resumed with its completion. The task is the operation's user data, so every completion names
// the task to resume.

import { Close, OpenAt, Read, Statx, Write } from 'uring'

/** @import { Completion, Operation, Ring, Stats, UringError } from 'uring' */

/**
 * Yields an operation, to be resumed with its completion, or `undefined`, to be resumed after other tasks have run.
 *
 * @template [R=void]
 * @typedef {Generator<Operation<unknown> | undefined, R, Completion>} Task
 */

/**
 * A file that is being read and printed.
 *
 * @typedef {object} Source
 * @property {string} path
 * @property {Buffer[]} free buffers to read into
 * @property {{ buffer: Buffer, length: number }[]} filled contents that are not printed yet, in order
 * @property {boolean} ended true if nothing more can be read
 * @property {string | undefined} problem why the file was not read completely
 */

const STDOUT = 1
const STDERR = 2

/** Files that are open at a time: the one that is printed, and the next ones. */
const FILES = 4
/**
 * Buffers of each file: one is filled while the other is printed. Memory use does not depend on the size of files, and a
 * later file cannot take buffers that an earlier one needs.
 */
const BUFFERS = 2
const BUFFER_BYTES = 128 * 1024

/**
 * Prints files in order. Files that cannot be read are reported on standard error, and the others are printed.
 *
 * @param {Ring} ring
 * @param {readonly string[]} paths
 * @returns {boolean} true if all of them could be read
 * @throws {UringError} if standard output cannot be written
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
        // Through the ring too, which waits if standard error is full. A closed standard error is no reason to stop.
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
 * @throws {UringError} if standard output cannot be written
 */
export function printText(ring, text) {
  const tasks = new Tasks(ring)
  tasks.start(print(Buffer.from(text)))
  tasks.run()
}

/**
 * Opens a file, and reads it whenever a buffer is free.
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
 * @returns {Task<string | undefined>} the problem, if there was one
 */
function* readOpen({ path, free, filled }, fd, stdout) {
  const status = yield new Statx(fd)
  if (status.error !== undefined) return `${status.error.message} '${path}'`
  const file = /** @type {Stats} */ (status.value)
  if (file.isFile() && file.dev === stdout.dev && file.ino === stdout.ino) {
    return `${path}: input file is output file` // it would grow as it is printed, without end
  }
  for (;;) {
    const buffer = free.pop()
    if (buffer === undefined) {
      yield
      continue
    }
    // From the file position, since pipes have no other, and until the end, since sizes are not reliable: files grow
    // while they are read, and those in /proc have none.
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
 * Writes all bytes: a pipe accepts only what it has capacity for.
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
  /** @type {Task[]} tasks that wait for other tasks */
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

  /** Returns when all tasks have finished. An error that a task throws ends the run. */
  run() {
    while (this.#unfinished > 0) {
      // One system call submits the pushed operations and waits for the first completion.
      for (const completion of this.#ring.waitMany(1, { max: this.#ring.cqEntries })) {
        const task = /** @type {Task} */ (completion.userData)
        this.#settle(task, task.next(completion))
      }
      for (const task of this.#idle.splice(0)) this.#settle(task, task.next())
    }
  }

  /**
   * @param {Task} task
   * @param {IteratorResult<Operation<unknown> | undefined, void>} step what the task yielded or returned
   */
  #settle(task, { done, value }) {
    if (done) this.#unfinished -= 1
    else if (value === undefined) this.#idle.push(task)
    else this.#ring.push(value, task)
  }
}
