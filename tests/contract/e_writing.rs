//! Group E: writing and back-pressure (R39 to R54).
//!
//! A write's callback is `write_then`, the callbacks of `end` are `finish`. That a socket which
//! never connected refuses writes (R50) is a matter of types: `listen` and `connect` are the only
//! sources of sockets. UTF-8 against characters (R52) is none: bytes are what is written.

use crate::support::*;
use bytes::Bytes;
use netloop::{ConnectOptions, Error, Event, Reactor, ReadyState, Socket, SocketId};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// More than the kernel takes for a peer that does not read.
const BIG: usize = 16 << 20;

/// A socket that is connecting, and the plain listener that it connects to.
fn connecting(
    reactor: &mut Reactor,
    log: &Log,
    options: impl FnOnce(ConnectOptions) -> ConnectOptions,
) -> (SocketId, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = options(listener.local_addr().unwrap().into());
    let socket = reactor.net().connect(options, recorder("us", log));
    (socket.unwrap().id(), listener)
}

/// An accepted socket with a full queue: `write` has answered `false` once.
fn full(reactor: &mut Reactor, log: &Log) -> (SocketId, TcpStream) {
    let (us, peer) = accepted(reactor, recorder("us", log));
    assert!(!at(reactor, us).write(&vec![0; BIG]));
    (us, peer)
}

#[track_caller]
fn at(reactor: &mut Reactor, id: SocketId) -> Socket<'_> {
    reactor.net().socket(id).expect("an open socket")
}

/// What the kernel had taken: drops the loop, and with it what it had queued.
fn bytes_that_left(reactor: Reactor, mut peer: TcpStream) -> Vec<u8> {
    drop(reactor);
    let mut left = Vec::new();
    peer.read_to_end(&mut left).unwrap();
    left
}

#[test]
fn r39_writes_before_connect_leave_in_one_send_ahead_of_those_made_in_connect() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let handler = reacting("us", &log, |socket, event| match event {
        Event::Connect => assert!(socket.write(b"c")),
        Event::Ready => assert!(socket.write(b"d")),
        _ => {}
    });
    let address = listener.local_addr().unwrap();
    let mut us = reactor.net().connect(address, handler).unwrap();
    assert!(us.write(b"a"));
    assert!(us.write_bytes(Bytes::from_static(b"b")));
    assert_eq!(us.buffer_size(), 2);
    turn_until_line(&mut reactor, &log, "us ready");
    let (mut peer, _) = listener.accept().unwrap();
    let mut got = [0; 4];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"abcd");
    assert_eq!(
        sends(reactor.net()),
        2,
        "what `connect` found, then `ready`"
    );
}

#[test]
fn r40_a_write_larger_than_the_mark_that_the_kernel_takes_whole_answers_true() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let small = |options: netloop::ListenOptions| options.high_water_mark(1000);
    let (us, mut peer) = accepted_with(&mut reactor, small, recorder("us", &log));
    assert!(at(&mut reactor, us).write(&pattern(10_000)));
    assert_eq!(at(&mut reactor, us).buffer_size(), 0);
    let got = read_while_turning(&mut reactor, &mut peer, 10_000).unwrap();
    assert_eq!(got, pattern(10_000));
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn r40_a_large_write_to_an_empty_queue_goes_to_the_kernel_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let handler = reacting("us", &log, |socket, event| {
        if let Event::Data(_) = event {
            let before = sends(socket.net());
            assert!(socket.write(&pattern(5000)));
            assert_eq!(socket.buffer_size(), 0);
            assert_eq!(sends(socket.net()), before + 1, "inside the call");
            assert!(socket.write_bytes(pattern(5000).into()));
            assert_eq!(socket.buffer_size(), 0);
            assert_eq!(sends(socket.net()), before + 2);
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"go").unwrap();
    let got = read_while_turning(&mut reactor, &mut peer, 10_000).unwrap();
    assert_eq!(got, [pattern(5000), pattern(5000)].concat());
    assert_eq!(log.lines(), ["us data 2"]);
}

#[test]
fn r40_small_writes_of_one_call_leave_in_one_send_when_it_returns() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let handler = reacting("us", &log, |socket, event| {
        if let Event::Data(_) = event {
            let before = sends(socket.net());
            for byte in pattern(1000) {
                assert!(socket.write(&[byte]));
            }
            assert_eq!(socket.buffer_size(), 1000);
            assert_eq!(sends(socket.net()), before);
        }
    });
    let (us, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"go").unwrap();
    turn_until_line(&mut reactor, &log, "us data 2");
    assert_eq!(sends(reactor.net()), 1);
    assert_eq!(at(&mut reactor, us).buffer_size(), 0);
    let mut got = vec![0; 1000];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(got, pattern(1000));
}

