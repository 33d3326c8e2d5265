//! What a server is asked to be.

use std::path::PathBuf;
use std::time::Duration;

use super::{Bind, SocketOptions, keep_alive_delay, water_mark};
use crate::address::Address;
use crate::block_list::BlockList;
use crate::error::{Error, Result};

/// Where a server listens, and what it gives to each socket it accepts.
///
/// Whatever says where turns into it, so that `listen` takes it as it is: a port; a host and a
/// port; a [`SocketAddr`](std::net::SocketAddr); a text; a [`Path`](std::path::Path); a descriptor. A port of 0 lets the kernel choose one.
/// Without a host, the server listens on `::` for IPv6 and IPv4 alike, or on `0.0.0.0` where there
/// is no IPv6. A host that is no IP address is a name, which the loop's
/// [`Resolver`](crate::Resolver) looks up.
///
/// ```
/// use netloop::ListenOptions;
/// use std::net::Ipv4Addr;
///
/// ListenOptions::from(8080);
/// ListenOptions::from("8080");
/// ListenOptions::from((Ipv4Addr::LOCALHOST, 8080));
/// ListenOptions::from("[::1]:8080");
/// let options = ListenOptions::from("127.0.0.1:0").backlog(64).no_delay(true);
/// ```
///
/// # Errors
///
/// Making options never fails; `listen` does, with
///
/// - `ERR_SOCKET_BAD_PORT` if the text has no port from 0 to 65535,
/// - `ERR_INVALID_IP_ADDRESS` if the host ends in a number and is no IP address as one writes it
///   (`127.1`, `0x7f.1`), or has a colon, a bracket or a zone and is no IPv6 address,
/// - `ERR_INVALID_ARG_VALUE` if the host is longer than 253 bytes or not all visible ASCII, or if
///   an IPv6 address stands before a port without brackets.
///
/// A socket that is bound already, what Node calls a `BoundSocket` or an `fd`, becomes options as an
/// [`OwnedFd`](std::os::fd::OwnedFd).
///
/// Node: the options of [`server.listen`] and of [`net.createServer`], which are one here.
///
/// [`server.listen`]: https://nodejs.org/api/net.html#serverlistenoptions-callback
/// [`net.createServer`]: https://nodejs.org/api/net.html#netcreateserveroptions-connectionlistener
#[derive(Clone, Debug)]
#[doc(alias = "fd")]
#[doc(alias = "BoundSocket")]
#[must_use = "options do nothing until they are given to `listen`"]
pub struct ListenOptions {
    bind: Result<Bind>,
    pub(crate) backlog: u32,
    /// `None` is no limit.
    pub(crate) max_connections: Option<usize>,
    pub(crate) reuse_port: bool,
    pub(crate) ipv6_only: bool,
    /// The rights of a path.
    pub(crate) mode: u32,
    pub(crate) out_of_descriptors: OutOfDescriptors,
    /// `None` blocks nobody.
    pub(crate) block_list: Option<BlockList>,
    pub(crate) socket: SocketOptions,
}

/// The rights of a path that nothing was said about: nobody but its owner may connect.
const PRIVATE: u32 = 0o600;
const READABLE_ALL: u32 = 0o444;
const WRITABLE_ALL: u32 = 0o222;

/// What a server does when the process has no descriptor left for another connection.
///
/// Whichever it is, the connections that are open live on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutOfDescriptors {
    /// Stop accepting, and try again now and then and whenever a socket closes.
    ///
    /// Peers wait in the kernel's backlog meanwhile, and are served if it does not take too long.
    #[default]
    Pause,
    /// Accept with a descriptor kept in reserve, and close at once.
    ///
    /// Peers learn right away that they are not served, and may go elsewhere.
    Shed,
}

impl ListenOptions {
    /// How many connections may wait to be accepted; more are refused or ignored by the kernel.
    ///
    /// Default 511, which 0 stands for too. The kernel takes it as a hint and caps it, Linux at
    /// `net.core.somaxconn`: see listen(2).
    pub fn backlog(mut self, connections: u32) -> ListenOptions {
        self.backlog = match connections {
            0 => DEFAULT_BACKLOG,
            connections => connections,
        };
        self
    }

