//! Where a server is asked to listen, and all that says so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::ListenOptions;
use super::endpoint::{self, Endpoint};
use crate::address::Address;

/// Where to bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bind {
    /// Port on `::`, IPv4 included unless the options say otherwise, or on `0.0.0.0` where there is
    /// no IPv6.
    AnyHost(u16),
    At(SocketAddr),
    /// A local socket, by its path or name.
    Local(Address),
    /// Nowhere: it was bound by somebody else.
    Given(Given),
    /// One of the addresses of a host that is to be looked up.
    Named(Arc<str>, u16),
}

impl From<Endpoint> for Bind {
    fn from(endpoint: Endpoint) -> Bind {
        match endpoint {
            Endpoint::At(address) => Bind::At(address),
            Endpoint::Named(host, port) => Bind::Named(host, port),
        }
    }
}

/// A descriptor that one server is to have: options can be cloned, and it can't.
#[derive(Clone, Debug)]
pub(crate) struct Given(Arc<Mutex<Option<OwnedFd>>>);

impl Given {
    /// `None` if a server had it already.
    pub(crate) fn take(&self) -> Option<OwnedFd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl PartialEq for Given {
    fn eq(&self, other: &Given) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Given {}

impl From<u16> for ListenOptions {
    /// A port, on any host.
    fn from(port: u16) -> ListenOptions {
        ListenOptions::new(Ok(Bind::AnyHost(port)))
    }
}

impl From<SocketAddr> for ListenOptions {
    fn from(address: SocketAddr) -> ListenOptions {
        ListenOptions::new(Ok(Bind::At(address)))
    }
}

impl From<Address> for ListenOptions {
    /// What [`Server::address`](crate::Server::address) answered, say.
    fn from(address: Address) -> ListenOptions {
        ListenOptions::new(Ok(match address.as_inet() {
            Some(inet) => Bind::At(inet),
            None => Bind::Local(address),
        }))
    }
}

impl From<&Path> for ListenOptions {
    /// As [`ListenOptions::path`].
    fn from(path: &Path) -> ListenOptions {
        ListenOptions::path(path)
    }
}

impl From<PathBuf> for ListenOptions {
    /// As [`ListenOptions::path`].
    fn from(path: PathBuf) -> ListenOptions {
        ListenOptions::path(path)
    }
}

impl From<OwnedFd> for ListenOptions {
    /// A socket that somebody else has bound, of any family: inherited, or made with options of
    /// its own. The path of a local socket stays where it is when the server is closed.
    ///
    /// It is given to the first server that is made with these options or a clone of them; what is
    /// no such socket is `EINVAL`. Node: [`server.listen({ fd })`].
    ///
    /// What a service manager hands over by number (systemd's `LISTEN_FDS`) becomes such a descriptor
    /// by `inherited_listeners`, with the feature `listen-fds`. One that comes as the standard input
    /// needs nothing:
    ///
    /// ```no_run
    /// use netloop::{Reactor, handler_fn};
    /// use std::os::fd::AsFd;
    ///
    /// # fn main() -> netloop::Result<()> {
    /// let mut reactor = Reactor::new()?;
    /// let inherited = std::io::stdin().as_fd().try_clone_to_owned()?;
    /// reactor.net().listen(inherited, |_socket| handler_fn(|_, _| ()))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`server.listen({ fd })`]: https://nodejs.org/api/net.html#serverlistenhandle-backlog-callback
    fn from(descriptor: OwnedFd) -> ListenOptions {
        let given = Given(Arc::new(Mutex::new(Some(descriptor))));
        ListenOptions::new(Ok(Bind::Given(given)))
    }
}

impl From<(IpAddr, u16)> for ListenOptions {
    fn from(place: (IpAddr, u16)) -> ListenOptions {
        SocketAddr::from(place).into()
    }
}

impl From<(Ipv4Addr, u16)> for ListenOptions {
    fn from(place: (Ipv4Addr, u16)) -> ListenOptions {
        SocketAddr::from(place).into()
    }
}

impl From<(Ipv6Addr, u16)> for ListenOptions {
    fn from(place: (Ipv6Addr, u16)) -> ListenOptions {
        SocketAddr::from(place).into()
    }
}

impl From<(&str, u16)> for ListenOptions {
    /// A host and a port; an empty host is any host, as in Node.
    fn from((host, port): (&str, u16)) -> ListenOptions {
        ListenOptions::new(match host {
            "" => Ok(Bind::AnyHost(port)),
            host => endpoint::read(host, port).map(Bind::from),
        })
    }
}

impl From<&str> for ListenOptions {
    /// `"host:port"`, `"[::1]:port"`, or only a `"port"`, on any host.
    fn from(text: &str) -> ListenOptions {
        match endpoint::split(text) {
            Ok(host_and_port) => host_and_port.into(),
            Err(error) => ListenOptions::new(Err(error)),
        }
    }
}

impl From<String> for ListenOptions {
    fn from(text: String) -> ListenOptions {
        text.as_str().into()
    }
}

impl From<&String> for ListenOptions {
    fn from(text: &String) -> ListenOptions {
        text.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(options: impl Into<ListenOptions>) -> Bind {
        options.into().resolve().unwrap()
    }

    fn code(options: impl Into<ListenOptions>) -> String {
        options.into().resolve().unwrap_err().code().to_owned()
    }

    fn at(text: &str) -> Bind {
        Bind::At(text.parse().unwrap())
    }

    #[test]
    fn a_port_without_a_host_is_any_host() {
        assert_eq!(bind(8080), Bind::AnyHost(8080)); // a bare literal is a u16
        assert_eq!(bind("8080"), Bind::AnyHost(8080));
        assert_eq!(bind(":8080"), Bind::AnyHost(8080));
        assert_eq!(bind(("", 8080)), Bind::AnyHost(8080));
        assert_eq!(bind(0), Bind::AnyHost(0));
    }

    #[test]
    fn whatever_says_where_can_be_listened_on() {
        let v4 = at("127.0.0.1:80");
        assert_eq!(bind("127.0.0.1:80"), v4);
        let text = String::from("127.0.0.1:80");
        assert_eq!(bind(&text), v4);
        assert_eq!(bind(text), v4);
        assert_eq!(bind(("127.0.0.1", 80)), v4);
        assert_eq!(bind((Ipv4Addr::LOCALHOST, 80)), v4);
        assert_eq!(bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 80)), v4);
        assert_eq!(bind(SocketAddr::from(([127, 0, 0, 1], 80))), v4);
        let v6 = at("[::1]:80");
        assert_eq!(bind("[::1]:80"), v6);
        assert_eq!(bind(("::1", 80)), v6);
        assert_eq!(bind((Ipv6Addr::LOCALHOST, 80)), v6);
        assert_eq!(bind("[fe80::1%2]:80"), at("[fe80::1%2]:80"));
    }

    #[test]
    fn a_path_is_a_local_socket_and_a_text_never_is() {
        let local = Bind::Local(Address::Path("/run/a".into()));
        assert_eq!(bind(Path::new("/run/a")), local);
        assert_eq!(bind(PathBuf::from("/run/a")), local);
        assert_eq!(bind(ListenOptions::path("/run/a")), local);
        assert_eq!(code("/run/a"), "ERR_SOCKET_BAD_PORT");
    }

    #[test]
    fn a_descriptor_is_given_once_whoever_asks() {
        let options = ListenOptions::from(OwnedFd::from(std::io::pipe().unwrap().0));
        let Bind::Given(given) = bind(options.clone()) else {
            panic!("{options:?}");
        };
        assert!(given.take().is_some());
        let Bind::Given(given) = bind(options.clone()) else {
            panic!("{options:?}");
        };
        assert!(given.take().is_none());
    }

    #[test]
    fn a_text_that_says_nothing_of_the_kind_is_told_by_resolve() {
        assert_eq!(code("70000"), "ERR_SOCKET_BAD_PORT");
        assert_eq!(code("127.0.0.1:70000"), "ERR_SOCKET_BAD_PORT");
        assert_eq!(code(""), "ERR_SOCKET_BAD_PORT");
        assert_eq!(code("127.1:80"), "ERR_INVALID_IP_ADDRESS");
        assert_eq!(code(("a b", 80)), "ERR_INVALID_ARG_VALUE");
        assert_eq!(code("::1:80"), "ERR_INVALID_ARG_VALUE");
    }

    #[test]
    fn a_host_that_is_no_ip_address_is_a_name() {
        assert_eq!(bind("localhost:80"), Bind::Named("localhost".into(), 80));
        assert_eq!(bind(("a.example", 80)), Bind::Named("a.example".into(), 80));
    }
}
