//! What a connection is asked to be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::{NameOptions, Place, SocketOptions, attempt_timeout, keep_alive_delay, water_mark};
use crate::address::{Address, Family};
use crate::block_list::BlockList;
use crate::error::Result;
use crate::resolver::Resolver;

/// Where a socket connects to, and what it is made with.
///
/// Whatever says where turns into it, so that `connect` takes it as it is: a host and a port; a
/// [`SocketAddr`]; a text; a [`Path`](std::path::Path); a bare port, which is one of `localhost`. A host that is no IP
/// address is a name, which the loop's [`Resolver`] or that of these options looks up.
///
/// ```
/// use netloop::ConnectOptions;
/// use std::net::Ipv6Addr;
/// use std::time::Duration;
///
/// ConnectOptions::from((Ipv6Addr::LOCALHOST, 8080));
/// ConnectOptions::from("[::1]:8080");
/// ConnectOptions::from(("example.org", 80));
/// ConnectOptions::from(8080);
/// let options = ConnectOptions::from("127.0.0.1:8080").timeout(Duration::from_secs(5));
/// ```
///
/// # Errors
///
/// Making options never fails; `connect` does, with
///
/// - `ERR_SOCKET_BAD_PORT` if the text has no port from 0 to 65535,
/// - `ERR_INVALID_IP_ADDRESS` if the host ends in a number and is no IP address as one writes it
///   (`127.1`, `0x7f.1`), or has a colon, a bracket or a zone and is no IPv6 address,
/// - `ERR_INVALID_ARG_VALUE` if the host is longer than 253 bytes or not all visible ASCII, or if
///   an IPv6 address stands before a port without brackets,
/// - `ERR_OUT_OF_RANGE` if an attempt is given no time at all.
///
/// Node: the options of [`socket.connect`] and of [`new net.Socket`], which are one here.
///
/// [`socket.connect`]: https://nodejs.org/api/net.html#socketconnectoptions-connectlistener
/// [`new net.Socket`]: https://nodejs.org/api/net.html#new-netsocketoptions
#[derive(Clone, Debug)]
#[must_use = "options do nothing until they are given to `connect`"]
pub struct ConnectOptions {
    peer: Result<Place>,
    pub(crate) names: NameOptions,
    pub(crate) local: LocalOptions,
    /// Zero is no timeout.
    pub(crate) timeout: Duration,
    /// `None` blocks nobody.
    pub(crate) block_list: Option<BlockList>,
    /// Zero is no deadline.
    pub(crate) connect_timeout: Duration,
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
    /// (Nagle's algorithm): see tcp(7). The tail of a large write is held back too, so bulk gains by it
    /// as well; [`latency`](crate::book::latency#tcp_nodelay-and-tcp_quickack) has figures.
    #[doc(alias = "noDelay")]
    pub fn no_delay(mut self, no_delay: bool) -> ConnectOptions {
        self.socket.no_delay = no_delay;
        self
    }

    /// Whether the socket acknowledges at once what it gets (`TCP_QUICKACK`), in the beginning; the
    /// kernel decides without it. Linux and Android.
    ///
    /// It is no lasting setting: see [`Socket::set_quick_ack`](crate::Socket::set_quick_ack).
    #[doc(alias = "TCP_QUICKACK")]
    pub fn quick_ack(mut self, quick_ack: bool) -> ConnectOptions {
        self.socket.quick_ack = Some(quick_ack);
        self
    }

