//! Group B: connecting to a literal IP address and port (R4 to R6, R11, R12, R14 to R16).
//!
//! R7 to R10 stand in `b_names`, R13 in `b_local_address`.

use crate::support::*;
use netloop::{
    BlockList, ConnectOptions, Event, Handler, Net, Reactor, Socket, SocketId, handler_fn,
};
use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

/// A listener that greets whoever comes with two bytes.
fn greeting(reactor: &mut Reactor) -> SocketAddr {
    listen(reactor, |socket| {
        socket.write(b"hi");
        handler_fn(|_, _| ())
    })
}

#[test]
fn r4_attempt_connect_ready_and_data_come_in_this_order_with_ready_in_the_turn_of_connect() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = greeting(&mut reactor);
    let turns = Rc::new(RefCell::new(Vec::new()));
    let seen = turns.clone();
    let client = reacting("client", &log, move |socket, event| {
        if matches!(event, Event::Connect | Event::Ready) {
            seen.borrow_mut().push(socket.net().stats().turns);
        }
    });
    reactor.net().connect(address, client).unwrap();
    turn_until_line(&mut reactor, &log, "client data 2");
    let attempt = format!("attempt {address}");
    assert_eq!(log.of("client"), [&attempt, "connect", "ready", "data 2"]);
    let turns = turns.borrow();
    assert_eq!(turns[0], turns[1], "ready waited for another turn");
}

#[test]
fn r4_a_socket_destroyed_in_connect_is_not_told_ready() {
    // Node tells it all the same; the contract says not to copy that.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = greeting(&mut reactor);
    let client = reacting("client", &log, |socket, event| {
        if let Event::Connect = event {
            socket.destroy();
        }
    });
    reactor.net().connect(address, client).unwrap();
    turn_until_line(&mut reactor, &log, "client close false");
    turn_until_quiet(&mut reactor);
    let attempt = format!("attempt {address}");
    assert_eq!(log.of("client"), [&attempt, "connect", "close false"]);
}

/// What R5 is about, in one line.
fn state(socket: &Socket<'_>) -> String {
    let connecting = if socket.connecting() {
        "connecting "
    } else {
        ""
    };
    let pending = if socket.pending() { "pending " } else { "" };
    format!("{connecting}{pending}{}", socket.ready_state())
}

/// A handler that logs the state in which each event finds its socket.
fn stating(log: &Log) -> impl Handler + 'static {
    let lines = log.clone();
    handler_fn(move |socket: &mut Socket<'_>, event| {
        lines.push(format!("{}: {}", describe(&event), state(socket)));
    })
}

#[test]
fn r5_a_socket_is_connecting_from_the_call_until_just_before_connect() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = greeting(&mut reactor);
    let mut socket = reactor.net().connect(address, stating(&log)).unwrap();
    let id = socket.id();
    assert_eq!(state(&socket), "connecting pending opening");
    assert_eq!(socket.peer_address(), None); // R61: none before `connect`
    assert_eq!(socket.address(), None);
    socket.end(); // does not change what it is until it is connected
    assert_eq!(state(&socket), "connecting pending opening");
    turn_until(&mut reactor, |net| net.socket(id).is_none());
    let attempt = format!("attempt {address}: connecting pending opening");
    let lines = log.lines();
    assert_eq!(
        lines[..3],
        [&attempt, "connect: readOnly", "ready: readOnly"]
    );
    assert_eq!(lines.last().unwrap(), "close false: pending closed");
}

#[test]
fn r5_a_connected_socket_is_open_and_neither_connecting_nor_pending() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = greeting(&mut reactor);
    reactor.net().connect(address, stating(&log)).unwrap();
    turn_until_line(&mut reactor, &log, "data 2: open");
    assert_eq!(
        &log.lines()[1..],
        ["connect: open", "ready: open", "data 2: open"]
    );
}

#[test]
fn r5_a_socket_that_failed_to_connect_is_pending_but_not_connecting_inside_error() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_refusing, address) = refusing();
    let socket = reactor.net().connect(address, stating(&log)).unwrap();
    let id = socket.id();
    turn_until(&mut reactor, |net| net.socket(id).is_none());
    assert_eq!(
        &log.lines()[1..],
        [
            &format!("attempt failed {address} ECONNREFUSED: connecting pending opening"),
            "error ECONNREFUSED: pending closed",
            "close true: pending closed"
        ]
    );
}

#[test]
fn r6_the_attempt_is_told_and_begun_in_a_turn_not_in_the_call() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = greeting(&mut reactor);
    reactor
        .net()
        .connect(address, recorder("client", &log))
        .unwrap();
    assert_eq!(log.of("client"), [""; 0]);
    assert_eq!(reactor.net().stats().syscalls.connect, 0);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    // `lookup` has no event here at all: a literal needs none.
    assert_eq!(log.of("client"), [format!("attempt {address}")]);
    assert_eq!(reactor.net().stats().syscalls.connect, 1);
}

