//! Group F: destroy, error and close (R55 to R59).

use crate::support::*;
use netloop::{Error, Event, Net, Reactor, Socket, SocketId};
use std::cell::RefCell;
use std::io::{self, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn r55_destroy_is_done_when_it_returns_and_only_close_follows() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
        let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    assert_eq!(
        how_it_closed(peer),
        (0, Some(io::ErrorKind::ConnectionReset))
    );
}

#[test]
fn r56_with_nothing_left_unread_the_peer_sees_a_plain_end() {
    let (mut reactor, log) = fresh();
    let handler = reacting("us", &log, |socket, event| {
        if let Event::Data(_) = event {
            socket.destroy();
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"all there is").unwrap();
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(log.lines(), ["us data 12", "us close false"]);
    assert_eq!(how_it_closed(peer), (0, None));
}

#[test]
fn r57_the_first_error_is_the_one_that_is_told_and_one_close_follows() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
    assert_eq!(log.of("refused")[2..], ["error ECONNREFUSED", "close true"]);
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
    assert_eq!(log.of("refused")[2..], ["error ECONNREFUSED", "close true"]);
    assert_eq!(log.of("never"), ["close false"]);
    assert_eq!(reactor.net().stats().sockets, 0);
}

#[test]
fn r59_an_error_that_is_noted_late_in_a_turn_still_comes_before_close() {
    let (mut reactor, log) = fresh();
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
    let (mut reactor, log) = fresh();
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
