//! Every error the library itself makes, each with Node's code and Node's words.
//!
//! Knows what can go wrong, not when: whoever finds it out calls one of these. What the kernel
//! refuses comes through [`Error::io`].

use std::any::Any;
use std::borrow::Cow;
use std::fmt::{self, Write};
use std::io::{self, ErrorKind};
use std::net::IpAddr;

use super::{Error, Repr};
use crate::address::Family;

/// How much of a text of the caller's an error repeats; the rest is an ellipsis.
const MAX_QUOTED_CHARS: usize = 64;

/// The caller's mistakes: the program has to change.
impl Error {
    /// A write, or an `end` with data, after `end`.
    pub(crate) fn write_after_end() -> Error {
        Error::misuse("ERR_STREAM_WRITE_AFTER_END", "write after end")
    }

    /// `method` (`"write"`, `"end"`) called on a socket that was destroyed.
    pub(crate) fn stream_destroyed(method: &'static str) -> Error {
        Error::misuse(
            "ERR_STREAM_DESTROYED",
            format!("Cannot call {method} after a stream was destroyed"),
        )
    }

    /// A pipe out of a socket that is gone.
    pub(crate) fn cannot_pipe() -> Error {
        Error::misuse("ERR_STREAM_CANNOT_PIPE", "Cannot pipe, not readable")
    }

    /// A pipe into a socket that is gone or was ended.
    pub(crate) fn unable_to_pipe() -> Error {
        Error::misuse(
            "ERR_STREAM_UNABLE_TO_PIPE",
            "Cannot pipe to a closed or destroyed stream",
        )
    }

    /// A resolver was asked for addresses of one family and answered with others only.
    pub(crate) fn invalid_address_family(family: Family, host: &str, port: u16) -> Error {
        let number = match family {
            Family::Ipv6 => 6,
            _ => 4,
        };
        Error::misuse(
            "ERR_INVALID_ADDRESS_FAMILY",
            format!("Invalid address family: {number} {host}:{port}"),
        )
    }

    /// A duration that has to be more than zero.
    pub(crate) fn not_positive(option: &'static str) -> Error {
        Error::misuse(
            "ERR_OUT_OF_RANGE",
            format!("The value of \"{option}\" is out of range. It must be > 0."),
        )
    }

    /// A server that does not listen was told to close.
    pub(crate) fn server_not_running() -> Error {
        Error::misuse("ERR_SERVER_NOT_RUNNING", "Server is not running.")
    }

    /// `received` is no port.
    pub(crate) fn bad_port(received: &str) -> Error {
        Error::misuse(
            "ERR_SOCKET_BAD_PORT",
            format!(
                "Port should be >= 0 and < 65536. Received '{}'.",
                Quoted(received)
            ),
        )
    }

    /// `host` is no IP literal, and cannot be a name either.
    pub(crate) fn invalid_ip_address(host: &str) -> Error {
        Error::misuse(
            "ERR_INVALID_IP_ADDRESS",
            format!("Invalid IP address: {}", Quoted(host)),
        )
    }

    /// `text` is no IP address, or none with a port.
    pub(crate) fn invalid_address(text: &str) -> Error {
        Error::misuse(
            "ERR_INVALID_ADDRESS",
            format!("Invalid socket address: '{}'", Quoted(text)),
        )
    }

    /// What was to be adopted as a connection is none; `why` is how the kernel said so.
    pub(crate) fn invalid_fd_type(wanted: &str, why: &io::Error) -> Error {
        Error::misuse(
            "ERR_INVALID_FD_TYPE",
            format!("Unsupported fd type: no {wanted} ({why})"),
        )
    }

    /// A reset was asked for on a local socket, which has none.
    pub(crate) fn invalid_handle_type() -> Error {
        Error::misuse(
            "ERR_INVALID_HANDLE_TYPE",
            "This handle type cannot be sent", // as Node says it, whatever it was about
        )
    }

    /// A number that is not from 0 to `most`.
    pub(crate) fn out_of_range(name: &str, most: u8, received: i64) -> Error {
        Error::misuse(
            "ERR_OUT_OF_RANGE",
            format!(
                "The value of \"{name}\" is out of range. \
                 It must be >= 0 && <= {most}. Received {received}"
            ),
        )
    }

    /// An argument that cannot be used, with words that say why and what would do.
    ///
    /// Text of the caller's goes through [`Quoted`] first.
    pub(crate) fn invalid_argument(message: impl Into<String>) -> Error {
        Error::misuse("ERR_INVALID_ARG_VALUE", message.into())
    }

    /// Adds in which line of a text the mistake stands, the first being 1. For a misuse.
    pub(crate) fn in_line(self, line: usize) -> Error {
        match &*self.0 {
            Repr::Misuse { code, message } => {
                Error::misuse(code, format!("line {line}: {message}"))
            }
            _ => {
                debug_assert!(false, "only a misuse stands in a text");
                self
            }
        }
    }
}