    /// Whether an accepted socket may go on writing after its peer has ended; default `false`.
    ///
    /// Without it, a socket ends its own side as soon as it has told of the peer's end; with it,
    /// the handler has to call `end` itself.
    #[doc(alias = "allowHalfOpen")]
    pub fn allow_half_open(mut self, allow: bool) -> ListenOptions {
        self.socket.allow_half_open = allow;
        self
    }

    /// Whether accepted sockets start paused, with nothing read until `resume`; default `false`.
    #[doc(alias = "pauseOnConnect")]
    pub fn pause_on_connect(mut self, pause: bool) -> ListenOptions {
        self.socket.pause_on_connect = pause;
        self
    }

    /// Whether accepted sockets send small writes at once (`TCP_NODELAY`); default `false`.
    ///
    /// Without it, the kernel may hold a small write back until the one before is acknowledged
    /// (Nagle's algorithm): see tcp(7). The tail of a large write is held back too, so bulk gains by it
    /// as well; [`latency`](crate::book::latency#tcp_nodelay-and-tcp_quickack) has figures.
    #[doc(alias = "noDelay")]
    pub fn no_delay(mut self, no_delay: bool) -> ListenOptions {
        self.socket.no_delay = no_delay;
        self
    }

    /// Whether accepted sockets acknowledge at once what they get (`TCP_QUICKACK`), in the beginning; the
    /// kernel decides without it. Linux and Android.
    ///
    /// It is no lasting setting: see [`Socket::set_quick_ack`](crate::Socket::set_quick_ack).
    #[doc(alias = "TCP_QUICKACK")]
    pub fn quick_ack(mut self, quick_ack: bool) -> ListenOptions {
        self.socket.quick_ack = Some(quick_ack);
        self
    }

    /// How many bytes the kernel takes from an accepted socket that it cannot send yet
    /// (`TCP_NOTSENT_LOWAT`); 0, the default, leaves it to the system. Linux and Android.
    ///
    /// See [`Socket::set_not_sent_low_water_mark`](crate::Socket::set_not_sent_low_water_mark).
    #[doc(alias = "TCP_NOTSENT_LOWAT")]
    pub fn not_sent_low_water_mark(mut self, bytes: usize) -> ListenOptions {
        self.socket.not_sent_low_water_mark = water_mark(bytes);
        self
    }

    /// Whether the kernel probes idle accepted sockets for a peer that vanished (`SO_KEEPALIVE`);
    /// default `false`.
    #[doc(alias = "keepAlive")]
    pub fn keep_alive(mut self, keep_alive: bool) -> ListenOptions {
        self.socket.keep_alive = keep_alive;
        self
    }

    /// How long an accepted socket is idle before the first keep-alive probe, once
    /// [`keep_alive`](Self::keep_alive) is on.
    ///
    /// In whole seconds: a fraction is dropped, and more than 32 767 s counts as that. Default
    /// zero, which leaves the system's (Linux: two hours, `net.ipv4.tcp_keepalive_time`).
    #[doc(alias = "keepAliveInitialDelay")]
    pub fn keep_alive_initial_delay(mut self, delay: Duration) -> ListenOptions {
        self.socket.keep_alive_initial_delay = keep_alive_delay(delay);
        self
    }

    /// How many bytes an accepted socket may have queued before `write` answers `false`.
    ///
    /// Default 65 536; 0 makes every write that leaves bytes queued answer `false`; more than
    /// 4 GiB − 1 counts as that. A mark, not a cap: see [`write_cap`](Self::write_cap).
    #[doc(alias = "highWaterMark")]
    pub fn high_water_mark(mut self, bytes: usize) -> ListenOptions {
        self.socket.high_water_mark = water_mark(bytes);
        self
    }

    /// How many bytes an accepted socket may have queued before one more write destroys it, with
    /// the error `ENOBUFS`.
    ///
    /// Default `Some(16 MiB)`. A single write may be larger: what counts is what was queued when it
    /// came, so a handler that waits for `drain` never meets a cap that is not below the mark.
    /// `None` removes it, as in Node, and then a peer that does not read can take all memory from a
    /// handler that does not wait.
    pub fn write_cap(mut self, bytes: Option<usize>) -> ListenOptions {
        self.socket.write_cap = bytes;
        self
    }

