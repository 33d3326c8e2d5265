//! Group D: writes that are refused, that are cut off, or that find nobody (D7, D8, D10 to D13).
//!
//! D9 comes with lingering end.

use crate::apart::*;
use crate::support::*;
use bytes::Bytes;
use netloop::{Error, ListenOptions, Reactor};
use std::cell::RefCell;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;

#[test]
fn d7_a_write_after_end_is_one_error_later_and_what_came_before_arrives() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let mut socket = at(&mut reactor, id);
    socket.write_then(b"hello", completion("first", &log));
    socket.end();
    socket.end();
    assert!(!socket.write_then(b"late", completion("late", &log)));
    assert!(!socket.write_then(b"later", completion("later", &log)));
    socket.destroy_with(Error::other("too late to be the reason"));
    assert!(log.lines().is_empty());
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "first ok",
            "late ERR_STREAM_WRITE_AFTER_END",
            "later ERR_STREAM_WRITE_AFTER_END",
            "socket error ERR_STREAM_WRITE_AFTER_END",
            "socket close true"
        ]
    );
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"hello");
}

#[test]
fn d7_a_second_end_changes_nothing_and_a_write_after_destroy_is_no_error() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    at(&mut reactor, id).end();
    turn_until_line(&mut reactor, &log, "socket finish");
    at(&mut reactor, id).end();
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["socket finish"]);
    let mut socket = at(&mut reactor, id);
    socket.destroy();
    assert!(!socket.write_then(b"late", completion("late", &log)));
    assert!(!socket.write(b"later"));
    socket.end();
    turn_until_quiet(&mut reactor);
    let expected = [
        "socket finish",
        "late ERR_STREAM_WRITE_AFTER_END",
        "socket close false",
    ];
    assert_eq!(log.lines(), expected);
    assert_eq!(uninterrupted(|| peer.read(&mut [0; 8])).unwrap(), 0);
    assert!(reactor.net().socket(id).is_none());
}

#[test]
fn d8_destroy_with_a_full_queue_fails_its_writes_and_gives_its_memory_back_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = accepted(&mut reactor, recorder("socket", &log));
    let shared = Bytes::from(pattern(BIG));
    let mut socket = at(&mut reactor, id);
    socket.write_bytes(shared.clone());
    socket.write_then(b"one", completion("one", &log));
    socket.write_then(b"two", completion("two", &log));
    assert!(!shared.is_unique() && socket.buffer_size() > 1024 * 1024);
    socket.destroy();
    assert_eq!(socket.buffer_size(), 0);
    assert!(shared.is_unique(), "the queue let go of it");
    assert!(log.lines().is_empty());
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        ["one ECANCELED", "two ECANCELED", "socket close false"]
    );
}

#[test]
fn d10_a_producer_that_ignores_false_is_stopped_at_the_cap_and_nobody_else_is() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let ids = Rc::new(RefCell::new(Vec::new()));
    let seen = ids.clone();
    let cap = 2 * 1024 * 1024;
    let options = ListenOptions::from("127.0.0.1:0").write_cap(Some(cap));
    let server = reactor.net().listen(options, move |socket| {
        seen.borrow_mut().push(socket.id());
        recorder(["stubborn", "other"][seen.borrow().len() - 1], &told)
    });
    let address = inet(server.unwrap().address().unwrap());
    let (_deaf, mut other) = (plain_peer(address), plain_peer(address));
    turn_until(&mut reactor, |_| ids.borrow().len() == 2);
    let piece = Bytes::from(pattern(64 * 1024));
    let (mut given, mut most) = (0, 0);
    let mut stubborn = at(&mut reactor, ids.borrow()[0]);
    while !stubborn.destroyed() {
        stubborn.write_bytes(piece.clone());
        given += piece.len();
        most = most.max(stubborn.buffer_size());
        assert!(given < 100 * 1024 * 1024, "the cap never came");
    }
    assert!(most > cap && most <= cap + piece.len(), "{most}");
    assert_eq!(stubborn.buffer_size(), 0);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("stubborn"), ["error ENOBUFS", "close true"]);
    other.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "other data 5");
}

#[test]
fn d10_the_cap_stands_by_default() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _deaf) = accepted(&mut reactor, recorder("socket", &log));
    let piece = Bytes::from(pattern(1024 * 1024));
    let mut socket = at(&mut reactor, id);
    let given = (0..100).find(|_| {
        socket.write_bytes(piece.clone());
        socket.destroyed()
    });
    assert!(given.expect("stopped before 100 MB") >= 16);
    turn_until_line(&mut reactor, &log, "socket close true");
    assert_eq!(log.lines(), ["socket error ENOBUFS", "socket close true"]);
}

#[test]
fn d11_a_reset_with_the_queue_full_fails_all_writes_in_order_and_is_told_once() {
    for ended in [false, true] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (id, peer) = accepted(&mut reactor, recorder("socket", &log));
        let mut socket = at(&mut reactor, id);
        socket.write_then(&pattern(BIG), completion("one", &log));
        socket.write_then(b"2", completion("two", &log));
        socket.write_then(b"3", completion("three", &log));
        if ended {
            socket.end(); // the FIN is still to come when the reset does
        }
        turn_until_quiet(&mut reactor);
        assert!(log.lines().is_empty(), "{log:?}");
        reset(peer);
        turn_until_line(&mut reactor, &log, "socket close true");
        turn_until_quiet(&mut reactor);
        let expected = [
            "one ECONNRESET",
            "two ECONNRESET",
            "three ECONNRESET",
            "socket error ECONNRESET",
            "socket close true",
        ];
        assert_eq!(log.lines(), expected, "ended: {ended}");
    }
}