#[test]
fn r40_small_writes_to_another_socket_leave_in_one_send_in_the_same_turn() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (other, mut other_peer) = accepted(&mut reactor, recorder("other", &log));
    let handler = reacting("us", &log, move |socket, event| {
        if let Event::Data(_) = event {
            for _ in 0..10 {
                assert!(socket.net().socket(other).unwrap().write(b"x"));
            }
            assert_eq!(sends(socket.net()), 0);
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"go").unwrap();
    turn_until_line(&mut reactor, &log, "us data 2");
    assert_eq!(sends(reactor.net()), 1);
    let mut got = [0; 10];
    other_peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"xxxxxxxxxx");
}

#[test]
fn r40_the_kernel_is_asked_before_the_answer_is_false() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let small = |options: netloop::ListenOptions| options.high_water_mark(10);
    let (us, mut peer) = accepted_with(&mut reactor, small, recorder("us", &log));
    let mut us = at(&mut reactor, us);
    assert!(us.write(b"five."));
    assert_eq!((us.buffer_size(), sends(us.net())), (5, 0), "gathered");
    assert!(us.write(b"five."));
    assert_eq!((us.buffer_size(), sends(us.net())), (0, 1), "the mark");
    assert!(!us.writable_need_drain());
    let mut got = [0; 10];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"five.five.");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), [""; 0], "no drain without a false");
}

#[test]
fn r40_a_kernel_that_has_just_said_no_is_not_asked_again() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _peer) = full(&mut reactor, &log);
    let mut us = at(&mut reactor, us);
    let before = sends(us.net());
    assert!(!us.write(b"more"));
    assert!(!us.write(&pattern(10_000)));
    assert_eq!(sends(us.net()), before);
}

#[test]
fn r40_while_connecting_all_bytes_count_and_the_mark_itself_is_too_many() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _listener) = connecting(&mut reactor, &log, |to| to.high_water_mark(10));
    let mut us = at(&mut reactor, us);
    assert_eq!(us.writable_high_water_mark(), 10);
    assert!(us.write(b"nine byte"));
    assert!(!us.writable_need_drain());
    assert!(!us.write(b"s"));
    assert!(us.writable_need_drain());
    assert_eq!(us.buffer_size(), 10);
}

#[test]
fn r40_with_a_mark_of_zero_a_write_answers_true_only_if_the_kernel_has_it() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _listener) = connecting(&mut reactor, &log, |to| to.high_water_mark(0));
    let mut socket = at(&mut reactor, us);
    assert!(socket.write(b""), "nothing is queued");
    assert!(!socket.write(b"x"));
    turn_until_line(&mut reactor, &log, "us drain");
    let mut socket = at(&mut reactor, us);
    assert!(socket.write(b"y"));
    assert_eq!(socket.buffer_size(), 0);
}

#[test]
fn r41_with_the_write_cap_off_nothing_is_ever_refused() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _listener) = connecting(&mut reactor, &log, |to| to.write_cap(None));
    let mut socket = at(&mut reactor, us);
    let megabyte = Bytes::from(vec![0; 1 << 20]);
    for _ in 0..64 {
        assert!(!socket.write_bytes(megabyte.clone()));
    }
    assert_eq!(socket.buffer_size(), 64 << 20);
    assert!(!socket.destroyed());
    socket.destroy();
    turn_until_line(&mut reactor, &log, "us close false");
}

#[test]
fn r41_one_single_large_write_is_never_refused() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let tiny = |options: netloop::ListenOptions| options.write_cap(Some(10));
    let (us, mut peer) = accepted_with(&mut reactor, tiny, recorder("us", &log));
    let sent = pattern(BIG);
    assert!(!at(&mut reactor, us).write(&sent));
    let got = read_while_turning(&mut reactor, &mut peer, BIG).unwrap();
    assert!(got == sent);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us drain"]);
}

