//! Group H: a host of several addresses (R76 to R86).
//!
//! All of 127.0.0.0/8 is one's own on Linux, so one port can have somebody at 127.0.0.1, nobody at
//! 127.0.0.2, and a peer that does not answer at 127.0.0.3. The table of all orders stands with the
//! race itself, in `src/connect/race.rs`.
#![cfg(target_os = "linux")]

use crate::support::*;
use netloop::{
    BlockList, ConnectOptions, Error, Event, Family, Handler, Reactor, Socket, SocketId, handler_fn,
};
use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

const SOMEBODY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const NOBODY: [u8; 4] = [127, 0, 0, 2];
const HOLE: [u8; 4] = [127, 0, 0, 3];
/// The shortest that an attempt may be given.
const SOON: Duration = Duration::from_millis(10);

fn ip(octets: [u8; 4]) -> IpAddr {
    octets.into()
}

/// A port with somebody, nobody and a hole.
fn port(reactor: &mut Reactor) -> (u16, impl Sized + use<>) {
    let port = listen(reactor, |_| handler_fn(|_, _| ())).port();
    (port, black_hole(HOLE, port))
}

fn to(port: u16, answer: &[IpAddr]) -> ConnectOptions {
    ConnectOptions::from(("host.example", port))
        .resolver(answering(answer))
        .auto_select_family_attempt_timeout(SOON)
}

/// What is told after the lookup, until `last`.
fn told(reactor: &mut Reactor, options: ConnectOptions, last: &str) -> Vec<String> {
    let log = Log::new();
    reactor
        .net()
        .connect(options, recorder("us", &log))
        .unwrap();
    turn_until_line(reactor, &log, &format!("us {last}"));
    let lines = log.of("us");
    let lookups = lines
        .iter()
        .filter(|line| line.starts_with("lookup"))
        .count();
    lines[lookups..].to_vec()
}

#[test]
fn r80_a_failure_is_told_and_the_next_address_is_tried_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let (port, _hole) = port(&mut reactor);
    let options = to(port, &[ip(NOBODY), SOMEBODY]).auto_select_family_attempt_timeout(PATIENCE);
    assert_eq!(
        told(&mut reactor, options, "ready"),
        [
            &format!("attempt 127.0.0.2:{port}"),
            &format!("attempt failed 127.0.0.2:{port} ECONNREFUSED"),
            &format!("attempt 127.0.0.1:{port}"),
            "connect",
            "ready"
        ]
    );
}

#[test]
fn r79_r80_an_address_that_does_not_answer_is_given_up_before_the_next_is_tried() {
    let mut reactor = Reactor::new().unwrap();
    let (port, _hole) = port(&mut reactor);
    let options = to(port, &[ip(HOLE), SOMEBODY]);
    let log = Log::new();
    let us = reacting("us", &log, |socket, event| {
        if let Event::ConnectionAttempt(_) = event {
            let syscalls = socket.net().stats().syscalls;
            assert_eq!(syscalls.connect, syscalls.close, "two at once");
        }
    });
    reactor.net().connect(options, us).unwrap();
    turn_until_line(&mut reactor, &log, "us ready");
    assert_eq!(
        log.of("us")[2..],
        [
            &format!("attempt 127.0.0.3:{port}"),
            &format!("attempt timeout 127.0.0.3:{port}"),
            &format!("attempt 127.0.0.1:{port}"),
            "connect",
            "ready"
        ]
    );
}

#[test]
fn r80_the_last_address_has_no_attempt_timer_but_the_connect_timeout_holds() {
    let mut reactor = Reactor::new().unwrap();
    let (port, _hole) = port(&mut reactor);
    let options = to(port, &[ip(NOBODY), ip(HOLE)]).connect_timeout(Duration::from_millis(40));
    let told = told(&mut reactor, options, "close true");
    assert_eq!(
        told,
        [
            &format!("attempt 127.0.0.2:{port}"),
            &format!("attempt failed 127.0.0.2:{port} ECONNREFUSED"),
            &format!("attempt 127.0.0.3:{port}"),
            "error ETIMEDOUT",
            "close true"
        ]
    );
}

