//! The reactor inside another loop: its descriptor is watched, no sleep is longer than
//! `next_timeout`, and each wake-up is a `turn` that does not sleep.
//!
//! The host is a poller of the tests' own; any other that watches descriptors would do.

mod support;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use netloop::{Event, Net, Reactor, SocketId, handler_fn};
use std::cell::Cell;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::*;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A poller that watches one reactor.
struct Host {
    poll: Poll,
    events: Events,
}

impl Host {
    fn of(reactor: &Reactor) -> Host {
        let poll = Poll::new().unwrap();
        let descriptor = reactor.as_fd().as_raw_fd();
        assert_eq!(descriptor, reactor.as_raw_fd());
        poll.registry()
            .register(&mut SourceFd(&descriptor), Token(0), Interest::READABLE)
            .unwrap();
        let events = Events::with_capacity(8);
        Host { poll, events }
    }

    /// Sleeps at most `timeout`; whether the reactor's descriptor became readable.
    fn sleep(&mut self, timeout: Option<Duration>) -> bool {
        self.poll.poll(&mut self.events, timeout).unwrap();
        !self.events.is_empty()
    }

    /// Runs the reactor as a host would, until `done`. It sleeps for as long as the reactor allows
    /// and not a moment less, so a wake-up that does not come fails the test.
    #[track_caller]
    fn run(&mut self, reactor: &mut Reactor, mut done: impl FnMut(&mut Reactor) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(reactor) {
            let allowed = reactor.next_timeout();
            let sleep = allowed.unwrap_or(PATIENCE).min(PATIENCE);
            let woken = self.sleep(Some(sleep));
            assert!(woken || allowed.is_some(), "nothing wakes the host");
            assert!(Instant::now() < deadline, "waited in vain");
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
    }
}

/// Turns until the loop has nothing left to do by itself.
fn settled(reactor: &mut Reactor) {
    turn_until_quiet(reactor);
    assert_eq!(reactor.next_timeout(), None);
}

#[test]
fn a_host_that_has_asked_how_long_to_sleep_is_woken_by_a_remote_made_after_that() {
    let mut reactor = Reactor::new().unwrap();
    let mut host = Host::of(&reactor);
    assert_eq!(reactor.next_timeout(), None);
    let remote = reactor.net().remote().unwrap();
    let posted = Arc::new(AtomicBool::new(false));
    let runs = posted.clone();
    let poster = thread::spawn(move || remote.post(move |_| runs.store(true, Ordering::SeqCst)));
    assert!(host.sleep(Some(PATIENCE)), "nothing wakes the host");
    assert!(poster.join().unwrap().is_ok());
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(posted.load(Ordering::SeqCst));
}

#[test]
fn a_host_loop_drives_a_conversation_from_listen_to_the_last_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = listen(&mut reactor, |socket| {
        let server = socket.server().unwrap();
        socket.net().server(server).unwrap().close().unwrap();
        handler_fn(|socket, event| {
            if let Event::Data(bytes) = event {
                socket.write(bytes);
            }
        })
    });
    let client = reacting("client", &log, |socket, event| match event {
        Event::Connect => drop(socket.write(&pattern(300_000))),
        Event::Data(_) if socket.bytes_read() == 300_000 => socket.end(),
        _ => {}
    });
    reactor.net().connect(address, client).unwrap();
    Host::of(&reactor).run(&mut reactor, |reactor| !reactor.is_alive());
    assert_eq!(log.lines().last().unwrap(), "client close false");
    assert_eq!(reactor.net().stats().sockets, 0);
    assert_eq!(reactor.net().stats().servers, 0);
}

#[test]
fn the_descriptor_is_readable_when_something_came_from_outside_and_only_then() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    settled(&mut reactor);
    let mut host = Host::of(&reactor);
    assert!(!host.sleep(Some(Duration::ZERO)));
    peer.write_all(b"x").unwrap();
    assert!(host.sleep(Some(PATIENCE)));
    assert_eq!(log.lines(), [""; 0], "before the turn");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(log.lines(), ["socket data 1"]);
    assert!(!host.sleep(Some(Duration::ZERO)));
    drop(peer);
    assert!(host.sleep(Some(PATIENCE)));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(log.has("socket end"));
}

#[test]
fn a_reactor_with_nothing_to_do_lets_its_host_sleep_and_bears_turns_for_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    assert_eq!(reactor.next_timeout(), None);
    assert!(!reactor.is_alive());
    let _pair = connected(
        &mut reactor,
        recorder("client", &log),
        recorder("server", &log),
    );
    settled(&mut reactor);
    log.clear();
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(reactor.next_timeout(), None);
    }
    assert_eq!(log.lines(), [""; 0]);
    assert!(reactor.is_alive());
}

