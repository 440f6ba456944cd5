// Tokens: numbers that name one submission, generation * 2^22 + index.

import { integer } from '../arguments/validate.ts'

/** Names one submission; 0 is none. */
export type Token = number

const INDEX_BITS = 22
/** Submissions that a ring can tell apart. */
export const MAX_SUBMISSIONS: number = 2 ** INDEX_BITS

/** The token of what is in a submission now. */
export function tokenOf(submission: { readonly index: number; readonly generation: number }): Token {
  return submission.generation * MAX_SUBMISSIONS + submission.index
}

/** The submission of a token: the low word of the user data. */
export function indexOf(token: Token): number {
  return token % MAX_SUBMISSIONS
}

/** The generation of a token: the high word of the user data. */
export function generationOf(token: Token): number {
  return Math.floor(token / MAX_SUBMISSIONS)
}

/** A token: what `push` returned. */
export function checkToken(token: Token, name = 'token'): Token {
  return integer(token, name, 0, Number.MAX_SAFE_INTEGER)
}
