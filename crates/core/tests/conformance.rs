//! Every operation's 64 bytes are those that the `io-uring` crate's own builder makes. Fields that the crate cannot
//! set are laid over its bytes by hand, at their offsets in `struct io_uring_sqe`.

use std::collections::{BTreeMap, BTreeSet};

use io_uring::{opcode, squeue, types};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use typed_uring::entry::{Place, place};
use typed_uring::operations::{
    AsyncCancel, Close, Fsync, Nop, OPERATIONS, OpenAt, Read, Readv, Statx, Timeout, TimeoutRemove, Write,
    Writev,
};
use typed_uring::{Address, Entry, File, Group, Slot};

/// Random values for every kind of field. What is absent leaves the default of both sides to be compared.
#[derive(Clone, Debug)]
struct Values {
    file: File,
    fd: i32,
    address: u64,
    second_address: u64,
    length: u32,
    offset: Option<u64>,
    optional_fd: Option<i32>,
    word: Option<u32>,
    second_word: Option<u32>,
    half: Option<u16>,
    byte: Option<u8>,
    group: Option<u16>,
    slot: Option<Slot>,
    choice: u8,
}

fn values() -> impl Strategy<Value = Values> {
    let file = prop_oneof![
        any::<i32>().prop_map(File::Fd),
        any::<u32>().prop_map(File::Fixed)
    ];
    let slot = prop_oneof![
        (0..=u32::MAX - 2).prop_map(|index| Some(Slot::Index(index))),
        Just(Some(Slot::Auto)),
        Just(None)
    ];
    let required = (file, any::<i32>(), any::<[u64; 2]>(), any::<u32>());
    let optional = (
        any::<Option<u64>>(),
        any::<Option<i32>>(),
        any::<[Option<u32>; 2]>(),
        any::<Option<u16>>(),
        any::<Option<u8>>(),
        any::<Option<u16>>(),
        slot,
    );
    (required, optional, any::<u8>()).prop_map(|(required, optional, choice)| {
        let (file, fd, [address, second_address], length) = required;
        let (offset, optional_fd, [word, second_word], half, byte, group, slot) = optional;
        Values {
            file,
            fd,
            address,
            second_address,
            length,
            offset,
            optional_fd,
            word,
            second_word,
            half,
            byte,
            group,
            slot,
            choice,
        }
    })
}

/// Calls the setters of those fields that have a value.
macro_rules! given {
    ($builder:expr, $($method:ident: $value:expr),* $(,)?) => {{
        let builder = $builder;
        $(let builder = match $value {
            Some(value) => builder.$method(value),
            None => builder,
        };)*
        builder
    }};
}

/// The crate tells a descriptor from a registered file by type.
macro_rules! with_file {
    ($file:expr, $name:ident => $build:expr) => {
        match $file {
            File::Fd(fd) => {
                let $name = types::Fd(fd);
                $build
            }
            File::Fixed(index) => {
                let $name = types::Fixed(index);
                $build
            }
        }
    };
}

fn flags(word: Option<u32>) -> Option<i32> {
    word.map(u32::cast_signed)
}

/// The crate's entry, with `BUFFER_SELECT` where there is a group: its callers set that themselves.
fn select(entry: squeue::Entry, group: Option<u16>) -> Entry {
    Entry::from(if group.is_some() {
        entry.flags(squeue::Flags::BUFFER_SELECT)
    } else {
        entry
    })
}

fn destination(slot: Option<Slot>) -> Option<types::DestinationSlot> {
    match slot? {
        Slot::Auto => Some(types::DestinationSlot::auto_target()),
        Slot::Index(index) => types::DestinationSlot::try_from_slot_target(index).ok(),
    }
}

/// Lays a value over an entry at a byte offset of `struct io_uring_sqe`.
fn lay<const SIZE: usize>(entry: Entry, at: usize, value: Option<[u8; SIZE]>) -> Entry {
    let mut bytes = *entry.as_bytes();
    if let Some(value) = value {
        bytes[at..at + SIZE].copy_from_slice(&value);
    }
    Entry::from_bytes(bytes)
}

/// The two sides of a comparison.
struct Sides {
    ours: Entry,
    theirs: Entry,
}