/// Does `call` from outside a turn, on a socket with a peer, both of them quiet; what it leaves
/// noted has to show in `next_timeout`, and the next turn has to do it without sleeping.
#[track_caller]
fn leaves_work(what: &str, call: impl FnOnce(&mut Net, SocketId)) {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = accepted(&mut reactor, recorder("socket", &log));
    settled(&mut reactor);
    call(reactor.net(), id);
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO), "{what}");
    assert!(reactor.is_alive(), "{what}");
    let began = Instant::now();
    reactor.turn(Some(PATIENCE)).unwrap();
    assert!(began.elapsed() < PATIENCE, "{what}: the turn slept");
}

#[test]
fn what_a_call_from_outside_a_turn_leaves_to_do_shows_in_next_timeout() {
    let nobody = || handler_fn(|_, _| ());
    leaves_work("listen", move |net, _| {
        net.listen("127.0.0.1:0", move |_| nobody()).unwrap();
    });
    leaves_work("close of a server", move |net, id| {
        let server = net.socket(id).unwrap().server().unwrap();
        net.socket(id).unwrap().destroy();
        net.server(server).unwrap().close().unwrap();
    });
    leaves_work("connect", move |net, _| {
        net.connect("127.0.0.1:1", nobody()).unwrap();
    });
    leaves_work("a small write", |net, id| {
        net.socket(id).unwrap().write(b"x");
    });
    leaves_work("a write with a completion, sent at once", |net, id| {
        let big = pattern(8 * 1024);
        net.socket(id).unwrap().write_then(&big, |_, _| ());
    });
    leaves_work("uncork", |net, id| {
        let mut socket = net.socket(id).unwrap();
        socket.cork();
        socket.write(b"x");
        socket.uncork();
    });
    leaves_work("end", |net, id| net.socket(id).unwrap().end());
    leaves_work("destroy", |net, id| net.socket(id).unwrap().destroy());
    leaves_work("destroy with an error", |net, id| {
        let error = netloop::Error::other("enough");
        net.socket(id).unwrap().destroy_with(error);
    });
    leaves_work("reset", |net, id| {
        net.socket(id).unwrap().reset_and_destroy();
    });
    leaves_work("unread", |net, id| net.socket(id).unwrap().unread(b"x"));
    leaves_work("set_immediate", |net, _| net.set_immediate(|_| ()));
}

#[test]
fn resume_from_outside_a_turn_tells_what_waits_without_another_event() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    settled(&mut reactor);
    reactor.net().socket(id).unwrap().pause();
    peer.write_all(b"x").unwrap();
    settled(&mut reactor);
    assert_eq!(log.lines(), [""; 0]);
    let mut host = Host::of(&reactor);
    reactor.net().socket(id).unwrap().resume();
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
    host.run(&mut reactor, |_| log.has("socket data 1"));
}

#[test]
fn next_timeout_reaches_to_the_next_timer_and_not_beyond() {
    let mut reactor = Reactor::new().unwrap();
    let far = reactor.net().set_timeout(HOUR, |_| ());
    let until_far = reactor.next_timeout().unwrap();
    assert!(until_far > Duration::ZERO, "the host would spin");
    assert!(until_far <= HOUR + MS);
    let near = reactor.net().set_timeout(30 * MS, |_| ());
    assert!(reactor.next_timeout().unwrap() <= 31 * MS);
    let_pass(32 * MS);
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(reactor.next_timeout() > Some(Duration::ZERO));
    reactor.net().clear_timer(near);
    reactor.net().clear_timer(far);
    assert_eq!(reactor.next_timeout(), None);
}

#[test]
fn an_idle_timeout_set_from_outside_a_turn_wakes_the_host() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = accepted(&mut reactor, recorder("socket", &log));
    settled(&mut reactor);
    let mut host = Host::of(&reactor);
    let set = Instant::now();
    reactor.net().socket(id).unwrap().set_timeout(10 * MS);
    assert!(reactor.next_timeout().unwrap() <= 11 * MS);
    host.run(&mut reactor, |_| log.has("socket timeout"));
    assert!(set.elapsed() >= 10 * MS);
    assert_eq!(reactor.next_timeout(), None);
}