#[test]
fn r6_what_can_be_neither_an_address_nor_a_name_is_refused_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let connect = |net: &mut Net, to: &str| net.connect(to, recorder("-", &log)).map(|s| s.id());
    let error = connect(reactor.net(), "127.1:80").unwrap_err();
    assert_eq!(error.code(), "ERR_INVALID_IP_ADDRESS");
    let error = connect(reactor.net(), "127.0.0.1:65536").unwrap_err();
    assert_eq!(error.code(), "ERR_SOCKET_BAD_PORT");
    assert!(!reactor.is_alive());
    assert_eq!(reactor.net().stats().sockets, 0);
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn r11_destroy_right_after_connect_leaves_one_close_and_asks_the_kernel_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_refusing, address) = refusing(); // its error must not be told either
    let mut socket = reactor
        .net()
        .connect(address, recorder("client", &log))
        .unwrap();
    socket.write(b"never sent");
    socket.destroy();
    turn_until_line(&mut reactor, &log, "client close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("client"), ["close false"]);
    assert_eq!(reactor.net().stats().syscalls.connect, 0);
    assert_eq!(reactor.net().stats().sockets, 0);
}

#[test]
fn r11_destroy_when_the_attempt_is_told_prevents_it() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_refusing, address) = refusing();
    let client = reacting("client", &log, |socket, event| {
        if let Event::ConnectionAttempt(_) = event {
            socket.destroy();
        }
    });
    reactor.net().connect(address, client).unwrap();
    turn_until_line(&mut reactor, &log, "client close false");
    turn_until_quiet(&mut reactor);
    let attempt = format!("attempt {address}");
    assert_eq!(log.of("client"), [&attempt, "close false"]);
    assert_eq!(reactor.net().stats().syscalls.connect, 0);
}

#[test]
fn r11_destroy_while_the_peer_does_not_answer_closes_the_descriptor() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_kept, address) = unanswering();
    let socket = reactor
        .net()
        .connect(address, recorder("client", &log))
        .unwrap();
    let id = socket.id();
    turn_until_quiet(&mut reactor);
    let mut socket = reactor.net().socket(id).unwrap();
    assert!(socket.connecting(), "the peer was to be silent");
    socket.destroy();
    turn_until_line(&mut reactor, &log, "client close false");
    turn_until_quiet(&mut reactor);
    let attempt = format!("attempt {address}");
    assert_eq!(log.of("client"), [&attempt, "close false"]);
    assert_eq!(reactor.net().stats().syscalls.close, 1);
}

#[test]
fn r11_destroy_wins_over_a_connection_that_stands_but_was_not_told_yet() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let socket = reactor
        .net()
        .connect(address, recorder("client", &log))
        .unwrap();
    let id = socket.id();
    // The attempt begins at the end of this turn; the handshake is over when `accept` returns.
    reactor.turn(Some(Duration::ZERO)).unwrap();
    let _peer = listener.accept().unwrap();
    reactor.net().socket(id).unwrap().destroy();
    turn_until_line(&mut reactor, &log, "client close false");
    turn_until_quiet(&mut reactor);
    let attempt = format!("attempt {address}");
    assert_eq!(log.of("client"), [&attempt, "close false"]);
}

#[test]
fn r12_a_failed_connect_tells_attempt_failure_error_and_close_and_the_error_tells_what_failed() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_refusing, address) = refusing();
    let told = Rc::new(RefCell::new(None));
    let kept = told.clone();
    let client = reacting("client", &log, move |_, event| {
        if let Event::Error(error) = event {
            *kept.borrow_mut() = Some(error.clone());
        }
    });
    reactor.net().connect(address, client).unwrap();
    turn_until_line(&mut reactor, &log, "client close true");
    turn_until_quiet(&mut reactor);
    let attempt = format!("attempt {address}");
    let failed = format!("attempt failed {address} ECONNREFUSED");
    assert_eq!(
        log.of("client"),
        [&attempt, &failed, "error ECONNREFUSED", "close true"]
    );
    let error = told.take().unwrap();
    assert_eq!(error.code(), "ECONNREFUSED");
    assert_eq!(error.errno(), Some(libc::ECONNREFUSED)); // positive here, negative in Node
    assert_eq!(error.syscall(), Some("connect"));
    assert_eq!(error.address().unwrap(), address);
    assert_eq!(
        error.to_string(),
        format!("connect ECONNREFUSED 127.0.0.1:{}", address.port())
    );
}

