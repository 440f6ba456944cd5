//! Setup flags, sizes and modes: the crate accepts what the kernel accepts, and fails with the kernel's error
//! otherwise.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use typed_uring::sys::setup::{
    ATTACH_WQ, CLAMP, COOP_TASKRUN, CQE_MIXED, CQE32, CQSIZE, DEFER_TASKRUN, HYBRID_IOPOLL, IOPOLL, NO_MMAP,
    NO_SQARRAY, R_DISABLED, REGISTERED_FD_ONLY, SINGLE_ISSUER, SQ_AFF, SQ_REWIND, SQE128, SQPOLL, SUBMIT_ALL,
    TASKRUN_FLAG,
};
use typed_uring::{MAX_CQ_ENTRIES, MAX_ENTRIES, MODE_FLAGS, Ring, Setup};

#[allow(dead_code)] // each test file uses a part
mod support;
use support::{Result, errno, exactly, nop, push, wait_for};

/// Flags that the crate does not support, even if the kernel does.
const NOT_OURS: u32 = NO_MMAP | REGISTERED_FD_ONLY | SQ_REWIND;
const BEST: u32 = SINGLE_ISSUER | DEFER_TASKRUN | TASKRUN_FLAG | SUBMIT_ALL | NO_SQARRAY;

/// Returns the kernel's own result for these flags, as the reference.
fn kernel_answers(flags: u32, wq_fd: RawFd) -> io::Result<()> {
    let mut params = [0_u32; 30]; // struct io_uring_params
    params[1] = 16; // cq_entries
    params[2] = flags | CQSIZE;
    params[4] = 1000; // sq_thread_idle
    params[6] = wq_fd.cast_unsigned();
    // SAFETY: the kernel reads and writes 120 bytes, the size of `params`, during the call.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, params.as_mut_ptr()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nothing else owns it.
    drop(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).map_err(io::Error::other)?) });
    Ok(())
}

fn with(flags: u32, wq_fd: RawFd) -> io::Result<Ring> {
    Setup {
        entries: 4,
        flags,
        mode: Some(0),
        wq_fd,
        ..Setup::default()
    }
    .build()
}

fn runs_a_nop(ring: &mut Ring) -> Result {
    if ring.setup_flags() & R_DISABLED != 0 {
        ring.enable()?;
    }
    push(ring, &[nop(7)])?;
    let done = wait_for(ring, 1)?;
    assert_eq!((done[0].user_data, done[0].result), (7, 0));
    assert_eq!(ring.in_flight(), 0);
    Ok(())
}

/// Every flag of the kernel, alone or with the flags that it needs.
const LEGAL: [u32; 20] = [
    0,
    IOPOLL,
    SQPOLL,
    SQPOLL | SQ_AFF,
    CQSIZE,
    CLAMP,
    ATTACH_WQ,
    R_DISABLED,
    SUBMIT_ALL,
    COOP_TASKRUN,
    COOP_TASKRUN | TASKRUN_FLAG,
    SINGLE_ISSUER,
    SINGLE_ISSUER | DEFER_TASKRUN,
    SINGLE_ISSUER | DEFER_TASKRUN | TASKRUN_FLAG | R_DISABLED,
    NO_SQARRAY,
    IOPOLL | HYBRID_IOPOLL,
    CQE_MIXED,
    SQPOLL | SINGLE_ISSUER | SUBMIT_ALL | NO_SQARRAY,
    BEST,
    BEST | CQE_MIXED,
];

