//! What a connection is asked to be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{SocketOptions, endpoint, high_water_mark, keep_alive_delay};
use crate::address::Address;
use crate::block_list::BlockList;
use crate::error::{Error, Result};

/// Where a socket connects to, and what it is made with.
///
/// Whatever says where turns into it, so that `connect` takes it as it is: a host and a port; a
/// [`SocketAddr`]; a text; a [`Path`].
///
/// ```
/// use netloop::ConnectOptions;
/// use std::net::Ipv6Addr;
/// use std::time::Duration;
///
/// ConnectOptions::from((Ipv6Addr::LOCALHOST, 8080));
/// ConnectOptions::from("[::1]:8080");
/// let options = ConnectOptions::from("127.0.0.1:8080").timeout(Duration::from_secs(5));
/// ```
///
/// # Errors
///
/// Making options never fails; `connect` does, with
///
/// - `ERR_SOCKET_BAD_PORT` if the text has no port from 0 to 65535,
/// - `ERR_INVALID_IP_ADDRESS` if the host is no IP literal: names are not looked up yet,
/// - `ERR_INVALID_ARG_VALUE` if there is a port and no host, or if an IPv6 address stands before a
///   port without brackets.
///
/// Node: the options of [`socket.connect`] and of [`new net.Socket`], which are one here.
///
/// [`socket.connect`]: https://nodejs.org/api/net.html#socketconnectoptions-connectlistener
/// [`new net.Socket`]: https://nodejs.org/api/net.html#new-netsocketoptions
#[derive(Clone, Debug)]
#[must_use = "options do nothing until they are given to `connect`"]
pub struct ConnectOptions {
    peer: Result<Address>,
    pub(crate) local: LocalOptions,
    /// Zero is no timeout.
    pub(crate) timeout: Duration,
    /// `None` blocks nobody.
    pub(crate) block_list: Option<BlockList>,
    pub(crate) socket: SocketOptions,
}

impl ConnectOptions {
    /// The local socket at `path`; settings of TCP are without effect on it.
    ///
    /// One that nobody listens on is `ECONNREFUSED`, one whose backlog is full `EAGAIN`; a path that
    /// can't be one (empty, with a zero byte, longer than the kernel takes) is `EINVAL`. All of
    /// that comes by `on_error`. An abstract name (Linux) is `Address::Abstract`.
    ///
    /// ```
    /// use netloop::{Address, ConnectOptions};
    ///
    /// ConnectOptions::path("/run/echo.sock");
    /// ConnectOptions::from(Address::Abstract(b"echo".to_vec()));
    /// ```
    pub fn path(path: impl Into<PathBuf>) -> ConnectOptions {
        Address::Path(path.into()).into()
    }

    /// Whether the socket may go on writing after its peer has ended; default `false`.
    ///
    /// Without it, the socket ends its own side as soon as it has told of the peer's end; with it,
    /// the handler has to call `end` itself.
    #[doc(alias = "allowHalfOpen")]
    pub fn allow_half_open(mut self, allow: bool) -> ConnectOptions {
        self.socket.allow_half_open = allow;
        self
    }

    /// Whether the socket sends small writes at once (`TCP_NODELAY`); default `false`.
    ///
    /// Without it, the kernel may hold a small write back until the one before is acknowledged
    /// (Nagle's algorithm): see tcp(7).
    #[doc(alias = "noDelay")]
    pub fn no_delay(mut self, no_delay: bool) -> ConnectOptions {
        self.socket.no_delay = no_delay;
        self
    }

    /// Whether the kernel probes the idle socket for a peer that vanished (`SO_KEEPALIVE`);
    /// default `false`.
    #[doc(alias = "keepAlive")]
    pub fn keep_alive(mut self, keep_alive: bool) -> ConnectOptions {
        self.socket.keep_alive = keep_alive;
        self
    }

