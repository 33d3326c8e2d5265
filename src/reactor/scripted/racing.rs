//! Several addresses of one host, on a clock and a kernel that do as the test says.

use super::log::{Log, reacting};
use crate::net::Limits;
use crate::reactor::Reactor;
use crate::sys::Readiness;
use crate::sys::script::{Call, Connect, Event as Told, Poll, Script};
use crate::{ConnectOptions, Event, Net, Promise, Question, Socket, SocketId};
use std::cell::Cell;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

const MILLI: Duration = Duration::from_millis(1);
const ZERO: Duration = Duration::ZERO;

/// A loop with one socket, which connects to a host of three addresses.
struct World {
    script: Script,
    reactor: Reactor,
    log: Log,
    id: SocketId,
}

impl World {
    /// The first attempt is under way; each is given 10 ms.
    fn new(options: impl FnOnce(ConnectOptions) -> ConnectOptions) -> World {
        let world = World::with(options, |_, _| ());
        let lookups = [1, 2, 3].map(|it| format!("us lookup 10.0.0.{it}"));
        assert_eq!(
            world.log.take(),
            [&lookups[..], &["us attempt".into()]].concat()
        );
        world
    }

    /// As [`new`](World::new), with a socket that logs, and then does what `react` says.
    fn with(
        options: impl FnOnce(ConnectOptions) -> ConnectOptions,
        react: impl FnMut(&mut Socket<'_>, Event<'_>) + 'static,
    ) -> World {
        let script = Script::new();
        let mut reactor = Reactor::on(script.sys(), Limits::default());
        let log = Log::default();
        let answer: [IpAddr; 3] = [1, 2, 3].map(|it| [10, 0, 0, it].into());
        let resolver = move |_: &mut Net, _: Question, promise: Promise| {
            promise.fulfil(Ok(answer.into()));
        };
        let to = ConnectOptions::from(("host.example", 80))
            .resolver(resolver)
            .auto_select_family_attempt_timeout(10 * MILLI);
        let handler = reacting("us", &log, react);
        let id = reactor.net().connect(options(to), handler).unwrap().id();
        let mut world = World {
            script,
            reactor,
            log,
            id,
        };
        for _ in 0..2 {
            world.turn();
        }
        world
    }

    fn turn(&mut self) {
        self.reactor.turn(Some(ZERO)).unwrap();
    }

    /// The descriptors of the attempts under way, oldest first.
    fn attempts(&self) -> Vec<u32> {
        self.script.open_descriptors()
    }

    fn wake(&mut self, descriptors: &[u32], said: Readiness) {
        let tokens = descriptors.iter().map(|it| self.script.token(*it).unwrap());
        let events = tokens.map(|token| Told::Token(token, said)).collect();
        self.script.on_poll(Poll::Events(events));
        self.turn();
    }

    fn pass(&mut self, time: Duration) {
        self.script.advance(time);
        self.turn();
    }

    fn fail(&mut self, descriptor: u32, errno: i32) {
        self.script
            .on_finish_connect(descriptor, Connect::Err(errno));
        self.wake(&[descriptor], Readiness::WRITE.with(Readiness::ERROR));
    }
}

fn plain(options: ConnectOptions) -> ConnectOptions {
    options
}

fn parallel(options: ConnectOptions) -> ConnectOptions {
    options.parallel_attempts(true)
}

#[test]
fn r80_each_attempt_has_its_own_time_whatever_the_one_before_has_used() {
    let mut world = World::new(plain);
    let [first] = world.attempts()[..] else {
        panic!()
    };
    world.script.advance(8 * MILLI);
    world.fail(first, libc::ECONNREFUSED);
    assert_eq!(world.log.take(), ["us attempt ECONNREFUSED", "us attempt"]);
    world.pass(8 * MILLI); // 16 of the first one's
    assert!(world.log.take().is_empty());
    world.pass(4 * MILLI);
    assert_eq!(world.log.take(), ["us attempt timeout", "us attempt"]);
    // And the last has all the time that there is.
    world.pass(Duration::from_secs(3600));
    assert!(world.log.take().is_empty());
    assert_eq!(world.attempts().len(), 1);
}

