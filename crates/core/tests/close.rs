//! Closing a ring: after the drop the kernel has released everything, and no entry has started that was not submitted.

use std::io::{PipeReader, PipeWriter, Read as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use typed_uring::entry::flags::{ASYNC, CQE_SKIP_SUCCESS, IO_LINK};
use typed_uring::entry::place;
use typed_uring::operations::{Read, Write};
use typed_uring::sys::setup::{R_DISABLED, SQE128, SQPOLL, SUBMIT_ALL};
use typed_uring::{Entry, Ring, Setup, UNSOLICITED};

#[allow(dead_code)] // each test file uses a part
mod support;
use support::fifo::Fifo;
use support::pending::{CANCEL, NOP, PATTERN, READ, Reads, SEND_ZC, restricted, rings, submit};
use support::{LONG, Result, Signals, errno, nop, nop_with_result, push, take};

/// A pipe that shows if a write entry ran. Writes to a pipe run inline; those to a file may go to a worker and be
/// cancelled there.
struct Witness {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Witness {
    fn new() -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        Ok(Self { reader, writer })
    }

    fn push_write(&self, ring: &mut Ring, flags: u8) -> Result {
        let write = Write::new(self.writer.as_raw_fd(), b"seen".as_ptr(), 4).build();
        // SAFETY: the bytes are static.
        unsafe { ring.push(&write.with_flags(flags))? };
        Ok(())
    }

    fn saw_nothing(self) -> Result {
        drop(self.writer);
        assert_eq!(
            std::io::read_to_string(self.reader)?,
            "",
            "an entry ran that must not"
        );
        Ok(())
    }
}

#[test]
fn drop_ends_a_pending_read() -> Result {
    for mut ring in rings(8)? {
        let mut reads = Reads::new(1)?;
        reads.push(&mut ring, 0, 1)?;
        submit(&mut ring)?;
        assert_eq!(ring.in_flight(), 1);
        drop(ring);
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn close_succeeds_with_a_pending_read() -> Result {
    for mut ring in rings(8)? {
        let mut reads = Reads::new(1)?;
        reads.push(&mut ring, 0, 1)?;
        submit(&mut ring)?;
        ring.close()?;
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn drop_ends_many_pending_reads() -> Result {
    for mut ring in rings(256)? {
        let mut reads = Reads::new(250)?;
        reads.push(&mut ring, 0, 1)?;
        submit(&mut ring)?;
        drop(ring);
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn drop_ends_reads_in_kernel_workers() -> Result {
    for mut ring in rings(16)? {
        let mut reads = Reads::new(12)?;
        reads.push(&mut ring, ASYNC, 1)?;
        submit(&mut ring)?;
        drop(ring);
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn drop_does_not_continue_a_chain_whose_head_is_pending() -> Result {
    for mut ring in rings(8)? {
        let witness = Witness::new()?;
        let mut reads = Reads::new(1)?;
        reads.push(&mut ring, IO_LINK, 1)?;
        witness.push_write(&mut ring, 0)?;
        submit(&mut ring)?;
        assert_eq!(ring.in_flight(), 2);
        drop(ring);
        reads.are_over()?;
        witness.saw_nothing()?;
    }
    Ok(())
}

/// Such entries do not complete on success, so the drop has to detect their end in another way.
#[test]
fn drop_waits_for_skip_success_entries() -> Result {
    for mut ring in rings(8)? {
        let mut reads = Reads::new(2)?;
        push(&mut ring, &[nop(1).with_flags(CQE_SKIP_SUCCESS)])?;
        submit(&mut ring)?;
        reads.push(&mut ring, CQE_SKIP_SUCCESS, 2)?;
        submit(&mut ring)?;
        assert_eq!(take(&mut ring), []);
        drop(ring);
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn drop_returns_after_the_only_entry_has_skipped_its_completion() -> Result {
    for mut ring in rings(8)? {
        push(&mut ring, &[nop(1).with_flags(CQE_SKIP_SUCCESS)])?;
        submit(&mut ring)?;
        assert_eq!(take(&mut ring), []);
        assert_eq!(ring.in_flight(), 1, "an upper bound");
        drop(ring);
    }
    Ok(())
}

/// The wait for skip-success entries registers a file, and must first unregister those of the program.
#[test]
fn drop_waits_for_skip_success_entries_if_files_are_registered() -> Result {
    let (reader, _writer) = std::io::pipe()?;
    for mut ring in rings(8)? {
        let mut reads = Reads::new(1)?;
        ring.register_files(&[reader.as_raw_fd()], &[])?;
        let mut buffer = [0_u8; 1];
        let read = Read::new(typed_uring::File::Fixed(0), buffer.as_mut_ptr(), 1).build();
        // SAFETY: dropping the ring waits for the read, and the buffer is dropped after the ring.
        unsafe { ring.push(&read.with_flags(CQE_SKIP_SUCCESS))? };
        reads.push(&mut ring, 0, 1)?;
        submit(&mut ring)?;
        drop(ring);
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn drop_waits_for_entries_with_unsolicited_user_data() -> Result {
    for mut ring in rings(8)? {
        let mut reads = Reads::new(2)?;
        reads.push(&mut ring, 0, UNSOLICITED | 7)?;
        submit(&mut ring)?;
        assert_eq!(ring.in_flight(), 0);
        drop(ring);
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn drop_does_not_run_entries_that_were_not_submitted() -> Result {
    // An SQPOLL thread may run entries without a submit.
    for mut ring in rings(8)?
        .into_iter()
        .filter(|ring| ring.setup_flags() & SQPOLL == 0)
    {
        let witness = Witness::new()?;
        witness.push_write(&mut ring, 0)?;
        drop(ring);
        witness.saw_nothing()?;
    }
    Ok(())
}

/// Waiting for other operations must not start them either, with and without completions.
#[test]
fn drop_does_not_run_entries_that_were_pushed_after_pending_reads() -> Result {
    for flags in [0, CQE_SKIP_SUCCESS] {
        for mut ring in rings(8)?
            .into_iter()
            .filter(|ring| ring.setup_flags() & SQPOLL == 0)
        {
            let witness = Witness::new()?;
            let mut reads = Reads::new(3)?;
            reads.push(&mut ring, flags, 1)?;
            submit(&mut ring)?;
            witness.push_write(&mut ring, 0)?;
            witness.push_write(&mut ring, 0)?;
            assert_eq!((ring.sq_ready(), ring.in_flight()), (2, 5));
            drop(ring);
            witness.saw_nothing()?;
            reads.are_over()?;
        }
    }
    Ok(())
}

#[test]
fn drop_of_a_disabled_ring_runs_no_entries() -> Result {
    for flags in [0, CQE_SKIP_SUCCESS] {
        for setup in [0, SQE128, SQPOLL] {
            let mut ring = Setup {
                entries: 8,
                flags: R_DISABLED | setup,
                ..Setup::default()
            }
            .build()?;
            let witness = Witness::new()?;
            witness.push_write(&mut ring, flags)?;
            if setup & SQPOLL == 0 {
                assert_eq!(errno(ring.submit()), Some(libc::EBADFD));
            }
            drop(ring);
            witness.saw_nothing()?;
        }
    }
    Ok(())
}

#[test]
fn drop_returns_with_completions_left_in_the_queue() -> Result {
    for (flags, mode) in [(0, None), (SQE128, None), (0, Some(0))] {
        let mut ring = Setup {
            entries: 8,
            cq_entries: Some(8),
            flags,
            mode,
            ..Setup::default()
        }
        .build()?;
        let mut reads = Reads::new(1)?;
        reads.push(&mut ring, 0, 1)?;
        for _ in 0..20 {
            submit(&mut ring)?;
            push(&mut ring, &[nop_with_result(2, -5); 8])?;
        }
        submit(&mut ring)?;
        assert!(ring.cq_needs_flush());
        assert_eq!(ring.in_flight(), 161);
        drop(ring);
        reads.are_over()?;
    }
    Ok(())
}

/// A zero-copy send of more bytes than a connection holds. The kernel uses its memory until the peer has read, and
/// cannot cancel it.
struct Sending {
    bytes: Vec<u8>,
    client: TcpStream,
    server: TcpStream,
}

impl Sending {
    fn new() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        let (server, _) = listener.accept()?;
        Ok(Self {
            bytes: vec![PATTERN; 2 << 20], // pinned, so this must be below the memory-lock limit
            client,
            server,
        })
    }

    fn start(&self, ring: &mut Ring, user_data: u64) -> Result {
        let mut send = Entry::new(SEND_ZC).with_user_data(user_data);
        send.set_bits(place::fd, u64::from(self.client.as_raw_fd().cast_unsigned()));
        send.set_bits(place::addr, self.bytes.as_ptr() as u64);
        send.set_bits(place::len, self.bytes.len() as u64);
        // SAFETY: the test closes its ring before it drops the bytes.
        unsafe { ring.push(&send)? };
        submit(ring)?;
        ring.submit_and_wait(1, Some(LONG))?;
        let first = ring.pop().ok_or("the send has not completed")?;
        assert!(first.result > 0 && first.more(), "{first:?}");
        Ok(())
    }

    /// Closes the ring while another thread reads, after a delay in which a close that does not wait would return.
    fn outlasts(mut self, end: impl FnOnce() -> Result) -> Result {
        let (ended, end_seen) = std::sync::mpsc::channel();
        let mut server = self.server;
        let peer = std::thread::spawn(move || {
            let too_early = end_seen.recv_timeout(Duration::from_millis(250)).is_ok();
            let mut received = Vec::new();
            server.read_to_end(&mut received)?;
            Ok::<_, std::io::Error>((too_early, received))
        });
        end()?;
        ended.send(())?;
        self.bytes.fill(0);
        drop(self.client);
        let (too_early, received) = peer.join().map_err(|_| "the peer panicked")??;
        assert!(!too_early, "the close did not wait");
        assert!(received.iter().all(|byte| *byte == PATTERN));
        assert!(!received.is_empty());
        Ok(())
    }
}

#[test]
fn drop_waits_for_an_operation_that_cannot_be_cancelled() -> Result {
    for user_data in [1, UNSOLICITED | 1] {
        for mut ring in rings(8)? {
            let sending = Sending::new()?;
            sending.start(&mut ring, user_data)?;
            sending.outlasts(|| {
                drop(ring);
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// On this ring the drop can only wait for completions, across timeouts and signals.
#[test]
fn drop_of_a_ring_without_registrations_waits_for_an_operation_that_cannot_be_cancelled() -> Result {
    for with_signals in [false, true] {
        let mut ring = restricted(SUBMIT_ALL, &[SEND_ZC, CANCEL])?;
        let sending = Sending::new()?;
        sending.start(&mut ring, 1)?;
        let signals = if with_signals {
            Some(Signals::start()?)
        } else {
            None
        };
        sending.outlasts(|| Ok(ring.close()?))?;
        drop(signals);
    }
    Ok(())
}

/// Cancelling an operation that a worker has started returns EALREADY, and the operation ends later.
#[test]
fn drop_ends_opens_that_block_in_workers() -> Result {
    let fifo = Fifo::new("drop")?;
    for mut ring in rings(8)? {
        fifo.push_opens(&mut ring)?;
        submit(&mut ring)?;
        drop(ring);
        assert!(!fifo.has_a_reader()?, "an open is still pending");
    }
    Ok(())
}

#[test]
fn drop_waits_across_signals() -> Result {
    let fifo = Fifo::new("signals")?;
    for mut ring in rings(16)? {
        let mut reads = Reads::new(4)?;
        reads.push(&mut ring, 0, 1)?;
        reads.push(&mut ring, ASYNC, 1)?;
        fifo.push_opens(&mut ring)?;
        submit(&mut ring)?;
        let signals = Signals::start()?;
        ring.close()?;
        drop(signals);
        assert!(!fifo.has_a_reader()?, "an open is still pending");
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn drop_of_a_ring_without_registrations_cancels_with_entries() -> Result {
    for mode in [0, SUBMIT_ALL] {
        let mut ring = restricted(mode, &[READ, CANCEL])?;
        let mut reads = Reads::new(5)?;
        reads.push(&mut ring, 0, 1)?;
        submit(&mut ring)?;
        drop(ring);
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn close_fails_and_leaves_the_ring_open_if_skip_success_entries_cannot_be_waited_for() -> Result {
    let mut ring = restricted(0, &[NOP, CANCEL])?;
    let fd = ring.as_raw_fd();
    push(&mut ring, &[nop(1).with_flags(CQE_SKIP_SUCCESS)])?;
    submit(&mut ring)?;
    assert_eq!(errno(ring.close()), Some(libc::EACCES));
    // SAFETY: F_GETFD takes only numbers.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    assert!(flags >= 0, "the descriptor is closed");
    Ok(())
}
