//! Registrations of the thread: credentials, workers, ring descriptors, clocks and busy polling.

use std::os::fd::AsRawFd;
use std::time::Duration;

use typed_uring::entry::flags::{ASYNC, CQE_SKIP_SUCCESS};
use typed_uring::operations::{OpenAt, Read, Timeout};
use typed_uring::register::{Clock, Napi, Tracking};
use typed_uring::sys::setup::IOPOLL;
use typed_uring::{EventfdMode, Ring, Setup};

use crate::support::{LONG, Result, errno, event_descriptor, nop, push, readable, results};
use crate::{pipe_with, ring, support, wait_for, waiting};

#[test]
fn a_personality_has_the_credentials_of_its_registration() -> Result {
    const UNPRIVILEGED: libc::uid_t = 65534;
    let mut ring = ring()?;
    let own = ring.register_personality()?;
    assert!(own > 0);
    // SAFETY: setfsuid takes a number, and changes only this thread. The change fails unless this is root, and is
    // reverted below.
    unsafe {
        libc::syscall(libc::SYS_setfsuid, UNPRIVILEGED);
    }
    let other = ring.register_personality()?;
    // SAFETY: both calls take only numbers.
    let was = unsafe { libc::syscall(libc::SYS_setfsuid, libc::geteuid()) };
    assert_ne!(own, other);
    let secret = std::env::temp_dir().join(format!("typed-uring-personality-{}", std::process::id()));
    std::fs::write(&secret, b"secret")?;
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let path = std::ffi::CString::new(secret.as_os_str().as_encoded_bytes())?;
    let open = OpenAt::new(libc::AT_FDCWD, path.as_ptr()).build();
    let mut answers = Vec::new();
    for personality in [own, other, 999] {
        // SAFETY: the path lives until the completion, which the test waits for.
        unsafe { ring.push(&open.with_personality(personality))? };
        let result = results(&support::wait_for(&mut ring, 1)?)[0];
        if result >= 0 {
            // SAFETY: the descriptor was just opened, and nothing else owns it.
            drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(result) });
        }
        answers.push(result.min(0));
    }
    std::fs::remove_file(&secret)?;
    let refused = if was == i64::from(UNPRIVILEGED) {
        -libc::EACCES
    } else {
        0
    }; // the change of the user fails without root
    assert_eq!(answers, [0, refused, -libc::EINVAL]);
    ring.unregister_personality(own)?;
    assert_eq!(errno(ring.unregister_personality(own)), Some(libc::EINVAL));
    ring.unregister_personality(other)?;
    Ok(())
}

#[test]
fn register_iowq_max_workers_returns_the_previous_limits() -> Result {
    let mut ring = ring()?;
    let before = ring.register_iowq_max_workers(0, 0)?;
    assert!(before.0 > 0 && before.1 > 0);
    assert_eq!(ring.register_iowq_max_workers(3, 0)?, before);
    assert_eq!(ring.register_iowq_max_workers(0, 5)?, (3, before.1));
    assert_eq!(ring.register_iowq_max_workers(0, 0)?, (3, 5));
    assert_eq!(
        errno(ring.register_iowq_max_workers(u32::MAX, 0)),
        Some(libc::EINVAL)
    );
    assert_eq!(ring.register_iowq_max_workers(0, 0)?, (3, 5));
    Ok(())
}

/// Returns the processors that each worker of this process may run on.
fn processors_of_workers() -> Result<Vec<String>> {
    let mut all = Vec::new();
    for task in std::fs::read_dir("/proc/thread-self/../")? {
        let status = std::fs::read_to_string(task?.path().join("status")).unwrap_or_default();
        let value = |key: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .map(|value| value.trim().to_owned())
        };
        if value("Name:").is_some_and(|name| name.starts_with("iou-wrk")) {
            all.extend(value("Cpus_allowed_list:"));
        }
    }
    Ok(all)
}

