//! Group A: callback discipline (R1 to R3).
//!
//! Node's exceptions to R1, a resolver that answers at once and the attempts of Unix sockets, come
//! with names and with Unix sockets.

use crate::support::*;
use netloop::{
    Acceptor, Address, ConnectOptions, Dropped, Error, Event, Handler, ListenOptions, Reactor,
    Server, Socket,
};
use std::cell::Cell;
use std::io::Write;
use std::net::{Shutdown, TcpListener};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn r1_no_handler_runs_inside_the_call_that_causes_it() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let inside = Rc::new(Cell::new(false));
    let (checked, busy) = (log.clone(), inside.clone());
    let watch = move |_: &mut Socket<'_>, event: Event<'_>| {
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

/// Node's `getConnections` answers later; here it answers at once and calls nobody.
#[test]
fn r1_listen_connect_and_close_report_later() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let server = Doorkeeper::of(&log);
    let server = reactor.net().listen_with("127.0.0.1:0", server).unwrap();
    let (id, address) = (server.id(), server.address().unwrap());
    assert_eq!(server.connections(), 0);
    let handler = recorder("client", &log);
    let client = reactor.net().connect(address, handler).unwrap().id();
    assert!(log.lines().is_empty(), "{log:?}");
    turn_until_line(&mut reactor, &log, "client ready");
    turn_until_line(&mut reactor, &log, "server connection");
    assert_eq!(log.of("server"), ["listening", "connection"]);

    log.clear();
    reactor.net().server(id).unwrap().close().unwrap();
    reactor.net().socket(client).unwrap().destroy();
    assert!(log.lines().is_empty(), "{log:?}");
    turn_until_line(&mut reactor, &log, "client close false");
    turn_until_line(&mut reactor, &log, "server close");
}

#[test]
fn r1_a_failed_connect_reports_later() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_holder, address) = refusing();
    let handler = recorder("client", &log);
    reactor.net().connect(address, handler).unwrap();
    assert!(log.lines().is_empty(), "{log:?}");
    turn_until_line(&mut reactor, &log, "client close true");
}

/// One deed to do to a socket inside of one of its events.
type Deed = (&'static str, fn(&mut Socket<'_>));

const DEEDS: &[Deed] = &[
    ("write", |socket| {
        socket.write(b"from inside");
    }),
    ("write much", |socket| {
        socket.write(&[7; 100_000]);
    }),
    ("write_bytes", |socket| {
        socket.write_bytes("from inside".into());
    }),
    ("write_then", |socket| {
        socket.write_then(b"from inside", |net, _| net.set_immediate(|_| ()));
    }),
    ("write nothing", |socket| {
        socket.write(b"");
    }),
    ("end", |socket| socket.end()),
    ("end_with", |socket| socket.end_with(b"from inside")),
    ("end, then write", |socket| {
        socket.end();
        socket.write(b"too late");
    }),
    ("cork", |socket| socket.cork()),
    ("uncork", |socket| socket.uncork()),
    ("pause", |socket| socket.pause()),
    ("resume", |socket| socket.resume()),
    ("unread", |socket| socket.unread(b"once more")),
    ("destroy", |socket| socket.destroy()),
    ("destroy twice", |socket| {
        socket.destroy();
        socket.destroy_with(Error::other("too late"));
    }),
    ("destroy_with", |socket| {
        socket.destroy_with(Error::other("enough"));
    }),
    ("destroy_soon", |socket| socket.destroy_soon()),
    ("reset_and_destroy", |socket| socket.reset_and_destroy()),
    ("set_timeout", |socket| {
        socket.set_timeout(Duration::from_secs(3600));
        socket.set_timeout(Duration::ZERO);
    }),
    ("settings", |socket| {
        socket.set_no_delay(true);
        socket.set_keep_alive(true, Duration::from_secs(60));
        socket.unref();
        socket.r#ref();
    }),
    ("getters", |socket| {
        socket.address();
        socket.peer_address();
        socket.ready_state();
        socket.errored();
        socket.server();
        let _ = format!("{socket:?}");
    }),
    ("stop", |socket| socket.net().stop()),
];

const EVENTS: [&str; 10] = [
    "attempt", "connect", "ready", "drain", "data", "timeout", "end", "finish", "error", "close",
];

