//! Resizing and the process: its descriptors, mappings, threads and address space.

use super::*;

/// Returns the number of this process's descriptors, and of mappings of rings.
fn held() -> Result<(usize, usize)> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let rings = maps.lines().filter(|line| line.contains("io_uring")).count();
    Ok((std::fs::read_dir("/proc/self/fd")?.count(), rings))
}

#[test]
fn a_hundred_resizes_keep_the_descriptor_and_leak_nothing() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let mut reads = Reads::new(2)?;
    reads.push(&mut ring, 0, 7)?;
    ring.submit()?;
    let event = event_descriptor()?;
    ring.register_eventfd(event.as_raw_fd())?;
    let fd = ring.as_raw_fd();
    let before = held()?;
    for round in 0..100_u32 {
        let shift = round % 7;
        ring.resize(8 << shift, 16 << shift)?;
        assert_eq!((ring.entries(), ring.cq_entries()), (8 << shift, 16 << shift));
        assert_eq!(ring.as_raw_fd(), fd);
        push(&mut ring, &[nop(1), nop(2)])?;
        assert_eq!(user_data(&wait_for(&mut ring, 2)?), [1, 2]);
        assert_eq!(ring.in_flight(), 2);
        // Refused resizes leak nothing either.
        assert!(ring.resize(0, 0).is_err());
    }
    assert_eq!(held()?, before);
    drop(ring);
    let (descriptors, mappings) = held()?;
    assert_eq!((descriptors + 1, mappings), (before.0, 0));
    reads.are_over()
}

/// A thread that opens files all the time never gets the ring's descriptor number.
#[test]
fn resize_never_frees_the_descriptor_number() -> Result {
    let _turn = turn();
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let fd = ring.as_raw_fd();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let opener = scope.spawn(|| {
            let mut took = false;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                // SAFETY: the call takes only numbers. The new descriptor is closed at once, unless it has the ring's
                // number.
                unsafe {
                    let got = libc::dup(libc::STDIN_FILENO);
                    took |= got == fd;
                    if got >= 0 && got != fd {
                        libc::close(got);
                    }
                }
            }
            took
        });
        let resized = (0..200_u32).try_for_each(|round| ring.resize(8 << (round % 3), 32));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(
            !opener.join().unwrap_or(true),
            "another thread got the ring's number"
        );
        resized
    })?;
    push(&mut ring, &[nop(1)])?;
    assert_eq!(user_data(&wait_for(&mut ring, 1)?), [1]);
    Ok(())
}

/// Another thread posts completions during the resizes.
#[test]
fn messages_that_arrive_during_a_resize_are_not_lost() -> Result {
    const MESSAGES: u64 = 3000;
    let _turn = turn();
    let Some(mut ring) = resizable(8, 4096)? else {
        return Ok(());
    };
    let fd = ring.as_raw_fd();
    let sender = std::thread::spawn(move || {
        (0..MESSAGES).try_for_each(|number| Ring::send_message(fd, 0, UNSOLICITED | number, None))
    });
    let mut arrived = Vec::new();
    for round in 0.. {
        ring.resize(8 << (round % 4), 4096 << (round % 2))?;
        if round % 8 == 0 {
            ring.get_events()?;
            arrived.extend(take(&mut ring));
        }
        if sender.is_finished() {
            break;
        }
    }
    sender.join().map_err(|_| "panicked")??;
    // The kernel posts a few at a time.
    arrived.extend(wait_for(&mut ring, MESSAGES as usize - arrived.len())?);
    let lost = arrived
        .iter()
        .zip(0..MESSAGES)
        .find(|(message, number)| message.user_data != UNSOLICITED | number);
    assert_eq!(
        (lost, arrived.len() as u64, ring.in_flight()),
        (None, MESSAGES, 0)
    );
    Ok(())
}

#[test]
fn a_disabled_ring_can_be_resized_before_it_is_enabled() -> Result {
    let _turn = turn();
    if resizable(8, 16)?.is_none() {
        return Ok(());
    }
    let mut ring = Guarded::from(
        Setup {
            entries: 8,
            flags: typed_uring::sys::setup::R_DISABLED,
            ..Setup::default()
        }
        .build()?,
    );
    ring.resize(32, 64)?;
    push(&mut ring, &[nop(1)])?;
    ring.enable()?;
    assert_eq!(user_data(&wait_for(&mut ring, 1)?), [1]);
    Ok(())
}

#[test]
fn the_default_ring_can_be_resized() -> Result {
    let _turn = turn();
    if resizable(8, 16)?.is_none() {
        return Ok(());
    }
    let mut ring = Ring::new(8)?;
    let before = held()?;
    ring.resize(16, 16)?;
    assert_eq!((ring.entries(), ring.cq_entries()), (16, 16));
    assert_eq!(held()?, before, "as many descriptors and mappings as before");
    let mut byte = [0_u8; 1];
    let (reader, mut writer) = std::io::pipe()?;
    let read = Read::new(reader.as_raw_fd(), byte.as_mut_ptr(), 1).build();
    // SAFETY: the byte lives until the completion below, which the test waits for.
    unsafe { ring.push(&read)? };
    writer.write_all(b"x")?;
    assert_eq!(results(&wait_for(&mut ring, 1)?), [1]);
    assert!(exactly(8, 0)?.resize(8, 8).is_err());
    Ok(())
}

/// Runs in a child process whose address space is exhausted after the kernel has made the new queues.
#[test]
fn a_ring_whose_new_queues_cannot_be_mapped_can_still_be_closed() -> Result {
    const CHILD: &str = "TYPED_URING_WITHOUT_ADDRESSES";
    let _turn = turn();
    if std::env::var_os(CHILD).is_none() {
        let output = std::process::Command::new(std::env::current_exe()?)
            .args([
                "--exact",
                "process::a_ring_whose_new_queues_cannot_be_mapped_can_still_be_closed",
            ])
            .env(CHILD, "1")
            .output()?;
        assert!(output.status.success(), "{output:?}");
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(
            report.contains("1 passed"),
            "the child ran another test: {report}"
        );
        return Ok(());
    }
    // The stack of the first resize's thread stays allocated, and the second resize reuses it.
    let Some(mut ring) = resizable(8, 16)? else {
        return Ok(());
    };
    let mut reads = Reads::new(2)?;
    reads.push(&mut ring, 0, 7)?;
    ring.submit()?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kibibytes: u64 = size
        .and_then(|size| size.split_whitespace().next())
        .ok_or("no size")?
        .parse()?;
    let limit = libc::rlimit {
        rlim_cur: (kibibytes << 10) + (1 << 20), // half of what the entries need
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the kernel reads one `struct rlimit`, a local variable.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    assert_eq!(
        errno(ring.resize(MAX_ENTRIES, MAX_CQ_ENTRIES)),
        Some(libc::ENOMEM)
    );
    assert!(!ring.in_flight_is_exact(), "completions cannot be seen any more");
    drop(ring);
    reads.are_over()
}
