//! Descriptors on `/dev/null`, which hold a place in the descriptor table and do nothing else.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::AsRawFd;

/// The highest standard descriptor: standard error.
const LAST_STANDARD: i32 = 2;

/// The descriptor kept back, so that there is one to give when there is none left.
#[derive(Default)]
pub(crate) struct Spare(Option<File>);

impl Spare {
    pub(crate) fn hold(&mut self) -> io::Result<()> {
        if self.0.is_none() {
            self.0 = Some(open()?);
        }
        Ok(())
    }

    /// Frees the place; whether it was held.
    pub(crate) fn release(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// Makes sure that no socket becomes standard input, output or error.
///
/// A new descriptor gets the lowest free number. Rust's own `main` fills 0 to 2 if they are closed,
/// but a library inside another program may find them free, and then the next panic message would
/// go to a peer. A precaution: where there is no `/dev/null` to open, it is left out.
pub(super) fn occupy_standard_descriptors() {
    while let Ok(placeholder) = open() {
        if placeholder.as_raw_fd() > LAST_STANDARD {
            return;
        }
        // Stays for the life of the process, as the standard descriptors do.
        mem::forget(placeholder);
    }
}

/// Whether a descriptor can be had; it is given back at once.
pub(super) fn probe() -> io::Result<()> {
    match open() {
        Err(error) if is_lack(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()), // where `/dev/null` is not there or forbidden, there may be descriptors
    }
}

/// Whether it says that there is no descriptor, or no memory for one.
fn is_lack(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)
    )
}

fn open() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lack_of_descriptors_or_memory_is_one() {
        for (errno, lacks) in [
            (libc::EMFILE, true),
            (libc::ENFILE, true),
            (libc::ENOMEM, true),
            (libc::ENOENT, false),
            (libc::EACCES, false), // a sandbox
            (libc::EPERM, false),
            (libc::ENXIO, false),
        ] {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(is_lack(&error), lacks, "{error}");
        }
        assert!(!is_lack(&io::ErrorKind::NotFound.into()));
    }
}
