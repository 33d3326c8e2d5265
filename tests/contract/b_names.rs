//! Group B: connecting to a host by name (R4, R7 to R10, R34, R39, and R93 for servers).
//!
//! Resolvers are ours wherever what they say is the point; the system's own has `localhost` to find.

use crate::support::*;
use netloop::{
    Acceptor, ConnectOptions, Error, Event, Family, Handler, Net, Promise, Question, Reactor,
    Resolver, Server, Socket, handler_fn,
};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Promises that somebody keeps and may fulfil.
type Kept = Rc<RefCell<Vec<(Question, Promise)>>>;

/// A resolver that answers nothing by itself.
fn keeping() -> (Kept, impl Resolver) {
    let kept = Kept::default();
    let keeps = kept.clone();
    let resolver = move |_: &mut Net, question: Question, promise: Promise| {
        keeps.borrow_mut().push((question, promise));
    };
    (kept, resolver)
}

fn named(port: u16, resolver: impl Resolver + 'static) -> ConnectOptions {
    ConnectOptions::from(("host.example", port)).resolver(resolver)
}

/// A server that greets and ends.
fn greeting(reactor: &mut Reactor) -> SocketAddr {
    listen(reactor, |socket| {
        socket.end_with(b"hi");
        handler_fn(|_, _| ())
    })
}

#[test]
fn r4_lookup_attempt_connect_ready_and_data_come_in_this_order() {
    let (mut reactor, log) = fresh();
    let address = greeting(&mut reactor);
    let options = named(address.port(), answering(&[HERE]));
    let us = reactor.net().connect(options, recorder("us", &log));
    assert!(us.unwrap().connecting());
    turn_until_line(&mut reactor, &log, "us data 2");
    assert_eq!(
        log.of("us")[..5],
        [
            "lookup host.example 127.0.0.1",
            &format!("attempt {address}"),
            "connect",
            "ready",
            "data 2"
        ]
    );
}

#[test]
fn r1_a_resolver_that_answers_at_once_is_not_asked_inside_the_call_either() {
    let (mut reactor, log) = fresh();
    let asked = log.clone();
    let options = named(1, move |_: &mut Net, _: Question, promise: Promise| {
        asked.push("asked");
        promise.fulfil(Ok(vec![HERE]));
    });
    reactor
        .net()
        .connect(options, recorder("us", &log))
        .unwrap();
    assert_eq!(log.lines(), [""; 0]);
    turn_until_line(&mut reactor, &log, "us close true");
    assert_eq!(
        log.lines()[..2],
        ["asked", "us lookup host.example 127.0.0.1"]
    );
}

#[test]
fn localhost_is_what_no_host_means_and_the_system_finds_it() {
    let (mut reactor, log) = fresh();
    let address = greeting(&mut reactor);
    reactor
        .net()
        .connect(address.port(), recorder("us", &log))
        .unwrap();
    turn_until_line(&mut reactor, &log, "us data 2");
    let told = log.of("us");
    assert!(
        told.contains(&"lookup localhost 127.0.0.1".to_owned()),
        "{told:?}"
    );
}

#[test]
fn r7_a_failed_lookup_is_told_with_the_error_that_follows_unmodified() {
    let (mut reactor, log) = fresh();
    let options = named(1, |_: &mut Net, _: Question, promise: Promise| {
        promise.fulfil(Err(Error::new("ENODATA", "no such record")));
    });
    let told = log.clone();
    let us = handler_fn(move |_: &mut Socket<'_>, event: Event<'_>| match event {
        Event::Lookup { answer, .. } => told.push(format!("lookup {}", answer.unwrap_err())),
        Event::Error(error) => told.push(format!("{} {error}", error.code())),
        event => told.push(describe(&event)),
    });
    reactor.net().connect(options, us).unwrap();
    turn_until_line(&mut reactor, &log, "close true");
    assert_eq!(
        log.lines(),
        [
            "lookup no such record",
            "ENODATA no such record",
            "close true"
        ]
    );
}

