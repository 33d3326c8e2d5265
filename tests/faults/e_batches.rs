//! E1, E2, E8, E10, E11: what happens to the rest of a batch.
//!
//! E3 and E9 need tokens that the kernel would not give: they stand beside the slots and on the
//! scripted kernel.

use crate::apart::*;
use crate::crowd::*;
use crate::support::*;
use netloop::{Event, Reactor, SocketId, handler_fn};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

/// Two sockets of which each destroys the other at its first data.
fn enemies(reactor: &mut Reactor, log: &Log) -> [(SocketId, TcpStream); 2] {
    let ids = Rc::new(RefCell::new(Vec::new()));
    let mut enemy = |who: &str, other: usize| {
        let known = ids.clone();
        let destroying = reacting(who, log, move |socket, event| {
            if let Event::Data(_) = event {
                let other = known.borrow()[other];
                socket.net().socket(other).unwrap().destroy();
            }
        });
        let (id, peer) = accepted(reactor, destroying);
        ids.borrow_mut().push(id);
        (id, peer)
    };
    [enemy("a", 1), enemy("b", 0)]
}

#[test]
fn e1_a_socket_destroyed_by_the_one_before_it_in_the_batch_hears_only_close() {
    for a_first in [true, false] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let [(_, mut a), (_, mut b)] = enemies(&mut reactor, &log);
        turn_until_quiet(&mut reactor);
        let before = reactor.net().stats();
        let (first, second) = if a_first {
            (&mut a, &mut b)
        } else {
            (&mut b, &mut a)
        };
        first.write_all(b"x").unwrap();
        second.write_all(b"x").unwrap();
        reactor.turn(Some(PATIENCE)).unwrap();
        let after = reactor.net().stats();
        assert_eq!(after.events - before.events, 2, "one batch");
        assert_eq!(after.syscalls.read - before.syscalls.read, 1);
        turn_until_quiet(&mut reactor);
        let expected = if a_first {
            ["a data 1", "b close false"]
        } else {
            ["b data 1", "a close false"]
        };
        assert_eq!(log.lines(), expected);
    }
}

#[test]
fn e2_a_newcomer_never_gets_the_event_of_the_socket_whose_place_it_took() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (told, newcomer) = (log.clone(), Rc::new(Cell::new(None)));
    let (victim, made) = (Rc::new(Cell::new(None::<SocketId>)), newcomer.clone());
    let to_destroy = victim.clone();
    let replacing = reacting("a", &log, move |socket, event| {
        if let Event::Data(_) = event {
            let net = socket.net();
            net.socket(to_destroy.get().unwrap()).unwrap().destroy();
            let id = net
                .connect(address, recorder("newcomer", &told))
                .unwrap()
                .id();
            made.set(Some(id));
        }
    });
    let (_, mut a) = accepted(&mut reactor, replacing);
    let (b_id, mut b) = accepted(&mut reactor, recorder("b", &log));
    victim.set(Some(b_id));
    turn_until_quiet(&mut reactor);
    a.write_all(b"x").unwrap();
    b.write_all(b"for b alone").unwrap();
    turn_until_line(&mut reactor, &log, "newcomer ready");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("b"), ["close false"]);
    let attempt = format!("attempt {address}");
    assert_eq!(log.of("newcomer"), [attempt.as_str(), "connect", "ready"]);
    assert_ne!(newcomer.get(), Some(b_id));
    assert!(reactor.net().socket(b_id).is_none());

    // Its slot is free by now: the next one takes it, and the old id still finds nothing.
    let mut again = Vec::new();
    for _ in 0..4 {
        let id = reactor
            .net()
            .connect(address, recorder("later", &log))
            .unwrap()
            .id();
        assert_ne!(id, b_id);
        again.push(id);
    }
    assert!(reactor.net().socket(b_id).is_none());
    turn_until_lines(&mut reactor, &log, "later ready", again.len());
}

#[test]
fn e8_stop_in_the_middle_of_a_batch_loses_none_of_it() {
    // That `run` is called inside a callback is no state here: a handler has no reactor to call.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    // More peers than a turn accepts, so that the edge is used up and the backlog is not.
    let told = log.clone();
    let address = listen(&mut reactor, move |socket| {
        socket.net().stop();
        told.push("connection");
        handler_fn(|_, _| ())
    });
    let (_, mut other) = accepted(&mut reactor, recorder("other", &log));
    turn_until_quiet(&mut reactor);
    let _peers: Vec<_> = (0..40).map(|_| plain_peer(address)).collect();
    other.write_all(b"x").unwrap();
    // A `run` that waits for an event that does not come would wait for ever.
    reactor.net().set_timeout(PATIENCE, |net| net.stop());
    reactor.run().unwrap();
    assert_eq!(log.count("connection"), 16);
    assert!(log.has("other data 1"), "in the same batch: {log:?}");
    let events = reactor.net().stats().events;
    reactor.run().unwrap();
    assert_eq!(log.count("connection"), 32);
    reactor.run().unwrap();
    assert_eq!(log.count("connection"), 40);
    assert_eq!(
        reactor.net().stats().events,
        events,
        "nothing was told twice"
    );
}

#[test]
fn e10_3000_that_are_ready_at_once_are_served_in_as_many_turns_as_batches() {
    let name = "e_batches::e10_3000_that_are_ready_at_once_are_served_in_as_many_turns_as_batches";
    apart(name, ROOM, || {
        const SIZE: usize = 3000;
        let mut reactor = Reactor::new().unwrap();
        let told = Rc::new(RefCell::new(vec![0; SIZE]));
        let counts = told.clone();
        let mut crowd = crowd(&mut reactor, SIZE, move |number, _| {
            let counts = counts.clone();
            handler_fn(move |_, event| {
                if let Event::Data(_) = event {
                    counts.borrow_mut()[number] += 1;
                }
            })
        });
        turn_until_quiet(&mut reactor);
        for round in 1..=3 {
            for peer in &mut crowd.peers {
                peer.write_all(b"x").unwrap();
            }
            for _ in 0..SIZE.div_ceil(1024) {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            assert!(
                told.borrow().iter().all(|&count| count == round),
                "the tail starves"
            );
        }
    });
}

#[test]
fn e11_3000_resets_at_once_close_all_at_a_flat_price() {
    let name = "e_batches::e11_3000_resets_at_once_close_all_at_a_flat_price";
    apart(name, ROOM, || {
        // Time on the processor, which others on the machine don't add to.
        let price = |size: usize| {
            let mut reactor = Reactor::new().unwrap();
            let closes = Rc::new(Cell::new(0));
            let count = closes.clone();
            let crowd = crowd(&mut reactor, size, move |_, _| {
                let count = count.clone();
                handler_fn(move |_, event| {
                    if let Event::Close { had_error } = event {
                        assert!(had_error);
                        count.set(count.get() + 1);
                    }
                })
            });
            turn_until_quiet(&mut reactor);
            crowd.peers.into_iter().for_each(reset);
            let (calls, started) = (reactor.net().stats().syscalls.total(), processor_nanos());
            for _ in 0..size.div_ceil(1024) {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            let took = processor_nanos() - started;
            assert_eq!(closes.get(), size);
            assert_eq!(reactor.net().stats().sockets, 0);
            let calls = reactor.net().stats().syscalls.total() - calls;
            assert!(calls <= 4 * size as u64, "{calls} system calls");
            took / size as u64
        };
        let (few, many) = (price(300), price(3000));
        assert!(many < 5 * few, "{many} ns each, {few} ns among few");
    });
}

fn processor_nanos() -> u64 {
    std::thread::yield_now(); // the account is kept up to date where threads take turns
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}
