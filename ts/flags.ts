// The kernel's constants, under its own names.

export * from './flags/events.ts'
export * from './flags/files.ts'
export * from './flags/ring.ts'
export * from './flags/sockets.ts'
