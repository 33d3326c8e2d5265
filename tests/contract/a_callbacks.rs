//! Group A: callback discipline (R1 to R3).

use crate::support::*;
use netloop::{Error, Event, Reactor};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn r1_no_handler_runs_inside_the_call_that_causes_it() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let inside = Rc::new(Cell::new(false));
    let (checked, busy) = (log.clone(), inside.clone());
    let watch = move |_: &mut netloop::Socket<'_>, event: Event<'_>| {
        assert!(!busy.get(), "{event:?} inside a call, after {checked:?}");
    };
    let (client, server) = connected(
        &mut reactor,
        reacting("client", &log, watch.clone()),
        reacting("server", &log, watch),
    );
    log.clear();

    inside.set(true);
    let mut socket = reactor.net().socket(client).unwrap();
    socket.write(&pattern(1_000_000));
    socket.write_then(b"x", |_, _| ());
    socket.pause();
    socket.resume();
    socket.end();
    socket.write(b"too late"); // fails
    reactor
        .net()
        .socket(server)
        .unwrap()
        .destroy_with(Error::other("enough"));
    assert!(log.lines().is_empty(), "{log:?}");
    inside.set(false);

    turn_until_line(&mut reactor, &log, "client close true");
    turn_until_line(&mut reactor, &log, "server close true");
    assert!(
        log.has("client error ERR_STREAM_WRITE_AFTER_END"),
        "{log:?}"
    );
}

#[test]
fn r3_error_comes_before_close_which_is_last() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (client, _) = connected(
        &mut reactor,
        recorder("client", &log),
        recorder("server", &log),
    );
    log.clear();
    reactor
        .net()
        .socket(client)
        .unwrap()
        .destroy_with(Error::other("enough"));
    turn_until_line(&mut reactor, &log, "client close true");
    assert_eq!(log.of("client"), ["error ERR_OTHER", "close true"]);
}
