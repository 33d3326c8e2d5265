//! Group D: half-close and normal close (R28 to R38).
//!
//! The callbacks of `end` and `finish` are one event here, `finish`; an error that `end` leads to
//! is `error`.

use crate::support::*;
use netloop::{Event, ListenOptions, Reactor, ReadyState, Socket, SocketId};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

#[test]
fn r28_a_peers_fin_leads_to_end_our_own_end_finish_and_close() {
    let (mut reactor, log) = fresh();
    let states = log.clone();
    let handler = reacting("socket", &log, move |socket, event| match event {
        Event::Data(bytes) => {
            socket.write(bytes);
        }
        Event::End | Event::Finish | Event::Close { .. } => {
            let (ended, destroyed) = (socket.writable_ended(), socket.destroyed());
            states.push(format!("ended {ended}, destroyed {destroyed}"));
        }
        _ => {}
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"hello").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.lines(),
        [
            "socket data 5",
            "socket end",
            "ended false, destroyed false",
            "socket finish",
            "ended true, destroyed false",
            "socket close false",
            "ended true, destroyed true",
        ]
    );
    assert_eq!(read_to_end(&mut peer), b"hello");
}

/// Node accepts writes for the rest of the tick, too; here until the handler has returned.
#[test]
fn r29_what_is_written_in_end_is_sent_before_the_fin() {
    let (mut reactor, log) = fresh();
    let handler = reacting("socket", &log, |socket, event| {
        if let Event::End = event {
            assert!(socket.writable());
            assert_eq!(socket.ready_state(), ReadyState::WriteOnly);
            assert!(socket.write(b"good"));
            assert!(socket.write(b"bye"));
        }
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "socket end");
    let writable = reactor.net().socket(id).is_some_and(|s| s.writable());
    assert!(!writable, "after the handler has returned");
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(log.of("socket"), ["end", "finish", "close false"]);
    assert_eq!(read_to_end(&mut peer), b"goodbye");
}

#[test]
fn r30_the_implicit_end_waits_for_everything_queued_before_it() {
    let (mut reactor, log) = fresh();
    let sent = more_than_the_kernel_takes();
    let reply = sent.clone();
    let handler = reacting("socket", &log, move |socket, event| {
        if let Event::Data(_) = event {
            assert!(!socket.write(&reply), "the kernel took all of it");
        }
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"go").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "socket end");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket"), ["data 2", "end"]);
    let socket = reactor.net().socket(id).unwrap();
    assert!(socket.buffer_size() > 0 && !socket.destroyed() && !socket.writable_finished());

    let received = read_while_turning(&mut reactor, &mut peer, usize::MAX).unwrap();
    assert!(received == sent, "bytes lost or out of order");
    turn_until_line(&mut reactor, &log, "socket close false");
    // No `drain`: our side was ended when the queue became empty (R42).
    assert_eq!(log.of("socket"), ["data 2", "end", "finish", "close false"]);
}

#[test]
fn r31_a_half_open_socket_stays_writable_after_end_until_it_is_ended() {
    for make in [half_open_accepted, half_open_dialled] {
        let (mut reactor, log) = fresh();
        let (id, mut peer) = make(&mut reactor, &log);
        peer.shutdown(Shutdown::Write).unwrap();
        turn_until_line(&mut reactor, &log, "socket end");
        turn_until_quiet(&mut reactor);
        let mut socket = reactor.net().socket(id).unwrap();
        assert!(!socket.readable() && socket.writable() && !socket.destroyed());
        assert_eq!(socket.ready_state(), ReadyState::WriteOnly);
        assert!(socket.write(b"still here"));
        let received = read_while_turning(&mut reactor, &mut peer, 10).unwrap();
        assert_eq!(received, b"still here");
        turn_until_quiet(&mut reactor);
        assert_eq!(log.of("socket"), ["end"]);

        reactor.net().socket(id).unwrap().end();
        turn_until_line(&mut reactor, &log, "socket close false");
        assert_eq!(log.of("socket"), ["end", "finish", "close false"]);
        assert_eq!(read_to_end(&mut peer), b"");
    }
}

#[test]
fn r31_a_half_open_socket_may_be_destroyed_after_end() {
    for make in [half_open_accepted, half_open_dialled] {
        let (mut reactor, log) = fresh();
        let (id, peer) = make(&mut reactor, &log);
        peer.shutdown(Shutdown::Write).unwrap();
        turn_until_line(&mut reactor, &log, "socket end");
        reactor.net().socket(id).unwrap().destroy();
        turn_until_line(&mut reactor, &log, "socket close false");
        assert_eq!(log.of("socket"), ["end", "close false"]);
    }
}

#[test]
fn r32_after_our_own_end_data_keeps_coming_until_the_peer_ends() {
    for half_open in [false, true] {
        let (mut reactor, log) = fresh();
        let handler = reacting("socket", &log, |socket, event| {
            if let Event::End = event {
                assert_eq!(socket.ready_state(), ReadyState::Closed);
            }
        });
        let options = ListenOptions::from("127.0.0.1:0").allow_half_open(half_open);
        let (id, mut peer) = accepted_by(&mut reactor, options, handler);
        let mut socket = reactor.net().socket(id).unwrap();
        socket.end();
        assert!(!socket.writable() && socket.readable());
        assert_eq!(socket.ready_state(), ReadyState::ReadOnly);
        turn_until_quiet(&mut reactor);
        assert_eq!(log.of("socket"), ["finish"]);
        assert_eq!(read_to_end(&mut peer), b"");

        peer.write_all(b"hello").unwrap();
        turn_until_line(&mut reactor, &log, "socket data 5");
        turn_until_quiet(&mut reactor);
        let state = reactor.net().socket(id).unwrap().ready_state();
        assert_eq!(state, ReadyState::ReadOnly);
        drop(peer);
        turn_until_line(&mut reactor, &log, "socket close false");
        assert_eq!(log.of("socket"), ["finish", "data 5", "end", "close false"]);
    }
}

#[test]
fn r32_a_socket_that_ends_while_connecting_is_still_opening_and_not_writable() {
    let (mut reactor, log) = fresh();
    let handler = reacting("socket", &log, |socket, event| {
        if let Event::Connect = event {
            assert_eq!(socket.ready_state(), ReadyState::ReadOnly);
        }
    });
    let (_, mut peer) = dialled(
        &mut reactor,
        |o| o,
        handler,
        |socket| {
            socket.end();
            assert!(!socket.writable());
            assert_eq!(socket.ready_state(), ReadyState::Opening);
        },
    );
    peer.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "socket data 5");
    drop(peer);
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.of("socket")[1..],
        ["connect", "ready", "finish", "data 5", "end", "close false"]
    );
}

