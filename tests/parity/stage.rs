//! One side of a scenario, or both, played by netloop.
//!
//! `listen` and `connect` make servers and sockets whose every event is traced; `say` traces what a
//! scenario asks besides. stage.js is the same for Node; README.md tells what a trace is.

use crate::trace::{Notebook, Trace};
use netloop::{
    Acceptor, Address, ConnectOptions, Dropped, Error, Event, Handler, ListenOptions, Net, Promise,
    Question, Reactor, Resolver, Result, Server, ServerId, Socket, SocketId, handler_fn,
};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// The loop of a scenario, and what is seen on it.
pub(crate) struct Stage {
    reactor: Reactor,
    notebook: Notebook,
    directory: PathBuf,
}

impl Stage {
    /// `directory` is this play's own.
    pub(crate) fn new(directory: PathBuf) -> Stage {
        Stage {
            reactor: Reactor::new().unwrap(),
            notebook: Notebook::new(&directory),
            directory,
        }
    }

    /// Says where the server of the scenario listens.
    pub(crate) fn set_place(&self, place: Address) {
        self.notebook.set_place(place);
    }

    /// The address of the scenario's server. In a scenario for one: of nobody, until it listens.
    pub(crate) fn place(&self) -> Address {
        self.notebook.place()
    }

    /// A path in the directory of this play.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Runs the loop until nothing keeps it going; that it ends is part of every trace.
    pub(crate) fn run(mut self) -> Trace {
        let notebook = self.notebook.clone();
        let guard = self.net().set_timeout(PATIENCE, move |net| {
            notebook.say("stage", "waited in vain");
            net.stop();
        });
        self.net().unref_timer(guard);
        self.reactor.run().unwrap();
        self.notebook.close()
    }

    pub(crate) fn net(&mut self) -> &mut Net {
        self.reactor.net()
    }

    /// Somebody new with a trace.
    pub(crate) fn actor(&self, name: &str) -> Actor {
        Actor {
            name: name.into(),
            notebook: self.notebook.clone(),
        }
    }

    /// A server that is only that: `listening` gets it when it listens. One that cannot listen says
    /// why, as an error of Node's is told.
    pub(crate) fn serve(
        &mut self,
        name: &str,
        options: ListenOptions,
        listening: impl FnOnce(&Actor, &mut Server<'_>) + 'static,
    ) -> Option<ServerId> {
        let me = self.actor(name);
        let host = Host {
            me: me.clone(),
            listening: Some(listening),
        };
        match self.net().listen_with(options, host) {
            Ok(server) => Some(server.id()),
            Err(error) => {
                me.say(format!("error {}", describe(&error)));
                None
            }
        }
    }

    /// A server for one guest, to whose events `react` reacts.
    ///
    /// An accepted socket is told neither connect nor ready; `react` gets its `Event::Connect` all
    /// the same, from within `on_connection`, where Node tells 'connection'.
    pub(crate) fn listen(
        &mut self,
        react: impl FnMut(&Actor, &mut Socket<'_>, Event<'_>) + 'static,
    ) -> ServerId {
        self.listen_to(1, |at| at, react)
    }

    /// As [`listen`](Stage::listen), with options, by a server that closes when so many guests have
    /// come, those turned away included.
    pub(crate) fn listen_to(
        &mut self,
        guests: usize,
        configure: impl FnOnce(ListenOptions) -> ListenOptions,
        react: impl FnMut(&Actor, &mut Socket<'_>, Event<'_>) + 'static,
    ) -> ServerId {
        let doorman = Doorman {
            me: self.actor("server"),
            come: 0,
            guests,
            react: Rc::new(RefCell::new(react)),
        };
        let options = configure(ListenOptions::from("127.0.0.1:0"));
        let server = self.net().listen_with(options, doorman).unwrap();
        let (id, address) = (server.id(), server.address().unwrap());
        self.set_place(address);
        id
    }

    /// A socket named `client` that connects to the port of the scenario at a host that is looked
    /// up, to whose events `react` reacts.
    pub(crate) fn connect_to(
        &mut self,
        resolver: impl Resolver + 'static,
        configure: impl FnOnce(ConnectOptions) -> ConnectOptions,
        react: impl FnMut(&Actor, &mut Socket<'_>, Event<'_>) + 'static,
    ) -> Socket<'_> {
        let options = configure(to_host(&self.place(), resolver));
        self.actor("client").connect(self.net(), |_| options, react)
    }