fn nop(v: &Values) -> Sides {
    let extra = v.choice & 1 != 0;
    let ours = given!(Nop::new(), nop_flags: v.word, result: flags(v.second_word), fd: v.optional_fd,
        buffer_index: v.half, extra1: extra.then_some(v.address), extra2: extra.then_some(v.second_address));
    let theirs = Entry::from(opcode::Nop::new().build());
    let theirs = lay(theirs, 4, v.optional_fd.map(i32::to_ne_bytes));
    let theirs = lay(theirs, 8, extra.then_some(v.address.to_ne_bytes()));
    let theirs = lay(theirs, 16, extra.then_some(v.second_address.to_ne_bytes()));
    let theirs = lay(theirs, 24, v.second_word.map(u32::to_ne_bytes));
    let theirs = lay(theirs, 28, v.word.map(u32::to_ne_bytes));
    let theirs = lay(theirs, 40, v.half.map(u16::to_ne_bytes));
    Sides {
        ours: ours.build(),
        theirs,
    }
}

fn readv(v: &Values) -> Sides {
    let ours = given!(Readv::new(v.file, v.address, v.length), offset: v.offset, rw_flags: v.word,
        ioprio: v.half, group: v.group);
    let theirs = with_file!(v.file, file => opcode::Readv::new(file, v.address as *const _, v.length));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half,
        buf_group: v.group);
    Sides {
        ours: ours.build(),
        theirs: select(theirs.build(), v.group),
    }
}

fn writev(v: &Values) -> Sides {
    let ours = given!(Writev::new(v.file, v.address, v.length), offset: v.offset, rw_flags: v.word,
        ioprio: v.half, write_stream: v.byte);
    let theirs = with_file!(v.file, file => opcode::Writev::new(file, v.address as *const _, v.length));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half,
        write_stream: v.byte);
    Sides {
        ours: ours.build(),
        theirs: theirs.build().into(),
    }
}

fn fsync(v: &Values) -> Sides {
    let ours =
        given!(Fsync::new(v.file), fsync_flags: v.word, offset: v.offset, length: v.second_word).build();
    let theirs = with_file!(v.file, file => opcode::Fsync::new(file));
    let theirs = given!(theirs, flags: v.word.map(types::FsyncFlags::from_bits_retain), offset: v.offset,
        len: v.second_word);
    Sides {
        ours,
        theirs: theirs.build().into(),
    }
}

fn timeout(v: &Values) -> Sides {
    let ours = given!(Timeout::new(v.address), count: v.word, timeout_flags: v.second_word).build();
    let theirs = given!(opcode::Timeout::new(v.address as *const _), count: v.word,
        flags: v.second_word.map(types::TimeoutFlags::from_bits_retain));
    Sides {
        ours,
        theirs: theirs.build().into(),
    }
}

fn timeout_remove(v: &Values) -> Sides {
    let ours = given!(TimeoutRemove::new(v.address), timeout_flags: v.word).build();
    let theirs = opcode::TimeoutRemove::new(v.address).build().into();
    Sides {
        ours,
        theirs: lay(theirs, 28, v.word.map(u32::to_ne_bytes)),
    }
}

/// The crate has one key at a time, and a builder for each; ours has all keys together.
fn async_cancel(v: &Values) -> Sides {
    const ALL: u32 = 1 << 0;
    const FD: u32 = 1 << 1;
    const ANY: u32 = 1 << 2;
    const FD_FIXED: u32 = 1 << 3;
    let cancel = AsyncCancel::new;
    let by = |builder: types::CancelBuilder| Entry::from(opcode::AsyncCancel2::new(builder).build());
    let fixed = v.fd.cast_unsigned();
    let (ours, theirs) = match v.choice % 8 {
        0 => (
            cancel().target(v.address),
            opcode::AsyncCancel::new(v.address).build().into(),
        ),
        1 => (
            cancel().target(v.address).cancel_flags(ALL),
            by(types::CancelBuilder::user_data(v.address).all()),
        ),
        2 => (cancel().cancel_flags(ANY), by(types::CancelBuilder::any())),
        3 => (
            cancel().fd(v.fd).cancel_flags(FD),
            by(types::CancelBuilder::fd(types::Fd(v.fd))),
        ),
        4 => (
            cancel().fd(v.fd).cancel_flags(FD | FD_FIXED),
            by(types::CancelBuilder::fd(types::Fixed(fixed))),
        ),
        _ => {
            let theirs = Entry::from(opcode::AsyncCancel::new(v.address).build());
            let theirs = lay(theirs, 4, v.optional_fd.map(i32::to_ne_bytes));
            let theirs = lay(theirs, 24, v.word.map(u32::to_ne_bytes));
            let theirs = lay(theirs, 28, v.second_word.map(u32::to_ne_bytes));
            (
                given!(cancel().target(v.address), fd: v.optional_fd, opcode: v.word, cancel_flags: v.second_word),
                theirs,
            )
        }
    };
    Sides {
        ours: ours.build(),
        theirs,
    }
}