#[test]
fn r33_neither_end_nor_finish_alone_destroys_the_socket_and_their_order_is_free() {
    let peers_end: Half = |_, _, peer| peer.shutdown(Shutdown::Write).unwrap();
    let our_end: Half = |reactor, id, _| reactor.net().socket(id).unwrap().end();
    for (halves, told) in [
        ([peers_end, our_end], ["end", "finish", "close false"]),
        ([our_end, peers_end], ["finish", "end", "close false"]),
    ] {
        let (mut reactor, log) = fresh();
        let (id, mut peer) = half_open_accepted(&mut reactor, &log);
        halves[0](&mut reactor, id, &mut peer);
        turn_until_line(&mut reactor, &log, &format!("socket {}", told[0]));
        turn_until_quiet(&mut reactor);
        assert_eq!(log.of("socket"), told[..1]);
        assert!(!reactor.net().socket(id).unwrap().destroyed());
        halves[1](&mut reactor, id, &mut peer);
        turn_until_line(&mut reactor, &log, "socket close false");
        assert_eq!(log.of("socket"), told);
    }
}

/// What completes one side of a connection.
type Half = fn(&mut Reactor, SocketId, &mut TcpStream);

#[test]
fn r33_two_ends_that_end_at_once_both_close() {
    let (mut reactor, log) = fresh();
    let (client, server) = connected(
        &mut reactor,
        recorder("client", &log),
        recorder("server", &log),
    );
    log.clear();
    for id in [client, server] {
        reactor.net().socket(id).unwrap().end();
    }
    turn_until_line(&mut reactor, &log, "client close false");
    turn_until_line(&mut reactor, &log, "server close false");
    for who in ["client", "server"] {
        let mut lines = log.of(who);
        assert_eq!(lines.pop().as_deref(), Some("close false"));
        lines.sort();
        assert_eq!(lines, ["end", "finish"]);
    }
}

#[test]
fn r34_end_while_connecting_waits_for_the_connection_and_the_queue() {
    let (mut reactor, log) = fresh();
    let sent = more_than_the_kernel_takes();
    let before = |socket: &mut Socket<'_>| {
        socket.write(&sent[..9]);
        socket.end_with(&sent[9..]);
    };
    let (_, mut peer) = dialled(&mut reactor, |o| o, recorder("socket", &log), before);
    turn_until_line(&mut reactor, &log, "socket ready");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket")[1..], ["connect", "ready"]);
    let received = read_while_turning(&mut reactor, &mut peer, usize::MAX).unwrap();
    assert!(received == sent, "bytes lost or out of order");
    drop(peer);
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.of("socket")[1..],
        ["connect", "ready", "finish", "end", "close false"]
    );
}

