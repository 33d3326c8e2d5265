//! Where one end of a connection, or a server, stands.
//!
//! A plain value: looks nothing up and asks the kernel nothing.

use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The address of a socket: its own, its peer's, or a server's.
///
/// More kinds of address may join, so a `match` needs a last arm; the accessors answer `None` for
/// what a kind of address does not have. An address and port prints as [`SocketAddr`] does, with an
/// IPv6 address in brackets, and can be compared with one. The name of a local socket prints with
/// everything escaped that is no printable ASCII, so that it can't forge a line of a log; an
/// abstract name has an `@` before it, as in `ss` and `netstat`. Node: the object that
/// `socket.address()` returns.
///
/// ```
/// use netloop::{Address, Family};
/// use std::net::SocketAddr;
/// use std::path::{Path, PathBuf};
///
/// let address = Address::from(SocketAddr::from(([127, 0, 0, 1], 8080)));
/// assert_eq!(address.port(), Some(8080));
/// assert_eq!(address.family(), Family::Ipv4);
/// assert_eq!(address.to_string(), "127.0.0.1:8080");
///
/// let address = Address::Path(PathBuf::from("/run/echo.sock"));
/// assert_eq!(address.path(), Some(Path::new("/run/echo.sock")));
/// assert_eq!((address.family(), address.port()), (Family::Unix, None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "SocketAddress")]
#[doc(alias = "parse")]
#[non_exhaustive]
pub enum Address {
    /// An IP address and a port.
    Inet(SocketAddr),
    /// A local socket, by its path in the file system.
    Path(PathBuf),
    /// A local socket, by a name that stands in no file system and vanishes with the socket (Linux:
    /// see unix(7)). Any bytes; the zero byte that the kernel has before them is left out.
    Abstract(Vec<u8>),
    /// A local socket that has no name: the usual client of one.
    Unnamed,
}

impl Address {
    /// The IP address.
    ///
    /// An IPv4 peer of a dual-stack server shows as IPv6, `::ffff:a.b.c.d`, as in Node. Node:
    /// `address().address`, `socket.remoteAddress`.
    #[doc(alias = "address")]
    pub fn ip(&self) -> Option<IpAddr> {
        self.as_inet().map(|inet| inet.ip())
    }

    /// The port. Node: `address().port`, `socket.remotePort`.
    pub fn port(&self) -> Option<u16> {
        self.as_inet().map(|inet| inet.port())
    }

    /// The path of a local socket that has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Address::Path(path) => Some(path),
            Address::Inet(_) | Address::Abstract(_) | Address::Unnamed => None,
        }
    }

    /// The kind of address. Node: `address().family`, `socket.remoteFamily`.
    pub fn family(&self) -> Family {
        match self {
            Address::Inet(SocketAddr::V4(_)) => Family::Ipv4,
            Address::Inet(SocketAddr::V6(_)) => Family::Ipv6,
            Address::Path(_) | Address::Abstract(_) | Address::Unnamed => Family::Unix,
        }
    }

    /// The address as std writes it, if it is an IP address and a port; with Node's `flowlabel`.
    #[doc(alias = "flowlabel")]
    pub fn as_inet(&self) -> Option<SocketAddr> {
        match self {
            Address::Inet(inet) => Some(*inet),
            Address::Path(_) | Address::Abstract(_) | Address::Unnamed => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(inet: SocketAddr) -> Address {
        Address::Inet(inet)
    }
}

impl PartialEq<SocketAddr> for Address {
    fn eq(&self, inet: &SocketAddr) -> bool {
        self.as_inet() == Some(*inet)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Inet(inet) => inet.fmt(f),
            Address::Path(path) => write_escaped(f, path.as_os_str().as_bytes()),
            Address::Abstract(name) => {
                f.write_char('@')?;
                write_escaped(f, name)
            }
            Address::Unnamed => f.write_str("(unnamed)"),
        }
    }
}

/// A peer chooses its own name, so no byte of it is written as it came that could mean something to
/// a terminal or to a reader of lines.
fn write_escaped(f: &mut fmt::Formatter<'_>, name: &[u8]) -> fmt::Result {
    write!(f, "{}", name.escape_ascii())
}

/// The kind of an [`Address`]; prints as Node's `family` does, `IPv4` or `IPv6`, or as `Unix`.
///
/// More kinds may join, so a `match` needs a last arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// Prints as `IPv4`.
    Ipv4,
    /// Prints as `IPv6`, an IPv4 address mapped into IPv6 included.
    Ipv6,
    /// A local socket; prints as `Unix`. Node has no word for it.
    Unix,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
            Family::Unix => "Unix",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_tells_its_ip_port_and_family() {
        let v4 = Address::from(inet("192.0.2.7:80"));
        assert_eq!(v4.ip(), Some("192.0.2.7".parse().unwrap()));
        assert_eq!(v4.port(), Some(80));
        assert_eq!(v4.family(), Family::Ipv4);

        let v6 = Address::from(inet("[2001:db8::1]:443"));
        assert_eq!(v6.ip(), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(v6.port(), Some(443));
        assert_eq!(v6.family(), Family::Ipv6);
    }

    #[test]
    fn an_address_equals_the_socket_addr_it_came_from_and_no_other() {
        let address = Address::from(inet("127.0.0.1:80"));
        assert_eq!(address, inet("127.0.0.1:80"));
        assert_ne!(address, inet("127.0.0.1:81"));
        assert_eq!(address.as_inet(), Some(inet("127.0.0.1:80")));
    }

    #[test]
    fn an_address_prints_as_std_prints_it() {
        for text in [
            "127.0.0.1:80",
            "[::1]:80",
            "[::ffff:127.0.0.1]:0",
            "[fe80::1%2]:80",
        ] {
            assert_eq!(Address::from(inet(text)).to_string(), text);
        }
    }

    #[test]
    fn a_family_prints_as_node_writes_it() {
        assert_eq!(Family::Ipv4.to_string(), "IPv4");
        assert_eq!(Family::Ipv6.to_string(), "IPv6");
    }

    #[test]
    fn an_ipv4_address_mapped_into_ipv6_is_of_the_ipv6_family() {
        assert_eq!(
            Address::from(inet("[::ffff:127.0.0.1]:80")).family(),
            Family::Ipv6
        );
    }

    #[test]
    fn a_local_socket_has_a_path_or_a_name_or_neither_and_no_port() {
        let path = Address::Path("/run/a.sock".into());
        assert_eq!(path.path(), Some(Path::new("/run/a.sock")));
        for address in [path, Address::Abstract(b"a".to_vec()), Address::Unnamed] {
            assert_eq!(address.family(), Family::Unix);
            assert_eq!(address.as_inet(), None);
            assert_eq!((address.ip(), address.port()), (None, None));
            assert_ne!(address, inet("127.0.0.1:80"));
        }
        assert_eq!(Family::Unix.to_string(), "Unix");
    }

    #[test]
    fn i32_the_name_of_a_local_socket_prints_escaped() {
        let path = |bytes: &[u8]| Address::Path(std::ffi::OsStr::from_bytes(bytes).into());
        assert_eq!(path(b"/run/a b.sock").to_string(), "/run/a b.sock");
        assert_eq!(path(b"/a\n\x1b[31m\xff").to_string(), r"/a\n\x1b[31m\xff");
        let name = Address::Abstract(b"a\0b".to_vec());
        assert_eq!(name.to_string(), r"@a\x00b");
        assert_eq!(Address::Unnamed.to_string(), "(unnamed)");
    }
}