#[test]
fn r79_an_event_that_an_attempt_has_left_behind_finds_nobody() {
    let mut world = World::new(plain);
    let [first] = world.attempts()[..] else {
        panic!()
    };
    let stale = world.script.token(first).unwrap();
    world.pass(11 * MILLI);
    assert_eq!(world.log.take(), ["us attempt timeout", "us attempt"]);
    let before = world.reactor.net().stats().stale_events;
    let event = Told::Token(stale, Readiness::WRITE);
    world.script.on_poll(Poll::Events(vec![event]));
    world.turn();
    assert!(world.log.take().is_empty(), "taken for the second one's");
    assert_eq!(world.reactor.net().stats().stale_events, before + 1);
}

#[test]
fn in_parallel_a_slow_attempt_can_still_win_and_the_others_are_closed() {
    let mut world = World::new(parallel);
    world.pass(11 * MILLI);
    assert_eq!(world.log.take(), ["us attempt"]);
    let [first, second] = world.attempts()[..] else {
        panic!()
    };
    world
        .reactor
        .net()
        .socket(world.id)
        .unwrap()
        .set_no_delay(true);
    world.script.take_calls();
    world.wake(&[first], Readiness::WRITE);
    assert_eq!(world.log.take(), ["us connect", "us ready"]);
    assert_eq!(world.attempts(), [first]);
    let calls = world.script.take_calls();
    assert!(calls.contains(&Call::SetNoDelay(first, true)), "{calls:?}");
    assert!(calls.contains(&Call::Close(second)), "{calls:?}");
    let socket = world.reactor.net().socket(world.id).unwrap();
    assert_eq!(socket.peer_address().unwrap().to_string(), "10.0.0.1:80");
}

#[test]
fn in_parallel_two_that_stand_in_one_batch_make_one_connection() {
    let mut world = World::new(parallel);
    world.pass(11 * MILLI);
    let [first, second] = world.attempts()[..] else {
        panic!()
    };
    world.log.take();
    world.wake(&[second, first], Readiness::WRITE);
    assert_eq!(world.log.take(), ["us connect", "us ready"]);
    assert_eq!(world.attempts(), [second], "the first in the batch");
}

#[test]
fn r80_an_attempt_that_fails_as_its_time_is_up_leaves_the_next_one_its_own_time() {
    let mut world = World::new(plain);
    let [first] = world.attempts()[..] else {
        panic!()
    };
    world.script.advance(11 * MILLI); // its timer is due in the turn that hears of its failure
    world.fail(first, libc::ECONNREFUSED);
    assert_eq!(world.log.take(), ["us attempt ECONNREFUSED", "us attempt"]);
    world.pass(8 * MILLI);
    assert!(world.log.take().is_empty());
    world.pass(4 * MILLI);
    assert_eq!(world.log.take(), ["us attempt timeout", "us attempt"]);
    world.pass(11 * MILLI);
    assert!(world.log.take().is_empty(), "the last has no timer");
}

#[test]
fn a_winner_keeps_its_descriptor_until_it_is_told_whatever_the_kernel_says_of_it_meanwhile() {
    let mut world = World::new(plain);
    let [first] = world.attempts()[..] else {
        panic!()
    };
    // Between the event that decides and the notes of its turn there is a panic.
    world.reactor.net().set_immediate(|_| panic!("on purpose"));
    let turn = AssertUnwindSafe(|| world.wake(&[first], Readiness::WRITE));
    assert!(catch_unwind(turn).is_err());
    assert!(world.log.take().is_empty());
    world.fail(first, libc::ECONNRESET);
    assert_eq!(world.log.take(), ["us connect", "us ready"]);
    assert_eq!(world.attempts(), [first], "connected without a descriptor");
}

