//! What went wrong, and whose turn it is to act.
//!
//! - this file: what an error holds and tells
//! - `display`: how it prints
//! - `catalogue`: the errors the library itself makes
//! - `errno`: what the kernel's error numbers are called

mod catalogue;
mod display;
mod errno;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::address::Address;

pub(crate) use catalogue::Quoted;

/// A `Result` whose error is, unless named, this library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: the caller's mistake, the kernel's refusal, or an error of your own.
///
/// [`code`](Error::code) says it for a program, as Node's `error.code` does; the printed text says
/// it for a person, as Node's `error.message` does. The library's own texts stay on one line and
/// never hold a byte that a peer sent:
///
/// ```text
/// listen EADDRINUSE: address already in use 127.0.0.1:80
/// connect ECONNREFUSED 192.0.2.1:80 - Local (127.0.0.1:5000)
/// getaddrinfo ENOTFOUND example.invalid
/// read ECONNRESET
/// write after end
/// ```
///
/// An `Error` is as large as a pointer, cheap to clone, and free to cross threads. `?` turns an
/// [`io::Error`] into one, and one into an `io::Error`, from which it comes back whole.
///
/// ```
/// use netloop::Error;
/// use std::io;
///
/// let error = Error::from(io::Error::from(io::ErrorKind::ConnectionReset));
/// assert_eq!(error.code(), "ECONNRESET");
/// assert!(!error.is_misuse());
/// ```
///
/// Node: [Errors](https://nodejs.org/api/errors.html), class `SystemError` and the `ERR_` codes.
#[derive(Clone)]
pub struct Error(Arc<Repr>);

const _: () = assert!(
    size_of::<Option<Error>>() == size_of::<usize>(),
    "results stay small"
);

