//! Dropping a ring closes all of its descriptors. The test is alone in its file because the open descriptors are those
//! of the process, and concurrent tests would change them.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, RawFd};

use typed_uring::entry::flags::{CQE_SKIP_SUCCESS, IO_LINK};
use typed_uring::operations::Read;
use typed_uring::sys::setup::{COOP_TASKRUN, CQE32, R_DISABLED, SQE128, SQPOLL};
use typed_uring::{Ring, Setup, UNSOLICITED};

#[allow(dead_code)] // each test file uses a part
mod support;
use support::{Result, errno, exactly, nop, push};

fn open_descriptors() -> Result<BTreeSet<String>> {
    let mut open = BTreeSet::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        open.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(open)
}

/// Brings a ring into a state, with a pipe that is never written to and memory for reads.
type State = fn(&mut Ring, RawFd, *mut u8) -> Result;

/// The states of a ring when it is dropped.
const STATES: &[(&str, State)] = &[
    ("nothing", |_, _, _| Ok(())),
    ("unsubmitted", |ring, _, _| Ok(push(ring, &[nop(1)])?)),
    ("completed", |ring, _, _| {
        push(ring, &[nop(1)])?;
        ring.submit_and_wait(1, None)?;
        Ok(())
    }),
    ("pending", |ring, pipe, memory| pending(ring, pipe, memory, 0, 1)),
    ("pending chain", |ring, pipe, memory| {
        pending(ring, pipe, memory, IO_LINK, 1)?;
        push(ring, &[nop(2)])?;
        ring.submit()?;
        Ok(())
    }),
    ("pending and skip-success", |ring, pipe, memory| {
        pending(ring, pipe, memory, CQE_SKIP_SUCCESS, 1)
    }),
    ("completed with skip-success", |ring, _, _| {
        push(ring, &[nop(1).with_flags(CQE_SKIP_SUCCESS)])?;
        ring.submit()?;
        Ok(())
    }),
    ("pending and unsolicited", |ring, pipe, memory| {
        pending(ring, pipe, memory, 0, UNSOLICITED)
    }),
    ("registered files", |ring, pipe, memory| {
        ring.register_files(&[pipe], &[])?;
        pending(ring, pipe, memory, CQE_SKIP_SUCCESS, 1)
    }),
];

fn pending(ring: &mut Ring, pipe: RawFd, memory: *mut u8, flags: u8, user_data: u64) -> Result {
    let read = Read::new(pipe, memory, 1).build();
    // SAFETY: the test drops every ring, which waits for its operations, before the memory.
    unsafe { ring.push(&read.with_flags(flags).with_user_data(user_data))? };
    if flags & IO_LINK == 0 {
        ring.submit()?;
    }
    Ok(())
}

#[test]
fn drop_closes_all_descriptors_in_every_state_and_mode() -> Result {
    let (reader, _writer) = std::io::pipe()?;
    let mut memory = [0_u8; 1];
    let flags = [0, SQPOLL, SQE128, CQE32, SQE128 | CQE32];
    let modes = [None, Some(COOP_TASKRUN), Some(0)];
    let before = open_descriptors()?;
    for (flags, mode) in flags.iter().flat_map(|flags| modes.map(|mode| (*flags, mode))) {
        let setup = Setup {
            entries: 8,
            flags,
            mode,
            ..Setup::default()
        };
        if flags & SQPOLL != 0 && mode == Some(COOP_TASKRUN) {
            continue; // the kernel refuses this combination
        }
        for (name, state) in STATES {
            for by_drop in [true, false] {
                let mut ring = setup.build()?;
                assert!(
                    open_descriptors()?.len() > before.len(),
                    "a ring has a descriptor"
                );
                state(&mut ring, reader.as_raw_fd(), memory.as_mut_ptr())?;
                if by_drop {
                    drop(ring);
                } else {
                    ring.close()?;
                }
                assert_eq!(
                    open_descriptors()?,
                    before,
                    "{name}, flags {flags:#x}, mode {mode:?}"
                );
            }
        }
    }

    let mut disabled = Setup {
        flags: R_DISABLED,
        ..Setup::default()
    }
    .build()?;
    push(&mut disabled, &[nop(1)])?;
    drop(disabled);
    assert_eq!(open_descriptors()?, before, "disabled");

    assert_eq!(errno(Ring::new(0)), Some(libc::EINVAL));
    assert!(exactly(8, 1 << 31).is_err());
    assert_eq!(open_descriptors()?, before, "refused");
    Ok(())
}
