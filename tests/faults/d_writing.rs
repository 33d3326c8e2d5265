//! Group D: writing, back-pressure, end, destroy (D1, D3 to D8, D10 to D13, D18, D19, D21).
//!
//! D2 is the queue's own affair and stands beside it; D9 comes with lingering end.

use crate::apart::*;
use crate::support::*;
use bytes::Bytes;
use netloop::{
    Error, Event, ListenOptions, Net, Reactor, ReadyState, Socket, SocketId, handler_fn,
};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// More than the kernel takes on the way to a peer that does not read.
const TOO_MUCH: usize = 8 * 1024 * 1024;

fn socket(reactor: &mut Reactor, id: SocketId) -> Socket<'_> {
    reactor.net().socket(id).expect("a socket")
}

/// A completion that logs how its write went: `WHO done`, `WHO failed CODE`.
fn logging(who: &str, log: &Log) -> impl FnOnce(&mut Net, netloop::Result<()>) + use<> {
    let (who, log) = (who.to_owned(), log.clone());
    move |_, outcome| match outcome {
        Ok(()) => log.push(format!("{who} done")),
        Err(error) => log.push(format!("{who} failed {}", error.code())),
    }
}

#[test]
fn d1_an_eagain_storm_keeps_every_byte_in_its_place() {
    let mut reactor = Reactor::new().unwrap();
    let (id, mut peer) = accepted(&mut reactor, handler_fn(|_, _| ()));
    let sent = pattern(TOO_MUCH);
    let mut rest = &sent[..];
    for size in (1..).map(|round| round * 37 % 60_000 + 1) {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        let mut socket = socket(&mut reactor, id);
        if size % 2 == 0 {
            socket.write(piece);
        } else {
            socket.write_bytes(Bytes::copy_from_slice(piece));
        }
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    assert!(
        socket(&mut reactor, id).buffer_size() > 0,
        "the kernel took it all"
    );
    // The peer takes a few bytes at a time at first, less than the kernel holds, so that room comes
    // in small pieces.
    let mut got = Vec::new();
    for size in 1..2000 {
        let mut few = vec![0; size];
        peer.read_exact(&mut few).unwrap();
        got.extend(few);
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    socket(&mut reactor, id).end();
    got.extend(read_while_turning(&mut reactor, &mut peer, usize::MAX).unwrap());
    assert!(got == sent);
}

#[test]
fn d3_a_write_of_nothing_completes_once_in_its_turn_and_sends_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    turn_until_quiet(&mut reactor);
    let before = reactor.net().stats().syscalls;
    let mut socket = socket(&mut reactor, id);
    assert!(socket.write(b""));
    assert!(socket.write_bytes(Bytes::new()));
    assert!(socket.write_then(b"", logging("empty", &log)));
    assert_eq!(socket.bytes_written(), 0);
    assert!(log.lines().is_empty(), "not inside the call");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["empty done"]);
    let after = reactor.net().stats().syscalls;
    let sends = |calls: netloop::Syscalls| (calls.write, calls.write_vectored);
    assert_eq!(sends(after), sends(before));
    log.clear();

    // Among others, and behind a queue that the kernel does not take yet.
    let mut socket = self::socket(&mut reactor, id);
    socket.write_then(&pattern(TOO_MUCH), logging("large", &log));
    socket.write_then(b"", logging("empty", &log));
    socket.write_bytes(Bytes::new());
    socket.write_then(b"tail", logging("tail", &log));
    turn_until_quiet(&mut reactor);
    assert!(log.lines().is_empty(), "{log:?}");
    let got = read_while_turning(&mut reactor, &mut peer, TOO_MUCH + 4).unwrap();
    assert!(got[..TOO_MUCH] == pattern(TOO_MUCH) && got[TOO_MUCH..] == *b"tail");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        ["large done", "empty done", "tail done", "socket drain"]
    );
}