#[test]
fn a_ring_with_each_valid_combination_of_flags_runs() -> Result {
    let other = exactly(4, 0)?;
    let mut made = 0;
    for flags in LEGAL {
        for width in [0, SQE128, CQE32, SQE128 | CQE32] {
            let flags = flags | width;
            // Older kernels lack some flags, CQE32 and CQE_MIXED exclude each other, and rings with SQE128 or CQE32
            // cannot have the flags that the `io-uring` crate has no setter for.
            let ours = width == 0 || flags & (HYBRID_IOPOLL | CQE_MIXED) == 0;
            if !ours || kernel_answers(flags, other.as_raw_fd()).is_err() {
                continue;
            }
            let mut ring = with(flags, other.as_raw_fd()).map_err(|error| format!("{flags:#x}: {error}"))?;
            assert_eq!(ring.setup_flags(), flags | CQSIZE);
            assert_eq!(ring.entry_size(), if flags & SQE128 == 0 { 64 } else { 128 });
            assert_eq!(ring.has_cqe32(), flags & (CQE32 | CQE_MIXED) != 0);
            runs_a_nop(&mut ring).map_err(|error| format!("{flags:#x}: {error}"))?;
            made += 1;
        }
    }
    // Linux 5.19 has SQE128, CQE32 and half of the others. Fewer rings would mean that the reference is wrong.
    assert!(made >= 40, "{made}");
    Ok(())
}

#[test]
fn every_pair_of_flags_has_the_result_of_the_kernel() -> Result {
    let other = exactly(4, 0)?;
    let mut refused = 0;
    for first in 0..21 {
        for second in first..21 {
            let flags = 1_u32 << first | 1 << second;
            let wide = flags & (SQE128 | CQE32) != 0;
            let ours = flags & NOT_OURS != 0 || wide && flags & (HYBRID_IOPOLL | CQE_MIXED) != 0;
            let expected = if ours {
                Some(libc::EINVAL)
            } else {
                errno(kernel_answers(flags, other.as_raw_fd()))
            };
            let answer = errno(with(flags, other.as_raw_fd()));
            assert_eq!(answer, expected, "flags {flags:#x}");
            refused += u32::from(expected.is_some());
        }
    }
    assert!(refused > 0);
    Ok(())
}

#[test]
fn flags_without_those_that_they_need_are_refused() {
    for flags in [
        SQ_AFF,                // needs SQPOLL
        TASKRUN_FLAG,          // needs a mode in which task work waits
        DEFER_TASKRUN,         // needs SINGLE_ISSUER
        HYBRID_IOPOLL,         // needs IOPOLL
        SQPOLL | COOP_TASKRUN, // the SQPOLL thread runs its own task work
        SQPOLL | SINGLE_ISSUER | DEFER_TASKRUN,
        CQE32 | CQE_MIXED,
        NO_MMAP,
        REGISTERED_FD_ONLY | NO_MMAP,
        SQ_REWIND,
        1 << 31,
    ] {
        assert_eq!(errno(with(flags, -1)), Some(libc::EINVAL), "flags {flags:#x}");
        // With the default mode too: all modes are tried, and the last error is the kernel's.
        if flags & MODE_FLAGS == 0 {
            let ring = Setup {
                flags,
                ..Setup::default()
            };
            assert_eq!(errno(ring.build()), Some(libc::EINVAL), "flags {flags:#x}");
        }
    }
    // ATTACH_WQ with a descriptor that is not a ring.
    assert_eq!(errno(with(ATTACH_WQ, -1)), errno(kernel_answers(ATTACH_WQ, -1)));
    assert!(with(ATTACH_WQ, -1).is_err());
}

#[test]
fn the_default_mode_is_the_best_that_the_kernel_supports() -> Result {
    let fallen_back = BEST & !NO_SQARRAY;
    let best = match kernel_answers(BEST, -1) {
        Ok(()) => BEST,
        Err(_) => fallen_back, // before 6.6
    };
    let mut ring = Ring::new(8)?;
    assert_eq!(ring.setup_flags(), best | CQSIZE);
    runs_a_nop(&mut ring)
}

#[test]
fn the_default_mode_with_sqpoll_has_no_flags_that_exclude_it() -> Result {
    let mut ring = Setup {
        entries: 8,
        flags: SQPOLL,
        ..Setup::default()
    }
    .build()?;
    let flags = ring.setup_flags();
    assert_eq!(flags & MODE_FLAGS, SINGLE_ISSUER | SUBMIT_ALL);
    assert_eq!(flags & SQPOLL, SQPOLL);
    runs_a_nop(&mut ring)
}