    /// How long the socket is idle before the first keep-alive probe, once
    /// [`keep_alive`](Self::keep_alive) is on.
    ///
    /// In whole seconds: a fraction is dropped, and more than 32 767 s counts as that. Default
    /// zero, which leaves the system's (Linux: two hours, `net.ipv4.tcp_keepalive_time`).
    #[doc(alias = "keepAliveInitialDelay")]
    pub fn keep_alive_initial_delay(mut self, delay: Duration) -> ConnectOptions {
        self.socket.keep_alive_initial_delay = keep_alive_delay(delay);
        self
    }

    /// How many bytes the socket may have queued before `write` answers `false`.
    ///
    /// Default 65 536; 0 makes every write that leaves bytes queued answer `false`; more than
    /// 4 GiB − 1 counts as that. A mark, not a cap: see [`write_cap`](Self::write_cap).
    #[doc(alias = "highWaterMark")]
    #[doc(alias = "writableHighWaterMark")]
    pub fn high_water_mark(mut self, bytes: usize) -> ConnectOptions {
        self.socket.high_water_mark = high_water_mark(bytes);
        self
    }

    /// How many bytes the socket may have queued before one more write destroys it, with the error
    /// `ENOBUFS`.
    ///
    /// Default `Some(16 MiB)`. A single write may be larger: what counts is what was queued when it
    /// came, so a handler that waits for `drain` never meets a cap that is not below the mark.
    /// `None` removes it, as in Node, and then a peer that does not read can take all memory from a
    /// handler that does not wait.
    pub fn write_cap(mut self, bytes: Option<usize>) -> ConnectOptions {
        self.socket.write_cap = bytes;
        self
    }

    /// Emits `timeout` after `idle` with no byte read or written, the time of connecting included.
    ///
    /// The socket stays as it is: it is for the handler to destroy it. Default
    /// [`Duration::ZERO`], none. It is `set_timeout`, called before connecting begins.
    pub fn timeout(mut self, idle: Duration) -> ConnectOptions {
        self.timeout = idle;
        self
    }

    /// Whom not to connect to: an attempt at a blocked address fails with `ERR_IP_BLOCKED` before
    /// the kernel is asked.
    ///
    /// The attempt is told first, as any other; the list is asked after that, and it is shared:
    /// rules that were added meanwhile count. Default: nobody is blocked.
    ///
    /// ```
    /// use netloop::{BlockList, ConnectOptions};
    ///
    /// // A program that connects where strangers tell it to should not find its own network.
    /// let private = BlockList::new();
    /// private.add_cidrs(BlockList::PRIVATE_RANGES)?;
    /// let options = ConnectOptions::from("127.0.0.1:80").block_list(&private);
    /// # Ok::<(), netloop::Error>(())
    /// ```
    #[doc(alias = "blockList")]
    pub fn block_list(mut self, list: &BlockList) -> ConnectOptions {
        self.block_list = Some(list.clone());
        self
    }

    /// The IP address on our side; without it the system chooses one.
    ///
    /// It has to be one of the machine's, and of the family that is connected to. One that can't be
    /// had is told by `on_error`, with the syscall `bind`.
    #[doc(alias = "localAddress")]
    pub fn local_address(mut self, ip: impl Into<IpAddr>) -> ConnectOptions {
        self.local.ip = Some(ip.into());
        self
    }

    /// The port on our side; without it, or with 0, the system chooses one.
    ///
    /// A port that a connection or a server holds can't be had, which is told by `on_error`, with
    /// the syscall `bind`; one that only old connections hold (`TIME_WAIT`) can.
    #[doc(alias = "localPort")]
    pub fn local_port(mut self, port: u16) -> ConnectOptions {
        self.local.port = port;
        self
    }

