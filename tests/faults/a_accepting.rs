//! Group A: listening and accepting (A1, A5 to A10, A12, A13).
//!
//! A2 to A4, A14 and A15 are errnos that the kernel does not give on demand: they stand on the
//! scripted kernel.

use crate::apart::*;
use crate::crowd::ROOM;
use crate::support::*;
use netloop::{
    Acceptor, Dropped, Error, Handler, ListenOptions, Net, OutOfDescriptors, Reactor, Server,
    Socket,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Writes all events of a server to the log, its sockets' too.
struct Gate(Log);

impl Acceptor for Gate {
    fn on_connection(&mut self, _: &mut Socket<'_>) -> Box<dyn Handler> {
        self.0.push("server connection");
        Box::new(recorder("socket", &self.0))
    }
    fn on_listening(&mut self, _: &mut Server<'_>) {
        self.0.push("server listening");
    }
    fn on_drop(&mut self, server: &mut Server<'_>, dropped: &Dropped) {
        assert_eq!(dropped.local, server.address());
        self.0.push("server drop");
    }
    fn on_error(&mut self, server: &mut Server<'_>, error: &Error) {
        assert!(server.listening());
        self.0.push(format!("server error {}", error.code()));
    }
    fn on_close(&mut self, _: &mut Server<'_>) {
        self.0.push("server close");
    }
}

/// A plain peer sees that it was turned away: an end or a reset, nothing else.
#[track_caller]
fn assert_turned_away(peer: &mut TcpStream) {
    match uninterrupted(|| peer.read(&mut [0; 8])) {
        Ok(0) => {}
        Ok(bytes) => panic!("{bytes} bytes"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

/// A server without descriptors: `peers` wait in its backlog, `spare` were left to take them with.
struct Starved {
    reactor: Reactor,
    log: Log,
    peers: Vec<TcpStream>,
    taken: Vec<std::fs::File>,
}

fn starved(peers: usize, spare: usize, policy: OutOfDescriptors) -> Starved {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let options = ListenOptions::from("127.0.0.1:0").when_out_of_descriptors(policy);
    let server = reactor.net().listen_with(options, Gate(log.clone()));
    let address = inet(server.unwrap().address().unwrap());
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["server listening"]);
    log.clear();
    let peers = (0..peers).map(|_| plain_peer(address)).collect();
    let taken = take_all_descriptors_but(spare);
    Starved {
        reactor,
        log,
        peers,
        taken,
    }
}

#[test]
fn a1_out_of_descriptors_the_server_sleeps_and_recovers_by_its_timer_alone() {
    let name =
        "a_accepting::a1_out_of_descriptors_the_server_sleeps_and_recovers_by_its_timer_alone";
    apart(name, "ulimit -S -n 64 && exec", || {
        let Starved {
            mut reactor,
            log,
            peers,
            taken,
        } = starved(8, 3, OutOfDescriptors::Pause);
        turn_until_quiet(&mut reactor);
        assert_eq!(log.count("server connection"), 3);
        assert_eq!(log.count("server error EMFILE"), 1);

        // Starved, the loop wakes for its retry only, and tells nothing twice.
        let turns = 3;
        let (before, started) = (reactor.net().stats(), Instant::now());
        for _ in 0..turns {
            reactor.turn(Some(PATIENCE)).unwrap();
        }
        let (after, took) = (reactor.net().stats(), started.elapsed());
        assert!(
            took.as_millis() * 20 >= turns * 1000,
            "{turns} turns in {took:?}"
        );
        assert!(after.syscalls.accept - before.syscalls.accept <= turns as u64);
        assert_eq!(log.count("server error EMFILE"), 1);

        // Descriptors come back that the loop knows nothing of, and nobody connects.
        drop(taken);
        let events = reactor.net().stats().events;
        reactor.turn(Some(PATIENCE)).unwrap();
        assert_eq!(log.count("server connection"), peers.len());
        assert_eq!(reactor.net().stats().events, events);
        assert_eq!(reactor.net().stats().starved, 1);

        // Nothing is left of the episode: the loop sleeps, and the next one is told again.
        turn_until_quiet(&mut reactor);
        assert_eq!(reactor.next_timeout(), None);
        let address = peers[0].peer_addr().unwrap();
        let _late = plain_peer(address);
        let _taken = take_all_descriptors_but(0);
        turn_until_line(&mut reactor, &log, "server error EMFILE");
        turn_until_quiet(&mut reactor);
        assert_eq!(log.count("server error EMFILE"), 2);
        assert_eq!(reactor.net().stats().starved, 2);
    });
}

#[test]
fn a1_out_of_descriptors_a_close_of_ours_lets_the_next_peer_in_at_once() {
    let name = "a_accepting::a1_out_of_descriptors_a_close_of_ours_lets_the_next_peer_in_at_once";
    apart(name, "ulimit -S -n 64 && exec", || {
        let Starved {
            mut reactor,
            log,
            mut peers,
            taken,
        } = starved(5, 2, OutOfDescriptors::Pause);
        turn_until_quiet(&mut reactor);
        assert_eq!(log.count("server connection"), 2);

        // The peers that are served leave one after the other; the loop never sleeps in between.
        for served in 3..=5 {
            let gone = peers.remove(0);
            gone.shutdown(Shutdown::Write).unwrap();
            turn_until_line(&mut reactor, &log, "socket close false");
            log.assert_order(&["socket end", "socket close false"]);
            let accepted = reactor.net().stats().accepted;
            assert!(accepted == served || reactor.next_timeout() == Some(Duration::ZERO));
            reactor.turn(Some(Duration::ZERO)).unwrap();
            assert_eq!(reactor.net().stats().accepted, served);
            log.clear();
            // Its own descriptor stays taken, so that only ours came free.
            std::mem::forget(gone);
        }
        drop(taken);
    });
}

#[test]
fn a1_with_a_spare_descriptor_peers_are_turned_away_at_once_and_the_served_live_on() {
    let name = "a_accepting::a1_with_a_spare_descriptor_peers_are_turned_away_at_once_and_the_served_live_on";
    apart(name, "ulimit -S -n 64 && exec", || {
        let Starved {
            mut reactor,
            log,
            mut peers,
            taken,
        } = starved(6, 2, OutOfDescriptors::Shed);
        turn_until_quiet(&mut reactor);
        assert_eq!(log.count("server connection"), 2);
        assert_eq!(log.count("server error EMFILE"), 1);
        assert_eq!(reactor.net().stats().shed, 4);
        for peer in &mut peers[2..] {
            assert_turned_away(peer);
        }
        peers[0].write_all(b"alive").unwrap();
        turn_until_line(&mut reactor, &log, "socket data 5");
        drop(taken);
        let _next = plain_peer(peers[0].peer_addr().unwrap());
        turn_until(&mut reactor, |net| net.stats().accepted == 3);
    });
}

#[test]
fn a5_a_backlog_of_1200_is_accepted_from_one_edge_while_others_are_served() {
    let name =
        "a_accepting::a5_a_backlog_of_1200_is_accepted_from_one_edge_while_others_are_served";
    apart(name, ROOM, || {
        const WAITING: u64 = 1200;
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (_, mut pinger) = accepted(&mut reactor, recorder("pinged", &log));
        let options = ListenOptions::from("127.0.0.1:0").backlog(2048);
        let server = reactor
            .net()
            .listen(options, |_| netloop::handler_fn(|_, _| ()));
        let address = inet(server.unwrap().address().unwrap());
        turn_until_quiet(&mut reactor);
        let _peers: Vec<_> = (0..WAITING).map(|_| plain_peer(address)).collect();

        let before = reactor.net().stats();
        let mut pings = 0;
        while reactor.net().stats().accepted - before.accepted < WAITING {
            pinger.write_all(b"x").unwrap();
            pings += 1;
            let accepted = reactor.net().stats().accepted;
            reactor.turn(Some(Duration::ZERO)).unwrap();
            let batch = reactor.net().stats().accepted - accepted;
            assert!((1..=16).contains(&batch), "{batch} in one turn");
            assert_eq!(
                log.count("pinged data 1"),
                pings,
                "not starved by the accepts"
            );
        }
        // One event for each ping, and a single one for the whole backlog.
        let events = reactor.net().stats().events - before.events;
        assert_eq!(events, pings as u64 + 1);
    });
}

#[test]
fn a6_a_peer_that_resets_before_accept_is_told_with_its_address_and_then_its_error() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let from = log.clone();
    let address = listen(&mut reactor, move |socket| {
        from.push(format!("from {:?}", socket.remote_port()));
        recorder("socket", &from)
    });
    let (early, calm) = (plain_peer(address), plain_peer(address));
    let (early_port, calm_port) = (
        early.local_addr().unwrap().port(),
        calm.local_addr().unwrap().port(),
    );
    reset(early);
    turn_until_line(&mut reactor, &log, "socket close true");
    turn_until_quiet(&mut reactor);
    let from = |port: u16| format!("from {:?}", Some(port));
    log.assert_order(&[&from(early_port), &from(calm_port)]);
    assert_eq!(log.of("socket"), ["error ECONNRESET", "close true"]);
}

#[test]
fn a7_data_and_fin_that_came_before_accept_are_told_in_order() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let address = listen(&mut reactor, move |_| {
        told.push("accepted");
        recorder("socket", &told)
    });
    let mut peer = plain_peer(address);
    peer.write_all(b"hello").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "socket close false");
    log.assert_order(&["accepted", "socket data 5"]);
    assert_eq!(log.of("socket"), ["data 5", "end", "finish", "close false"]);
    assert_eq!(uninterrupted(|| peer.read(&mut [0; 8])).unwrap(), 0);
}

