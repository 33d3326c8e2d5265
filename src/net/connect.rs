//! Connecting to a literal address.
//!
//! Nothing happens inside the call: the attempt is noted, told, and only then begun, so that its
//! handler may still call it off (R6, R11).

use super::entry::{Connecting, Flags, SocketEntry};
use super::ids::{Key, Target};
use super::notes::Note;
use super::{Net, Socket};
use crate::connection::{Input, Latch, Lifecycle, Plan, Tell};
use crate::options::ConnectOptions;
use crate::sys::Interest;
use crate::{Address, Error, Handler, Result};
use std::io;

impl Net {
    /// Connects, and lets `handler` hear how it goes.
    ///
    /// `options` is a `SocketAddr`, a `(host, port)` with a literal host, a `"host:port"`, or
    /// [`ConnectOptions`]. The socket takes writes, `end`, `pause` and every setting at once; they
    /// are carried out when the connection stands.
    ///
    /// ```
    /// # fn main() -> netloop::Result<()> {
    /// use netloop::{Event, Reactor, handler_fn};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let mut server = reactor.net().listen("127.0.0.1:0", |socket| {
    ///     socket.end();
    ///     handler_fn(|_, _| ())
    /// })?;
    /// let address = server.address().unwrap();
    /// server.unref(); // only the client keeps the loop going
    ///
    /// reactor.net().connect(address, handler_fn(|socket, event| {
    ///     if let Event::Connect = event {
    ///         socket.end_with(b"hello\n");
    ///     }
    /// }))?;
    /// reactor.run()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// An address that is none. What the network says comes by
    /// [`on_error`](Handler::on_error), a missing descriptor included.
    ///
    /// Node: [`net.connect`](https://nodejs.org/api/net.html#netconnectoptions-connectlistener).
    #[doc(alias = "createConnection")]
    pub fn connect(
        &mut self,
        options: impl Into<ConnectOptions>,
        handler: impl Handler + 'static,
    ) -> Result<Socket<'_>> {
        self.connect_on(options.into(), Box::new(handler))
    }

    fn connect_on(
        &mut self,
        options: ConnectOptions,
        handler: Box<dyn Handler>,
    ) -> Result<Socket<'_>> {
        let address = options.resolve()?;
        let key = self.sockets.insert(|key| {
            let state = Lifecycle::Opening(Plan::Stay);
            let mut entry = SocketEntry::new(key, state, Latch::connecting(), &options.socket);
            entry.handler = Some(handler);
            entry.cold_mut().connect = Some(Connecting {
                address,
                options: options.socket.clone(),
            });
            entry
        });
        self.counters.connecting += 1;
        self.recount(key);
        if !options.timeout.is_zero() {
            self.set_idle_timeout(key, options.timeout);
        }
        self.note(key, Note::Attempt);
        Ok(Socket::new(self, key))
    }

    /// The address of a connect that has not begun.
    pub(crate) fn attempt(&self, key: Key) -> Option<Address> {
        let entry = self.sockets.get(key)?;
        if !entry.lifecycle.is_connecting() {
            return None;
        }
        let connecting = entry.cold.as_ref()?.connect.as_ref()?;
        Some(connecting.address.into())
    }

    /// Begins the attempt that was told.
    pub(crate) fn begin_connect(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if !entry.lifecycle.is_connecting() {
            return; // called off by the handler that was told of it
        }
        let Some(connecting) = entry.cold_mut().connect.take() else {
            return;
        };
        let address = connecting.address;
        entry.cold_mut().dialled = Some(address);
        if let Err(error) = self.dial(key, connecting) {
            self.fail(key, Error::io("connect", error).with_address(address));
        }
    }

    fn dial(&mut self, key: Key, connecting: Connecting) -> io::Result<()> {
        let mut stream = self.sys.connect(connecting.address)?;
        let token = Target::Socket(key).to_token();
        if let Err(error) = self.sys.register(&mut stream, token, Interest::ReadWrite) {
            self.sys.discard(stream);
            return Err(error);
        }
        let Some(entry) = self.sockets.get_mut(key) else {
            self.sys.close(stream);
            return Ok(());
        };
        let stream = entry.stream.insert(stream);
        let options = connecting.options;
        if options.no_delay && self.sys.set_no_delay(stream, true).is_ok() {
            entry.flags.insert(Flags::NO_DELAY);
        }
        if options.keep_alive {
            let delay = super::socket::keep_alive_secs(options.keep_alive_initial_delay);
            if let Err(error) = self.sys.set_keep_alive(stream, true, delay) {
                log::debug!("socket {key:?}: keep-alive: {error}");
            }
        }
        Ok(())
    }

    /// Asks how a connect went whose socket was reported ready. True if the connection stands from
    /// now on, and `connect` is to be told.
    pub(crate) fn finish_connect(&mut self, key: Key) -> bool {
        let Some(entry) = self.sockets.get_mut(key) else {
            return false;
        };
        if !entry.lifecycle.is_connecting() || !entry.latch.is_writable() {
            return false;
        }
        let Some(stream) = &mut entry.stream else {
            return false;
        };
        let dialled = entry.cold.as_ref().and_then(|cold| cold.dialled);
        match self.sys.finish_connect(stream) {
            Ok(true) => {
                // Told from now on (R61), even after the kernel has forgotten it.
                if let Some(address) = dialled {
                    entry.set_peer(address);
                }
                super::idle::touch(entry, key, self.tick, &mut self.idle);
                self.step(key, Input::Connected) == Tell::Connect
            }
            Ok(false) => {
                // Reported writable without being connected: the next edge tells (B3).
                entry.latch.blocked_write();
                false
            }
            Err(error) => {
                let error = Error::io("connect", error);
                let error = match dialled {
                    Some(address) => error.with_address(address),
                    None => error,
                };
                self.fail(key, error);
                false
            }
        }
    }
}