#[test]
fn r7_each_of_several_answers_is_told_in_the_order_of_the_answer() {
    let (mut reactor, log) = fresh();
    let answer: Vec<IpAddr> = ["127.0.0.1", "127.0.0.2", "::1", "127.0.0.1"]
        .map(|ip| ip.parse().unwrap())
        .into();
    let options = named(1, answering(&answer));
    reactor
        .net()
        .connect(options, recorder("us", &log))
        .unwrap();
    turn_until_line(&mut reactor, &log, "us close true");
    assert_eq!(
        log.of("us")[..4],
        [
            "lookup host.example 127.0.0.1",
            "lookup host.example 127.0.0.2",
            "lookup host.example ::1",
            "lookup host.example 127.0.0.1", // told again, tried once (R77)
        ]
    );
}

#[test]
fn r8_an_answer_of_another_family_than_was_asked_for_is_an_error() {
    // Anything but an address cannot be answered at all here.
    let (mut reactor, log) = fresh();
    let options = named(80, answering(&[Ipv6Addr::LOCALHOST.into()])).family(Family::Ipv4);
    let told = log.clone();
    let us = reacting("us", &log, move |_, event| {
        if let Event::Error(error) = event {
            told.push(error.to_string());
        }
    });
    reactor.net().connect(options, us).unwrap();
    turn_until_line(&mut reactor, &log, "us close true");
    assert!(log.has("us error ERR_INVALID_ADDRESS_FAMILY"), "{log:?}");
    assert!(
        log.has("Invalid address family: 6 host.example:80"),
        "{log:?}"
    );
}

#[test]
fn r8_no_addresses_are_as_no_host() {
    let (mut reactor, log) = fresh();
    let told = log.clone();
    let us = reacting("us", &log, move |_, event| {
        if let Event::Error(error) = event {
            assert_eq!(error.syscall(), Some("getaddrinfo"));
            told.push(error.to_string());
        }
    });
    reactor
        .net()
        .connect(named(80, answering(&[])), us)
        .unwrap();
    turn_until_line(&mut reactor, &log, "us close true");
    assert_eq!(
        log.lines(),
        [
            "us lookup host.example ENOTFOUND",
            "us error ENOTFOUND",
            "getaddrinfo ENOTFOUND host.example",
            "us close true"
        ]
    );
}

#[test]
fn r9_a_family_is_handed_to_the_resolver_and_asks_for_one_address_only() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let here = ConnectOptions::from(("host.example", 1));
    for (options, family, all) in [
        (here.clone(), None, true),
        (here.clone().family(Family::Ipv4), Some(Family::Ipv4), false),
        (here.clone().family(Family::Ipv6), Some(Family::Ipv6), false),
        (here.clone().auto_select_family(false), None, false),
        (here.clone().local_address(HERE), None, false), // R76
        (here.local_port(0), None, true),
    ] {
        let (kept, resolver) = keeping();
        let options = options.resolver(resolver);
        let mut us = reactor
            .net()
            .connect(options, recorder("us", &log))
            .unwrap();
        us.write(b"x");
        turn_until(&mut reactor, |_| !kept.borrow().is_empty());
        let (question, _promise) = kept.borrow_mut().pop().unwrap();
        assert_eq!(question.host(), "host.example");
        assert_eq!((question.family(), question.all()), (family, all));
    }
}

#[test]
fn r10_the_answer_that_comes_after_destroy_is_ignored() {
    let (mut reactor, log) = fresh();
    let (kept, resolver) = keeping();
    let us = reactor
        .net()
        .connect(named(1, resolver), recorder("us", &log))
        .unwrap()
        .id();
    turn_until(&mut reactor, |_| !kept.borrow().is_empty());
    at(&mut reactor, us).destroy();
    let (_, promise) = kept.borrow_mut().pop().unwrap();
    assert!(!promise.is_wanted());
    promise.fulfil(Ok(vec![HERE]));
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us close false"]);
    assert!(!reactor.is_alive());
}

#[test]
fn r10_the_same_if_the_answer_was_on_its_way_already() {
    let (mut reactor, log) = fresh();
    let (kept, resolver) = keeping();
    let us = reactor
        .net()
        .connect(named(1, resolver), recorder("us", &log))
        .unwrap()
        .id();
    turn_until(&mut reactor, |_| !kept.borrow().is_empty());
    let (_, promise) = kept.borrow_mut().pop().unwrap();
    promise.fulfil(Ok(vec![HERE]));
    at(&mut reactor, us).destroy();
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["us close false"]);
}