#[test]
fn a8_close_with_peers_in_the_backlog_resets_them_and_announces_nobody() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let server = reactor
        .net()
        .listen_with("127.0.0.1:0", Gate(log.clone()))
        .unwrap();
    let (id, address) = (server.id(), inet(server.address().unwrap()));
    turn_until_quiet(&mut reactor);
    let mut waiting: Vec<_> = (0..5).map(|_| plain_peer(address)).collect();
    let mut server = reactor.net().server(id).unwrap();
    server.close().unwrap();
    assert_eq!((server.listening(), server.address()), (false, None));
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["server listening", "server close"]);
    for peer in &mut waiting {
        let error = uninterrupted(|| peer.read(&mut [0; 8])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert!(reactor.net().server(id).is_none());
}

#[test]
fn a8_close_from_a_connection_callback_stops_the_batch_and_waits_for_the_last_socket() {
    /// Closes its server at the second connection.
    struct Closing(Log, usize);
    impl Acceptor for Closing {
        fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler> {
            self.1 += 1;
            self.0.push("server connection");
            if self.1 == 2 {
                let server = socket.server().unwrap();
                socket.net().server(server).unwrap().close().unwrap();
            }
            Box::new(recorder("socket", &self.0))
        }
        fn on_close(&mut self, server: &mut Server<'_>) {
            assert_eq!(server.connections(), 0);
            self.0.push("server close");
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let server = reactor
        .net()
        .listen_with("127.0.0.1:0", Closing(log.clone(), 0))
        .unwrap();
    let address = inet(server.address().unwrap());
    let mut peers: Vec<_> = (0..5).map(|_| plain_peer(address)).collect();
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["server connection", "server connection"]);

    drop(peers.remove(0));
    turn_until_line(&mut reactor, &log, "socket close false");
    assert!(!log.has("server close"), "one is left: {log:?}");
    drop(peers.remove(0));
    turn_until_line(&mut reactor, &log, "server close");
    turn_until_quiet(&mut reactor);
    // R100: the server's own close stands before that of its last socket.
    let lines = log.lines();
    assert_eq!(
        lines[lines.len() - 2..],
        ["server close", "socket close false"]
    );
    assert_eq!(log.count("socket close false"), 2);
    assert_eq!(log.count("server connection"), 2);
    for peer in &mut peers {
        let error = uninterrupted(|| peer.read(&mut [0; 8])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a9_at_the_limit_peers_are_dropped_and_a_freed_place_is_free_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let options = ListenOptions::from("127.0.0.1:0").max_connections(2);
    let server = reactor
        .net()
        .listen_with(options, Gate(log.clone()))
        .unwrap();
    let (id, address) = (server.id(), inet(server.address().unwrap()));
    let connections = |net: &mut Net| net.server(id).unwrap().connections();

    turn_until_quiet(&mut reactor);
    log.clear();
    let mut peers: Vec<_> = (0..3).map(|_| plain_peer(address)).collect();
    turn_until_quiet(&mut reactor);
    let expected = ["server connection", "server connection", "server drop"];
    assert_eq!(log.lines(), expected);
    assert_turned_away(&mut peers[2]);
    assert_eq!(connections(reactor.net()), 2);

    // A place is free as soon as its socket is destroyed, and the next peer gets it.
    drop(peers.remove(0));
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(connections(reactor.net()), 1);
    let _third = plain_peer(address);
    turn_until_lines(&mut reactor, &log, "server connection", 3);
    assert_eq!(connections(reactor.net()), 2);

    // None at all: nobody comes in; no limit: everybody does.
    reactor
        .net()
        .server(id)
        .unwrap()
        .set_max_connections(Some(0));
    assert_turned_away_while_turning(&mut reactor, &mut plain_peer(address));
    assert_eq!(log.count("server drop"), 2);
    assert_eq!(connections(reactor.net()), 2, "those that are open stay");
    reactor.net().server(id).unwrap().set_max_connections(None);
    let _fourth = plain_peer(address);
    turn_until_lines(&mut reactor, &log, "server connection", 4);
    assert_eq!(reactor.net().stats().dropped, 2);
}

#[track_caller]
fn assert_turned_away_while_turning(reactor: &mut Reactor, peer: &mut TcpStream) {
    match read_while_turning(reactor, peer, 1) {
        Ok(bytes) => assert!(bytes.is_empty()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn a10_a_port_with_a_live_listener_is_refused_at_once_and_leaves_nothing_behind() {
    // Another form in Rust: what is known at once is returned at once.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = listen(&mut reactor, |_| netloop::handler_fn(|_, _| ()));
    turn_until_quiet(&mut reactor);
    let error = reactor
        .net()
        .listen_with(address, Gate(log.clone()))
        .unwrap_err();
    assert_eq!(error.code(), "EADDRINUSE");
    assert_eq!(error.syscall(), Some("listen"));
    assert_eq!(error.address().map(inet), Some(address));
    assert_eq!(reactor.net().stats().servers, 1);
    turn_until_quiet(&mut reactor);
    assert!(log.lines().is_empty(), "{log:?}");
    let _peer = plain_peer(address);
    turn_until(&mut reactor, |net| net.stats().accepted == 1);
}

#[test]
fn a10_a_port_with_nothing_but_time_wait_is_taken() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    // An address of its own, so that no other test is given the port in between.
    let server = reactor.net().listen("127.0.0.10:0", {
        let log = log.clone();
        move |socket| {
            socket.end(); // ours is the first FIN, so TIME_WAIT is ours too
            recorder("socket", &log)
        }
    });
    let server = server.unwrap();
    let (id, address) = (server.id(), inet(server.address().unwrap()));
    let mut peer = plain_peer(address);
    let got = read_while_turning(&mut reactor, &mut peer, 1).unwrap();
    assert!(got.is_empty());
    drop(peer);
    turn_until_line(&mut reactor, &log, "socket close false");
    reactor.net().server(id).unwrap().close().unwrap();
    turn_until_quiet(&mut reactor);

    let again = reactor
        .net()
        .listen(address, |_| netloop::handler_fn(|_, _| ()))
        .unwrap();
    assert_eq!(again.address().map(inet), Some(address));
}

#[test]
fn a12_every_method_of_a_server_answers_in_every_state() {
    // To listen twice is no state that a type of ours has: each `listen` is a server of its own.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let options = ListenOptions::from("127.0.0.1:0");
    let server = reactor
        .net()
        .listen_with(options, Gate(log.clone()))
        .unwrap();
    let (id, address) = (server.id(), inet(server.address().unwrap()));
    let _peer = plain_peer(address);
    turn_until_line(&mut reactor, &log, "server connection");
    let mut server = reactor.net().server(id).unwrap();
    server.unref();
    server.unref();
    server.r#ref();
    server.close().unwrap();
    for _ in 0..2 {
        let error = server.close().unwrap_err();
        assert_eq!(error.code(), "ERR_SERVER_NOT_RUNNING");
        server.unref();
        server.r#ref();
        server.set_max_connections(Some(1));
        assert_eq!((server.listening(), server.connections()), (false, 1));
        assert_eq!(
            (server.address(), server.max_connections()),
            (None, Some(1))
        );
    }
    drop(_peer);
    turn_until_line(&mut reactor, &log, "server close");
    turn_until_quiet(&mut reactor);
    assert!(reactor.net().server(id).is_none());
    assert_eq!(log.count("server close"), 1);
    assert!(!reactor.is_alive());
}

#[test]
fn a12_a_server_closed_before_its_first_turn_tells_close_and_nothing_else() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    reactor
        .net()
        .listen_with("127.0.0.1:0", Gate(log.clone()))
        .unwrap()
        .close()
        .unwrap();
    assert!(reactor.is_alive(), "close is still to be told");
    reactor.run().unwrap();
    assert_eq!(log.lines(), ["server close"]);
}

#[test]
fn a13_the_backlog_is_the_one_that_was_asked_for() {
    for backlog in [1, 5] {
        let mut reactor = Reactor::new().unwrap();
        let mut clients = Reactor::new().unwrap();
        let log = Log::new();
        let options = ListenOptions::from("127.0.0.1:0").backlog(backlog);
        let server = reactor
            .net()
            .listen_with(options, Gate(log.clone()))
            .unwrap();
        let address = inet(server.address().unwrap());
        turn_until_quiet(&mut reactor);
        for _ in 0..10 {
            clients
                .net()
                .connect(address, recorder("client", &log))
                .unwrap();
        }
        // Linux keeps one more than the number; it leaves the others without an answer, and their
        // next try is a second away.
        turn_until_quiet(&mut clients);
        let connected = backlog as usize + 1;
        assert_eq!(log.count("client connect"), connected);
        turn_until_quiet(&mut reactor);
        assert_eq!(log.count("server connection"), connected);
        let waiting = |net: &mut Net| net.stats().sockets;
        assert_eq!(waiting(clients.net()), 10, "the others go on trying");
    }
}

#[test]
fn a6_what_a_peer_sent_before_it_reset_is_told_before_its_error() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let address = listen(&mut reactor, move |_| recorder("socket", &told));
    let mut peer = plain_peer(address);
    peer.write_all(b"hello").unwrap();
    reset(peer);
    turn_until_line(&mut reactor, &log, "socket close true");
    assert_eq!(
        log.lines(),
        [
            "socket data 5",
            "socket error ECONNRESET",
            "socket close true"
        ]
    );
}
