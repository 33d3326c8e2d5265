//! Group F: destroy, error and close (R55 to R66).
//!
//! A view of a socket that is gone does not exist (R60): the id finds nothing once `close` was told,
//! so "after close" is inside `on_close`, and later there is nobody to ask. For the same reason
//! there is no reset without a connection (R64). An abort signal (R65) has another form: whoever has
//! the id may destroy the socket with an error. That Unix sockets refuse a reset (R64) comes with
//! Unix sockets.

use crate::support::*;
use netloop::{Address, Error, Event, Handler, Net, Reactor, ReadyState, Socket, SocketId};
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::rc::Rc;
use std::time::Duration;

/// More than the kernel takes for a peer that does not read.
const BIG: usize = 16 << 20;

#[track_caller]
fn at(reactor: &mut Reactor, id: SocketId) -> Socket<'_> {
    reactor.net().socket(id).expect("an open socket")
}

/// How the peer of a plain socket closed: after how many bytes, and by what error.
fn read_to_end(mut peer: impl Read) -> (usize, Option<io::ErrorKind>) {
    let mut got = Vec::new();
    let outcome = peer.read_to_end(&mut got);
    (got.len(), outcome.err().map(|error| error.kind()))
}

#[track_caller]
fn assert_destroyed(socket: &Socket<'_>) {
    assert!(socket.destroyed() && socket.pending() && !socket.connecting());
    assert!(!socket.readable() && !socket.writable());
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    assert_eq!(socket.buffer_size(), 0);
    assert!(!socket.writable_need_drain());
}

#[test]
fn r55_destroy_is_done_when_it_returns_and_only_close_follows() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    // The one destroyed has more input waiting, its end too, a drain and a finish in sight.
    let handler = reacting("us", &log, move |socket, event| {
        if let Event::Data(_) = event {
            assert!(!socket.write(&vec![0; BIG]));
            socket.unread(b"again");
            socket.end();
            socket.destroy();
            assert_destroyed(socket);
            assert!(!socket.closed() && !socket.writable_finished());
            told.push("destroyed");
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(&pattern(100_000)).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "us close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.lines(),
        ["us data 65536", "destroyed", "us close false"]
    );
}

#[test]
fn r55_what_was_noted_already_is_not_told_after_destroy() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    // The queue empties, and the FIN goes behind it: in this turn `drain` or `finish` are noted, and
    // the completion, which is told first, destroys the socket.
    for end in [false, true] {
        let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
        let mut socket = at(&mut reactor, us);
        let destroy = move |net: &mut Net, _| net.socket(us).unwrap().destroy();
        assert!(!socket.write_then(&vec![0; BIG], destroy));
        if end {
            socket.end();
        }
        read_while_turning(&mut reactor, &mut peer, BIG).unwrap();
        turn_until_line(&mut reactor, &log, "us close false");
        turn_until_quiet(&mut reactor);
        assert_eq!(log.lines(), ["us close false"], "end: {end}");
        log.clear();
    }
}

#[test]
fn r55_destroy_from_outside_is_told_later() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (client, server) = connected(
        &mut reactor,
        recorder("client", &log),
        recorder("server", &log),
    );
    log.clear();
    let mut socket = at(&mut reactor, client);
    socket.destroy();
    assert_destroyed(&socket);
    socket.destroy();
    at(&mut reactor, server).destroy();
    assert_eq!(log.lines(), [""; 0]);
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["client close false", "server close false"]);
}

#[test]
fn r55_a_second_destroy_is_ignored_and_so_is_its_error() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    let mut us = at(&mut reactor, us);
    us.destroy();
    us.destroy_with(Error::other("too late"));
    us.destroy_soon();
    us.reset_and_destroy();
    us.end();
    assert!(us.errored().is_none());
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us close false"]);
}

/// Bytes that were only gathered are sent first. If that fails, nobody but they want to know.
#[test]
fn r55_destroy_tells_no_error_whatever_became_of_the_last_bytes() {
    for reset_ours in [false, true] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (us, peer) = accepted(&mut reactor, recorder("us", &log));
        reset(peer);
        let mut us = at(&mut reactor, us);
        us.write_then(b"bye", completion("bye", &log));
        if reset_ours {
            us.reset_and_destroy();
        } else {
            us.destroy();
        }
        assert!(us.errored().is_none());
        turn_until_line(&mut reactor, &log, "us close false");
        turn_until_quiet(&mut reactor);
        assert_eq!(log.lines(), ["bye ECANCELED", "us close false"]);
    }
}

