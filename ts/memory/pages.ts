// Memory in whole pages, the unit in which the kernel maps it.

import { pageSize } from '../system/proc.ts'
import { allocate } from './allocate.ts'

/** Allocates at least `bytes` bytes, rounded up to whole pages and aligned to a page. The memory never moves. */
export function allocatePages(bytes: number): Buffer {
  const page = pageSize()
  return allocate(Math.ceil(bytes / page) * page, { alignment: page })
}

/** Tells if memory starts and ends at a page boundary, and is not empty. */
export function isWholePages(address: number, bytes: number): boolean {
  const page = pageSize()
  return address % page === 0 && bytes % page === 0 && bytes > 0
}
