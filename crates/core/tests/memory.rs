//! MappedMemory that was registered goes when the last that may use it has ended, and not before. One test alone in its file:
//! it looks at addresses, which threads beside it would use again.

use std::io::Write as _;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use typed_uring::operations::{ReadFixed, Recv};
use typed_uring::register::GroupSetup;
use typed_uring::{Entry, MappedMemory, Ring};

#[allow(dead_code)] // each file uses its part
mod support;
use support::{Guarded, Result, results, wait_for};

fn ring() -> Result<Guarded> {
    Ok(Guarded::from(Ring::new(8)?))
}

/// Whether there is a mapping at an address that is marked as `alone` does it.
fn is_mapped(address: *const u8) -> Result<bool> {
    let start = format!("{:x}-", address as usize);
    let maps = std::fs::read_to_string("/proc/self/smaps")?;
    let mut lines = maps.lines().skip_while(|line| !line.starts_with(&start));
    let flags = lines.find(|line| line.starts_with("VmFlags:"));
    Ok(flags.is_some_and(|flags| flags.contains(" dc")))
}

/// A mapping that is told from its neighbours, and from what is mapped there later.
fn alone() -> Result<MappedMemory> {
    let memory = MappedMemory::new(4096)?;
    // SAFETY: nothing but children of this process is affected, and there are none.
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

/// The memory of a closed group stays while operations may have taken a buffer.
fn closed_group() -> Result {
    let mut ring = ring()?;
    let (socket, _peer) = UnixStream::pair()?;
    let memory = alone()?;
    let address = memory.as_ptr().cast_const();
    let group = ring.register_buffer_ring(&group_of(memory))?;
    // SAFETY: the ring keeps the memory of its groups.
    unsafe { ring.push(&recv(&socket))? };
    ring.submit()?;
    group.close(&mut ring)?;
    assert!(is_mapped(address)?, "a receive is in flight");
    ring.cancel_all()?;
    assert_eq!(results(&wait_for(&mut ring, 1)?), [-libc::ECANCELED]);
    let other = ring.register_buffer_ring(&GroupSetup::default())?;
    assert!(!is_mapped(address)?, "nothing is in flight");
    other.close(&mut ring)?;

    let memory = alone()?;
    let address = memory.as_ptr().cast_const();
    let group = ring.register_buffer_ring(&group_of(memory))?;
    group.close(&mut ring)?;
    assert!(!is_mapped(address)?, "nothing was in flight");
    Ok(())
}

/// A group that is dropped goes on, and its memory stays with the ring.
fn dropped_group() -> Result {
    let mut ring = ring()?;
    let (socket, mut peer) = UnixStream::pair()?;
    let memory = alone()?;
    let address = memory.as_ptr().cast_const();
    drop(ring.register_buffer_ring(&group_of(memory))?);
    assert!(is_mapped(address)?);
    peer.write_all(b"8 bytes.")?;
    // SAFETY: the ring keeps the memory of its groups.
    unsafe { ring.push(&recv(&socket))? };
    assert_eq!(results(&wait_for(&mut ring, 1)?), [8]);
    // SAFETY: mapped, as was just seen.
    assert_eq!(unsafe { std::slice::from_raw_parts(address, 8) }, b"8 bytes.");
    drop(ring);
    assert!(!is_mapped(address)?);
    Ok(())
}

/// Of registered buffers the kernel has the pages and not the address: memory that is mapped there afterwards is not
/// touched.
fn buffer_in_use() -> Result {
    let mut ring = ring()?;
    let (reader, mut writer) = std::io::pipe()?;
    let memory = alone()?;
    let address = memory.as_ptr();
    ring.register_buffers(&[Some(memory)], &[])?;
    assert!(is_mapped(address)?, "the ring keeps it");
    let read = ReadFixed::new(reader.as_raw_fd(), address, 4096, 0).build();
    // SAFETY: the kernel has the pages.
    unsafe { ring.push(&read)? };
    ring.submit()?;
    ring.unregister_buffers()?;
    assert!(!is_mapped(address)?);
    let others: Vec<_> = (0..8)
        .map(|_| MappedMemory::new(4096))
        .collect::<std::io::Result<_>>()?;
    assert!(
        others.iter().any(|other| other.as_ptr() == address),
        "the address is used again"
    );
    writer.write_all(b"8 bytes.")?;
    assert_eq!(results(&wait_for(&mut ring, 1)?), [8]);
    assert!(others.iter().all(|other| other.to_vec() == vec![0; 4096]));
    Ok(())
}

#[test]
fn memory_goes_with_the_last_that_may_use_it() -> Result {
    closed_group()?;
    dropped_group()?;
    buffer_in_use()
}
