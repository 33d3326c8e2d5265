//! What the kernel's error numbers are called: Node's code for each, and libuv's words for it.
//!
//! Knows numbers and names; which call failed, and where, is the affair of [`Error`](super::Error).

use std::io::{self, ErrorKind};

/// One of the kernel's reasons to refuse.
#[derive(Debug)]
pub(super) struct Errno {
    number: i32,
    /// Node's `error.code`.
    pub(super) code: &'static str,
    /// libuv's `uv_strerror`, in lower case and without a full stop.
    pub(super) text: &'static str,
}

/// What stands for a number or a kind that has no name here, as in Node.
pub(super) const UNKNOWN: &str = "UNKNOWN";

/// Looks an error number up.
pub(super) fn find(number: i32) -> Option<&'static Errno> {
    // A walk, not an index: an error is rare, and numbers differ from platform to platform.
    TABLE.iter().find(|errno| errno.number == number)
}

/// Node's code for an I/O error: by number, or else, for an error no kernel made, by kind.
pub(super) fn code(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(number) => find(number).map_or(UNKNOWN, |errno| errno.code),
        None => code_of_kind(error.kind()),
    }
}

fn code_of_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::AddrInUse => "EADDRINUSE",
        ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
        ErrorKind::AlreadyExists => "EEXIST",
        ErrorKind::BrokenPipe => "EPIPE",
        ErrorKind::ConnectionAborted => "ECONNABORTED",
        ErrorKind::ConnectionRefused => "ECONNREFUSED",
        ErrorKind::ConnectionReset => "ECONNRESET",
        ErrorKind::HostUnreachable => "EHOSTUNREACH",
        ErrorKind::Interrupted => "EINTR",
        ErrorKind::InvalidInput => "EINVAL",
        ErrorKind::NetworkDown => "ENETDOWN",
        ErrorKind::NetworkUnreachable => "ENETUNREACH",
        ErrorKind::NotConnected => "ENOTCONN",
        ErrorKind::NotFound => "ENOENT",
        ErrorKind::OutOfMemory => "ENOMEM",
        ErrorKind::PermissionDenied => "EACCES",
        ErrorKind::TimedOut => "ETIMEDOUT",
        ErrorKind::UnexpectedEof => "EOF", // libuv's own, no errno
        ErrorKind::Unsupported => "ENOTSUP",
        ErrorKind::WouldBlock => "EAGAIN",
        _ => UNKNOWN, // std may add kinds at any time
    }
}

const fn errno(number: i32, code: &'static str, text: &'static str) -> Errno {
    Errno { number, code, text }
}

