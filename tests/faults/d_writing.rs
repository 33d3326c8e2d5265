//! Group D: writing, back-pressure, end (D1, D3 to D6, D18, D19, D21).
//!
//! D2 is the queue's own affair and stands beside it.

use crate::support::*;
use bytes::Bytes;
use netloop::{Event, ListenOptions, Reactor, ReadyState, Socket, handler_fn};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

#[test]
fn d1_an_eagain_storm_keeps_every_byte_in_its_place() {
    let mut reactor = Reactor::new().unwrap();
    let (id, mut peer) = accepted(&mut reactor, handler_fn(|_, _| ()));
    let sent = pattern(BIG);
    let mut rest = &sent[..];
    for size in (1..).map(|round| round * 37 % 60_000 + 1) {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        let mut socket = at(&mut reactor, id);
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
        at(&mut reactor, id).buffer_size() > 0,
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
    at(&mut reactor, id).end();
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
    let mut socket = at(&mut reactor, id);
    assert!(socket.write(b""));
    assert!(socket.write_bytes(Bytes::new()));
    assert!(socket.write_then(b"", completion("empty", &log)));
    assert_eq!(socket.bytes_written(), 0);
    assert!(log.lines().is_empty(), "not inside the call");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["empty ok"]);
    let after = reactor.net().stats().syscalls;
    let sends = |calls: netloop::Syscalls| (calls.write, calls.write_vectored);
    assert_eq!(sends(after), sends(before));
    log.clear();

    // Among others, and behind a queue that the kernel does not take yet.
    let mut socket = self::at(&mut reactor, id);
    socket.write_then(&pattern(BIG), completion("large", &log));
    socket.write_then(b"", completion("empty", &log));
    socket.write_bytes(Bytes::new());
    socket.write_then(b"tail", completion("tail", &log));
    turn_until_quiet(&mut reactor);
    assert!(log.lines().is_empty(), "{log:?}");
    let got = read_while_turning(&mut reactor, &mut peer, BIG + 4).unwrap();
    assert!(got[..BIG] == pattern(BIG) && got[BIG..] == *b"tail");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        ["large ok", "empty ok", "tail ok", "socket drain"]
    );
}

#[test]
fn d4_half_a_million_tiny_writes_then_end_arrive_whole() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let sent = pattern(5 * 500_000);
    let mut socket = at(&mut reactor, id);
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
    let mut socket = at(&mut reactor, id);
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
    // Corked, or else a reader who keeps up lets the kernel take all at once, and no drain follows.
    let fill = |socket: &mut Socket<'_>| {
        socket.cork();
        assert!(!socket.write(&[0; 1 << 20]));
        socket.uncork();
    };
    let filling = handler_fn(move |socket: &mut Socket<'_>, event: Event<'_>| {
        assert!(!inside.replace(true), "{event:?} inside an event");
        if let Event::Drain = event {
            count.set(count.get() + 1);
            fill(socket);
        }
        inside.set(false);
    });
    let (id, mut reader) = accepted(&mut reactor, filling);
    let log = Log::new();
    let (_, mut pinger) = accepted(&mut reactor, recorder("pinged", &log));
    let reading = std::thread::spawn(move || {
        let mut buffer = vec![0; 1024 * 1024];
        while matches!(uninterrupted(|| reader.read(&mut buffer)), Ok(1..)) {}
    });
    fill(&mut at(&mut reactor, id));
    for pings in 1..=200 {
        pinger.write_all(b"x").unwrap();
        let before = drains.get();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(drains.get() - before <= 1, "one drain a turn");
        assert_eq!(log.count("pinged data 1"), pings);
    }
    turn_until(&mut reactor, |_| drains.get() > 100);
    at(&mut reactor, id).destroy();
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
    fill(&mut at(&mut reactor, id));
    while drains.get() < 100 {
        let before = drains.get();
        reactor.turn(Some(PATIENCE)).unwrap();
        assert!(drains.get() - before <= 1, "one drain a turn");
    }
    at(&mut reactor, id).end();
    turn_until(&mut reactor, |net| net.socket(id).is_none());
    assert_eq!(reading.join().unwrap(), 100_000 * (drains.get() + 1));
}

#[test]
fn d6_end_waits_for_a_slow_reader_and_nothing_follows_finish() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let mut socket = at(&mut reactor, id);
    socket.write(&pattern(BIG));
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
    assert!(self::at(&mut reactor, id).writable_finished());
    got += read_while_turning(&mut reactor, &mut peer, usize::MAX)
        .unwrap()
        .len();
    assert_eq!(got, BIG);
    turn_until_quiet(&mut reactor);
    // No drain: `end` was called before the queue was empty.
    assert_eq!(log.lines(), ["socket finish"]);
}

/// Reads to the end in a thread; answers with how much that was.
fn count_all(mut peer: TcpStream) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1024 * 1024];
        let mut total = 0;
        loop {
            match uninterrupted(|| peer.read(&mut buffer)).unwrap() {
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
    let mut socket = at(&mut reactor, id);
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
    let mut socket = at(&mut reactor, id);
    socket.cork();
    socket.write(b"one ");
    socket.cork();
    socket.write(&[b' '; 10_000]); // large, and held back all the same
    socket.uncork();
    socket.write(b"two");
    assert_eq!(socket.buffer_size(), 10_007);
    let before = socket.net().stats().syscalls;
    turn_until_quiet(&mut reactor);
    assert_eq!(self::at(&mut reactor, id).buffer_size(), 10_007);
    let sends = |calls: netloop::Syscalls| calls.write + calls.write_vectored;
    assert_eq!(sends(reactor.net().stats().syscalls), sends(before));
    let mut socket = self::at(&mut reactor, id);
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
        let mut socket = at(&mut reactor, id);
        socket.cork();
        socket.cork();
        socket.write_then(b"hello", completion("hello", &log));
        end(&mut socket, &peer);
        turn_until_line(&mut reactor, &log, "socket finish");
        log.assert_order(&["hello ok", "socket finish"]);
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
        let mut socket = at(&mut reactor, id);
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