/// Node's queue has no bound (R41); ours has a cap unless it is turned off.
#[test]
fn r41_a_write_that_finds_more_than_the_cap_queued_destroys_the_socket() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, peer) = accepted_with(
        &mut reactor,
        |options| options.write_cap(Some(BIG + 1)).high_water_mark(1),
        recorder("us", &log),
    );
    let mut socket = at(&mut reactor, us);
    // The kernel is full before the count begins.
    assert!(!socket.write(&vec![0; BIG]));
    let queued = socket.buffer_size();
    assert!(!socket.write(&vec![0; BIG + 1 - queued]));
    assert_eq!(socket.buffer_size(), BIG + 1, "the cap itself");
    assert!(!socket.write_then(b"x", completion("above", &log)));
    assert_eq!(socket.buffer_size(), BIG + 2, "it did not find more");
    assert!(!socket.destroyed());
    let written = socket.bytes_written();
    assert!(!socket.write_then(b"y", completion("refused", &log)));
    assert!(socket.destroyed());
    assert_eq!(socket.buffer_size(), 0);
    assert_eq!(socket.bytes_written(), written, "it was not accepted");
    assert_eq!(log.lines(), [""; 0]);
    turn_until_line(&mut reactor, &log, "us close true");
    assert_eq!(
        log.lines(),
        [
            "above ENOBUFS",
            "refused ENOBUFS",
            "us error ENOBUFS",
            "us close true"
        ]
    );
    drop(peer);
}

#[test]
fn r41_the_cap_is_sixteen_mebibytes_unless_it_is_set() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _listener) = connecting(&mut reactor, &log, |to| to);
    let mut us = at(&mut reactor, us);
    us.write_bytes(vec![0; 16 << 20].into());
    us.write(b"x");
    assert!(!us.destroyed());
    us.write(b"y");
    assert_eq!(us.errored().unwrap().code(), "ENOBUFS");
}

#[test]
fn r42_drain_comes_once_for_each_period_of_false_and_finds_the_queue_empty() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let handler = reacting("us", &log, move |socket, event| {
        if let Event::Drain = event {
            told.push(format!("left {}", socket.buffer_size()));
            assert!(!socket.writable_need_drain());
        }
    });
    let (us, mut peer) = accepted(&mut reactor, handler);
    for period in 1..=2 {
        let mut socket = at(&mut reactor, us);
        assert!(!socket.write(&vec![0; BIG]));
        assert!(!socket.write(b"another false"));
        assert!(socket.writable_need_drain());
        turn_until_quiet(&mut reactor);
        assert_eq!(log.count("us drain"), period - 1, "nobody has read");
        read_while_turning(&mut reactor, &mut peer, BIG + 13).unwrap();
        turn_until_quiet(&mut reactor);
        assert_eq!(log.count("us drain"), period);
    }
    assert_eq!(log.lines(), ["us drain", "left 0", "us drain", "left 0"]);
}

#[test]
fn r42_drain_waits_until_the_queue_is_empty_not_until_it_is_below_the_mark() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, listener) = connecting(&mut reactor, &log, |to| to.high_water_mark(BIG));
    assert!(
        !at(&mut reactor, us).write(&vec![0; BIG]),
        "all of it waits"
    );
    turn_until_line(&mut reactor, &log, "us ready");
    turn_until_quiet(&mut reactor);
    let left = at(&mut reactor, us).buffer_size();
    assert!(
        0 < left && left < BIG,
        "the kernel took a part: {left} left"
    );
    assert_eq!(log.count("us drain"), 0);
    let (mut peer, _) = listener.accept().unwrap();
    read_while_turning(&mut reactor, &mut peer, BIG).unwrap();
    turn_until_quiet(&mut reactor);
    assert_eq!(log.count("us drain"), 1);
}

