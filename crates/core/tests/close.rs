//! The end of a ring: when dropping it returns, the kernel has let go of everything, and nothing has started that was
//! not submitted.

use std::io::{PipeReader, PipeWriter, Read as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use typed_uring::entry::flags::{ASYNC, CQE_SKIP_SUCCESS, IO_LINK};
use typed_uring::entry::place;
use typed_uring::operations::{OpenAt, Read, Write};
use typed_uring::sys::setup::{R_DISABLED, SQE128, SQPOLL, SUBMIT_ALL};
use typed_uring::{Entry, Ring, Setup, UNSOLICITED};

#[allow(dead_code)] // each file uses its part
mod support;
use support::pending::{CANCEL, NOP, PATTERN, READ, Reads, SEND_ZC, restricted, rings, submit};
use support::{LONG, Result, Signals, errno, nop, nop_with_result, push, take};

/// A pipe that shows whether an entry ran. Writes to one happen at once: a file's may go to a worker, and be
/// cancelled there after all.
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
        // SAFETY: the bytes are part of the program.
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
fn a_pending_read_is_over_when_the_ring_is_dropped() -> Result {
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
fn closing_says_that_it_went_well() -> Result {
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
fn many_pending_reads_are_over_when_the_ring_is_dropped() -> Result {
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
fn reads_in_kernel_workers_are_over_when_the_ring_is_dropped() -> Result {
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
fn a_chain_whose_head_is_pending_never_goes_on() -> Result {
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

/// They never say that they have ended, when they end well: the drop learns it otherwise.
#[test]
fn entries_without_a_completion_are_waited_for() -> Result {
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
fn a_ring_whose_only_entry_ended_in_silence_is_dropped() -> Result {
    for mut ring in rings(8)? {
        push(&mut ring, &[nop(1).with_flags(CQE_SKIP_SUCCESS)])?;
        submit(&mut ring)?;
        assert_eq!(take(&mut ring), []);
        assert_eq!(ring.in_flight(), 1, "an upper bound");
        drop(ring);
    }
    Ok(())
}

/// The wait for silent entries takes the place of the registered files: with some there before, it works as well.
#[test]
fn registered_files_are_no_obstacle() -> Result {
    let (reader, _writer) = std::io::pipe()?;
    for mut ring in rings(8)? {
        let mut reads = Reads::new(1)?;
        ring.register_files(&[reader.as_raw_fd()], &[])?;
        let mut buffer = [0_u8; 1];
        let read = Read::new(typed_uring::File::Fixed(0), buffer.as_mut_ptr(), 1).build();
        // SAFETY: the ring is dropped before the buffer.
        unsafe { ring.push(&read.with_flags(CQE_SKIP_SUCCESS))? };
        reads.push(&mut ring, 0, 1)?;
        submit(&mut ring)?;
        drop(ring);
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn entries_with_the_foreign_bit_are_waited_for() -> Result {
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
fn what_was_pushed_and_not_submitted_never_runs() -> Result {
    // A polling thread takes what is pushed, so there it may run.
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

/// Neither may it start because something else is waited for, or because nothing says when that ends.
#[test]
fn what_was_pushed_behind_pending_reads_never_runs() -> Result {
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
fn a_disabled_ring_with_entries_is_dropped_and_runs_none() -> Result {
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
fn completions_that_nobody_took_are_no_obstacle() -> Result {
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

/// A zero-copy send of more than a connection holds: its memory is in use until the peer has read, and nothing can
/// cancel that.
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
            bytes: vec![PATTERN; 2 << 20], // pinned, so within the memory-lock limit of most users
            client,
            server,
        })
    }

    fn start(&self, ring: &mut Ring, user_data: u64) -> Result {
        let mut send = Entry::new(SEND_ZC).with_user_data(user_data);
        send.set_bits(place::fd, u64::from(self.client.as_raw_fd().cast_unsigned()));
        send.set_bits(place::addr, self.bytes.as_ptr() as u64);
        send.set_bits(place::len, self.bytes.len() as u64);
        // SAFETY: the test ends its ring before it changes the bytes.
        unsafe { ring.push(&send)? };
        submit(ring)?;
        ring.submit_and_wait(1, Some(LONG))?;
        let first = ring.pop().ok_or("nothing is sent")?;
        assert!(first.result > 0 && first.more(), "{first:?}");
        Ok(())
    }

    /// Ends the ring while another thread reads, but not before the end has had the time to be too early.
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
        assert!(!too_early, "the end did not wait");
        assert!(received.iter().all(|byte| *byte == PATTERN));
        assert!(!received.is_empty());
        Ok(())
    }
}

#[test]
fn a_drop_outlasts_what_cannot_be_cancelled() -> Result {
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

/// Here there is no other way than to wait for completions, through timeouts and signals.
#[test]
fn a_ring_that_may_not_register_outlasts_what_cannot_be_cancelled() -> Result {
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

/// A worker of the kernel's that has begun answers a cancel with EALREADY, and ends only later.
#[test]
fn opens_that_block_in_workers_are_over_when_the_ring_is_dropped() -> Result {
    let fifo = Fifo::new("drop")?;
    for mut ring in rings(8)? {
        fifo.push_opens(&mut ring)?;
        submit(&mut ring)?;
        drop(ring);
        assert!(!fifo.has_a_reader()?, "an open still waits");
    }
    Ok(())
}

struct Fifo {
    path: std::ffi::CString,
}

impl Fifo {
    fn new(name: &str) -> Result<Self> {
        let name = format!("typed-uring-{}-{name}", std::process::id());
        let path = std::env::temp_dir()
            .join(name)
            .into_os_string()
            .into_encoded_bytes();
        let path = std::ffi::CString::new(path)?;
        // SAFETY: a string with a NUL at its end.
        if unsafe { libc::mkfifo(path.as_ptr(), 0o600) } < 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        Ok(Self { path })
    }

    /// Opens that block, each in a worker: only the first try of one that starts inline would return at once.
    fn push_opens(&self, ring: &mut Ring) -> Result {
        for _ in 0..4 {
            let open = OpenAt::new(libc::AT_FDCWD, self.path.as_ptr()).build();
            // SAFETY: each test drops its ring before the path.
            unsafe { ring.push(&open.with_flags(ASYNC))? };
        }
        Ok(())
    }

    /// Opening the other side without waiting fails while nobody reads.
    fn has_a_reader(&self) -> Result<bool> {
        // SAFETY: a string with a NUL at its end.
        let fd = unsafe {
            libc::open(
                self.path.as_ptr(),
                libc::O_WRONLY | libc::O_NONBLOCK | libc::O_CLOEXEC,
            )
        };
        if fd < 0 {
            let error = std::io::Error::last_os_error();
            return if error.raw_os_error() == Some(libc::ENXIO) {
                Ok(false)
            } else {
                Err(error.into())
            };
        }
        // SAFETY: just opened here.
        unsafe { libc::close(fd) };
        Ok(true)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // SAFETY: a string with a NUL at its end.
        unsafe { libc::unlink(self.path.as_ptr()) };
    }
}

#[test]
fn signals_do_not_end_the_drop_early() -> Result {
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
        assert!(!fifo.has_a_reader()?, "an open still waits");
        reads.are_over()?;
    }
    Ok(())
}

#[test]
fn a_ring_that_may_not_register_cancels_by_entries() -> Result {
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
fn a_ring_that_cannot_learn_of_its_silent_entries_is_left_open_and_says_so() -> Result {
    let mut ring = restricted(0, &[NOP, CANCEL])?;
    let fd = ring.as_raw_fd();
    push(&mut ring, &[nop(1).with_flags(CQE_SKIP_SUCCESS)])?;
    submit(&mut ring)?;
    assert_eq!(errno(ring.close()), Some(libc::EACCES));
    // SAFETY: only asks for the flags of a descriptor.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    assert!(flags >= 0, "the descriptor is closed");
    Ok(())
}
