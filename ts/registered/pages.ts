// Whole pages of memory, as the kernel maps them.

import { readFileSync } from 'node:fs'
import { addressOf } from '../memory.ts'

const AT_PAGESZ = 6n
const USUAL = 4096

let size: number | undefined

/** Bytes of a page: the kernel tells every process in its auxiliary vector. */
export function pageSize(): number {
  size ??= readPageSize()
  return size
}

function readPageSize(): number {
  const vector = readFileSync('/proc/self/auxv')
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8))
  }
  return USUAL
}

/** At least this many bytes, rounded up to pages, that start with one and never move. */
export function allocatePages(bytes: number): Buffer {
  const page = pageSize()
  const rounded = Math.ceil(bytes / page) * page
  const memory = new SharedArrayBuffer(rounded + page)
  const past = addressOf(memory) % page
  return Buffer.from(memory, past === 0 ? 0 : page - past, rounded)
}

/** Whether memory starts with a page and ends with one. */
export function isWholePages(address: number, bytes: number): boolean {
  const page = pageSize()
  return address % page === 0 && bytes % page === 0 && bytes > 0
}
