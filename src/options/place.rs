//! Whom a connection is asked to go to, and all that says so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ConnectOptions;
use super::endpoint::{self, Endpoint};
use crate::address::Address;

/// Whom to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    At(Address),
    /// A host to be looked up, and a port.
    Named(Arc<str>, u16),
}

impl From<Endpoint> for Place {
    fn from(endpoint: Endpoint) -> Place {
        match endpoint {
            Endpoint::At(inet) => Place::At(inet.into()),
            Endpoint::Named(host, port) => Place::Named(host, port),
        }
    }
}

impl From<SocketAddr> for ConnectOptions {
    fn from(peer: SocketAddr) -> ConnectOptions {
        Address::from(peer).into()
    }
}

impl From<Address> for ConnectOptions {
    /// What [`Server::address`](crate::Server::address) answered, say.
    fn from(address: Address) -> ConnectOptions {
        ConnectOptions::new(Ok(Place::At(address)))
    }
}

impl From<&Path> for ConnectOptions {
    /// As [`ConnectOptions::path`].
    fn from(path: &Path) -> ConnectOptions {
        ConnectOptions::path(path)
    }
}

impl From<PathBuf> for ConnectOptions {
    /// As [`ConnectOptions::path`].
    fn from(path: PathBuf) -> ConnectOptions {
        ConnectOptions::path(path)
    }
}

impl From<(IpAddr, u16)> for ConnectOptions {
    fn from(peer: (IpAddr, u16)) -> ConnectOptions {
        SocketAddr::from(peer).into()
    }
}

impl From<(Ipv4Addr, u16)> for ConnectOptions {
    fn from(peer: (Ipv4Addr, u16)) -> ConnectOptions {
        SocketAddr::from(peer).into()
    }
}

impl From<(Ipv6Addr, u16)> for ConnectOptions {
    fn from(peer: (Ipv6Addr, u16)) -> ConnectOptions {
        SocketAddr::from(peer).into()
    }
}

impl From<u16> for ConnectOptions {
    /// A port of `localhost`.
    fn from(port: u16) -> ConnectOptions {
        ("", port).into()
    }
}

impl From<(&str, u16)> for ConnectOptions {
    /// A host and a port; an empty host is `localhost`, as in Node.
    fn from((host, port): (&str, u16)) -> ConnectOptions {
        let host = if host.is_empty() { "localhost" } else { host };
        ConnectOptions::new(endpoint::read(host, port).map(Place::from))
    }
}

impl From<&str> for ConnectOptions {
    /// `"host:port"`, `"[::1]:port"`, or only a `"port"`, of `localhost`.
    fn from(text: &str) -> ConnectOptions {
        match endpoint::split(text) {
            Ok(host_and_port) => host_and_port.into(),
            Err(error) => ConnectOptions::new(Err(error)),
        }
    }
}

impl From<String> for ConnectOptions {
    fn from(text: String) -> ConnectOptions {
        text.as_str().into()
    }
}

impl From<&String> for ConnectOptions {
    fn from(text: &String) -> ConnectOptions {
        text.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(options: impl Into<ConnectOptions>) -> Address {
        match options.into().resolve().unwrap() {
            Place::At(address) => address,
            Place::Named(host, _) => panic!("{host} is a name"),
        }
    }

    fn name(options: impl Into<ConnectOptions>) -> (String, u16) {
        match options.into().resolve().unwrap() {
            Place::Named(host, port) => (host.to_string(), port),
            Place::At(address) => panic!("{address} is no name"),
        }
    }

    fn code(options: impl Into<ConnectOptions>) -> String {
        options.into().resolve().unwrap_err().code().to_owned()
    }

    #[test]
    fn whatever_names_a_peer_can_be_connected_to() {
        let v4 = SocketAddr::from(([127, 0, 0, 1], 80));
        assert_eq!(peer("127.0.0.1:80"), v4);
        let text = String::from("127.0.0.1:80");
        assert_eq!(peer(&text), v4);
        assert_eq!(peer(text), v4);
        assert_eq!(peer(("127.0.0.1", 80)), v4);
        assert_eq!(peer((Ipv4Addr::LOCALHOST, 80)), v4);
        assert_eq!(peer((IpAddr::V4(Ipv4Addr::LOCALHOST), 80)), v4);
        assert_eq!(peer(v4), v4);
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 80));
        assert_eq!(peer("[::1]:80"), v6);
        assert_eq!(peer(("::1", 80)), v6);
        assert_eq!(peer((Ipv6Addr::LOCALHOST, 80)), v6);
    }

    #[test]
    fn a_path_is_a_local_socket_and_a_text_never_is() {
        let local = Address::Path("/run/a".into());
        assert_eq!(peer(Path::new("/run/a")), local);
        assert_eq!(peer(PathBuf::from("/run/a")), local);
        assert_eq!(peer(ConnectOptions::path("/run/a")), local);
        assert_eq!(code("/run/a"), "ERR_SOCKET_BAD_PORT");
    }

    #[test]
    fn a_text_that_names_nobody_is_told_by_resolve() {
        assert_eq!(code("::1:80"), "ERR_INVALID_ARG_VALUE");
        assert_eq!(code("127.0.0.1"), "ERR_SOCKET_BAD_PORT");
        assert_eq!(code("127.1:80"), "ERR_INVALID_IP_ADDRESS");
        assert_eq!(code(("0x7f.1", 80)), "ERR_INVALID_IP_ADDRESS");
        assert_eq!(code(("a b", 80)), "ERR_INVALID_ARG_VALUE");
    }

    #[test]
    fn a_host_that_is_no_ip_address_is_a_name_and_no_host_is_localhost() {
        let localhost = ("localhost".to_owned(), 8080);
        assert_eq!(name(8080), localhost);
        assert_eq!(name("8080"), localhost);
        assert_eq!(name(":8080"), localhost);
        assert_eq!(name(("", 8080)), localhost);
        assert_eq!(name("localhost:8080"), localhost);
        assert_eq!(name(("example.org.", 1)), ("example.org.".to_owned(), 1));
    }
}
