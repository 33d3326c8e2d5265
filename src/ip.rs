//! What is an IP address, going by its text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::address::{Address, Family};
use crate::error::{Error, Result};

/// Which kind of IP address `text` is; `None` if it is none.
///
/// Only the text is looked at. IPv4 is four decimal numbers without leading zeros; IPv6 may end in
/// an IPv4 address, and may name a zone, as in `fe80::1%eth0`, by letters, digits and `-.:`. For an
/// address to work with rather than an answer, parse an [`IpAddr`], which has no zones.
///
/// ```
/// use netloop::{Family, is_ip};
///
/// assert_eq!(is_ip("127.0.0.1"), Some(Family::Ipv4));
/// assert_eq!(is_ip("fe80::1%eth0"), Some(Family::Ipv6));
/// assert_eq!(is_ip("127.0.0.01"), None);
/// assert_eq!(is_ip("localhost"), None);
/// ```
///
/// Node: [`net.isIP`](https://nodejs.org/api/net.html#netisipinput), whose 4, 6 and 0 are
/// `Some(Family::Ipv4)`, `Some(Family::Ipv6)` and `None` here: a `match` on them needs no
/// convention.
#[doc(alias = "isIP")]
pub fn is_ip(text: &str) -> Option<Family> {
    if is_ipv4(text) {
        Some(Family::Ipv4)
    } else if is_ipv6(text) {
        Some(Family::Ipv6)
    } else {
        None
    }
}

/// Whether `text` is an IPv4 address, as [`is_ip`] reads it.
///
/// Node: [`net.isIPv4`](https://nodejs.org/api/net.html#netisipv4input).
#[doc(alias = "isIPv4")]
pub fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// Whether `text` is an IPv6 address, with a zone or without, as [`is_ip`] reads it.
///
/// Node: [`net.isIPv6`](https://nodejs.org/api/net.html#netisipv6input).
#[doc(alias = "isIPv6")]
pub fn is_ipv6(text: &str) -> bool {
    let (ip, zone) = match text.split_once('%') {
        Some((ip, zone)) => (ip, Some(zone)),
        None => (text, None),
    };
    ip.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_zone)
}

fn is_zone(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

impl Family {
    pub(crate) fn of(ip: IpAddr) -> Family {
        match ip {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Reads an IP address with a port or without: `192.0.2.7:80`, `192.0.2.7`, `[::1]:80`, `[::1]`.
    ///
    /// Without a port it is 0. IPv6 stands in brackets, and may name its zone by number, as it
    /// prints: `[fe80::1%2]:80`.
    ///
    /// ```
    /// use netloop::Address;
    ///
    /// let address: Address = "192.0.2.7:80".parse()?;
    /// assert_eq!(address.port(), Some(80));
    /// assert_eq!("[::1]".parse::<Address>()?.port(), Some(0));
    /// assert!("127.1:80".parse::<Address>().is_err());
    /// # Ok::<(), netloop::Error>(())
    /// ```
    ///
    /// Node's [`SocketAddress.parse`] reads a URL's host and port. So it takes `127.1`,
    /// `0x7f000001` and `256` for IPv4 addresses, which std and [`is_ip`] do not; it forgets port
    /// 80, which is the default of http; and it takes no zone. None of that is done here.
    ///
    /// # Errors
    ///
    /// `ERR_INVALID_ADDRESS`.
    ///
    /// [`SocketAddress.parse`]: https://nodejs.org/api/net.html#static-method-socketaddressparseinput
    fn from_str(text: &str) -> Result<Address> {
        let inet = (text.parse()).or_else(|_| format!("{text}:0").parse());
        let inet: std::net::SocketAddr = inet.map_err(|_| Error::invalid_address(text))?;
        Ok(inet.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_an_ip_address_exactly_where_node_says_so() {
        // What `net.isIP` of Node 25.8.1 answers.
        #[rustfmt::skip]
        let v4 = ["1.2.3.4", "0.0.0.0", "255.255.255.255"];
        #[rustfmt::skip]
        let v6 = [
            "::", "::1", "::1%eth0", "fe80::1%a.b:c-d", "::ffff:1.2.3.4", "::1.2.3.4%x",
            "1:2:3:4:5:6:7::", "::1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4",
            "1:2:3:4:5::1.2.3.4", "ABCD::abcd",
        ];
        #[rustfmt::skip]
        let none = [
            "", "1.2.3", "01.2.3.4", "1.2.3.256", "1.2.3.4.5", "1.2.3.4%1", "1.2.3.4\0", "1.2.3.4 ",
            "0x7f.0.0.1", "127.1", "localhost", "::1%", "::1%et_h", "::%1%2", "::1%\0", "fe80::1%é",
            "::ffff:01.2.3.4", "1::2::3", "1::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:1.2.3.4", "::12345",
            " ::1", "::1 ", "[::1]", ":", "%eth0", "1:2:3:4:5:6:7", "::g",
        ];
        let kinds = [
            (&v4[..], Some(Family::Ipv4)),
            (&v6[..], Some(Family::Ipv6)),
            (&none[..], None),
        ];
        for (texts, kind) in kinds {
            for text in texts {
                assert_eq!(is_ip(text), kind, "{text:?}");
            }
        }
        assert!(is_ipv4("1.2.3.4") && !is_ipv4("::1") && is_ipv6("::1") && !is_ipv6("1.2.3.4"));
    }

    #[test]
    fn an_address_is_read_with_its_port_or_without() {
        for (text, printed) in [
            ("1.2.3.4", "1.2.3.4:0"),
            ("1.2.3.4:80", "1.2.3.4:80"),
            ("1.2.3.4:0081", "1.2.3.4:81"),
            ("[::1]", "[::1]:0"),
            ("[::1]:65535", "[::1]:65535"),
            ("[fe80::1%2]:80", "[fe80::1%2]:80"),
            ("[fe80::1%2]", "[fe80::1%2]:0"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), printed);
            assert_eq!(printed.parse::<Address>().unwrap(), address);
        }
    }

    #[test]
    fn what_only_a_url_would_take_for_an_address_is_none() {
        for text in [
            "",
            "127.1",
            "256",
            "0xffffffff",
            "::1",
            "::1:80",
            "[1.2.3.4]",
            "1.2.3.4:",
            "[::1]:",
            "1.2.3.4:65536",
            "1.2.3.4:-1",
            "1.2.3.4:+1",
            "localhost:80",
            ":80",
            "80",
            "1.2.3.4:80:0",
            "[fe80::1%lo]:80",
            "1.2.3.4 ",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!(error.code(), "ERR_INVALID_ADDRESS", "{text:?}");
        }
    }
}
