// Makes the waiter thread wake the event loop. It has to be imported before everything else.

process.env.URING_WAKER = 'thread'
