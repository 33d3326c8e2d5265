//! Group F: resets and aborts (R62 to R65).
//!
//! There is no reset without a connection (R64), since there is no view of such a socket. An abort
//! signal (R65) has another form: whoever has the id may destroy the socket with an error. That Unix
//! sockets refuse a reset (R64) comes with Unix sockets.

use crate::support::*;
use netloop::{Error, Event, Reactor};
use std::io;
use std::net::TcpListener;

#[test]
fn r62_reset_and_destroy_sends_an_rst_and_is_no_error_to_us() {
    let (mut reactor, log) = fresh();
    let (us, peer) = accepted(&mut reactor, recorder("us", &log));
    let mut us = at(&mut reactor, us);
    us.reset_and_destroy();
    assert_destroyed(&us);
    turn_until_line(&mut reactor, &log, "us close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us close false"]);
    assert_eq!(
        how_it_closed(peer),
        (0, Some(io::ErrorKind::ConnectionReset))
    );
}

#[test]
fn r62_a_peer_of_ours_reads_econnreset() {
    let (mut reactor, log) = fresh();
    let (client, _) = connected(
        &mut reactor,
        recorder("client", &log),
        recorder("server", &log),
    );
    log.clear();
    at(&mut reactor, client).reset_and_destroy();
    turn_until_line(&mut reactor, &log, "server close true");
    assert_eq!(log.of("client"), ["close false"]);
    assert_eq!(log.of("server"), ["error ECONNRESET", "close true"]);
}

#[test]
fn r63_while_connecting_a_reset_waits_for_connect() {
    let (mut reactor, log) = fresh();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let told = log.clone();
    let handler = reacting("us", &log, move |socket, event| {
        if let Event::Connect = event {
            told.push(format!("{}", socket.ready_state()));
        }
    });
    let address = listener.local_addr().unwrap();
    let mut us = reactor.net().connect(address, handler).unwrap();
    us.reset_and_destroy();
    assert!(us.connecting() && !us.destroyed());
    turn_until_line(&mut reactor, &log, "us close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines()[1..],
        ["us connect", "open", "us close false"],
        "{log:?}"
    );
    let (peer, _) = listener.accept().unwrap();
    assert_eq!(
        how_it_closed(peer),
        (0, Some(io::ErrorKind::ConnectionReset))
    );
}

#[test]
fn r63_a_destroy_behind_that_reset_cancels_it_silently() {
    let mut reactor = Reactor::new().unwrap();
    let (_refusing, nobody) = refusing();
    let log = Log::new();
    let us = recorder("us", &log);
    let mut us = reactor.net().connect(nobody, us).unwrap();
    us.reset_and_destroy();
    us.destroy();
    assert_destroyed(&us);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us close false"]);
}

#[test]
fn r63_so_does_one_in_connect_but_for_the_rst() {
    let (mut reactor, log) = fresh();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let handler = reacting("us", &log, |socket, event| {
        if let Event::Connect = event {
            socket.destroy();
        }
    });
    let address = listener.local_addr().unwrap();
    let mut us = reactor.net().connect(address, handler).unwrap();
    us.reset_and_destroy();
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("us")[1..], ["connect", "close false"]);
}

/// Node tells `ERR_SOCKET_CLOSED`; what has no connection has no view here, or is destroyed.
#[test]
fn r64_a_reset_of_a_destroyed_socket_does_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let (_refusing, nobody) = refusing();
    let log = Log::new();
    let handler = reacting("us", &log, |socket, event| {
        if let Event::Error(_) | Event::Close { .. } = event {
            socket.reset_and_destroy();
        }
    });
    reactor.net().connect(nobody, handler).unwrap();
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("us")[2..], ["error ECONNREFUSED", "close true"]);
}

/// Node's abort signal is an id and an error here; "aborted before" is a socket destroyed before it
/// connects.
#[test]
fn r65_whoever_has_the_id_aborts_with_an_error_and_then_close() {
    let (mut reactor, log) = fresh();
    let (us, _) = connected(&mut reactor, recorder("us", &log), recorder("them", &log));
    let (_kept, address) = refusing();
    let early = reactor.net().connect(address, recorder("early", &log));
    let early = early.unwrap().id();
    log.clear();
    for id in [us, early] {
        let aborted = Error::new("ABORT_ERR", "The operation was aborted");
        reactor.net().socket(id).unwrap().destroy_with(aborted);
    }
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_line(&mut reactor, &log, "early close true");
    assert_eq!(log.of("us"), ["error ABORT_ERR", "close true"]);
    assert_eq!(log.of("early"), ["error ABORT_ERR", "close true"]);
}