/// Every deed in every event. Whatever it leads to: no handler inside another, at most one error,
/// and one close, last.
#[test]
fn r2_inside_any_event_every_method_may_be_called() {
    let mut reactor = Reactor::new().unwrap();
    for event in EVENTS {
        for &(name, deed) in DEEDS {
            do_inside(&mut reactor, event, name, deed);
        }
    }
    assert_eq!(reactor.net().stats().sockets, 0);
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

fn do_inside(reactor: &mut Reactor, inside: &'static str, name: &str, deed: fn(&mut Socket<'_>)) {
    let what = format!("{name} in {inside}");
    let log = Log::new();
    let done = Rc::new(Cell::new(false));
    let (did, depth) = (done.clone(), Cell::new(0));
    let handler = reacting("client", &log, move |socket, event| {
        depth.set(depth.get() + 1);
        assert_eq!(depth.get(), 1, "a handler inside a handler");
        let is_due = describe(&event).split(' ').next() == Some(inside);
        if is_due && !did.replace(true) {
            deed(socket);
        } else {
            lead_on(inside, socket, event);
        }
        depth.set(depth.get() - 1);
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = ConnectOptions::from(listener.local_addr().unwrap()).high_water_mark(0);
    let mut socket = reactor.net().connect(options, handler).unwrap();
    assert!(!socket.write(b"before connect"), "{what}: so drain follows");
    let id = socket.id();
    turn_until(reactor, |net| {
        done.get() || net.socket(id).is_none_or(|s| !s.connecting())
    });
    let mut peer = None; // open until the end, for unread bytes would make its close a reset
    if let "data" | "end" | "finish" = inside {
        let peer = &mut peer.insert(listener.accept().unwrap().0);
        peer.write_all(b"hello").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
    }
    turn_until(reactor, |_| done.get());
    turn_until_quiet(reactor);
    if let Some(mut socket) = reactor.net().socket(id) {
        socket.destroy();
    }
    turn_until(reactor, |net| net.socket(id).is_none());

    let lines = log.of("client");
    let closes = lines.iter().filter(|line| line.starts_with("close"));
    let errors = lines.iter().filter(|line| line.starts_with("error"));
    assert_eq!(closes.count(), 1, "{what}: {log:?}");
    let failed = errors.count();
    assert!(failed <= 1, "{what}: {log:?}");
    let close = format!("close {}", failed == 1);
    assert_eq!(lines.last(), Some(&close), "{what}: {log:?}");
}

/// Brings a socket nearer to the event that is wanted, for those that do not come by themselves.
fn lead_on(wanted: &str, socket: &mut Socket<'_>, event: Event<'_>) {
    match (wanted, event) {
        ("timeout", Event::Ready) => socket.set_timeout(Duration::from_millis(1)),
        ("error", Event::Ready) => socket.destroy_with(Error::other("wanted")),
        ("close", Event::Ready) => socket.destroy(),
        _ => {}
    }
}

#[test]
fn r2_connect_from_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = listen(&mut reactor, |socket| {
        socket.end();
        recorder("server", &Log::new())
    });
    let reached = log.clone();
    let handler = reacting("first", &log, move |socket, event| {
        if let Event::Close { .. } = event {
            let own = socket.id();
            let handler = recorder("second", &reached);
            let second = socket.net().connect(address, handler).unwrap().id();
            assert_ne!(own, second, "a connection has an id of its own (R15)");
        }
    });
    reactor.net().connect(address, handler).unwrap();
    turn_until_line(&mut reactor, &log, "second close false");
    let told = [
        &*format!("attempt {address}"),
        "connect",
        "ready",
        "end",
        "finish",
        "close false",
    ];
    assert_eq!(log.of("first"), told);
    assert_eq!(log.of("second"), told);
}

#[test]
fn r2_close_the_server_from_connection() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let mut server = Doorkeeper::of(&log);
    server.takes_one = true;
    let server = reactor.net().listen_with("127.0.0.1:0", server).unwrap();
    let address = inet(server.address().unwrap());
    turn_until_line(&mut reactor, &log, "server listening");
    let (first, _second) = (plain_peer(address), plain_peer(address));
    turn_until_line(&mut reactor, &log, "server connection");
    turn_until_quiet(&mut reactor);
    // The second stood in the backlog behind the first.
    assert_eq!(log.of("server"), ["listening", "connection"]);
    drop(first);
    turn_until_line(&mut reactor, &log, "server close");
    assert_eq!(log.of("server"), ["listening", "connection", "close"]);
}

/// What a call has left to tell is told before what the network brings afterwards.
#[test]
fn r87_listening_is_told_before_a_peer_that_came_in_the_meantime() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let server = Doorkeeper::of(&log);
    let server = reactor.net().listen_with("127.0.0.1:0", server).unwrap();
    let _peer = plain_peer(inet(server.address().unwrap()));
    turn_until_line(&mut reactor, &log, "server connection");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("server"), ["listening", "connection"]);
}