/// Work that was under way and will not be done: nobody's mistake, and the kernel was not asked.
impl Error {
    /// A write after both ends have ended.
    pub(crate) fn ended_by_peer() -> Error {
        Error::cut_short(
            "EPIPE",
            ErrorKind::BrokenPipe,
            "This socket has been ended by the other party",
        )
    }

    /// A write or an `end` that waited for a connection which never came.
    pub(crate) fn socket_closed_before_connection() -> Error {
        Error::cut_short(
            "ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
            ErrorKind::NotConnected,
            "Socket closed before the connection was established",
        )
    }

    /// A connect to an address that the socket's block list names.
    pub(crate) fn ip_blocked(ip: IpAddr) -> Error {
        Error::cut_short(
            "ERR_IP_BLOCKED",
            ErrorKind::PermissionDenied,
            format!("IP({ip}) is blocked by net.BlockList"),
        )
    }

    /// The write queue holds `cap_bytes` already. Node's queue has no bound: the words are ours.
    pub(crate) fn buffer_full(cap_bytes: usize) -> Error {
        Error::cut_short(
            "ENOBUFS",
            ErrorKind::QuotaExceeded,
            format!("write ENOBUFS: more bytes wait to be sent than the write cap of {cap_bytes}"),
        )
    }

    /// A frame that is longer than the limit for frames.
    pub(crate) fn frame_too_long(most: usize) -> Error {
        Error::cut_short(
            "ERR_FRAME_TOO_LONG",
            ErrorKind::InvalidData,
            format!("The frame is longer than the limit of {most} bytes"),
        )
    }

    /// The peer's end in the middle of a frame.
    pub(crate) fn frame_incomplete(bytes: usize) -> Error {
        Error::cut_short(
            "ERR_FRAME_INCOMPLETE",
            ErrorKind::UnexpectedEof,
            format!("The peer ended in the middle of a frame, after {bytes} bytes of it"),
        )
    }

    /// So many pieces of work for other threads are under way already.
    pub(crate) fn too_many_offloads(most: usize) -> Error {
        Error::cut_short(
            "ENOBUFS",
            ErrorKind::QuotaExceeded,
            format!("offload ENOBUFS: {most} others are under way already"),
        )
    }

    /// Work on another thread that panicked with this.
    pub(crate) fn offload_panicked(panic: &(dyn Any + Send)) -> Error {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Error::cut_short(
            "ERR_OFFLOAD_PANICKED",
            ErrorKind::Other,
            match text {
                Some(text) => format!("The work panicked: {}", Quoted(text)),
                None => "The work panicked".into(),
            },
        )
    }

    /// A write whose bytes were still queued when the socket was destroyed, or what a loop that is
    /// being shut down does not begin.
    pub(crate) fn canceled(syscall: &'static str) -> Error {
        // libuv's way to say it, errno and all, although no kernel was asked.
        Error::io(syscall, io::Error::from_raw_os_error(libc::ECANCELED))
    }
}

/// Names, and hosts of several addresses.
impl Error {
    /// `host` has no addresses that could be told, for the reason that `code` names.
    pub(crate) fn lookup(code: &'static str, host: &str) -> Error {
        Error::failed_lookup(code, host, None)
    }

    /// `host` was not looked up to the end: `why` says what stood in the way.
    pub(crate) fn lookup_refused(
        code: &'static str,
        host: &str,
        why: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error::failed_lookup(code, host, Some(why.into()))
    }

    fn failed_lookup(code: &'static str, host: &str, why: Option<Cow<'static, str>>) -> Error {
        let kind = match code {
            "ENOTFOUND" => ErrorKind::NotFound,
            "ETIMEDOUT" => ErrorKind::TimedOut,
            _ => ErrorKind::Other,
        };
        let host = host.into();
        Error::from_repr(Repr::Lookup {
            code,
            kind,
            host,
            why,
        })
    }

    /// A connect by name that took longer than its `connect_timeout`.
    pub(crate) fn connect_timed_out(host: &str, port: u16) -> Error {
        Error::cut_short(
            "ETIMEDOUT",
            ErrorKind::TimedOut,
            format!("connect ETIMEDOUT {host}:{port}"),
        )
    }

    /// What went wrong with each of several addresses (R82); of one, that alone (R78).
    pub(crate) fn aggregate(mut errors: Vec<Error>) -> Error {
        match errors.len() {
            1 => errors.remove(0),
            _ => Error::from_repr(Repr::Aggregate { errors }),
        }
    }
}

impl Error {
    fn misuse(code: &'static str, message: impl Into<Cow<'static, str>>) -> Error {
        let message = message.into();
        Error::from_repr(Repr::Misuse { code, message })
    }

    fn cut_short(
        code: &'static str,
        kind: ErrorKind,
        message: impl Into<Cow<'static, str>>,
    ) -> Error {
        let message = message.into();
        Error::from_repr(Repr::CutShort {
            code,
            kind,
            message,
        })
    }
}

