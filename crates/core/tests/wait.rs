//! Waiting and counting: a wait ends with its completions or its timeout, and the number in flight is exact for
//! operations with any number of completions, submitted with and without SQPOLL.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use typed_uring::entry::flags::{IO_HARDLINK, IO_LINK};
use typed_uring::entry::place;
use typed_uring::operations::{AsyncCancel, Read, Timeout};
use typed_uring::sys::completion::NOTIF;
use typed_uring::sys::setup::{COOP_TASKRUN, SQPOLL, TASKRUN_FLAG};
use typed_uring::{Entry, EventfdMode, Ring, Setup, UNSOLICITED};

#[allow(dead_code)] // each test file uses a part
mod support;
use support::{
    Guarded, LONG, Result, Signals, errno, event_descriptor, exactly, memory_file, nop, nop_with_result,
    push, readable, results, take, user_data, wait_for,
};

/// Modes that deliver later completions to this thread in different ways.
fn rings(entries: u32) -> std::io::Result<[Guarded; 3]> {
    Ok([
        Guarded::from(Ring::new(entries)?),
        exactly(entries, COOP_TASKRUN | TASKRUN_FLAG)?,
        exactly(entries, 0)?,
    ])
}

fn polling(sq_thread_idle: u32) -> std::io::Result<Guarded> {
    Setup {
        entries: 8,
        flags: SQPOLL,
        sq_thread_idle,
        ..Setup::default()
    }
    .build()
    .map(Guarded::from)
}

/// A read that stays pending until something is written to its pipe.
fn push_read(ring: &mut Ring, fd: RawFd, buffer: &mut [u8], user_data: u64) -> Result {
    let read = Read::new(fd, buffer.as_mut_ptr(), buffer.len() as u32).build();
    // SAFETY: each test drops its buffers after its ring, which waits for the read, or waits for the read itself.
    unsafe { ring.push(&read.with_user_data(user_data))? };
    Ok(())
}

#[test]
fn a_wait_ends_at_its_timeout() -> Result {
    let (reader, _writer) = std::io::pipe()?;
    let mut buffer = [0; 4];
    for mut ring in rings(4)? {
        push_read(&mut ring, reader.as_raw_fd(), &mut buffer, 1)?;
        // The first call submits and returns the number; the second only waits, for which the kernel returns ETIME.
        for taken in [1, 0, 0] {
            assert_eq!(ring.submit_and_wait(1, Some(Duration::from_millis(5)))?, taken);
            assert_eq!((ring.cq_ready(), ring.in_flight()), (0, 1));
        }
        for timeout in [Duration::ZERO, Duration::from_nanos(1)] {
            assert_eq!(ring.submit_and_wait(1, Some(timeout))?, 0);
        }
    }
    Ok(())
}

#[test]
fn submit_does_not_wait() -> Result {
    let (reader, _writer) = std::io::pipe()?;
    let mut buffer = [0; 4];
    let mut ring = Guarded::from(Ring::new(4)?);
    push_read(&mut ring, reader.as_raw_fd(), &mut buffer, 1)?;
    assert_eq!(ring.submit()?, 1);
    assert_eq!(ring.submit()?, 0);
    assert_eq!(ring.submit_and_wait(0, None)?, 0);
    assert_eq!(ring.submit_and_wait(0, Some(LONG))?, 0);
    assert_eq!((ring.cq_ready(), ring.in_flight()), (0, 1));
    Ok(())
}

#[test]
fn a_wait_ends_with_the_wanted_number_of_completions() -> Result {
    for mut ring in rings(8)? {
        for timeout in [None, Some(LONG)] {
            let mut buffers = [[0; 1]; 3];
            let (reader, mut writer) = std::io::pipe()?;
            for (number, buffer) in (0..).zip(&mut buffers) {
                push_read(&mut ring, reader.as_raw_fd(), buffer, number)?;
            }
            ring.submit()?;
            // The bytes arrive one by one during the wait or before it: the wait must last until both have arrived.
            let writing = std::thread::spawn(move || {
                for byte in *b"ab" {
                    writer.write_all(&[byte])?;
                }
                Ok::<_, std::io::Error>(writer)
            });
            ring.submit_and_wait(2, timeout)?;
            assert_eq!((ring.cq_ready(), ring.in_flight()), (2, 3));
            let mut writer = writing.join().map_err(|_| "the writer panicked")??;
            writer.write_all(b"c")?;
            assert_eq!(results(&wait_for(&mut ring, 3)?), [1, 1, 1]);
            let mut bytes = buffers.concat();
            bytes.sort_unstable();
            assert_eq!(bytes, b"abc");
        }
    }
    Ok(())
}

