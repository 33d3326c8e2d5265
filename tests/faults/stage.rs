//! A stage on which every kind of callback comes to pass, and a deed is done inside one of them.
//!
//! A client and a sibling of it talk to one server in the same loop. Whatever the deed, at the end
//! every socket and every server was told `close` exactly once, and no callback began inside
//! another.

use crate::support::*;
use netloop::{
    Acceptor, ConnectOptions, Dropped, Encoding, Error, Event, Handler, ListenOptions, Net,
    Reactor, Server, ServerId, Socket, SocketId, TimerId, handler_fn,
};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The kinds of callbacks. An acceptor's `on_error` needs a lack of descriptors: A1 has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Within {
    Lookup,
    Attempt,
    AttemptFailed,
    AttemptTimeout,
    Connect,
    Ready,
    Data,
    Text,
    End,
    Drain,
    Finish,
    Timeout,
    Error,
    Close,
    Written,
    Connection,
    Listening,
    Drop,
    ServerClose,
    Timer,
    Interval,
    Immediate,
}

use Within::*;

impl Within {
    pub(crate) const ALL: [Within; 22] = [
        Lookup,
        Attempt,
        AttemptFailed,
        AttemptTimeout,
        Connect,
        Ready,
        Data,
        Text,
        End,
        Drain,
        Finish,
        Timeout,
        Error,
        Close,
        Written,
        Connection,
        Listening,
        Drop,
        ServerClose,
        Timer,
        Interval,
        Immediate,
    ];

    fn of(event: &Event<'_>) -> Within {
        match event {
            Event::Lookup { .. } => Lookup,
            Event::ConnectionAttempt(_) => Attempt,
            Event::ConnectionAttemptFailed { .. } => AttemptFailed,
            Event::ConnectionAttemptTimeout(_) => AttemptTimeout,
            Event::Connect => Connect,
            Event::Ready => Ready,
            Event::Data(_) => Data,
            Event::Text(_) => Text,
            Event::End => End,
            Event::Drain => Drain,
            Event::Finish => Finish,
            Event::Timeout => Timeout,
            Event::Error(_) => Within::Error,
            Event::Close { .. } => Close,
            other => panic!("a new kind of event: {other:?}"),
        }
    }

    /// The callback is about one socket, which is the one that a panic in it costs.
    pub(crate) fn is_of_a_socket(self) -> bool {
        match self {
            Lookup
            | Attempt
            | AttemptFailed
            | AttemptTimeout
            | Connect
            | Ready
            | Data
            | Text
            | End
            | Drain
            | Finish
            | Timeout
            | Within::Error
            | Close
            | Written
            | Connection => true,
            Listening | Drop | ServerClose | Timer | Interval | Immediate => false,
        }
    }
}

type Deed = Box<dyn Fn(&mut Net, &Rc<Stage>)>;

/// What a deed panics with when it is meant to.
pub(crate) struct OnPurpose;

pub(crate) struct Stage {
    within: Within,
    deed: Deed,
    done: Cell<bool>,
    /// A callback is on the stack.
    running: Cell<bool>,
    pub(crate) log: Log,
    /// The client; in `Connection` the socket that is being accepted.
    pub(crate) own: Cell<Option<SocketId>>,
    pub(crate) sibling: Cell<Option<SocketId>>,
    pub(crate) server: Cell<Option<ServerId>>,
    /// Names of what is gone.
    pub(crate) dead: Cell<Option<(SocketId, ServerId, TimerId)>>,
    sockets: RefCell<HashMap<SocketId, usize>>,
    servers: RefCell<HashMap<ServerId, usize>>,
    timers: RefCell<Vec<TimerId>>,
    /// What has to be there as long as the stage is.
    kept: RefCell<Option<Box<dyn std::any::Any>>>,
}

impl Stage {
    /// Under which name the socket stands in the log that the deed was done to.
    pub(crate) fn own_name(&self) -> &'static str {
        if self.within == Connection {
            "accepted"
        } else {
            "client"
        }
    }

    /// What that socket was told.
    pub(crate) fn own_lines(&self) -> Vec<String> {
        self.log.of(self.own_name())
    }

    /// A handler that expects one `close`, and echoes if it was accepted.
    pub(crate) fn handler(self: &Rc<Stage>, who: &str) -> impl Handler + use<> {
        let (stage, who) = (self.clone(), who.to_owned());
        handler_fn(move |socket, event| {
            stage.log.push(format!("{who} {}", describe(&event)));
            if let Event::Close { .. } = event {
                *stage.sockets.borrow_mut().entry(socket.id()).or_default() += 1;
            }
            let within = (who == "client").then(|| Within::of(&event));
            stage.enter(within, socket.net());
            if let (Event::Data(bytes), "accepted", true) = (event, &*who, socket.writable()) {
                socket.write(bytes);
            }
        })
    }

    pub(crate) fn acceptor(self: &Rc<Stage>) -> impl Acceptor + use<> {
        Gate {
            stage: self.clone(),
            accepted: 0,
        }
    }

    /// Expects `close` of a socket that a deed has made.
    pub(crate) fn expect(&self, id: SocketId) {
        self.sockets.borrow_mut().entry(id).or_default();
    }

    /// Expects `close` of a server that a deed has made.
    pub(crate) fn expect_server(&self, id: ServerId) {
        self.servers.borrow_mut().entry(id).or_default();
    }

    /// Begins a callback of this kind, and does the deed if it is the one.
    pub(crate) fn enter(self: &Rc<Stage>, within: Option<Within>, net: &mut Net) {
        assert!(
            !self.running.replace(true),
            "{within:?} inside another callback"
        );
        let _running = Running(self);
        if within == Some(self.within) && !self.done.replace(true) {
            (self.deed)(net, self);
        }
    }
}

