//! Servers: binding, taking peers, running out of descriptors, closing.

use super::entry::{Flags, SocketEntry};
use super::ids::{Key, Target};
use super::server_entry::ServerEntry;
use super::{Net, Server};
use crate::connection::{Latch, Lifecycle};
use crate::handler::{AcceptFn, BoxedAcceptor, Dropped};
use crate::log_limit::Kind;
use crate::options::{Bind, ListenOptions, OutOfDescriptors};
use crate::sys::{Interest, Listener, Stream};
use crate::{Acceptor, Address, Error, Handler, Result, Socket};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// How long a server that found no descriptor waits before it tries by itself.
const RETRY_NANOS: u64 = 100_000_000;

/// What an accept brought.
pub(crate) enum Accepted {
    /// A socket to announce.
    Socket(Key),
    /// A peer to turn away; told, then forgotten.
    Dropped(Dropped),
    /// One connection was lost before it could be taken; others may wait behind it.
    Lost,
    /// Nothing more for now.
    Drained,
}

/// What is told to a server outside of any call.
pub(crate) enum ServerNote {
    Listening,
    Error(Error),
}

/// What an errno of accept(2) says about the rest of the backlog.
enum Trouble {
    /// Nobody waits.
    None,
    /// The connection that was to be taken is gone: its network failed, or the peer gave up.
    ThisOne,
    /// The process or the machine lacks something that may come back.
    Starved,
    /// The listener itself is broken.
    Broken,
}

/// The one table of accept's errnos (FAULTS A1 to A4). `EINTR` never comes here.
fn trouble(error: &io::Error) -> Trouble {
    match error.raw_os_error() {
        _ if error.kind() == io::ErrorKind::WouldBlock => Trouble::None,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => Trouble::Starved,
        // accept(2): pending errors of the new socket's network count as if nobody had waited.
        Some(
            libc::ECONNABORTED
            | libc::EPROTO
            | libc::ENETDOWN
            | libc::ENOPROTOOPT
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::EOPNOTSUPP
            | libc::ENETUNREACH
            | libc::ETIMEDOUT
            | libc::ECONNRESET
            | libc::EPERM,
        ) => Trouble::ThisOne,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(libc::ENONET) => Trouble::ThisOne,
        _ => Trouble::Broken,
    }
}

