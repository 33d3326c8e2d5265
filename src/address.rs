//! Where one end of a connection, or a server, stands.
//!
//! A plain value: looks nothing up and asks the kernel nothing.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The address of a socket: its own, its peer's, or a server's.
///
/// More kinds of address may join, so a `match` needs a last arm; the accessors answer `None` for
/// what a kind of address does not have. It prints as [`SocketAddr`] does, with an IPv6 address in
/// brackets, and can be compared with one. Node: the object that `socket.address()` returns.
///
/// ```
/// use netloop::{Address, Family};
/// use std::net::SocketAddr;
///
/// let address = Address::from(SocketAddr::from(([127, 0, 0, 1], 8080)));
/// assert_eq!(address.port(), Some(8080));
/// assert_eq!(address.family(), Family::Ipv4);
/// assert_eq!(address.to_string(), "127.0.0.1:8080");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and a port.
    Inet(SocketAddr),
}

impl Address {
    /// The IP address.
    ///
    /// An IPv4 peer of a dual-stack server shows as IPv6, `::ffff:a.b.c.d`, as in Node. Node:
    /// `address().address`, `socket.remoteAddress`.
    pub fn ip(&self) -> Option<IpAddr> {
        self.as_inet().map(|inet| inet.ip())
    }

    /// The port. Node: `address().port`, `socket.remotePort`.
    pub fn port(&self) -> Option<u16> {
        self.as_inet().map(|inet| inet.port())
    }

    /// The kind of address. Node: `address().family`, `socket.remoteFamily`.
    pub fn family(&self) -> Family {
        match self {
            Address::Inet(SocketAddr::V4(_)) => Family::Ipv4,
            Address::Inet(SocketAddr::V6(_)) => Family::Ipv6,
        }
    }

    /// The address as std writes it, if it is an IP address and a port.
    pub fn as_inet(&self) -> Option<SocketAddr> {
        match self {
            Address::Inet(inet) => Some(*inet),
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
        }
    }
}

/// The kind of an [`Address`]; prints as Node's `family` does, `IPv4` or `IPv6`.
///
/// More kinds may join, so a `match` needs a last arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// Prints as `IPv4`.
    Ipv4,
    /// Prints as `IPv6`, an IPv4 address mapped into IPv6 included.
    Ipv6,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
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
}
