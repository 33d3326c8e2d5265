//! Group B: where a connection comes from (R13, and R12 where it tells of it).

use crate::support::*;
use netloop::{ConnectOptions, Event, Handler, Reactor, handler_fn};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A port that a listener holds, which is to be kept.
fn taken() -> (TcpListener, u16) {
    let holder = TcpListener::bind((HERE, 0)).unwrap();
    let port = holder.local_addr().unwrap().port();
    (holder, port)
}

/// A port that nobody holds, as far as can be known.
fn free() -> u16 {
    taken().1
}

/// A client that logs the whole text of its error.
fn telling(log: &Log) -> impl Handler + use<> {
    let texts = log.clone();
    reacting("client", log, move |_, event| {
        if let Event::Error(error) = event {
            texts.push(format!("text {error}"));
        }
    })
}

fn deaf_server(reactor: &mut Reactor) -> SocketAddr {
    listen(reactor, |_| handler_fn(|_, _| ()))
}

#[test]
fn r13_a_connection_comes_from_the_local_address_and_port_that_were_asked_for() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let server = deaf_server(&mut reactor);
    let port = free();
    let client = reacting("client", &log, move |socket, event| {
        if let Event::Connect = event {
            let from = SocketAddr::from(([127, 0, 0, 2], port));
            assert_eq!(socket.address().unwrap(), from);
            assert_eq!(socket.local_address(), Some(from.ip()));
            assert_eq!(socket.local_port(), Some(port));
        }
    });
    let options = ConnectOptions::from(server)
        .local_address([127, 0, 0, 2])
        .local_port(port);
    reactor.net().connect(options, client).unwrap();
    turn_until_line(&mut reactor, &log, "client ready");
}

#[test]
fn r13_a_local_port_alone_stands_on_any_address_of_the_family() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let server = deaf_server(&mut reactor);
    let port = free();
    let client = reacting("client", &log, move |socket, event| {
        if let Event::Connect = event {
            assert_eq!(socket.address().unwrap(), SocketAddr::from((HERE, port)));
        }
    });
    let options = ConnectOptions::from(server).local_port(port);
    reactor.net().connect(options, client).unwrap();
    turn_until_line(&mut reactor, &log, "client ready");
}

#[test]
fn r13_b12_a_local_port_that_is_taken_is_an_error_of_bind_and_no_attempt() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let server = deaf_server(&mut reactor);
    let (_holder, port) = taken();
    let options = ConnectOptions::from(server)
        .local_address(HERE)
        .local_port(port);
    let socket = reactor.net().connect(options, telling(&log)).unwrap();
    assert!(socket.connecting(), "nothing is told inside the call");
    turn_until_line(&mut reactor, &log, "client close true");
    assert_eq!(log.of("client"), ["error EADDRINUSE", "close true"]);
    assert!(log.has(&format!("text bind EADDRINUSE {HERE}:{port}")));
}

#[test]
fn r13_b12_a_local_address_that_is_not_ours_is_an_error_of_bind() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let server = deaf_server(&mut reactor);
    let options = ConnectOptions::from(server).local_address([192, 0, 2, 1]);
    reactor.net().connect(options, telling(&log)).unwrap();
    turn_until_line(&mut reactor, &log, "client close true");
    assert_eq!(log.of("client"), ["error EADDRNOTAVAIL", "close true"]);
    assert!(log.has("text bind EADDRNOTAVAIL 192.0.2.1"));
}

#[test]
fn r12_a_refused_connect_tells_its_local_address_if_both_parts_were_asked_for() {
    for both in [true, false] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (port, nobody) = (free(), SocketAddr::from((HERE, free())));
        let mut options = ConnectOptions::from(nobody).local_port(port);
        if both {
            options = options.local_address(HERE);
        }
        reactor.net().connect(options, telling(&log)).unwrap();
        turn_until_line(&mut reactor, &log, "client close true");
        let local = match both {
            true => format!(" - Local ({HERE}:{port})"),
            false => String::new(),
        };
        let expected = format!("text connect ECONNREFUSED {nobody}{local}");
        assert!(log.has(&expected), "{expected}: {log:?}");
    }
}

#[test]
fn b7_a_socket_that_would_talk_to_itself_is_refused() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let itself = SocketAddr::from((HERE, free()));
    let options = ConnectOptions::from(itself)
        .local_address(HERE)
        .local_port(itself.port());
    let mut socket = reactor.net().connect(options, telling(&log)).unwrap();
    socket.write(b"is anybody there?");
    turn_until_line(&mut reactor, &log, "client close true");
    let attempt = format!("attempt {itself}");
    let failed = format!("attempt failed {itself} ECONNREFUSED");
    let told = [&attempt, &failed, "error ECONNREFUSED", "close true"];
    assert_eq!(log.of("client"), told);
    let text = format!("text connect ECONNREFUSED {itself} - Local ({itself})");
    assert!(log.has(&text));
}
