//! Connecting to a literal address.
//!
//! Nothing happens inside the call: the attempt is noted, told, and only then begun, so that its
//! handler may still call it off (R6, R11).

use super::entry::{Connecting, Route, SocketEntry};

use super::ids::{Key, Target};
use super::notes::Note;
use super::{Net, Socket};
use crate::connection::{Input, Latch, Lifecycle, Plan, Tell};
use crate::options::ConnectOptions;
use crate::sys::Interest;
use crate::{Address, BlockList, Error, Handler, Result};
use std::io;
use std::net::IpAddr;

impl Net {
    /// Connects, and lets `handler` hear how it goes.
    ///
    /// `options` is a `SocketAddr`, a `(host, port)` with a literal host, a `"host:port"`, a `Path`
    /// (a local socket), or [`ConnectOptions`]. The socket takes writes, `end`, `pause` and every setting at once; they
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
        let to = options.resolve()?;
        let key = self.sockets.insert(|key| {
            let state = Lifecycle::Opening(Plan::Stay);
            let mut entry = SocketEntry::new(key, state, Latch::connecting(), &options.socket);
            entry.handler = Some(handler);
            let local = options.local;
            entry.cold_mut().connect = Some(Connecting {
                block_list: options.block_list,
                route: Route { to, local },
                bound: None,
                options: options.socket.clone(),
            });
            entry
        });
        self.counters.connects += 1;
        self.recount(key);
        if !options.timeout.is_zero() {
            self.set_idle_timeout(key, options.timeout);
        }
        self.note(key, Note::Attempt);
        Ok(Socket::new(self, key))
    }

    /// Makes ready for an attempt, and answers where it will go to. `None` if it was called off, or
    /// if the local address can't be had: then there is an error to tell, and no attempt (R13).
    pub(crate) fn attempt(&mut self, key: Key) -> Option<Address> {
        let entry = self.sockets.get_mut(key)?;
        if !entry.lifecycle.is_connecting() {
            return None;
        }
        let connecting = entry.connecting_mut()?;
        let to = connecting.route.to.clone();
        if let Some(local) = connecting.route.local.resolve(&to) {
            match self.sys.bind(local) {
                Ok(bound) => connecting.bound = Some(bound),
                Err(error) => {
                    self.fail(key, Error::io("bind", error).with_address(local));
                    return None;
                }
            }
        }
        Some(to)
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
        let route = connecting.route.clone();
        entry.cold_mut().dialled = Some(route.clone());
        if let Some(ip) = route.to.ip()
            && let Some(error) = self.blocked(ip, connecting.block_list.as_ref())
        {
            self.fail(key, error);
            return;
        }
        if let Err(error) = self.dial(key, connecting) {
            self.fail(key, route.refused(error));
        }
    }

    /// Why an attempt at `ip` must not be made, if the socket's block list names it. Asked where an
    /// attempt begins, and counted.
    fn blocked(&mut self, ip: IpAddr, list: Option<&BlockList>) -> Option<Error> {
        if !list?.check(ip) {
            return None;
        }
        self.counters.blocked += 1;
        Some(Error::ip_blocked(ip))
    }

    fn dial(&mut self, key: Key, connecting: Connecting) -> io::Result<()> {
        let Connecting {
            route,
            bound,
            options,
            ..
        } = connecting;
        let mut stream = self
            .sys
            .connect(&route.to, bound, options.type_of_service)?;
        let token = Target::Socket(key).to_token();
        if let Err(error) = self.sys.register(&mut stream, token, Interest::ReadWrite) {
            self.sys.discard(stream);
            return Err(error);
        }
        let Some(entry) = self.sockets.get_mut(key) else {
            self.sys.close(stream);
            return Ok(());
        };
        entry.stream = Some(stream);
        entry.apply(&options, &mut self.sys);
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
        let cold = entry.cold.as_ref();
        let dialled = cold.and_then(|cold| cold.dialled.clone());
        match self.sys.finish_connect(stream) {
            Ok(true) => {
                // Told from now on (R61), even after the kernel has forgotten it.
                if let Some(route) = dialled {
                    entry.set_peer(route.to);
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
                let error = match dialled {
                    Some(route) => route.refused(error),
                    None => Error::io("connect", error),
                };
                self.fail(key, error);
                false
            }
        }
    }
}