#[test]
fn a_connect_timeout_ends_the_attempt_to_a_literal_address_with_its_error() {
    let (mut reactor, log) = fresh();
    let (_kept, address) = unanswering();
    let options = ConnectOptions::from(address).connect_timeout(Duration::from_millis(5));
    let texts = log.clone();
    let us = reacting("us", &log, move |_, event| {
        if let Event::Error(error) = event {
            texts.push(error.to_string());
        }
    });
    reactor.net().connect(options, us).unwrap();
    run_to_its_end(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            &format!("us attempt {address}"),
            "us error ETIMEDOUT",
            &format!("connect ETIMEDOUT {address}"),
            "us close true"
        ]
    );
}

#[test]
fn a_connection_that_stands_has_no_connect_timeout_any_more() {
    let (mut reactor, log) = fresh();
    let (port, _hole) = port(&mut reactor);
    let options = to(port, &[SOMEBODY]).connect_timeout(Duration::from_millis(5));
    reactor
        .net()
        .connect(options, recorder("us", &log))
        .unwrap();
    turn_until_line(&mut reactor, &log, "us ready");
    assert_eq!(reactor.next_timeout(), None, "it is still to come");
    let_pass(Duration::from_millis(8));
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("us").last().unwrap(), "ready");
}

/// The error of a connect to these addresses.
fn error_of(reactor: &mut Reactor, options: ConnectOptions) -> (Error, Vec<SocketAddr>) {
    type Seen = (Error, Vec<SocketAddr>);
    let seen: Rc<RefCell<Option<Seen>>> = Rc::default();
    let sees = seen.clone();
    let us = handler_fn(move |socket: &mut Socket<'_>, event: Event<'_>| {
        if let Event::Error(error) = event {
            let attempted = socket.auto_select_family_attempted_addresses();
            let attempted = attempted.iter().cloned().map(inet).collect();
            *sees.borrow_mut() = Some((error.clone(), attempted));
        }
    });
    reactor.net().connect(options, us).unwrap();
    turn_until(reactor, |_| seen.borrow().is_some());
    seen.take().unwrap()
}

#[test]
fn r78_one_usable_address_is_a_plain_connect() {
    let mut reactor = Reactor::new().unwrap();
    let (port, _hole) = port(&mut reactor);
    let options = to(port, &[ip(NOBODY), ip(NOBODY)]);
    let (error, attempted) = error_of(&mut reactor, options);
    assert!(error.errors().is_empty());
    let text = format!("connect ECONNREFUSED 127.0.0.2:{port}");
    assert_eq!(error.to_string(), text);
    assert_eq!(error.address().unwrap(), SocketAddr::from((NOBODY, port)));
    assert!(attempted.is_empty());
}

#[test]
fn r81_the_attempted_addresses_are_told_in_order_and_the_last_one_is_the_peer() {
    let (mut reactor, log) = fresh();
    let (port, _hole) = port(&mut reactor);
    let options = to(port, &[ip(HOLE), ip(NOBODY), SOMEBODY, ip([127, 0, 0, 9])]);
    let us = reactor
        .net()
        .connect(options, recorder("us", &log))
        .unwrap()
        .id();
    turn_until_line(&mut reactor, &log, "us ready");
    let socket = at(&mut reactor, us);
    let attempted = socket.auto_select_family_attempted_addresses();
    let attempted: Vec<_> = attempted.iter().map(ToString::to_string).collect();
    assert_eq!(
        attempted,
        [HOLE, NOBODY, [127, 0, 0, 1]].map(|ip| SocketAddr::from((ip, port)).to_string())
    );
    assert_eq!(socket.peer_address().unwrap().to_string(), attempted[2]);
    assert_eq!(
        log.of("us")
            .iter()
            .filter(|line| *line == "connect")
            .count(),
        1
    );
}