#[test]
fn r14_pause_called_before_the_connection_stands_holds_when_it_does() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = greeting(&mut reactor);
    let client = recorder("client", &log);
    let mut socket = reactor.net().connect(address, client).unwrap();
    socket.pause();
    let id = socket.id();
    turn_until_line(&mut reactor, &log, "client ready");
    turn_until_quiet(&mut reactor);
    assert_eq!(&log.of("client")[1..], ["connect", "ready"]);
    let mut socket = reactor.net().socket(id).unwrap();
    assert!(socket.is_paused());
    assert_eq!(socket.bytes_read(), 0);
    socket.resume();
    turn_until_line(&mut reactor, &log, "client data 2");
}

#[test]
fn r14_a_type_of_service_set_in_a_race_of_addresses_is_the_winners() {
    let mut reactor = Reactor::new().unwrap();
    let address = greeting(&mut reactor);
    let (here, other) = (
        Ipv4Addr::LOCALHOST.into(),
        Ipv4Addr::new(127, 0, 0, 2).into(),
    );
    let to = ConnectOptions::from(("several.example", address.port()))
        .resolver(answering(&[here, other]));
    let log = Log::new();
    let socket = reactor.net().connect(to, recorder("us", &log)).unwrap();
    let us = socket.id();
    turn_until(&mut reactor, |_| log.has(&format!("us attempt {address}")));
    // Begun, and not through before the next poll.
    at(&mut reactor, us).set_type_of_service(0x20);
    turn_until_line(&mut reactor, &log, "us connect");
    assert_eq!(at(&mut reactor, us).type_of_service(), Some(0x20));
}

#[test]
fn r14_a_timeout_of_the_options_counts_from_connect_and_shows_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_kept, address) = unanswering();
    let options = ConnectOptions::from(address).timeout(Duration::from_millis(10));
    let client = reacting("client", &log, |socket, event| {
        if let Event::Timeout = event {
            socket.destroy();
        }
    });
    let socket = reactor.net().connect(options, client).unwrap();
    assert_eq!(socket.timeout(), Some(Duration::from_millis(10)));
    turn_until_line(&mut reactor, &log, "client close false");
    log.assert_order(&["client timeout", "client close false"]);
    assert_eq!(reactor.next_timeout(), None);
}

/// Connects again, as a new socket, each time it is closed: what Node does with one object.
#[derive(Default)]
struct Reconnecting {
    log: Log,
    lives: u32,
    to: Option<SocketAddr>,
    ids: Rc<RefCell<Vec<SocketId>>>,
}

impl Handler for Reconnecting {
    fn on_event(&mut self, socket: &mut Socket<'_>, event: Event<'_>) {
        let counters = (socket.bytes_read(), socket.bytes_written());
        self.log.push(format!("{} {counters:?}", describe(&event)));
        event.hand_on(self, socket);
    }
    fn on_connect(&mut self, socket: &mut Socket<'_>) {
        socket.end_with(b"hello");
    }
    fn on_data(&mut self, _: &mut Socket<'_>, _: &[u8]) {}
    fn on_close(&mut self, socket: &mut Socket<'_>, _: bool) {
        self.ids.borrow_mut().push(socket.id());
        let mut next = std::mem::take(self); // a handler may be moved into the new socket
        if next.lives > 0 {
            next.lives -= 1;
            let to = next.to.unwrap();
            socket.net().connect(to, next).unwrap();
        }
    }
}

#[test]
fn r15_from_close_a_handler_may_connect_again_as_a_new_socket_that_starts_afresh() {
    let mut reactor = Reactor::new().unwrap();
    let (log, ids) = (Log::new(), Rc::new(RefCell::new(Vec::new())));
    let address = greeting(&mut reactor);
    let client = Reconnecting {
        log: log.clone(),
        lives: 2,
        to: Some(address),
        ids: ids.clone(),
    };
    reactor.net().connect(address, client).unwrap();
    turn_until_lines(&mut reactor, &log, "close false (2, 5)", 3);
    turn_until_quiet(&mut reactor);
    let connects = log.count("connect (0, 0)");
    assert_eq!(connects, 3, "counters go on: {log:?}");
    assert_eq!(
        log.lines()
            .iter()
            .filter(|l| l.starts_with("close"))
            .count(),
        3
    );
    let ids = ids.borrow();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    for id in ids.iter() {
        assert!(reactor.net().socket(*id).is_none(), "a closed id finds one");
    }
}

#[test]
fn r15_from_a_failed_connect_too() {
    let mut reactor = Reactor::new().unwrap();
    let (log, ids) = (Log::new(), Rc::new(RefCell::new(Vec::new())));
    let (_refusing, address) = refusing();
    let client = Reconnecting {
        log: log.clone(),
        lives: 1,
        to: Some(address),
        ids: ids.clone(),
    };
    reactor.net().connect(address, client).unwrap();
    run_to_its_end(&mut reactor);
    let attempt = format!("attempt {address} (0, 0)");
    let failed = format!("attempt failed {address} ECONNREFUSED (0, 0)");
    let once = [
        &attempt,
        &failed,
        "error ECONNREFUSED (0, 0)",
        "close true (0, 0)",
    ];
    assert_eq!(log.lines(), [once, once].concat());
    assert_eq!(ids.borrow().len(), 2);
}

#[test]
fn r15_connecting_again_works_from_error_as_well_and_the_old_socket_still_tells_its_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_refusing, nobody) = refusing();
    let address = greeting(&mut reactor);
    let (second, once) = (log.clone(), Cell::new(true));
    let first = reacting("first", &log, move |socket, event| {
        if matches!(event, Event::Error(_)) && once.take() {
            let handler = recorder("second", &second);
            socket.net().connect(address, handler).unwrap();
        }
    });
    reactor.net().connect(nobody, first).unwrap();
    turn_until_line(&mut reactor, &log, "second data 2");
    log.assert_order(&[
        "first error ECONNREFUSED",
        "first close true",
        "second connect",
    ]);
    assert_eq!(log.count("first close true"), 1);
}

