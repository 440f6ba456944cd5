// First in, first out.

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

  /** The oldest, which stays. */
  first(): T | undefined {
    return this.#items[this.#head]
  }

  /** The oldest, which goes. */
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

  /** From the oldest on. */
  [Symbol.iterator](): Iterator<T> {
    return (this.#items.slice(this.#head) as T[]).values()
  }

  /** Takes out all that `matches`, which is asked once for each and changes nothing here, and gives them in order. */
  remove(matches: (item: T) => boolean): T[] {
    const removed: T[] = []
    const kept: T[] = []
    for (const item of this.#items.slice(this.#head) as T[]) (matches(item) ? removed : kept).push(item)
    this.#items = kept
    this.#head = 0
    return removed
  }
}
