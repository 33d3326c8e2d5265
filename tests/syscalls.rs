//! How often an ordinary conversation enters the kernel, by the loop's own count.
//!
//! That a paused loop and an idle one sleep through is in `idle_army.rs`; that a pause and a resume
//! within a turn cost nothing, in `faults/c_reading.rs` (C5).

mod support;

use netloop::{Event, Reactor, Syscalls, handler_fn};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use support::{PATIENCE, accepted, at, listen, plain_peer, turn_until_quiet};

fn syscalls(reactor: &mut Reactor) -> Syscalls {
    reactor.net().stats().syscalls
}

#[test]
fn an_echo_among_fifty_connections_costs_a_read_a_send_and_its_share_of_a_poll() {
    const PEERS: u64 = 50;
    const ROUNDS: u64 = 20;

    let mut reactor = Reactor::new().unwrap();
    let echoed = Rc::new(Cell::new(0));
    let count = echoed.clone();
    let address = listen(&mut reactor, move |_| {
        let count = count.clone();
        handler_fn(move |socket, event| {
            if let Event::Data(bytes) = event {
                assert!(socket.write(bytes));
                count.set(count.get() + 1);
            }
        })
    });
    let mut peers: Vec<TcpStream> = (0..PEERS).map(|_| plain_peer(address)).collect();
    turn_until_quiet(&mut reactor);

    let before = syscalls(&mut reactor);
    let mut message = [7; 64];
    for round in 1..=ROUNDS {
        for peer in &mut peers {
            peer.write_all(&message).unwrap();
        }
        while echoed.get() < round * PEERS {
            reactor.turn(Some(PATIENCE)).unwrap();
        }
        for peer in &mut peers {
            peer.read_exact(&mut message).unwrap();
        }
    }
    let after = syscalls(&mut reactor);
    let messages = ROUNDS * PEERS;
    assert_eq!(after.read - before.read, messages);
    assert_eq!(after.write - before.write, messages);
    let total = after.total() - before.total();
    assert!(10 * total <= 21 * messages, "{total} for {messages}");
}

#[test]
fn sixteen_small_replies_to_one_read_leave_in_one_send() {
    let mut reactor = Reactor::new().unwrap();
    let replying = handler_fn(|socket, event| {
        if let Event::Data(bytes) = event {
            for request in bytes.chunks(64) {
                assert!(socket.write(request));
            }
        }
    });
    let (id, mut peer) = accepted(&mut reactor, replying);
    turn_until_quiet(&mut reactor);
    for _ in 0..3 {
        let before = syscalls(&mut reactor);
        let sent: Vec<u8> = (0..16 * 64).map(|at| (at / 64) as u8).collect();
        let echoed = at(&mut reactor, id).bytes_written() + sent.len() as u64;
        peer.write_all(&sent).unwrap();
        while at(&mut reactor, id).bytes_written() < echoed {
            reactor.turn(Some(PATIENCE)).unwrap();
        }
        let after = syscalls(&mut reactor);
        assert_eq!(after.read - before.read, 1);
        assert_eq!(after.write - before.write, 1);
        assert_eq!(after.total() - before.total(), 3, "and a poll");
        let mut back = vec![0; sent.len()];
        peer.read_exact(&mut back).unwrap();
        assert_eq!(back, sent);
    }
}

#[test]
fn each_flush_between_replies_costs_one_send_more_and_none_where_nothing_waits() {
    for flushes in [0, 1, 3] {
        let mut reactor = Reactor::new().unwrap();
        let replying = handler_fn(move |socket, event| {
            if let Event::Data(_) = event {
                socket.write(b"first");
                for reply in [b"one", b"two", b"six"].iter().take(flushes) {
                    socket.flush_now();
                    socket.flush_now(); // nothing waits
                    socket.write(*reply);
                }
            }
        });
        let (id, mut peer) = accepted(&mut reactor, replying);
        turn_until_quiet(&mut reactor);
        let before = syscalls(&mut reactor);
        peer.write_all(b"?").unwrap();
        while at(&mut reactor, id).bytes_written() == 0 {
            reactor.turn(Some(PATIENCE)).unwrap();
        }
        let after = syscalls(&mut reactor);
        assert_eq!(after.write - before.write, 1 + flushes as u64);
        assert_eq!(after.total() - before.total(), 3 + flushes as u64);
        let mut replies = vec![0; 5 + 3 * flushes];
        peer.read_exact(&mut replies).unwrap();
        assert_eq!(replies, &b"firstonetwosix"[..replies.len()]);
    }
}
