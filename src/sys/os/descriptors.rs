//! Room in the process's table of descriptors, made before it is needed.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Lets the table hold so many descriptors more than are open now.
///
/// The kernel grows the table when a descriptor does not fit, to twice its size, and never shrinks
/// it. So descriptors are opened until they are as many as wanted, and closed again: copies of one
/// that is there, since a copy needs nothing but its place. A single `F_DUPFD` with a high number
/// would do, but std has no safe call that takes one.
pub(crate) fn grow_table(any: BorrowedFd<'_>, more: usize) -> io::Result<()> {
    let mut copies: Vec<OwnedFd> = Vec::new();
    let no_memory = |_| io::Error::from_raw_os_error(libc::ENOMEM);
    copies.try_reserve_exact(more).map_err(no_memory)?;
    for _ in 0..more {
        copies.push(any.try_clone_to_owned()?); // all go back if one cannot be had
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn more_than_there_is_memory_for_is_an_error_and_no_panic() {
        let null = File::open("/dev/null").unwrap();
        grow_table(null.as_fd(), 0).unwrap();
        grow_table(null.as_fd(), 10).unwrap();
        let impossible = grow_table(null.as_fd(), usize::MAX).unwrap_err();
        assert_eq!(impossible.raw_os_error(), Some(libc::ENOMEM));
    }
}
