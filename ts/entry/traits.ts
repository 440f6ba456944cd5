// Traits of an entry: bits that say how its completions are handled.

/** The entry may complete more than once. */
export const MULTISHOT = 1
/** Its operation class sees each completion as it is consumed. */
export const OBSERVED = 2
/** Its completions form a single result, which the last one ends. */
export const SINGLE_RESULT = 4
/** The entry was built and owns its memory, which another submission of it may write again. */
export const BUILT = 8
/** The submission belongs to the promise API: its user data is a task. The greatest trait. */
export const RUN = 16
