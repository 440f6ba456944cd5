// The length of a blocking call.

/** Milliseconds. JavaScript cannot interrupt a blocking call, so a longer wait consists of slices. */
export const SLICE = 50
