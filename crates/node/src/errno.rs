//! Results of calls as the number that JavaScript gets: a value, or a negative `errno`.

use std::io;

/// A value that crosses the boundary as an `i32`.
pub(crate) trait Value {
    fn number(self) -> i32;
}

impl Value for () {
    fn number(self) -> i32 {
        0
    }
}

impl Value for bool {
    fn number(self) -> i32 {
        self.into()
    }
}

// Descriptors, counts, indexes and identifiers all fit.
impl Value for i32 {
    fn number(self) -> i32 {
        self
    }
}

impl Value for u32 {
    fn number(self) -> i32 {
        self.try_into().unwrap_or(i32::MAX)
    }
}

impl Value for usize {
    fn number(self) -> i32 {
        self.try_into().unwrap_or(i32::MAX)
    }
}

/// Returns the error's `errno` as a negative number.
pub(crate) fn negative(error: &io::Error) -> i32 {
    -error.raw_os_error().unwrap_or(libc::EIO)
}

/// Returns the value, or a negative `errno`.
pub(crate) fn number(result: io::Result<impl Value>) -> i32 {
    match result {
        Ok(value) => value.number(),
        Err(error) => negative(&error),
    }
}

/// Returns the result of a C function that has just returned: its value, or the `errno` if that is negative.
pub(crate) fn checked(returned: i32) -> io::Result<i32> {
    if returned < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(returned)
    }
}
