// Tags: numbers that arrive as completions when the kernel releases a registered resource.

import { invalidType, invalidValue, outOfRange } from '../arguments/validate.ts'

const MAX_TAG = (1n << 62n) - 1n
/** In the user data, bit 63 marks an unsolicited completion, and bit 62 tells a tag from a message. */
const MARK = 3n << 62n

/**
 * Returns the tags of `count` resources as the kernel gets them: the user data of their completions, or 0 for no
 * completion. Returns no words if `tags` is absent. `tagged` tells if the resource at an index can have a tag.
 */
export function tagWords(tags: unknown, count: number, tagged: (index: number) => boolean): bigint[] {
  if (tags === undefined) return []
  if (!Array.isArray(tags)) throw invalidType('options.tags', 'an instance of Array', tags)
  if (tags.length !== count) throw invalidValue('options.tags', tags, `must have ${count} tags, one for each`)
  // By index: a custom iterator could yield another number of tags, and the kernel reads exactly this many.
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
