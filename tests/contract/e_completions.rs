//! Group E, writing: completions (R43 to R45).
//!
//! A write's callback is `write_then`, the callbacks of `end` are `finish`.

use crate::support::*;
use netloop::{Error, Event, SocketId};
use std::io::{Read, Write};
use std::time::Duration;

#[test]
fn r43_each_completion_runs_once_in_order_when_its_own_bytes_are_with_the_kernel() {
    let (mut reactor, log) = fresh();
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
        let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
fn r44_so_it_is_when_they_were_corked() {
    for uncorked_before in [true, false] {
        let (mut reactor, log) = fresh();
        let (us, _listener) = connecting(&mut reactor, &log, |to| to);
        let mut us = at(&mut reactor, us);
        us.cork();
        us.write_then(b"a", completion("a", &log));
        if uncorked_before {
            us.uncork();
        }
        us.destroy();
        us.uncork();
        turn_until_line(&mut reactor, &log, "us close false");
        turn_until_quiet(&mut reactor);
        assert_eq!(
            log.lines(),
            ["us close false", "a ERR_SOCKET_CLOSED_BEFORE_CONNECTION"]
        );
    }
}

#[test]
fn r44_a_refused_write_keeps_its_place_behind_those_that_wait_for_the_connection() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
            &*format!("us attempt failed {address} ECONNREFUSED"),
            "us error ECONNREFUSED",
            "us close true",
            "nothing ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
            "a ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
        ]
    );
}

#[test]
fn r45_destroy_with_bytes_queued_cancels_their_completions_before_close() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