    /// A socket named `client` that connects to the server of the scenario, to whose events
    /// `react` reacts.
    pub(crate) fn connect(
        &mut self,
        react: impl FnMut(&Actor, &mut Socket<'_>, Event<'_>) + 'static,
    ) -> Socket<'_> {
        self.actor("client").connect(self.net(), |to| to, react)
    }
}

/// The options of a connect to the port of a place at a host that is looked up.
pub(crate) fn to_host(place: &Address, resolver: impl Resolver + 'static) -> ConnectOptions {
    let port = place.port().expect("an IP address");
    ConnectOptions::from(("host.example", port)).resolver(resolver)
}

/// A resolver that fails.
pub(crate) fn failing(code: &'static str) -> impl Resolver + 'static {
    move |_: &mut Net, _: Question, promise: Promise| {
        promise.fulfil(Err(Error::new(code, "a fault")))
    }
}

/// Who has a trace: a server, or one end of a connection.
#[derive(Clone)]
pub(crate) struct Actor {
    name: String,
    notebook: Notebook,
}

impl Actor {
    /// Connects to the server of the scenario: this actor is the socket from now on.
    pub(crate) fn connect<'net>(
        &self,
        net: &'net mut Net,
        configure: impl FnOnce(ConnectOptions) -> ConnectOptions,
        react: impl FnMut(&Actor, &mut Socket<'_>, Event<'_>) + 'static,
    ) -> Socket<'net> {
        let options = configure(ConnectOptions::from(self.notebook.place()));
        let handler = watched(self.clone(), Rc::new(RefCell::new(react)));
        let socket = net.connect(options, handler).unwrap();
        self.notebook.enter(&self.name, socket.id());
        socket
    }

    /// Somebody else in the same process.
    pub(crate) fn another(&self, name: &str) -> Actor {
        Actor {
            name: name.into(),
            notebook: self.notebook.clone(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn say(&self, what: impl AsRef<str>) {
        self.notebook.say(&self.name, what.as_ref());
    }

    /// The socket of another actor of this process.
    pub(crate) fn socket_of(&self, name: &str) -> SocketId {
        self.notebook.socket(name)
    }

    /// The completion of a write: says how it went.
    pub(crate) fn done(&self, what: &str) -> impl FnOnce(&mut Net, Result<()>) + 'static + use<> {
        let (me, what) = (self.clone(), what.to_owned());
        move |_, outcome| match outcome {
            Ok(()) => me.say(format!("{what}: done")),
            Err(error) => me.say(format!("{what}: {}", describe(&error))),
        }
    }

    /// Says where a socket stands.
    pub(crate) fn state(&self, socket: &Socket<'_>) {
        let flags = [
            ("connecting", socket.connecting()),
            ("pending", socket.pending()),
            ("destroyed", socket.destroyed()),
            ("readable", socket.readable()),
            ("writable", socket.writable()),
            ("readableEnded", socket.readable_ended()),
            ("writableEnded", socket.writable_ended()),
            ("writableFinished", socket.writable_finished()),
        ];
        let mut words = vec![socket.ready_state().to_string()];
        let set = flags.iter().filter(|(_, set)| *set);
        words.extend(set.map(|(flag, _)| (*flag).to_owned()));
        self.say(format!("is {}", words.join(", ")));
    }

    /// Says what a socket has read and written, and what still waits.
    pub(crate) fn counters(&self, socket: &Socket<'_>) {
        self.say(format!(
            "has read {}, written {}, waiting {}",
            socket.bytes_read(),
            socket.bytes_written(),
            socket.buffer_size()
        ));
    }

    fn saw(&self, event: &Event<'_>) {
        match event {
            Event::Lookup { host, answer } => self.say(match answer {
                Ok(ip) if ip.is_ipv4() => format!("lookup {host}: {ip} of IPv4"),
                Ok(ip) => format!("lookup {host}: {ip} of IPv6"),
                Err(error) => format!("lookup {host}: {}", describe(error)),
            }),
            Event::ConnectionAttempt(address) => self.say(format!("attempt {address}")),
            Event::ConnectionAttemptFailed { address, error } => {
                self.say(format!("attempt failed {address} {}", describe(error)));
            }
            Event::ConnectionAttemptTimeout(address) => {
                self.say(format!("attempt timeout {address}"));
            }
            Event::Connect => self.say("connect"),
            Event::Ready => self.say("ready"),
            Event::Data(bytes) => self.notebook.heard(&self.name, bytes),
            Event::Text(text) => self.notebook.read(&self.name, text),
            Event::End => self.say("end"),
            Event::Drain => self.say("drain"),
            Event::Finish => self.say("finish"),
            Event::Timeout => self.say("timeout"),
            Event::Error(error) => self.say(format!("error {}", describe(error))),
            Event::Close { had_error } => self.say(format!("close {had_error}")),
            other => self.say(format!("{other:?}")),
        }
    }
}

/// An error as a trace has it: code, errno, system call, text.
pub(crate) fn describe(error: &Error) -> String {
    if !error.errors().is_empty() {
        let all: Vec<String> = error.errors().iter().map(describe).collect();
        return format!("{} of all: {}", error.code(), all.join("; "));
    }
    let mut words = vec![error.code().to_owned()];
    words.extend(error.errno().map(|errno| errno.to_string()));
    words.extend(error.syscall().map(|syscall| format!("of {syscall}")));
    format!("{}: {error}", words.join(" "))
}

/// A handler that traces every event, and then lets `react` have it.
fn watched<R>(me: Actor, react: Rc<RefCell<R>>) -> impl Handler
where
    R: FnMut(&Actor, &mut Socket<'_>, Event<'_>) + 'static,
{
    handler_fn(move |socket, event| {
        me.saw(&event);
        react.borrow_mut()(&me, socket, event);
    })
}

/// Traces what happens on a server that has guests.
struct Doorman<R> {
    me: Actor,
    come: usize,
    guests: usize,
    react: Rc<RefCell<R>>,
}

impl<R> Doorman<R> {
    /// Whether this guest was the last.
    fn count(&mut self) -> bool {
        self.come += 1;
        self.come == self.guests
    }
}

impl<R> Acceptor for Doorman<R>
where
    R: FnMut(&Actor, &mut Socket<'_>, Event<'_>) + 'static,
{
    fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler> {
        self.me.say("connection");
        if self.count() {
            let server = socket.server().expect("it was accepted");
            socket.net().server(server).unwrap().close().unwrap();
        }
        let peer = self.me.another(&match self.come {
            1 => "peer".into(),
            nth => format!("peer{nth}"),
        });
        peer.notebook.enter(&peer.name, socket.id());
        self.react.borrow_mut()(&peer, socket, Event::Connect);
        Box::new(watched(peer, self.react.clone()))
    }

    fn on_listening(&mut self, _: &mut Server<'_>) {
        self.me.say("listening");
    }

    fn on_drop(&mut self, server: &mut Server<'_>, _: &Dropped) {
        self.me.say("drop");
        if self.count() {
            server.close().unwrap();
        }
    }

    fn on_error(&mut self, _: &mut Server<'_>, error: &Error) {
        self.me.say(format!("error {}", describe(error)));
    }

    fn on_close(&mut self, _: &mut Server<'_>) {
        self.me.say("close");
    }
}

/// Traces what happens on a server that has none.
struct Host<L> {
    me: Actor,
    listening: Option<L>,
}

impl<L> Acceptor for Host<L>
where
    L: FnOnce(&Actor, &mut Server<'_>),
{
    fn on_connection(&mut self, _: &mut Socket<'_>) -> Box<dyn Handler> {
        unreachable!("nobody connects");
    }

    fn on_listening(&mut self, server: &mut Server<'_>) {
        let place = server.address().expect("it listens");
        self.me.notebook.set_place(place);
        self.me.say("listening");
        if let Some(listening) = self.listening.take() {
            listening(&self.me, server);
        }
    }

    fn on_error(&mut self, _: &mut Server<'_>, error: &Error) {
        self.me.say(format!("error {}", describe(error)));
    }

    fn on_close(&mut self, _: &mut Server<'_>) {
        self.me.say("close");
    }
}