struct Running<'a>(&'a Stage);

impl std::ops::Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.set(false);
    }
}

struct Gate {
    stage: Rc<Stage>,
    accepted: usize,
}

impl Acceptor for Gate {
    fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler> {
        self.accepted += 1;
        let first = self.accepted == 1;
        if self.stage.within == Connection && first {
            self.stage.own.set(Some(socket.id()));
        }
        self.stage.enter(Some(Connection), socket.net());
        self.stage.expect(socket.id());
        Box::new(self.stage.handler(if first { "accepted" } else { "guest" }))
    }

    fn on_listening(&mut self, server: &mut Server<'_>) {
        self.stage.enter(Some(Listening), server.net());
    }

    fn on_drop(&mut self, server: &mut Server<'_>, _: &Dropped) {
        self.stage.enter(Some(Drop), server.net());
    }

    fn on_close(&mut self, server: &mut Server<'_>) {
        *self
            .stage
            .servers
            .borrow_mut()
            .entry(server.id())
            .or_default() += 1;
        self.stage.enter(Some(ServerClose), server.net());
    }
}

/// What is left when the deed is done and the loop is quiet.
pub(crate) struct Played {
    pub(crate) reactor: Reactor,
    pub(crate) stage: Rc<Stage>,
    pub(crate) address: SocketAddr,
    /// How many turns ended in a panic that was meant.
    pub(crate) panics: usize,
    _dropped: Option<TcpStream>,
}

/// Lets everything happen until `deed` was done in the first callback of the kind `within`.
pub(crate) fn play(within: Within, deed: impl Fn(&mut Net, &Rc<Stage>) + 'static) -> Played {
    let stage = Rc::new(Stage {
        within,
        deed: Box::new(deed),
        done: Cell::default(),
        running: Cell::default(),
        log: Log::new(),
        own: Cell::default(),
        sibling: Cell::default(),
        server: Cell::default(),
        dead: Cell::default(),
        sockets: RefCell::default(),
        servers: RefCell::default(),
        timers: RefCell::default(),
        kept: RefCell::default(),
    });
    let mut reactor = Reactor::new().unwrap();
    bury_one_of_each(&mut reactor, &stage);
    let address = set_up(&mut reactor, &stage);
    let mut played = Played {
        reactor,
        stage,
        address,
        panics: 0,
        _dropped: None,
    };
    played.turn_until_quiet();
    if within == Drop {
        // Beyond the limit: both places are taken.
        played._dropped = Some(plain_peer(address));
        played.turn_until_quiet();
    }
    played.bring_about(within);
    played.turn_until_quiet();
    assert!(
        played.stage.done.get(),
        "{within:?} never came: {:?}",
        played.stage.log
    );
    played
}

fn bury_one_of_each(reactor: &mut Reactor, stage: &Stage) {
    let net = reactor.net();
    let mut server = net
        .listen("127.0.0.1:0", |_| handler_fn(|_, _| ()))
        .unwrap();
    let (server_id, address) = (server.id(), server.address().unwrap());
    server.close().unwrap();
    let mut socket = net.connect(address, handler_fn(|_, _| ())).unwrap();
    let socket_id = socket.id();
    socket.destroy();
    let timer = net.set_timeout(Duration::ZERO, |_| ());
    net.clear_timer(timer);
    turn_until_quiet(reactor);
    stage.dead.set(Some((socket_id, server_id, timer)));
}

/// To a host whose first address is `before`, where nobody listens, and whose second is the
/// server's.
fn by_name(address: SocketAddr, before: [u8; 4]) -> ConnectOptions {
    let answer = [before.into(), address.ip()];
    ConnectOptions::from(("stage.example", address.port()))
        .auto_select_family_attempt_timeout(Duration::from_millis(10))
        .resolver(answering(&answer))
}