impl Route {
    /// The error of an attempt that went this way.
    fn refused(self, error: io::Error) -> Error {
        let error = Error::io("connect", error).with_address(self.to);
        match self.local.told() {
            Some(local) => error.with_local_address(local),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::net::{Limits, SocketId};
    use crate::reactor::Reactor;
    use crate::sys::script::{Call, Connect, Kind, Script};
    use crate::sys::{Interest, Readiness};
    use crate::{ConnectOptions, Event, handler_fn};
    use std::cell::RefCell;
    use std::net::SocketAddr;
    use std::rc::Rc;
    use std::time::Duration;

    const TO: &str = "127.0.0.1:80";

    type Log = Rc<RefCell<Vec<String>>>;

    /// A loop on a script, and a socket that is to connect and logs its events.
    fn connecting(script: &Script) -> (Reactor, SocketId, Log) {
        let mut reactor = Reactor::on(script.sys(), Limits::default());
        let log = Log::default();
        let lines = log.clone();
        let handler = handler_fn(move |_, event| {
            lines.borrow_mut().push(match event {
                Event::ConnectionAttempt(_) => "attempt".into(),
                Event::Error(error) => error.to_string(),
                event => format!("{event:?}"),
            });
        });
        let options = ConnectOptions::from(TO).no_delay(true);
        let id = reactor.net().connect(options, handler).unwrap().id();
        (reactor, id, log)
    }

    fn turn(reactor: &mut Reactor) {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }

    #[test]
    fn r12_a_connect_that_fails_in_the_call_is_told_as_one_that_fails_later() {
        for later in [false, true] {
            let script = Script::new();
            let (mut reactor, _, log) = connecting(&script);
            if later {
                script.on_finish_connect(3, Connect::Err(libc::ECONNREFUSED));
            } else {
                script.answer(Kind::Connect, Err(libc::ECONNREFUSED));
            }
            turn(&mut reactor);
            if later {
                script.ready(3, Readiness::WRITE.with(Readiness::ERROR));
                turn(&mut reactor);
            }
            turn(&mut reactor);
            let told = [
                "attempt",
                "connect ECONNREFUSED 127.0.0.1:80",
                "Close { had_error: true }",
            ];
            assert_eq!(*log.borrow(), told);
            assert_eq!(script.open_descriptors(), [0; 0]);
        }
    }

    #[test]
    fn r12_a_socket_that_cannot_be_watched_fails_to_connect_and_is_closed() {
        let script = Script::new();
        let (mut reactor, _, log) = connecting(&script);
        script.answer(Kind::Register, Err(libc::ENOSPC));
        turn(&mut reactor);
        turn(&mut reactor);
        assert_eq!(log.borrow()[1], "connect ENOSPC 127.0.0.1:80");
        assert_eq!(log.borrow().len(), 3);
        assert_eq!(script.open_descriptors(), [0; 0]);
    }

    #[test]
    fn r13_a_socket_called_off_in_its_attempt_gives_back_what_was_bound_for_it() {
        let script = Script::new();
        let mut reactor = Reactor::on(script.sys(), Limits::default());
        let handler = handler_fn(|socket, event| {
            if let Event::ConnectionAttempt(_) = event {
                socket.destroy();
            }
        });
        let options = ConnectOptions::from(TO).local_port(5000);
        reactor.net().connect(options, handler).unwrap();
        turn(&mut reactor);
        turn(&mut reactor);
        let any_ip = SocketAddr::from(([0, 0, 0, 0], 5000));
        assert_eq!(
            script.take_calls()[1..3],
            [Call::Bind(any_ip), Call::Close(3)]
        );
        assert_eq!(script.open_descriptors(), [0; 0]);
    }

    #[test]
    fn r12_a_refused_attempt_gives_back_what_was_bound_for_it_and_tells_from_where() {
        let script = Script::new();
        let mut reactor = Reactor::on(script.sys(), Limits::default());
        let log = Log::default();
        let lines = log.clone();
        let handler = handler_fn(move |_, event| {
            if let Event::Error(error) = event {
                lines.borrow_mut().push(error.to_string());
            }
        });
        let options = ConnectOptions::from(TO)
            .local_address([127, 0, 0, 2])
            .local_port(5000);
        reactor.net().connect(options, handler).unwrap();
        script.answer(Kind::Connect, Err(libc::EADDRNOTAVAIL));
        turn(&mut reactor);
        let told = "connect EADDRNOTAVAIL 127.0.0.1:80 - Local (127.0.0.2:5000)";
        assert_eq!(*log.borrow(), [told]);
        assert_eq!(script.open_descriptors(), [0; 0]);
    }

    #[test]
    fn r5_a_socket_reported_writable_without_a_peer_goes_on_connecting() {
        let script = Script::new();
        let (mut reactor, id, log) = connecting(&script);
        turn(&mut reactor);
        script.on_finish_connect(3, Connect::UnderWay);
        script.on_finish_connect(3, Connect::Connected);
        script.ready(3, Readiness::WRITE);
        turn(&mut reactor);
        assert!(reactor.net().socket(id).unwrap().connecting());
        assert_eq!(*log.borrow(), ["attempt"]);
        script.ready(3, Readiness::WRITE);
        turn(&mut reactor);
        assert_eq!(*log.borrow(), ["attempt", "Connect", "Ready"]);
    }

    #[test]
    fn r14_what_was_set_before_the_attempt_is_applied_once_and_only_what_held_in_the_end() {
        let script = Script::new();
        let (mut reactor, id, _) = connecting(&script);
        let mut socket = reactor.net().socket(id).unwrap();
        socket.set_no_delay(false);
        socket.set_no_delay(true);
        socket.set_keep_alive(true, Duration::from_secs(9));
        socket.set_keep_alive(true, Duration::from_millis(7_900));
        assert_eq!(*script.calls(), [], "there is no descriptor yet");
        turn(&mut reactor);
        script.ready(3, Readiness::WRITE);
        turn(&mut reactor);
        let settings = script.take_calls();
        let settings: Vec<&Call> = (settings.iter())
            .filter(|call| matches!(call, Call::SetNoDelay(..) | Call::SetKeepAlive(..)))
            .collect();
        let held = [
            Call::SetNoDelay(3, true),
            Call::SetKeepAlive(3, true, Some(7)),
        ];
        assert_eq!(settings, held.iter().collect::<Vec<_>>());

        // From now on only a change is worth a call.
        let mut socket = reactor.net().socket(id).unwrap();
        socket.set_no_delay(true);
        assert_eq!(*script.calls(), []);
        let mut socket = reactor.net().socket(id).unwrap();
        socket.set_no_delay(false);
        assert_eq!(*script.calls(), [Call::SetNoDelay(3, false)]);
    }

    #[test]
    fn r14_an_option_taken_back_before_the_attempt_is_never_asked_for() {
        let script = Script::new();
        let (mut reactor, id, _) = connecting(&script);
        let mut socket = reactor.net().socket(id).unwrap();
        socket.set_no_delay(false);
        socket.set_keep_alive(true, Duration::ZERO);
        socket.set_keep_alive(false, Duration::ZERO);
        turn(&mut reactor);
        let to: SocketAddr = TO.parse().unwrap();
        assert_eq!(
            script.take_calls()[1..], // after the poll
            [Call::connect(to), Call::Register(3, Interest::ReadWrite)]
        );
    }
}
