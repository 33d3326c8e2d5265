//! Connecting on a scripted kernel: what it says when, and what is told of it.

use crate::net::{Limits, SocketId};
use crate::reactor::Reactor;
use crate::sys::script::{Call, Connect, Kind, Script};
use crate::sys::{Interest, Readiness};
use crate::{ConnectOptions, Event, handler_fn};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

const TO: &str = "127.0.0.1:80";

type Log = Rc<RefCell<Vec<String>>>;

/// A loop on a script, and a socket that is to connect and logs its events.
fn connecting(script: &Script) -> (Reactor, SocketId, Log) {
    let mut reactor = Reactor::on(script.sys(), Limits::default());
    let log = Log::default();
    let lines = log.clone();
    let handler = handler_fn(move |_, event| {
        lines.borrow_mut().push(match event {
            Event::ConnectionAttempt(_) => "attempt".into(),
            Event::ConnectionAttemptFailed { error, .. } => format!("failed: {error}"),
            Event::Error(error) => error.to_string(),
            event => format!("{event:?}"),
        });
    });
    let options = ConnectOptions::from(TO).no_delay(true);
    let id = reactor.net().connect(options, handler).unwrap().id();
    (reactor, id, log)
}

fn turn(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

#[test]
fn r12_a_connect_that_fails_in_the_call_is_told_as_one_that_fails_later() {
    for later in [false, true] {
        let script = Script::new();
        let (mut reactor, _, log) = connecting(&script);
        if later {
            script.on_finish_connect(3, Connect::Err(libc::ECONNREFUSED));
        } else {
            script.answer(Kind::Connect, Err(libc::ECONNREFUSED));
        }
        turn(&mut reactor);
        if later {
            script.ready(3, Readiness::WRITE.with(Readiness::ERROR));
            turn(&mut reactor);
        }
        turn(&mut reactor);
        let told = [
            "attempt",
            "failed: connect ECONNREFUSED 127.0.0.1:80",
            "connect ECONNREFUSED 127.0.0.1:80",
            "Close { had_error: true }",
        ];
        assert_eq!(*log.borrow(), told);
        assert_eq!(script.open_descriptors(), [0; 0]);
    }
}

#[test]
fn r12_a_socket_that_cannot_be_watched_fails_to_connect_and_is_closed() {
    let script = Script::new();
    let (mut reactor, _, log) = connecting(&script);
    script.answer(Kind::Register, Err(libc::ENOSPC));
    turn(&mut reactor);
    turn(&mut reactor);
    assert_eq!(log.borrow()[1], "failed: connect ENOSPC 127.0.0.1:80");
    assert_eq!(log.borrow().len(), 4);
    assert_eq!(script.open_descriptors(), [0; 0]);
}

#[test]
fn r13_a_socket_called_off_in_its_attempt_gives_back_what_was_bound_for_it() {
    let script = Script::new();
    let mut reactor = Reactor::on(script.sys(), Limits::default());
    let handler = handler_fn(|socket, event| {
        if let Event::ConnectionAttempt(_) = event {
            socket.destroy();
        }
    });
    let options = ConnectOptions::from(TO).local_port(5000);
    reactor.net().connect(options, handler).unwrap();
    turn(&mut reactor);
    turn(&mut reactor);
    let any_ip = SocketAddr::from(([0, 0, 0, 0], 5000));
    assert_eq!(
        script.take_calls()[1..3],
        [Call::Bind(any_ip), Call::Close(3)]
    );
    assert_eq!(script.open_descriptors(), [0; 0]);
}

#[test]
fn r12_a_refused_attempt_gives_back_what_was_bound_for_it_and_tells_from_where() {
    let script = Script::new();
    let mut reactor = Reactor::on(script.sys(), Limits::default());
    let log = Log::default();
    let lines = log.clone();
    let handler = handler_fn(move |_, event| {
        if let Event::Error(error) = event {
            lines.borrow_mut().push(error.to_string());
        }
    });
    let options = ConnectOptions::from(TO)
        .local_address([127, 0, 0, 2])
        .local_port(5000);
    reactor.net().connect(options, handler).unwrap();
    script.answer(Kind::Connect, Err(libc::EADDRNOTAVAIL));
    turn(&mut reactor);
    let told = "connect EADDRNOTAVAIL 127.0.0.1:80 - Local (127.0.0.2:5000)";
    assert_eq!(*log.borrow(), [told]);
    assert_eq!(script.open_descriptors(), [0; 0]);
}

#[test]
fn r5_a_socket_reported_writable_without_a_peer_goes_on_connecting() {
    let script = Script::new();
    let (mut reactor, id, log) = connecting(&script);
    turn(&mut reactor);
    script.on_finish_connect(3, Connect::UnderWay);
    script.on_finish_connect(3, Connect::Connected);
    script.ready(3, Readiness::WRITE);
    turn(&mut reactor);
    assert!(reactor.net().socket(id).unwrap().connecting());
    assert_eq!(*log.borrow(), ["attempt"]);
    script.ready(3, Readiness::WRITE);
    turn(&mut reactor);
    assert_eq!(*log.borrow(), ["attempt", "Connect", "Ready"]);
}

#[test]
fn r14_what_was_set_before_the_attempt_is_applied_once_and_only_what_held_in_the_end() {
    let script = Script::new();
    let (mut reactor, id, _) = connecting(&script);
    let mut socket = reactor.net().socket(id).unwrap();
    socket.set_no_delay(false);
    socket.set_no_delay(true);
    socket.set_keep_alive(true, Duration::from_secs(9));
    socket.set_keep_alive(true, Duration::from_millis(7_900));
    assert_eq!(*script.calls(), [], "there is no descriptor yet");
    turn(&mut reactor);
    script.ready(3, Readiness::WRITE);
    turn(&mut reactor);
    let settings = script.take_calls();
    let settings: Vec<&Call> = (settings.iter())
        .filter(|call| matches!(call, Call::SetNoDelay(..) | Call::SetKeepAlive(..)))
        .collect();
    let held = [
        Call::SetNoDelay(3, true),
        Call::SetKeepAlive(3, true, Some(7)),
    ];
    assert_eq!(settings, held.iter().collect::<Vec<_>>());

    // From now on only a change is worth a call.
    let mut socket = reactor.net().socket(id).unwrap();
    socket.set_no_delay(true);
    assert_eq!(*script.calls(), []);
    let mut socket = reactor.net().socket(id).unwrap();
    socket.set_no_delay(false);
    assert_eq!(*script.calls(), [Call::SetNoDelay(3, false)]);
}

#[test]
fn r14_how_the_kernel_acknowledges_and_how_much_it_takes_are_remembered_too() {
    let script = Script::new();
    let (mut reactor, id, _) = connecting(&script);
    let mut socket = reactor.net().socket(id).unwrap();
    socket.set_quick_ack(true);
    socket.set_quick_ack(false);
    socket.set_not_sent_low_water_mark(5);
    socket.set_not_sent_low_water_mark(usize::MAX);
    assert_eq!(*script.calls(), [], "there is no descriptor yet");
    turn(&mut reactor);
    script.ready(3, Readiness::WRITE);
    turn(&mut reactor);
    let mut settings = script.take_calls();
    settings.retain(|call| {
        matches!(
            call,
            Call::SetQuickAck(..) | Call::SetNotSentLowWaterMark(..)
        )
    });
    let held = [
        Call::SetQuickAck(3, false),
        Call::SetNotSentLowWaterMark(3, u32::MAX),
    ];
    assert_eq!(settings, held);

    // The kernel forgets the one, so each time is a call; the other may be given back to it.
    let mut socket = reactor.net().socket(id).unwrap();
    socket.set_quick_ack(true);
    socket.set_quick_ack(true);
    socket.set_not_sent_low_water_mark(0);
    let calls = [
        Call::SetQuickAck(3, true),
        Call::SetQuickAck(3, true),
        Call::SetNotSentLowWaterMark(3, 0),
    ];
    assert_eq!(script.take_calls(), calls);

    // A refusal harms nobody, and a destroyed socket is left alone.
    for _ in 0..2 {
        script.answer(Kind::SetOption, Err(libc::ENOPROTOOPT));
    }
    let mut socket = reactor.net().socket(id).unwrap();
    socket.set_quick_ack(true);
    socket.set_not_sent_low_water_mark(1);
    assert!(!socket.destroyed());
    socket.destroy();
    script.take_calls();
    socket.set_quick_ack(true);
    socket.set_not_sent_low_water_mark(1);
    assert_eq!(*script.calls(), []);
}

#[test]
fn r14_an_option_taken_back_before_the_attempt_is_never_asked_for() {
    let script = Script::new();
    let (mut reactor, id, _) = connecting(&script);
    let mut socket = reactor.net().socket(id).unwrap();
    socket.set_no_delay(false);
    socket.set_keep_alive(true, Duration::ZERO);
    socket.set_keep_alive(false, Duration::ZERO);
    turn(&mut reactor);
    let to: SocketAddr = TO.parse().unwrap();
    assert_eq!(
        script.take_calls()[1..], // after the poll
        [Call::connect(to), Call::Register(3, Interest::ReadWrite)]
    );
}
