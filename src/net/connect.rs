//! Connecting: to an address, or to one of those that a host has.
//!
//! Nothing happens inside the call: it is noted, and `reactor::tell` then takes one [`Step`] after
//! the other, so that whoever is told of one may still call the next one off (R6, R11, R83). Which
//! address is tried when is decided in `connect/race.rs`. A single address is tried with the
//! socket's own descriptor; several have one each, in `attempts.rs`.

use super::connecting::Connecting;
use super::entry::SocketEntry;
use super::ids::{Key, Target};
use super::lookup::Asking;
use super::notes::Note;
use super::{Net, Socket, idle};
use crate::connect::{Action, RaceInput};
use crate::connection::{Input, Latch, Lifecycle, Plan, Tell};
use crate::options::{ConnectOptions, Place};
use crate::resolver::{Answer, Question};
use crate::sys::{Interest, Stream};
use crate::{Address, Error, Handler, Result};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

/// What is next on the way to a connection, for the loop to tell or to have done.
pub(crate) enum Step {
    /// Ask the resolver for the host's addresses.
    Resolve,
    /// Tell what it has answered for this host.
    Lookup(Arc<str>, Result<IpAddr>),
    /// Tell that this attempt begins, then begin it.
    Attempt(usize, Address),
    /// Tell that an attempt failed.
    Failed(Address, Error),
    /// Tell that this attempt took too long, then give it up.
    TimedOut(usize, Address),
    /// The connection stands: tell so.
    Connected,
}

