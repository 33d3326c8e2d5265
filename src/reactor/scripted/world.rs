//! A loop on a script: what every test of this room begins with.
//!
//! It has one server, whose sockets get the handlers that the test expects peers with. A test that
//! is through calls [`World::finish`], which closes what is left and checks that no descriptor,
//! slot or timer stays behind.

use super::log::{Log, Recorder, reacting};
use crate::net::{Key, Limits};
use crate::reactor::Reactor;
use crate::sys::Readiness;
use crate::sys::script::{Accept, Call, Event as Told, Poll, Read, Script};
use crate::{Event, Handler, ListenOptions, Net, ServerId, Socket, SocketId, TimerId};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

pub(super) const READ: Readiness = Readiness::READ;
pub(super) const WRITE: Readiness = Readiness::WRITE;
/// The peer's FIN: `IN RDHUP`.
pub(super) const FIN: Readiness = READ.with(Readiness::READ_CLOSED);
/// The peer's RST: `IN OUT RDHUP ERR HUP`.
pub(super) const RST: Readiness = FIN.with(WRITE).with(Readiness::ERROR);

/// The server of every world: the first descriptor that the script gives out.
pub(super) const LISTENER: u32 = 3;
pub(super) const MILLI: Duration = Duration::from_millis(1);
pub(super) const ZERO: Duration = Duration::ZERO;
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// Turns after which a loop that should have come to rest spins.
const MOST_TURNS: usize = 10_000;

pub(super) struct World {
    pub(super) script: Script,
    pub(super) reactor: Reactor,
    pub(super) log: Log,
    pub(super) server: ServerId,
    handlers: Rc<RefCell<VecDeque<Box<dyn Handler>>>>,
}

/// One socket of a world.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) id: SocketId,
    pub(super) descriptor: u32,
}

/// Setting the scene.
impl World {
    pub(super) fn new() -> World {
        World::with(address(), Limits::default())
    }

    pub(super) fn with(options: impl Into<ListenOptions>, limits: Limits) -> World {
        let script = Script::new();
        let mut reactor = Reactor::on(script.sys(), limits);
        let log = Log::default();
        let handlers = Rc::<RefCell<VecDeque<_>>>::default();
        let acceptor = Recorder {
            log: log.clone(),
            handlers: Rc::clone(&handlers),
        };
        let server = reactor.net().listen_with(options, acceptor).unwrap().id();
        let mut world = World {
            script,
            reactor,
            log,
            server,
            handlers,
        };
        world.turn();
        assert_eq!(world.log.take(), ["server listening"]);
        world.forget();
        world
    }

    /// Lets one peer wait in the backlog; its socket will log, and then do what `react` says.
    pub(super) fn expect_peer(
        &self,
        name: &str,
        react: impl FnMut(&mut Socket<'_>, Event<'_>) + 'static,
    ) {
        let handler = reacting(name, &self.log, react);
        self.handlers.borrow_mut().push_back(handler);
        self.script.on_accept(LISTENER, Accept::Peer(address()));
    }

    /// An accepted socket that only logs.
    pub(super) fn accept(&mut self, name: &str) -> End {
        self.accept_with(name, |_, _| ())
    }

    /// An accepted socket that logs, and then does what `react` says. The log and the calls begin
    /// anew.
    pub(super) fn accept_with(
        &mut self,
        name: &str,
        react: impl FnMut(&mut Socket<'_>, Event<'_>) + 'static,
    ) -> End {
        self.expect_peer(name, react);
        let before = self.script.open_descriptors();
        self.wake(&[(LISTENER, READ)]);
        let mut after = self.script.open_descriptors();
        after.retain(|number| !before.contains(number));
        self.forget();
        self.end_on(after[0])
    }

    /// A socket that connects, logs, and then does what `react` says.
    pub(super) fn connect(
        &mut self,
        name: &str,
        react: impl FnMut(&mut Socket<'_>, Event<'_>) + 'static,
    ) -> SocketId {
        let handler = reacting(name, &self.log, react);
        self.net().connect(address(), handler).unwrap().id()
    }

    /// The socket that is registered with a descriptor.
    pub(super) fn end_on(&mut self, descriptor: u32) -> End {
        let token = self.script.token(descriptor).expect("it is registered");
        let key = Key {
            index: token as u32,
            generation: (token >> 32) as u32,
        };
        let id = Socket::new(self.net(), key).id();
        End { id, descriptor }
    }