#[test]
fn r34_if_connecting_fails_after_end_only_that_error_is_told() {
    let (mut reactor, log) = fresh();
    let (_holder, address) = refusing();
    let handler = recorder("socket", &log);
    let mut socket = reactor.net().connect(address, handler).unwrap();
    socket.end_with(b"hello");
    turn_until_line(&mut reactor, &log, "socket close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.of("socket"),
        [
            &format!("attempt {address}"),
            &format!("attempt failed {address} ECONNREFUSED"),
            "error ECONNREFUSED",
            "close true"
        ]
    );
}

#[test]
fn r35_end_again_is_harmless_and_finish_is_told_once() {
    let (mut reactor, log) = fresh();
    let handler = reacting("socket", &log, |socket, event| {
        if let Event::Finish | Event::End | Event::Close { .. } = event {
            socket.end();
        }
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    let mut socket = reactor.net().socket(id).unwrap();
    socket.write(b"hello");
    socket.end();
    socket.end();
    turn_until_line(&mut reactor, &log, "socket finish");
    reactor.net().socket(id).unwrap().end();
    turn_until_quiet(&mut reactor);
    assert_eq!(read_to_end(&mut peer), b"hello");
    drop(peer);
    turn_until_line(&mut reactor, &log, "socket close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket"), ["finish", "end", "close false"]);
}

/// Node's callback of `end` gets the error; here it is `error`, and `finish` never comes.
#[test]
fn r35_end_with_data_after_end_is_a_write_after_end() {
    let (mut reactor, log) = fresh();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let mut socket = reactor.net().socket(id).unwrap();
    socket.write(b"before");
    socket.end();
    socket.end_with(b"after");
    assert!(log.lines().is_empty(), "told inside the call: {log:?}");
    turn_until_line(&mut reactor, &log, "socket close true");
    assert_eq!(
        log.of("socket"),
        ["error ERR_STREAM_WRITE_AFTER_END", "close true"]
    );
    assert_eq!(read_to_end(&mut peer), b"before");
}

#[test]
fn r35_end_with_data_after_finish_is_a_write_after_end() {
    let (mut reactor, log) = fresh();
    let (id, _peer) = accepted(&mut reactor, recorder("socket", &log));
    reactor.net().socket(id).unwrap().end();
    turn_until_line(&mut reactor, &log, "socket finish");
    reactor.net().socket(id).unwrap().end_with(b"after");
    turn_until_line(&mut reactor, &log, "socket close true");
    assert_eq!(
        log.of("socket"),
        ["finish", "error ERR_STREAM_WRITE_AFTER_END", "close true"]
    );
}

/// Node has sockets that nobody ever connects; here a socket is connecting from the first. What is
/// left of the rule: until the attempt has begun `end` only takes note, and called off there is no
/// `finish`, as nothing was sent.
#[test]
fn r36_end_before_the_attempt_takes_note_and_tells_nothing_by_itself() {
    let (mut reactor, log) = fresh();
    let (_holder, address) = refusing();
    let handler = reacting("socket", &log, |socket, event| {
        if let Event::ConnectionAttempt(_) = event {
            socket.destroy();
        }
    });
    let mut socket = reactor.net().connect(address, handler).unwrap();
    socket.end();
    assert!(!socket.writable() && socket.writable_ended() && !socket.destroyed());
    turn_until_line(&mut reactor, &log, "socket close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.of("socket"),
        [&format!("attempt {address}"), "close false"]
    );
}

#[test]
fn r37_destroy_soon_sends_all_that_is_queued_and_does_not_wait_for_the_peers_fin() {
    let (mut reactor, log) = fresh();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let sent = more_than_the_kernel_takes();
    let mut socket = reactor.net().socket(id).unwrap();
    assert!(!socket.write(&sent), "the kernel took all of it");
    socket.destroy_soon();
    assert!(!socket.writable() && socket.writable_ended() && !socket.destroyed());
    assert_eq!(socket.ready_state(), ReadyState::ReadOnly);
    turn_until_quiet(&mut reactor);
    assert!(log.lines().is_empty(), "{log:?}");
    let received = read_while_turning(&mut reactor, &mut peer, usize::MAX).unwrap();
    assert!(received == sent, "bytes lost or out of order");
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(log.of("socket"), ["finish", "close false"]);
}

#[test]
fn r37_destroy_soon_destroys_at_once_what_has_finished() {
    let (mut reactor, log) = fresh();
    let (id, _peer) = accepted(&mut reactor, recorder("socket", &log));
    reactor.net().socket(id).unwrap().end();
    turn_until_line(&mut reactor, &log, "socket finish");
    let mut socket = reactor.net().socket(id).unwrap();
    socket.destroy_soon();
    assert!(socket.destroyed());
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(log.of("socket"), ["finish", "close false"]);
}

#[test]
fn r37_destroy_soon_after_end_no_longer_waits_for_the_peer() {
    let (mut reactor, log) = fresh();
    let handler = recorder("socket", &log);
    let (_, mut peer) = dialled(
        &mut reactor,
        |o| o,
        handler,
        |socket| {
            socket.write(b"hello");
            socket.end();
            socket.destroy_soon();
            socket.end(); // the stricter one wins, whichever came last
        },
    );
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.of("socket")[1..],
        ["connect", "ready", "finish", "close false"]
    );
    assert_eq!(read_to_end(&mut peer), b"hello");
}