/// A timeout that the kernel's type cannot hold must not wrap around to a time in the past.
#[test]
fn the_longest_timeout_waits() -> Result {
    let timespec = [0_i64, 20_000_000]; // struct __kernel_timespec: 20 ms
    for mut ring in rings(4)? {
        for longest in [
            Duration::MAX,
            Duration::from_secs(i64::MAX as u64),
            Duration::from_secs(1 << 34),
        ] {
            let timeout = Timeout::new(timespec.as_ptr()).build();
            // SAFETY: the time lives until the completion, which the test waits for.
            unsafe { ring.push(&timeout)? };
            ring.submit_and_wait(1, Some(longest))?;
            assert_eq!(results(&take(&mut ring)), [-libc::ETIME], "{longest:?}");
        }
    }
    Ok(())
}

#[test]
fn a_signal_ends_a_wait_without_losing_completions() -> Result {
    let (reader, mut writer) = std::io::pipe()?;
    let mut buffer = [0; 4];
    let mut ring = Guarded::from(Ring::new(4)?);
    push_read(&mut ring, reader.as_raw_fd(), &mut buffer, 1)?;
    ring.submit()?;
    let signals = Signals::start()?;
    for timeout in [None, Some(LONG)] {
        assert_eq!(errno(ring.submit_and_wait(1, timeout)), Some(libc::EINTR));
        assert_eq!((ring.cq_ready(), ring.in_flight()), (0, 1));
    }
    drop(signals);
    writer.write_all(b"late")?;
    assert_eq!(results(&wait_for(&mut ring, 1)?), [4]);
    assert_eq!(ring.in_flight(), 0);
    Ok(())
}

#[test]
fn entries_are_in_flight_from_push_to_completion() -> Result {
    let mut ring = Guarded::from(Ring::new(8)?);
    push(&mut ring, &[nop(1), nop(2), nop_with_result(3, -5)])?;
    assert_eq!((ring.sq_ready(), ring.in_flight()), (3, 3));
    ring.submit()?;
    assert_eq!((ring.sq_ready(), ring.in_flight()), (0, 3));
    for left in [2, 1, 0] {
        assert!(ring.pop().is_some());
        assert_eq!(ring.in_flight(), left);
    }
    assert_eq!(ring.pop(), None);
    assert_eq!(ring.in_flight(), 0);
    Ok(())
}

#[test]
fn every_entry_of_a_chain_is_counted_until_it_completes() -> Result {
    let mut ring = Guarded::from(Ring::new(8)?);
    for (link, rest) in [(IO_LINK, -libc::ECANCELED), (IO_HARDLINK, 0)] {
        let head = nop_with_result(1, -5).with_flags(link);
        push(&mut ring, &[head, nop(2).with_flags(link), nop(3)])?;
        assert_eq!(ring.in_flight(), 3);
        assert_eq!(results(&wait_for(&mut ring, 3)?), [-5, rest, rest]);
        assert_eq!(ring.in_flight(), 0);
    }
    Ok(())
}