#[test]
fn r42_no_drain_without_a_write_that_answered_false() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
    for _ in 0..3 {
        assert!(at(&mut reactor, us).write(&pattern(5000)));
        assert!(at(&mut reactor, us).write(b"x"));
        read_while_turning(&mut reactor, &mut peer, 5001).unwrap();
    }
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn r42_drain_is_told_later_even_if_the_queue_empties_inside_a_call() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _listener) = connecting(&mut reactor, &log, |to| to.high_water_mark(1));
    assert!(!at(&mut reactor, us).write(b"false"));
    turn_until_line(&mut reactor, &log, "us drain");
    assert_eq!(log.of("us")[1..], ["connect", "ready", "drain"], "{log:?}");
}

#[test]
fn r42_no_drain_once_end_was_called() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, mut peer) = full(&mut reactor, &log);
    at(&mut reactor, us).end();
    read_while_turning(&mut reactor, &mut peer, BIG).unwrap();
    drop(peer);
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(log.of("us"), ["finish", "end", "close false"]);
}

#[test]
fn r42_no_drain_once_the_peers_end_was_answered_with_ours() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_, mut peer) = full(&mut reactor, &log);
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "us end");
    read_while_turning(&mut reactor, &mut peer, BIG + 1).unwrap();
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(log.of("us"), ["end", "finish", "close false"]);
}

#[test]
fn r42_no_drain_once_destroy_was_called() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, mut peer) = full(&mut reactor, &log);
    at(&mut reactor, us).destroy();
    assert!(!at(&mut reactor, us).writable_need_drain());
    read_while_turning(&mut reactor, &mut peer, BIG).unwrap();
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us close false"]);
}

/// A completion is told before `drain` and may fill the queue again: then nothing has drained.
#[test]
fn r42_no_drain_while_the_queue_is_full_again() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let handler = reacting("us", &log, move |socket, event| {
        if let Event::Drain = event {
            told.push(format!("left {}", socket.buffer_size()));
        }
    });
    let (us, mut peer) = accepted(&mut reactor, handler);
    let told = log.clone();
    let again = move |net: &mut netloop::Net, _| {
        let mut socket = net.socket(us).unwrap();
        assert!(socket.writable_need_drain(), "it is still to come");
        assert!(!socket.write(&vec![0; BIG]));
        told.push("again");
    };
    at(&mut reactor, us).write_then(&vec![0; BIG], again);
    read_while_turning(&mut reactor, &mut peer, 2 * BIG).unwrap();
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["again", "us drain", "left 0"]);
}

#[test]
fn r43_each_completion_runs_once_in_order_when_its_own_bytes_are_with_the_kernel() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.write_then(b"small", completion("small", &log));
    socket.write_then(b"", completion("empty", &log));
    socket.write_then(&vec![0; BIG], completion("big", &log));
    socket.write_then(b"last", completion("last", &log));
    assert_eq!(log.lines(), [""; 0], "never inside the call");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["small ok", "empty ok"]);
    read_while_turning(&mut reactor, &mut peer, BIG + 9).unwrap();
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        ["small ok", "empty ok", "big ok", "last ok", "us drain"]
    );
}

#[test]
fn r43_a_write_that_fails_hears_so_before_the_error_event() {
    // A short one is gathered, a long one goes straight from the caller's slice.
    for bytes in [1, 10_000] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (us, peer) = accepted(&mut reactor, recorder("us", &log));
        at(&mut reactor, us).pause(); // so that the write is the first to meet the reset
        reset(peer);
        turn_until_quiet(&mut reactor);
        assert_eq!(log.lines(), [""; 0]);
        at(&mut reactor, us).write_then(&pattern(bytes), completion("write", &log));
        turn_until_line(&mut reactor, &log, "us close true");
        assert_eq!(
            log.lines(),
            ["write ECONNRESET", "us error ECONNRESET", "us close true"],
            "{bytes} bytes"
        );
    }
}

#[test]
fn r43_a_completion_that_writes_does_not_starve_the_turn() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    fn again(net: &mut netloop::Net, us: SocketId, log: Log) {
        let mut socket = net.socket(us).unwrap();
        // Of nothing: it is due at once.
        socket.write_then(b"", move |net, outcome| {
            outcome.unwrap();
            log.push("again");
            again(net, us, log);
        });
    }
    again(reactor.net(), us, log.clone());
    for turns in 1..=3 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(log.lines().len(), turns);
    }
}