#[derive(Debug)]
enum Repr {
    /// The caller's mistake: the program has to change.
    Misuse {
        code: &'static str,
        message: Cow<'static, str>,
    },
    /// Work that the other side, a limit or a `destroy` ended before the kernel was asked.
    CutShort {
        code: &'static str,
        kind: io::ErrorKind,
        message: Cow<'static, str>,
    },
    /// The kernel's refusal.
    Io {
        /// `None` if the error came from outside the library, which cannot know the call then.
        syscall: Option<&'static str>,
        address: Option<Address>,
        /// Boxed, so that what few errors have makes none of them larger.
        local: Option<Box<Address>>,
        source: io::Error,
    },
    /// A host name that could not be turned into addresses.
    Lookup {
        code: &'static str,
        kind: io::ErrorKind,
        host: Box<str>,
        /// What the code alone does not say.
        why: Option<Cow<'static, str>>,
    },
    /// One error for each address of a host; never empty.
    Aggregate { errors: Vec<Error> },
    /// An error of the user's, on its way from `destroy_with` to `on_error`.
    Custom {
        code: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Making errors of your own.
impl Error {
    /// An error of your own, to destroy a socket with, under a code that its handler will know.
    ///
    /// It prints as `source` does. A plain text will do for `source`; an error value comes back
    /// out of [`source`](std::error::Error::source), to be downcast.
    ///
    /// ```
    /// let error = netloop::Error::new("FRAME_TOO_LONG", "the peer announced 4 GiB");
    /// assert_eq!(error.code(), "FRAME_TOO_LONG");
    /// assert_eq!(error.to_string(), "the peer announced 4 GiB");
    /// ```
    pub fn new(
        code: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        let source = source.into();
        Error::from_repr(Repr::Custom { code, source })
    }

    /// An error of your own, to destroy a socket with, where no code is needed.
    ///
    /// Its code is `ERR_OTHER`. If the box holds an `Error` or an [`io::Error`], that is what comes
    /// out, with its own code.
    ///
    /// ```
    /// let parse_error = "x".parse::<u16>().unwrap_err();
    /// let error = netloop::Error::other(parse_error);
    /// assert_eq!(error.code(), "ERR_OTHER");
    /// assert_eq!(error.to_string(), "invalid digit found in string");
    /// ```
    pub fn other(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let source = match source.into().downcast::<Error>() {
            Ok(error) => return *error,
            Err(source) => source,
        };
        match source.downcast::<io::Error>() {
            Ok(source) => Error::from(*source),
            Err(source) => Error::new("ERR_OTHER", source),
        }
    }
}

/// What an error tells.
impl Error {
    /// Node's code, for a program to compare: `ECONNRESET`, `ERR_STREAM_WRITE_AFTER_END`, ...
    ///
    /// `UNKNOWN` for an errno or a kind of [`io::Error`] that has no name here; what was given for
    /// an error made by [`Error::new`]. Node: `error.code`.
    pub fn code(&self) -> &str {
        match &*self.0 {
            Repr::Misuse { code, .. }
            | Repr::CutShort { code, .. }
            | Repr::Lookup { code, .. }
            | Repr::Custom { code, .. } => code,
            Repr::Io { source, .. } => errno::code(source),
            Repr::Aggregate { errors } => errors.first().map_or(errno::UNKNOWN, Error::code),
        }
    }

    /// The kernel's error number, positive as in [`io::Error::raw_os_error`]; Node's is negative.
    ///
    /// `None` if no kernel gave one. Node: `error.errno`.
    pub fn errno(&self) -> Option<i32> {
        match &*self.0 {
            Repr::Io { source, .. } => source.raw_os_error(),
            Repr::Misuse { .. }
            | Repr::CutShort { .. }
            | Repr::Lookup { .. }
            | Repr::Aggregate { .. }
            | Repr::Custom { .. } => None,
        }
    }

    /// The call that failed: `connect`, `bind` (of the local address of a connect), `listen` (for a
    /// failed bind too), `accept`, `read`, `write`, `shutdown`, ...
    ///
    /// `None` for an error that comes from no call of the library's. Node: `error.syscall`.
    pub fn syscall(&self) -> Option<&str> {
        match &*self.0 {
            Repr::Io { syscall, .. } => *syscall,
            Repr::Lookup { .. } => Some("getaddrinfo"),
            Repr::Misuse { .. }
            | Repr::CutShort { .. }
            | Repr::Aggregate { .. }
            | Repr::Custom { .. } => None,
        }
    }

    /// Where the failed call wanted to go: the peer of a `connect`, the address of a `listen`.
    ///
    /// Node: `error.address` and `error.port`.
    pub fn address(&self) -> Option<Address> {
        match &*self.0 {
            Repr::Io { address, .. } => address.clone(),
            Repr::Misuse { .. }
            | Repr::CutShort { .. }
            | Repr::Lookup { .. }
            | Repr::Aggregate { .. }
            | Repr::Custom { .. } => None,
        }
    }

    /// What went wrong with each address of a host, in the order in which it did, when none of
    /// several could be connected to; empty for any other error.
    ///
    /// The [`code`](Error::code) of the whole is that of the first. Node: `AggregateError`'s
    /// `error.errors`.
    pub fn errors(&self) -> &[Error] {
        match &*self.0 {
            Repr::Aggregate { errors } => errors,
            Repr::Misuse { .. }
            | Repr::CutShort { .. }
            | Repr::Io { .. }
            | Repr::Lookup { .. }
            | Repr::Custom { .. } => &[],
        }
    }

    /// Where the failed call was to come from: the local address and port of a `connect`, if both
    /// were asked for.
    ///
    /// Node: `error.localAddress` and `error.localPort`.
    #[doc(alias = "localAddress", alias = "localPort")]
    pub fn local_address(&self) -> Option<Address> {
        match &*self.0 {
            Repr::Io { local, .. } => local.as_deref().cloned(),
            Repr::Misuse { .. }
            | Repr::CutShort { .. }
            | Repr::Lookup { .. }
            | Repr::Aggregate { .. }
            | Repr::Custom { .. } => None,
        }
    }

    /// The whole text, as it prints. Node: `error.message`.
    pub fn message(&self) -> String {
        self.to_string()
    }

    /// std's word for it: `InvalidInput` for misuse, `Other` for an error of your own.
    pub fn kind(&self) -> io::ErrorKind {
        match &*self.0 {
            Repr::Misuse { .. } => io::ErrorKind::InvalidInput,
            Repr::CutShort { kind, .. } | Repr::Lookup { kind, .. } => *kind,
            Repr::Io { source, .. } => source.kind(),
            Repr::Aggregate { errors } => errors.first().map_or(io::ErrorKind::Other, Error::kind),
            Repr::Custom { .. } => io::ErrorKind::Other,
        }
    }

    /// Whether the program has to change: trying again cannot help.
    ///
    /// A write after `end`, a second `listen`, a text that is no port. False for all that the
    /// kernel, the peer or a limit refused, and for errors of your own.
    pub fn is_misuse(&self) -> bool {
        matches!(*self.0, Repr::Misuse { .. })
    }
}

/// Making errors of the kernel's.
impl Error {
    /// `syscall` failed with `source`.
    pub(crate) fn io(syscall: &'static str, source: io::Error) -> Error {
        Error::from_io(Some(syscall), source)
    }

    /// Adds where the call wanted to go. For an error fresh from [`Error::io`].
    pub(crate) fn with_address(mut self, to: impl Into<Address>) -> Error {
        match Arc::get_mut(&mut self.0) {
            Some(Repr::Io { address, .. }) => *address = Some(to.into()),
            _ => debug_assert!(false, "only a fresh I/O error takes an address"),
        }
        self
    }

    /// Adds where the call was to come from. For an error fresh from [`Error::io`].
    pub(crate) fn with_local_address(mut self, from: impl Into<Address>) -> Error {
        match Arc::get_mut(&mut self.0) {
            Some(Repr::Io { local, .. }) => *local = Some(Box::new(from.into())),
            _ => debug_assert!(false, "only a fresh I/O error takes an address"),
        }
        self
    }

    fn from_io(syscall: Option<&'static str>, source: io::Error) -> Error {
        Error::from_repr(Repr::Io {
            syscall,
            address: None,
            local: None,
            source,
        })
    }

    fn from_repr(repr: Repr) -> Error {
        Error(Arc::new(repr))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    /// The [`io::Error`] of a failed call, or the error given to [`Error::new`] or
    /// [`Error::other`], to be downcast.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Repr::Misuse { .. }
            | Repr::CutShort { .. }
            | Repr::Lookup { .. }
            | Repr::Aggregate { .. } => None,
            Repr::Io { source, .. } => Some(source),
            Repr::Custom { source, .. } => Some(&**source),
        }
    }
}

impl From<io::Error> for Error {
    /// Takes back the `Error` that became this [`io::Error`], or else wraps it.
    fn from(source: io::Error) -> Error {
        match source.downcast::<Error>() {
            Ok(error) => error,
            Err(source) => Error::from_io(None, source),
        }
    }
}

impl From<Error> for io::Error {
    /// Wraps the error whole; `raw_os_error` is `None` then, and [`Error::errno`] still tells.
    fn from(error: Error) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    fn refused(syscall: &'static str, errno: i32) -> Error {
        Error::io(syscall, io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn a_failed_call_tells_code_errno_syscall_and_kind() {
        for (syscall, errno, code) in [
            ("read", libc::ECONNRESET, "ECONNRESET"),
            ("write", libc::EPIPE, "EPIPE"),
            ("accept", libc::EMFILE, "EMFILE"),
        ] {
            let error = refused(syscall, errno);
            assert_eq!(error.to_string(), format!("{syscall} {code}"));
            assert_eq!(error.code(), code);
            assert_eq!(error.errno(), Some(errno));
            assert_eq!(error.syscall(), Some(syscall));
            assert_eq!(error.kind(), io::Error::from_raw_os_error(errno).kind());
            assert_eq!(error.address(), None);
            assert!(!error.is_misuse());
        }
    }

    #[test]
    fn an_io_error_from_outside_keeps_its_errno_and_names_no_call() {
        let error = Error::from(io::Error::from_raw_os_error(libc::EMFILE));
        assert_eq!(error.to_string(), "EMFILE: too many open files");
        assert_eq!(error.errno(), Some(libc::EMFILE));
        assert_eq!(error.syscall(), None);
    }

    #[test]
    fn an_error_comes_back_out_of_an_io_error_as_itself() {
        for error in [
            Error::write_after_end(),
            Error::ended_by_peer(),
            refused("read", libc::ECONNRESET),
            Error::other("mine"),
        ] {
            let io_error = io::Error::from(error.clone());
            assert_eq!(io_error.kind(), error.kind());
            assert_eq!(io_error.to_string(), error.to_string());
            assert!(Arc::ptr_eq(&Error::from(io_error).0, &error.0), "{error:?}");
        }
    }

    #[test]
    fn other_takes_an_error_out_of_its_box() {
        let error = Error::canceled("write");
        assert!(Arc::ptr_eq(&Error::other(error.clone()).0, &error.0));
        let error = Error::other(io::Error::from_raw_os_error(libc::EIO));
        assert_eq!(error.code(), "EIO");
        let error = Error::other(io::Error::from(Error::write_after_end()));
        assert_eq!(error.code(), "ERR_STREAM_WRITE_AFTER_END");
    }

    #[test]
    fn an_error_of_the_users_can_be_downcast() {
        let mine = "x".parse::<u16>().unwrap_err();
        let error = Error::new("BAD_LENGTH", mine.clone());
        assert_eq!(error.code(), "BAD_LENGTH");
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert_eq!(error.source().unwrap().downcast_ref(), Some(&mine));
        assert_eq!(error.to_string(), mine.to_string());
    }

    #[test]
    fn the_source_of_a_failed_call_is_the_io_error() {
        let error = refused("read", libc::ECONNRESET);
        let source: &io::Error = error.source().unwrap().downcast_ref().unwrap();
        assert_eq!(source.raw_os_error(), Some(libc::ECONNRESET));
        assert!(Error::write_after_end().source().is_none());
    }

    #[test]
    fn an_error_crosses_threads() {
        fn crosses<T: Send + Sync + Clone + 'static>() {}
        crosses::<Error>();
    }
}