#[test]
fn a_multishot_operation_is_in_flight_until_its_last_completion() -> Result {
    const POLL_ADD: u8 = 6;
    const MULTISHOT: u64 = 1 << 0;
    for mut ring in rings(8)? {
        let (reader, mut writer) = std::io::pipe()?;
        let mut poll = Entry::new(POLL_ADD).with_user_data(5);
        poll.set_bits(place::fd, u64::from(reader.as_raw_fd().cast_unsigned()));
        poll.set_bits(place::len, MULTISHOT);
        poll.set_bits(place::op_flags, libc::POLLIN as u64);
        push(&mut ring, &[poll])?;
        ring.submit()?;
        for _ in 0..5 {
            writer.write_all(b"x")?;
            let done = wait_for(&mut ring, 1)?;
            assert_eq!((done.len(), done[0].user_data, done[0].more()), (1, 5, true));
            assert_eq!(ring.in_flight(), 1);
        }
        push(
            &mut ring,
            &[AsyncCancel::new().target(5).build().with_user_data(6)],
        )?;
        assert_eq!(ring.in_flight(), 2);
        let mut done = wait_for(&mut ring, 2)?;
        done.sort_unstable_by_key(|completion| completion.user_data);
        assert_eq!(user_data(&done), [5, 6]);
        assert_eq!(results(&done), [-libc::ECANCELED, 0]);
        assert_eq!((done[0].more(), ring.in_flight()), (false, 0));
    }
    Ok(())
}

/// Sends `bytes` without copying, waits for both completions, and returns the result.
fn send_zero_copy(ring: &mut Ring, socket: RawFd, bytes: &[u8]) -> Result<i32> {
    const SEND_ZC: u8 = 47;
    let mut send = Entry::new(SEND_ZC).with_user_data(5);
    send.set_bits(place::fd, u64::from(socket.cast_unsigned()));
    send.set_bits(place::addr, bytes.as_ptr() as u64);
    send.set_bits(place::len, bytes.len() as u64);
    // SAFETY: the bytes are borrowed, and this function waits for the notification that the kernel has released them.
    unsafe { ring.push(&send)? };
    ring.submit()?;
    let mut completions = Vec::new();
    for left in [1, 0] {
        while ring.peek().is_none() {
            ring.submit_and_wait(1, Some(LONG))?;
            assert!(ring.cq_ready() > 0, "no completion arrived");
        }
        assert_eq!(ring.in_flight(), 1);
        completions.extend(ring.pop());
        assert_eq!(ring.in_flight(), left);
    }
    let [outcome, notification] = completions[..] else {
        return Err("a send has two completions".into());
    };
    assert_eq!((outcome.more(), outcome.flags & NOTIF), (true, 0));
    assert_eq!((notification.more(), notification.flags & NOTIF), (false, NOTIF));
    assert_eq!((outcome.user_data, notification.user_data), (5, 5));
    Ok(outcome.result)
}

#[test]
fn a_zero_copy_send_completes_twice_and_is_counted_once() -> Result {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    let mut ring = Guarded::from(Ring::new(4)?);
    assert_eq!(send_zero_copy(&mut ring, client.as_raw_fd(), b"hello")?, 5);
    drop(client);
    assert_eq!(std::io::read_to_string(&mut server)?, "hello");
    // A send that fails has both completions too.
    let (socket, _peer) = UnixStream::pair()?;
    assert_eq!(
        send_zero_copy(&mut ring, socket.as_raw_fd(), b"hello")?,
        -libc::EOPNOTSUPP
    );
    Ok(())
}

/// Messages have the unsolicited bit, so they do not end an operation of the target.
#[test]
fn messages_from_another_ring_are_not_counted() -> Result {
    const MSG_RING: u8 = 40;
    let (reader, mut writer) = std::io::pipe()?;
    let mut buffer = [0; 4];
    for mut ring in rings(4)? {
        let mut sender = Guarded::from(Ring::new(4)?);
        push_read(&mut ring, reader.as_raw_fd(), &mut buffer, 1)?;
        ring.submit()?;
        for number in 0..3 {
            let mut message = Entry::new(MSG_RING).with_user_data(2);
            message.set_bits(place::fd, u64::from(ring.as_raw_fd().cast_unsigned()));
            message.set_bits(place::len, 77);
            message.set_bits(place::off, UNSOLICITED | number);
            push(&mut sender, &[message])?;
            assert_eq!(results(&wait_for(&mut sender, 1)?), [0]);
            let received = wait_for(&mut ring, 1)?;
            assert_eq!(user_data(&received), [UNSOLICITED | number]);
            assert_eq!(results(&received), [77]);
            assert_eq!((sender.in_flight(), ring.in_flight()), (0, 1));
        }
        writer.write_all(b"late")?;
        assert_eq!(user_data(&wait_for(&mut ring, 1)?), [1]);
        assert_eq!(ring.in_flight(), 0);
    }
    Ok(())
}

