//! Servers: binding, closing, and what is to be told to them.

use super::ids::{Key, Target};
use super::server_entry::ServerEntry;
use super::{Net, Server};
use crate::handler::{AcceptFn, BoxedAcceptor};
use crate::options::{Bind, ListenOptions, OutOfDescriptors};
use crate::sys::Listener;
use crate::{Acceptor, Address, Error, Handler, Result, Socket};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// What is told to a server outside of any call.
pub(crate) enum ServerNote {
    /// To the resolver, rather: it is to be asked for the host.
    Resolve,
    Listening,
    Error(Error),
}

impl Net {
    /// Listens, and calls `accept` with each new socket; what it answers becomes the socket's
    /// handler.
    ///
    /// `options` is a port (no host: `::`, which takes IPv4 too, or `0.0.0.0` without IPv6), a
    /// `(host, port)`, a `SocketAddr`, a `"host:port"`, a `Path` (a local socket), an `OwnedFd`, or
    /// [`ListenOptions`]. Port 0 lets the system choose; [`Server::address`] says what it chose.
    ///
    /// A host that is no IP address is looked up first, and the server does not listen before
    /// [`on_listening`](Acceptor::on_listening): it is bound to the first address that is not
    /// link-local. If that fails, [`on_error`](Acceptor::on_error) says why, and
    /// [`on_close`](Acceptor::on_close) follows.
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
    /// What is known at once: a bad address or port, `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, what a
    /// file system says of a path, no descriptor, `ECANCELED` during a [`shutdown`](Net::shutdown).
    /// Nothing is left behind, and the reactor stays usable.
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
        self.check_not_leaving("listen")?;
        let bind = options.resolve()?;
        let key = self
            .servers
            .insert(|key| ServerEntry::new(key, options, acceptor));
        match bind {
            Bind::Named(host, port) => self.open_later(key, host, port),
            bind => {
                if let Err(error) = self.open(key, &bind) {
                    self.servers.remove(key);
                    return Err(error);
                }
            }
        }
        self.alive += 1;
        self.note_server(key);
        Ok(Server::new(self, key))
    }

    /// Binds and listens. On failure nothing of it is left, and the server is as it was before.
    pub(super) fn open(&mut self, key: Key, bind: &Bind) -> Result<()> {
        let Some(server) = self.servers.get(key) else {
            return Ok(());
        };
        let holds_spare = server.options.out_of_descriptors == OutOfDescriptors::Shed;
        let listener = self.bind(key, bind)?;
        if holds_spare && let Err(error) = self.sys.hold_spare() {
            self.sys.close_listener(listener);
            return Err(Error::io("open", error));
        }
        let address = match self.sys.listener_address(&listener) {
            Ok(address) => address,
            Err(error) => {
                self.sys.close_listener(listener);
                return Err(Error::io("getsockname", error));
            }
        };
        self.watch(key, listener, &address)?;
        log::debug!("server {key:?}: listening on {address}");
        if let Some(server) = self.servers.get_mut(key) {
            server.address = Some(address);
            server.announce = true;
        }
        Ok(())
    }

    fn bind(&mut self, key: Key, bind: &Bind) -> Result<Listener> {
        let Some(server) = self.servers.get(key) else {
            return Err(Error::server_not_running());
        };
        let options = &server.options;
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
        match bind {
            Bind::At(address) => bind_to(*address),
            Bind::Local(name) => self
                .sys
                .listen_local(name, options.backlog, options.mode)
                .map_err(|error| Error::io("listen", error).with_address(name.clone())),
            Bind::Given(descriptor) => match descriptor.take() {
                Some(descriptor) => self
                    .sys
                    .adopt_listener(descriptor, options.backlog)
                    .map_err(|error| Error::io("listen", error)),
                None => Err(Error::invalid_argument(
                    "The descriptor of these options was given to another server.",
                )),
            },
            Bind::Named(_, port) | Bind::AnyHost(port) => {
                let any = bind_to((Ipv6Addr::UNSPECIFIED, *port).into());
                any.or_else(|error| {
                    // A machine without IPv6 refuses the socket or the address; a port that is
                    // taken is taken, and asking for IPv4 alone could bind beside its owner.
                    match error.errno() {
                        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL | libc::EINVAL)
                            if !options.ipv6_only =>
                        {
                            bind_to((Ipv4Addr::UNSPECIFIED, *port).into())
                        }
                        _ => Err(error),
                    }
                })
            }
        }
    }

    /// Lets the poller report the listener.
    fn watch(&mut self, key: Key, mut listener: Listener, address: &Address) -> Result<()> {
        let token = Target::Server(key).to_token();
        match self.sys.register_listener(&mut listener, token) {
            Ok(()) => {
                if let Some(server) = self.servers.get_mut(key) {
                    server.listener = Some(listener);
                }
                Ok(())
            }
            Err(error) => {
                self.sys.close_listener(listener);
                Err(Error::io("listen", error).with_address(address.clone()))
            }
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
        if !server.keeps_alive() {
            return false;
        }
        let (listener, opening) = (server.listener.take(), server.opening.take());
        log::debug!(
            "server {key:?}: closed, {} connections left",
            server.connections
        );
        server.address = None;
        server.announce = false;
        if !server.unref {
            self.alive -= 1;
        }
        if let Some(lookup) = opening.and_then(|opening| opening.lookup) {
            self.drop_lookup(lookup);
        }
        if let Some(listener) = listener {
            self.sys.close_listener(listener);
            self.retry_accepts(); // a descriptor came free
        }
        self.close_server_if_done(key);
        true
    }

    pub(super) fn close_server_if_done(&mut self, key: Key) {
        if let Some(server) = self.servers.get_mut(key)
            && !server.keeps_alive()
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
        if server.keeps_alive() && server.unref != unref {
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
            self.ready.push(Target::Server(key));
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
        if let Some(opening) = &mut server.opening
            && !std::mem::replace(&mut opening.asked, true)
        {
            return Some(ServerNote::Resolve);
        }
        if std::mem::take(&mut server.announce) {
            return Some(ServerNote::Listening);
        }
        server.error.take().map(ServerNote::Error)
    }
}
