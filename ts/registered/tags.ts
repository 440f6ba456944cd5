// Tags: numbers that come back as completions when the kernel has let go of a resource.

import { invalidType, invalidValue, outOfRange } from '../arguments/validate.ts'

const MAX_TAG = (1n << 62n) - 1n
/** In the user data, bit 63 tells what does not answer a submission, and bit 62 a tag from a message. */
const MARK = 3n << 62n

/**
 * The tags of so many resources as the kernel gets them: the user data of their completions, or 0 where there is to be
 * none. No tags at all where none were given.
 *
 * `tagged` says which of the resources can have one.
 */
export function tagWords(tags: unknown, count: number, tagged: (index: number) => boolean): bigint[] {
  if (tags === undefined) return []
  if (!Array.isArray(tags)) throw invalidType('options.tags', 'an instance of Array', tags)
  if (tags.length !== count) throw invalidValue('options.tags', tags, `must have ${count} tags, one for each`)
  // By index: an iterator of its own could give another number of them, and the kernel reads so many.
  return Array.from({ length: count }, (_, index) => {
    const tag: unknown = tags[index]
    const name = `options.tags[${index}]`
    if (typeof tag !== 'bigint') throw invalidType(name, 'of type bigint', tag)
    if (tag < 0n || tag > MAX_TAG) throw outOfRange(name, `>= 0n && <= ${MAX_TAG}n`, tag)
    if (tag === 0n) return 0n
    if (!tagged(index)) throw invalidValue(name, tag, 'must be 0n: nothing is registered there')
    return tag | MARK
  })
}
