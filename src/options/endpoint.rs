//! Reading `"host:port"`, where the host is an IP literal.
//!
//! Knows how the two are written, not what an absent host means: that differs between `listen` and
//! `connect`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use crate::error::{Error, Quoted, Result};

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

/// Reads `host` as an IP literal; an IPv6 one may name its zone by number, as in `fe80::1%2`.
pub(super) fn literal(host: &str, port: u16) -> Result<SocketAddr> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    zoned(host, port).ok_or_else(|| Error::invalid_ip_address(host))
}

fn zoned(host: &str, port: u16) -> Option<SocketAddr> {
    let (ip, zone) = host.split_once('%')?;
    let ip: Ipv6Addr = ip.parse().ok()?;
    let flow_info = 0;
    Some(SocketAddrV6::new(ip, port, flow_info, decimal(zone)?).into())
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
        let zoned = literal("fe80::1%2", 80).unwrap();
        assert_eq!(zoned, "[fe80::1%2]:80".parse().unwrap());
        for host in [
            "fe80::1%eth0",
            "fe80::1%",
            "fe80::1%+2",
            "127.0.0.1%2",
            "%2",
        ] {
            assert!(literal(host, 80).is_err(), "{host}");
        }
    }

    #[test]
    fn a_name_is_not_looked_up() {
        for host in ["localhost", "", "127.0.0", "[::1]", "1.2.3.4.5", "::1\0"] {
            let error = literal(host, 80).unwrap_err();
            assert_eq!(error.code(), "ERR_INVALID_IP_ADDRESS", "{host:?}");
        }
    }
}