/// Fails to connect to `address` because of `list`, and gives what was told.
fn blocked(address: SocketAddr, list: &BlockList) -> Vec<String> {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let options = ConnectOptions::from(address).block_list(list);
    let client = recorder("client", &log);
    let mut socket = reactor.net().connect(options, client).unwrap();
    socket.write_then(b"x", completion("client write", &log));
    run_to_its_end(&mut reactor);
    let stats = reactor.net().stats();
    assert_eq!((stats.blocked, stats.syscalls.connect), (1, 0));
    log.of("client")
}

#[test]
fn r16_a_blocked_address_is_told_as_an_attempt_and_an_error_and_the_kernel_is_not_asked() {
    let (_kept, address) = refusing();
    let list = BlockList::new();
    list.add_address(address.ip());
    let told = [
        &format!("attempt {address}"),
        "error ERR_IP_BLOCKED",
        "close true",
        "write ERR_SOCKET_CLOSED_BEFORE_CONNECTION", // with its close, as of any (R44)
    ];
    assert_eq!(blocked(address, &list), told);
}

#[test]
fn r16_the_error_says_which_address_is_blocked() {
    let mut reactor = Reactor::new().unwrap();
    let list = BlockList::new();
    list.add_cidrs(BlockList::PRIVATE_RANGES).unwrap();
    let told = Rc::new(RefCell::new(None));
    let seen = told.clone();
    let options = ConnectOptions::from("127.0.0.1:80").block_list(&list);
    let client = handler_fn(move |socket: &mut Socket<'_>, event| {
        if let Event::Error(error) = event {
            assert!(socket.destroyed());
            *seen.borrow_mut() = Some(error.clone());
        }
    });
    reactor.net().connect(options, client).unwrap();
    run_to_its_end(&mut reactor);
    let error = told.take().unwrap();
    assert_eq!(error.code(), "ERR_IP_BLOCKED");
    let words = "IP(127.0.0.1) is blocked by net.BlockList";
    assert_eq!(error.to_string(), words);
    assert!(!error.is_misuse());
}

#[test]
fn r16_an_ipv4_rule_blocks_the_mapped_ipv6_address_and_the_other_way_round() {
    let v4 = BlockList::new();
    v4.add_cidr("127.0.0.0/8").unwrap();
    let mapped: SocketAddr = "[::ffff:127.0.0.1]:80".parse().unwrap();
    assert!(blocked(mapped, &v4).contains(&"error ERR_IP_BLOCKED".into()));
    let v6 = BlockList::new();
    v6.add_address(mapped.ip());
    let plain = SocketAddr::from(([127, 0, 0, 1], 80));
    assert!(blocked(plain, &v6).contains(&"error ERR_IP_BLOCKED".into()));
}

#[test]
fn r16_a_rule_counts_from_when_it_is_added_even_in_the_attempt() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = greeting(&mut reactor);
    let list = BlockList::new();
    let options = || ConnectOptions::from(address).block_list(&list);
    let first = recorder("first", &log);
    reactor.net().connect(options(), first).unwrap();
    turn_until_line(&mut reactor, &log, "first data 2");

    let same = list.clone();
    let second = reacting("second", &log, move |_, event| {
        if let Event::ConnectionAttempt(address) = event {
            same.add_address(address.ip().unwrap());
        }
    });
    reactor.net().connect(options(), second).unwrap();
    turn_until_line(&mut reactor, &log, "second close true");
    let attempt = format!("attempt {address}");
    let told = [&attempt, "error ERR_IP_BLOCKED", "close true"];
    assert_eq!(log.of("second"), told);
}