fn open_at(v: &Values) -> Sides {
    let ours =
        given!(OpenAt::new(v.fd, v.address), open_flags: v.word, mode: v.second_word, slot: v.slot).build();
    let theirs = given!(opcode::OpenAt::new(types::Fd(v.fd), v.address as *const _), flags: flags(v.word),
        mode: v.second_word);
    Sides {
        ours,
        theirs: theirs.file_index(destination(v.slot)).build().into(),
    }
}

fn close(v: &Values) -> Sides {
    let (ours, theirs) = match v.slot {
        Some(Slot::Index(index)) => (
            Close::new().slot(index),
            opcode::Close::new(types::Fixed(index)).build(),
        ),
        _ => (Close::new().fd(v.fd), opcode::Close::new(types::Fd(v.fd)).build()),
    };
    Sides {
        ours: ours.build(),
        theirs: theirs.into(),
    }
}

fn statx(v: &Values) -> Sides {
    let ours =
        given!(Statx::new(v.fd, v.address, v.second_address), statx_flags: v.word, mask: v.second_word);
    let theirs = given!(
        opcode::Statx::new(types::Fd(v.fd), v.address as *const _, v.second_address as *mut _),
        flags: flags(v.word),
        mask: v.second_word
    );
    Sides {
        ours: ours.build(),
        theirs: theirs.build().into(),
    }
}

fn read(v: &Values) -> Sides {
    let ours = given!(Read::new(v.file, v.address, v.length), offset: v.offset, rw_flags: v.word,
        ioprio: v.half, group: v.group);
    let theirs = with_file!(v.file, file => opcode::Read::new(file, v.address as *mut _, v.length));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half,
        buf_group: v.group);
    Sides {
        ours: ours.build(),
        theirs: select(theirs.build(), v.group),
    }
}

fn write(v: &Values) -> Sides {
    let ours = given!(Write::new(v.file, v.address, v.length), offset: v.offset, rw_flags: v.word,
        ioprio: v.half, write_stream: v.byte);
    let theirs = with_file!(v.file, file => opcode::Write::new(file, v.address as *const _, v.length));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half,
        write_stream: v.byte);
    Sides {
        ours: ours.build(),
        theirs: theirs.build().into(),
    }
}

type Case = (&'static str, fn(&Values) -> Sides);

const CASES: &[Case] = &[
    ("Nop", nop),
    ("Readv", readv),
    ("Writev", writev),
    ("Fsync", fsync),
    ("Timeout", timeout),
    ("TimeoutRemove", timeout_remove),
    ("AsyncCancel", async_cancel),
    ("OpenAt", open_at),
    ("Close", close),
    ("Statx", statx),
    ("Read", read),
    ("Write", write),
];

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases: 1000,
        failure_persistence: None, // a failure prints its values; there is no file of them to keep
        ..ProptestConfig::default()
    })
}