#[test]
fn r44_closed_before_connect_every_completion_hears_so_after_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _listener) = connecting(&mut reactor, &log, |to| to);
    let mut us = at(&mut reactor, us);
    us.write_then(b"a", completion("a", &log));
    us.write_then(b"b", completion("b", &log));
    us.write_then(b"", completion("nothing", &log));
    us.end();
    us.destroy();
    turn_until_line(&mut reactor, &log, "us close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "us close false",
            "a ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
            "b ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
            "nothing ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
        ]
    );
}

#[test]
fn r44_a_refused_write_keeps_its_place_behind_those_that_wait_for_the_connection() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _listener) = connecting(&mut reactor, &log, |to| to);
    let mut us = at(&mut reactor, us);
    us.write_then(b"a", completion("a", &log));
    us.destroy();
    us.write_then(b"b", completion("b", &log));
    turn_until_line(&mut reactor, &log, "us close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "us close false",
            "a ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
            "b ERR_STREAM_DESTROYED",
        ]
    );
}

#[test]
fn r44_so_it_is_when_the_connect_fails() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_refusing, address) = refusing();
    let us = reactor.net().connect(address, recorder("us", &log));
    let mut us = us.unwrap();
    us.write_then(b"", completion("nothing", &log));
    us.write_then(b"a", completion("a", &log));
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            &*format!("us attempt {address}"),
            "us error ECONNREFUSED",
            "us close true",
            "nothing ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
            "a ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
        ]
    );
}

#[test]
fn r45_destroy_with_bytes_queued_cancels_their_completions_before_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
    let mut us = at(&mut reactor, us);
    us.write_then(&pattern(5000), completion("sent", &log));
    us.write_then(&vec![0; BIG], completion("queued", &log));
    us.write_then(b"x", completion("behind", &log));
    us.end();
    us.destroy();
    assert_eq!(us.buffer_size(), 0);
    turn_until_line(&mut reactor, &log, "us close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "sent ok",
            "queued ECANCELED",
            "behind ECANCELED",
            "us close false"
        ]
    );
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert!(got.len() < BIG, "{} bytes came", got.len());
}

/// Node hands the error to those that it has not begun, `ECANCELED` to the one in flight, and tells
/// `error` first. Here no write is in flight, and all callbacks come before the `error` that they
/// share: one order, whatever failed.
#[test]
fn r45_destroy_with_an_error_gives_it_to_the_completions_and_then_to_error() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    let mut us = at(&mut reactor, us);
    us.write_then(&vec![0; BIG], completion("first", &log));
    us.write_then(b"x", completion("second", &log));
    us.destroy_with(Error::new("MINE", "enough"));
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "first MINE",
            "second MINE",
            "us error MINE",
            "us close true"
        ]
    );
}

#[test]
fn r45_bytes_that_were_only_gathered_leave_before_destroy() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let handler = reacting("us", &log, move |socket, event| {
        if let Event::Data(_) = event {
            socket.write_then(b"bye", completion("bye", &told));
            socket.destroy();
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"go").unwrap();
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(log.lines(), ["us data 2", "bye ok", "us close false"]);
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"bye");
}

#[test]
fn r46_a_write_after_end_destroys_the_socket_with_an_error() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.write_then(b"before", completion("before", &log));
    socket.end();
    assert!(!socket.write_then(b"after", completion("after", &log)));
    assert_eq!(
        socket.errored().unwrap().to_string(),
        "write after end",
        "Node's words"
    );
    assert_eq!(socket.bytes_written(), 6);
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "before ok",
            "after ERR_STREAM_WRITE_AFTER_END",
            "us error ERR_STREAM_WRITE_AFTER_END",
            "us close true"
        ]
    );
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"before");
}

#[test]
fn r46_so_it_does_once_the_fin_is_sent_and_for_end_with_data() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    at(&mut reactor, us).end();
    turn_until_line(&mut reactor, &log, "us finish");
    at(&mut reactor, us).end_with(b"after");
    turn_until_line(&mut reactor, &log, "us close true");
    assert_eq!(
        log.of("us"),
        ["finish", "error ERR_STREAM_WRITE_AFTER_END", "close true"]
    );
}