/// Node's `listen` from 'error' has no counterpart: what fails at once, `listen` answers.
#[test]
fn r2_listen_from_a_servers_close_at_the_same_address() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let mut server = Doorkeeper::of(&log);
    let again = log.clone();
    server.in_close = Some(Box::new(move |server, address| {
        let next = Doorkeeper::named("second", &again);
        server.net().listen_with(inet(address), next).unwrap();
    }));
    let server = reactor.net().listen_with("127.0.0.1:0", server).unwrap();
    let (id, address) = (server.id(), server.address().unwrap());
    turn_until_line(&mut reactor, &log, "server listening");
    reactor.net().server(id).unwrap().close().unwrap();
    turn_until_line(&mut reactor, &log, "second listening");
    assert_eq!(
        log.lines(),
        ["server listening", "server close", "second listening"]
    );
    let _peer = plain_peer(inet(address));
    turn_until_line(&mut reactor, &log, "second connection");
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

/// Two sockets are destroyed together: that `close` belongs to a later phase shows in that both are
/// told their errors first.
#[test]
fn r3_completions_and_errors_come_first_and_closes_in_a_later_phase() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let options = ListenOptions::from("127.0.0.1:0").pause_on_connect(true);
    let mut sockets = Vec::new();
    let mut peers = Vec::new();
    for who in ["a", "b"] {
        let (id, peer) = accepted_by(&mut reactor, options.clone(), recorder(who, &log));
        sockets.push((who, id));
        peers.push(peer);
    }
    for (who, id) in sockets {
        let mut socket = reactor.net().socket(id).unwrap();
        socket.cork(); // so that the bytes stay, to be dropped
        let told = log.clone();
        socket.write_then(b"hello", move |_, outcome| {
            told.push(format!("{who} written {}", outcome.unwrap_err().code()));
        });
        socket.destroy_with(Error::new("MINE", "enough"));
    }
    turn_until_line(&mut reactor, &log, "b close true");
    assert_eq!(
        log.lines(),
        [
            "a written MINE",
            "a error MINE",
            "b written MINE",
            "b error MINE",
            "a close true",
            "b close true",
        ]
    );
}

/// The error of the second is noted while that of the first is being told: it waits for the next
/// turn, and so has `close` to.
#[test]
fn r3_close_waits_for_an_error_that_a_neighbours_error_led_to() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (second, _second_peer) = accepted(&mut reactor, recorder("second", &log));
    let handler = reacting("first", &log, move |socket, event| {
        if let Event::Error(error) = event {
            let error = error.clone();
            let mut second = socket.net().socket(second).unwrap();
            second.destroy_with(error);
        }
    });
    let (first, _first_peer) = accepted(&mut reactor, handler);
    let mut first = reactor.net().socket(first).unwrap();
    first.destroy_with(Error::new("MINE", "enough"));
    turn_until_line(&mut reactor, &log, "second close true");
    assert_eq!(
        log.lines(),
        [
            "first error MINE",
            "first close true",
            "second error MINE",
            "second close true"
        ]
    );
}

#[test]
fn r3_a_socket_that_never_had_a_descriptor_closes_in_the_next_turn() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_holder, address) = refusing();
    let handler = recorder("client", &log);
    let mut socket = reactor.net().connect(address, handler).unwrap();
    socket.destroy();
    assert!(log.lines().is_empty(), "{log:?}");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(log.lines(), ["client close false"]);
    assert_eq!(reactor.net().stats().syscalls.connect, 0);
}

/// A server that logs what it is told.
struct Doorkeeper {
    who: &'static str,
    log: Log,
    /// Closes the server in its first connection.
    takes_one: bool,
    in_close: Option<InClose>,
    address: Option<Address>,
}

/// What to do in a server's `close`, given the address that it had.
type InClose = Box<dyn FnMut(&mut Server<'_>, Address)>;

impl Doorkeeper {
    fn of(log: &Log) -> Doorkeeper {
        Doorkeeper::named("server", log)
    }

    fn named(who: &'static str, log: &Log) -> Doorkeeper {
        Doorkeeper {
            who,
            log: log.clone(),
            takes_one: false,
            in_close: None,
            address: None,
        }
    }

    fn tell(&self, event: &str) {
        self.log.push(format!("{} {event}", self.who));
    }
}

impl Acceptor for Doorkeeper {
    fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler> {
        self.tell("connection");
        if self.takes_one {
            let server = socket.server().unwrap();
            socket.net().server(server).unwrap().close().unwrap();
        }
        Box::new(recorder("accepted", &self.log))
    }

    fn on_listening(&mut self, server: &mut Server<'_>) {
        self.tell("listening");
        self.address = server.address();
    }

    fn on_drop(&mut self, _: &mut Server<'_>, _: &Dropped) {
        self.tell("drop");
    }

    fn on_error(&mut self, _: &mut Server<'_>, error: &Error) {
        self.tell(&format!("error {}", error.code()));
    }

    fn on_close(&mut self, server: &mut Server<'_>) {
        self.tell("close");
        if let (Some(react), Some(address)) = (&mut self.in_close, self.address.take()) {
            react(server, address);
        }
    }
}
