//! Registered memory is unmapped after the last operation that may use it, and not before. The test is alone in its
//! file because it looks at addresses, which concurrent tests would reuse.

use std::io::Write as _;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use typed_uring::operations::{ReadFixed, Recv};
use typed_uring::register::GroupSetup;
use typed_uring::{Entry, MappedMemory, Ring};

#[allow(dead_code)] // each test file uses a part
mod support;
use support::{Guarded, Result, results, wait_for};

fn ring() -> Result<Guarded> {
    Ok(Guarded::from(Ring::new(8)?))
}

/// Tells if the address is in a mapping that [`marked`] has made.
fn is_mapped(address: *const u8) -> Result<bool> {
    let start = format!("{:x}-", address as usize);
    let maps = std::fs::read_to_string("/proc/self/smaps")?;
    let mut lines = maps.lines().skip_while(|line| !line.starts_with(&start));
    let flags = lines.find(|line| line.starts_with("VmFlags:"));
    Ok(flags.is_some_and(|flags| flags.contains(" dc")))
}

/// Maps memory with `MADV_DONTFORK`, a mark that other mappings do not have.
fn marked() -> Result<MappedMemory> {
    let memory = MappedMemory::new(4096)?;
    // SAFETY: the range is the whole mapping, and the advice only affects child processes, of which there are none.
    if unsafe { libc::madvise(memory.as_ptr().cast(), 4096, libc::MADV_DONTFORK) } < 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(memory)
}

fn group_of(memory: MappedMemory) -> GroupSetup {
    GroupSetup {
        group: 3,
        count: 1,
        size: 4096,
        memory: Some(memory),
        ..GroupSetup::default()
    }
}

fn recv(socket: &UnixStream) -> Entry {
    Recv::new(socket.as_raw_fd(), 0, 8).group(3).build()
}

/// The memory of a closed buffer group stays mapped while an operation may have taken a buffer.
fn closed_group() -> Result {
    let mut ring = ring()?;
    let (socket, _peer) = UnixStream::pair()?;
    let memory = marked()?;
    let address = memory.as_ptr().cast_const();
    let group = ring.register_buffer_ring(&group_of(memory))?;
    // SAFETY: the ring keeps the memory of the buffer group.
    unsafe { ring.push(&recv(&socket))? };
    ring.submit()?;
    group.close(&mut ring)?;
    assert!(is_mapped(address)?, "a receive is in flight");
    ring.cancel_all()?;
    assert_eq!(results(&wait_for(&mut ring, 1)?), [-libc::ECANCELED]);
    let other = ring.register_buffer_ring(&GroupSetup::default())?;
    assert!(!is_mapped(address)?, "nothing is in flight");
    other.close(&mut ring)?;

    let memory = marked()?;
    let address = memory.as_ptr().cast_const();
    let group = ring.register_buffer_ring(&group_of(memory))?;
    group.close(&mut ring)?;
    assert!(!is_mapped(address)?, "nothing was in flight");
    Ok(())
}

/// A buffer group stays registered when its handle is dropped, and the ring keeps its memory.
fn dropped_group() -> Result {
    let mut ring = ring()?;
    let (socket, mut peer) = UnixStream::pair()?;
    let memory = marked()?;
    let address = memory.as_ptr().cast_const();
    drop(ring.register_buffer_ring(&group_of(memory))?);
    assert!(is_mapped(address)?);
    peer.write_all(b"8 bytes.")?;
    // SAFETY: the ring keeps the memory of the buffer group.
    unsafe { ring.push(&recv(&socket))? };
    assert_eq!(results(&wait_for(&mut ring, 1)?), [8]);
    // SAFETY: the address is still mapped, as the assertion above shows, and the receive has completed.
    assert_eq!(unsafe { std::slice::from_raw_parts(address, 8) }, b"8 bytes.");
    drop(ring);
    assert!(!is_mapped(address)?);
    Ok(())
}

/// The kernel uses the pages of a registered buffer and not its address: it does not write to memory that is mapped
/// there later.
fn buffer_in_use() -> Result {
    let mut ring = ring()?;
    let (reader, mut writer) = std::io::pipe()?;
    let memory = marked()?;
    let address = memory.as_ptr();
    ring.register_buffers(&[Some(memory)], &[])?;
    assert!(is_mapped(address)?, "the ring keeps it");
    let read = ReadFixed::new(reader.as_raw_fd(), address, 4096, 0).build();
    // SAFETY: the kernel holds the pages of the registered buffer.
    unsafe { ring.push(&read)? };
    ring.submit()?;
    ring.unregister_buffers()?;
    assert!(!is_mapped(address)?);
    let others: Vec<_> = (0..8)
        .map(|_| MappedMemory::new(4096))
        .collect::<std::io::Result<_>>()?;
    assert!(
        others.iter().any(|other| other.as_ptr() == address),
        "the address was reused"
    );
    writer.write_all(b"8 bytes.")?;
    assert_eq!(results(&wait_for(&mut ring, 1)?), [8]);
    assert!(others.iter().all(|other| other.to_vec() == vec![0; 4096]));
    Ok(())
}

#[test]
fn memory_is_unmapped_after_its_last_use() -> Result {
    closed_group()?;
    dropped_group()?;
    buffer_in_use()
}