    /// What a socket reads next; by itself no event.
    pub(super) fn feed(&self, end: End, bytes: &[u8]) {
        self.script
            .on_read(end.descriptor, Read::Data(bytes.to_vec()));
    }

    pub(super) fn feed_end(&self, end: End) {
        self.script.on_read(end.descriptor, Read::Eof);
    }

    /// A timer that logs `timer NAME`.
    pub(super) fn ring(&mut self, name: &'static str, delay: Duration) -> TimerId {
        let log = self.log.clone();
        let ring = move |_: &mut Net| log.push(format!("timer {name}"));
        self.net().set_timeout(delay, ring)
    }

    /// Queues a poll that brings these events.
    pub(super) fn on_poll(&self, events: &[(u32, Readiness)]) {
        let batch = events.iter().map(|&(on, ready)| Told::Ready(on, ready));
        self.script.on_poll(Poll::Events(batch.collect()));
    }
}

/// Letting time and events pass.
impl World {
    pub(super) fn net(&mut self) -> &mut Net {
        self.reactor.net()
    }

    #[track_caller]
    pub(super) fn socket(&mut self, end: End) -> Socket<'_> {
        self.net().socket(end.id).expect("it is not closed")
    }

    /// One turn that finds what was queued, and does not sleep.
    #[track_caller]
    pub(super) fn turn(&mut self) {
        self.reactor.turn(Some(ZERO)).unwrap();
    }

    /// One turn whose poll brings these events.
    #[track_caller]
    pub(super) fn wake(&mut self, events: &[(u32, Readiness)]) {
        self.on_poll(events);
        self.turn();
    }

    /// Turns until the loop would sleep; how many turns that took.
    #[track_caller]
    pub(super) fn settle(&mut self) -> usize {
        for turns in 0..MOST_TURNS {
            if self.reactor.next_timeout() != Some(ZERO) {
                return turns;
            }
            self.turn();
        }
        panic!("the loop spins: {:?}", self.log);
    }

    /// Sleeps and turns, as `run` does, until so much time has passed; how many polls that took.
    #[track_caller]
    pub(super) fn run_for(&mut self, time: Duration) -> usize {
        let end = self.now() + time;
        for polls in 0..MOST_TURNS {
            let left = end.saturating_sub(self.now());
            if left.is_zero() {
                return polls;
            }
            self.reactor.turn(Some(left)).unwrap();
        }
        panic!("the loop spins: {:?}", self.log);
    }

    /// What the clock of the script says.
    pub(super) fn now(&self) -> Duration {
        Duration::from_nanos(self.reactor.net.sys.now())
    }
}

/// Looking at what happened.
impl World {
    /// Lets the log and the calls begin anew.
    pub(super) fn forget(&self) {
        self.log.take();
        self.script.take_calls();
    }

    /// The calls since the last look that `wanted` picks.
    pub(super) fn calls(&self, wanted: impl Fn(&Call) -> bool) -> Vec<Call> {
        let mut calls = self.script.take_calls();
        calls.retain(wanted);
        calls
    }

    /// Closes what is open, and checks that nothing stays behind.
    #[track_caller]
    pub(super) fn finish(mut self) {
        let server = self.server;
        if let Some(mut server) = self.net().server(server) {
            let _ = server.close();
        }
        let net = self.net();
        let slots = 0..net.sockets.len() as u32 + 1024;
        let open: Vec<Key> = slots.filter_map(|slot| net.sockets.key_at(slot)).collect();
        for key in open {
            net.destroy(key);
        }
        self.settle();
        assert_eq!(self.script.open_descriptors(), [], "descriptors leak");
        assert_eq!(self.reactor.next_timeout(), None, "a timer is left");
        assert!(!self.reactor.is_alive());
        let stats = self.net().stats();
        assert_eq!((stats.sockets, stats.servers), (0, 0));
    }
}

/// Whom every peer says to be, and where the server listens.
pub(super) fn address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 80).into()
}

/// Bytes whose value tells their place, so that a lost or doubled one shows.
pub(super) fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251) as u8).collect()
}

/// Calls that change what the kernel reports of a socket.
pub(super) fn is_reregister(call: &Call) -> bool {
    matches!(call, Call::Reregister(..))
}

pub(super) fn is_write(call: &Call) -> bool {
    matches!(call, Call::Write(..) | Call::WriteVectored(..))
}
