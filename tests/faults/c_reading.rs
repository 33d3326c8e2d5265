//! Group C: reading, pausing, the end of input (C1 to C10, C12, C18).
//!
//! C11 (readable, and then nothing) and C13 (an empty buffer) need a kernel that can be told what to
//! do, and so do the other errnos of C12.

use crate::apart::*;
use crate::crowd::*;
use crate::support::*;
use netloop::{ConnectOptions, Event, ListenOptions, Reactor, ReadyState, handler_fn};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::Duration;

/// Fills the kernel's buffers on the way to a socket that does not read; answers with how much.
fn fill_the_way(peer: &mut TcpStream) -> usize {
    peer.set_nonblocking(true).unwrap();
    let piece = pattern(251 * 256);
    let mut sent = 0;
    let error = loop {
        // What is sent goes on with the pattern, also after a short write.
        match peer.write(&piece[sent % 251..]) {
            Ok(bytes) => sent += bytes,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    peer.set_nonblocking(false).unwrap();
    sent
}

#[test]
fn c1_data_and_fin_in_one_edge_are_both_told() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    turn_until_quiet(&mut reactor);
    let before = reactor.net().stats().events;
    peer.write_all(&pattern(10)).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    reactor.turn(Some(PATIENCE)).unwrap();
    assert_eq!(reactor.net().stats().events, before + 1);
    assert_eq!(
        log.lines(),
        [
            "socket data 10",
            "socket end",
            "socket finish",
            "socket close false"
        ]
    );
}

#[test]
fn c2_data_and_fin_that_came_while_paused_are_told_on_resume_without_a_packet() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    reactor.net().socket(id).unwrap().pause();
    peer.write_all(&pattern(10)).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_quiet(&mut reactor);
    assert!(log.lines().is_empty(), "{log:?}");
    assert_eq!(reactor.next_timeout(), None, "asleep");

    let mut socket = reactor.net().socket(id).unwrap();
    assert_eq!(socket.ready_state(), ReadyState::Open);
    socket.resume();
    assert!(log.lines().is_empty(), "not inside the call");
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.lines(),
        [
            "socket data 10",
            "socket end",
            "socket finish",
            "socket close false"
        ]
    );
}

#[test]
fn c3_a_reset_while_paused_spins_nothing_and_resume_tells_data_then_error() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    reactor.net().socket(id).unwrap().pause();
    peer.write_all(&pattern(10)).unwrap();
    turn_until_quiet(&mut reactor);
    let before = reactor.net().stats();
    reset(peer);
    turn_until_quiet(&mut reactor);
    let after = reactor.net().stats();
    assert!(log.lines().is_empty(), "{log:?}");
    assert_eq!(after.events - before.events, 1);
    assert_eq!(after.syscalls.read, before.syscalls.read);
    assert_eq!(reactor.next_timeout(), None, "asleep");

    reactor.net().socket(id).unwrap().resume();
    turn_until_line(&mut reactor, &log, "socket close true");
    assert_eq!(
        log.lines(),
        [
            "socket data 10",
            "socket error ECONNRESET",
            "socket close true"
        ]
    );
}

#[test]
fn c3_a_reset_while_paused_for_ever_still_meets_the_idle_timeout() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let destroying = reacting("socket", &log, |socket, event| {
        if let Event::Timeout = event {
            socket.destroy();
        }
    });
    let (id, peer) = accepted(&mut reactor, destroying);
    let mut socket = reactor.net().socket(id).unwrap();
    socket.pause();
    socket.set_timeout(Duration::from_millis(10));
    reset(peer);
    let before = reactor.net().stats().turns;
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(log.lines(), ["socket timeout", "socket close false"]);
    // The reset, the timeout, and a wake-up for each level of the wheel that it passes.
    assert!(reactor.net().stats().turns - before <= 6);
}