#[test]
fn workers_are_bound_to_processors() -> Result {
    let mut ring = ring()?;
    assert_eq!(errno(ring.register_iowq_affinity(&[])), Some(libc::EINVAL));
    assert_eq!(errno(ring.register_iowq_affinity(&[1 << 20])), Some(libc::EINVAL));
    assert_eq!(
        errno(ring.register_iowq_affinity(&[60_000])),
        Some(libc::EINVAL),
        "no such processor"
    );
    ring.register_iowq_affinity(&[0])?;
    let (reader, _writer) = pipe_with(b"8 bytes.")?;
    let mut byte = [0; 8];
    let read = Read::new(reader.as_raw_fd(), byte.as_mut_ptr(), 8).build();
    // SAFETY: the bytes live until the completion, which the test waits for.
    unsafe { ring.push(&read.with_flags(ASYNC))? };
    assert_eq!(wait_for(&mut ring, 1)?, [(0, 8)]);
    // Other tests have workers too. The worker of this test stays for a while after its work.
    assert!(processors_of_workers()?.iter().any(|list| list == "0"));
    ring.unregister_iowq_affinity()?;
    Ok(())
}

#[test]
fn waits_work_with_either_clock() -> Result {
    let mut ring = ring()?;
    for clock in [Clock::Boottime, Clock::Monotonic] {
        ring.register_clock(clock)?;
        let (reader, _writer) = pipe_with(b"")?;
        let memory = waiting(&mut ring, typed_uring::File::Fd(reader.as_raw_fd()), 1)?;
        assert_eq!(ring.submit_and_wait(1, Some(Duration::from_millis(2)))?, 0);
        assert_eq!(ring.cq_ready(), 0);
        ring.cancel_all()?;
        assert_eq!(wait_for(&mut ring, 1)?, [(1, -libc::ECANCELED)]);
        drop(memory);
    }
    Ok(())
}

#[test]
fn a_ring_with_a_registered_descriptor_works() -> Result {
    let mut ring = ring()?;
    let index = ring.register_ring_fd()?;
    assert!(index < 16);
    assert_eq!(errno(ring.register_ring_fd()), Some(libc::EEXIST));
    push(&mut ring, &[nop(1)])?;
    assert_eq!(wait_for(&mut ring, 1)?, [(1, 0)]);
    // With a timeout too.
    let timespec = [0_i64, 1_000_000];
    // SAFETY: the time lives until the completion, which the test waits for.
    unsafe { ring.push(&Timeout::new(timespec.as_ptr()).build())? };
    ring.submit_and_wait(1, Some(LONG))?;
    assert_eq!(ring.pop().map(|completion| completion.result), Some(-libc::ETIME));
    ring.resize(16, 64)?;
    push(&mut ring, &[nop(2)])?;
    assert_eq!(wait_for(&mut ring, 1)?, [(2, 0)]);
    // Another ring gets the same index; a stale index would reach that ring.
    ring.unregister_ring_fd()?;
    assert_eq!(errno(ring.unregister_ring_fd()), Some(libc::ENXIO));
    let mut other = crate::ring()?;
    assert_eq!(other.register_ring_fd()?, index);
    push(&mut ring, &[nop(3)])?;
    assert_eq!(wait_for(&mut ring, 1)?, [(3, 0)]);
    Ok(())
}

#[test]
fn a_registered_ring_is_entered_by_its_index() -> Result {
    let mut ring = ring()?;
    ring.register_ring_fd()?;
    let fd = ring.as_raw_fd();
    push(&mut ring, &[nop(1)])?;
    // The descriptor's number names another file during the call.
    // SAFETY: all descriptors here are open, and the ring's number is restored before anything else uses it.
    unsafe {
        let saved = libc::dup(fd);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        assert_eq!(libc::dup2(null, fd), fd);
        let entered = ring.submit();
        assert_eq!(libc::dup2(saved, fd), fd);
        libc::close(saved);
        libc::close(null);
        assert_eq!(entered?, 1);
    }
    assert_eq!(wait_for(&mut ring, 1)?, [(1, 0)]);
    Ok(())
}