#[test]
fn d4_half_a_million_tiny_writes_then_end_arrive_whole() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let sent = pattern(5 * 500_000);
    let mut socket = socket(&mut reactor, id);
    let mut system_calls = socket.net().stats().syscalls.total();
    for tiny in sent.chunks(5) {
        socket.write(tiny);
    }
    socket.end();
    system_calls = socket.net().stats().syscalls.total() - system_calls;
    assert!(system_calls < 1000, "{system_calls}");
    let got = read_while_turning(&mut reactor, &mut peer, usize::MAX).unwrap();
    assert!(got == sent);
    drop(peer);
    turn_until_line(&mut reactor, &log, "socket close false");
    let told: Vec<String> = log
        .lines()
        .into_iter()
        .filter(|line| line != "socket drain")
        .collect();
    assert_eq!(told, ["socket finish", "socket end", "socket close false"]);
}

#[test]
fn d4_more_pieces_than_a_call_may_carry_complete_in_order_and_once() {
    const PIECES: usize = 5000;
    let mut reactor = Reactor::new().unwrap();
    let order = Rc::new(RefCell::new(Vec::new()));
    let (id, mut peer) = accepted(&mut reactor, handler_fn(|_, _| ()));
    let piece = Bytes::from(pattern(1004)); // a multiple of the pattern's length
    let mut socket = socket(&mut reactor, id);
    socket.cork();
    for number in 0..PIECES {
        let order = order.clone();
        socket.write_bytes(piece.clone());
        socket.write_then(b"", move |_, outcome| {
            outcome.unwrap();
            order.borrow_mut().push(number);
        });
    }
    assert_eq!(socket.buffer_size(), PIECES * piece.len());
    socket.uncork();
    let total = PIECES * piece.len();
    let got = read_while_turning(&mut reactor, &mut peer, total).unwrap();
    assert!(got == pattern(total));
    turn_until_quiet(&mut reactor);
    assert!(order.borrow().iter().copied().eq(0..PIECES));
    assert!(reactor.net().stats().syscalls.write_vectored >= (PIECES as u64).div_ceil(1024));
}

#[test]
fn d5_a_drain_that_fills_the_queue_again_yields_to_the_others() {
    let mut reactor = Reactor::new().unwrap();
    let drains = Rc::new(Cell::new(0));
    let (count, inside) = (drains.clone(), Rc::new(Cell::new(false)));
    let filling = handler_fn(move |socket: &mut Socket<'_>, event: Event<'_>| {
        assert!(!inside.replace(true), "{event:?} inside an event");
        if let Event::Drain = event {
            count.set(count.get() + 1);
            while socket.write(&[0; 64 * 1024]) {}
        }
        inside.set(false);
    });
    let (id, mut reader) = accepted(&mut reactor, filling);
    let log = Log::new();
    let (_, mut pinger) = accepted(&mut reactor, recorder("pinged", &log));
    let reading = std::thread::spawn(move || {
        let mut buffer = vec![0; 1024 * 1024];
        while matches!(reader.read(&mut buffer), Ok(1..)) {}
    });
    socket(&mut reactor, id).write(&pattern(TOO_MUCH));
    for pings in 1..=200 {
        pinger.write_all(b"x").unwrap();
        let before = drains.get();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(drains.get() - before <= 1, "one drain a turn");
        assert_eq!(log.count("pinged data 1"), pings);
    }
    turn_until(&mut reactor, |_| drains.get() > 100);
    socket(&mut reactor, id).destroy();
    turn_until(&mut reactor, |net| net.socket(id).is_none());
    reading.join().unwrap();
}

