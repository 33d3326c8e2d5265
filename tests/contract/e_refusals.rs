//! Group E, writing: writes that come too late, or fail (R46 to R50, R54).
//!
//! That a socket which never connected refuses writes (R50) is a matter of types: `listen` and
//! `connect` are the only sources of sockets.

use crate::support::*;
use netloop::{Event, ReadyState, Socket};
use std::io::Read;

#[test]
fn r46_a_write_after_end_destroys_the_socket_with_an_error() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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

/// Node looks at who has ended before it looks whether the socket is destroyed.
#[test]
fn r47_a_write_after_destroy_tells_who_had_ended() {
    for (half_open, error) in [(false, "EPIPE"), (true, "ERR_STREAM_WRITE_AFTER_END")] {
        let (mut reactor, log) = fresh();
        let told = log.clone();
        let handler = reacting("us", &log, move |socket, event| match event {
            Event::End => socket.end(),
            Event::Close { .. } => assert!(!socket.write_then(b"x", completion("late", &told))),
            _ => {}
        });
        let (_, peer) = accepted_with(
            &mut reactor,
            |options| options.allow_half_open(half_open),
            handler,
        );
        drop(peer);
        turn_until_line(&mut reactor, &log, &format!("late {error}"));
        assert_eq!(log.of("us"), ["end", "finish", "close false"]);
    }
}

#[test]
fn r46_a_write_after_end_and_destroy_is_still_one_after_end() {
    let (mut reactor, log) = fresh();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.end();
    socket.destroy();
    assert!(!socket.write_then(b"x", completion("late", &log)));
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(
        log.lines(),
        ["late ERR_STREAM_WRITE_AFTER_END", "us close false"]
    );
}

#[test]
fn r48_a_half_open_socket_writes_on_after_the_peers_fin() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
        log.lines()[2..],
        [
            "us error ECONNREFUSED",
            "us close true",
            "late ERR_STREAM_DESTROYED", // after close, as all of them (R44)
        ]
    );
    assert!(reactor.net().socket(us).is_none());
}

/// That the process survives where SIGPIPE is not ignored is a matter of flags, and tested in `sys`.
#[test]
fn r54_a_reset_during_a_write_is_one_error_and_fails_what_is_queued() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