impl Net {
    /// Connects, and lets `handler` hear how it goes.
    ///
    /// `options` is a `(host, port)`, a `"host:port"`, a port on `localhost`, a `SocketAddr`, a `Path`
    /// (a local socket), or [`ConnectOptions`]. A host that is no IP address is looked up, and its
    /// addresses are tried one after the other until one of them answers. The socket takes writes,
    /// `end`, `pause` and every setting at once; they are carried out when the connection stands.
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
    /// let port = server.address().unwrap().port().unwrap();
    /// server.unref(); // only the client keeps the loop going
    ///
    /// reactor.net().connect(("localhost", port), handler_fn(|socket, event| {
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
    /// What can be neither an address nor a name, options that mean nothing, and `ECANCELED` during a
    /// [`shutdown`](Net::shutdown). What the network or a resolver says comes by
    /// [`on_error`](Handler::on_error), a missing descriptor included: if several addresses were
    /// tried in vain, one error for all of them, which [`Error::errors`] takes apart.
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
        mut options: ConnectOptions,
        handler: Box<dyn Handler>,
    ) -> Result<Socket<'_>> {
        self.check_not_leaving("connect")?;
        let place = options.resolve()?;
        let (local, socket) = (options.local, options.socket.clone());
        let mut connecting = match place {
            Place::At(address) => Connecting::to(address, socket, local),
            Place::Named(name, port) => {
                let question = Question {
                    host: name,
                    family: options.names.family,
                    // R76: a race needs all addresses of any family, and a free choice of ours.
                    all: options.names.family.is_none()
                        && !local.has_address()
                        && (options.names.auto_select_family)
                            .unwrap_or(self.names_default.auto_select_family),
                };
                let host = self.host(question, port, &options.names);
                Connecting::to_host(host, socket, local)
            }
        };
        connecting.block_list = options.block_list;
        let key = self.sockets.insert(|key| {
            let state = Lifecycle::Opening(Plan::Stay);
            let mut entry = SocketEntry::new(key, state, Latch::connecting(), &options.socket);
            entry.handler = Some(handler);
            entry.cold_mut().connect = Some(connecting);
            entry
        });
        self.counters.connects += 1;
        self.recount(key);
        if !options.timeout.is_zero() {
            self.set_idle_timeout(key, options.timeout);
        }
        if !options.connect_timeout.is_zero() {
            let deadline = self.set_alarm(options.connect_timeout, move |net| {
                net.give_connect_up(key);
            });
            if let Some(connecting) = self.connecting_mut(key) {
                connecting.deadline = Some(deadline);
            }
        }
        self.note(key, Note::Connect);
        Ok(Socket::new(self, key))
    }

    /// What the loop has to do next about a socket that is connecting; what takes no handler is
    /// done in here.
    pub(crate) fn next_step(&mut self, key: Key) -> Option<Step> {
        loop {
            let goes_on = self.sockets.get(key)?.lifecycle.is_connecting();
            if !goes_on && !planted!(LookupAfterDestroy) {
                return None; // called off by whoever was told of the last step
            }
            let connecting = self.connecting_mut(key)?;
            if let Some(host) = &mut connecting.host
                && !host.asked
            {
                host.asked = true;
                return Some(Step::Resolve);
            }
            if let Some(host) = &connecting.host {
                let name = Arc::clone(&host.question.host);
                if let Some(ip) = connecting.answers.pop_front() {
                    return Some(Step::Lookup(name, Ok(ip)));
                }
                if let Some(error) = connecting.no_answer.take() {
                    connecting.failed = Some(error.clone());
                    return Some(Step::Lookup(name, Err(error)));
                }
                if let Some(error) = connecting.failed.take() {
                    self.fail(key, error);
                    return None;
                }
            }
            let action = connecting.race.as_mut()?.poll_action()?;
            if let Some(step) = self.act(key, action) {
                return Some(step);
            }
        }
    }

    /// Carries an action of the race out, as far as it takes no handler.
    fn act(&mut self, key: Key, action: Action) -> Option<Step> {
        match action {
            Action::Attempt(place) => {
                let connecting = self.connecting_mut(key)?;
                let address = connecting.addresses.get(place)?.clone();
                let is_race = connecting.is_race();
                // One of several that is blocked is a failed attempt (R84), bound first as in Node.
                let begins = self.bind_attempt(key, place, &address)
                    && !(is_race && self.is_blocked(key, place, &address));
                begins.then_some(Step::Attempt(place, address))
            }
            Action::TellFailed(place) => {
                let connecting = self.connecting_mut(key)?;
                let mut errors = connecting.errors.iter();
                let (_, error) = errors.find(|(of, _)| *of == place)?;
                // A local address that can't be had is no attempt (R13).
                let told = error.syscall() != Some("bind");
                let error = error.clone();
                let address = connecting.addresses.get(place)?.clone();
                told.then_some(Step::Failed(address, error))
            }
            Action::TimeOut(place) => {
                let address = self.connecting_mut(key)?.addresses.get(place)?.clone();
                Some(Step::TimedOut(place, address))
            }
            Action::Abandon(place) => {
                self.abandon(key, place);
                None
            }
            Action::SetTimer => {
                let delay = self.connecting_mut(key)?.host.as_ref()?.attempt_delay;
                let timer = self.set_alarm(delay, move |net| {
                    net.race_on(key, RaceInput::TimerFired);
                });
                self.connecting_mut(key)?.attempt_timer = Some(timer);
                None
            }
            Action::CancelTimer => {
                let timer = self.connecting_mut(key)?.attempt_timer.take()?;
                self.clear_timer(timer);
                None
            }
            Action::Won(place) => self.win(key, place).then_some(Step::Connected),
            Action::Lost => {
                let errors = std::mem::take(&mut self.connecting_mut(key)?.errors);
                let errors = errors.into_iter().map(|(_, error)| error).collect();
                self.fail(key, Error::aggregate(errors));
                None
            }
        }
    }

    /// Makes what the resolver is to be asked, and the promise of its answer.
    pub(crate) fn ask_for_socket(&mut self, key: Key) -> Option<Asking> {
        let host = self.connecting_mut(key)?.host.as_ref()?;
        let question = host.question.clone();
        let resolver = host.resolver.clone();
        let resolver = resolver.unwrap_or_else(|| self.resolver());
        match self.begin_lookup(Target::Socket(key), question, resolver) {
            Ok(asking) => {
                self.connecting_mut(key)?.host.as_mut()?.lookup = Some(asking.lookup);
                Some(asking)
            }
            Err(error) => {
                self.socket_answered(key, Err(error));
                None
            }
        }
    }

    /// The answer of the resolver is there, and the socket too.
    pub(super) fn socket_answered(&mut self, key: Key, answer: Answer) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        idle::touch(entry, key, self.tick, &mut self.idle); // R69
        if let Some(connecting) = self.connecting_mut(key) {
            connecting.take_answer(answer);
            self.note(key, Note::Connect);
        }
    }

    /// Binds what the attempt to `address` is to come from; false if that failed, and there is no
    /// attempt.
    fn bind_attempt(&mut self, key: Key, place: usize, address: &Address) -> bool {
        let Some(connecting) = self.connecting_mut(key) else {
            return false;
        };
        let Some(local) = connecting.local.resolve(address) else {
            return true;
        };
        match self.sys.bind(local) {
            Ok(bound) => {
                if let Some(connecting) = self.connecting_mut(key) {
                    connecting.bound = Some(bound);
                }
                true
            }
            Err(error) => {
                let error = Error::io("bind", error).with_address(local);
                if let Some(connecting) = self.connecting_mut(key) {
                    connecting.errors.push((place, error));
                }
                self.race_on(key, RaceInput::Failed(place));
                false
            }
        }
    }

    /// Whether the socket's block list names `address`, which is an error then, and counted (R16).
    fn is_blocked(&mut self, key: Key, place: usize, address: &Address) -> bool {
        let Some(connecting) = self.connecting_mut(key) else {
            return false;
        };
        let (Some(ip), Some(list)) = (address.ip(), &connecting.block_list) else {
            return false;
        };
        if !list.check(ip) {
            return false;
        }
        let error = Error::ip_blocked(ip);
        if connecting.is_race() {
            connecting.errors.push((place, error));
            if let Some(bound) = connecting.bound.take() {
                self.sys.discard(bound);
            }
            self.race_on(key, RaceInput::Failed(place));
        } else {
            self.fail(key, error);
        }
        self.counters.blocked += 1;
        true
    }

    /// Begins the attempt that was told.
    pub(crate) fn begin(&mut self, key: Key, place: usize) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if !entry.lifecycle.is_connecting() {
            return; // called off by the handler that was told of it
        }
        let Some(connecting) = self.connecting_mut(key) else {
            return;
        };
        let Some(address) = connecting.addresses.get(place).cloned() else {
            return;
        };
        let is_race = connecting.is_race();
        if !is_race && self.is_blocked(key, place, &address) {
            return;
        }
        let Some(connecting) = self.connecting_mut(key) else {
            return;
        };
        let type_of_service = connecting.options.type_of_service;
        let bound = connecting.bound.take();
        if is_race && let Some(entry) = self.sockets.get_mut(key) {
            entry.cold_mut().attempted.push(address.clone());
        }
        match self.sys.connect(&address, bound, type_of_service) {
            Err(error) => self.attempt_failed(key, place, error),
            Ok(stream) if is_race => self.begin_attempt(key, place, stream),
            Ok(stream) => {
                if let Err(error) = self.watch_only_attempt(key, stream) {
                    self.attempt_failed(key, place, error);
                }
            }
        }
    }

    /// Gives the socket the descriptor of its only attempt.
    fn watch_only_attempt(&mut self, key: Key, mut stream: Stream) -> io::Result<()> {
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
        if let Some(options) = entry.connecting().map(|it| it.options.clone()) {
            entry.apply(&options, &mut self.sys);
        }
        Ok(())
    }

    /// Asks how the only attempt of a socket went that was reported ready. True if the connection
    /// stands from now on, and `connect` is to be told.
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
        match self.sys.finish_connect(stream) {
            Ok(true) => {
                idle::touch(entry, key, self.tick, &mut self.idle);
                self.stands(key, 0)
            }
            Ok(false) => {
                // Reported writable without being connected: the next edge tells (B3).
                entry.latch.blocked_write();
                false
            }
            Err(error) => {
                if let Some(stream) = entry.stream.take() {
                    self.sys.close(stream);
                    self.retry_accepts(); // a descriptor came free
                }
                self.attempt_failed(key, 0, error);
                false
            }
        }
    }

    /// One of several attempts has won. True if `connect` is to be told.
    fn win(&mut self, key: Key, place: usize) -> bool {
        if let Err(error) = self.take_winner(key, place) {
            if let Some(connecting) = self.connecting_mut(key) {
                let error = connecting.refused(place, Error::io("connect", error));
                self.fail(key, error);
            }
            return false;
        }
        let connected = self.stands(key, place);
        // What came meanwhile was latched under another token.
        self.mark_ready(key);
        connected
    }

    /// The connection to the address at `place` stands. True if `connect` is to be told.
    fn stands(&mut self, key: Key, place: usize) -> bool {
        let addresses = self.connecting_mut(key).map(|it| &mut it.addresses);
        let address = addresses.and_then(|it| it.get(place).cloned());
        if let Some(address) = address
            && let Some(entry) = self.sockets.get_mut(key)
        {
            entry.set_peer(address); // told from now on (R61), even after the kernel has forgotten it
        }
        self.stop_connecting(key);
        self.step(key, Input::Connected) == Tell::Connect
    }

    /// Tells the race what happened, and has told what comes of it.
    pub(super) fn race_on(&mut self, key: Key, input: RaceInput) {
        if let Some(connecting) = self.connecting_mut(key)
            && let Some(race) = &mut connecting.race
        {
            race.handle(input);
            self.note(key, Note::Connect);
        }
    }

    /// The attempt took too long: it was told, and is given up.
    pub(crate) fn time_out(&mut self, key: Key, place: usize) {
        self.abandon(key, place);
        if let Some(connecting) = self.connecting_mut(key) {
            let error = io::Error::from_raw_os_error(libc::ETIMEDOUT);
            let error = connecting.refused(place, Error::io("connect", error));
            connecting.errors.push((place, error));
        }
    }

    /// The `connect_timeout` is over.
    fn give_connect_up(&mut self, key: Key) {
        let Some(connecting) = self.connecting_mut(key) else {
            return;
        };
        connecting.deadline = None;
        if connecting.is_decided() {
            return; // told in this turn
        }
        let error = match &connecting.host {
            Some(host) => Error::connect_timed_out(&host.question.host, host.port),
            None => {
                let error = io::Error::from_raw_os_error(libc::ETIMEDOUT);
                connecting.refused(0, Error::io("connect", error))
            }
        };
        self.fail(key, error);
    }

    /// Gives up all that only a socket that is connecting has.
    pub(super) fn stop_connecting(&mut self, key: Key) {
        if planted!(LookupAfterDestroy) {
            return;
        }
        let cold = self.sockets.get_mut(key).and_then(|it| it.cold.as_mut());
        let Some(connecting) = cold.and_then(|cold| cold.connect.take()) else {
            return;
        };
        let losers = match planted!(LosersKept) {
            true => Vec::new(),
            false => connecting.attempts,
        };
        for attempt in losers {
            self.close_attempt(attempt);
        }
        if let Some(bound) = connecting.bound {
            self.sys.discard(bound); // for an attempt that was called off
        }
        if let Some(lookup) = connecting.host.and_then(|host| host.lookup) {
            self.drop_lookup(lookup);
        }
        let timers = [connecting.attempt_timer, connecting.deadline];
        for timer in timers.into_iter().flatten() {
            self.clear_timer(timer);
        }
    }
}
