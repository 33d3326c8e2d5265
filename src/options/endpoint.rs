//! Reading `"host:port"`: an IP literal, or a name that a resolver may be asked for.
//!
//! Knows how the two are written, not what an absent host means: that differs between `listen` and
//! `connect`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Quoted, Result};

/// The longest name that the DNS has: 255 bytes on the wire.
const MOST_NAME_BYTES: usize = 253;

/// What a text may point to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    At(SocketAddr),
    /// A name to be looked up, and a port.
    Named(Arc<str>, u16),
}

/// Splits `"host:port"`, `"[::1]:port"`, `":port"` or a bare `"port"`; the host of the last two is
/// empty.
pub(super) fn split(text: &str) -> Result<(&str, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']').unwrap_or((bracketed, ""));
            if !host.contains(':') {
                return Err(Error::invalid_ip_address(host)); // brackets are for IPv6
            }
            (
                host,
                rest.strip_prefix(':')
                    .ok_or_else(|| Error::bad_port(rest))?,
            )
        }
        None => text.rsplit_once(':').unwrap_or(("", text)),
    };
    if host.contains(':') && !text.starts_with('[') {
        return Err(Error::invalid_argument(format!(
            "An IPv6 address stands in brackets before a port, as in '[::1]:80'. Received '{}'.",
            Quoted(text)
        )));
    }
    let port = decimal(port).ok_or_else(|| Error::bad_port(port))?;
    Ok((host, port))
}

/// Reads a host that is not empty: an IP literal, of which an IPv6 one may name its zone by number,
/// as in `fe80::1%2`, or else a name.
pub(super) fn read(host: &str, port: u16) -> Result<Endpoint> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(Endpoint::At(SocketAddr::new(ip, port)));
    }
    if let Some(zoned) = zoned(host, port) {
        return Ok(Endpoint::At(zoned));
    }
    check_name(host)?;
    Ok(Endpoint::Named(host.into(), port))
}

fn zoned(host: &str, port: u16) -> Option<SocketAddr> {
    let (ip, zone) = host.split_once('%')?;
    let ip: Ipv6Addr = ip.parse().ok()?;
    let flow_info = 0;
    Some(SocketAddrV6::new(ip, port, flow_info, decimal(zone)?).into())
}

/// Refuses what no name can be, and what a resolver might take for something else than it looks
/// like (FAULTS G5). What passes is handed on whole: nothing is cut, folded or escaped.
fn check_name(host: &str) -> Result<()> {
    // Only addresses have a colon or a zone; brackets belong into a "host:port".
    if host.contains([':', '%', '[', ']']) || ends_in_a_number(host) {
        return Err(Error::invalid_ip_address(host));
    }
    if host.len() > MOST_NAME_BYTES {
        return Err(Error::invalid_argument(format!(
            "A host name has at most {MOST_NAME_BYTES} bytes. Received {}.",
            host.len()
        )));
    }
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid_argument(format!(
            "A host name is visible ASCII; others have a form in it that begins with 'xn--'. \
             Received '{}'.",
            Quoted(host)
        )));
    }
    Ok(())
}

/// `127.1`, `0x7f.1` and `2130706433` are addresses to inet_aton(3), and so to getaddrinfo, but not
/// to whoever checks a host against a list. No top-level domain is a number, so a name that ends in
/// one is meant for that.
fn ends_in_a_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or(host);
    let is_number =
        |digits: &str, is_digit: fn(&u8) -> bool| digits.bytes().all(|it| is_digit(&it));
    match last.strip_prefix("0x").or_else(|| last.strip_prefix("0X")) {
        Some(hex) => is_number(hex, u8::is_ascii_hexdigit),
        None => !last.is_empty() && is_number(last, u8::is_ascii_digit),
    }
}

/// Reads digits and nothing else: std would take a sign.
fn decimal<N: FromStr>(text: &str) -> Option<N> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_splits_into_host_and_port() {
        for (text, host, port) in [
            ("127.0.0.1:80", "127.0.0.1", 80),
            ("[::1]:80", "::1", 80),
            ("[fe80::1%2]:0", "fe80::1%2", 0),
            ("localhost:65535", "localhost", 65_535),
            (":80", "", 80),
            ("8080", "", 8080),
        ] {
            assert_eq!(split(text).unwrap(), (host, port), "{text}");
        }
    }

    #[test]
    fn what_is_no_port_is_told_as_a_bad_port() {
        for text in [
            "", "65536", "-1", "+1", " 80", "0x50", "host", "h:", "h:80x", "1.2.3.4", "[::1]",
            "[::1", "[::1]80",
        ] {
            assert_eq!(
                split(text).unwrap_err().code(),
                "ERR_SOCKET_BAD_PORT",
                "{text:?}"
            );
        }
    }

    #[test]
    fn brackets_are_for_ipv6_and_ipv6_is_for_brackets() {
        for text in ["[]:80", "[127.0.0.1]:80", "[localhost]:80"] {
            assert_eq!(
                split(text).unwrap_err().code(),
                "ERR_INVALID_IP_ADDRESS",
                "{text}"
            );
        }
        for text in ["::1", "::1:80", "fe80::1%2:80"] {
            assert_eq!(
                split(text).unwrap_err().code(),
                "ERR_INVALID_ARG_VALUE",
                "{text}"
            );
        }
    }

    #[test]
    fn a_literal_may_name_its_zone_by_number() {
        let zoned = read("fe80::1%2", 80).unwrap();
        assert_eq!(zoned, Endpoint::At("[fe80::1%2]:80".parse().unwrap()));
        for host in [
            "fe80::1%eth0",
            "fe80::1%",
            "fe80::1%+2",
            "127.0.0.1%2",
            "%2",
        ] {
            let error = read(host, 80).unwrap_err();
            assert_eq!(error.code(), "ERR_INVALID_IP_ADDRESS", "{host}");
        }
    }

    #[test]
    fn g5_a_name_is_handed_on_whole() {
        let long = format!("{}.example", "a".repeat(245));
        assert_eq!(long.len(), 253);
        for host in [
            "localhost",
            "example.org",
            "example.org.", // ends in the root: no search list
            "EXAMPLE.org",
            "_service.example",
            "a-1.2b",
            "xn--bcher-kva.example",
            "0xg.0xzz",
            &long,
        ] {
            let named = Endpoint::Named(host.into(), 80);
            assert_eq!(read(host, 80).unwrap(), named, "{host}");
        }
    }

    #[test]
    fn g5_what_only_looks_like_a_name_is_refused_before_anybody_is_asked() {
        for host in [
            "127.1",
            "127.1.",
            "0x7f.1",
            "0X7F.0x1",
            "2130706433",
            "0x7f000001",
            "1.2.3.4.5",
            "127.0.0.0.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "example.0x",
            "[::1]",
            "::1\0",
            "a:b",
        ] {
            let error = read(host, 80).unwrap_err();
            assert_eq!(error.code(), "ERR_INVALID_IP_ADDRESS", "{host:?}");
        }
        let long = "a".repeat(254);
        for host in ["a\0.example", "a b", "bücher.example", "a\n", "", &long] {
            let error = read(host, 80).unwrap_err();
            assert_eq!(error.code(), "ERR_INVALID_ARG_VALUE", "{host:?}");
            assert!(error.is_misuse());
        }
    }
}
