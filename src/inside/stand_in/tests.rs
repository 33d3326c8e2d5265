//! The stand-in by itself, and a loop with thousands of connections on it.

use std::cell::Cell;

use super::*;
use crate::{Event, handler_fn};

/// More than one batch of events, and not a whole number of them.
const CONNECTIONS: u32 = 2_500;
const IDLE: Duration = Duration::from_secs(60);

/// A loop that has accepted everybody, echoes, and counts the idle timeouts that it was told.
struct Army {
    stand_in: StandIn,
    reactor: Reactor,
    timeouts: Rc<Cell<u32>>,
    ends: Rc<Cell<u32>>,
}

impl Army {
    fn new() -> Army {
        let stand_in = StandIn::new();
        let mut reactor = stand_in.reactor();
        let (timeouts, ends) = (Rc::<Cell<u32>>::default(), Rc::<Cell<u32>>::default());
        let counts = (Rc::clone(&timeouts), Rc::clone(&ends));
        let listening = reactor.net().listen(7000, move |socket| {
            socket.set_timeout(IDLE);
            let (timeouts, ends) = counts.clone();
            handler_fn(move |socket, event| match event {
                Event::Data(bytes) => assert!(socket.write(bytes)),
                Event::Timeout => timeouts.set(timeouts.get() + 1),
                Event::End => ends.set(ends.get() + 1),
                _ => {}
            })
        });
        listening.unwrap();
        stand_in.peers_connect(CONNECTIONS);
        let mut army = Army {
            stand_in,
            reactor,
            timeouts,
            ends,
        };
        army.turn_until_quiet();
        army
    }

    fn turn(&mut self) {
        self.reactor.turn(Some(Duration::ZERO)).unwrap();
    }

    /// Turns until a turn was told nothing and left nothing.
    fn turn_until_quiet(&mut self) {
        loop {
            let events = self.reactor.net().stats().events;
            self.turn();
            let told = self.reactor.net().stats().events - events;
            if told == 0 && self.reactor.next_timeout() != Some(Duration::ZERO) {
                return;
            }
        }
    }
}

#[test]
fn every_peer_is_accepted_once() {
    let mut army = Army::new();
    assert_eq!(army.stand_in.open_connections(), CONNECTIONS as usize);
    assert_eq!(army.reactor.net().stats().accepted, CONNECTIONS.into());
    army.stand_in.peers_connect(1);
    army.turn_until_quiet();
    assert_eq!(
        army.reactor.net().stats().accepted,
        u64::from(CONNECTIONS) + 1
    );
}

#[test]
fn every_message_is_read_once_and_echoed_as_it_was_read() {
    let mut army = Army::new();
    let everybody: Vec<u32> = (0..CONNECTIONS).rev().collect();
    for round in 1..=3_u64 {
        army.stand_in.peers_send(&everybody);
        army.turn_until_quiet();
        let sent = round * u64::from(CONNECTIONS);
        assert_eq!(army.stand_in.reads(), sent);
        assert_eq!(army.stand_in.echoes(), sent);
    }
    let stats = army.reactor.net().stats();
    let messages = 3 * u64::from(CONNECTIONS);
    assert_eq!(
        (stats.syscalls.read, stats.syscalls.write),
        (messages, messages)
    );
    assert_eq!(stats.stale_events, 0);
}

#[test]
fn what_is_no_echo_does_not_count_as_one() {
    let mut bare = StandIn::bare(2);
    bare.peers_send(&[0, 1]);
    bare.turn();
    assert_eq!(bare.echoes(), 2);
    let kernel = &mut bare.kernel;
    let mut buffer = [0; 2 * MESSAGE_BYTES];
    kernel.read(0, &mut buffer).unwrap();
    let message = &buffer[..MESSAGE_BYTES];
    kernel.write(1, message).unwrap(); // another connection
    kernel.write(0, &message[1..]).unwrap(); // not all of it
    kernel.write(0, &buffer).unwrap(); // more than that
    assert_eq!(bare.echoes(), 2);
    let short = bare.kernel.read(0, &mut [0; MESSAGE_BYTES - 1]);
    assert!(short.is_err(), "a message comes whole");
}

#[test]
fn a_batch_is_as_long_as_the_real_one() {
    let mut army = Army::new();
    let events = army.reactor.net().stats().events;
    army.stand_in
        .peers_send(&(0..CONNECTIONS).collect::<Vec<_>>());
    army.turn();
    let told = army.reactor.net().stats().events - events;
    assert_eq!(told, Limits::default().events as u64);
}

#[test]
fn every_idle_timeout_is_told_once_and_no_more_of_them_in_a_turn_than_may_be() {
    let mut army = Army::new();
    army.stand_in.advance(IDLE);
    army.turn_until_quiet();
    assert_eq!(
        army.timeouts.get(),
        0,
        "the tick that is not over yet counts"
    );
    army.stand_in.advance(Duration::from_millis(1));
    army.reactor.net().limits.idle_timeouts = 1_000;
    for expired in [1_000, 2_000, CONNECTIONS, CONNECTIONS] {
        army.turn();
        assert_eq!(army.timeouts.get(), expired);
    }
    army.stand_in.advance(2 * IDLE);
    army.turn_until_quiet();
    assert_eq!(army.timeouts.get(), CONNECTIONS, "silence is told once");

    army.stand_in.peers_send(&[7]);
    army.turn_until_quiet();
    army.stand_in.advance(2 * IDLE);
    army.turn_until_quiet();
    assert_eq!(army.timeouts.get(), CONNECTIONS + 1, "until a byte moves");
}

#[test]
fn nothing_stays_open_when_all_peers_have_hung_up() {
    let mut army = Army::new();
    army.stand_in.peers_send(&[5]);
    army.stand_in.peers_hang_up();
    army.turn_until_quiet();
    assert_eq!(army.ends.get(), CONNECTIONS);
    assert_eq!(army.stand_in.open_connections(), 0);
    assert_eq!(army.reactor.net().stats().sockets, 0);
    assert_eq!(army.reactor.next_timeout(), None, "no idle timeout is left");
    army.stand_in.peers_send(&[0]); // into the void
    army.turn_until_quiet();
    assert_eq!(army.stand_in.reads(), 0);
}

#[test]
fn whatever_else_a_loop_asks_for_fails() {
    let mut reactor = StandIn::new().reactor();
    assert!(reactor.net().remote().is_err());
}