fn set_up(reactor: &mut Reactor, stage: &Rc<Stage>) -> SocketAddr {
    let options = ListenOptions::from("127.0.0.1:0").max_connections(2);
    let server = reactor
        .net()
        .listen_with(options, stage.acceptor())
        .unwrap();
    let address = inet(server.address().unwrap());
    stage.server.set(Some(server.id()));
    stage.expect_server(server.id());

    // With the lowest mark, what is written before the connection stands asks for a drain.
    let options = match stage.within {
        Lookup | AttemptFailed => by_name(address, [127, 0, 0, 2]),
        AttemptTimeout => {
            *stage.kept.borrow_mut() = Some(Box::new(black_hole([127, 0, 0, 3], address.port())));
            by_name(address, [127, 0, 0, 3])
        }
        _ => ConnectOptions::from(address),
    };
    let options = options.high_water_mark(1);
    let mut client = reactor
        .net()
        .connect(options, stage.handler("client"))
        .unwrap();
    let on_written = stage.clone();
    assert!(!client.write_then(b"early", move |net, _| on_written.enter(Some(Written), net)));
    if stage.within == Text {
        client.set_encoding(Encoding::Utf8);
    }
    stage.own.set(Some(client.id()));
    stage.expect(client.id());
    let sibling = reactor
        .net()
        .connect(address, stage.handler("sibling"))
        .unwrap()
        .id();
    stage.sibling.set(Some(sibling));
    stage.expect(sibling);

    let net = reactor.net();
    let on_time = stage.clone();
    match stage.within {
        Timer => {
            net.set_timeout(Duration::ZERO, move |net| on_time.enter(Some(Timer), net));
        }
        Interval => {
            let every = net.set_interval(Duration::ZERO, move |net| {
                on_time.enter(Some(Interval), net)
            });
            stage.timers.borrow_mut().push(every);
        }
        Immediate => net.set_immediate(move |net| on_time.enter(Some(Immediate), net)),
        _ => {}
    }
    address
}

impl Played {
    /// One turn; a panic that was meant is caught and counted.
    pub(crate) fn turn(&mut self, timeout: Duration) {
        let turn = AssertUnwindSafe(|| self.reactor.turn(Some(timeout)).unwrap());
        match catch_unwind(turn) {
            Ok(()) => {}
            Err(panic) if panic.is::<OnPurpose>() => self.panics += 1,
            Err(panic) => resume_unwind(panic),
        }
    }

    pub(crate) fn turn_until_quiet(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let mut quiet = 0;
        while quiet < 2 {
            assert!(
                Instant::now() < deadline,
                "never quiet: {:?}",
                self.stage.log
            );
            let before = self.reactor.net().stats().events;
            self.turn(Duration::ZERO);
            let busy = self.reactor.next_timeout() == Some(Duration::ZERO);
            let woken = self.reactor.net().stats().events != before;
            quiet = if busy || woken { 0 } else { quiet + 1 };
        }
    }

    fn turn_until(&mut self, done: impl Fn(&mut Played) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(
                Instant::now() < deadline,
                "waited in vain: {:?}",
                self.stage.log
            );
            self.turn(Duration::from_millis(10));
        }
    }

    /// What does not come by itself.
    fn bring_about(&mut self, within: Within) {
        let own = self
            .stage
            .own
            .get()
            .and_then(|own| self.reactor.net().socket(own));
        match (within, own) {
            (End | Finish, Some(mut client)) => client.end(),
            (Within::Error, Some(mut client)) => client.destroy_with(Error::other("enough")),
            (Close, Some(mut client)) => client.destroy(),
            (Timeout, Some(mut client)) => {
                client.set_timeout(Duration::from_millis(1));
                self.turn_until(|played| played.stage.done.get());
            }
            (Timer | Interval | AttemptTimeout, _) => {
                self.turn_until(|played| played.stage.done.get())
            }
            (ServerClose, Some(client)) => {
                let (client, sibling) = (client.id(), self.stage.sibling.get().unwrap());
                let server = self.stage.server.get().unwrap();
                self.reactor.net().server(server).unwrap().close().unwrap();
                let ids: Vec<_> = self.stage.sockets.borrow().keys().copied().collect();
                for id in ids.into_iter().filter(|id| ![client, sibling].contains(id)) {
                    self.reactor.net().socket(id).unwrap().destroy();
                }
            }
            _ => {}
        }
    }

    /// Takes everything down and asserts that each got its one `close`.
    pub(crate) fn finish(mut self) -> Rc<Stage> {
        let net = self.reactor.net();
        for id in self.stage.sockets.borrow().keys() {
            if let Some(mut socket) = net.socket(*id) {
                socket.destroy();
            }
        }
        for id in self.stage.servers.borrow().keys() {
            if let Some(mut server) = net.server(*id) {
                let _ = server.close(); // a deed may have done so before
            }
        }
        for id in self.stage.timers.take() {
            net.clear_timer(id);
        }
        self.turn_until(|played| {
            let stats = played.reactor.net().stats();
            (stats.sockets, stats.servers) == (0, 0)
        });
        self.turn_until(|played| !played.reactor.is_alive());
        let sockets: Vec<usize> = self.stage.sockets.borrow().values().copied().collect();
        let servers: Vec<usize> = self.stage.servers.borrow().values().copied().collect();
        let once = |closes: &Vec<usize>| closes.iter().all(|&closes| closes == 1);
        assert!(
            once(&sockets) && once(&servers),
            "{sockets:?}, {servers:?}: {:?}",
            self.stage.log
        );
        self.stage
    }
}
