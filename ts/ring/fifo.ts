// A queue: first in, first out, in constant time.

const SHRINK = 1024

export class Queue<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  /** Returns the oldest item. */
  first(): T | undefined {
    return this.#items[this.#head]
  }

  /** Removes and returns the oldest item. */
  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head] = undefined
    this.#head += 1
    if (this.#head === this.#items.length) {
      this.#items.length = 0
      this.#head = 0
    } else if (this.#head >= SHRINK && this.#head * 2 >= this.#items.length) {
      this.#items.splice(0, this.#head)
      this.#head = 0
    }
    return item
  }

  /** Iterates from the oldest item on. */
  [Symbol.iterator](): Iterator<T> {
    return (this.#items.slice(this.#head) as T[]).values()
  }

  /** Removes and returns, in order, the items that `matches` accepts. `matches` must not change the queue. */
  remove(matches: (item: T) => boolean): T[] {
    const removed: T[] = []
    const kept: T[] = []
    for (const item of this.#items.slice(this.#head) as T[]) (matches(item) ? removed : kept).push(item)
    this.#items = kept
    this.#head = 0
    return removed
  }
}
