//! Reading, writing, and moving bytes between files.

use io_uring::{opcode, types};
use typed_uring::operations::{
    Read, ReadFixed, ReadMulti, Readv, ReadvFixed, Splice, Tee, Write, WriteFixed, Writev, WritevFixed,
};
use typed_uring::{Entry, File};

use crate::sides::{Case, IntoEntry, Lay, Sides, also, flags, from_crate, given, select, sides, with_file};
use crate::values::Values;

pub(crate) const CASES: &[Case] = &[
    ("Readv", readv),
    ("Writev", writev),
    ("ReadFixed", read_fixed),
    ("WriteFixed", write_fixed),
    ("Read", read),
    ("Write", write),
    ("Splice", splice),
    ("Tee", tee),
    ("ReadMulti", read_multi),
    ("ReadvFixed", readv_fixed),
    ("WritevFixed", writev_fixed),
];

/// Sets `attr_ptr` and `attr_type_mask`, for which the crate has no setters.
fn attributes(entry: impl IntoEntry<64>, v: &Values) -> Entry {
    entry.into_entry().lay(48, v.data[0]).lay(56, v.data[1])
}

fn readv(v: &Values) -> Sides<64> {
    let ours = given!(Readv::new(v.file, v.address, v.length), offset: v.offset, rw_flags: v.word,
        ioprio: v.half, group: v.group, attributes: v.data[0], attribute_mask: v.data[1]);
    let theirs = with_file!(v.file, file => opcode::Readv::new(file, v.address as *const _, v.length));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half,
        buf_group: v.group);
    sides(ours.build(), attributes(select(theirs.build(), v.group), v))
}

fn writev(v: &Values) -> Sides<64> {
    let ours = given!(Writev::new(v.file, v.address, v.length), offset: v.offset, rw_flags: v.word,
        ioprio: v.half, write_stream: v.byte, attributes: v.data[0], attribute_mask: v.data[1]);
    let theirs = with_file!(v.file, file => opcode::Writev::new(file, v.address as *const _, v.length));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half,
        write_stream: v.byte);
    sides(ours.build(), attributes(theirs.build(), v))
}

fn read_fixed(v: &Values) -> Sides<64> {
    let ours = given!(ReadFixed::new(v.file, v.address, v.length, v.index), offset: v.offset,
        rw_flags: v.word, ioprio: v.half, attributes: v.data[0], attribute_mask: v.data[1]);
    let theirs =
        with_file!(v.file, file => opcode::ReadFixed::new(file, v.address as *mut _, v.length, v.index));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half);
    sides(ours.build(), attributes(theirs.build(), v))
}

fn write_fixed(v: &Values) -> Sides<64> {
    let ours = given!(WriteFixed::new(v.file, v.address, v.length, v.index), offset: v.offset,
        rw_flags: v.word, ioprio: v.half, write_stream: v.byte, attributes: v.data[0],
        attribute_mask: v.data[1]);
    let theirs =
        with_file!(v.file, file => opcode::WriteFixed::new(file, v.address as *const _, v.length, v.index));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half,
        write_stream: v.byte);
    sides(ours.build(), attributes(theirs.build(), v))
}

pub(crate) fn read(v: &Values) -> Sides<64> {
    let ours = given!(Read::new(v.file, v.address, v.length), offset: v.offset, rw_flags: v.word,
        ioprio: v.half, group: v.group, attributes: v.data[0], attribute_mask: v.data[1]);
    let theirs = with_file!(v.file, file => opcode::Read::new(file, v.address as *mut _, v.length));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half,
        buf_group: v.group);
    sides(ours.build(), attributes(select(theirs.build(), v.group), v))
}

fn write(v: &Values) -> Sides<64> {
    let ours = given!(Write::new(v.file, v.address, v.length), offset: v.offset, rw_flags: v.word,
        ioprio: v.half, write_stream: v.byte, attributes: v.data[0], attribute_mask: v.data[1]);
    let theirs = with_file!(v.file, file => opcode::Write::new(file, v.address as *const _, v.length));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half,
        write_stream: v.byte);
    sides(ours.build(), attributes(theirs.build(), v))
}

/// `SPLICE_F_FD_IN_FIXED`, which the crate sets if the source is a registered file.
const SOURCE_FIXED: u32 = 1 << 31;

fn splice(v: &Values) -> Sides<64> {
    let fixed = v.choice & 1 != 0;
    let ours = given!(Splice::new(v.fd, v.file, v.length), offset_in: v.data[0], offset_out: v.data[1],
        splice_flags: also(v.word, fixed.then_some(SOURCE_FIXED)));
    let [offset_in, offset_out] = [v.data[0], v.data[1]].map(|offset| offset.map_or(-1, u64::cast_signed));
    let source = v.fd.cast_unsigned();
    let theirs = with_file!(v.file, file => if fixed {
        opcode::Splice::new(types::Fixed(source), offset_in, file, offset_out, v.length)
    } else {
        opcode::Splice::new(types::Fd(v.fd), offset_in, file, offset_out, v.length)
    });
    sides(ours.build(), given!(theirs, flags: v.word).build())
}

fn tee(v: &Values) -> Sides<64> {
    let fixed = v.choice & 1 != 0;
    let ours = given!(Tee::new(v.fd, v.file, v.length),
        splice_flags: also(v.word, fixed.then_some(SOURCE_FIXED)));
    let source = v.fd.cast_unsigned();
    let theirs = with_file!(v.file, file => if fixed {
        opcode::Tee::new(types::Fixed(source), file, v.length)
    } else {
        opcode::Tee::new(types::Fd(v.fd), file, v.length)
    });
    sides(ours.build(), given!(theirs, flags: v.word).build())
}

/// The crate loses the flag of a registered file when it sets `BUFFER_SELECT`.
fn read_multi(v: &Values) -> Sides<64> {
    let ours = given!(ReadMulti::new(v.file, v.index), length: v.word, offset: v.offset);
    let length = v.word.unwrap_or(0);
    let theirs = with_file!(v.file, file => opcode::ReadMulti::new(file, length, v.index));
    let theirs = from_crate(theirs.offset(v.offset.unwrap_or(u64::MAX)).build());
    let fixed = matches!(v.file, File::Fixed(_)).then_some(1_u8 << 0);
    sides(ours.build(), theirs.add(1, fixed))
}

fn readv_fixed(v: &Values) -> Sides<64> {
    let ours = given!(ReadvFixed::new(v.file, v.address, v.length, v.index), offset: v.offset,
        rw_flags: v.word, ioprio: v.half, attributes: v.data[0], attribute_mask: v.data[1]);
    let theirs =
        with_file!(v.file, file => opcode::ReadvFixed::new(file, v.address as *const _, v.length, v.index));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half);
    sides(ours.build(), attributes(theirs.build(), v))
}

fn writev_fixed(v: &Values) -> Sides<64> {
    let ours = given!(WritevFixed::new(v.file, v.address, v.length, v.index), offset: v.offset,
        rw_flags: v.word, ioprio: v.half, write_stream: v.byte, attributes: v.data[0],
        attribute_mask: v.data[1]);
    let theirs =
        with_file!(v.file, file => opcode::WritevFixed::new(file, v.address as *const _, v.length, v.index));
    let theirs = given!(theirs.offset(v.offset.unwrap_or(u64::MAX)), rw_flags: flags(v.word), ioprio: v.half,
        write_stream: v.byte);
    sides(ours.build(), attributes(theirs.build(), v))
}