#[test]
fn r47_a_write_after_both_sides_ended_is_epipe() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, peer) = full(&mut reactor, &log);
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "us end");
    let mut socket = at(&mut reactor, us);
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    assert!(!socket.destroyed(), "its queue is still to leave");
    assert!(!socket.write_then(b"x", completion("late", &log)));
    let error = socket.errored().unwrap();
    assert_eq!(
        error.to_string(),
        "This socket has been ended by the other party"
    );
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        ["us end", "late EPIPE", "us error EPIPE", "us close true"]
    );
}

#[test]
fn r47_so_it_is_in_end_if_we_ended_first_and_in_the_last_finish() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let write = |on: &'static str| {
        move |socket: &mut Socket<'_>, event: Event<'_>| {
            if describe(&event) == on {
                assert!(!socket.write(b"x"));
            }
        }
    };
    let (us, peer) = accepted(&mut reactor, reacting("first", &log, write("end")));
    at(&mut reactor, us).end();
    turn_until_line(&mut reactor, &log, "first finish");
    drop(peer);
    let (_, peer) = accepted(&mut reactor, reacting("last", &log, write("finish")));
    drop(peer);
    turn_until_line(&mut reactor, &log, "first close true");
    turn_until_line(&mut reactor, &log, "last close true");
    assert_eq!(
        log.of("first"),
        ["finish", "end", "error EPIPE", "close true"]
    );
    assert_eq!(
        log.of("last"),
        ["end", "finish", "error EPIPE", "close true"]
    );
}

#[test]
fn r48_a_half_open_socket_writes_on_after_the_peers_fin() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, mut peer) = accepted_with(
        &mut reactor,
        |options| options.allow_half_open(true),
        recorder("us", &log),
    );
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "us end");
    let mut socket = at(&mut reactor, us);
    assert!(socket.writable());
    assert!(socket.write_then(b"still here", completion("write", &log)));
    assert!(!socket.write(&vec![0; BIG]), "back-pressure as ever");
    read_while_turning(&mut reactor, &mut peer, BIG + 10).unwrap();
    turn_until_line(&mut reactor, &log, "us drain");
    assert_eq!(log.lines(), ["us end", "write ok", "us drain"]);

    // After our own end it is the ordinary mistake: the peer is not to blame.
    at(&mut reactor, us).end_with(b"bye");
    at(&mut reactor, us).write(b"x");
    assert_eq!(
        at(&mut reactor, us).errored().unwrap().code(),
        "ERR_STREAM_WRITE_AFTER_END"
    );
}

#[test]
fn r49_a_write_after_destroy_only_tells_its_completion() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let handler = reacting("us", &log, move |socket, event| {
        if let Event::Close { .. } = event {
            assert!(!socket.write_then(b"x", completion("in close", &told)));
        }
    });
    let (us, _peer) = accepted(&mut reactor, handler);
    let mut socket = at(&mut reactor, us);
    socket.destroy();
    assert!(!socket.write(b"x"));
    let told = log.clone();
    let then = move |_: &mut netloop::Net, outcome: netloop::Result<()>| {
        told.push(outcome.unwrap_err().to_string());
    };
    assert!(!socket.write_then(b"x", then));
    assert_eq!((socket.bytes_written(), socket.buffer_size()), (0, 0));
    turn_until_line(&mut reactor, &log, "us close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "Cannot call write after a stream was destroyed",
            "us close false",
            "in close ERR_STREAM_DESTROYED",
        ]
    );
}

/// A socket that never connected cannot be written to: there is none without `connect`. One whose
/// connect failed is destroyed when it hears so.
#[test]
fn r50_a_write_on_a_socket_whose_connect_failed_is_one_after_destroy() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_refusing, address) = refusing();
    let told = log.clone();
    let handler = reacting("us", &log, move |socket, event| {
        if let Event::Error(_) = event {
            assert!(!socket.write_then(b"x", completion("late", &told)));
        }
    });
    let us = reactor.net().connect(address, handler).unwrap().id();
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines()[1..],
        [
            "us error ECONNREFUSED",
            "us close true",
            "late ERR_STREAM_DESTROYED", // after close, as all of them (R44)
        ]
    );
    assert!(reactor.net().socket(us).is_none());
}

