// The kernel's constants, in one object per group.

export * from './events.ts'
export * from './files.ts'
export * from './ring.ts'
export * from './sockets.ts'
