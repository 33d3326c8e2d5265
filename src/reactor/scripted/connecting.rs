//! FAULTS group B, as far as it touches a connect to a literal.

use super::log::reacting;
use super::world::{FIN, LISTENER, MILLI, READ, RST, WRITE, World, address, is_write};
use crate::sys::Interest;
use crate::sys::script::{Call, Connect, Kind, Read, Write};
use crate::{ConnectOptions, Event, SocketId};
use std::cell::RefCell;
use std::rc::Rc;

/// The descriptor of the first connect of a world: the one behind its listener.
const OURS: u32 = 4;

/// A socket whose connect is under way.
fn connecting(world: &mut World) -> SocketId {
    let id = world.connect("client", |_, _| ());
    world.turn();
    assert_eq!(world.log.take(), ["client attempt"]);
    world.script.take_calls();
    id
}

/// Writes with completions that are logged as `TEXT Ok` or `TEXT CODE`.
fn write_logged(world: &mut World, id: SocketId, text: &'static str) {
    let log = world.log.clone();
    let mut socket = world.net().socket(id).unwrap();
    socket.write_then(text.as_bytes(), move |_, outcome| {
        let outcome = outcome.map_or_else(|error| error.code().to_owned(), |()| "Ok".to_owned());
        log.push(format!("{text} {outcome}"));
    });
}

#[test]
fn b1_a_connect_refused_at_once_is_told_after_the_call() {
    let mut world = World::new();
    world.script.answer(Kind::Connect, Err(libc::ECONNREFUSED));
    let told = Rc::new(RefCell::new(None));
    let error = told.clone();
    world.connect("client", move |_, event| {
        if let Event::Error(it) = event {
            *error.borrow_mut() = Some(it.clone());
        }
    });
    assert!(world.log.take().is_empty(), "nothing inside the call");
    world.turn();
    assert_eq!(
        world.log.take(),
        [
            "client attempt",
            "client attempt ECONNREFUSED",
            "client error connect ECONNREFUSED",
            "client close true"
        ]
    );
    let error = told.take().unwrap();
    assert_eq!(error.address(), Some(address().into()));
    world.finish();
}

#[test]
fn b1_a_connect_refused_later_is_told_the_same_way() {
    let mut world = World::new();
    connecting(&mut world);
    world
        .script
        .on_finish_connect(OURS, Connect::Err(libc::ECONNREFUSED));
    world.wake(&[(OURS, RST)]);
    assert_eq!(
        world.log.take(),
        [
            "client attempt ECONNREFUSED",
            "client error connect ECONNREFUSED",
            "client close true"
        ]
    );
    // SO_ERROR is gone once it was read: it is asked for once, and the answer kept.
    let expected = [
        Call::TakeError(OURS),
        Call::Deregister(OURS),
        Call::Close(OURS),
    ];
    assert_eq!(world.calls(|call| !matches!(call, Call::Poll(_))), expected);
    world.finish();
}

#[test]
fn b1_a_connect_that_cannot_be_watched_fails_and_closes_its_descriptor() {
    let mut world = World::new();
    world.script.answer(Kind::Register, Err(libc::ENOSPC));
    world.connect("client", |_, _| ());
    world.turn();
    assert_eq!(
        world.log.take(),
        [
            "client attempt",
            "client attempt ENOSPC",
            "client error connect ENOSPC",
            "client close true"
        ]
    );
    assert_eq!(world.script.open_descriptors(), [LISTENER]);
    world.finish();
}

#[test]
fn b2_destroying_a_connect_under_way_tells_close_alone_and_frees_the_descriptor() {
    let mut world = World::new();
    let id = connecting(&mut world);
    world.net().socket(id).unwrap().destroy();
    world.turn();
    assert_eq!(world.log.take(), ["client close false"]);
    assert_eq!(world.script.open_descriptors(), [LISTENER]);
    world.finish();
}

#[test]
fn b2_a_connect_that_hangs_only_times_out() {
    let mut world = World::new();
    let options = ConnectOptions::from(address()).timeout(50 * MILLI);
    let handler = reacting("client", &world.log, |socket, event| {
        if let Event::Timeout = event {
            assert!(socket.connecting());
            socket.destroy();
        }
    });
    world.net().connect(options, handler).unwrap();
    world.run_for(40 * MILLI);
    assert_eq!(world.log.take(), ["client attempt"]);
    world.run_for(20 * MILLI);
    assert_eq!(world.log.take(), ["client timeout", "client close false"]);
    world.finish();
}

#[test]
fn b3_writable_is_not_connected() {
    let mut world = World::new();
    connecting(&mut world);
    world.script.on_finish_connect(OURS, Connect::UnderWay);
    world.wake(&[(OURS, WRITE)]);
    assert_eq!(world.settle(), 0, "the next edge is waited for");
    assert!(world.log.take().is_empty());
    // Not writable at all: nothing to ask about yet.
    world.script.take_calls();
    world.wake(&[(OURS, READ)]);
    assert_eq!(world.calls(|call| !matches!(call, Call::Poll(_))), []);

    world.script.on_finish_connect(OURS, Connect::Connected);
    world.wake(&[(OURS, WRITE)]);
    assert_eq!(world.log.take(), ["client connect", "client ready"]);
    world.finish();
}

