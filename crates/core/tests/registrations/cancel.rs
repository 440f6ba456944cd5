use std::os::fd::AsRawFd;
use std::time::Duration;

use typed_uring::File;
use typed_uring::operations::{PollAdd, Read};
use typed_uring::register::CancelMatch;

use crate::support::{Result, errno};
use crate::{pipe_with, ring, wait_for, waiting};

const NOW: Option<Duration> = Some(Duration::ZERO);

fn matching(user_data: Option<u64>, file: Option<File>, opcode: Option<u8>) -> CancelMatch {
    CancelMatch {
        user_data,
        file,
        opcode,
        all: false,
    }
}

fn all(which: CancelMatch) -> CancelMatch {
    CancelMatch { all: true, ..which }
}

#[test]
fn cancel_sync_matches_all_keys_that_are_set() -> Result {
    let (first, _first) = pipe_with(b"")?;
    let (second, _second) = pipe_with(b"")?;
    let (third, _third) = pipe_with(b"")?;
    let (one, two) = (File::Fd(first.as_raw_fd()), File::Fd(second.as_raw_fd()));
    let slot = File::Fixed(1);
    let (read, poll, other) = (Some(Read::OPCODE), Some(PollAdd::OPCODE), Some(255));
    let missing = Err(libc::ENOENT);
    for (which, found, cancelled) in [
        (matching(Some(2), None, None), Ok(1), vec![2]),
        (matching(Some(9), None, None), missing, vec![]),
        (all(matching(Some(1), None, None)), Ok(2), vec![1, 1]),
        (all(matching(Some(9), None, None)), Ok(0), vec![]),
        (all(matching(None, Some(two), None)), Ok(2), vec![2, 3]),
        (matching(Some(2), Some(two), None), Ok(1), vec![2]),
        (matching(Some(2), Some(one), None), missing, vec![]),
        (matching(None, None, poll), Ok(1), vec![4]),
        (all(matching(None, Some(one), read)), Ok(2), vec![1, 1]),
        (matching(None, None, other), missing, vec![]),
        (matching(None, Some(slot), None), Ok(1), vec![5]),
        (all(matching(None, None, None)), Ok(6), vec![1, 1, 2, 3, 4, 5]),
    ] {
        let mut ring = ring()?;
        ring.register_files(&[-1, third.as_raw_fd()], &[])?;
        let mut memory = Vec::new();
        for (file, user_data) in [(one, 1), (one, 1), (two, 2), (two, 3), (File::Fixed(1), 5)] {
            memory.push(waiting(&mut ring, file, user_data)?);
        }
        let poll = PollAdd::new(File::Fd(first.as_raw_fd()), 1)
            .build()
            .with_user_data(4);
        crate::support::push(&mut ring, &[poll])?;
        ring.submit()?;
        let answer = ring.cancel_sync(which, NOW);
        match found {
            Ok(found) => assert_eq!(answer?, found, "{which:?}"),
            Err(error) => assert_eq!(errno(answer), Some(error), "{which:?}"),
        }
        let ended: Vec<_> = cancelled
            .iter()
            .map(|&user_data| (user_data, -libc::ECANCELED))
            .collect();
        assert_eq!(wait_for(&mut ring, ended.len())?, ended, "{which:?}");
        assert_eq!(ring.in_flight(), 6 - ended.len() as u64);
    }
    Ok(())
}

#[test]
fn cancel_sync_without_a_timeout_returns_after_the_cancellation() -> Result {
    let mut ring = ring()?;
    let (reader, _writer) = pipe_with(b"")?;
    let _memory = waiting(&mut ring, File::Fd(reader.as_raw_fd()), 1)?;
    assert_eq!(ring.cancel_sync(all(CancelMatch::default()), None)?, 1);
    assert_eq!(wait_for(&mut ring, 1)?, [(1, -libc::ECANCELED)]);
    Ok(())
}
