//! E6: a panic in the user's code costs the one socket it was about, and nothing else.
//!
//! `resume_unwind` stands for `panic!`: it unwinds in the same way and prints nothing.

use crate::stage::*;
use crate::support::*;
use netloop::{Event, Reactor, handler_fn};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

fn panic_on_purpose() -> ! {
    resume_unwind(Box::new(OnPurpose))
}

/// Turns until the loop is quiet; answers with how many panics that took.
fn turn_through_panics(reactor: &mut Reactor) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let (mut panics, mut quiet) = (0, 0);
    while quiet < 3 {
        assert!(Instant::now() < deadline, "never quiet");
        let before = reactor.net().stats().events;
        let turn = AssertUnwindSafe(|| reactor.turn(Some(Duration::ZERO)).unwrap());
        if let Err(panic) = catch_unwind(turn) {
            assert!(panic.is::<OnPurpose>());
            panics += 1;
        }
        let busy = reactor.next_timeout() == Some(Duration::ZERO);
        quiet = if busy || reactor.net().stats().events != before {
            0
        } else {
            quiet + 1
        };
    }
    panics
}

#[test]
fn e6_a_panic_in_any_callback_costs_its_socket_and_the_loop_runs_on() {
    for within in Within::ALL {
        let mut played = play(within, |_, _| panic_on_purpose());
        assert_eq!(played.panics, 1, "within {within:?}");
        let stage = played.stage.clone();
        let net = played.reactor.net();
        let own = net.socket(stage.own.get().unwrap());
        // At the server's `close` there is nobody left at the other end.
        let gone = within.is_of_a_socket() || within == Within::ServerClose;
        assert_eq!(own.is_none(), gone, "within {within:?}: {:?}", stage.log);
        let told = stage.own_lines();
        if within == Within::Connection {
            assert!(told.is_empty(), "there was no handler yet: {told:?}");
        } else if within.is_of_a_socket() {
            let close = if within == Within::Error {
                "close true"
            } else {
                "close false"
            };
            assert_eq!(told.last().unwrap(), close, "within {within:?}");
        }

        // The sibling goes on, and so does the server.
        if within != Within::ServerClose {
            let sibling = stage.sibling.get().unwrap();
            net.socket(sibling).unwrap().write(b"sibling");
            let server = stage.server.get().unwrap();
            net.server(server).unwrap().set_max_connections(None);
            let accepted = net.stats().accepted;
            let _late = plain_peer(played.address);
            played.turn_until_quiet();
            // With the client gone before it came, the sibling's is the first that was accepted.
            let heard = ["guest data 7", "accepted data 7"].map(|line| stage.log.count(line));
            assert_eq!(
                heard.iter().sum::<usize>(),
                1,
                "within {within:?}: {:?}",
                stage.log
            );
            assert_eq!(played.reactor.net().stats().accepted, accepted + 1);
            assert!(played.reactor.net().socket(sibling).is_some());
        }
        assert_eq!(played.panics, 1, "within {within:?}");
        played.finish();
    }
}

#[test]
fn e6_panics_lose_nothing_of_their_batch() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let mut peers = Vec::new();
    for number in 0..10 {
        let who = format!("socket{number}");
        let moody = reacting(&who, &log, move |_, event| {
            if matches!(event, Event::Data(_)) && number % 2 == 0 {
                panic_on_purpose();
            }
        });
        peers.push(accepted(&mut reactor, moody).1);
    }
    let (told, mut count) = (log.clone(), 0);
    let address = listen(&mut reactor, move |_| {
        count += 1;
        if count == 2 {
            panic_on_purpose();
        }
        recorder("late", &told)
    });
    turn_until_quiet(&mut reactor);
    let mut late: Vec<_> = (0..5).map(|_| plain_peer(address)).collect();
    for peer in peers.iter_mut().chain(&mut late) {
        peer.write_all(b"hello").unwrap();
    }
    for number in 0..3 {
        let log = log.clone();
        reactor.net().set_immediate(move |_| {
            if number == 1 {
                panic_on_purpose();
            }
            log.push(format!("immediate {number}"));
        });
    }
    // Five sockets, the acceptor, one immediate.
    assert_eq!(turn_through_panics(&mut reactor), 7);
    for number in 0..10 {
        let told = log.of(&format!("socket{number}"));
        let expected: &[&str] = if number % 2 == 0 {
            &["data 5", "close false"]
        } else {
            &["data 5"]
        };
        assert_eq!(told, expected, "socket {number}");
    }
    assert_eq!(log.count("late data 5"), 4);
    assert_eq!(log.of("immediate"), ["0", "2"]);
    let stats = reactor.net().stats();
    assert_eq!((stats.accepted, stats.sockets), (15, 9));
    // The one whose acceptor panicked was closed: it had sent what nobody read.
    let _ = late[1].read(&mut [0; 8]).map(|bytes| assert_eq!(bytes, 0));
}