    /// How many connections may be open at once; further ones are accepted, told as dropped, and
    /// closed.
    ///
    /// No limit by default; 0 drops all.
    #[doc(alias = "maxConnections")]
    pub fn max_connections(mut self, connections: usize) -> ListenOptions {
        self.max_connections = Some(connections);
        self
    }

    /// Whether several servers may listen on the same port and share its connections
    /// (`SO_REUSEPORT`); default `false`.
    ///
    /// All of them have to ask for it. One loop on each core, with a server each, is what it is
    /// for: see socket(7). Where the platform has no such option, `listen` fails.
    #[doc(alias = "reusePort")]
    pub fn reuse_port(mut self, reuse: bool) -> ListenOptions {
        self.reuse_port = reuse;
        self
    }

    /// Whether a server on an IPv6 address turns IPv4 peers away (`IPV6_V6ONLY`); default `false`.
    ///
    /// Without effect on a server that listens on an IPv4 address: see ipv6(7).
    #[doc(alias = "ipv6Only")]
    pub fn ipv6_only(mut self, only: bool) -> ListenOptions {
        self.ipv6_only = only;
        self
    }

    /// What to do when the process has no descriptor left to accept with; default
    /// [`OutOfDescriptors::Pause`].
    ///
    /// Node has no such option.
    #[doc(alias = "EMFILE")]
    pub fn when_out_of_descriptors(mut self, policy: OutOfDescriptors) -> ListenOptions {
        self.out_of_descriptors = policy;
        self
    }

    /// Whom to turn away: a peer whose address is blocked is accepted and closed at once, and
    /// nobody is told.
    ///
    /// There is no `connection` and no `drop`, and it does not count as a connection; only
    /// [`Stats::blocked`](crate::Stats::blocked) does. A server that has reached
    /// [`max_connections`](Self::max_connections) drops every peer, this one too. The list is
    /// shared: rules that are added later count. Default: nobody is blocked.
    #[doc(alias = "blockList")]
    pub fn block_list(mut self, list: &BlockList) -> ListenOptions {
        self.block_list = Some(list.clone());
        self
    }

    /// A local socket at `path`.
    ///
    /// The server makes the file and removes it when it is closed, unless something else stands
    /// there by then. What stands there before is never removed: a path that is in use is
    /// `EADDRINUSE`, even if nobody listens on it any more. Only its owner may connect, whatever
    /// the umask; see [`readable_all`](Self::readable_all) and
    /// [`writable_all`](Self::writable_all). A path longer than the kernel takes (Linux: 107
    /// bytes) is `EINVAL`, never cut.
    ///
    /// An abstract name (Linux) is `Address::Abstract`. Node: [`server.listen(path)`].
    ///
    /// ```
    /// use netloop::{Address, ListenOptions};
    ///
    /// ListenOptions::path("/run/echo.sock").writable_all(true);
    /// ListenOptions::from(Address::Abstract(b"echo".to_vec()));
    /// ```
    ///
    /// [`server.listen(path)`]: https://nodejs.org/api/net.html#serverlistenpath-backlog-callback
    pub fn path(path: impl Into<PathBuf>) -> ListenOptions {
        Address::Path(path.into()).into()
    }

    /// Whether everybody may read the path of a local socket; default `false`.
    ///
    /// `listen` fails with `ERR_INVALID_ARG_VALUE` for an abstract name, which has no rights: who
    /// knows it may connect. Without effect on a server that listens on a port.
    #[doc(alias = "readableAll")]
    pub fn readable_all(self, readable: bool) -> ListenOptions {
        self.grant(READABLE_ALL, readable)
    }

    /// Whether everybody may write to the path of a local socket, which is what a connect needs;
    /// default `false`.
    ///
    /// For the rest as [`readable_all`](Self::readable_all). The directory should be one that nobody
    /// else may write to: rights that the umask takes away are given back by path, and whoever can
    /// put a link in its place meanwhile has them given to another file.
    #[doc(alias = "writableAll")]
    pub fn writable_all(self, writable: bool) -> ListenOptions {
        self.grant(WRITABLE_ALL, writable)
    }

