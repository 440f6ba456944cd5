//! Error numbers that several modules return or test for.

use std::io;

/// Errors of a wait after which the same call can be repeated: nothing is lost.
pub(crate) const TRANSIENT: [i32; 4] = [libc::ETIME, libc::EINTR, libc::EAGAIN, libc::EBUSY];

/// True if the error is one of these.
pub(crate) fn is(error: &io::Error, errnos: &[i32]) -> bool {
    error.raw_os_error().is_some_and(|errno| errnos.contains(&errno))
}

/// Returns the error for an argument that the kernel would refuse, or misunderstand.
pub(crate) fn invalid() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}
