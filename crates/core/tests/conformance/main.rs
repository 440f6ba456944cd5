//! Every operation has the same 64 or 128 bytes as the entry of the `io-uring` crate's builder. Fields that the crate
//! cannot set are written into its entry here, at their offsets in `struct io_uring_sqe`.

mod commands;
mod data;
mod files;
mod messages;
mod paths;
mod polls;
mod process;
mod rings;
mod sides;
mod sockets;
mod timeouts;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use io_uring::{opcode, squeue};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseError, TestRunner};
use typed_uring::entry::{EntryBytes, Place, place};
use typed_uring::operations::{Nop128, OPERATIONS, OpenAt, OperationInfo};
use typed_uring::{Address, File, Group, Slot};

use sides::{Case, Lay, Sides, from_crate, to_crate};
use values::{Values, values};

fn cases() -> Vec<Case> {
    [
        data::CASES,
        files::CASES,
        paths::CASES,
        sockets::CASES,
        messages::CASES,
        polls::CASES,
        timeouts::CASES,
        process::CASES,
        rings::CASES,
        commands::CASES,
    ]
    .concat()
}

fn cases_128() -> Vec<Case<128>> {
    [rings::CASES_128, commands::CASES_128].concat()
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases: 256,
        failure_persistence: None, // a failure prints its values, so no file is kept
        ..ProptestConfig::default()
    })
}

/// Returns the errors of all cases, not only the first.
fn all(results: impl IntoIterator<Item = Result<(), String>>) -> Result<(), String> {
    let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("\n"))
    }
}

fn compare<const SIZE: usize>((name, sides): Case<SIZE>) -> Result<(), String> {
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
        .map_err(|error| format!("{name}: {error}"))
}

#[test]
fn every_operation_has_the_bytes_of_the_crates_builder() -> Result<(), String> {
    all(cases().into_iter().map(compare))
}

#[test]
fn every_operation_of_128_bytes_has_the_bytes_of_the_crates_builder() -> Result<(), String> {
    all(cases_128().into_iter().map(compare))
}

#[test]
fn every_row_of_the_table_has_a_case_and_every_case_a_row() {
    let rows: BTreeMap<_, _> = OPERATIONS
        .iter()
        .map(|operation| (operation.name, operation.size))
        .collect();
    let narrow = cases().into_iter().map(|(name, _)| (name, 64));
    let wide = cases_128().into_iter().map(|(name, _)| (name, 128));
    let cases: Vec<_> = narrow.chain(wide).collect();
    assert_eq!(rows.len(), OPERATIONS.len(), "two rows have the same name");
    assert_eq!(rows, cases.iter().copied().collect());
    assert_eq!(rows.len(), cases.len(), "two cases have the same name");
}

fn row(name: &str) -> Result<&'static OperationInfo, String> {
    let mut rows = OPERATIONS.iter();
    rows.find(|operation| operation.name == name)
        .ok_or_else(|| format!("{name}: no row"))
}

/// Fails for a case that does not set a field: it would compare only the defaults.
fn exercise<const SIZE: usize>((name, sides): Case<SIZE>, samples: &[Values]) -> Result<(), String> {
    let operation = row(name)?;
    let entries: Vec<_> = samples.iter().map(|values| sides(values).ours).collect();
    let opcode = u64::from(operation.opcode);
    if entries.iter().any(|entry| entry.get(place::opcode) != opcode) {
        return Err(format!("{name}: not opcode {opcode}"));
    }
    all(operation.fields.iter().map(|field| {
        let seen: BTreeSet<_> = entries.iter().map(|entry| entry.get(field.place)).collect();
        if seen.len() > 100 {
            Ok(())
        } else {
            Err(format!("{name}: {} takes {} values", field.name, seen.len()))
        }
    }))
}

#[test]
fn every_field_of_a_row_takes_many_values_in_its_case() -> Result<(), String> {
    let mut runner = runner();
    let samples: Vec<_> = (0..1000)
        .map(|_| values().new_tree(&mut runner).map(|tree| tree.current()))
        .collect::<Result<_, _>>()
        .map_err(|reason| reason.to_string())?;
    let narrow = cases().into_iter().map(|case| exercise(case, &samples));
    let wide = cases_128().into_iter().map(|case| exercise(case, &samples));
    all(narrow.chain(wide))
}

/// Sets entry flags, personality and user data.
fn decorate<const SIZE: usize>(
    entry: EntryBytes<SIZE>,
    flags: u8,
    personality: u16,
    user_data: u64,
) -> Result<EntryBytes<SIZE>, TestCaseError> {
    let entry = entry
        .with_flags(flags)
        .with_personality(personality)
        .with_user_data(user_data);
    // A second call replaces a number; flags add up.
    let again = entry.with_user_data(1).with_personality(2);
    prop_assert_eq!(again.get(place::user_data), 1);
    prop_assert_eq!(again.get(place::personality), 2);
    Ok(entry)
}

#[test]
fn common_fields_have_the_places_of_the_crates() -> Result<(), String> {
    let strategy = (any::<u64>(), any::<u16>(), 0..128_u8, values());
    runner()
        .run(&strategy, |(user_data, personality, flags, values)| {
            let theirs = to_crate(data::read(&values).theirs)
                .flags(squeue::Flags::from_bits_retain(flags))
                .personality(personality)
                .user_data(user_data);
            let ours = decorate(data::read(&values).ours, flags, personality, user_data)?;
            prop_assert_eq!(ours, from_crate(theirs));

            let theirs = squeue::Entry128::from(opcode::Nop::new().build())
                .flags(squeue::Flags::from_bits_retain(flags))
                .personality(personality)
                .user_data(user_data);
            let ours = decorate(Nop128::new().build(), flags, personality, user_data)?;
            prop_assert_eq!(ours, sides::from_crate_128(theirs).lay(0, Some(63_u8)));
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
        (place::data2, 64, 8),
        (place::data3, 72, 8),
        (place::data4, 80, 8),
        (place::data5, 88, 8),
        (place::data6, 96, 8),
        (place::data7, 104, 8),
        (place::data8, 112, 8),
        (place::data9, 120, 8),
    ];
    for (place, at, size) in header {
        assert_eq!(place, Place { at, size });
    }
}

/// The field holds the index plus one. Both ends of its range mean something else: an ordinary descriptor, and any
/// slot.
#[test]
fn an_index_that_does_not_fit_is_neither_a_descriptor_nor_any_slot() {
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