#[test]
fn d11_a_write_to_a_peer_that_was_reset_meanwhile_tells_it_once() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, peer) = accepted(&mut reactor, recorder("socket", &log));
    turn_until_quiet(&mut reactor);
    reset(peer);
    // The kernel knows, the loop does not: the direct write is the first to hear of it.
    let mut socket = at(&mut reactor, id);
    assert!(!socket.write_then(&pattern(100_000), completion("large", &log)));
    assert!(socket.destroyed());
    turn_until_line(&mut reactor, &log, "socket close true");
    turn_until_quiet(&mut reactor);
    let expected = [
        "large ECONNRESET",
        "socket error ECONNRESET",
        "socket close true",
    ];
    assert_eq!(log.lines(), expected);
}

#[test]
fn d12_no_send_to_a_dead_peer_raises_sigpipe() {
    let name = "d_refused::d12_no_send_to_a_dead_peer_raises_sigpipe";
    // Rust's own `main` ignores SIGPIPE, the host of a library may not. A blocked signal stays
    // pending even if it is ignored, and there it can be seen.
    apart(name, "exec env --block-signal=PIPE", || {
        let raised = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let pending = status
                .lines()
                .find_map(|line| line.strip_prefix("SigPnd:"))
                .unwrap();
            let mask = u64::from_str_radix(pending.trim(), 16).unwrap();
            mask & 1 << (libc::SIGPIPE - 1) != 0
        };
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        // Single, vectored, and straight from the caller's slice; the last two calls each.
        let pieces: [&[Bytes]; 3] = [
            &[Bytes::from_static(b"small")],
            &[Bytes::from(pattern(3000)), Bytes::from(pattern(3000))],
            &[Bytes::from(pattern(100_000))],
        ];
        for pieces in pieces {
            let (id, peer) = accepted(&mut reactor, recorder("socket", &log));
            let mut socket = at(&mut reactor, id);
            socket.pause(); // so that a write, not a read, is the first to hear of it
            // Behind a FIN a reset is EPIPE to the next write, and that is what raises the signal.
            peer.shutdown(Shutdown::Write).unwrap();
            reset(peer);
            socket.cork();
            for piece in pieces {
                socket.write_bytes(piece.clone());
            }
            socket.uncork();
            turn_until_line(&mut reactor, &log, "socket close true");
            assert!(!raised(), "by {} pieces", pieces.len());
            log.clear();
        }
        let calls = reactor.net().stats().syscalls;
        assert!(calls.write >= 2 && calls.write_vectored >= 1, "{calls:?}");

        // The test can see: std's own vectored write to a dead peer raises it.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut plain = plain_peer(listener.local_addr().unwrap());
        reset(listener.accept().unwrap().0);
        assert!(uninterrupted(|| plain.read(&mut [0; 1])).is_err()); // takes the error, so that EPIPE is next
        let both = [IoSlice::new(b"a"), IoSlice::new(b"b")];
        let error = plain.write_vectored(&both).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(raised());
    });
}

#[test]
fn d13_room_for_an_empty_queue_is_no_work() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    at(&mut reactor, id).write(&pattern(BIG));
    read_while_turning(&mut reactor, &mut peer, BIG).unwrap();
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["socket drain"]);
    assert_eq!(at(&mut reactor, id).buffer_size(), 0);
    // Room goes on coming and going, with nobody waiting for it.
    let before = reactor.net().stats();
    for _ in 0..20 {
        at(&mut reactor, id).write(&pattern(10_000));
        turn_until_quiet(&mut reactor);
        peer.read_exact(&mut vec![0; 10_000]).unwrap();
        turn_until_quiet(&mut reactor);
    }
    let after = reactor.net().stats();
    assert!(after.events - before.events <= 20, "{after:?}");
    assert_eq!(after.syscalls.write - before.syscalls.write, 20);
    assert_eq!(after.syscalls.epoll_ctl, before.syscalls.epoll_ctl);
    assert_eq!(reactor.next_timeout(), None);
}

#[test]
fn d13_a_hung_up_socket_that_is_kept_does_not_spin() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, peer) = accepted(&mut reactor, recorder("socket", &log));
    // With WRITABLE in its interest, both sides shut, and nobody who reads: HUP and room for ever.
    let mut socket = at(&mut reactor, id);
    socket.write(&pattern(BIG));
    socket.pause();
    turn_until_quiet(&mut reactor);
    let mut reader = peer.try_clone().unwrap();
    read_while_turning(&mut reactor, &mut reader, BIG).unwrap();
    self::at(&mut reactor, id).end();
    peer.shutdown(Shutdown::Write).unwrap();
    let before = reactor.net().stats().events;
    turn_until_quiet(&mut reactor);
    assert!(reactor.net().stats().events - before <= 2);
    assert_eq!(reactor.next_timeout(), None, "asleep");
    assert_eq!(log.lines(), ["socket drain", "socket finish"]);
    self::at(&mut reactor, id).resume();
    turn_until_line(&mut reactor, &log, "socket close false");
    let expected = [
        "socket drain",
        "socket finish",
        "socket end",
        "socket close false",
    ];
    assert_eq!(log.lines(), expected);
}
