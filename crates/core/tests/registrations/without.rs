//! Calls that need no ring.

use std::io::Write as _;
use std::os::fd::AsRawFd;

use typed_uring::register::{query_operations, query_queues, query_zero_copy};
use typed_uring::sys::completion;
use typed_uring::{Completion, File, Ring, Setup, UNSOLICITED};

use crate::support::{Result, errno};
use crate::{arrived, ring, support};

#[test]
fn a_message_arrives_from_any_thread_and_is_not_counted() -> Result {
    let mut ring = ring()?;
    let fd = ring.as_raw_fd();
    let sent = std::thread::spawn(move || Ring::send_message(fd, -7, UNSOLICITED | 0x42, None)).join();
    match sent.map_err(|_| "panicked")? {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(()), // before 6.13
        sent => sent?,
    }
    let message = support::wait_for(&mut ring, 1)?[0];
    assert_eq!(
        (message.user_data, message.result, message.flags),
        (UNSOLICITED | 0x42, -7, 0)
    );
    assert_eq!(ring.in_flight(), 0);
    Ring::send_message(fd, i32::MAX, u64::MAX, Some(0x1_0001))?;
    let message = arrived(&mut ring)?[0];
    assert_eq!(
        (message.user_data, message.result, message.flags),
        (u64::MAX, i32::MAX, 0x1_0001)
    );
    Ok(())
}

#[test]
fn a_message_with_any_flags_is_one_completion() -> Result {
    for flags in [completion::F_32, completion::SKIP, u32::MAX] {
        let mut ring = ring()?;
        match Ring::send_message(ring.as_raw_fd(), 5, UNSOLICITED, Some(flags)) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(()), // before 6.13
            sent => sent?,
        }
        ring.get_events()?;
        support::push(&mut ring, &[support::nop(1)])?;
        ring.submit()?;
        let seen = |completion: &Completion| (completion.user_data, completion.result, completion.flags);
        let oldest = ring.peek().as_ref().map(seen);
        assert_eq!(oldest, Some((UNSOLICITED, 5, flags)));
        let all: Vec<_> = support::take(&mut ring).iter().map(seen).collect();
        assert_eq!(all, [(UNSOLICITED, 5, flags), (1, 0, 0)]);
        assert_eq!(ring.in_flight(), 0);
    }
    Ok(())
}

#[test]
fn a_message_without_unsolicited_user_data_is_refused() -> Result {
    let mut ring = ring()?;
    let (reader, mut writer) = crate::pipe_with(b"")?;
    let _memory = crate::waiting(&mut ring, File::Fd(reader.as_raw_fd()), 9)?;
    for user_data in [9, !UNSOLICITED] {
        let sent = Ring::send_message(ring.as_raw_fd(), 0, user_data, None);
        assert_eq!(errno(sent), Some(libc::EINVAL));
    }
    assert!(arrived(&mut ring)?.is_empty());
    assert_eq!(ring.in_flight(), 1);
    writer.write_all(b"end")?;
    assert_eq!(crate::wait_for(&mut ring, 1)?, [(9, 3)]);
    Ok(())
}

#[test]
fn a_message_to_an_invalid_target_is_refused() -> Result {
    let send = |fd| errno(Ring::send_message(fd, 0, UNSOLICITED, None));
    assert_eq!(send(-1), Some(libc::EBADF));
    assert_eq!(send(1 << 30), Some(libc::EBADF));
    assert_eq!(send(support::memory_file()?.as_raw_fd()), Some(libc::EBADFD));
    let disabled = Setup {
        flags: typed_uring::sys::setup::R_DISABLED,
        ..Setup::default()
    }
    .build()?;
    assert_eq!(send(disabled.as_raw_fd()), Some(libc::EBADFD));
    Ok(())
}

#[test]
fn queries_match_the_probe_and_the_ring() -> Result {
    let all = match query_operations() {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(()), // before 6.18
        all => all?,
    };
    let ring = ring()?;
    let probe = ring.probe()?;
    assert!(probe.is_supported(u8::try_from(all.nr_request_opcodes - 1)?));
    assert!(!probe.is_supported(u8::try_from(all.nr_request_opcodes)?));
    assert_eq!(all.feature_flags, u64::from(ring.features()));
    assert_eq!(u64::from(ring.setup_flags()) & !all.ring_setup_flags, 0);
    assert!(all.nr_register_opcodes > 35 && all.sqe_flags & 0x7f == 0x7f && all.enter_flags & 0xff == 0xff);
    // Kernels with queries have this one; they support the others or refuse them.
    assert!(all.nr_query_opcodes >= 1);
    for (kind, answer) in [(1, errno(query_zero_copy())), (2, errno(query_queues()))] {
        let expected = (all.nr_query_opcodes <= kind).then_some(libc::EOPNOTSUPP);
        assert_eq!(answer, expected, "query {kind}");
    }
    Ok(())
}