#[test]
fn r37_a_write_after_destroy_soon_is_a_write_after_end() {
    let (mut reactor, log) = fresh();
    let (id, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let mut socket = reactor.net().socket(id).unwrap();
    socket.write(b"before");
    socket.destroy_soon();
    assert!(!socket.write(b"after"));
    turn_until_line(&mut reactor, &log, "socket close true");
    assert_eq!(
        log.of("socket"),
        ["error ERR_STREAM_WRITE_AFTER_END", "close true"]
    );
    assert_eq!(read_to_end(&mut peer), b"before");
}

#[test]
fn r38_at_finish_every_byte_and_the_fin_are_with_the_kernel() {
    let (mut reactor, log) = fresh();
    let handler = reacting("socket", &log, |socket, event| {
        if let Event::Finish = event {
            assert!(socket.writable_finished());
            assert_eq!(socket.buffer_size(), 0);
        }
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    let mut socket = reactor.net().socket(id).unwrap();
    socket.write(b"hello");
    socket.end();
    assert!(socket.writable_ended() && !socket.writable_finished());
    turn_until_line(&mut reactor, &log, "socket finish");
    // Without another turn: nothing is left for the loop to send.
    assert_eq!(read_to_end(&mut peer), b"hello");
    drop(peer);
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(log.of("socket"), ["finish", "end", "close false"]);
}

#[test]
fn r38_finish_never_comes_after_destroy() {
    let (mut reactor, log) = fresh();
    let (id, _peer) = accepted(&mut reactor, recorder("socket", &log));
    let mut socket = reactor.net().socket(id).unwrap();
    socket.end();
    socket.destroy();
    turn_until_line(&mut reactor, &log, "socket close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket"), ["close false"]);
}

/// The FIN is sent when the handler returns and `finish` is noted; an immediate of the same turn
/// comes between that and the telling.
#[test]
fn r38_finish_never_comes_after_destroy_even_if_the_fin_is_sent() {
    let (mut reactor, log) = fresh();
    let handler = reacting("socket", &log, |socket, event| {
        if let Event::Data(_) = event {
            socket.end();
            let id = socket.id();
            socket.net().set_immediate(move |net| {
                let mut socket = net.socket(id).unwrap();
                assert!(socket.writable_finished(), "the FIN is not sent yet");
                socket.destroy();
            });
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "socket close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket"), ["data 5", "close false"]);
}

fn half_open_accepted(reactor: &mut Reactor, log: &Log) -> (SocketId, TcpStream) {
    let options = ListenOptions::from("127.0.0.1:0").allow_half_open(true);
    accepted_by(reactor, options, recorder("socket", log))
}

fn half_open_dialled(reactor: &mut Reactor, log: &Log) -> (SocketId, TcpStream) {
    let handler = recorder("socket", log);
    let connection = dialled(
        reactor,
        |options| options.allow_half_open(true),
        handler,
        |_| (),
    );
    log.clear();
    connection
}

/// Eight megabytes and a little: a kernel takes about half of it for a peer that does not read.
fn more_than_the_kernel_takes() -> Vec<u8> {
    pattern(251 * 4096).repeat(8) // a whole number of patterns, so the pattern goes on
}

fn read_to_end(peer: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).unwrap();
    bytes
}

/// In between lies the turn's `finish`, which is noted and not told yet.
#[test]
fn r37_destroy_soon_in_the_turn_of_the_fin_still_tells_finish() {
    let (mut reactor, log) = fresh();
    let handler = reacting("us", &log, |socket, event| {
        if let Event::Data(_) = event {
            let id = socket.id();
            socket.end();
            let net = socket.net();
            net.set_immediate(move |net| net.socket(id).unwrap().destroy_soon());
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"x").unwrap();
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(log.of("us"), ["data 1", "finish", "close false"]);
}