#[test]
fn a_given_mode_is_used_exactly_or_fails() -> Result {
    for mode in [0, SUBMIT_ALL, COOP_TASKRUN, SINGLE_ISSUER | DEFER_TASKRUN] {
        assert_eq!(exactly(8, mode)?.setup_flags() & (MODE_FLAGS | NO_SQARRAY), mode);
    }
    assert_eq!(errno(exactly(8, DEFER_TASKRUN)), Some(libc::EINVAL));
    Ok(())
}

#[test]
fn the_submission_queue_is_rounded_up_to_a_power_of_two() -> Result {
    for (asked, entries) in [(1, 1), (2, 2), (12, 16), (256, 256), (MAX_ENTRIES, MAX_ENTRIES)] {
        let mut ring = Ring::new(asked)?;
        assert_eq!(ring.entries(), entries);
        assert_eq!(ring.sq_space_left(), entries as usize);
        assert_eq!(
            ring.cq_entries(),
            (4 * entries).min(MAX_CQ_ENTRIES),
            "{asked} entries"
        );
        runs_a_nop(&mut ring)?;
    }
    Ok(())
}

#[test]
fn sizes_beyond_the_limits_are_refused_or_clamped() -> Result {
    for entries in [0, MAX_ENTRIES + 1, u32::MAX] {
        assert_eq!(errno(Ring::new(entries)), Some(libc::EINVAL), "{entries} entries");
    }
    for asked in [MAX_ENTRIES + 1, 100_000, u32::MAX] {
        let clamped = Setup {
            entries: asked,
            flags: CLAMP,
            ..Setup::default()
        };
        let ring = clamped.build()?;
        assert_eq!((ring.entries(), ring.cq_entries()), (MAX_ENTRIES, MAX_CQ_ENTRIES));
    }
    Ok(())
}

#[test]
fn the_completion_queue_has_the_given_size() -> Result {
    let sized = |cq_entries, flags| {
        Setup {
            entries: 8,
            cq_entries: Some(cq_entries),
            flags,
            ..Setup::default()
        }
        .build()
    };
    for (asked, entries) in [(8, 8), (12, 16), (1024, 1024), (MAX_CQ_ENTRIES, MAX_CQ_ENTRIES)] {
        for width in [0, SQE128, CQE32] {
            assert_eq!(sized(asked, width)?.cq_entries(), entries, "{asked} entries");
        }
    }
    for asked in [0, 4, MAX_CQ_ENTRIES + 1] {
        assert_eq!(errno(sized(asked, 0)), Some(libc::EINVAL), "{asked} entries");
    }
    assert_eq!(sized(MAX_CQ_ENTRIES + 1, CLAMP)?.cq_entries(), MAX_CQ_ENTRIES);
    Ok(())
}

#[test]
fn entries_of_a_disabled_ring_start_after_it_is_enabled() -> Result {
    let mut ring = with(R_DISABLED, -1)?;
    push(&mut ring, &[nop(1)])?;
    assert_eq!(errno(ring.submit()), Some(libc::EBADFD));
    assert_eq!((ring.sq_ready(), ring.in_flight()), (1, 1));
    ring.enable()?;
    assert_eq!(ring.submit()?, 1);
    assert_eq!(wait_for(&mut ring, 1)?.len(), 1);
    Ok(())
}

#[test]
fn a_ring_reports_the_kernels_features_and_operations() -> Result {
    let ring = Ring::new(1)?;
    let features = typed_uring::sys::features::NODROP | typed_uring::sys::features::FAST_POLL;
    assert_eq!(ring.features() & features, features);
    let probe = ring.probe()?;
    assert!(probe.is_supported(typed_uring::operations::Nop::OPCODE));
    assert!(!probe.is_supported(255));
    Ok(())
}