type Deed = fn(&mut Socket<'_>);

/// What an event on the way is called.
fn kind(event: &Event<'_>) -> &'static str {
    match event {
        Event::Lookup { .. } => "lookup",
        Event::ConnectionAttempt(_) => "attempt",
        Event::ConnectionAttemptFailed { .. } => "failure",
        Event::ConnectionAttemptTimeout(_) => "timeout",
        Event::Connect => "connect",
        Event::Ready => "ready",
        Event::Timeout => "silence",
        _ => "another",
    }
}

#[test]
fn r83_whatever_is_done_inside_an_event_on_the_way_leaves_nothing_behind() {
    let deeds: [Deed; 8] = [
        |socket| socket.destroy(),
        |socket| socket.reset_and_destroy(),
        |socket| socket.destroy_soon(),
        |socket| socket.end(),
        |socket| socket.pause(),
        |socket| socket.unref(),
        |socket| socket.set_timeout(3 * MILLI),
        |socket| {
            socket.write_then(b"early", |_, _| ());
        },
    ];
    let kinds = [
        "lookup", "attempt", "failure", "silence", "connect", "ready", "timeout",
    ];
    let in_parallel = &kinds[..6]; // so few addresses are never given up
    for (options, kinds) in [(plain as fn(_) -> _, &kinds[..]), (parallel, in_parallel)] {
        let cases = kinds
            .iter()
            .flat_map(|&within| deeds.map(|deed| (within, deed)));
        for (case, (within, deed)) in cases.enumerate() {
            let done = Rc::new(Cell::new(false));
            let does = done.clone();
            let limited = |it: ConnectOptions| it.timeout(5 * MILLI).connect_timeout(60 * MILLI);
            let options = |it| options(limited(it));
            let mut world = World::with(options, move |socket, event| {
                if kind(&event) == within {
                    deed(socket);
                    does.set(true);
                }
            });
            // One fails, one keeps silent and then takes too long, one wins.
            if let Some(&first) = world.attempts().first() {
                world.fail(first, libc::ECONNREFUSED);
            }
            world.pass(7 * MILLI);
            let is_gone = world.reactor.net().socket(world.id).is_none();
            let left = world.reactor.next_timeout();
            assert!(!is_gone || left.is_none(), "a timer within {within}");
            world.pass(4 * MILLI);
            if let Some(&last) = world.attempts().last() {
                world.wake(&[last], Readiness::WRITE);
            }
            if let Some(mut socket) = world.reactor.net().socket(world.id) {
                socket.destroy();
            }
            world.turn();
            world.turn();
            let what = format!("case {case}, within {within}: {:?}", world.log);
            assert!(done.get(), "{what}");
            assert_eq!(world.log.count("us close"), 1, "{what}");
            assert_eq!(world.attempts(), [], "{what}");
            assert_eq!(world.reactor.next_timeout(), None, "{what}");
            assert!(!world.reactor.is_alive(), "{what}");
        }
    }
}

#[test]
fn a_host_that_is_not_found_as_the_time_to_connect_is_up_is_told_so() {
    let script = Script::new();
    let mut reactor = Reactor::on(script.sys(), Limits::default());
    let log = Log::default();
    let resolver = |_: &mut Net, _: Question, promise: Promise| promise.fulfil(Ok(Vec::new()));
    let to = ConnectOptions::from(("host.example", 80))
        .resolver(resolver)
        .connect_timeout(10 * MILLI);
    let handler = reacting("us", &log, |_, _: Event<'_>| ());
    reactor.net().connect(to, handler).unwrap();
    reactor.turn(Some(ZERO)).unwrap();
    script.advance(11 * MILLI); // both are there in the next turn
    reactor.turn(Some(ZERO)).unwrap();
    reactor.turn(Some(ZERO)).unwrap();
    assert_eq!(
        log.take(),
        [
            "us lookup ENOTFOUND",
            "us error getaddrinfo ENOTFOUND",
            "us close true"
        ]
    );
}