#[test]
fn r51_cork_nests_and_what_it_held_leaves_in_one_send() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.cork();
    socket.cork();
    assert!(socket.write(&pattern(5000)), "below the mark");
    assert!(socket.write_bytes(pattern(5000).into()));
    assert!(socket.write_then(b"x", completion("x", &log)));
    socket.uncork();
    turn_until_quiet(&mut reactor);
    let mut socket = at(&mut reactor, us);
    assert_eq!(
        (socket.buffer_size(), socket.bytes_written()),
        (10_001, 10_001)
    );
    assert_eq!(sends(socket.net()), 0);
    assert_eq!(log.lines(), [""; 0]);
    socket.uncork();
    socket.uncork(); // one too many
    turn_until_line(&mut reactor, &log, "x ok");
    assert_eq!(sends(reactor.net()), 1);
    assert_eq!(at(&mut reactor, us).buffer_size(), 0);
    let mut got = vec![0; 10_001];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(got, [pattern(5000), pattern(5000), b"x".to_vec()].concat());
    assert!(at(&mut reactor, us).write(&pattern(5000)));
    assert_eq!(sends(reactor.net()), 2, "no longer corked");
}

#[test]
fn r51_corked_bytes_reach_the_mark_and_drain_after_uncork() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.cork();
    assert!(socket.write(&pattern(65_535)));
    assert!(!socket.write(b"x"));
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), [""; 0]);
    let mut socket = at(&mut reactor, us);
    assert!(socket.writable_need_drain());
    socket.uncork();
    turn_until_line(&mut reactor, &log, "us drain");
}

#[test]
fn r51_writable_corked_counts_the_uncorks_to_come() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    let mut us = at(&mut reactor, us);
    assert_eq!(us.writable_corked(), 0);
    us.cork();
    us.cork();
    assert_eq!(us.writable_corked(), 2);
    us.uncork();
    assert_eq!(us.writable_corked(), 1);
    us.end();
    assert_eq!(us.writable_corked(), 0);
}

#[test]
fn r51_end_uncorks_however_often_it_was_corked() {
    for ended_by_peer in [false, true] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
        let mut socket = at(&mut reactor, us);
        socket.cork();
        socket.cork();
        socket.write(b"held");
        if ended_by_peer {
            peer.shutdown(std::net::Shutdown::Write).unwrap();
        } else {
            socket.end();
        }
        turn_until_line(&mut reactor, &log, "us finish");
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"held");
    }
}

#[test]
fn r51_destroy_drops_what_is_corked() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.cork();
    socket.write_then(b"held", completion("held", &log));
    socket.destroy();
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(log.lines(), ["held ECANCELED", "us close false"]);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
}

/// Node's `write` has handed them over by then; here they were gathered.
#[test]
fn r51_cork_holds_back_only_what_is_written_after_it() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.write(b"before");
    socket.cork();
    socket.write(b"after");
    turn_until_quiet(&mut reactor);
    assert_eq!(at(&mut reactor, us).buffer_size(), 5);
    let mut got = [0; 6];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"before");
}

#[test]
fn r52_bytes_written_counts_at_the_write_once_and_survives_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let handler = reacting("us", &log, move |socket, event| match event {
        Event::Connect => {
            assert_eq!(socket.bytes_written(), 3);
            socket.cork();
            socket.write(b"four");
            assert_eq!(socket.bytes_written(), 7);
        }
        Event::Close { .. } => told.push(format!("written {}", socket.bytes_written())),
        _ => {}
    });
    let address = listener.local_addr().unwrap();
    let mut socket = reactor.net().connect(address, handler).unwrap();
    let us = socket.id();
    socket.write(b"abc");
    assert_eq!(socket.bytes_written(), 3);
    turn_until_line(&mut reactor, &log, "us ready");
    let mut socket = at(&mut reactor, us);
    socket.uncork();
    socket.write(&vec![0; BIG]);
    assert_eq!(socket.bytes_written(), 7 + BIG as u64, "sent and queued");
    turn_until_quiet(&mut reactor);
    assert_eq!(at(&mut reactor, us).bytes_written(), 7 + BIG as u64);
    at(&mut reactor, us).destroy();
    turn_until_line(&mut reactor, &log, "us close false");
    assert!(log.has(&format!("written {}", 7 + BIG)), "{log:?}");
}