#[test]
fn r82_when_all_have_failed_one_error_lists_each_attempt() {
    let mut reactor = Reactor::new().unwrap();
    let (port, _hole) = port(&mut reactor);
    let options = to(port, &[ip(HOLE), ip(NOBODY), ip([127, 0, 0, 9])]);
    let (error, attempted) = error_of(&mut reactor, options);
    let codes: Vec<_> = error.errors().iter().map(Error::code).collect();
    assert_eq!(codes, ["ETIMEDOUT", "ECONNREFUSED", "ECONNREFUSED"]);
    assert_eq!(error.code(), "ETIMEDOUT", "that of the first");
    assert_eq!(attempted.len(), 3);
    // Node's text is empty.
    assert_eq!(
        error.to_string(),
        format!(
            "connect ETIMEDOUT 127.0.0.3:{port}; connect ECONNREFUSED 127.0.0.2:{port}; \
             connect ECONNREFUSED 127.0.0.9:{port}"
        )
    );
    let options = to(port, &[ip(NOBODY), ip([127, 0, 0, 9])]);
    let told = told(&mut reactor, options, "close true");
    assert_eq!(told[told.len() - 2..], ["error ECONNREFUSED", "close true"]);
}

#[test]
fn r83_destroy_during_any_attempt_event_stops_the_race_silently() {
    // Node throws a TypeError if it is done in 'connectionAttempt'.
    for at in ["attempt", "attempt failed", "attempt timeout"] {
        let (mut reactor, log) = fresh();
        let (port, _hole) = port(&mut reactor);
        let us = reacting("us", &log, move |socket, event| {
            let destroys = match event {
                Event::ConnectionAttempt(_) => at == "attempt",
                Event::ConnectionAttemptFailed { .. } => at == "attempt failed",
                Event::ConnectionAttemptTimeout(_) => at == "attempt timeout",
                _ => false,
            };
            if destroys {
                socket.destroy();
            }
        });
        let options = to(port, &[ip(NOBODY), ip(HOLE), SOMEBODY]);
        reactor.net().connect(options, us).unwrap();
        run_until_closed(&mut reactor, &log);
        let told = log.of("us");
        assert_eq!(told.last().unwrap(), "close false", "{told:?}");
        assert!(told[told.len() - 2].starts_with(at), "{told:?}");
        assert_eq!(reactor.net().stats().sockets, 0);
        let syscalls = reactor.net().stats().syscalls;
        assert_eq!(
            syscalls.connect, syscalls.close,
            "a descriptor is left open"
        );
    }
}

#[track_caller]
fn run_until_closed(reactor: &mut Reactor, log: &Log) {
    turn_until_line(reactor, log, "us close false");
    turn_until_quiet(reactor);
}

#[test]
fn r83_a_race_that_was_called_off_leaves_no_timer() {
    let (mut reactor, log) = fresh();
    let (port, _hole) = port(&mut reactor);
    let options = to(port, &[ip(HOLE), SOMEBODY]).auto_select_family_attempt_timeout(PATIENCE);
    let us = reactor.net().connect(options, recorder("us", &log));
    let us = us.unwrap().id();
    turn_until(&mut reactor, |_| !log.of("us").is_empty());
    turn_until_quiet(&mut reactor);
    assert!(reactor.next_timeout().is_some(), "the attempt has its time");
    at(&mut reactor, us).destroy();
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(reactor.next_timeout(), None);
}

#[test]
fn r84_a_local_port_is_bound_for_each_attempt_and_one_that_is_taken_is_a_failed_one() {
    let mut reactor = Reactor::new().unwrap();
    let (port, _hole) = port(&mut reactor);
    let holder = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let taken = holder.local_addr().unwrap().port();
    let options = to(port, &[ip(NOBODY), SOMEBODY]).local_port(taken);
    let (error, attempted) = error_of(&mut reactor, options);
    let texts: Vec<_> = error.errors().iter().map(ToString::to_string).collect();
    let text = format!("bind EADDRINUSE 0.0.0.0:{taken}");
    assert_eq!(texts, [text.clone(), text]);
    assert!(attempted.is_empty(), "nothing was attempted");
}

