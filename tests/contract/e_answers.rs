//! Group E, writing: what `write` answers, and `drain` (R39 to R42).

use crate::support::*;
use bytes::Bytes;
use netloop::{Event, Reactor};
use std::io::{Read, Write};
use std::net::TcpListener;

#[test]
fn r39_writes_before_connect_leave_in_one_send_ahead_of_those_made_in_connect() {
    let (mut reactor, log) = fresh();
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

#[test]
fn r40_a_write_larger_than_the_mark_that_the_kernel_takes_whole_answers_true() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
    let (us, _peer) = full(&mut reactor, &log);
    let mut us = at(&mut reactor, us);
    let before = sends(us.net());
    assert!(!us.write(b"more"));
    assert!(!us.write(&pattern(10_000)));
    assert_eq!(sends(us.net()), before);
}

#[test]
fn r40_while_connecting_all_bytes_count_and_the_mark_itself_is_too_many() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
    let (us, _listener) = connecting(&mut reactor, &log, |to| to.high_water_mark(0));
    let mut socket = at(&mut reactor, us);
    assert!(socket.write(b""), "nothing is queued");
    assert!(!socket.write(b"x"));
    turn_until_line(&mut reactor, &log, "us drain");
    let mut socket = at(&mut reactor, us);
    assert!(socket.write(b"y"));
    assert_eq!(socket.buffer_size(), 0);
}

/// Small bytes before it put a large write behind a budget that is for sharing turns, not for
/// answers.
#[test]
fn r40_the_kernel_is_asked_for_all_of_a_large_write_behind_a_small_one() {
    let (mut reactor, log) = fresh();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    let mut us = at(&mut reactor, us);
    let large = vec![0; 1 << 20]; // the kernel takes twice as much of a peer that does not read
    assert!(us.write(&large));
    us.write(b"x");
    assert!(us.write(&large));
    assert_eq!(us.buffer_size(), 0);
}

#[test]
fn r41_with_the_write_cap_off_nothing_is_ever_refused() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
    let (us, _listener) = connecting(&mut reactor, &log, |to| to.high_water_mark(1));
    assert!(!at(&mut reactor, us).write(b"false"));
    turn_until_line(&mut reactor, &log, "us drain");
    assert_eq!(log.of("us")[1..], ["connect", "ready", "drain"], "{log:?}");
}

#[test]
fn r42_no_drain_once_end_was_called() {
    let (mut reactor, log) = fresh();
    let (us, mut peer) = full(&mut reactor, &log);
    at(&mut reactor, us).end();
    read_while_turning(&mut reactor, &mut peer, BIG).unwrap();
    drop(peer);
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(log.of("us"), ["finish", "end", "close false"]);
}

#[test]
fn r42_no_drain_once_the_peers_end_was_answered_with_ours() {
    let (mut reactor, log) = fresh();
    let (_, mut peer) = full(&mut reactor, &log);
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "us end");
    read_while_turning(&mut reactor, &mut peer, BIG + 1).unwrap();
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(log.of("us"), ["end", "finish", "close false"]);
}

#[test]
fn r42_no_drain_once_destroy_was_called() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
