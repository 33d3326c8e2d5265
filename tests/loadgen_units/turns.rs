//! One connection of the generator and its peer, on one thread: the loop is turned by hand, so that the
//! order of things is the test's and nobody's timing. What one end of a loopback connection has sent is at
//! the other end when the call returns.

use crate::arguments;
use crate::connection::connect;
use crate::run::{Phase, Run, Shared, State};
use crate::schedule::begin_load;
use netloop::Reactor;
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long is waited for what should happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

struct Stage {
    reactor: Reactor,
    run: Shared,
    listener: TcpListener,
}

impl Stage {
    /// A run with these options, before its first connection.
    fn new(options: &str) -> Stage {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let words = options.split_whitespace().map(str::to_string);
        let arguments = arguments::parse(words.chain([address])).unwrap();
        let mut reactor = Reactor::new().unwrap();
        let run = Rc::new(RefCell::new(Run::new(arguments, reactor.net())));
        Stage {
            reactor,
            run,
            listener,
        }
    }

    /// Turns the loop until the run is as it should be.
    #[track_caller]
    fn turn_until(&mut self, done: impl Fn(&Run) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(&self.run.borrow()) {
            assert!(Instant::now() < deadline, "waited in vain");
            self.reactor.turn(Some(Duration::from_millis(10))).unwrap();
        }
    }

    /// Opens the connection of a new slot; answers with the slot and the peer.
    #[track_caller]
    fn open(&mut self) -> (usize, TcpStream) {
        let slot = self.run.borrow_mut().add_slot();
        connect(self.reactor.net(), &self.run, slot);
        self.turn_until(|run| run.slots[slot].state == State::Connected);
        (slot, self.accept())
    }

    fn accept(&self) -> TcpStream {
        let (peer, _) = self.listener.accept().unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        peer
    }
}

/// Asserts that nothing has come to `peer`.
#[track_caller]
fn assert_silent(peer: &mut TcpStream) {
    peer.set_nonblocking(true).unwrap();
    let came = peer.read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(came, Err(ErrorKind::WouldBlock));
    peer.set_nonblocking(false).unwrap();
}

#[test]
fn the_next_batch_leaves_when_all_of_the_one_before_is_answered() {
    for size in [10, 5000] {
        let mut stage = Stage::new(&format!("-c1 -p4 -s{size} --protocol lines"));
        stage.run.borrow_mut().phase = Phase::WarmUp;
        let (slot, mut peer) = stage.open();
        let mut batch = vec![0; 4 * size];
        for _ in 0..3 {
            stage.turn_until(|run| run.slots[slot].under_way.len() == 4);
            stage.reactor.turn(Some(Duration::ZERO)).unwrap();
            peer.read_exact(&mut batch).unwrap();
            for left in (1..4).rev() {
                peer.write_all(b"answer\n").unwrap();
                stage.turn_until(|run| run.slots[slot].under_way.len() == left);
                stage.reactor.turn(Some(Duration::ZERO)).unwrap(); // it would have left by now
                assert_silent(&mut peer);
            }
            peer.write_all(b"answer\n").unwrap();
        }
    }
}

#[test]
fn a_connection_lost_in_the_turn_in_which_the_load_begins_is_replaced_by_one() {
    let mut stage = Stage::new("-c1 --warmup=0");
    let (slot, peer) = stage.open();
    let run = stage.run.clone();
    let timer = Duration::from_millis(1);
    let began = Instant::now();
    (stage.reactor.net()).set_timeout(timer, move |net| begin_load(net, &run));
    drop(peer);
    // The end of the one and the timer of the other are both there when the turn begins: it tells the end,
    // runs the timer, and tells the close.
    while began.elapsed() < 5 * timer {
        std::hint::spin_loop();
    }
    stage.turn_until(|run| run.measure.opened == 2);
    let run = stage.run.borrow();
    assert_eq!(run.slots[slot].state, State::Connected);
    assert_eq!((run.connecting, run.measure.open), (0, 1));
    assert_eq!((run.attempts, run.measure.closed_by_peer), (2, 1));
}