#[test]
fn r10_destroy_inside_lookup_is_the_end_of_it() {
    let (mut reactor, log) = fresh();
    let us = reacting("us", &log, |socket, event| {
        if let Event::Lookup { .. } = event {
            socket.destroy();
        }
    });
    let options = named(1, answering(&[HERE, [127, 0, 0, 2].into()]));
    reactor.net().connect(options, us).unwrap();
    turn_until_line(&mut reactor, &log, "us close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(
        log.of("us"),
        ["lookup host.example 127.0.0.1", "close false"]
    );
    assert_eq!(reactor.net().stats().syscalls.connect, 0);
}

#[test]
fn r34_r39_what_was_written_and_ended_during_the_lookup_is_sent_when_the_connection_stands() {
    let (mut reactor, log) = fresh();
    let address = listen(&mut reactor, {
        let log = log.clone();
        move |_| recorder("them", &log)
    });
    let (kept, resolver) = keeping();
    let us = reactor
        .net()
        .connect(named(address.port(), resolver), recorder("us", &log))
        .unwrap()
        .id();
    turn_until(&mut reactor, |_| !kept.borrow().is_empty());
    let mut socket = at(&mut reactor, us);
    assert!(socket.write(b"early "));
    socket.set_no_delay(true);
    socket.end_with(b"end");
    assert!(!socket.writable());
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), [""; 0]);
    // From another thread: that is where a promise may go.
    let (_, promise) = kept.borrow_mut().pop().unwrap();
    let thread = std::thread::spawn(move || promise.fulfil(Ok(vec![HERE])));
    turn_until_line(&mut reactor, &log, "us close false");
    thread.join().unwrap();
    assert_eq!(
        log.of("us")[2..],
        ["connect", "ready", "finish", "end", "close false"]
    );
    assert_eq!(log.of("them")[..2], ["data 9", "end"]);
}

#[test]
fn a_lookup_keeps_the_loop_going_and_an_unref_takes_that_away() {
    // R105: a lookup in progress counts, through whoever waits for it.
    let (mut reactor, log) = fresh();
    let (_kept, resolver) = keeping();
    let us = reactor
        .net()
        .connect(named(1, resolver), recorder("us", &log))
        .unwrap()
        .id();
    turn_until_quiet(&mut reactor);
    assert!(reactor.is_alive());
    at(&mut reactor, us).unref();
    assert!(!reactor.is_alive(), "its deadline keeps the loop going");
}

#[test]
fn a_promise_that_is_dropped_fails_the_lookup_and_so_does_a_deadline() {
    struct Impatient(RefCell<Vec<Promise>>);
    impl Resolver for Impatient {
        fn resolve(&self, _: &mut Net, question: Question, promise: Promise) {
            if question.host() != "dropped.example" {
                self.0.borrow_mut().push(promise);
            }
        }
        fn deadline(&self) -> Duration {
            Duration::from_millis(5)
        }
    }
    let (mut reactor, log) = fresh();
    reactor.net().set_resolver(Impatient(RefCell::default()));
    for who in ["dropped.example", "late.example"] {
        let us = recorder(who, &log);
        reactor.net().connect((who, 80), us).unwrap();
    }
    run_to_its_end(&mut reactor);
    assert_eq!(
        log.of("dropped.example"),
        [
            "lookup dropped.example ECANCELED",
            "error ECANCELED",
            "close true"
        ]
    );
    assert_eq!(
        log.of("late.example"),
        [
            "lookup late.example ETIMEDOUT",
            "error ETIMEDOUT",
            "close true"
        ]
    );
}

#[test]
fn a_connect_timeout_ends_the_lookup_too() {
    let (mut reactor, log) = fresh();
    let (kept, resolver) = keeping();
    let options = named(80, resolver).connect_timeout(Duration::from_millis(5));
    let told = log.clone();
    let us = reacting("us", &log, move |_, event| {
        if let Event::Error(error) = event {
            told.push(error.to_string());
        }
    });
    reactor.net().connect(options, us).unwrap();
    run_to_its_end(&mut reactor);
    assert_eq!(
        log.lines(),
        [
            "us error ETIMEDOUT",
            "connect ETIMEDOUT host.example:80",
            "us close true"
        ]
    );
    assert!(!kept.borrow()[0].1.is_wanted());
}

