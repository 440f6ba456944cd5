use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use typed_uring::register::{ZeroCopySetup, set_wait};
use typed_uring::sys::setup::{R_DISABLED, SQPOLL};
use typed_uring::{MappedMemory, Setup};

use crate::support::{Guarded, Result, errno, nop, push};
use crate::{disabled, pipe_with, ring, wait_for, waiting};

#[test]
fn a_registered_wait_ends_as_described() -> Result {
    let mut ring = disabled()?;
    let memory = MappedMemory::new(4096)?;
    ring.register_region(&memory, true)?;
    assert_eq!(errno(ring.register_region(&memory, true)), Some(libc::EBUSY));
    ring.enable()?;
    let (reader, _writer) = pipe_with(b"")?;
    let _memory = waiting(&mut ring, typed_uring::File::Fd(reader.as_raw_fd()), 9)?;

    set_wait(&memory, 3, Some(Duration::from_millis(20)), Duration::ZERO)?;
    let before = Instant::now();
    assert_eq!(ring.submit_and_wait_registered(1, 3)?, 0);
    assert!(before.elapsed() >= Duration::from_millis(20));
    assert_eq!(ring.cq_ready(), 0);

    // Without a timeout, until a completion arrives.
    set_wait(&memory, 63, None, Duration::ZERO)?;
    push(&mut ring, &[nop(1)])?;
    assert_eq!(ring.submit_and_wait_registered(1, 63)?, 1);
    assert_eq!(wait_for(&mut ring, 1)?, [(1, 0)]);

    for index in [64, usize::MAX / 64, usize::MAX] {
        assert_eq!(
            errno(set_wait(&memory, index, None, Duration::ZERO)),
            Some(libc::EINVAL),
            "{index}"
        );
        assert_eq!(
            errno(ring.submit_and_wait_registered(1, index)),
            Some(libc::EFAULT),
            "{index}"
        );
    }
    ring.cancel_all()?;
    assert_eq!(wait_for(&mut ring, 1)?, [(9, -libc::ECANCELED)]);
    Ok(())
}

#[test]
fn a_sleeping_sqpoll_thread_is_woken_by_a_registered_wait() -> Result {
    let mut ring = Guarded::from(
        Setup {
            entries: 8,
            flags: R_DISABLED | SQPOLL,
            sq_thread_idle: 1,
            ..Setup::default()
        }
        .build()?,
    );
    let memory = MappedMemory::new(4096)?;
    ring.register_region(&memory, true)?;
    set_wait(&memory, 0, Some(Duration::from_secs(20)), Duration::ZERO)?;
    ring.enable()?;
    while !ring.sq_needs_enter() {
        std::thread::yield_now();
    }
    push(&mut ring, &[nop(1), nop(2)])?;
    assert_eq!(ring.submit_and_wait_registered(2, 0)?, 2);
    assert_eq!(ring.cq_ready(), 2);
    assert_eq!(ring.submit()?, 0, "queued entries are reported once");
    Ok(())
}

#[test]
fn a_region_needs_whole_pages_and_for_waits_a_disabled_ring() -> Result {
    let mut ring = ring()?;
    let memory = MappedMemory::new(8192)?;
    assert_eq!(errno(ring.register_region(&memory, true)), Some(libc::EINVAL));
    for (start, end) in [(0, 100), (100, 4196), (0, 0)] {
        let part = memory.slice(start..end).ok_or("inside")?;
        assert_eq!(
            errno(ring.register_region(&part, false)),
            Some(libc::EINVAL),
            "{start}..{end}"
        );
    }
    assert_eq!(errno(ring.submit_and_wait_registered(1, 0)), Some(libc::EFAULT));
    let address = memory.as_ptr();
    ring.register_region(&memory.slice(4096..8192).ok_or("inside")?, false)?;
    drop(memory);
    assert_eq!(
        errno(ring.register_region(&MappedMemory::new(4096)?, false)),
        Some(libc::EBUSY)
    );
    // The ring keeps the memory.
    let again = MappedMemory::new(8192)?;
    assert_ne!(again.as_ptr(), address);
    Ok(())
}

/// Without a suitable device only the call and the kernel's refusal can be tested.
#[test]
fn zero_copy_receive_is_refused_without_a_suitable_device() -> Result {
    let mut ring = ring()?;
    let setup = ZeroCopySetup {
        interface: 1, // loopback
        queue: 0,
        entries: 64,
        area: MappedMemory::new(4096)?,
    };
    let narrow = errno(ring.register_zero_copy_receive(&setup));
    assert!(matches!(narrow, Some(libc::EINVAL | libc::EPERM)), "{narrow:?}");
    let wide = Setup {
        entries: 8,
        flags: typed_uring::sys::setup::CQE32,
        ..Setup::default()
    };
    let mut ring = Guarded::from(wide.build()?);
    let refused = errno(ring.register_zero_copy_receive(&setup));
    assert!(
        matches!(
            refused,
            Some(libc::EINVAL | libc::EPERM | libc::EOPNOTSUPP | libc::ENODEV)
        ),
        "{refused:?}"
    );
    let odd = ZeroCopySetup { entries: 3, ..setup };
    assert_eq!(errno(ring.register_zero_copy_receive(&odd)), Some(libc::EINVAL));
    push(&mut ring, &[nop(1)])?;
    assert_eq!(wait_for(&mut ring, 1)?, [(1, 0)]);
    Ok(())
}