#[test]
fn a_timer_wakes_the_host_in_time_and_never_early() {
    let mut reactor = Reactor::new().unwrap();
    let called = Rc::new(Cell::new(false));
    let (seen, armed) = (called.clone(), Instant::now());
    reactor.net().set_timeout(10 * MS, move |_| seen.set(true));
    Host::of(&reactor).run(&mut reactor, |reactor| !reactor.is_alive());
    assert!(called.get());
    assert!(armed.elapsed() >= 10 * MS);
}

#[test]
fn is_alive_changes_with_the_calls_that_change_it() {
    let mut reactor = Reactor::new().unwrap();
    assert!(!reactor.is_alive());
    let timer = reactor.net().set_timeout(HOUR, |_| ());
    assert!(reactor.is_alive());
    reactor.net().unref_timer(timer);
    assert!(!reactor.is_alive());
    let mut server = reactor
        .net()
        .listen("127.0.0.1:0", |_| handler_fn(|_, _| ()))
        .unwrap();
    server.unref();
    let id = server.id();
    assert!(reactor.is_alive(), "listening is still to be told");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(!reactor.is_alive());
    reactor.net().server(id).unwrap().r#ref();
    assert!(reactor.is_alive());
    reactor.net().server(id).unwrap().close().unwrap();
    assert!(reactor.is_alive(), "close is still to be told");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(!reactor.is_alive());
}

#[test]
fn the_time_a_host_asks_for_is_that_of_its_call_however_long_it_slept() {
    let mut reactor = Reactor::new().unwrap();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    let before = reactor.net().now();
    let_pass(5 * MS);
    let passed = reactor.net().now() - before;
    assert!(passed >= 5 * MS, "{passed:?}");
}

#[test]
fn a_write_from_outside_a_turn_counts_as_activity_of_its_own_time_not_of_the_last_turn() {
    for bytes in [1, 16 * 1024] {
        // Gathered until the turn, or sent at once.
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (id, _peer) = accepted(&mut reactor, recorder("socket", &log));
        settled(&mut reactor);
        let mut host = Host::of(&reactor);
        reactor.net().socket(id).unwrap().set_timeout(40 * MS);
        let_pass(30 * MS);
        let wrote = Instant::now();
        reactor.net().socket(id).unwrap().write(&pattern(bytes));
        host.run(&mut reactor, |_| log.has("socket timeout"));
        let quiet = wrote.elapsed();
        assert!(quiet >= 40 * MS, "told {quiet:?} after {bytes} bytes");
    }
}

#[test]
fn posts_and_results_from_other_threads_wake_a_host_that_only_watches_the_descriptor() {
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.net().remote().unwrap();
    settled(&mut reactor);
    let mut host = Host::of(&reactor);
    for round in 1..=50 {
        let poster = remote.clone();
        let posting = thread::spawn(move || poster.post(|_| ()).unwrap());
        host.run(&mut reactor, |reactor| reactor.net().stats().posts == round);
        posting.join().unwrap();
    }
    let answered = Rc::new(Cell::new(false));
    let answer = answered.clone();
    reactor
        .net()
        .offload(|| 7, move |_, result| answer.set(result.unwrap() == 7));
    host.run(&mut reactor, |_| answered.get());
    assert_eq!(reactor.next_timeout(), None);
    let stopper = remote.clone();
    let stopping = thread::spawn(move || stopper.stop());
    assert!(host.sleep(Some(PATIENCE)), "asked to stop");
    stopping.join().unwrap();
}

#[test]
fn a_post_between_two_turns_makes_the_descriptor_readable_and_the_next_sleep_none() {
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.net().remote().unwrap();
    settled(&mut reactor);
    let mut host = Host::of(&reactor);
    assert!(!host.sleep(Some(Duration::ZERO)));
    remote.post(|_| ()).unwrap();
    assert!(host.sleep(Some(PATIENCE)));
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(reactor.next_timeout(), None);
    assert!(!host.sleep(Some(Duration::ZERO)), "used up");
}

#[test]
fn after_a_turn_that_panicked_a_post_still_wakes_the_host() {
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.net().remote().unwrap();
    let mut host = Host::of(&reactor);
    reactor.net().set_immediate(|_| panic!("a callback"));
    let turn = AssertUnwindSafe(|| reactor.turn(Some(Duration::ZERO)));
    assert!(catch_unwind(turn).is_err());
    settled(&mut reactor);
    remote.post(|_| ()).unwrap();
    host.run(&mut reactor, |reactor| reactor.net().stats().posts == 1);
}