#[test]
fn c4_pause_inside_data_stops_at_once_and_resume_needs_no_new_edge() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let got = Rc::new(RefCell::new(Vec::new()));
    let kept = got.clone();
    let pausing = reacting("socket", &log, move |socket, event| {
        if let Event::Data(bytes) = event {
            kept.borrow_mut().extend_from_slice(bytes);
            socket.pause();
        }
    });
    let (id, mut peer) = accepted(&mut reactor, pausing);
    turn_until_quiet(&mut reactor);
    let waiting = fill_the_way(&mut peer);
    assert!(waiting > 256 * 1024, "{waiting}");

    let mut told = 0;
    while got.borrow().len() < waiting {
        turn_until_quiet(&mut reactor);
        told += 1;
        assert_eq!(log.lines().len(), told, "one for each resume: {log:?}");
        reactor.net().socket(id).unwrap().resume();
    }
    assert!(*got.borrow() == pattern(waiting));
}

#[test]
fn c5_a_million_toggles_in_a_turn_are_one_system_call_at_most() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let toggling = reacting("socket", &log, |socket, event| {
        if let Event::Data(_) = event {
            for _ in 0..500_000 {
                socket.pause();
                socket.resume();
            }
        }
    });
    let (id, mut peer) = accepted(&mut reactor, toggling);
    peer.write_all(b"abc").unwrap();
    let before = reactor.net().stats().syscalls.epoll_ctl;
    turn_until_line(&mut reactor, &log, "socket data 3");
    assert_eq!(reactor.net().stats().syscalls.epoll_ctl, before);

    // And from outside, with the interest parked when it begins.
    reactor.net().socket(id).unwrap().pause();
    peer.write_all(b"de").unwrap();
    turn_until_quiet(&mut reactor);
    let before = reactor.net().stats().syscalls.epoll_ctl;
    let mut socket = reactor.net().socket(id).unwrap();
    for _ in 0..1000 {
        socket.resume();
        socket.pause();
    }
    socket.resume();
    turn_until_line(&mut reactor, &log, "socket data 2");
    assert_eq!(reactor.net().stats().syscalls.epoll_ctl, before + 1);
    assert_eq!(log.lines(), ["socket data 3", "socket data 2"]);
}

#[test]
fn c5_toggles_across_turns_lose_nothing_and_cost_a_call_each_at_most() {
    let mut reactor = Reactor::new().unwrap();
    let got = Rc::new(RefCell::new(Vec::new()));
    let kept = got.clone();
    let (id, mut peer) = accepted(
        &mut reactor,
        handler_fn(move |_, event| {
            if let Event::Data(bytes) = event {
                kept.borrow_mut().extend_from_slice(bytes);
            }
        }),
    );
    turn_until_quiet(&mut reactor);
    let sent = pattern(2000);
    for (at, byte) in sent.iter().enumerate() {
        let before = reactor.net().stats().syscalls.epoll_ctl;
        let mut socket = reactor.net().socket(id).unwrap();
        if at % 3 == 0 {
            socket.resume()
        } else {
            socket.pause()
        }
        peer.write_all(&[*byte]).unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(reactor.net().stats().syscalls.epoll_ctl - before <= 1);
    }
    reactor.net().socket(id).unwrap().resume();
    turn_until(&mut reactor, |_| got.borrow().len() == sent.len());
    assert!(*got.borrow() == sent);
}

#[test]
fn c6_a_dribble_into_1000_paused_sockets_wakes_the_loop_once_for_each_pause() {
    let name =
        "c_reading::c6_a_dribble_into_1000_paused_sockets_wakes_the_loop_once_for_each_pause";
    apart(name, ROOM, || {
        const SIZE: usize = 1000;
        let mut reactor = Reactor::new().unwrap();
        let told = Rc::new(Cell::new(0));
        let count = told.clone();
        let mut crowd = crowd(&mut reactor, SIZE, move |_, _| {
            let count = count.clone();
            handler_fn(move |_, event| {
                if let Event::Data(bytes) = event {
                    count.set(count.get() + bytes.len());
                }
            })
        });
        turn_until_quiet(&mut reactor);
        for id in &crowd.ids {
            reactor.net().socket(*id).unwrap().pause();
        }
        let before = reactor.net().stats();
        for _ in 0..10 {
            for peer in &mut crowd.peers {
                peer.write_all(b"x").unwrap();
            }
            turn_until_quiet(&mut reactor);
        }
        let after = reactor.net().stats();
        assert_eq!(after.events - before.events, SIZE as u64);
        assert_eq!(after.syscalls.read, before.syscalls.read);
        assert_eq!(told.get(), 0);

        for id in &crowd.ids {
            reactor.net().socket(*id).unwrap().resume();
        }
        turn_until(&mut reactor, |_| told.get() == 10 * SIZE);
    });
}