    fn grant(mut self, rights: u32, granted: bool) -> ListenOptions {
        self.mode = match granted {
            true => self.mode | rights,
            false => self.mode & !rights | PRIVATE,
        };
        self
    }

    /// Where to bind, or why the text the options were made from says nothing of the kind.
    pub(crate) fn resolve(&self) -> Result<Bind> {
        match self.bind.clone()? {
            Bind::Local(Address::Abstract(_)) if self.mode != PRIVATE => {
                Err(Error::invalid_argument(
                    "An abstract name has no rights that could be given to everybody.",
                ))
            }
            bind => Ok(bind),
        }
    }

    pub(super) fn new(bind: Result<Bind>) -> ListenOptions {
        ListenOptions {
            bind,
            backlog: DEFAULT_BACKLOG,
            max_connections: None,
            reuse_port: false,
            ipv6_only: false,
            mode: PRIVATE,
            out_of_descriptors: OutOfDescriptors::default(),
            block_list: None,
            socket: SocketOptions::default(),
        }
    }
}

/// Node's number: one less than a power of two, since kernels have been seen to add one and then
/// round up to the next.
const DEFAULT_BACKLOG: u32 = 511;

#[cfg(test)]
mod tests {
    use super::*;

    fn code(options: impl Into<ListenOptions>) -> String {
        options.into().resolve().unwrap_err().code().to_owned()
    }

    #[test]
    fn a_path_is_its_owners_unless_it_is_given_to_everybody() {
        let path = || ListenOptions::path("/run/a");
        assert_eq!(path().mode, 0o600);
        assert_eq!(path().readable_all(true).mode, 0o644);
        assert_eq!(path().writable_all(true).mode, 0o622);
        let both = path().readable_all(true).writable_all(true);
        assert_eq!(both.mode, 0o666);
        let taken_back = both.readable_all(false).writable_all(false);
        assert_eq!(taken_back.mode, 0o600);
        let name = ListenOptions::from(Address::Abstract(b"a".to_vec()));
        assert_eq!(code(name.writable_all(true)), "ERR_INVALID_ARG_VALUE");
    }

    #[test]
    fn a_bad_text_stays_bad_whatever_is_built_on_it() {
        let options = ListenOptions::from("127.1:80").backlog(1).clone();
        assert!(options.resolve().unwrap_err().is_misuse());
    }

    #[test]
    fn the_defaults_are_nodes() {
        let options = ListenOptions::from(0);
        assert_eq!(options.backlog, 511);
        assert_eq!(options.max_connections, None);
        assert!(!options.reuse_port && !options.ipv6_only);
        assert_eq!(options.out_of_descriptors, OutOfDescriptors::Pause);
    }

    #[test]
    fn a_backlog_of_0_is_the_default_as_in_node() {
        assert_eq!(ListenOptions::from(0).backlog(0).backlog, 511);
        assert_eq!(ListenOptions::from(0).backlog(1).backlog, 1);
    }

    #[test]
    fn each_builder_sets_what_it_names() {
        let options = ListenOptions::from(0)
            .allow_half_open(true)
            .pause_on_connect(true)
            .no_delay(true)
            .quick_ack(false)
            .not_sent_low_water_mark(2)
            .keep_alive(true)
            .keep_alive_initial_delay(Duration::from_millis(2_500))
            .high_water_mark(1)
            .write_cap(None)
            .max_connections(0)
            .reuse_port(true)
            .ipv6_only(true)
            .when_out_of_descriptors(OutOfDescriptors::Shed);
        assert_eq!(options.max_connections, Some(0));
        assert!(options.reuse_port && options.ipv6_only);
        assert_eq!(options.out_of_descriptors, OutOfDescriptors::Shed);
        let socket = options.socket;
        assert!(socket.allow_half_open && socket.pause_on_connect);
        assert!(socket.no_delay && socket.keep_alive);
        assert_eq!(socket.keep_alive_initial_delay, Duration::from_secs(2));
        assert_eq!(socket.quick_ack, Some(false));
        assert_eq!(socket.not_sent_low_water_mark, 2);
        assert_eq!((socket.high_water_mark, socket.write_cap), (1, None));
    }
}
