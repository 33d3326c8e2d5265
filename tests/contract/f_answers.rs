//! Group F, what a socket answers in each state, destroyed and closed too (R60, R61, R66).
//!
//! A view of a socket that is gone does not exist (R60): the id finds nothing once `close` was told,
//! so "after close" is inside `on_close`, and later there is nobody to ask.

use crate::support::*;
use netloop::{Address, Event, Handler, ReadyState, Socket};
use std::cell::RefCell;
use std::io::Write;
use std::net::{Shutdown, TcpListener};
use std::rc::Rc;
use std::time::Duration;

/// Calls everything there is, and answers with what the getters said.
fn poke(socket: &mut Socket<'_>) -> [u64; 2] {
    socket.pause();
    socket.resume();
    socket.unread(b"x");
    socket.cork();
    socket.uncork();
    socket.end();
    socket.end_with(b"x");
    socket.destroy_soon();
    socket.destroy();
    socket.reset_and_destroy();
    socket.set_timeout(Duration::from_millis(1));
    socket.set_no_delay(true);
    socket.set_keep_alive(true, Duration::from_secs(1));
    socket.unref();
    socket.r#ref();
    assert!(!socket.write(b"x") && !socket.write_bytes(vec![1].into()));
    assert_destroyed(socket);
    assert_eq!(socket.timeout(), None, "setting it does nothing");
    assert!(!socket.is_paused());
    assert!(socket.server().is_some());
    assert_eq!(socket.writable_high_water_mark(), 65_536);
    let _ = (socket.address(), socket.local_family());
    assert!(format!("{socket:?}").contains("Closed"));
    [socket.bytes_read(), socket.bytes_written()]
}

#[test]
fn r60_every_getter_and_setter_is_safe_in_close_and_afterwards_there_is_no_socket() {
    let (mut reactor, log) = fresh();
    let told = log.clone();
    let handler = reacting("us", &log, move |socket, event| match event {
        Event::Data(_) => {
            socket.set_timeout(Duration::from_secs(60));
            socket.write(b"answer");
        }
        Event::Close { .. } => {
            let [read, written] = poke(socket);
            assert!(socket.readable_ended() && socket.writable_ended());
            assert!(socket.writable_finished());
            told.push(format!("{read} read, {written} written"));
        }
        _ => {}
    });
    let (us, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"question").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "us close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "us data 8",
            "us end",
            "us finish",
            "us close false",
            "8 read, 6 written"
        ]
    );
    assert!(reactor.net().socket(us).is_none());
    assert_eq!(how_it_closed(peer), (6, None));
}

#[test]
fn r60_so_they_are_between_destroy_and_close() {
    let (mut reactor, log) = fresh();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    at(&mut reactor, us).destroy();
    assert_eq!(poke(&mut at(&mut reactor, us)), [0, 0]);
    assert!(!at(&mut reactor, us).writable_finished());
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us close false"]);
}

/// Node forgets the peer's address at destroy unless it was read before; here it is kept.
#[test]
fn r61_the_addresses_are_unknown_while_connecting_and_known_from_connect_to_close() {
    let (mut reactor, log) = fresh();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let note = seen.clone();
    let handler = reacting("us", &log, move |socket, event| {
        let remote = socket.peer_address().and_then(|it| it.as_inet());
        let parts = (socket.remote_address(), socket.remote_port());
        assert_eq!(parts.0, remote.map(|it| it.ip()));
        assert_eq!(parts.1, remote.map(|it| it.port()));
        assert_eq!(socket.remote_family().is_some(), remote.is_some());
        let local = socket.local_port();
        assert_eq!(socket.local_address().is_some(), local.is_some());
        assert_eq!(socket.address().map(|it| it.port()), local.map(Some));
        note.borrow_mut().push((describe(&event), remote, local));
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let us = reactor.net().connect(address, handler).unwrap();
    let us = us.id();
    for begun in [false, true] {
        let socket = at(&mut reactor, us);
        assert!(socket.connecting(), "begun: {begun}");
        assert_eq!((socket.peer_address(), socket.address()), (None, None));
        turn_until_line(&mut reactor, &log, &format!("us attempt {address}"));
    }
    turn_until_line(&mut reactor, &log, "us ready");
    let (peer, from) = listener.accept().unwrap();
    drop(peer);
    turn_until_line(&mut reactor, &log, "us close false");
    let seen = seen.borrow();
    assert_eq!(seen[0], (format!("attempt {address}"), None, None));
    let told: Vec<_> = seen.iter().map(|(event, ..)| event.as_str()).collect();
    assert_eq!(
        told[1..],
        ["connect", "ready", "end", "finish", "close false"]
    );
    for (event, remote, local) in &seen[1..] {
        assert_eq!(*remote, Some(address), "{event}");
        if event != "close false" {
            assert_eq!(*local, Some(from.port()), "{event}");
        }
    }
}

#[test]
fn r61_an_accepted_sockets_peer_is_known_though_it_has_reset_already() {
    let (mut reactor, log) = fresh();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (note, told) = (seen.clone(), log.clone());
    let address = listen(&mut reactor, move |socket| {
        let note = note.clone();
        note.borrow_mut().push(socket.peer_address());
        let handler = reacting("us", &told, move |socket, _| {
            note.borrow_mut().push(socket.peer_address());
        });
        Box::new(handler) as Box<dyn Handler>
    });
    let peer = plain_peer(address);
    let from = Address::from(peer.local_addr().unwrap());
    reset(peer);
    turn_until_line(&mut reactor, &log, "us close true");
    assert_eq!(log.lines(), ["us error ECONNRESET", "us close true"]);
    assert_eq!(*seen.borrow(), vec![Some(from); 3]);
}

#[test]
fn r66_ready_state_says_which_sides_are_open() {
    let (mut reactor, log) = fresh();
    let told = log.clone();
    let watch = |who: &'static str| {
        let told = told.clone();
        reacting(who, &log, move |socket, _| {
            told.push(format!("{who} is {}", socket.ready_state()));
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut ender = reactor.net().connect(address, watch("ender")).unwrap();
    assert_eq!(ender.ready_state(), ReadyState::Opening);
    ender.end();
    assert_eq!(ender.ready_state(), ReadyState::Opening, "still");
    turn_until_line(&mut reactor, &log, "ender finish");
    drop(listener.accept().unwrap());
    turn_until_line(&mut reactor, &log, "ender close false");

    let (us, peer) = accepted_with(
        &mut reactor,
        |options| options.allow_half_open(true),
        watch("peer_ended"),
    );
    assert_eq!(at(&mut reactor, us).ready_state(), ReadyState::Open);
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "peer_ended end");
    let mut socket = at(&mut reactor, us);
    assert_eq!(socket.ready_state(), ReadyState::WriteOnly);
    socket.end();
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    turn_until_line(&mut reactor, &log, "peer_ended close false");
    assert_eq!(
        log.of("ender")[1..],
        [
            "is opening", // inside the attempt
            "connect",
            "is readOnly",
            "ready",
            "is readOnly",
            "finish",
            "is readOnly",
            "end",
            "is closed",
            "close false",
            "is closed"
        ]
    );
    assert_eq!(
        log.of("peer_ended"),
        [
            "end",
            "is writeOnly",
            "finish",
            "is closed",
            "close false",
            "is closed"
        ]
    );
}