#[test]
fn r84_a_blocked_address_is_a_failed_attempt_that_never_began() {
    let mut reactor = Reactor::new().unwrap();
    let (port, _hole) = port(&mut reactor);
    let list = BlockList::new();
    list.add_address(ip(NOBODY));
    let options = to(port, &[ip(NOBODY), SOMEBODY]).block_list(&list);
    assert_eq!(
        told(&mut reactor, options, "ready"),
        [
            &format!("attempt failed 127.0.0.2:{port} ERR_IP_BLOCKED"),
            &format!("attempt 127.0.0.1:{port}"),
            "connect",
            "ready"
        ]
    );
    assert_eq!(reactor.net().stats().syscalls.connect, 1);
}

#[test]
fn r84_what_was_bound_for_a_blocked_address_is_closed() {
    let mut reactor = Reactor::new().unwrap();
    let (port, _hole) = port(&mut reactor);
    let holder = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let free = holder.local_addr().unwrap().port();
    drop(holder);
    let list = BlockList::new();
    list.add_address(ip(NOBODY));
    let options = to(port, &[ip(NOBODY), SOMEBODY]).local_port(free);
    let told = told(&mut reactor, options.block_list(&list), "ready");
    assert_eq!(told.last().unwrap(), "ready", "{told:?}");
    assert_eq!(reactor.net().stats().syscalls.close, 1);
}

#[test]
fn r85_the_default_of_an_attempt_is_half_a_second_and_can_be_set() {
    let mut reactor = Reactor::new().unwrap();
    let net = reactor.net();
    assert!(net.default_auto_select_family());
    let timeout = net.default_auto_select_family_attempt_timeout();
    assert_eq!(timeout, Duration::from_millis(500));
    net.set_default_auto_select_family_attempt_timeout(Duration::from_millis(1))
        .unwrap();
    assert_eq!(net.default_auto_select_family_attempt_timeout(), SOON);
    let none = net.set_default_auto_select_family_attempt_timeout(Duration::ZERO);
    assert_eq!(none.unwrap_err().code(), "ERR_OUT_OF_RANGE");
    let options = to(1, &[]).auto_select_family_attempt_timeout(Duration::ZERO);
    let refused = net.connect(options, handler_fn(|_, _| ()));
    assert_eq!(
        refused.map(|it| it.id()).unwrap_err().code(),
        "ERR_OUT_OF_RANGE"
    );
    assert_eq!(net.stats().sockets, 0);

    // And it holds for whoever does not say otherwise.
    let (port, _hole) = port(&mut reactor);
    let options =
        ConnectOptions::from(("host.example", port)).resolver(answering(&[ip(HOLE), SOMEBODY]));
    let told = told(&mut reactor, options, "ready");
    assert_eq!(told[1], format!("attempt timeout 127.0.0.3:{port}"));
}

#[test]
fn r76_without_auto_selection_only_the_first_address_is_tried() {
    let mut reactor = Reactor::new().unwrap();
    let (port, _hole) = port(&mut reactor);
    let both = to(port, &[ip(NOBODY), SOMEBODY]);
    let nowhere = [
        format!("attempt 127.0.0.2:{port}"),
        format!("attempt failed 127.0.0.2:{port} ECONNREFUSED"),
        "error ECONNREFUSED".into(),
        "close true".into(),
    ];
    for options in [
        both.clone().auto_select_family(false),
        both.clone().family(Family::Ipv4),
        both.clone().local_address(SOMEBODY),
    ] {
        assert_eq!(told(&mut reactor, options, "close true"), nowhere);
    }
    reactor.net().set_default_auto_select_family(false);
    assert_eq!(told(&mut reactor, both.clone(), "close true"), nowhere);
    let told = told(&mut reactor, both.auto_select_family(true), "ready");
    assert_eq!(told.len(), 5);
}

#[test]
fn r86_the_users_timeout_runs_beside_the_attempts() {
    let (mut reactor, log) = fresh();
    let (port, _hole) = port(&mut reactor);
    let options = to(port, &[ip(NOBODY), ip(HOLE)]).timeout(Duration::from_millis(15));
    let us = reactor
        .net()
        .connect(options, recorder("us", &log))
        .unwrap()
        .id();
    turn_until_line(&mut reactor, &log, "us timeout");
    assert!(at(&mut reactor, us).connecting(), "connecting goes on");
    at(&mut reactor, us).destroy();
    run_until_closed(&mut reactor, &log);
}

