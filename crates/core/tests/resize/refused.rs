//! Resizes that fail and leave the ring as it was.

use super::*;

#[test]
fn resize_to_less_than_is_queued_fails_and_changes_nothing() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    push(&mut ring, &[nop(1), nop(2), nop(3), nop(4), nop(5)])?;
    assert_eq!(
        errno(ring.resize(4, 16)),
        Some(libc::EOVERFLOW),
        "five entries are queued"
    );
    assert_eq!((ring.entries(), ring.sq_ready()), (8, 5));
    assert_eq!(ring.submit()?, 5);
    assert_eq!(
        errno(ring.resize(4, 4)),
        Some(libc::EOVERFLOW),
        "five completions are ready"
    );
    assert_eq!((ring.entries(), ring.cq_entries(), ring.cq_ready()), (8, 16, 5));
    push(&mut ring, &[nop(6)])?;
    assert_eq!(ring.submit()?, 1);
    assert_eq!(user_data(&take(&mut ring)), [1, 2, 3, 4, 5, 6]);
    ring.resize(4, 4)?;
    Ok(())
}

#[test]
fn resize_to_invalid_sizes_fails_and_changes_nothing() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    for (entries, cq_entries) in [
        (0, 16),
        (8, 0),
        (16, 8), // fewer completions than entries
        (MAX_ENTRIES + 1, MAX_CQ_ENTRIES),
        (8, MAX_CQ_ENTRIES + 1),
        (u32::MAX, u32::MAX),
    ] {
        let answer = errno(ring.resize(entries, cq_entries));
        assert_eq!(answer, Some(libc::EINVAL), "{entries} and {cq_entries}");
        assert_eq!((ring.entries(), ring.cq_entries()), (8, 16));
    }
    push(&mut ring, &[nop(1)])?;
    assert_eq!(user_data(&wait_for(&mut ring, 1)?), [1]);
    Ok(())
}

#[test]
fn resize_of_an_unsuitable_ring_fails_and_changes_nothing() -> Result {
    let _turn = turn();
    let with = |flags, mode| {
        Setup {
            entries: 8,
            flags,
            mode,
            ..Setup::default()
        }
        .build()
    };
    let rings = [
        with(0, Some(0))?,
        with(0, Some(NO_SQARRAY))?,
        with(0, Some(COOP_TASKRUN | SUBMIT_ALL | NO_SQARRAY))?,
        // The kernel would resize a ring with an SQ array, and the array would overwrite the queues.
        with(0, Some(SINGLE_ISSUER | DEFER_TASKRUN))?,
        with(SQPOLL, None)?,
        with(SQE128, None)?,
        with(CQE32, None)?,
        with(SQE128 | CQE32, None)?,
    ];
    for ring in rings {
        let mut ring = Guarded::from(ring);
        let flags = ring.setup_flags();
        push(&mut ring, &[nop(1), nop(2)])?;
        assert_eq!(errno(ring.resize(64, 128)), Some(libc::EINVAL), "{flags:#x}");
        assert_eq!((ring.entries(), ring.cq_entries()), (8, 32));
        assert_eq!(user_data(&wait_for(&mut ring, 2)?), [1, 2], "{flags:#x}");
    }
    Ok(())
}

#[test]
fn resize_on_another_thread_fails() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let fd = ring.as_raw_fd();
    let refused = std::thread::spawn(move || {
        let mut params = [0_u32; 30];
        (params[0], params[1], params[2]) = (64, 64, CQSIZE);
        // SAFETY: the kernel reads and writes 120 bytes, the size of `params`, during the call.
        let result = unsafe { libc::syscall(libc::SYS_io_uring_register, fd, 33, params.as_mut_ptr(), 1) };
        (result, std::io::Error::last_os_error().raw_os_error())
    })
    .join();
    assert_eq!(refused.map_err(|_| "panicked")?, (-1, Some(libc::EEXIST)));
    ring.resize(64, 64)?;
    Ok(())
}