#[test]
fn r56_destroy_in_data_drops_the_rest_and_the_peer_sees_a_reset() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let handler = reacting("us", &log, |socket, event| {
        if let Event::Data(_) = event {
            socket.destroy();
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(&pattern(100_000)).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(log.lines(), ["us data 65536", "us close false"]);
    assert_eq!(read_to_end(peer), (0, Some(io::ErrorKind::ConnectionReset)));
}

#[test]
fn r56_with_nothing_left_unread_the_peer_sees_a_plain_end() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let handler = reacting("us", &log, |socket, event| {
        if let Event::Data(_) = event {
            socket.destroy();
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"all there is").unwrap();
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(log.lines(), ["us data 12", "us close false"]);
    assert_eq!(read_to_end(peer), (0, None));
}

#[test]
fn r57_the_first_error_is_the_one_that_is_told_and_one_close_follows() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.destroy_with(Error::new("FIRST", "first"));
    socket.destroy_with(Error::new("SECOND", "second"));
    assert!(!socket.write(b"third"));
    socket.destroy();
    reset(peer);
    assert_eq!(at(&mut reactor, us).errored().unwrap().code(), "FIRST");
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us error FIRST", "us close true"]);
}

#[test]
fn r57_it_is_told_though_the_last_bytes_fail_to_leave() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, peer) = accepted(&mut reactor, recorder("us", &log));
    reset(peer);
    let mut us = at(&mut reactor, us);
    us.write_then(b"bye", completion("bye", &log));
    us.destroy_with(Error::new("MINE", "enough"));
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["bye MINE", "us error MINE", "us close true"]);
}

#[test]
fn r57_a_failure_inside_error_and_close_is_no_second_one() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let handler = reacting("us", &log, |socket, event| {
        if let Event::Error(_) | Event::Close { .. } = event {
            socket.destroy_with(Error::new("SECOND", "second"));
            assert!(!socket.write(b"x"));
            socket.end_with(b"x");
        }
    });
    let (_, peer) = accepted(&mut reactor, handler);
    reset(peer);
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us error ECONNRESET", "us close true"]);
}

#[test]
fn r58_when_error_is_told_the_socket_is_destroyed_and_knows_why() {
    let mut reactor = Reactor::new().unwrap();
    let (_refusing, nobody) = refusing();
    let log = Log::new();
    let told = log.clone();
    let check = move |socket: &mut Socket<'_>, event: Event<'_>| {
        if let Event::Error(error) = event {
            assert_destroyed(socket);
            assert_eq!(socket.errored().unwrap().code(), error.code());
            assert!(!socket.closed());
            told.push("checked");
        }
    };
    let refused = reacting("refused", &log, check.clone());
    reactor.net().connect(nobody, refused).unwrap();
    let (_, peer) = accepted(&mut reactor, reacting("cut", &log, check.clone()));
    reset(peer);
    let (late, _peer) = accepted(&mut reactor, reacting("late", &log, check));
    at(&mut reactor, late).end();
    at(&mut reactor, late).write(b"x");
    for who in ["refused", "cut", "late"] {
        turn_until_line(&mut reactor, &log, &format!("{who} close true"));
    }
    assert_eq!(log.count("checked"), 3);
    assert_eq!(log.of("refused")[1..], ["error ECONNREFUSED", "close true"]);
    assert_eq!(log.of("cut"), ["error ECONNRESET", "close true"]);
    assert_eq!(
        log.of("late"),
        ["error ERR_STREAM_WRITE_AFTER_END", "close true"]
    );
}