#[test]
fn attempts_in_parallel_leave_the_one_before_alone_and_the_first_success_closes_it() {
    let mut reactor = Reactor::new().unwrap();
    let (port, _hole) = port(&mut reactor);
    let options = to(port, &[ip(HOLE), SOMEBODY]).parallel_attempts(true);
    assert_eq!(
        told(&mut reactor, options, "ready"),
        [
            &format!("attempt 127.0.0.3:{port}"),
            &format!("attempt 127.0.0.1:{port}"),
            "connect",
            "ready"
        ]
    );
    assert_eq!(reactor.net().stats().syscalls.close, 1, "the loser's");
}

/// A handler that writes in `connect` and ends.
fn ping(log: &Log) -> impl Handler + use<> {
    reacting("us", log, |socket, event| {
        if let Event::Connect = event {
            socket.end_with(b"late");
        }
    })
}

#[test]
fn r39_what_was_queued_leaves_through_the_winner_and_settings_are_its_own() {
    for parallel in [false, true] {
        let (mut reactor, log) = fresh();
        let received = Rc::new(RefCell::new(Vec::new()));
        let receives = received.clone();
        let port = listen(&mut reactor, move |_| {
            let receives = receives.clone();
            handler_fn(move |_, event| {
                if let Event::Data(bytes) = event {
                    receives.borrow_mut().extend_from_slice(bytes);
                }
            })
        })
        .port();
        let _hole = black_hole(HOLE, port);
        let options = to(port, &[ip(HOLE), SOMEBODY]).parallel_attempts(parallel);
        let mut us = reactor.net().connect(options, ping(&log)).unwrap();
        us.write(b"early ");
        us.set_no_delay(true);
        us.set_keep_alive(true, Duration::from_secs(5));
        us.pause();
        let id = us.id();
        turn_until_line(&mut reactor, &log, "us finish");
        at(&mut reactor, id).resume();
        turn_until_line(&mut reactor, &log, "us close false");
        assert_eq!(*received.borrow(), b"early late");
    }
}

#[test]
fn b11_of_three_hundred_addresses_thirty_two_are_tried_and_every_descriptor_is_closed() {
    for parallel in [false, true] {
        let mut reactor = Reactor::new().unwrap();
        let (port, _hole) = port(&mut reactor);
        let answer: Vec<_> = (0..300u16)
            .map(|it| ip([127, 0, 1 + (it / 250) as u8, 1 + (it % 250) as u8]))
            .chain([SOMEBODY])
            .collect();
        let options = to(port, &answer).parallel_attempts(parallel);
        let (error, attempted) = error_of(&mut reactor, options);
        assert_eq!(error.errors().len(), 32);
        assert_eq!(attempted.len(), 32);
        turn_until_quiet(&mut reactor);
        let syscalls = reactor.net().stats().syscalls;
        assert_eq!((syscalls.connect, syscalls.close), (32, 32));
    }
}

#[test]
fn an_id_of_a_race_finds_its_socket_until_close_and_nothing_after() {
    let (mut reactor, log) = fresh();
    let (port, _hole) = port(&mut reactor);
    let ids: Vec<SocketId> = (0..20)
        .map(|_| {
            let options = to(port, &[ip(HOLE), ip(NOBODY), SOMEBODY]);
            reactor
                .net()
                .connect(options, recorder("us", &log))
                .unwrap()
                .id()
        })
        .collect();
    turn_until_lines(&mut reactor, &log, "us ready", 20);
    for id in ids {
        let mut socket = at(&mut reactor, id);
        assert_eq!(
            socket.peer_address().unwrap(),
            SocketAddr::from(([127, 0, 0, 1], port))
        );
        socket.destroy();
    }
    turn_until_lines(&mut reactor, &log, "us close false", 20);
    assert_eq!(reactor.net().stats().stale_events, 0);
}
