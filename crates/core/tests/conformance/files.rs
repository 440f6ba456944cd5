//! Operations on open files.

use io_uring::{opcode, types};
use typed_uring::Slot;
use typed_uring::operations::{
    Close, FGetXattr, FSetXattr, Fadvise, Fallocate, FixedFdInstall, Fsync, Ftruncate, Pipe, SyncFileRange,
};

use crate::sides::{Case, Lay, Sides, destination, flags, from_crate, given, sides, with_file};
use crate::values::Values;

pub(crate) const CASES: &[Case] = &[
    ("Fsync", fsync),
    ("SyncFileRange", sync_file_range),
    ("Fallocate", fallocate),
    ("Close", close),
    ("Fadvise", fadvise),
    ("FSetXattr", f_set_xattr),
    ("FGetXattr", f_get_xattr),
    ("FixedFdInstall", fixed_fd_install),
    ("Ftruncate", ftruncate),
    ("Pipe", pipe),
];

fn fsync(v: &Values) -> Sides<64> {
    let ours = given!(Fsync::new(v.file), fsync_flags: v.word, offset: v.offset, length: v.second_word);
    let theirs = with_file!(v.file, file => opcode::Fsync::new(file));
    let theirs = given!(theirs, flags: v.word.map(types::FsyncFlags::from_bits_retain), offset: v.offset,
        len: v.second_word);
    sides(ours.build(), theirs.build())
}

fn sync_file_range(v: &Values) -> Sides<64> {
    let ours =
        given!(SyncFileRange::new(v.file), offset: v.offset, length: v.word, range_flags: v.second_word);
    let theirs = with_file!(v.file, file => opcode::SyncFileRange::new(file, v.word.unwrap_or(0)));
    let theirs = given!(theirs, offset: v.offset, flags: v.second_word);
    sides(ours.build(), theirs.build())
}

fn fallocate(v: &Values) -> Sides<64> {
    let ours = given!(Fallocate::new(v.file, v.address), offset: v.offset, mode: v.word);
    let theirs = with_file!(v.file, file => opcode::Fallocate::new(file, v.address));
    let theirs = given!(theirs, offset: v.offset, mode: flags(v.word));
    sides(ours.build(), theirs.build())
}

fn close(v: &Values) -> Sides<64> {
    let (ours, theirs) = match v.slot {
        Some(Slot::Index(index)) => (Close::new().slot(index), opcode::Close::new(types::Fixed(index))),
        _ => (Close::new().fd(v.fd), opcode::Close::new(types::Fd(v.fd))),
    };
    sides(ours.build(), theirs.build())
}

fn fadvise(v: &Values) -> Sides<64> {
    let advice = v.number.cast_signed();
    let ours = given!(Fadvise::new(v.file, advice), offset: v.offset, length: v.word, long_length: v.data[0]);
    let length = i64::from(v.word.unwrap_or(0));
    let theirs = with_file!(v.file, file => opcode::Fadvise::new(file, length, advice));
    let theirs = from_crate(given!(theirs, offset: v.offset).build());
    sides(ours.build(), theirs.lay(16, v.data[0]))
}

fn f_set_xattr(v: &Values) -> Sides<64> {
    let ours = given!(FSetXattr::new(v.file, v.address, v.second_address, v.length), xattr_flags: v.word);
    let (name, value) = (v.address as *const _, v.second_address as *const _);
    let theirs = with_file!(v.file, file => opcode::FSetXattr::new(file, name, value, v.length));
    sides(ours.build(), given!(theirs, flags: flags(v.word)).build())
}

fn f_get_xattr(v: &Values) -> Sides<64> {
    let ours = FGetXattr::new(v.file, v.address, v.second_address, v.length);
    let (name, value) = (v.address as *const _, v.second_address as *mut _);
    let theirs = with_file!(v.file, file => opcode::FGetXattr::new(file, name, value, v.length));
    sides(ours.build(), theirs.build())
}

fn fixed_fd_install(v: &Values) -> Sides<64> {
    let ours = given!(FixedFdInstall::new(v.number), install_flags: v.word);
    let theirs = opcode::FixedFdInstall::new(types::Fixed(v.number), v.word.unwrap_or(0));
    sides(ours.build(), theirs.build())
}

fn ftruncate(v: &Values) -> Sides<64> {
    let ours = Ftruncate::new(v.file, v.address);
    let theirs = with_file!(v.file, file => opcode::Ftruncate::new(file, v.address));
    sides(ours.build(), theirs.build())
}

fn pipe(v: &Values) -> Sides<64> {
    let ours = given!(Pipe::new(v.address), pipe_flags: v.word, slot: v.slot);
    let theirs = given!(opcode::Pipe::new(v.address as *mut _), flags: v.word);
    sides(ours.build(), theirs.file_index(destination(v.slot)).build())
}