#[test]
fn c7_a_flooder_gets_its_budget_and_all_others_theirs_in_the_same_turn() {
    let name = "c_reading::c7_a_flooder_gets_its_budget_and_all_others_theirs_in_the_same_turn";
    apart(name, ROOM, || {
        const OTHERS: usize = 900;
        let mut reactor = Reactor::new().unwrap();
        let (flooded, told) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (bytes_of_flooder, count) = (flooded.clone(), told.clone());
        let (_, mut flooder) = accepted(
            &mut reactor,
            handler_fn(move |_, event| {
                if let Event::Data(bytes) = event {
                    bytes_of_flooder.set(bytes_of_flooder.get() + bytes.len());
                }
            }),
        );
        let mut crowd = crowd(&mut reactor, OTHERS, move |_, _| {
            let count = count.clone();
            handler_fn(move |_, event| {
                if let Event::Data(_) = event {
                    count.set(count.get() + 1);
                }
            })
        });
        flooder.set_nonblocking(true).unwrap();

        for round in 1..=5 {
            // Until neither kernel takes any more: a thread that floods might just be asleep.
            while flooder.write(&[0; 64 * 1024]).is_ok() {}
            for peer in &mut crowd.peers {
                peer.write_all(b"x").unwrap();
            }
            let before = flooded.get();
            reactor.turn(Some(Duration::ZERO)).unwrap();
            let read = flooded.get() - before;
            assert!((1..=256 * 1024).contains(&read), "{read} bytes");
            assert_eq!(told.get(), round * OTHERS, "all of them in the same turn");
        }
    });
}

#[test]
fn c8_slow_senders_own_no_buffer_and_the_idle_timeout_cuts_them() {
    let name = "c_reading::c8_slow_senders_own_no_buffer_and_the_idle_timeout_cuts_them";
    apart(name, ROOM, || {
        const SIZE: usize = 3000;
        let resident = || {
            let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
            statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
        };
        let mut reactor = Reactor::new().unwrap();
        let (told, cut) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (data, timeouts) = (told.clone(), cut.clone());
        let before = resident();
        let mut crowd = crowd(&mut reactor, SIZE, move |_, _| {
            let (data, timeouts) = (data.clone(), timeouts.clone());
            handler_fn(move |socket, event| match event {
                Event::Data(_) => data.set(data.get() + 1),
                Event::Timeout => {
                    timeouts.set(timeouts.get() + 1);
                    socket.destroy();
                }
                _ => {}
            })
        });
        for round in 1..=3 {
            for peer in &mut crowd.peers {
                peer.write_all(b"x").unwrap();
            }
            turn_until(&mut reactor, |_| told.get() == round * SIZE);
        }
        // Entry, handler, slot of the slab at double its size, and the test's own lists; the read
        // buffer and the queues of the pool are once for all.
        let once = 4 * 1024 * 1024;
        let grown = resident().saturating_sub(before);
        assert!(grown < once + SIZE * 1024, "{} bytes each", grown / SIZE);

        for id in &crowd.ids {
            reactor
                .net()
                .socket(*id)
                .unwrap()
                .set_timeout(Duration::from_millis(10));
        }
        turn_until(&mut reactor, |net| net.stats().sockets == 0);
        assert_eq!(cut.get(), SIZE);
    });
}

#[test]
fn c9_a_fin_is_answered_behind_the_queue_unless_half_open_sockets_are_allowed() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let answering = reacting("socket", &log, |socket, event| {
        if let Event::End = event {
            assert!(socket.writable());
            socket.write(&pattern(1_000_000));
        }
    });
    let (_, mut peer) = accepted(&mut reactor, answering);
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "socket end");
    let got = read_while_turning(&mut reactor, &mut peer, usize::MAX).unwrap();
    assert!(got == pattern(1_000_000));
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.lines(),
        ["socket end", "socket finish", "socket close false"]
    );
}

