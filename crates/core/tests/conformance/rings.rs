//! Operations on rings: no-ops, messages to other rings, registered files and provided buffers.

use io_uring::{opcode, squeue, types};
use typed_uring::EntryBytes;
use typed_uring::operations::{
    FilesUpdate, MsgRingData, MsgRingSendFd, Nop, Nop128, ProvideBuffers, RemoveBuffers,
};

use crate::sides::{Case, Lay, Sides, also, destination, flags, from_crate, from_crate_128, given, sides};
use crate::values::Values;

pub(crate) const CASES: &[Case] = &[
    ("Nop", nop),
    ("FilesUpdate", files_update),
    ("ProvideBuffers", provide_buffers),
    ("RemoveBuffers", remove_buffers),
    ("MsgRingData", msg_ring_data),
    ("MsgRingSendFd", msg_ring_send_fd),
];

pub(crate) const CASES_128: &[Case<128>] = &[("Nop128", nop128)];

/// Sets the fields of a no-op, for which the crate has no setters.
fn nop_fields<const SIZE: usize>(entry: EntryBytes<SIZE>, v: &Values) -> EntryBytes<SIZE> {
    entry
        .lay(4, v.optional_fd)
        .lay(8, v.data[0])
        .lay(16, v.data[1])
        .lay(24, v.second_word)
        .lay(28, v.word)
        .lay(40, v.half)
}

fn nop(v: &Values) -> Sides<64> {
    let ours = given!(Nop::new(), nop_flags: v.word, result: flags(v.second_word), fd: v.optional_fd,
        buffer_index: v.half, extra1: v.data[0], extra2: v.data[1]);
    let theirs = from_crate(opcode::Nop::new().build());
    sides(ours.build(), nop_fields(theirs, v))
}

/// The crate lacks this operation, so its no-op of 64 bytes is extended.
fn nop128(v: &Values) -> Sides<128> {
    let ours = given!(Nop128::new(), nop_flags: v.word, result: flags(v.second_word), fd: v.optional_fd,
        buffer_index: v.half, extra1: v.data[0], extra2: v.data[1]);
    let theirs = from_crate_128(squeue::Entry128::from(opcode::Nop::new().build())).lay(0, Some(63_u8));
    sides(ours.build(), nop_fields(theirs, v))
}

/// The crate's offset is signed, so large values do not fit.
fn files_update(v: &Values) -> Sides<64> {
    let ours = given!(FilesUpdate::new(v.address, v.length), offset: v.offset);
    let theirs = from_crate(opcode::FilesUpdate::new(v.address as *const _, v.length).build());
    sides(ours.build(), theirs.lay(8, v.offset))
}

/// The crate has 16 bits for the count, so 65536 does not fit.
fn provide_buffers(v: &Values) -> Sides<64> {
    let ours = ProvideBuffers::new(v.address, v.length, v.number, v.index, v.second_index);
    let size = v.length.cast_signed();
    let theirs = opcode::ProvideBuffers::new(v.address as *mut _, size, 0, v.index, v.second_index);
    sides(ours.build(), from_crate(theirs.build()).lay(4, Some(v.number)))
}

fn remove_buffers(v: &Values) -> Sides<64> {
    let ours = RemoveBuffers::new(v.number, v.index);
    let theirs = opcode::RemoveBuffers::new(0, v.index);
    sides(ours.build(), from_crate(theirs.build()).lay(4, Some(v.number)))
}

fn msg_ring_data(v: &Values) -> Sides<64> {
    const FLAGS_PASS: u32 = 1 << 1; // the crate sets it if there are flags
    let result = v.length.cast_signed();
    let ours = given!(MsgRingData::new(v.fd, result, v.address), user_flags: v.second_word,
        msg_ring_flags: also(v.word, v.second_word.map(|_| FLAGS_PASS)));
    let theirs = opcode::MsgRingData::new(types::Fd(v.fd), result, v.address, v.second_word);
    sides(ours.build(), given!(theirs, opcode_flags: v.word).build())
}

/// The crate always sets the slot.
fn msg_ring_send_fd(v: &Values) -> Sides<64> {
    let ours = given!(MsgRingSendFd::new(v.fd, v.number, v.address), slot: v.slot, msg_ring_flags: v.word);
    let slot = destination(v.slot).unwrap_or(types::DestinationSlot::auto_target());
    let theirs = opcode::MsgRingSendFd::new(types::Fd(v.fd), types::Fixed(v.number), slot, v.address);
    let theirs = from_crate(given!(theirs, opcode_flags: v.word).build());
    sides(ours.build(), theirs.lay(44, v.slot.is_none().then_some(0_u32)))
}
