//! Random values for every kind of field.

use proptest::prelude::*;
use typed_uring::{File, Slot};

/// Values for the fields of an entry. For absent values both sides have their default.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    pub(crate) file: File,
    pub(crate) fd: i32,
    pub(crate) second_fd: i32,
    pub(crate) address: u64,
    pub(crate) second_address: u64,
    pub(crate) third_address: u64,
    pub(crate) length: u32,
    pub(crate) number: u32,
    pub(crate) second_number: u32,
    pub(crate) index: u16,
    pub(crate) second_index: u16,
    pub(crate) offset: Option<u64>,
    pub(crate) optional_fd: Option<i32>,
    pub(crate) word: Option<u32>,
    pub(crate) second_word: Option<u32>,
    pub(crate) third_word: Option<u32>,
    pub(crate) half: Option<u16>,
    pub(crate) byte: Option<u8>,
    pub(crate) group: Option<u16>,
    pub(crate) slot: Option<Slot>,
    pub(crate) data: [Option<u64>; 10],
    pub(crate) choice: u8,
}

pub(crate) fn values() -> impl Strategy<Value = Values> {
    let file = prop_oneof![
        any::<i32>().prop_map(File::Fd),
        any::<u32>().prop_map(File::Fixed)
    ];
    let slot = prop_oneof![
        (0..=u32::MAX - 2).prop_map(|index| Some(Slot::Index(index))),
        Just(Some(Slot::Auto)),
        Just(None)
    ];
    // An array of options takes twice the time.
    let data = (any::<[u64; 10]>(), any::<u16>()).prop_map(|(words, given)| {
        std::array::from_fn(|index| (given >> index & 1 != 0).then_some(words[index]))
    });
    let required = (
        file,
        any::<[i32; 2]>(),
        any::<[u64; 3]>(),
        any::<[u32; 3]>(),
        any::<[u16; 2]>(),
    );
    let optional = (
        any::<Option<u64>>(),
        any::<Option<i32>>(),
        any::<[Option<u32>; 3]>(),
        any::<Option<u16>>(),
        any::<Option<u8>>(),
        any::<Option<u16>>(),
        slot,
        data,
    );
    (required, optional, any::<u8>()).prop_map(|(required, optional, choice)| {
        let (file, [fd, second_fd], addresses, numbers, [index, second_index]) = required;
        let [address, second_address, third_address] = addresses;
        let [length, number, second_number] = numbers;
        let (offset, optional_fd, words, half, byte, group, slot, data) = optional;
        let [word, second_word, third_word] = words;
        Values {
            file,
            fd,
            second_fd,
            address,
            second_address,
            third_address,
            length,
            number,
            second_number,
            index,
            second_index,
            offset,
            optional_fd,
            word,
            second_word,
            third_word,
            half,
            byte,
            group,
            slot,
            data,
            choice,
        }
    })
}