#[test]
fn r53_buffer_size_is_exactly_what_the_kernel_has_not_taken() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, peer) = accepted(&mut reactor, recorder("us", &log));
    let sent = pattern(BIG);
    let mut socket = at(&mut reactor, us);
    socket.write(&sent);
    socket.write(b"and more");
    turn_until_quiet(&mut reactor);
    let left = at(&mut reactor, us).buffer_size();
    let got = bytes_that_left(reactor, peer);
    assert_eq!(got.len() + left, BIG + 8);
    assert!(sent.starts_with(&got));
}

#[test]
fn r53_buffer_size_is_zero_at_finish() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let handler = reacting("us", &log, move |socket, event| {
        if let Event::Finish = event {
            told.push(format!("left {}", socket.buffer_size()));
            assert!(socket.writable_finished());
        }
    });
    let (us, mut peer) = accepted(&mut reactor, handler);
    at(&mut reactor, us).end_with(&vec![0; BIG]);
    turn_until_quiet(&mut reactor);
    let socket = at(&mut reactor, us);
    assert!(socket.buffer_size() > 0 && !socket.writable_finished());
    read_while_turning(&mut reactor, &mut peer, BIG).unwrap();
    turn_until_line(&mut reactor, &log, "us finish");
    assert_eq!(log.lines(), ["us finish", "left 0"]);
}

/// That the process survives where SIGPIPE is not ignored is a matter of flags, and tested in `sys`.
#[test]
fn r54_a_reset_during_a_write_is_one_error_and_fails_what_is_queued() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let handler = reacting("us", &log, move |_, event| {
        if let Event::Error(error) = event {
            told.push(error.syscall().unwrap_or_default());
        }
    });
    let (us, peer) = accepted(&mut reactor, handler);
    let mut socket = at(&mut reactor, us);
    socket.write_then(&vec![0; BIG], completion("big", &log));
    socket.write_then(b"x", completion("small", &log));
    reset(peer);
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "big ECONNRESET",
            "small ECONNRESET",
            "us error ECONNRESET",
            "read",
            "us close true"
        ]
    );
}

#[test]
fn r54_a_reset_that_a_write_finds_first_is_the_writes_error() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, peer) = accepted(&mut reactor, recorder("us", &log));
    reset(peer);
    let mut socket = at(&mut reactor, us);
    assert!(!socket.write(&pattern(10_000)));
    assert!(socket.destroyed());
    let error = socket.errored().unwrap();
    assert_eq!(error.to_string(), "write ECONNRESET");
    assert!(!socket.write(b"another"));
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us error ECONNRESET", "us close true"]);
}

/// Small bytes before it put a large write behind a budget that is for sharing turns, not for
/// answers.
#[test]
fn r40_the_kernel_is_asked_for_all_of_a_large_write_behind_a_small_one() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    let mut us = at(&mut reactor, us);
    let large = vec![0; 1 << 20]; // the kernel takes twice as much of a peer that does not read
    assert!(us.write(&large));
    us.write(b"x");
    assert!(us.write(&large));
    assert_eq!(us.buffer_size(), 0);
}

/// Sockets whose bytes wait keep queues, of which only so many are pooled. Corked here, so that it
/// does not take sixty full kernel buffers.
#[test]
fn r39_small_writes_gather_however_many_queues_are_out() {
    let mut reactor = Reactor::new().unwrap();
    let address = listen(&mut reactor, |socket| {
        socket.cork();
        socket.write(b"waits");
        netloop::handler_fn(|_, _| ())
    });
    let slow: Vec<_> = (0..60).map(|_| plain_peer(address)).collect();
    turn_until(&mut reactor, |net| net.stats().accepted == 60);
    let log = Log::new();
    let handler = reacting("us", &log, |socket, event| {
        if let Event::Data(_) = event {
            for _ in 0..100 {
                socket.write(b"12345678");
            }
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    let before = sends(reactor.net());
    peer.write_all(b"x").unwrap();
    turn_until_line(&mut reactor, &log, "us data 1");
    assert_eq!(sends(reactor.net()) - before, 1);
    drop(slow);
}