#[test]
fn e6_a_panic_in_one_completion_lets_the_others_run_once_in_order() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = accepted(&mut reactor, recorder("socket", &log));
    let mut socket = reactor.net().socket(id).unwrap();
    for number in 0..4 {
        let log = log.clone();
        socket.write_then(b"x", move |_, outcome| {
            log.push(format!("written {number} {}", outcome.is_ok()));
            if number == 1 {
                panic_on_purpose();
            }
        });
    }
    assert_eq!(turn_through_panics(&mut reactor), 1);
    let expected = [
        "written 0 true",
        "written 1 true",
        "written 2 true",
        "written 3 true",
        "socket close false",
    ];
    assert_eq!(log.lines(), expected);
}

#[test]
fn e6_close_waits_for_completions_however_many_of_them_panic() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = accepted(&mut reactor, recorder("socket", &log));
    let mut socket = reactor.net().socket(id).unwrap();
    for number in 0..4 {
        let log = log.clone();
        socket.write_then(b"x", move |_, _| {
            log.push(format!("written {number}"));
            panic_on_purpose();
        });
    }
    assert_eq!(turn_through_panics(&mut reactor), 4);
    let all = ["written 0", "written 1", "written 2", "written 3"];
    assert_eq!(log.lines(), [&all[..], &["socket close false"]].concat());
}

#[test]
fn e6_a_panic_in_close_leaves_an_id_that_finds_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let moody = reacting("socket", &log, |_, event| {
        if matches!(event, Event::Close { .. }) {
            panic_on_purpose();
        }
    });
    let (id, _peer) = accepted(&mut reactor, moody);
    reactor.net().socket(id).unwrap().destroy();
    let turn = AssertUnwindSafe(|| reactor.turn(Some(Duration::ZERO)).unwrap());
    assert!(catch_unwind(turn).is_err());
    assert!(reactor.net().socket(id).is_none());
    assert_eq!(turn_through_panics(&mut reactor), 0);
    assert_eq!(log.lines(), ["socket close false"]);
}

#[test]
fn e6_timers_that_were_due_with_one_that_panics_still_run() {
    let mut reactor = Reactor::new().unwrap();
    let ran = Rc::new(RefCell::new(Vec::new()));
    for number in 0..5 {
        let ran = ran.clone();
        reactor
            .net()
            .set_timeout(Duration::from_millis(1), move |_| {
                ran.borrow_mut().push(number);
                if number % 2 == 1 {
                    panic_on_purpose();
                }
            });
    }
    let rounds = Rc::new(Cell::new(0));
    let count = rounds.clone();
    reactor
        .net()
        .set_interval(Duration::from_millis(1), move |_| {
            count.set(count.get() + 1);
            panic_on_purpose();
        });
    let mut panics = 0;
    while reactor.is_alive() && panics < 10 {
        let run = AssertUnwindSafe(|| reactor.run().unwrap());
        panics += usize::from(catch_unwind(run).is_err());
    }
    assert_eq!(*ran.borrow(), [0, 1, 2, 3, 4]);
    assert_eq!(rounds.get(), 1, "an interval that panicked is gone");
    assert_eq!(panics, 3);
}

#[test]
fn e6_what_a_handler_that_panics_had_written_to_others_is_sent() {
    let mut reactor = Reactor::new().unwrap();
    let (other, mut other_peer) = accepted(&mut reactor, handler_fn(|_, _| ()));
    let (_, mut peer) = accepted(
        &mut reactor,
        handler_fn(move |socket, event| {
            if let Event::Data(_) = event {
                socket.net().socket(other).unwrap().write(b"last words");
                panic_on_purpose();
            }
        }),
    );
    peer.write_all(b"x").unwrap();
    assert_eq!(turn_through_panics(&mut reactor), 1);
    let mut heard = [0; 10];
    other_peer.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"last words");
}

/// What comes after `close` comes when slots are freed: a list that `run` must not forget.
#[test]
fn e6_a_panic_in_a_completion_after_close_lets_the_others_run_and_frees_the_socket() {
    let mut reactor = Reactor::new().unwrap();
    let ran = Rc::new(Cell::new(0));
    let (_kept, address) = refusing();
    let client = handler_fn(|_, _| ());
    let mut socket = reactor.net().connect(address, client).unwrap();
    socket.write_then(b"a", |_, _| panic_on_purpose());
    let count = ran.clone();
    socket.write_then(b"b", move |_, _| count.set(count.get() + 1));
    socket.destroy();
    let run = AssertUnwindSafe(|| reactor.run().unwrap());
    assert!(catch_unwind(run).is_err());
    reactor.run().unwrap();
    assert_eq!(ran.get(), 1);
    assert_eq!(reactor.net().stats().sockets, 0);
}
