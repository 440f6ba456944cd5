// Imported before everything else, it lets a thread wake the event loop.

process.env.URING_WAKER = 'thread'