#[test]
fn every_operation_has_the_bytes_of_the_crates_own_builder() -> Result<(), String> {
    for (name, sides) in CASES {
        runner()
            .run(&values(), |values| {
                let Sides { ours, theirs } = sides(&values);
                if ours == theirs {
                    Ok(())
                } else {
                    Err(TestCaseError::fail(format!(
                        "\n  ours: {:02x?}\ntheirs: {:02x?}",
                        ours.as_bytes(),
                        theirs.as_bytes()
                    )))
                }
            })
            .map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

#[test]
fn every_row_of_the_table_has_a_case_and_every_case_a_row() {
    let rows: BTreeSet<_> = OPERATIONS.iter().map(|operation| operation.name).collect();
    let cases: BTreeSet<_> = CASES.iter().map(|(name, _)| *name).collect();
    assert_eq!(rows, cases);
    assert_eq!(rows.len(), OPERATIONS.len(), "two rows have the same name");
    assert_eq!(cases.len(), CASES.len(), "two cases have the same name");
}

/// A case that forgot a field would compare two defaults for ever.
#[test]
fn every_field_of_a_row_takes_many_values_in_its_case() -> Result<(), String> {
    let cases: BTreeMap<_, _> = CASES.iter().copied().collect();
    for operation in OPERATIONS {
        let sides = cases.get(operation.name).ok_or(operation.name)?;
        let seen: Vec<_> = operation
            .fields
            .iter()
            .map(|_| std::cell::RefCell::new(BTreeSet::new()))
            .collect();
        runner()
            .run(&values(), |values| {
                let entry = sides(&values).ours;
                assert_eq!(entry.get(place::opcode), u64::from(operation.opcode));
                for (field, seen) in operation.fields.iter().zip(&seen) {
                    seen.borrow_mut().insert(entry.get(field.place));
                }
                Ok(())
            })
            .map_err(|error| format!("{}: {error}", operation.name))?;
        for (field, seen) in operation.fields.iter().zip(&seen) {
            assert!(seen.borrow().len() > 100, "{}: {}", operation.name, field.name);
        }
    }
    Ok(())
}

#[test]
fn what_every_entry_has_lands_where_the_crate_puts_it() -> Result<(), String> {
    let strategy = (any::<u64>(), any::<u16>(), 0..128_u8, values());
    runner()
        .run(&strategy, |(user_data, personality, flags, values)| {
            let theirs = read(&values)
                .theirs
                .raw()
                .flags(squeue::Flags::from_bits_retain(flags))
                .personality(personality)
                .user_data(user_data);
            let ours = read(&values)
                .ours
                .with_flags(flags)
                .with_personality(personality)
                .with_user_data(user_data);
            assert_eq!(ours, Entry::from(theirs));
            // A second call replaces a number, where flags add up.
            assert_eq!(
                ours.with_user_data(1).with_personality(2).get(place::user_data),
                1
            );
            assert_eq!(
                ours.with_user_data(1).with_personality(2).get(place::personality),
                2
            );
            Ok(())
        })
        .map_err(|error| error.to_string())
}

/// `struct io_uring_sqe` of `include/uapi/linux/io_uring.h`.
#[test]
fn places_are_those_of_the_kernels_header() {
    let header = [
        (place::opcode, 0, 1),
        (place::flags, 1, 1),
        (place::ioprio, 2, 2),
        (place::fd, 4, 4),
        (place::off, 8, 8),
        (place::cmd_op, 8, 4),
        (place::addr, 16, 8),
        (place::level, 16, 4),
        (place::optname, 20, 4),
        (place::len, 24, 4),
        (place::op_flags, 28, 4),
        (place::user_data, 32, 8),
        (place::buf_index, 40, 2),
        (place::personality, 42, 2),
        (place::file_index, 44, 4),
        (place::addr_len, 44, 2),
        (place::write_stream, 44, 1),
        (place::addr3, 48, 8),
        (place::pad2, 56, 8),
    ];
    for (place, at, size) in header {
        assert_eq!(place, Place { at, size });
    }
}

/// The field holds the index plus one, and both its ends mean something else: an ordinary descriptor, any free slot.
#[test]
fn a_slot_beyond_the_field_is_neither_no_slot_nor_any_slot() {
    for index in [u32::MAX - 2, u32::MAX - 1, u32::MAX] {
        let entry = OpenAt::new(0, 0_u64).slot(index).build();
        assert_eq!(entry.get(place::file_index), u64::from(u32::MAX - 1), "{index}");
    }
}

#[test]
fn values_convert_into_every_kind_of_field() {
    let mut byte = 0_u8;
    let pointer: *mut u8 = &raw mut byte;
    assert_eq!(Address::from(pointer), Address(pointer as u64));
    assert_eq!(Address::from(pointer.cast_const()), Address(pointer as u64));
    assert_eq!(File::from(-100), File::Fd(-100));
    assert_eq!(Group::from(7), Group(7));
    assert_eq!(Slot::from(7), Slot::Index(7));
}