    /// What the packets ask of the network (`IP_TOS`, `IPV6_TCLASS`): the DSCP in the upper six
    /// bits.
    ///
    /// The lower two are the kernel's, for congestion (ECN). Default none, which leaves the
    /// system's. Without effect on a local socket. See ip(7).
    #[doc(alias = "typeOfService")]
    pub fn type_of_service(mut self, value: u8) -> ConnectOptions {
        self.socket.type_of_service = Some(value);
        self
    }

    /// Whom to connect to, or why the text the options were made from names nobody.
    pub(crate) fn resolve(&self) -> Result<Address> {
        self.peer.clone()
    }

    fn new(peer: Result<Address>) -> ConnectOptions {
        ConnectOptions {
            peer,
            local: LocalOptions::default(),
            timeout: Duration::ZERO,
            block_list: None,
            socket: SocketOptions::default(),
        }
    }
}

/// Where a connection is to come from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LocalOptions {
    ip: Option<IpAddr>,
    /// 0 lets the kernel choose.
    port: u16,
}

impl LocalOptions {
    /// What to bind for a connection to `peer`: a port alone stands on any address of the peer's
    /// family. `None` if nothing was asked for, or nothing that a local socket has.
    pub(crate) fn resolve(self, peer: &Address) -> Option<SocketAddr> {
        let peer = peer.as_inet()?;
        match (self.ip, self.port) {
            (None, 0) => None,
            (Some(ip), port) => Some((ip, port).into()),
            (None, port) if peer.is_ipv4() => Some((Ipv4Addr::UNSPECIFIED, port).into()),
            (None, port) => Some((Ipv6Addr::UNSPECIFIED, port).into()),
        }
    }

    /// What an error tells of it: Node does if both were asked for.
    pub(crate) fn told(self) -> Option<SocketAddr> {
        match (self.ip, self.port) {
            (Some(ip), port) if port != 0 => Some((ip, port).into()),
            _ => None,
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
        ConnectOptions::new(Ok(address))
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

impl From<(&str, u16)> for ConnectOptions {
    /// A host and a port.
    fn from((host, port): (&str, u16)) -> ConnectOptions {
        ConnectOptions::new(match host {
            // Node would look `localhost` up.
            "" => Err(Error::invalid_argument(format!(
                "A host to connect to stands before the port, as in '127.0.0.1:{port}'."
            ))),
            host => endpoint::literal(host, port).map(Address::from),
        })
    }
}

impl From<&str> for ConnectOptions {
    /// `"host:port"` or `"[::1]:port"`.
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
        options.into().resolve().unwrap()
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
        assert_eq!(code("8080"), "ERR_INVALID_ARG_VALUE");
        assert_eq!(code(":8080"), "ERR_INVALID_ARG_VALUE");
        assert_eq!(code(("", 8080)), "ERR_INVALID_ARG_VALUE");
        assert_eq!(code("::1:80"), "ERR_INVALID_ARG_VALUE");
        assert_eq!(code("127.0.0.1"), "ERR_SOCKET_BAD_PORT");
        assert_eq!(code("localhost:80"), "ERR_INVALID_IP_ADDRESS");
        assert_eq!(code(("localhost", 80)), "ERR_INVALID_IP_ADDRESS");
    }

    #[test]
    fn each_builder_sets_what_it_names() {
        let options = ConnectOptions::from("127.0.0.1:80");
        assert!(options.timeout.is_zero());
        let options = options
            .allow_half_open(true)
            .no_delay(true)
            .keep_alive(true)
            .keep_alive_initial_delay(Duration::from_millis(2_500))
            .high_water_mark(1)
            .write_cap(Some(2))
            .timeout(Duration::from_millis(3));
        assert_eq!(options.timeout, Duration::from_millis(3));
        let socket = options.socket;
        assert!(socket.allow_half_open && socket.no_delay && socket.keep_alive);
        assert!(!socket.pause_on_connect);
        assert_eq!(socket.keep_alive_initial_delay, Duration::from_secs(2));
        assert_eq!((socket.high_water_mark, socket.write_cap), (1, Some(2)));
    }
}
