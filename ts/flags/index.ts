// The kernel's constants, under its own names.

export * from './events.ts'
export * from './files.ts'
export * from './ring.ts'
export * from './sockets.ts'
