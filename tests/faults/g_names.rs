//! Group G: names, looked up by a resolver that answers late, wrongly, too much, or never.
//!
//! What the system's resolver does with its threads (G3, G8, G9) stands with it, in
//! `src/net/names.rs`, where a test can hold a thread up.

use crate::apart::{apart, in_own_network, open_descriptors};
use crate::support::*;
use netloop::{
    ConnectOptions, Error, Event, Net, Promise, Question, Reactor, Resolver, handler_fn,
};
use std::cell::RefCell;
use std::net::{IpAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// To a host that this function looks up.
fn to(
    host: &str,
    port: u16,
    resolve: impl Fn(&mut Net, Question, Promise) + 'static,
) -> ConnectOptions {
    ConnectOptions::from((host, port)).resolver(resolve)
}

#[test]
fn g1_whatever_a_lookup_fails_with_is_one_error_with_its_code_and_a_close() {
    for code in ["ENOTFOUND", "EAI_AGAIN", "ESERVFAIL", "EREFUSED"] {
        let (mut reactor, log) = fresh();
        let options = to("host.example", 1, move |_, _, promise| {
            promise.fulfil(Err(Error::new(code, "the server said so")));
        });
        let us = recorder("us", &log);
        reactor.net().connect(options, us).unwrap();
        run_to_its_end(&mut reactor);
        let (lookup, error) = (
            format!("lookup host.example {code}"),
            format!("error {code}"),
        );
        assert_eq!(log.of("us"), [&lookup, &error, "close true"]);
        assert_eq!(reactor.net().stats().syscalls.connect, 0);
    }
}

#[test]
fn g1_the_system_says_what_it_does_not_find() {
    // `.invalid` is nobody's (RFC 6761); without a network the lookup fails in another way.
    let (mut reactor, log) = fresh();
    let us = recorder("us", &log);
    reactor.net().connect(("netloop.invalid", 1), us).unwrap();
    turn_until_line(&mut reactor, &log, "us close true");
    let codes = ["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "ETIMEDOUT"];
    let errors = codes.map(|code| format!("error {code}"));
    assert!(errors.contains(&log.of("us")[1]), "{log:?}");
}

/// The only name server: it answers whatever it is asked with nothing but this code (RFC 1035, 4.1.1).
fn name_server(code: u8) {
    let server = UdpSocket::bind("127.0.0.1:53").unwrap();
    std::thread::spawn(move || {
        let mut message = [0; 512];
        while let Ok((bytes, asker)) = server.recv_from(&mut message) {
            let answer = &mut message[..bytes];
            answer[2] |= 0x80; // an answer
            answer[3] = 0x80 | code;
            let _ = server.send_to(answer, asker);
        }
    });
}

const ASKS_US: &str = "mount -t tmpfs none /mnt && echo nameserver 127.0.0.1 > /mnt/resolv.conf \
                       && mount --bind /mnt/resolv.conf /etc/resolv.conf";

/// What a name server says no with reaches the socket through the system's resolver.
#[track_caller]
fn asks_a_server_that_says(name: &str, server_says: u8, expected: &str) {
    in_own_network(name, ASKS_US, || {
        name_server(server_says);
        let (mut reactor, log) = fresh();
        let us = recorder("us", &log);
        reactor.net().connect(("host.example", 1), us).unwrap();
        turn_until_line(&mut reactor, &log, "us close true");
        let (lookup, error) = (
            format!("lookup host.example {expected}"),
            format!("error {expected}"),
        );
        assert_eq!(log.of("us"), [&lookup, &error, "close true"]);
    });
}

#[test]
fn g1_a_name_server_that_knows_no_such_host_is_not_found() {
    let name = "g_names::g1_a_name_server_that_knows_no_such_host_is_not_found";
    asks_a_server_that_says(name, 3, "ENOTFOUND");
}

#[test]
fn g1_a_name_server_that_fails_may_know_later() {
    let name = "g_names::g1_a_name_server_that_fails_may_know_later";
    asks_a_server_that_says(name, 2, "EAI_AGAIN");
}

#[test]
fn g1_a_name_server_that_refuses_may_know_later() {
    let name = "g_names::g1_a_name_server_that_refuses_may_know_later";
    asks_a_server_that_says(name, 5, "EAI_AGAIN");
}

#[test]
fn g2_a_lookup_that_hangs_holds_nobody_up_and_destroy_closes_at_once() {
    let (mut reactor, log) = fresh();
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keeps = kept.clone();
    let options = to("silent.example", 1, move |_, _, promise| {
        keeps.borrow_mut().push(promise);
    });
    let waiting = recorder("waiting", &log);
    let waiting = reactor.net().connect(options, waiting).unwrap().id();
    let address = listen(&mut reactor, |_| handler_fn(|_, _| ()));
    reactor
        .net()
        .connect(address, recorder("other", &log))
        .unwrap();
    turn_until_line(&mut reactor, &log, "other ready");
    at(&mut reactor, waiting).destroy();
    turn_until_line(&mut reactor, &log, "waiting close false");
    assert_eq!(log.of("waiting"), ["close false"]);
    kept.borrow_mut().pop().unwrap().fulfil(Ok(vec![HERE]));
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("waiting"), ["close false"]);
}

#[test]
fn g4_five_hundred_addresses_are_capped_and_told_no_more_often_than_tried() {
    let (mut reactor, log) = fresh();
    let answer: Vec<IpAddr> = (0..500u16)
        .map(|it| [127, 1, (it >> 8) as u8, it as u8].into())
        .collect();
    let options = ConnectOptions::from(("many.example", 1)).resolver(answering(&answer));
    reactor
        .net()
        .connect(options, recorder("us", &log))
        .unwrap();
    turn_until_line(&mut reactor, &log, "us close true");
    let lines = log.of("us");
    let count = |start| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(count("lookup"), 32);
    assert_eq!(count("attempt failed"), 32);
    assert_eq!(count("error"), 1);
}

#[test]
fn g4_an_address_that_comes_a_million_times_keeps_nobody_busy() {
    let (mut reactor, log) = fresh();
    let options = to("many.example", 1, |_, _, promise| {
        promise.fulfil(Ok(vec![HERE; 1_000_000]));
    });
    let us = recorder("us", &log);
    reactor.net().connect(options, us).unwrap();
    turn_until_line(&mut reactor, &log, "us close true");
    let lookups = log.count(&format!("us lookup many.example {HERE}"));
    assert_eq!(lookups, 1024);
}

#[test]
fn g5_what_only_looks_like_a_name_reaches_no_resolver() {
    let mut reactor = Reactor::new().unwrap();
    let asked = |_: &mut Net, question: Question, _: Promise| panic!("asked for {question:?}");
    reactor.net().set_resolver(asked);
    let long = "a".repeat(254);
    for host in [
        "127.1",
        "0x7f.1",
        "2130706433",
        "127.0.0.1.",
        "fe80::1%lo",
        "a\0b",
        "a b",
        "bücher.example",
        &long,
    ] {
        let refused = reactor.net().connect((host, 80), handler_fn(|_, _| ()));
        assert!(refused.is_err_and(|error| error.is_misuse()), "{host:?}");
        let refused = reactor.net().listen((host, 0), |_| handler_fn(|_, _| ()));
        assert!(refused.is_err_and(|error| error.is_misuse()), "{host:?}");
    }
    assert!(!reactor.is_alive());
}

#[test]
fn g5_a_name_reaches_the_resolver_whole() {
    let long = format!("{}.example", "a".repeat(245));
    for host in [
        "example.org.",
        "EXAMPLE.org",
        "xn--bcher-kva.example",
        &long,
    ] {
        let mut reactor = Reactor::new().unwrap();
        let asked = Rc::new(RefCell::new(None));
        let hears = asked.clone();
        let options = to(host, 80, move |_, question, _| {
            *hears.borrow_mut() = Some(question.host().to_owned());
        });
        reactor
            .net()
            .connect(options, handler_fn(|_, _| ()))
            .unwrap();
        turn_until(&mut reactor, |_| asked.borrow().is_some());
        assert_eq!(asked.take().as_deref(), Some(host));
    }
}

#[test]
fn g6_a_resolver_that_panics_fails_its_lookup_and_nothing_else() {
    let (mut reactor, log) = fresh();
    reactor.net().set_resolver(
        |_: &mut Net, question: Question, promise: Promise| match question.host() {
            "panics.example" => panic!("on purpose"),
            _ => promise.fulfil(Ok(Vec::new())),
        },
    );
    for host in ["panics.example", "fine.example"] {
        let us = recorder(host, &log);
        reactor.net().connect((host, 1), us).unwrap();
    }
    let mut panics = 0;
    while reactor.is_alive() {
        let turn = AssertUnwindSafe(|| reactor.turn(Some(Duration::from_millis(10))).unwrap());
        panics += usize::from(catch_unwind(turn).is_err());
    }
    assert_eq!(panics, 1);
    assert_eq!(
        log.of("panics.example"),
        [
            "lookup panics.example ECANCELED",
            "error ECANCELED",
            "close true"
        ]
    );
    assert_eq!(log.of("fine.example").last().unwrap(), "close true");
}

/// A resolver that does not even say how long it may take.
struct NoDeadline;

impl Resolver for NoDeadline {
    fn resolve(&self, _: &mut Net, _: Question, _: Promise) {
        unreachable!("it panics before");
    }

    fn deadline(&self) -> Duration {
        panic!("on purpose");
    }
}

#[test]
fn g6_a_panic_about_the_deadline_fails_the_lookup_too() {
    let (mut reactor, log) = fresh();
    reactor.net().set_resolver(NoDeadline);
    let us = recorder("us", &log);
    reactor.net().connect(("host.example", 1), us).unwrap();
    let turn = AssertUnwindSafe(|| reactor.turn(Some(Duration::ZERO)));
    assert!(catch_unwind(turn).is_err());
    turn_until_line(&mut reactor, &log, "us close true");
    assert_eq!(
        log.of("us"),
        [
            "lookup host.example ECANCELED",
            "error ECANCELED",
            "close true"
        ]
    );
}

#[test]
fn g7_an_answer_never_reaches_who_came_into_the_place_of_its_asker() {
    let (mut reactor, log) = fresh();
    let kept: Rc<RefCell<Vec<Promise>>> = Rc::default();
    let ask = |reactor: &mut Reactor, who: &str| {
        let keeps = kept.clone();
        let options = to("slow.example", 1, move |_, _, promise| {
            keeps.borrow_mut().push(promise);
        });
        let us = recorder(who, &log);
        let id = reactor.net().connect(options, us).unwrap().id();
        turn_until(reactor, |_| !kept.borrow().is_empty());
        (id, kept.borrow_mut().pop().unwrap())
    };
    let (gone, late) = ask(&mut reactor, "gone");
    at(&mut reactor, gone).destroy();
    turn_until_line(&mut reactor, &log, "gone close false");
    // Of sockets and of lookups there is none now, so both take up the places that came free.
    let (_, in_time) = ask(&mut reactor, "newcomer");
    late.fulfil(Ok(vec![[127, 0, 0, 2].into()]));
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("newcomer"), [""; 0]);
    in_time.fulfil(Ok(vec![HERE]));
    turn_until_line(&mut reactor, &log, "newcomer close true");
    assert_eq!(log.of("newcomer")[0], "lookup slow.example 127.0.0.1");
    assert_eq!(log.of("gone"), ["close false"]);
}

#[test]
fn g8_a_loop_dropped_with_lookups_under_way_is_not_waited_for_and_touched_by_nobody() {
    let name =
        "g_names::g8_a_loop_dropped_with_lookups_under_way_is_not_waited_for_and_touched_by_nobody";
    apart(name, "exec", || {
        let before = open_descriptors();
        let mut reactor = Reactor::new().unwrap();
        let kept = Rc::new(RefCell::new(Vec::new()));
        let keeps = kept.clone();
        let options = to("late.example", 1, move |_, _, promise| {
            keeps.borrow_mut().push(promise);
        });
        for _ in 0..10 {
            let us = handler_fn(|_, event: Event<'_>| panic!("{event:?} of a loop that is gone"));
            reactor.net().connect(options.clone(), us).unwrap();
        }
        turn_until(&mut reactor, |_| kept.borrow().len() == 10);
        drop(reactor);
        for promise in kept.take() {
            promise.fulfil(Ok(vec![HERE]));
        }
        assert_eq!(open_descriptors(), before);
    });
}