    /// How many bytes the kernel takes from the socket that it cannot send yet
    /// (`TCP_NOTSENT_LOWAT`); 0, the default, leaves it to the system. Linux and Android.
    ///
    /// See [`Socket::set_not_sent_low_water_mark`](crate::Socket::set_not_sent_low_water_mark).
    #[doc(alias = "TCP_NOTSENT_LOWAT")]
    pub fn not_sent_low_water_mark(mut self, bytes: usize) -> ConnectOptions {
        self.socket.not_sent_low_water_mark = water_mark(bytes);
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
        self.socket.high_water_mark = water_mark(bytes);
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
    /// rules that were added meanwhile count. One of several addresses of a host is told as failed
    /// instead, without an attempt, and the next is tried. Default: nobody is blocked.
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

    /// Destroys the socket with `ETIMEDOUT` if the connection does not stand `limit` after the call:
    /// looking up the host and all attempts together.
    ///
    /// Default [`Duration::ZERO`], none: then the kernel gives up an address that does not answer
    /// after about two minutes (tcp(7), `tcp_syn_retries`). Node has no such option.
    pub fn connect_timeout(mut self, limit: Duration) -> ConnectOptions {
        self.connect_timeout = limit;
        self
    }

    /// The only address family to look a host up for, and to try only the first address of;
    /// default: both, and all of them. Without effect on an IP address.
    pub fn family(mut self, family: Family) -> ConnectOptions {
        self.names.family = Some(family);
        self
    }

    /// Who looks the host up, instead of the loop's [`Resolver`].
    #[doc(alias = "lookup")]
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> ConnectOptions {
        self.names.resolver = Some(Rc::new(resolver));
        self
    }

    /// Whether several addresses of a host are tried, IPv6 and IPv4 in turn, until one answers;
    /// default: as [`Net::set_default_auto_select_family`](crate::Net) says, `true`.
    ///
    /// Without it, only the first address is tried. So it is too if a
    /// [`family`](Self::family) or a [`local_address`](Self::local_address) is asked for.
    #[doc(alias = "autoSelectFamily")]
    pub fn auto_select_family(mut self, several: bool) -> ConnectOptions {
        self.names.auto_select_family = Some(several);
        self
    }

    /// How long an address may take to answer before the next one is tried; the last one has all
    /// the time that the kernel gives it.
    ///
    /// Default 500 ms; at least 10 ms. If attempts are [parallel](Self::parallel_attempts) it is
    /// the delay between their beginnings, by default 250 ms.
    #[doc(alias = "autoSelectFamilyAttemptTimeout")]
    pub fn auto_select_family_attempt_timeout(mut self, timeout: Duration) -> ConnectOptions {
        self.names.attempt_timeout = Some(timeout);
        self
    }

    /// Whether an attempt goes on while the next address is tried; default `false`, as in Node.
    ///
    /// An address that is slow and not dead can win then, and an address that is dead costs 250 ms,
    /// not 500. The first connection that stands closes the others, which their peers may see
    /// accepted and closed. At most eight attempts are under way; for a ninth the oldest is given
    /// up. See [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305#section-5).
    #[doc(alias = "happy eyeballs")]
    pub fn parallel_attempts(mut self, parallel: bool) -> ConnectOptions {
        self.names.parallel = parallel;
        self
    }

    /// Whom to connect to, or why the options name nobody.
    pub(crate) fn resolve(&mut self) -> Result<Place> {
        if let Some(timeout) = &mut self.names.attempt_timeout {
            *timeout = attempt_timeout(*timeout)?;
        }
        self.peer.clone()
    }

    pub(super) fn new(peer: Result<Place>) -> ConnectOptions {
        ConnectOptions {
            peer,
            names: NameOptions::default(),
            connect_timeout: Duration::ZERO,
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

    /// An address was asked for, which has a family.
    pub(crate) fn has_address(self) -> bool {
        self.ip.is_some()
    }

    /// What an error tells of it: Node does if both were asked for.
    pub(crate) fn told(self) -> Option<SocketAddr> {
        match (self.ip, self.port) {
            (Some(ip), port) if port != 0 => Some((ip, port).into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(options: impl Into<ConnectOptions>) -> String {
        options.into().resolve().unwrap_err().code().to_owned()
    }

    #[test]
    fn r85_an_attempt_of_no_time_is_refused_and_a_short_one_made_longer() {
        let options =
            |timeout| ConnectOptions::from(80).auto_select_family_attempt_timeout(timeout);
        assert_eq!(code(options(Duration::ZERO)), "ERR_OUT_OF_RANGE");
        let mut options = options(Duration::from_nanos(1));
        options.resolve().unwrap();
        assert_eq!(
            options.names.attempt_timeout,
            Some(Duration::from_millis(10))
        );
    }

    #[test]
    fn each_builder_sets_what_it_names() {
        let options = ConnectOptions::from("127.0.0.1:80");
        assert!(options.timeout.is_zero());
        let options = options
            .allow_half_open(true)
            .no_delay(true)
            .quick_ack(false)
            .not_sent_low_water_mark(2)
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
        assert_eq!(socket.quick_ack, Some(false));
        assert_eq!(socket.not_sent_low_water_mark, 2);
        assert_eq!((socket.high_water_mark, socket.write_cap), (1, Some(2)));
    }
}