#[test]
fn closing_a_ring_releases_its_place() -> Result {
    for round in 0..40 {
        let mut ring = ring()?;
        let (reader, _writer) = pipe_with(b"")?;
        ring.register_ring_fd()
            .map_err(|error| format!("round {round}: {error}"))?;
        let _memory = waiting(&mut ring, typed_uring::File::Fd(reader.as_raw_fd()), 1)?;
        drop(ring);
    }
    let mut rings: Vec<_> = (0..16).map(|_| Ring::new(1)).collect::<std::io::Result<_>>()?;
    for ring in &mut rings {
        ring.register_ring_fd()?;
    }
    assert_eq!(
        errno(ring()?.register_ring_fd()),
        Some(libc::EBUSY),
        "a thread has 16 places"
    );
    Ok(())
}

/// The close waits until the ring's file is closed, which a registered descriptor would keep open.
#[test]
fn closing_a_registered_ring_with_skip_success_entries_ends() -> Result {
    let (reader, mut writer) = std::io::pipe()?;
    let mut buffer = [0_u8; 4];
    let mut ring = ring()?;
    ring.register_ring_fd()?;
    let read = Read::new(reader.as_raw_fd(), buffer.as_mut_ptr(), 4)
        .build()
        .with_flags(CQE_SKIP_SUCCESS);
    push(&mut ring, &[read])?;
    ring.submit()?;
    drop(ring);
    std::io::Write::write_all(&mut writer, b"late")?;
    assert_eq!(buffer, [0; 4]);
    Ok(())
}

#[test]
fn register_napi_returns_the_previous_settings() -> Result {
    let mut ring = ring()?;
    let polls = Napi {
        busy_poll: Duration::from_micros(50),
        prefer: true,
        tracking: Tracking::Dynamic,
    };
    let before = match ring.register_napi(polls) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(()), // no support for busy polling
        before => before?,
    };
    assert_eq!(
        (before.busy_poll, before.prefer, before.tracking),
        (Duration::ZERO, false, Tracking::Inactive)
    );
    let fixed = Napi {
        tracking: Tracking::Static,
        ..Napi::default()
    };
    assert_eq!(ring.register_napi(fixed)?, polls);
    assert_eq!(
        errno(ring.napi_add(0)),
        Some(libc::EINVAL),
        "not the id of a queue"
    );
    assert_eq!(errno(ring.napi_remove(1 << 20)), Some(libc::ENOENT));
    assert_eq!(ring.register_napi(polls)?, fixed);
    assert_eq!(ring.unregister_napi()?, (Duration::from_micros(50), true));
    assert_eq!(ring.unregister_napi()?, (Duration::ZERO, false));
    let mut polled = Setup {
        entries: 1,
        flags: IOPOLL,
        ..Setup::default()
    }
    .build()?;
    assert_eq!(errno(polled.register_napi(polls)), Some(libc::EINVAL));
    Ok(())
}

#[test]
fn an_eventfd_for_workers_is_not_written_to_by_inline_completions() -> Result {
    for mut ring in [ring()?, support::exactly(8, 0)?] {
        let event = event_descriptor()?;
        ring.register_unmanaged_eventfd(event.as_raw_fd(), EventfdMode::Workers)?;
        assert!(!ring.has_managed_eventfd(), "it is unmanaged");
        assert_eq!(errno(ring.register_eventfd(event.as_raw_fd())), Some(libc::EBUSY));
        assert_eq!(
            errno(ring.register_unmanaged_eventfd(event.as_raw_fd(), EventfdMode::Workers)),
            Some(libc::EBUSY)
        );
        push(&mut ring, &[nop(1)])?;
        assert_eq!(wait_for(&mut ring, 1)?, [(1, 0)]);
        assert!(
            !support::is_readable(event.as_raw_fd())?,
            "the eventfd was not written to"
        );
        push(&mut ring, &[nop(2).with_flags(ASYNC)])?;
        ring.submit()?;
        assert!(readable(event.as_raw_fd())?);
        let mut count = [0; 8];
        std::io::Read::read_exact(&mut &event, &mut count)?;
        assert_eq!(u64::from_ne_bytes(count), 1, "only the second entry wrote to it");
        assert_eq!(wait_for(&mut ring, 1)?, [(2, 0)]);
        ring.unregister_eventfd()?;
        assert_eq!(
            errno(ring.register_unmanaged_eventfd(-1, EventfdMode::Workers)),
            Some(libc::EBADF)
        );
    }
    Ok(())
}