#[test]
fn b4_a_peer_that_resets_at_once_is_a_failed_connect_or_a_failed_read() {
    let mut world = World::new();
    connecting(&mut world);
    world
        .script
        .on_finish_connect(OURS, Connect::Err(libc::ECONNRESET));
    world.wake(&[(OURS, RST)]);
    assert_eq!(
        world.log.take(),
        [
            "client attempt ECONNRESET",
            "client error connect ECONNRESET",
            "client close true"
        ]
    );

    // The other order: the connect had been answered, and the reset was behind it.
    connecting(&mut world);
    world.script.on_finish_connect(OURS, Connect::Connected);
    world.script.on_read(OURS, Read::Err(libc::ECONNRESET));
    world.wake(&[(OURS, RST)]);
    assert_eq!(
        world.log.take(),
        [
            "client connect",
            "client ready",
            "client error read ECONNRESET",
            "client close true"
        ]
    );
    world.finish();
}

#[test]
fn b5_what_was_written_and_ended_before_the_connect_leaves_in_order() {
    let mut world = World::new();
    let id = world.connect("client", |socket, event| {
        if let Event::Ready = event {
            socket.pause();
        }
    });
    write_logged(&mut world, id, "one");
    write_logged(&mut world, id, "two");
    world.net().socket(id).unwrap().end();
    world.turn();
    assert_eq!(world.log.take(), ["client attempt"]);
    world.script.take_calls();
    world.script.on_write(OURS, Write::Takes(4));
    world.wake(&[(OURS, WRITE)]);
    assert_eq!(
        world.log.take(),
        ["client connect", "client ready", "one Ok"]
    );
    world.wake(&[(OURS, WRITE)]);
    assert_eq!(world.log.take(), ["two Ok", "client finish"]);
    assert_eq!(world.script.written(OURS), b"onetwo");
    let sent = [
        Call::Write(OURS, 6),
        Call::Write(OURS, 2),
        Call::ShutdownWrite(OURS),
    ];
    let is_output = |call: &Call| is_write(call) || *call == sent[2];
    assert_eq!(world.calls(is_output), sent);
    world.finish();
}

#[test]
fn b5_if_the_connect_fails_every_write_hears_of_it_in_order_after_close() {
    let mut world = World::new();
    let id = world.connect("client", |_, _| ());
    write_logged(&mut world, id, "one");
    write_logged(&mut world, id, "two");
    world.turn();
    world
        .script
        .on_finish_connect(OURS, Connect::Err(libc::ECONNREFUSED));
    world.wake(&[(OURS, RST)]);
    assert_eq!(
        world.log.take(),
        [
            "client attempt",
            "client attempt ECONNREFUSED",
            "client error connect ECONNREFUSED",
            "client close true",
            "one ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
            "two ERR_SOCKET_CLOSED_BEFORE_CONNECTION"
        ]
    );
    world.finish();
}

#[test]
fn b6_a_socket_destroyed_in_its_attempt_never_asks_the_kernel() {
    let mut world = World::new();
    world.connect("client", |socket, event| {
        if let Event::ConnectionAttempt(_) = event {
            socket.destroy();
        }
    });
    world.turn();
    assert_eq!(world.log.take(), ["client attempt", "client close false"]);
    assert_eq!(world.calls(|call| !matches!(call, Call::Poll(_))), []);
    world.finish();
}

#[test]
fn b6_a_socket_destroyed_in_connect_is_told_nothing_more_of_what_came_with_it() {
    let mut world = World::new();
    world.connect("client", |socket, event| {
        if let Event::Connect = event {
            socket.destroy();
        }
    });
    world.turn();
    world.script.on_read(OURS, Read::Data(b"hello".to_vec()));
    world.wake(&[(OURS, FIN.with(WRITE))]);
    assert_eq!(
        world.log.take(),
        ["client attempt", "client connect", "client close false"]
    );
    world.finish();
}

#[test]
fn b6_a_reset_while_connecting_waits_for_the_connect() {
    let mut world = World::new();
    let id = connecting(&mut world);
    world.net().socket(id).unwrap().reset_and_destroy();
    world.turn();
    assert!(world.log.take().is_empty());
    world.script.take_calls();
    world.wake(&[(OURS, WRITE)]);
    // No `ready`: in `connect` the socket was still open, behind it it is not.
    assert_eq!(world.log.take(), ["client connect", "client close false"]);
    let expected = [
        Call::TakeError(OURS),
        Call::PeerAddress(OURS),
        Call::LocalAddress(OURS), // on loopback a socket can meet itself
        Call::ResetOnClose(OURS),
        Call::Deregister(OURS),
        Call::Close(OURS),
    ];
    assert_eq!(world.calls(|call| !matches!(call, Call::Poll(_))), expected);
    world.finish();
}

#[test]
fn a_connect_waits_for_room_once_and_keeps_that_interest() {
    let mut world = World::new();
    let options = ConnectOptions::from(address()).no_delay(true);
    let handler = reacting("client", &world.log, |_, _| ());
    world.net().connect(options, handler).unwrap();
    world.turn();
    world.wake(&[(OURS, WRITE)]);
    let expected = [
        Call::connect(address()),
        Call::Register(OURS, Interest::ReadWrite),
        Call::SetNoDelay(OURS, true),
        Call::TakeError(OURS),
        Call::PeerAddress(OURS),
        Call::LocalAddress(OURS), // on loopback a socket can meet itself
    ];
    assert_eq!(world.calls(|call| !matches!(call, Call::Poll(_))), expected);
    world.finish();
}
