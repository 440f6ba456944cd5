//! Opens of a FIFO, which block in kernel workers.

use typed_uring::Ring;
use typed_uring::entry::flags::ASYNC;
use typed_uring::operations::OpenAt;

use super::Result;

/// A FIFO in the directory for temporary files, removed when dropped.
pub(crate) struct Fifo {
    path: std::ffi::CString,
}

impl Fifo {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let name = format!("typed-uring-{}-{name}", std::process::id());
        let path = std::env::temp_dir()
            .join(name)
            .into_os_string()
            .into_encoded_bytes();
        let path = std::ffi::CString::new(path)?;
        // SAFETY: the path is a string that ends with a NUL.
        if unsafe { libc::mkfifo(path.as_ptr(), 0o600) } < 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        Ok(Self { path })
    }

    /// Pushes opens that block, each in a worker.
    pub(crate) fn push_opens(&self, ring: &mut Ring) -> Result {
        for _ in 0..4 {
            let open = OpenAt::new(libc::AT_FDCWD, self.path.as_ptr()).build();
            // SAFETY: each test drops its ring, which waits for the opens, before the path.
            unsafe { ring.push(&open.with_flags(ASYNC))? };
        }
        Ok(())
    }

    /// Tells if the FIFO is open for reading: otherwise a non-blocking open for writing fails.
    pub(crate) fn has_a_reader(&self) -> Result<bool> {
        // SAFETY: the path is a string that ends with a NUL.
        let fd = unsafe {
            libc::open(
                self.path.as_ptr(),
                libc::O_WRONLY | libc::O_NONBLOCK | libc::O_CLOEXEC,
            )
        };
        if fd < 0 {
            let error = std::io::Error::last_os_error();
            return if error.raw_os_error() == Some(libc::ENXIO) {
                Ok(false)
            } else {
                Err(error.into())
            };
        }
        // SAFETY: the descriptor was just opened, and nothing else owns it.
        unsafe { libc::close(fd) };
        Ok(true)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // SAFETY: the path is a string that ends with a NUL.
        unsafe { libc::unlink(self.path.as_ptr()) };
    }
}
