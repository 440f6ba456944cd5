//! Operations on paths.

use io_uring::{opcode, types};
use typed_uring::operations::{
    GetXattr, LinkAt, MkDirAt, OpenAt, OpenAt2, RenameAt, SetXattr, Statx, SymlinkAt, UnlinkAt,
};

use crate::sides::{Case, Sides, destination, flags, given, sides};
use crate::values::Values;

pub(crate) const CASES: &[Case] = &[
    ("OpenAt", open_at),
    ("Statx", statx),
    ("OpenAt2", open_at2),
    ("RenameAt", rename_at),
    ("UnlinkAt", unlink_at),
    ("MkDirAt", mk_dir_at),
    ("SymlinkAt", symlink_at),
    ("LinkAt", link_at),
    ("SetXattr", set_xattr),
    ("GetXattr", get_xattr),
];

fn open_at(v: &Values) -> Sides<64> {
    let ours = given!(OpenAt::new(v.fd, v.address), open_flags: v.word, mode: v.second_word, slot: v.slot);
    let theirs = given!(opcode::OpenAt::new(types::Fd(v.fd), v.address as *const _), flags: flags(v.word),
        mode: v.second_word);
    sides(ours.build(), theirs.file_index(destination(v.slot)).build())
}

fn statx(v: &Values) -> Sides<64> {
    let ours =
        given!(Statx::new(v.fd, v.address, v.second_address), statx_flags: v.word, mask: v.second_word);
    let (path, buffer) = (v.address as *const _, v.second_address as *mut _);
    let theirs = given!(opcode::Statx::new(types::Fd(v.fd), path, buffer), flags: flags(v.word),
        mask: v.second_word);
    sides(ours.build(), theirs.build())
}

fn open_at2(v: &Values) -> Sides<64> {
    let ours = given!(OpenAt2::new(v.fd, v.address, v.second_address), slot: v.slot);
    let (path, how) = (v.address as *const _, v.second_address as *const _);
    let theirs = opcode::OpenAt2::new(types::Fd(v.fd), path, how);
    sides(ours.build(), theirs.file_index(destination(v.slot)).build())
}

fn rename_at(v: &Values) -> Sides<64> {
    let ours = given!(RenameAt::new(v.fd, v.address, v.second_fd, v.second_address), rename_flags: v.word);
    let (old, new) = (v.address as *const _, v.second_address as *const _);
    let theirs = opcode::RenameAt::new(types::Fd(v.fd), old, types::Fd(v.second_fd), new);
    sides(ours.build(), given!(theirs, flags: v.word).build())
}

fn unlink_at(v: &Values) -> Sides<64> {
    let ours = given!(UnlinkAt::new(v.fd, v.address), unlink_flags: v.word);
    let theirs = opcode::UnlinkAt::new(types::Fd(v.fd), v.address as *const _);
    sides(ours.build(), given!(theirs, flags: flags(v.word)).build())
}

fn mk_dir_at(v: &Values) -> Sides<64> {
    let ours = given!(MkDirAt::new(v.fd, v.address), mode: v.word);
    let theirs = opcode::MkDirAt::new(types::Fd(v.fd), v.address as *const _);
    sides(ours.build(), given!(theirs, mode: v.word).build())
}

fn symlink_at(v: &Values) -> Sides<64> {
    let ours = SymlinkAt::new(v.fd, v.address, v.second_address);
    let (target, path) = (v.address as *const _, v.second_address as *const _);
    let theirs = opcode::SymlinkAt::new(types::Fd(v.fd), target, path);
    sides(ours.build(), theirs.build())
}

fn link_at(v: &Values) -> Sides<64> {
    let ours = given!(LinkAt::new(v.fd, v.address, v.second_fd, v.second_address), link_flags: v.word);
    let (old, new) = (v.address as *const _, v.second_address as *const _);
    let theirs = opcode::LinkAt::new(types::Fd(v.fd), old, types::Fd(v.second_fd), new);
    sides(ours.build(), given!(theirs, flags: flags(v.word)).build())
}

fn set_xattr(v: &Values) -> Sides<64> {
    let ours =
        given!(SetXattr::new(v.address, v.second_address, v.third_address, v.length), xattr_flags: v.word);
    let (name, value) = (v.address as *const _, v.second_address as *const _);
    let theirs = opcode::SetXattr::new(name, value, v.third_address as *const _, v.length);
    sides(ours.build(), given!(theirs, flags: flags(v.word)).build())
}

fn get_xattr(v: &Values) -> Sides<64> {
    let ours = GetXattr::new(v.address, v.second_address, v.third_address, v.length);
    let (name, value) = (v.address as *const _, v.second_address as *mut _);
    let theirs = opcode::GetXattr::new(name, value, v.third_address as *const _, v.length);
    sides(ours.build(), theirs.build())
}
