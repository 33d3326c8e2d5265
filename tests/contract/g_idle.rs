//! Group G: idle timeouts (R67 to R75).
//!
//! What can be shown with a clock of the test's own stands in `src/reactor/scripted/idle.rs`:
//! R70, and that connecting goes on after a timeout (R72). Of R69 the lookup comes with names. R71's
//! callback is the event here; negative and non-finite timeouts (R75) don't fit into a `Duration`.

use crate::support::*;
use netloop::{Event, Reactor, Socket, SocketId};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const IDLE: Duration = Duration::from_millis(20);

fn socket(reactor: &mut Reactor, id: SocketId) -> Socket<'_> {
    reactor.net().socket(id).unwrap()
}

/// One accepted socket that logs what it is told, and its peer.
fn one(reactor: &mut Reactor, log: &Log) -> (SocketId, TcpStream) {
    accepted(reactor, recorder("socket", log))
}

#[test]
fn r67_there_is_no_timeout_by_default() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = one(&mut reactor, &log);
    turn_until_quiet(&mut reactor);
    assert_eq!(socket(&mut reactor, id).timeout(), None);
    assert_eq!(reactor.next_timeout(), None, "the loop waits for a time");
}

#[test]
fn r67_timeout_only_notifies_and_the_socket_stays_open_and_usable() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let handler = reacting("socket", &log, |socket, event| match event {
        Event::Data(bytes) => drop(socket.write(bytes)),
        Event::Timeout => assert!(!socket.destroyed() && socket.readable() && socket.writable()),
        _ => {}
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    socket(&mut reactor, id).set_timeout(IDLE);
    turn_until_line(&mut reactor, &log, "socket timeout");
    peer.write_all(b"still there?").unwrap();
    let echoed = read_while_turning(&mut reactor, &mut peer, 12).unwrap();
    assert_eq!(echoed, b"still there?");
    assert_eq!(log.of("socket"), ["timeout", "data 12"]);
}

#[test]
fn r68_timeout_is_told_once_for_an_idle_period_and_again_after_new_activity() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = one(&mut reactor, &log);
    socket(&mut reactor, id).set_timeout(IDLE);
    turn_until_line(&mut reactor, &log, "socket timeout");
    assert_eq!(reactor.next_timeout(), None, "something is armed again");
    let_pass(2 * IDLE);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket"), ["timeout"]);

    peer.write_all(b"x").unwrap();
    turn_until_lines(&mut reactor, &log, "socket timeout", 2);
    assert_eq!(log.of("socket"), ["timeout", "data 1", "timeout"]);
}

/// Does `act` in each of many turns, for longer than the timeout of a socket that should not notice
/// it, and then waits. How long was it from the start of the last of these turns to the timeout?
fn quiet_since_last(
    reactor: &mut Reactor,
    log: &Log,
    mut act: impl FnMut(&mut Reactor),
) -> Duration {
    let start = Instant::now();
    let mut last = start;
    while start.elapsed() < 3 * IDLE {
        // Each turn sees its own byte, so a turn that comes late finds nobody idle.
        last = Instant::now();
        act(reactor);
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(log.count("socket timeout"), 0, "{log:?}");
    turn_until_line(reactor, log, "socket timeout");
    last.elapsed()
}

#[test]
fn r69_bytes_that_come_are_activity() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = one(&mut reactor, &log);
    socket(&mut reactor, id).set_timeout(IDLE);
    let quiet = quiet_since_last(&mut reactor, &log, |_| peer.write_all(b"x").unwrap());
    assert!(quiet >= IDLE, "told after {quiet:?} of silence");
}

#[test]
fn r69_bytes_that_leave_are_activity() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = one(&mut reactor, &log);
    socket(&mut reactor, id).set_timeout(IDLE);
    let quiet = quiet_since_last(&mut reactor, &log, |reactor| {
        socket(reactor, id).write(b"x");
    });
    assert!(quiet >= IDLE, "told after {quiet:?} of silence");
}