/// A text of the caller's as an error may repeat it: escaped, so that it cannot forge a line of a
/// log, and never long.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        for character in rest.by_ref().take(MAX_QUOTED_CHARS) {
            write!(f, "{}", character.escape_debug())?;
        }
        if rest.next().is_some() {
            f.write_char('…')?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misuse_has_nodes_code_and_nodes_words() {
        #[rustfmt::skip]
        let expected = [
            (Error::write_after_end(), "ERR_STREAM_WRITE_AFTER_END", "write after end"),
            (Error::stream_destroyed("write"), "ERR_STREAM_DESTROYED", "Cannot call write after a stream was destroyed"),
            (Error::cannot_pipe(), "ERR_STREAM_CANNOT_PIPE", "Cannot pipe, not readable"),
            (Error::unable_to_pipe(), "ERR_STREAM_UNABLE_TO_PIPE", "Cannot pipe to a closed or destroyed stream"),
            (Error::server_not_running(), "ERR_SERVER_NOT_RUNNING", "Server is not running."),
            (Error::bad_port("70000"), "ERR_SOCKET_BAD_PORT", "Port should be >= 0 and < 65536. Received '70000'."),
            (Error::invalid_ip_address("a.example"), "ERR_INVALID_IP_ADDRESS", "Invalid IP address: a.example"),
            (Error::invalid_address("1.2.3"), "ERR_INVALID_ADDRESS", "Invalid socket address: '1.2.3'"),
            (Error::out_of_range("prefix", 32, -1), "ERR_OUT_OF_RANGE", "The value of \"prefix\" is out of range. It must be >= 0 && <= 32. Received -1"),
            (Error::invalid_fd_type("connected stream socket", &ErrorKind::NotConnected.into()), "ERR_INVALID_FD_TYPE", "Unsupported fd type: no connected stream socket (not connected)"),
            (Error::invalid_handle_type(), "ERR_INVALID_HANDLE_TYPE", "This handle type cannot be sent"),
            (Error::invalid_argument("no"), "ERR_INVALID_ARG_VALUE", "no"),
            (Error::invalid_argument("no").in_line(7), "ERR_INVALID_ARG_VALUE", "line 7: no"),
            (Error::invalid_address_family(Family::Ipv6, "a.example", 80), "ERR_INVALID_ADDRESS_FAMILY", "Invalid address family: 6 a.example:80"),
            (Error::not_positive("timeout"), "ERR_OUT_OF_RANGE", "The value of \"timeout\" is out of range. It must be > 0."),
        ];
        for (error, code, text) in expected {
            assert_eq!((error.code(), error.to_string().as_str()), (code, text));
            assert!(error.is_misuse(), "{error:?}");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!((error.errno(), error.syscall()), (None, None));
        }
    }

    #[test]
    fn work_cut_short_is_nobodys_misuse_and_has_no_errno() {
        #[rustfmt::skip]
        let expected = [
            (Error::ended_by_peer(), "EPIPE", "This socket has been ended by the other party"),
            (Error::socket_closed_before_connection(), "ERR_SOCKET_CLOSED_BEFORE_CONNECTION", "Socket closed before the connection was established"),
            (Error::ip_blocked([192, 0, 2, 1].into()), "ERR_IP_BLOCKED", "IP(192.0.2.1) is blocked by net.BlockList"),
            (Error::buffer_full(16), "ENOBUFS", "write ENOBUFS: more bytes wait to be sent than the write cap of 16"),
            (Error::frame_too_long(16), "ERR_FRAME_TOO_LONG", "The frame is longer than the limit of 16 bytes"),
            (Error::frame_incomplete(3), "ERR_FRAME_INCOMPLETE", "The peer ended in the middle of a frame, after 3 bytes of it"),
        ];
        for (error, code, text) in expected {
            assert_eq!((error.code(), error.to_string().as_str()), (code, text));
            assert!(!error.is_misuse(), "{error:?}");
            assert_eq!(error.errno(), None);
        }
    }

    #[test]
    fn a_canceled_write_tells_its_errno_as_in_node() {
        let error = Error::canceled("write");
        assert_eq!(error.to_string(), "write ECANCELED");
        assert_eq!(error.errno(), Some(libc::ECANCELED));
        assert!(!error.is_misuse());
    }

    #[test]
    fn a_text_of_the_callers_is_escaped_and_cut() {
        assert_eq!(Quoted("a\n\u{1b}[31mb").to_string(), "a\\n\\u{1b}[31mb");
        assert_eq!(Quoted(&"h".repeat(64)).to_string(), "h".repeat(64));
        assert_eq!(Quoted(&"h".repeat(65)).to_string(), "h".repeat(64) + "…");
        assert!(
            Error::invalid_ip_address(&"\0".repeat(1 << 20))
                .to_string()
                .len()
                < 512
        );
    }
}