#[test]
fn d5_a_queue_filled_in_drain_and_emptied_at_once_is_told_in_the_next_turn() {
    let mut reactor = Reactor::new().unwrap();
    let drains = Rc::new(Cell::new(0));
    let count = drains.clone();
    // Corked, the mark is reached without the kernel being asked; uncorked, it takes all.
    let fill = |socket: &mut Socket<'_>| {
        socket.cork();
        assert!(!socket.write(&[0; 100_000]));
        socket.uncork();
    };
    let filling = handler_fn(move |socket: &mut Socket<'_>, event: Event<'_>| {
        if let Event::Drain = event {
            count.set(count.get() + 1);
            fill(socket);
        }
    });
    let (id, reader) = accepted(&mut reactor, filling);
    let reading = count_all(reader);
    fill(&mut socket(&mut reactor, id));
    while drains.get() < 100 {
        let before = drains.get();
        reactor.turn(Some(PATIENCE)).unwrap();
        assert!(drains.get() - before <= 1, "one drain a turn");
    }
    socket(&mut reactor, id).end();
    turn_until(&mut reactor, |net| net.socket(id).is_none());
    assert_eq!(reading.join().unwrap(), 100_000 * (drains.get() + 1));
}

#[test]
fn d6_end_waits_for_a_slow_reader_and_nothing_follows_finish() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let mut socket = socket(&mut reactor, id);
    socket.write(&pattern(TOO_MUCH));
    socket.end();
    assert_eq!(socket.ready_state(), ReadyState::ReadOnly);
    turn_until_quiet(&mut reactor);
    assert!(log.lines().is_empty(), "{log:?}");
    let mut got = 0;
    while !log.has("socket finish") {
        got += read_while_turning(&mut reactor, &mut peer, 1)
            .unwrap()
            .len();
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert!(self::socket(&mut reactor, id).writable_finished());
    got += read_while_turning(&mut reactor, &mut peer, usize::MAX)
        .unwrap()
        .len();
    assert_eq!(got, TOO_MUCH);
    turn_until_quiet(&mut reactor);
    // No drain: `end` was called before the queue was empty.
    assert_eq!(log.lines(), ["socket finish"]);
}

#[test]
fn d7_a_write_after_end_is_one_error_later_and_what_came_before_arrives() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let mut socket = socket(&mut reactor, id);
    socket.write_then(b"hello", logging("first", &log));
    socket.end();
    socket.end();
    assert!(!socket.write_then(b"late", logging("late", &log)));
    assert!(!socket.write_then(b"later", logging("later", &log)));
    socket.destroy_with(Error::other("too late to be the reason"));
    assert!(log.lines().is_empty());
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "first done",
            "late failed ERR_STREAM_WRITE_AFTER_END",
            "later failed ERR_STREAM_DESTROYED",
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
    socket(&mut reactor, id).end();
    turn_until_line(&mut reactor, &log, "socket finish");
    socket(&mut reactor, id).end();
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["socket finish"]);
    let mut socket = socket(&mut reactor, id);
    socket.destroy();
    assert!(!socket.write_then(b"late", logging("late", &log)));
    assert!(!socket.write(b"later"));
    socket.end();
    turn_until_quiet(&mut reactor);
    let expected = [
        "socket finish",
        "late failed ERR_STREAM_DESTROYED",
        "socket close false",
    ];
    assert_eq!(log.lines(), expected);
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    assert!(reactor.net().socket(id).is_none());
}

