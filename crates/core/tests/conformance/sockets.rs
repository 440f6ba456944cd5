//! Sockets and their connections.

use io_uring::opcode;
use typed_uring::Slot;
use typed_uring::operations::{Accept, AcceptMulti, Bind, Connect, Listen, Shutdown, Socket};

use crate::sides::{Case, Lay, Sides, destination, flags, from_crate, given, sides, with_file};
use crate::values::Values;

pub(crate) const CASES: &[Case] = &[
    ("Accept", accept),
    ("AcceptMulti", accept_multi),
    ("Connect", connect),
    ("Shutdown", shutdown),
    ("Socket", socket),
    ("Bind", bind),
    ("Listen", listen),
];

fn accept(v: &Values) -> Sides<64> {
    let ours = given!(Accept::new(v.file), address: v.data[0], address_length: v.data[1],
        accept_flags: v.word, ioprio: v.half, slot: v.slot);
    let address = v.data[0].unwrap_or(0) as *mut _;
    let length = v.data[1].unwrap_or(0) as *mut _;
    let theirs = with_file!(v.file, file => opcode::Accept::new(file, address, length));
    let theirs = given!(theirs.file_index(destination(v.slot)), flags: flags(v.word));
    sides(ours.build(), from_crate(theirs.build()).lay(2, v.half))
}

fn accept_multi(v: &Values) -> Sides<64> {
    let ours = given!(AcceptMulti::new(v.file), address: v.data[0], address_length: v.data[1],
        accept_flags: v.word, ioprio: v.half, slot: v.slot);
    let theirs = with_file!(v.file, file => opcode::AcceptMulti::new(file));
    let theirs = given!(theirs.allocate_file_index(v.slot == Some(Slot::Auto)), flags: flags(v.word));
    let named = match v.slot {
        Some(Slot::Index(index)) => Some(index + 1),
        _ => None,
    };
    let theirs = from_crate(theirs.build())
        .add(2, v.half)
        .lay(8, v.data[1])
        .lay(16, v.data[0])
        .lay(44, named);
    sides(ours.build(), theirs)
}

fn connect(v: &Values) -> Sides<64> {
    let ours = Connect::new(v.file, v.address, v.length);
    let theirs = with_file!(v.file, file => opcode::Connect::new(file, v.address as *const _, v.length));
    sides(ours.build(), theirs.build())
}

fn shutdown(v: &Values) -> Sides<64> {
    let ours = Shutdown::new(v.file, v.fd);
    let theirs = with_file!(v.file, file => opcode::Shutdown::new(file, v.fd));
    sides(ours.build(), theirs.build())
}

/// The crate sign-extends the type; the kernel reads only the low 32 bits.
fn socket(v: &Values) -> Sides<64> {
    let ours = given!(Socket::new(v.fd, v.number, v.second_number), slot: v.slot);
    let theirs = opcode::Socket::new(v.fd, v.number.cast_signed(), v.second_number.cast_signed());
    let theirs = from_crate(theirs.file_index(destination(v.slot)).build());
    sides(ours.build(), theirs.lay(8, Some(u64::from(v.number))))
}

fn bind(v: &Values) -> Sides<64> {
    let ours = Bind::new(v.file, v.address, v.length);
    let theirs = with_file!(v.file, file => opcode::Bind::new(file, v.address as *const _, v.length));
    sides(ours.build(), theirs.build())
}

fn listen(v: &Values) -> Sides<64> {
    let ours = Listen::new(v.file, v.fd);
    let theirs = with_file!(v.file, file => opcode::Listen::new(file, v.fd));
    sides(ours.build(), theirs.build())
}
