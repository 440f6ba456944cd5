// Whole pages of memory, as the kernel maps them.

import { binding } from '../binding.ts'
import { allocate } from './allocate.ts'

let size: number | undefined

/** Bytes of a page. */
export function pageSize(): number {
  size ??= binding().rawPageSize()
  return size
}

/** At least this many bytes, rounded up to pages, that start with one and never move. */
export function allocatePages(bytes: number): Buffer {
  const page = pageSize()
  return allocate(Math.ceil(bytes / page) * page, { alignment: page })
}

/** Whether memory starts with a page and ends with one. */
export function isWholePages(address: number, bytes: number): boolean {
  const page = pageSize()
  return address % page === 0 && bytes % page === 0 && bytes > 0
}