#[test]
fn d8_destroy_with_a_full_queue_fails_its_writes_and_gives_its_memory_back_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = accepted(&mut reactor, recorder("socket", &log));
    let shared = Bytes::from(pattern(TOO_MUCH));
    let mut socket = socket(&mut reactor, id);
    socket.write_bytes(shared.clone());
    socket.write_then(b"one", logging("one", &log));
    socket.write_then(b"two", logging("two", &log));
    assert!(!shared.is_unique() && socket.buffer_size() > 1024 * 1024);
    socket.destroy();
    assert_eq!(socket.buffer_size(), 0);
    assert!(shared.is_unique(), "the queue let go of it");
    assert!(log.lines().is_empty());
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "one failed ECANCELED",
            "two failed ECANCELED",
            "socket close false"
        ]
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
    let mut stubborn = socket(&mut reactor, ids.borrow()[0]);
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
    let mut socket = socket(&mut reactor, id);
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
        let mut socket = socket(&mut reactor, id);
        socket.write_then(&pattern(TOO_MUCH), logging("one", &log));
        socket.write_then(b"2", logging("two", &log));
        socket.write_then(b"3", logging("three", &log));
        if ended {
            socket.end(); // the FIN is still to come when the reset does
        }
        turn_until_quiet(&mut reactor);
        assert!(log.lines().is_empty(), "{log:?}");
        reset(peer);
        turn_until_line(&mut reactor, &log, "socket close true");
        turn_until_quiet(&mut reactor);
        let expected = [
            "one failed ECONNRESET",
            "two failed ECONNRESET",
            "three failed ECONNRESET",
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
    let mut socket = socket(&mut reactor, id);
    assert!(!socket.write_then(&pattern(100_000), logging("large", &log)));
    assert!(socket.destroyed());
    turn_until_line(&mut reactor, &log, "socket close true");
    turn_until_quiet(&mut reactor);
    let expected = [
        "large failed ECONNRESET",
        "socket error ECONNRESET",
        "socket close true",
    ];
    assert_eq!(log.lines(), expected);
}

#[test]
fn d12_no_send_to_a_dead_peer_raises_sigpipe() {
    let name = "d_writing::d12_no_send_to_a_dead_peer_raises_sigpipe";
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
            let mut socket = socket(&mut reactor, id);
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
        assert!(plain.read(&mut [0; 1]).is_err()); // takes the error, so that EPIPE is next
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
    socket(&mut reactor, id).write(&pattern(TOO_MUCH));
    read_while_turning(&mut reactor, &mut peer, TOO_MUCH).unwrap();
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["socket drain"]);
    assert_eq!(socket(&mut reactor, id).buffer_size(), 0);
    // Room goes on coming and going, with nobody waiting for it.
    let before = reactor.net().stats();
    for _ in 0..20 {
        socket(&mut reactor, id).write(&pattern(10_000));
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
    let mut socket = socket(&mut reactor, id);
    socket.write(&pattern(TOO_MUCH));
    socket.pause();
    turn_until_quiet(&mut reactor);
    let mut reader = peer.try_clone().unwrap();
    read_while_turning(&mut reactor, &mut reader, TOO_MUCH).unwrap();
    self::socket(&mut reactor, id).end();
    peer.shutdown(Shutdown::Write).unwrap();
    let before = reactor.net().stats().events;
    turn_until_quiet(&mut reactor);
    assert!(reactor.net().stats().events - before <= 2);
    assert_eq!(reactor.next_timeout(), None, "asleep");
    assert_eq!(log.lines(), ["socket drain", "socket finish"]);
    self::socket(&mut reactor, id).resume();
    turn_until_line(&mut reactor, &log, "socket close false");
    let expected = [
        "socket drain",
        "socket finish",
        "socket end",
        "socket close false",
    ];
    assert_eq!(log.lines(), expected);
}

/// Reads to the end in a thread; answers with how much that was.
fn count_all(mut peer: TcpStream) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1024 * 1024];
        let mut total = 0;
        loop {
            match peer.read(&mut buffer).unwrap() {
                0 => return total,
                bytes => total += bytes as u64,
            }
        }
    })
}

