//! Group B: connects that the routes and the ports of the machine refuse (B8, B9), each in a network of
//! its own, and B13.

use crate::apart::in_own_network;
use crate::support::*;
use netloop::{ConnectOptions, Event, Reactor, Socket, SocketId, handler_fn};
use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::rc::Rc;

#[test]
fn b8_without_a_free_port_a_connect_fails_and_works_again_when_one_is_free() {
    let name = "b_routes::b8_without_a_free_port_a_connect_fails_and_works_again_when_one_is_free";
    let setup = "echo 40000 40009 > /proc/sys/net/ipv4/ip_local_port_range";
    in_own_network(name, setup, || {
        const PORTS: usize = 10; // of an odd number the kernel does not always find each
        let (mut reactor, log) = fresh();
        let listener = TcpListener::bind("127.0.0.1:7000").unwrap();
        let address = listener.local_addr().unwrap();
        let connect = |reactor: &mut Reactor, who: &str| {
            let who = recorder(who, &log);
            reactor.net().connect(address, who).unwrap().id()
        };
        let first = connect(&mut reactor, "one");
        for _ in 1..PORTS {
            connect(&mut reactor, "one");
        }
        turn_until_lines(&mut reactor, &log, "one ready", PORTS);

        for _ in 0..2 {
            log.clear();
            connect(&mut reactor, "more");
            turn_until_line(&mut reactor, &log, "more close true");
            let attempt = format!("attempt {address}");
            let failed = format!("attempt failed {address} EADDRNOTAVAIL");
            let told = [&attempt, &failed, "error EADDRNOTAVAIL", "close true"];
            assert_eq!(log.of("more"), told);
        }
        at(&mut reactor, first).reset_and_destroy(); // leaves no TIME_WAIT
        turn_until(&mut reactor, |net| net.socket(first).is_none());
        connect(&mut reactor, "late");
        turn_until_line(&mut reactor, &log, "late ready");
    });
}

/// An address for each way in which a route says no. There is none to the last.
const REFUSALS: [([u8; 4], &str); 4] = [
    ([192, 0, 2, 1], "EHOSTUNREACH"),
    ([192, 0, 2, 2], "EACCES"),
    ([192, 0, 2, 3], "EINVAL"),
    ([192, 0, 2, 4], "ENETUNREACH"),
];

const ROUTES: &str = "ip route add unreachable 192.0.2.1 && ip route add prohibit 192.0.2.2 \
                      && ip route add blackhole 192.0.2.3";

#[test]
fn b9_what_a_route_refuses_is_an_error_with_its_code_and_the_next_address_is_tried() {
    let name =
        "b_routes::b9_what_a_route_refuses_is_an_error_with_its_code_and_the_next_address_is_tried";
    in_own_network(name, ROUTES, || {
        let (mut reactor, log) = fresh();
        let listener = TcpListener::bind("127.0.0.1:7000").unwrap();
        let here = listener.local_addr().unwrap();
        let mut before = Vec::new(); // the attempts that fail before the last
        for (ip, code) in REFUSALS {
            let to = SocketAddr::from((ip, 7000));
            let us = recorder(code, &log);
            reactor.net().connect(to, us).unwrap();
            turn_until_line(&mut reactor, &log, &format!("{code} close true"));
            let attempt = format!("attempt {to}");
            let failed = format!("attempt failed {to} {code}");
            let error = format!("error {code}");
            assert_eq!(log.of(code), [&attempt, &failed, &error, "close true"]);
            before.extend([attempt, failed]);
        }

        let refusing = REFUSALS.map(|(ip, _)| IpAddr::from(ip));
        let named = |answer: &[IpAddr]| {
            ConnectOptions::from(("host.example", 7000)).resolver(answering(answer))
        };
        let us = recorder("all", &log);
        reactor.net().connect(named(&refusing), us).unwrap();
        turn_until_line(&mut reactor, &log, "all close true");
        let lookups = refusing.len();
        let told = log.of("all");
        assert_eq!(told[lookups..][..before.len()], before);
        assert_eq!(told.last().unwrap(), "close true");

        let answer = [&refusing[..], &[here.ip()]].concat();
        let us = recorder("last", &log);
        reactor.net().connect(named(&answer), us).unwrap();
        turn_until_line(&mut reactor, &log, "last ready");
        before.extend([format!("attempt {here}"), "connect".into(), "ready".into()]);
        assert_eq!(log.of("last")[answer.len()..], before);
        turn_until_quiet(&mut reactor);
        assert_eq!(reactor.net().stats().sockets, 1);
    });
}

/// Connects for the second time with the options of the first: the form that it has where a socket
/// is made by connecting, and connects once.
#[test]
fn b13_to_connect_again_in_any_state_is_another_socket_and_nothing_to_the_first() {
    let (mut reactor, log) = fresh();
    let address = listen(&mut reactor, |_| handler_fn(|_, _| ()));
    let options = ConnectOptions::from(address);
    let ids: Rc<RefCell<Vec<SocketId>>> = Rc::default();
    let (made, again, lines) = (ids.clone(), options.clone(), log.clone());
    let first = reacting("first", &log, move |socket: &mut Socket<'_>, event| {
        let state = match event {
            Event::ConnectionAttempt(_) => "connecting",
            Event::Ready => "connected",
            Event::Close { .. } => "destroyed",
            _ => return,
        };
        let other = recorder(state, &lines);
        let other = socket.net().connect(again.clone(), other).unwrap().id();
        made.borrow_mut().push(other);
    });
    let first = reactor.net().connect(options, first).unwrap().id();
    turn_until_line(&mut reactor, &log, "connected ready");
    let attempt = format!("attempt {address}");
    assert_eq!(log.of("first"), [&attempt, "connect", "ready"]);
    at(&mut reactor, first).destroy();
    turn_until_line(&mut reactor, &log, "destroyed ready");
    for who in ["connecting", "connected", "destroyed"] {
        assert_eq!(log.of(who), [&attempt, "connect", "ready"]);
    }
    assert_eq!(log.of("first").last().unwrap(), "close false");
    assert!(!ids.borrow().contains(&first));
    assert_eq!(reactor.net().stats().connects, 4);
}