/// Its completion is not counted, so the entry must not be counted either: it would be in flight for ever.
#[test]
fn an_entry_with_unsolicited_user_data_is_not_counted() -> Result {
    for width in [0, typed_uring::sys::setup::SQE128] {
        let mut ring = Guarded::from(
            Setup {
                entries: 8,
                flags: width,
                ..Setup::default()
            }
            .build()?,
        );
        push(
            &mut ring,
            &[nop(1), nop(u64::MAX), nop(UNSOLICITED), nop(UNSOLICITED - 1)],
        )?;
        assert_eq!(ring.in_flight(), 2);
        assert_eq!(
            user_data(&wait_for(&mut ring, 4)?),
            [1, u64::MAX, UNSOLICITED, UNSOLICITED - 1]
        );
        assert_eq!(ring.in_flight(), 0);
    }
    Ok(())
}

#[test]
fn an_sqpoll_thread_runs_entries_without_a_call_and_they_are_counted() -> Result {
    let event = event_descriptor()?;
    let mut ring = polling(LONG.as_millis() as u32)?;
    // The thread may sleep before its first entry, and stays awake after it.
    push(&mut ring, &[nop(0)])?;
    assert_eq!(ring.submit()?, 1);
    wait_for(&mut ring, 1)?;
    ring.register_unmanaged_eventfd(event.as_raw_fd(), EventfdMode::All)?;
    for round in 0..3 {
        push(&mut ring, &[nop(round), nop(round + 10), nop(round + 20)])?;
        assert_eq!(ring.in_flight(), 3);
        while ring.cq_ready() < 3 {
            assert!(readable(event.as_raw_fd())?, "the thread completed nothing");
            (&event).read_exact(&mut [0; 8])?;
        }
        assert_eq!((ring.in_flight(), ring.sq_ready()), (3, 0));
        // The number of entries since the last call, although the thread has consumed them already.
        let published = if round == 0 {
            ring.submit()?
        } else {
            ring.submit_and_wait(3, None)?
        };
        assert_eq!(published, 3);
        assert_eq!(ring.submit()?, 0);
        assert_eq!(user_data(&take(&mut ring)), [round, round + 10, round + 20]);
        assert_eq!(ring.in_flight(), 0);
    }
    Ok(())
}

#[test]
fn a_sleeping_sqpoll_thread_is_woken() -> Result {
    let (reader, mut writer) = std::io::pipe()?;
    let mut buffer = [0; 4];
    let mut ring = polling(1)?;
    for number in 0..3 {
        let since = Instant::now();
        while !ring.sq_needs_enter() {
            assert!(since.elapsed() < LONG, "the thread never sleeps");
            std::thread::yield_now(); // the start of its sleep cannot be waited for
        }
        push(&mut ring, &[nop(number)])?;
        assert_eq!(ring.submit()?, 1);
        assert_eq!(user_data(&wait_for(&mut ring, 1)?), [number]);
    }
    push_read(&mut ring, reader.as_raw_fd(), &mut buffer, 9)?;
    assert_eq!(ring.submit_and_wait(1, Some(Duration::from_millis(5)))?, 1);
    assert_eq!(ring.in_flight(), 1);
    writer.write_all(b"late")?;
    assert_eq!(user_data(&wait_for(&mut ring, 1)?), [9]);
    assert_eq!(ring.in_flight(), 0);
    Ok(())
}

#[test]
fn a_wait_submits_the_queued_entries() -> Result {
    let file = memory_file()?;
    let mut ring = Guarded::from(Ring::new(4)?);
    let bytes = *b"written";
    let write = typed_uring::operations::Write::new(file.as_raw_fd(), bytes.as_ptr(), 7);
    // SAFETY: the bytes live until the completion, which the test waits for.
    unsafe { ring.push(&write.offset(0).build())? };
    assert_eq!(ring.submit_and_wait(1, None)?, 1);
    assert_eq!(results(&take(&mut ring)), [7]);
    assert_eq!(file.metadata()?.len(), 7);
    Ok(())
}