#[test]
fn d18_large_writes_are_shared_and_counted_to_the_byte() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let options = ListenOptions::from("127.0.0.1:0").write_cap(None);
    let id = Rc::new(Cell::new(None));
    let seen = id.clone();
    let server = reactor.net().listen(options, move |socket| {
        seen.set(Some(socket.id()));
        recorder("socket", &told)
    });
    let peer = plain_peer(inet(server.unwrap().address().unwrap()));
    turn_until(&mut reactor, |_| id.get().is_some());
    let id = id.get().unwrap();

    let (one, piece) = (
        Bytes::from(vec![7; 64 << 20]),
        Bytes::from(vec![8; 100 * 1024]),
    );
    let total = one.len() as u64 + 10_000 * piece.len() as u64;
    let mut socket = socket(&mut reactor, id);
    assert!(
        !socket.write_bytes(one.clone()),
        "more than a gigabyte in all, none of it copied"
    );
    for _ in 0..10_000 {
        socket.write_bytes(piece.clone());
    }
    assert_eq!(socket.bytes_written(), total);
    let with_the_kernel = total - socket.buffer_size() as u64;
    assert!(with_the_kernel < one.len() as u64);
    assert!(!one.is_unique() && !piece.is_unique());
    socket.end();
    let reading = count_all(peer);
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(reading.join().unwrap(), total);
    assert_eq!(
        log.lines(),
        ["socket finish", "socket end", "socket close false"]
    );
    assert!(one.is_unique() && piece.is_unique());
}

#[test]
fn d19_corks_nest_and_the_last_uncork_sends_all_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let (id, mut peer) = accepted(&mut reactor, handler_fn(|_, _| ()));
    turn_until_quiet(&mut reactor);
    let mut socket = socket(&mut reactor, id);
    socket.cork();
    socket.write(b"one ");
    socket.cork();
    socket.write(&[b' '; 10_000]); // large, and held back all the same
    socket.uncork();
    socket.write(b"two");
    assert_eq!(socket.buffer_size(), 10_007);
    let before = socket.net().stats().syscalls;
    turn_until_quiet(&mut reactor);
    assert_eq!(self::socket(&mut reactor, id).buffer_size(), 10_007);
    let sends = |calls: netloop::Syscalls| calls.write + calls.write_vectored;
    assert_eq!(sends(reactor.net().stats().syscalls), sends(before));
    let mut socket = self::socket(&mut reactor, id);
    socket.uncork();
    socket.uncork(); // one too many
    turn_until_quiet(&mut reactor);
    assert_eq!(sends(reactor.net().stats().syscalls), sends(before) + 1);
    let mut got = vec![0; 10_007];
    peer.read_exact(&mut got).unwrap();
    assert!(got.starts_with(b"one ") && got.ends_with(b"two"));
}

#[test]
fn d19_ending_in_any_way_sends_what_was_corked_and_never_uncorked() {
    let ways: [fn(&mut Socket<'_>, &TcpStream); 3] = [
        |socket, _| socket.end(),
        |socket, _| socket.destroy_soon(),
        |_, peer| peer.shutdown(Shutdown::Write).unwrap(),
    ];
    for end in ways {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
        let mut socket = socket(&mut reactor, id);
        socket.cork();
        socket.cork();
        socket.write_then(b"hello", logging("hello", &log));
        end(&mut socket, &peer);
        turn_until_line(&mut reactor, &log, "socket finish");
        log.assert_order(&["hello done", "socket finish"]);
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"hello");
    }
}

#[test]
fn d21_freeing_a_queue_of_tiny_writes_takes_less_than_filling_it() {
    // The best of several, since a busy machine may stand still in either part.
    let rounds = (0..5).map(|_| {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (id, _deaf) = accepted(&mut reactor, recorder("socket", &log));
        let started = Instant::now();
        let mut socket = socket(&mut reactor, id);
        while socket.buffer_size() < 15 * 1024 * 1024 {
            socket.write(&[1; 64]);
        }
        let filling = started.elapsed();
        let started = Instant::now();
        socket.destroy();
        let freeing = started.elapsed();
        assert_eq!(socket.buffer_size(), 0);
        turn_until_quiet(&mut reactor);
        assert_eq!(log.lines(), ["socket close false"]);
        (filling, freeing)
    });
    let (filling, freeing): (Vec<_>, Vec<_>) = rounds.unzip();
    let (filling, freeing) = (filling.iter().min(), freeing.iter().min());
    assert!(
        freeing < filling.map(|time| *time / 4).as_ref(),
        "{freeing:?} after {filling:?}"
    );
}