/// What a socket call may answer on any Unix, by name.
///
/// Where a platform gives two names one number, the name that stands first is the one told: Linux
/// has one number for `ENOTSUP` and `EOPNOTSUPP`, and Node says `ENOTSUP`.
#[rustfmt::skip] // one errno, one line
static TABLE: &[Errno] = &[
    errno(libc::EACCES, "EACCES", "permission denied"),
    errno(libc::EADDRINUSE, "EADDRINUSE", "address already in use"),
    errno(libc::EADDRNOTAVAIL, "EADDRNOTAVAIL", "address not available"),
    errno(libc::EAFNOSUPPORT, "EAFNOSUPPORT", "address family not supported"),
    errno(libc::EAGAIN, "EAGAIN", "resource temporarily unavailable"),
    errno(libc::EALREADY, "EALREADY", "connection already in progress"),
    errno(libc::EBADF, "EBADF", "bad file descriptor"),
    errno(libc::EBUSY, "EBUSY", "resource busy or locked"),
    errno(libc::ECANCELED, "ECANCELED", "operation canceled"),
    errno(libc::ECONNABORTED, "ECONNABORTED", "software caused connection abort"),
    errno(libc::ECONNREFUSED, "ECONNREFUSED", "connection refused"),
    errno(libc::ECONNRESET, "ECONNRESET", "connection reset by peer"),
    errno(libc::EDESTADDRREQ, "EDESTADDRREQ", "destination address required"),
    errno(libc::EEXIST, "EEXIST", "file already exists"),
    errno(libc::EFAULT, "EFAULT", "bad address in system call argument"),
    errno(libc::EFBIG, "EFBIG", "file too large"),
    errno(libc::EHOSTDOWN, "EHOSTDOWN", "host is down"),
    errno(libc::EHOSTUNREACH, "EHOSTUNREACH", "host is unreachable"),
    errno(libc::EINPROGRESS, "EINPROGRESS", "operation now in progress"),
    errno(libc::EINTR, "EINTR", "interrupted system call"),
    errno(libc::EINVAL, "EINVAL", "invalid argument"),
    errno(libc::EIO, "EIO", "i/o error"),
    errno(libc::EISCONN, "EISCONN", "socket is already connected"),
    errno(libc::EISDIR, "EISDIR", "illegal operation on a directory"),
    errno(libc::ELOOP, "ELOOP", "too many symbolic links encountered"),
    errno(libc::EMFILE, "EMFILE", "too many open files"),
    errno(libc::EMSGSIZE, "EMSGSIZE", "message too long"),
    errno(libc::ENAMETOOLONG, "ENAMETOOLONG", "name too long"),
    errno(libc::ENETDOWN, "ENETDOWN", "network is down"),
    errno(libc::ENETRESET, "ENETRESET", "connection dropped by network on reset"),
    errno(libc::ENETUNREACH, "ENETUNREACH", "network is unreachable"),
    errno(libc::ENFILE, "ENFILE", "file table overflow"),
    errno(libc::ENOBUFS, "ENOBUFS", "no buffer space available"),
    errno(libc::ENODEV, "ENODEV", "no such device"),
    errno(libc::ENOENT, "ENOENT", "no such file or directory"),
    errno(libc::ENOMEM, "ENOMEM", "not enough memory"),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    errno(libc::ENONET, "ENONET", "machine is not on the network"),
    errno(libc::ENOPROTOOPT, "ENOPROTOOPT", "protocol not available"),
    errno(libc::ENOSPC, "ENOSPC", "no space left on device"),
    errno(libc::ENOSYS, "ENOSYS", "function not implemented"),
    errno(libc::ENOTCONN, "ENOTCONN", "socket is not connected"),
    errno(libc::ENOTDIR, "ENOTDIR", "not a directory"),
    errno(libc::ENOTSOCK, "ENOTSOCK", "socket operation on non-socket"),
    errno(libc::ENOTSUP, "ENOTSUP", "operation not supported on socket"),
    errno(libc::ENOTTY, "ENOTTY", "inappropriate ioctl for device"),
    errno(libc::ENXIO, "ENXIO", "no such device or address"),
    errno(libc::EOPNOTSUPP, "EOPNOTSUPP", "operation not supported on socket"),
    errno(libc::EPERM, "EPERM", "operation not permitted"),
    errno(libc::EPIPE, "EPIPE", "broken pipe"),
    errno(libc::EPROTO, "EPROTO", "protocol error"),
    errno(libc::EPROTONOSUPPORT, "EPROTONOSUPPORT", "protocol not supported"),
    errno(libc::EPROTOTYPE, "EPROTOTYPE", "protocol wrong type for socket"),
    errno(libc::EROFS, "EROFS", "read-only file system"),
    errno(libc::ESHUTDOWN, "ESHUTDOWN", "cannot send after transport endpoint shutdown"),
    errno(libc::ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT", "socket type not supported"),
    errno(libc::ETIMEDOUT, "ETIMEDOUT", "connection timed out"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_in_the_table_is_found_under_one_name() {
        for errno in TABLE {
            let found = find(errno.number).unwrap();
            let shared = errno.code == "EOPNOTSUPP" && found.code == "ENOTSUP";
            assert!(
                found.code == errno.code || shared,
                "{errno:?} is hidden by {found:?}"
            );
        }
    }

    #[test]
    fn the_table_stands_in_order_of_name_and_its_words_in_lower_case() {
        assert!(TABLE.is_sorted_by(|a, b| a.code < b.code));
        for errno in TABLE {
            assert!(errno.code.starts_with('E'));
            assert!(
                !errno.text.is_empty() && !errno.text.contains(char::is_uppercase),
                "{errno:?}"
            );
        }
    }

    #[test]
    fn a_number_without_a_name_is_unknown() {
        assert!(find(999_999).is_none());
        assert_eq!(code(&io::Error::from_raw_os_error(999_999)), UNKNOWN);
    }

    #[test]
    fn an_error_has_the_same_code_by_number_and_by_kind() {
        for number in [
            libc::ECONNRESET,
            libc::EPIPE,
            libc::EADDRINUSE,
            libc::EADDRNOTAVAIL,
            libc::ENETUNREACH,
            libc::ETIMEDOUT,
            libc::EACCES,
            libc::ENOTCONN,
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(code(&error), code(&io::Error::from(error.kind())));
        }
    }

    #[test]
    fn a_kind_that_no_errno_means_is_unknown() {
        assert_eq!(code(&io::Error::other("anything")), UNKNOWN);
        assert_eq!(code(&io::Error::from(ErrorKind::UnexpectedEof)), "EOF");
    }
}
