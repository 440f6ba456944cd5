// The package that is measured: the one of this checkout, or the module that URING_BENCH_PACKAGE names.

/** @type {typeof import('uring')} */
const measured = await import(process.env.URING_BENCH_PACKAGE ?? 'uring')

export const { Nop, Read, Ring } = measured