#[test]
fn r59_close_is_the_last_event_and_says_whether_an_error_was_told() {
    let mut reactor = Reactor::new().unwrap();
    let (_refusing, nobody) = refusing();
    let log = Log::new();
    let told = log.clone();
    let check = move |socket: &mut Socket<'_>, event: Event<'_>| {
        if let Event::Close { had_error } = event {
            assert_eq!(socket.errored().is_some(), had_error);
            assert!(!socket.closed(), "not before it was told");
            let (net, id) = (told.clone(), socket.id());
            assert!(socket.net().socket(id).is_some());
            socket.net().set_immediate(move |other| {
                assert!(other.socket(id).is_none());
                net.push("gone");
            });
        }
    };
    let (_, peer) = accepted(&mut reactor, reacting("ended", &log, check.clone()));
    drop(peer);
    let (destroyed, _peer) = accepted(&mut reactor, reacting("destroyed", &log, check.clone()));
    at(&mut reactor, destroyed).destroy();
    let (failed, _peer) = accepted(&mut reactor, reacting("failed", &log, check.clone()));
    at(&mut reactor, failed).destroy_with(Error::other("enough"));
    let refused = reacting("refused", &log, check.clone());
    reactor.net().connect(nobody, refused).unwrap();
    let never = reacting("never", &log, check);
    let mut never = reactor.net().connect(nobody, never).unwrap();
    never.destroy();
    turn_until_lines(&mut reactor, &log, "gone", 5);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("ended"), ["end", "finish", "close false"]);
    assert_eq!(log.of("destroyed"), ["close false"]);
    assert_eq!(log.of("failed"), ["error ERR_OTHER", "close true"]);
    assert_eq!(log.of("refused")[1..], ["error ECONNREFUSED", "close true"]);
    assert_eq!(log.of("never"), ["close false"]);
    assert_eq!(reactor.net().stats().sockets, 0);
}

#[test]
fn r59_an_error_that_is_noted_late_in_a_turn_still_comes_before_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    let handler = reacting("other", &log, move |socket, event| {
        if let Event::Finish = event {
            let mut us = socket.net().socket(us).unwrap();
            us.destroy_with(Error::other("enough"));
        }
    });
    let (other, _other_peer) = accepted(&mut reactor, handler);
    at(&mut reactor, other).end();
    turn_until_line(&mut reactor, &log, "us close true");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("us"), ["error ERR_OTHER", "close true"]);
}

#[test]
fn r59_once_close_was_told_the_id_finds_nothing_even_in_the_same_turn() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let ids = Rc::new(RefCell::new(Vec::new()));
    let mut peers = Vec::new();
    for who in ["first", "second"] {
        let (told, both) = (log.clone(), ids.clone());
        let handler = reacting(who, &log, move |socket, _| {
            let found = |id: &SocketId| socket.net().socket(*id).is_some();
            told.push(format!(
                "found {:?}",
                both.borrow().iter().map(found).collect::<Vec<_>>()
            ));
        });
        let (id, peer) = accepted(&mut reactor, handler);
        ids.borrow_mut().push(id);
        peers.push(peer);
    }
    for id in ids.borrow().iter() {
        at(&mut reactor, *id).destroy();
    }
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(
        log.lines(),
        [
            "first close false",
            "found [true, true]",
            "second close false",
            "found [false, true]"
        ]
    );
}

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
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
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
    assert_eq!(read_to_end(peer), (6, None));
}

#[test]
fn r60_so_they_are_between_destroy_and_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
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
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
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
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
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
fn r62_reset_and_destroy_sends_an_rst_and_is_no_error_to_us() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (us, peer) = accepted(&mut reactor, recorder("us", &log));
    let mut us = at(&mut reactor, us);
    us.reset_and_destroy();
    assert_destroyed(&us);
    turn_until_line(&mut reactor, &log, "us close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us close false"]);
    assert_eq!(read_to_end(peer), (0, Some(io::ErrorKind::ConnectionReset)));
}

#[test]
fn r62_a_peer_of_ours_reads_econnreset() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
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
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
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
    assert_eq!(read_to_end(peer), (0, Some(io::ErrorKind::ConnectionReset)));
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
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
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
    assert_eq!(log.of("us")[1..], ["error ECONNREFUSED", "close true"]);
}

#[test]
fn r66_ready_state_says_which_sides_are_open() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
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

/// Node's abort signal is an id and an error here; "aborted before" is a socket destroyed before it
/// connects.
#[test]
fn r65_whoever_has_the_id_aborts_with_an_error_and_then_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
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