#[test]
fn c9_a_half_open_socket_goes_on_writing_until_it_ends_itself() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (told, id) = (log.clone(), Rc::new(Cell::new(None)));
    let seen = id.clone();
    let options = ListenOptions::from("127.0.0.1:0").allow_half_open(true);
    let server = reactor.net().listen(options, move |socket| {
        seen.set(Some(socket.id()));
        recorder("socket", &told)
    });
    let mut peer = plain_peer(inet(server.unwrap().address().unwrap()));
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "socket end");
    turn_until_quiet(&mut reactor);
    assert_eq!(reactor.next_timeout(), None, "a FIN alone spins nothing");
    let id = id.get().unwrap();
    for _ in 0..100 {
        assert!(reactor.net().socket(id).unwrap().write(b"late"));
        turn_until_quiet(&mut reactor);
    }
    assert_eq!(
        reactor.net().socket(id).unwrap().ready_state(),
        ReadyState::WriteOnly
    );
    reactor.net().socket(id).unwrap().end();
    let got = read_while_turning(&mut reactor, &mut peer, usize::MAX).unwrap();
    assert_eq!(got, b"late".repeat(100));
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.lines(),
        ["socket end", "socket finish", "socket close false"]
    );
}

#[test]
fn c10_a_peer_that_half_closes_on_a_full_queue_gets_all_of_it() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let size = 15 * 1024 * 1024; // more than the kernel takes

    assert!(!reactor.net().socket(id).unwrap().write(&pattern(size)));
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "socket end");
    turn_until_quiet(&mut reactor);
    assert!(reactor.net().socket(id).unwrap().buffer_size() > 0);
    assert_eq!(log.lines(), ["socket end"], "no FIN before the last byte");
    let got = read_while_turning(&mut reactor, &mut peer, usize::MAX).unwrap();
    assert!(got == pattern(size));
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.lines(),
        ["socket end", "socket finish", "socket close false"]
    );
}

#[test]
fn c12_a_reset_is_one_error_and_one_close_whoever_waits_for_what() {
    for writing in [false, true] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (id, peer) = accepted(&mut reactor, recorder("socket", &log));
        if writing {
            reactor
                .net()
                .socket(id)
                .unwrap()
                .write(&pattern(8 * 1024 * 1024));
        }
        turn_until_quiet(&mut reactor);
        reset(peer);
        turn_until_line(&mut reactor, &log, "socket close true");
        turn_until_quiet(&mut reactor);
        assert_eq!(
            log.lines(),
            ["socket error ECONNRESET", "socket close true"]
        );
        assert!(reactor.net().socket(id).is_none());
    }
}

#[test]
fn c12_a_connected_socket_tells_a_reset_as_an_accepted_one_does() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = ConnectOptions::from(listener.local_addr().unwrap());
    reactor
        .net()
        .connect(options, recorder("client", &log))
        .unwrap();
    turn_until_line(&mut reactor, &log, "client ready");
    reset(listener.accept().unwrap().0);
    turn_until_line(&mut reactor, &log, "client close true");
    assert_eq!(log.of("client")[3..], ["error ECONNRESET", "close true"]);
}

#[test]
fn c18_bytes_that_came_before_their_handler_wait_for_it() {
    // Another form in Rust: a socket always has a handler, so what may come late is the right one.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (told, id) = (log.clone(), Rc::new(Cell::new(None)));
    let seen = id.clone();
    let options = ListenOptions::from("127.0.0.1:0").pause_on_connect(true);
    let server = reactor.net().listen(options, move |socket| {
        seen.set(Some(socket.id()));
        recorder("first", &told)
    });
    let mut peer = plain_peer(inet(server.unwrap().address().unwrap()));
    peer.write_all(&pattern(10)).unwrap();
    turn_until(&mut reactor, |_| id.get().is_some());
    peer.write_all(&pattern(10)).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_quiet(&mut reactor);
    let mut socket = reactor.net().socket(id.get().unwrap()).unwrap();
    assert_eq!(socket.bytes_read(), 0);
    socket.set_handler(recorder("second", &log));
    socket.resume();
    turn_until_line(&mut reactor, &log, "second close false");
    let expected = [
        "second data 20",
        "second end",
        "second finish",
        "second close false",
    ];
    assert_eq!(log.lines(), expected);
    assert_eq!(uninterrupted(|| peer.read(&mut [0; 8])).unwrap(), 0);
}