impl Net {
    /// Listens, and calls `accept` with each new socket; what it answers becomes the socket's
    /// handler.
    ///
    /// `options` is a port (no host: `::`, which takes IPv4 too, or `0.0.0.0` without IPv6), a
    /// `(host, port)` with a literal host, a `SocketAddr`, a `"host:port"`, or
    /// [`ListenOptions`]. Port 0 lets the system choose; [`Server::address`] says what it chose.
    ///
    /// ```
    /// # fn main() -> netloop::Result<()> {
    /// use netloop::{Event, Reactor, handler_fn};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let server = reactor.net().listen("127.0.0.1:0", |_socket| {
    ///     handler_fn(|socket, event| {
    ///         if let Event::Data(bytes) = event {
    ///             socket.write(bytes);
    ///         }
    ///     })
    /// })?;
    /// assert!(server.listening());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What is known at once: a bad address or port, `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, no
    /// descriptor. Nothing is left behind, and the reactor stays usable.
    ///
    /// Node: [`server.listen`](https://nodejs.org/api/net.html#serverlisten).
    #[doc(alias = "createServer")]
    pub fn listen<H: Handler + 'static>(
        &mut self,
        options: impl Into<ListenOptions>,
        accept: impl FnMut(&mut Socket<'_>) -> H + 'static,
    ) -> Result<Server<'_>> {
        self.listen_on(options.into(), Box::new(AcceptFn(accept)))
    }

    /// As [`listen`](Net::listen), with all events of the server.
    ///
    /// # Errors
    ///
    /// As [`listen`](Net::listen).
    pub fn listen_with(
        &mut self,
        options: impl Into<ListenOptions>,
        acceptor: impl Acceptor + 'static,
    ) -> Result<Server<'_>> {
        self.listen_on(options.into(), Box::new(acceptor))
    }

    fn listen_on(&mut self, options: ListenOptions, acceptor: BoxedAcceptor) -> Result<Server<'_>> {
        if options.out_of_descriptors == OutOfDescriptors::Shed {
            self.sys
                .hold_spare()
                .map_err(|error| Error::io("open", error))?;
        }
        let listener = self.bind(&options)?;
        let address = match self.sys.listener_address(&listener) {
            Ok(address) => address,
            Err(error) => {
                self.sys.close_listener(listener);
                return Err(Error::io("getsockname", error));
            }
        };
        let key = self.servers.insert(|key| ServerEntry {
            generation: key.generation,
            listener: None,
            acceptor: Some(acceptor),
            address: Some(address.into()),
            options,
            connections: 0,
            unref: false,
            in_ready: false,
            starved: false,
            announce: true,
            error: None,
            in_notes: false,
            close_noted: false,
        });
        self.watch(key, listener, address)?;
        log::debug!("server {key:?}: listening on {address}");
        self.note_server(key);
        Ok(Server::new(self, key))
    }

    fn bind(&mut self, options: &ListenOptions) -> Result<Listener> {
        let mut bind_to = |address: SocketAddr| {
            self.sys
                .listen(
                    address,
                    options.backlog,
                    options.reuse_port,
                    options.ipv6_only,
                )
                .map_err(|error| Error::io("listen", error).with_address(address))
        };
        match options.resolve()? {
            Bind::At(address) => bind_to(address),
            Bind::AnyHost(port) => bind_to((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| {
                // A machine without IPv6 refuses the socket or the address; a port that is taken
                // is taken, and asking for IPv4 alone could bind beside its owner.
                match error.errno() {
                    Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL | libc::EINVAL)
                        if !options.ipv6_only =>
                    {
                        bind_to((Ipv4Addr::UNSPECIFIED, port).into())
                    }
                    _ => Err(error),
                }
            }),
        }
    }

    /// Lets the poller report the listener; on failure nothing of the server is left.
    fn watch(&mut self, key: Key, mut listener: Listener, address: SocketAddr) -> Result<()> {
        let token = Target::Server(key).to_token();
        match self.sys.register_listener(&mut listener, token) {
            Ok(()) => {
                if let Some(server) = self.servers.get_mut(key) {
                    server.listener = Some(listener);
                }
                self.alive += 1;
                Ok(())
            }
            Err(error) => {
                self.sys.close_listener(listener);
                self.servers.remove(key);
                Err(Error::io("listen", error).with_address(address))
            }
        }
    }

    /// Takes one peer from a server's backlog.
    pub(crate) fn accept(&mut self, key: Key) -> Accepted {
        let Some(server) = self.servers.get_mut(key) else {
            return Accepted::Drained;
        };
        let Some(listener) = &mut server.listener else {
            return Accepted::Drained;
        };
        match self.sys.accept(listener) {
            Ok((stream, peer)) => self.admit(key, stream, peer),
            Err(error) => match trouble(&error) {
                Trouble::None => {
                    server.starved = false; // the episode ends when nobody waits any more
                    Accepted::Drained
                }
                Trouble::ThisOne => {
                    log::debug!("server {key:?}: a connection was lost before accept: {error}");
                    Accepted::Lost
                }
                Trouble::Starved => self.starve(key, error),
                Trouble::Broken => {
                    server.error = Some(Error::io("accept", error));
                    self.note_server(key);
                    Accepted::Drained
                }
            },
        }
    }

    /// Makes a socket of an accepted connection, or turns it away.
    fn admit(&mut self, key: Key, stream: Stream, peer: SocketAddr) -> Accepted {
        let Some(server) = self.servers.get_mut(key) else {
            self.sys.discard(stream);
            return Accepted::Drained;
        };
        if server.is_full() {
            if self.log_limit.allows(Kind::MaxConnections, self.now) {
                log::warn!("server {key:?}: max_connections reached, {peer} is turned away");
            }
            let local = self.sys.local_address(&stream).ok().map(Address::from);
            self.sys.discard(stream);
            self.counters.dropped += 1;
            return Accepted::Dropped(Dropped {
                local,
                remote: peer.into(),
            });
        }
        server.connections += 1;
        self.counters.accepted += 1;
        let socket = self.insert_accepted(key, stream, peer);
        match self.start_accepted(socket) {
            Ok(()) => Accepted::Socket(socket),
            Err(error) => {
                self.refuse_accepted(key, socket, error);
                Accepted::Lost
            }
        }
    }

    fn insert_accepted(&mut self, server_key: Key, stream: Stream, peer: SocketAddr) -> Key {
        let Net {
            sockets, servers, ..
        } = self;
        let options = match servers.get(server_key) {
            Some(server) => server.options.socket.clone(),
            None => Default::default(),
        };
        let interest = if options.pause_on_connect {
            Interest::Parked
        } else {
            Interest::Read
        };
        let latch = Latch::accepted(interest, options.pause_on_connect);
        let key = sockets.insert(|key| {
            let mut entry = SocketEntry::new(key, Lifecycle::Open, latch, &options);
            entry.stream = Some(stream);
            entry.server = server_key;
            entry.set_peer(peer);
            entry
        });
        self.recount(key);
        key
    }

    /// Applies the server's options and lets the poller report the socket. An option that can't be
    /// set is no reason to turn a peer away (A14); a socket that can't be watched is (A15).
    fn start_accepted(&mut self, key: Key) -> io::Result<()> {
        let Some(entry) = self.sockets.get_mut(key) else {
            return Ok(());
        };
        let server = self.servers.get(entry.server);
        let Some(stream) = &mut entry.stream else {
            return Ok(());
        };
        if let Some(options) = server.map(|server| &server.options.socket) {
            if options.no_delay && self.sys.set_no_delay(stream, true).is_ok() {
                entry.flags.insert(Flags::NO_DELAY);
            }
            if options.keep_alive {
                let delay = super::socket::keep_alive_secs(options.keep_alive_initial_delay);
                if let Err(error) = self.sys.set_keep_alive(stream, true, delay) {
                    log::debug!("socket {key:?}: keep-alive: {error}");
                }
            }
        }
        let token = Target::Socket(key).to_token();
        self.sys.register(stream, token, entry.latch.interest())
    }

    /// Takes back a socket that was never announced, and tells its server why.
    fn refuse_accepted(&mut self, server_key: Key, key: Key, error: io::Error) {
        self.uncount(key);
        if let Some(mut entry) = self.sockets.remove(key)
            && let Some(stream) = entry.stream.take()
        {
            self.sys.discard(stream);
        }
        self.leave_server(server_key);
        if self.log_limit.allows(Kind::Accept, self.now) {
            log::warn!("server {server_key:?}: an accepted socket can't be watched: {error}");
        }
        if let Some(server) = self.servers.get_mut(server_key) {
            server.error = Some(Error::io("accept", error));
            self.note_server(server_key);
        }
    }

    /// No descriptor for the next peer: it waits, or it is taken with the spare one and closed.
    fn starve(&mut self, key: Key, error: io::Error) -> Accepted {
        if self.log_limit.allows(Kind::Accept, self.now) {
            log::warn!("server {key:?}: accept: {error}");
        }
        let Some(server) = self.servers.get_mut(key) else {
            return Accepted::Drained;
        };
        if !server.starved {
            // One event for the whole episode.
            server.starved = true;
            server.error = Some(Error::io("accept", error));
            self.counters.starved += 1;
            self.note_server(key);
        }
        let Some(server) = self.servers.get_mut(key) else {
            return Accepted::Drained;
        };
        if server.options.out_of_descriptors == OutOfDescriptors::Shed
            && let Some(listener) = &mut server.listener
            && let Ok(true) = self.sys.shed(listener)
        {
            self.counters.shed += 1;
            return Accepted::Lost;
        }
        if !self.starved.contains(&key) {
            self.starved.push_back(key);
        }
        self.retry_accepts_at
            .get_or_insert(self.now.saturating_add(RETRY_NANOS));
        Accepted::Drained
    }

    /// Lets the servers that wait for a descriptor try again: one came free, or it is time.
    pub(crate) fn retry_accepts(&mut self) {
        self.retry_accepts_at = None;
        while let Some(key) = self.starved.pop_front() {
            self.mark_server_ready(key);
        }
    }

    /// A connection of the server is gone; the last one of a closed server closes it.
    pub(crate) fn leave_server(&mut self, key: Key) {
        if let Some(server) = self.servers.get_mut(key) {
            server.connections -= 1;
            self.close_server_if_done(key);
        }
    }

    /// `close()`: no more connections from now on; false if the server was closed already.
    pub(crate) fn close_server(&mut self, key: Key) -> bool {
        let Some(server) = self.servers.get_mut(key) else {
            return false;
        };
        let Some(listener) = server.listener.take() else {
            return false;
        };
        log::debug!(
            "server {key:?}: closed, {} connections left",
            server.connections
        );
        server.address = None;
        server.announce = false;
        if !server.unref {
            self.alive -= 1;
        }
        self.sys.close_listener(listener);
        self.close_server_if_done(key);
        self.retry_accepts();
        true
    }

    fn close_server_if_done(&mut self, key: Key) {
        if let Some(server) = self.servers.get_mut(key)
            && server.listener.is_none()
            && server.connections == 0
            && !server.close_noted
        {
            server.close_noted = true;
            self.closing.push_back(Target::Server(key));
        }
    }

    /// `ref()` and `unref()`.
    pub(crate) fn set_server_unref(&mut self, key: Key, unref: bool) {
        let Some(server) = self.servers.get_mut(key) else {
            return;
        };
        if server.is_listening() && server.unref != unref {
            if unref {
                self.alive -= 1;
            } else {
                self.alive += 1;
            }
        }
        server.unref = unref;
    }

    pub(crate) fn mark_server_ready(&mut self, key: Key) {
        if let Some(server) = self.servers.get_mut(key)
            && server.is_listening()
            && !server.in_ready
        {
            server.in_ready = true;
            self.ready.push_back(Target::Server(key));
        }
    }

    /// Notes that something is to be told to a server.
    pub(crate) fn note_server(&mut self, key: Key) {
        if let Some(server) = self.servers.get_mut(key)
            && !server.in_notes
        {
            server.in_notes = true;
            self.notes.push_back(Target::Server(key));
        }
    }

    /// Takes the next thing to tell a server; `None` when that was all.
    pub(crate) fn next_server_note(&mut self, key: Key) -> Option<ServerNote> {
        let server = self.servers.get_mut(key)?;
        if std::mem::take(&mut server.announce) {
            return Some(ServerNote::Listening);
        }
        server.error.take().map(ServerNote::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler_fn;
    use crate::net::Limits;
    use crate::reactor::Reactor;
    use crate::sys::Readiness;
    use crate::sys::script::{Accept, Call, Kind, Script};
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    /// The descriptor of the first listener, and of the first socket it accepts.
    const LISTENER: u32 = 3;
    const ACCEPTED: u32 = 4;

    /// Logs what it is told, and at `connection` what the kernel was asked before.
    struct Recorder {
        script: Script,
        log: Rc<RefCell<Vec<String>>>,
    }

    impl Acceptor for Recorder {
        fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler> {
            let asked = self.script.take_calls();
            let set = asked
                .iter()
                .filter(|call| matches!(call, Call::SetNoDelay(..) | Call::SetKeepAlive(..)));
            let set: Vec<_> = set.collect();
            let port = socket.remote_port().unwrap();
            self.log
                .borrow_mut()
                .push(format!("connection {port} {set:?}"));
            Box::new(handler_fn(|_, _| ()))
        }
        fn on_error(&mut self, server: &mut Server<'_>, error: &Error) {
            assert!(server.listening());
            self.log.borrow_mut().push(error.to_string());
        }
        fn on_close(&mut self, _: &mut Server<'_>) {
            self.log.borrow_mut().push("close".into());
        }
    }

    fn serving(script: &Script, options: ListenOptions) -> (Reactor, Rc<RefCell<Vec<String>>>) {
        let mut reactor = Reactor::on(script.sys(), Limits::default());
        let log = Rc::default();
        let acceptor = Recorder {
            script: script.clone(),
            log: Rc::clone(&log),
        };
        reactor.net().listen_with(options, acceptor).unwrap();
        (reactor, log)
    }

    fn peer(port: u16) -> Accept {
        Accept::Peer((Ipv4Addr::LOCALHOST, port).into())
    }

    /// A turn in which the backlog answers like this.
    fn accepts(script: &Script, reactor: &mut Reactor, answers: &[Accept]) {
        for answer in answers {
            script.on_accept(LISTENER, *answer);
        }
        script.ready(LISTENER, Readiness::READ);
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }

    #[test]
    fn r92_without_ipv6_a_server_without_a_host_listens_on_ipv4() {
        for errno in [libc::EAFNOSUPPORT, libc::EADDRNOTAVAIL, libc::EINVAL] {
            let script = Script::new();
            script.answer(Kind::Listen, Err(errno));
            let (_reactor, _) = serving(&script, 80.into());
            let asked = script.take_calls();
            let places: Vec<String> = (asked.iter())
                .filter_map(|call| match call {
                    Call::Listen { address, .. } => Some(address.to_string()),
                    _ => None,
                })
                .collect();
            assert_eq!(places, ["[::]:80", "0.0.0.0:80"], "{errno}");
        }
    }

    #[test]
    fn r92_a_port_that_is_taken_is_not_tried_again_on_ipv4() {
        for (errno, ipv6_only) in [
            (libc::EADDRINUSE, false),
            (libc::EACCES, false),
            (libc::EAFNOSUPPORT, true),
        ] {
            let script = Script::new();
            let mut reactor = Reactor::on(script.sys(), Limits::default());
            script.answer(Kind::Listen, Err(errno));
            let options = ListenOptions::from(80).ipv6_only(ipv6_only);
            let error = reactor
                .net()
                .listen(options, |_| handler_fn(|_, _| ()))
                .unwrap_err();
            assert_eq!(error.errno(), Some(errno));
            assert_eq!(error.syscall(), Some("listen"));
            assert_eq!(script.calls().len(), 1);
        }
    }

    #[test]
    fn r95_options_are_applied_before_connection_is_told() {
        let script = Script::new();
        let options = ListenOptions::from(80)
            .no_delay(true)
            .keep_alive(true)
            .keep_alive_initial_delay(Duration::from_secs(5));
        let (mut reactor, log) = serving(&script, options);
        accepts(&script, &mut reactor, &[peer(1)]);
        let set = [
            Call::SetNoDelay(ACCEPTED, true),
            Call::SetKeepAlive(ACCEPTED, true, Some(5)),
        ];
        assert_eq!(*log.borrow(), [format!("connection 1 {set:?}")]);
    }

    #[test]
    fn r95_an_option_that_cannot_be_set_turns_nobody_away() {
        let script = Script::new();
        let options = ListenOptions::from(80).no_delay(true);
        let (mut reactor, log) = serving(&script, options);
        script.answer(Kind::SetOption, Err(libc::EINVAL));
        accepts(&script, &mut reactor, &[peer(1)]);
        assert!(log.borrow()[0].starts_with("connection 1"), "{log:?}");
        assert_eq!(log.borrow().len(), 1);
    }

    #[test]
    fn r102_a_failed_accept_is_told_and_the_server_goes_on() {
        let script = Script::new();
        let (mut reactor, log) = serving(&script, 80.into());
        // Nothing is known of such an error, and trying on could spin: who stands behind it waits
        // for the next peer.
        let broken = Accept::Err(libc::EINVAL);
        accepts(&script, &mut reactor, &[peer(1), broken, peer(2)]);
        reactor.turn(Some(Duration::ZERO)).unwrap();
        accepts(&script, &mut reactor, &[peer(3)]);
        let told = [
            "connection 1 []",
            "accept EINVAL",
            "connection 2 []",
            "connection 3 []",
        ];
        assert_eq!(*log.borrow(), told);
    }

    #[test]
    fn r102_a_connection_lost_before_accept_is_no_error_of_the_server() {
        let script = Script::new();
        let (mut reactor, log) = serving(&script, 80.into());
        let lost = Accept::Err(libc::ECONNABORTED);
        accepts(&script, &mut reactor, &[lost, peer(1), lost, peer(2)]);
        assert_eq!(*log.borrow(), ["connection 1 []", "connection 2 []"]);
    }

    #[test]
    fn r102_a_socket_that_cannot_be_watched_is_closed_and_the_server_goes_on() {
        let script = Script::new();
        let (mut reactor, log) = serving(&script, 80.into());
        script.answer(Kind::Register, Err(libc::ENOSPC));
        accepts(&script, &mut reactor, &[peer(1), peer(2)]);
        assert_eq!(*log.borrow(), ["connection 2 []", "accept ENOSPC"]);
        assert_eq!(script.open_descriptors(), [LISTENER, ACCEPTED]);
    }
}
