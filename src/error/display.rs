//! How an error prints: as Node's `error.message` reads.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::{Error, Repr, errno};
use crate::address::Address;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Repr::Misuse { message, .. } | Repr::CutShort { message, .. } => f.write_str(message),
            Repr::Custom { source, .. } => source.fmt(f),
            Repr::Lookup {
                code, host, why, ..
            } => {
                write!(f, "getaddrinfo {code} {host}")?;
                match why {
                    Some(why) => write!(f, ": {why}"),
                    None => Ok(()),
                }
            }
            // Node's text is empty, and whoever logs it learns nothing.
            Repr::Aggregate { errors } => {
                for (place, error) in errors.iter().enumerate() {
                    let separator = if place == 0 { "" } else { "; " };
                    write!(f, "{separator}{error}")?;
                }
                Ok(())
            }
            Repr::Io {
                syscall,
                address,
                local,
                source,
            } => {
                if let Some(syscall) = syscall {
                    write!(f, "{syscall} ")?;
                }
                // Node explains a failed listen in words, and no other call.
                let in_words = matches!(syscall, None | Some("listen"));
                write_reason(f, source, in_words)?;
                if let Some(address) = address {
                    f.write_str(" ")?;
                    write_address(f, address)?;
                }
                if let Some(local) = local {
                    f.write_str(" - Local (")?;
                    write_address(f, local)?;
                    f.write_str(")")?;
                }
                Ok(())
            }
        }
    }
}

/// Writes the code, and the words if `in_words`, or if without them nothing would be told.
fn write_reason(f: &mut fmt::Formatter<'_>, source: &io::Error, in_words: bool) -> fmt::Result {
    let code = errno::code(source);
    match source.raw_os_error() {
        Some(number) => match errno::find(number) {
            Some(errno) if in_words => write!(f, "{code}: {}", errno.text),
            Some(_) => f.write_str(code),
            None => write!(f, "Unknown system error {number}"), // libuv's words
        },
        None if in_words || code == errno::UNKNOWN => write!(f, "{code}: {source}"),
        None => f.write_str(code),
    }
}

/// Writes an address as Node's errors do: IPv6 without brackets, port 0 left out.
fn write_address(f: &mut fmt::Formatter<'_>, address: &Address) -> fmt::Result {
    let Some(inet) = address.as_inet() else {
        return write!(f, "{address}");
    };
    write!(f, "{}", inet.ip())?;
    if let SocketAddr::V6(v6) = inet
        && v6.scope_id() != 0
    {
        write!(f, "%{}", v6.scope_id())?;
    }
    match inet.port() {
        0 => Ok(()),
        port => write!(f, ":{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(syscall: &'static str, errno: i32) -> Error {
        Error::io(syscall, io::Error::from_raw_os_error(errno))
    }

    fn inet(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_failed_listen_is_explained_in_words() {
        let error = refused("listen", libc::EADDRINUSE);
        assert_eq!(
            error.to_string(),
            "listen EADDRINUSE: address already in use"
        );
        let error = error.with_address(inet("127.0.0.1:80"));
        assert_eq!(
            error.to_string(),
            "listen EADDRINUSE: address already in use 127.0.0.1:80"
        );
        assert_eq!(error.message(), error.to_string());
    }

    #[test]
    fn a_failed_connect_tells_its_address_without_words() {
        let error = refused("connect", libc::ECONNREFUSED).with_address(inet("127.0.0.1:1"));
        assert_eq!(error.to_string(), "connect ECONNREFUSED 127.0.0.1:1");
        assert_eq!(error.address().unwrap(), inet("127.0.0.1:1"));
    }

    #[test]
    fn an_error_writes_ipv6_without_brackets_and_leaves_port_0_out() {
        for (address, text) in [
            ("[::1]:80", "connect EACCES ::1:80"),
            ("[fe80::1%2]:80", "connect EACCES fe80::1%2:80"),
            ("0.0.0.0:0", "connect EACCES 0.0.0.0"),
        ] {
            let error = refused("connect", libc::EACCES).with_address(inet(address));
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn a_failed_connect_tells_the_local_address_that_was_asked_for() {
        let error = refused("connect", libc::ECONNREFUSED)
            .with_address(inet("127.0.0.1:1"))
            .with_local_address(inet("127.0.0.2:5000"));
        assert_eq!(
            error.to_string(),
            "connect ECONNREFUSED 127.0.0.1:1 - Local (127.0.0.2:5000)"
        );
        assert_eq!(error.local_address().unwrap(), inet("127.0.0.2:5000"));
        assert_eq!(refused("read", libc::EIO).local_address(), None);
    }

    #[test]
    fn a_path_is_told_escaped() {
        let error =
            refused("connect", libc::ENOENT).with_address(Address::Path("/tmp/a\n.sock".into()));
        assert_eq!(error.to_string(), r"connect ENOENT /tmp/a\n.sock");
    }

    #[test]
    fn an_errno_without_a_name_is_told_by_number() {
        let error = refused("listen", 9999).with_address(inet("127.0.0.1:80"));
        assert_eq!(
            error.to_string(),
            "listen Unknown system error 9999 127.0.0.1:80"
        );
        assert_eq!(error.code(), "UNKNOWN");
        assert_eq!(error.errno(), Some(9999));
    }

    #[test]
    fn an_io_error_without_errno_is_told_by_kind_and_then_by_its_own_words() {
        let error = Error::io("read", io::ErrorKind::ConnectionReset.into());
        assert_eq!(error.to_string(), "read ECONNRESET");
        assert_eq!(error.errno(), None);
        let error = Error::io("read", io::Error::other("the script ended"));
        assert_eq!(error.to_string(), "read UNKNOWN: the script ended");
    }

    #[test]
    fn a_failed_lookup_names_the_host_as_node_does() {
        let error = Error::lookup("ENOTFOUND", "example.invalid");
        assert_eq!(error.to_string(), "getaddrinfo ENOTFOUND example.invalid");
        let error = Error::lookup_refused("ENOBUFS", "example.org", "1024 lookups wait");
        let text = "getaddrinfo ENOBUFS example.org: 1024 lookups wait";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn an_aggregate_prints_each_of_its_errors() {
        let errors = ["[::1]:80", "127.0.0.1:80"]
            .map(|address| refused("connect", libc::ECONNREFUSED).with_address(inet(address)));
        let error = Error::aggregate(errors.into());
        let text = "connect ECONNREFUSED ::1:80; connect ECONNREFUSED 127.0.0.1:80";
        assert_eq!(error.to_string(), text);
    }
}