/// An acceptor that logs what its server is told.
struct Told(Log);

impl Acceptor for Told {
    fn on_connection(&mut self, _: &mut Socket<'_>) -> Box<dyn Handler> {
        self.0.push("connection");
        Box::new(handler_fn(|_, _| ()))
    }
    fn on_listening(&mut self, server: &mut Server<'_>) {
        assert!(server.listening());
        self.0.push(format!("listening {}", server.local().ip()));
    }
    fn on_error(&mut self, server: &mut Server<'_>, error: &Error) {
        assert!(!server.listening());
        self.0.push(format!("error {error}"));
    }
    fn on_close(&mut self, _: &mut Server<'_>) {
        self.0.push("close");
    }
}

trait Local {
    fn local(&self) -> SocketAddr;
}

impl Local for Server<'_> {
    fn local(&self) -> SocketAddr {
        inet(self.address().unwrap())
    }
}

#[test]
fn r93_a_server_by_name_listens_on_the_first_address_that_is_not_link_local() {
    let (mut reactor, log) = fresh();
    let answer = ["fe80::1", "127.0.0.1", "127.0.0.2"].map(|ip| ip.parse().unwrap());
    reactor.net().set_resolver(answering(&answer));
    let server = reactor
        .net()
        .listen_with(("host.example", 0), Told(log.clone()));
    let server = server.unwrap();
    assert!(!server.listening());
    assert_eq!(server.address(), None);
    let id = server.id();
    turn_until_line(&mut reactor, &log, "listening 127.0.0.1");
    let address = reactor.net().server(id).unwrap().local();
    let _peer = plain_peer(address);
    turn_until_line(&mut reactor, &log, "connection");
    reactor.net().server(id).unwrap().close().unwrap();
}

#[test]
fn r93_a_host_that_is_not_found_is_an_error_and_then_the_server_is_closed() {
    let (mut reactor, log) = fresh();
    reactor.net().set_resolver(answering(&[]));
    let acceptor = Told(log.clone());
    reactor
        .net()
        .listen_with("host.example:0", acceptor)
        .unwrap();
    run_to_its_end(&mut reactor);
    let error = "error getaddrinfo ENOTFOUND host.example";
    assert_eq!(log.lines(), [error, "close"]);
    assert_eq!(reactor.net().stats().servers, 0);
}

#[test]
fn r93_an_address_that_cannot_be_bound_is_an_error_too() {
    let (mut reactor, log) = fresh();
    let (_held, address) = refusing();
    reactor.net().set_resolver(answering(&[HERE]));
    let place = ("host.example", address.port());
    reactor.net().listen_with(place, Told(log.clone())).unwrap();
    run_to_its_end(&mut reactor);
    let error = format!("error listen EADDRINUSE: address already in use {address}");
    assert_eq!(log.lines(), [&error, "close"]);
}

#[test]
fn r88_a_server_closed_during_the_lookup_tells_close_only_and_lets_the_loop_end() {
    let (mut reactor, log) = fresh();
    let (kept, resolver) = keeping();
    reactor.net().set_resolver(resolver);
    let acceptor = Told(log.clone());
    let id = reactor
        .net()
        .listen_with("host.example:0", acceptor)
        .unwrap()
        .id();
    turn_until(&mut reactor, |_| !kept.borrow().is_empty());
    assert!(reactor.is_alive(), "a lookup in progress counts");
    let mut server = reactor.net().server(id).unwrap();
    server.close().unwrap();
    assert_eq!(server.close().unwrap_err().code(), "ERR_SERVER_NOT_RUNNING");
    let (_, promise) = kept.borrow_mut().pop().unwrap();
    assert!(!promise.is_wanted());
    promise.fulfil(Ok(vec![HERE]));
    run_to_its_end(&mut reactor);
    assert_eq!(log.lines(), ["close"]);
}