#[test]
fn r69_the_end_of_the_peer_is_activity() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let handler = recorder("socket", &log);
    let (id, peer) = accepted_with(&mut reactor, |to| to.allow_half_open(true), handler);
    socket(&mut reactor, id).set_timeout(IDLE);
    let_pass(IDLE / 2);
    let ended = Instant::now();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "socket timeout");
    let quiet = ended.elapsed();
    assert!(quiet >= IDLE, "told {quiet:?} after the end");
}

#[test]
fn r69_that_the_connection_stands_is_activity() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = listen(&mut reactor, |_| netloop::handler_fn(|_, _| ()));
    let client = reactor.net().connect(address, recorder("socket", &log));
    let id = client.unwrap().id();
    reactor.turn(Some(Duration::ZERO)).unwrap(); // the attempt begins
    socket(&mut reactor, id).set_timeout(IDLE);
    let_pass(IDLE / 2);
    let turn_began = Instant::now(); // the one that brings `connect`
    turn_until_line(&mut reactor, &log, "socket connect");
    turn_until_line(&mut reactor, &log, "socket timeout");
    let quiet = turn_began.elapsed();
    assert!(quiet >= IDLE, "told {quiet:?} after connect");
    log.assert_order(&["socket connect", "socket timeout"]);
}

#[test]
fn r69_queuing_while_corked_and_pause_and_resume_are_not_activity() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = one(&mut reactor, &log);
    let mut held = socket(&mut reactor, id);
    held.set_timeout(IDLE);
    held.cork();
    turn_until(&mut reactor, |net| {
        let mut socket = net.socket(id).unwrap();
        socket.write(b"x");
        socket.pause();
        socket.resume();
        log.has("socket timeout")
    });
}

#[test]
fn r69_queuing_while_connecting_is_not_activity() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_kept, address) = unanswering();
    let client = recorder("socket", &log);
    let mut client = reactor.net().connect(address, client).unwrap();
    client.set_timeout(IDLE);
    let id = client.id();
    turn_until(&mut reactor, |net| {
        net.socket(id).unwrap().write(b"x");
        log.has("socket timeout")
    });
}

#[test]
fn r71_a_timeout_of_zero_turns_it_off() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = one(&mut reactor, &log);
    let mut timed = socket(&mut reactor, id);
    timed.set_timeout(IDLE);
    assert_eq!(timed.timeout(), Some(IDLE));
    timed.set_timeout(Duration::ZERO);
    assert_eq!(timed.timeout(), None);
    turn_until_quiet(&mut reactor);
    assert_eq!(reactor.next_timeout(), None);

    // Nor does activity bring back one that was turned off after it was told.
    socket(&mut reactor, id).set_timeout(IDLE);
    turn_until_line(&mut reactor, &log, "socket timeout");
    socket(&mut reactor, id).set_timeout(Duration::ZERO);
    peer.write_all(b"x").unwrap();
    turn_until_line(&mut reactor, &log, "socket data 1");
    turn_until_quiet(&mut reactor);
    assert_eq!(reactor.next_timeout(), None);
    assert_eq!(log.of("socket"), ["timeout", "data 1"]);
}

#[test]
fn r71_a_timeout_set_again_counts_from_then_shorter_or_longer() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = one(&mut reactor, &log);
    socket(&mut reactor, id).set_timeout(Duration::from_secs(3600));
    socket(&mut reactor, id).set_timeout(IDLE);
    turn_until_line(&mut reactor, &log, "socket timeout");

    socket(&mut reactor, id).set_timeout(IDLE);
    let_pass(IDLE / 2);
    let set = Instant::now();
    socket(&mut reactor, id).set_timeout(2 * IDLE);
    turn_until_lines(&mut reactor, &log, "socket timeout", 2);
    assert!(set.elapsed() >= 2 * IDLE);
}

#[test]
fn r72_timeout_is_told_while_connecting_and_connecting_goes_on() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_kept, address) = unanswering();
    let client = reactor.net().connect(address, recorder("socket", &log));
    let mut client = client.unwrap();
    client.set_timeout(IDLE); // there is no descriptor yet
    let id = client.id();
    turn_until_line(&mut reactor, &log, "socket timeout");
    turn_until_quiet(&mut reactor);
    assert!(log.has(&format!("socket attempt {address}")), "{log:?}");
    assert_eq!(log.lines().len(), 2, "{log:?}");
    assert!(socket(&mut reactor, id).connecting());
}

#[test]
fn r73_destroy_clears_the_timeout_and_setting_one_afterwards_does_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = one(&mut reactor, &log);
    let mut dying = socket(&mut reactor, id);
    dying.set_timeout(IDLE);
    dying.destroy();
    dying.set_timeout(IDLE);
    assert_eq!(dying.timeout(), None);
    let_pass(2 * IDLE); // it would be due in the very turn that tells `close`
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket"), ["close false"]);
    assert_eq!(reactor.next_timeout(), None);
}

#[test]
fn r73_a_newcomer_in_the_slot_of_a_destroyed_socket_is_not_told_its_timeout() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (first, _peer) = one(&mut reactor, &log);
    let mut first = socket(&mut reactor, first);
    first.set_timeout(IDLE);
    first.destroy();
    turn_until_quiet(&mut reactor);
    let (_second, _peer) = accepted(&mut reactor, recorder("second", &log));
    let_pass(2 * IDLE);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["socket close false"]);
}

#[test]
fn r74_one_handler_may_change_timeouts_that_are_due_in_the_same_sweep() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let names = ["cleared", "longer", "destroyed", "left"];
    let pairs = names.map(|name| accepted(&mut reactor, recorder(name, &log)));
    let [cleared, longer, destroyed, _] = [0, 1, 2, 3].map(|at| pairs[at].0);
    let first = reacting("first", &log, move |socket, event| {
        if let Event::Timeout = event {
            let net = socket.net();
            net.socket(cleared).unwrap().set_timeout(Duration::ZERO);
            net.socket(longer).unwrap().set_timeout(2 * IDLE);
            net.socket(destroyed).unwrap().destroy();
        }
    });
    let (first, _peer) = accepted(&mut reactor, first);
    // Set first, so due first; all are due when the loop turns again.
    socket(&mut reactor, first).set_timeout(IDLE);
    for (id, _) in &pairs {
        socket(&mut reactor, *id).set_timeout(IDLE);
    }
    let_pass(2 * IDLE);
    let changed_after = Instant::now();
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(
        log.lines(),
        ["first timeout", "left timeout", "destroyed close false"]
    );
    turn_until_line(&mut reactor, &log, "longer timeout");
    assert!(changed_after.elapsed() >= 2 * IDLE);
    assert_eq!(reactor.next_timeout(), None);
}

#[test]
fn r75_a_fraction_of_a_millisecond_counts_as_a_whole_one() {
    let mut reactor = Reactor::new().unwrap();
    let (id, _peer) = one(&mut reactor, &Log::new());
    let mut timed = socket(&mut reactor, id);
    for (set, kept) in [(1, 1), (999, 1), (1000, 1), (1001, 2), (2500, 3)] {
        timed.set_timeout(Duration::from_micros(set));
        assert_eq!(timed.timeout(), Some(Duration::from_millis(kept)));
    }
    timed.set_timeout(Duration::from_nanos(1));
    assert_eq!(timed.timeout(), Some(Duration::from_millis(1)));
    // What Node would refuse or cut is cut.
    timed.set_timeout(Duration::MAX);
    assert_eq!(timed.timeout(), Some(Duration::from_millis((1 << 31) - 1)));
}

#[test]
fn r75_timeout_is_never_early() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = one(&mut reactor, &log);
    for (round, micros) in [1_u64, 400, 1_000, 1_700, 3_000, 5_300]
        .into_iter()
        .enumerate()
    {
        let idle = Duration::from_micros(micros);
        let set = Instant::now();
        socket(&mut reactor, id).set_timeout(idle);
        // Without sleeping, so that no rounding of the poller's covers for ours.
        while log.count("socket timeout") == round {
            assert!(set.elapsed() < PATIENCE);
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        let waited = set.elapsed();
        let least = idle.max(Duration::from_millis(1));
        assert!(waited >= least, "{idle:?} was over after {waited:?}");
    }
}
