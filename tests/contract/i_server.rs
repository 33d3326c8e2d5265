//! Group I: servers on TCP (R87 to R93, R95 to R104).
//!
//! R94 stands in `i_local`; of R93 only what holds until names are looked
//! up. What needs an errno on demand stands in `src/net/server_tests.rs`: R102, R92 on a machine
//! without IPv6, and the options of R95.

use crate::support::*;
use netloop::{
    Acceptor, Address, BlockList, Dropped, Error, Handler, ListenOptions, Net, Reactor, Server,
    ServerId, Socket, SocketId, handler_fn,
};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

/// An acceptor that logs every event of its server as `WHO EVENT`; its sockets log as `socket`.
struct Recorder {
    who: &'static str,
    log: Log,
    sockets: Rc<RefCell<Vec<SocketId>>>,
}

impl Recorder {
    fn new(who: &'static str, log: &Log) -> Recorder {
        Recorder {
            who,
            log: log.clone(),
            sockets: Rc::default(),
        }
    }

    fn say(&self, what: &str) {
        self.log.push(format!("{} {what}", self.who));
    }
}

impl Acceptor for Recorder {
    fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler> {
        self.say("connection");
        self.sockets.borrow_mut().push(socket.id());
        Box::new(recorder("socket", &self.log))
    }
    fn on_listening(&mut self, server: &mut Server<'_>) {
        assert!(server.listening());
        self.say("listening");
    }
    fn on_drop(&mut self, _: &mut Server<'_>, _: &Dropped) {
        self.say("drop");
    }
    fn on_error(&mut self, _: &mut Server<'_>, error: &Error) {
        self.say(&format!("error {}", error.code()));
    }
    fn on_close(&mut self, server: &mut Server<'_>) {
        assert_eq!(server.connections(), 0);
        self.say("close");
    }
}

/// A server on a free port that logs as `server`, and the ids of its sockets.
struct Served {
    id: ServerId,
    address: SocketAddr,
    sockets: Rc<RefCell<Vec<SocketId>>>,
}

fn serve(reactor: &mut Reactor, log: &Log, options: ListenOptions) -> Served {
    let acceptor = Recorder::new("server", log);
    let sockets = acceptor.sockets.clone();
    let server = reactor.net().listen_with(options, acceptor).unwrap();
    Served {
        id: server.id(),
        address: inet(server.address().unwrap()),
        sockets,
    }
}

fn any_port() -> ListenOptions {
    ListenOptions::from("127.0.0.1:0")
}

fn server(reactor: &mut Reactor, id: ServerId) -> Server<'_> {
    reactor.net().server(id).unwrap()
}

fn nobody() -> impl Handler {
    handler_fn(|_, _| ())
}

/// What a peer sees of a connection that was turned away or cut off: its end, or a reset; not that
/// it waits in vain.
fn sees_the_end(peer: &mut TcpStream) -> bool {
    match peer.read(&mut [0; 1]) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn r87_listen_binds_in_the_call_and_listening_is_told_later() {
    // In Rust a literal host binds at once too; only a name will have to wait for its lookup.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let served = serve(&mut reactor, &log, any_port());
    let server = server(&mut reactor, served.id);
    assert!(server.listening());
    assert_ne!(served.address.port(), 0);
    assert_eq!(served.address.ip().to_string(), "127.0.0.1");
    assert_eq!(log.lines(), [""; 0]);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(log.lines(), ["server listening"]);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["server listening"]);
}

#[test]
fn r88_a_server_closed_before_listening_was_told_is_told_only_its_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let served = serve(&mut reactor, &log, any_port());
    server(&mut reactor, served.id).close().unwrap();
    run_to_its_end(&mut reactor);
    assert_eq!(log.lines(), ["server close"]);
    assert!(reactor.net().server(served.id).is_none());
}

/// Fails to listen, leaves nothing behind, and gives the error.
fn fails_to_listen(reactor: &mut Reactor, options: impl Into<ListenOptions>) -> Error {
    let log = Log::new();
    let servers = reactor.net().stats().servers;
    let acceptor = Recorder::new("server", &log);
    let kept = Rc::downgrade(&acceptor.sockets);
    let error = reactor.net().listen_with(options, acceptor).unwrap_err();
    assert_eq!(reactor.net().stats().servers, servers);
    assert!(kept.upgrade().is_none(), "the acceptor is kept");
    turn_until_quiet(reactor);
    assert_eq!(log.lines(), [""; 0]);
    error
}

#[test]
fn r89_a_failed_bind_is_the_answer_of_listen_and_tells_what_failed() {
    // Known at once, so told at once: an `Err` instead of an event.
    let mut reactor = Reactor::new().unwrap();
    let (_kept, taken) = refusing();
    let error = fails_to_listen(&mut reactor, taken);
    assert_eq!(error.code(), "EADDRINUSE");
    assert_eq!(error.syscall(), Some("listen")); // a failed bind too
    assert_eq!(error.address().unwrap(), taken);
    assert_eq!(
        error.to_string(),
        format!("listen EADDRINUSE: address already in use {taken}")
    );
    // An address for documentation only: nobody has it, and binding sends nothing.
    let error = fails_to_listen(&mut reactor, "192.0.2.1:0");
    assert_eq!(error.code(), "EADDRNOTAVAIL");
    assert!(!reactor.is_alive());
    // The reactor is as usable as before.
    serve(&mut reactor, &Log::new(), any_port());
}

#[test]
fn r89_what_is_no_place_to_listen_is_the_answer_of_listen_as_well() {
    let mut reactor = Reactor::new().unwrap();
    for (text, code) in [
        ("127.1:0", "ERR_INVALID_IP_ADDRESS"),
        ("127.0.0.1:65536", "ERR_SOCKET_BAD_PORT"),
        ("127.0.0.1:-1", "ERR_SOCKET_BAD_PORT"),
    ] {
        assert_eq!(fails_to_listen(&mut reactor, text).code(), code, "{text}");
    }
}

#[test]
fn r90_a_port_may_be_listened_on_again_in_the_call_after_its_close() {
    // The Rust form: `listen` makes a new server each time, so there is none that listens already.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let first = serve(&mut reactor, &log, any_port());
    let error = fails_to_listen(&mut reactor, first.address);
    assert_eq!(error.code(), "EADDRINUSE");
    log.clear();

    server(&mut reactor, first.id).close().unwrap();
    let acceptor = Recorder::new("second", &log);
    let again = reactor.net().listen_with(first.address, acceptor).unwrap();
    assert_eq!(again.address().unwrap(), first.address);
    assert_ne!(again.id(), first.id);
    turn_until_quiet(&mut reactor);
    log.assert_order(&["second listening", "server close"]);
    let _peer = plain_peer(first.address);
    turn_until_line(&mut reactor, &log, "second connection");
}

/// Listens again, on the same port, from its own `close`.
struct Again {
    log: Log,
    address: Rc<Cell<Option<SocketAddr>>>,
}

impl Acceptor for Again {
    fn on_connection(&mut self, _: &mut Socket<'_>) -> Box<dyn Handler> {
        Box::new(nobody())
    }
    fn on_close(&mut self, server: &mut Server<'_>) {
        let acceptor = Recorder::new("second", &self.log);
        let address = self.address.take().unwrap();
        server.net().listen_with(address, acceptor).unwrap();
    }
}

#[test]
fn r90_listen_may_be_called_from_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = Rc::new(Cell::new(None));
    let acceptor = Again {
        log: log.clone(),
        address: address.clone(),
    };
    let mut server = reactor.net().listen_with("127.0.0.1:0", acceptor).unwrap();
    address.set(server.address().map(inet));
    server.close().unwrap();
    turn_until_line(&mut reactor, &log, "second listening");
}

#[test]
fn r91_listening_is_told_once_and_only_to_the_server_that_listens() {
    // The Rust form of a one-shot listener: the acceptor of a failed `listen` is dropped (R89), so
    // it cannot hear of a later one.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let first = serve(&mut reactor, &log, any_port());
    fails_to_listen(&mut reactor, first.address);
    let acceptor = Recorder::new("second", &log);
    reactor.net().listen_with(any_port(), acceptor).unwrap();
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["server listening", "second listening"]);
}

/// Whether this machine has IPv6, without which half of R92 can't be seen.
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

/// The peer's address as a server on any host sees it.
fn seen_from(reactor: &mut Reactor, options: ListenOptions, host: &str) -> Option<String> {
    let log = Log::new();
    let served = serve(reactor, &log, options);
    assert_eq!(served.address.ip().to_string(), "::");
    let to = SocketAddr::new(host.parse().unwrap(), served.address.port());
    let _peer = TcpStream::connect(to).ok()?;
    turn_until_line(reactor, &log, "server connection");
    let id = served.sockets.borrow()[0];
    let socket = reactor.net().socket(id).unwrap();
    Some(socket.remote_address().unwrap().to_string())
}

#[test]
fn r92_without_a_host_a_server_takes_ipv6_and_ipv4() {
    if !has_ipv6() {
        return;
    }
    let mut reactor = Reactor::new().unwrap();
    let on_any = || ListenOptions::from(0);
    let seen = |reactor: &mut Reactor, host| seen_from(reactor, on_any(), host);
    assert_eq!(seen(&mut reactor, "::1").unwrap(), "::1");
    let v4 = seen(&mut reactor, "127.0.0.1").unwrap();
    assert_eq!(v4, "::ffff:127.0.0.1");
}

#[test]
fn r92_ipv6_only_turns_ipv4_away() {
    if !has_ipv6() {
        return;
    }
    let mut reactor = Reactor::new().unwrap();
    let v6_only = || ListenOptions::from(0).ipv6_only(true);
    let seen = |reactor: &mut Reactor, host| seen_from(reactor, v6_only(), host);
    assert_eq!(seen(&mut reactor, "::1").unwrap(), "::1");
    assert_eq!(seen(&mut reactor, "127.0.0.1"), None);
}

#[test]
fn r95_a_socket_is_counted_and_knows_its_server_when_connection_is_told() {
    let mut reactor = Reactor::new().unwrap();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let kept = seen.clone();
    let options = any_port().pause_on_connect(true).high_water_mark(7);
    let server = reactor.net().listen(options, move |socket| {
        let server = socket.server().unwrap();
        let settings = (socket.is_paused(), socket.writable_high_water_mark());
        let peer = socket.peer_address().unwrap();
        let count = socket.net().server(server).unwrap().connections();
        kept.borrow_mut().push((server, count, peer, settings));
        nobody()
    });
    let server = server.unwrap();
    let (id, address) = (server.id(), inet(server.address().unwrap()));
    let peers = [plain_peer(address), plain_peer(address)];
    turn_until(&mut reactor, |_| seen.borrow().len() == 2);
    let from = peers.map(|peer| Address::from(peer.local_addr().unwrap()));
    let [first, second] = from;
    let settings = (true, 7);
    assert_eq!(
        *seen.borrow(),
        [(id, 1, first, settings), (id, 2, second, settings)]
    );
}

#[test]
fn r96_over_the_limit_a_peer_is_dropped_and_a_place_that_comes_free_is_taken() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let served = serve(&mut reactor, &log, any_port().max_connections(1));
    let first = plain_peer(served.address);
    turn_until_line(&mut reactor, &log, "server connection");
    let mut second = plain_peer(served.address); // the peer sees `connect`
    turn_until_line(&mut reactor, &log, "server drop");
    assert!(sees_the_end(&mut second));
    assert_eq!(server(&mut reactor, served.id).connections(), 1);
    assert_eq!(reactor.net().stats().dropped, 1);

    drop(first);
    turn_until_line(&mut reactor, &log, "socket close false");
    let _third = plain_peer(served.address);
    turn_until_lines(&mut reactor, &log, "server connection", 2);
    assert_eq!(log.count("server drop"), 1);
}

#[test]
fn r96_drop_tells_both_addresses() {
    #[derive(Clone, Default)]
    struct Dropping(Rc<RefCell<Vec<Dropped>>>);
    impl Acceptor for Dropping {
        fn on_connection(&mut self, _: &mut Socket<'_>) -> Box<dyn Handler> {
            panic!("none is let in")
        }
        fn on_drop(&mut self, server: &mut Server<'_>, dropped: &Dropped) {
            assert_eq!(server.connections(), 0);
            self.0.borrow_mut().push(dropped.clone());
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let acceptor = Dropping::default();
    let options = any_port().max_connections(0); // turns everybody away
    let server = reactor.net().listen_with(options, acceptor.clone());
    let address = inet(server.unwrap().address().unwrap());
    let peer = plain_peer(address);
    turn_until(&mut reactor, |_| !acceptor.0.borrow().is_empty());
    let dropped = acceptor.0.borrow();
    assert_eq!(dropped[0].local.as_ref().unwrap(), &address);
    assert_eq!(dropped[0].remote, peer.local_addr().unwrap());
}

#[test]
fn r96_the_limit_may_change_at_any_time_and_those_inside_stay() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let served = serve(&mut reactor, &log, any_port());
    assert_eq!(server(&mut reactor, served.id).max_connections(), None);
    let _inside = [plain_peer(served.address), plain_peer(served.address)];
    turn_until_lines(&mut reactor, &log, "server connection", 2);

    server(&mut reactor, served.id).set_max_connections(Some(1));
    let _outside = plain_peer(served.address);
    turn_until_line(&mut reactor, &log, "server drop");
    assert_eq!(server(&mut reactor, served.id).connections(), 2);
    assert_eq!(log.count("socket close false"), 0);

    server(&mut reactor, served.id).set_max_connections(None);
    let _third = plain_peer(served.address);
    turn_until_lines(&mut reactor, &log, "server connection", 3);
}

#[test]
fn r97_a_blocked_peer_is_closed_and_nobody_is_told() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let list = BlockList::new();
    let served = serve(&mut reactor, &log, any_port().block_list(&list));
    list.add_address([127, 0, 0, 1]); // later than the server: the list is shared
    let mut peer = plain_peer(served.address); // the peer sees `connect`
    turn_until(&mut reactor, |net| net.stats().blocked == 1);
    assert!(sees_the_end(&mut peer));
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["server listening"]);
    assert_eq!(server(&mut reactor, served.id).connections(), 0);
    let stats = reactor.net().stats();
    assert_eq!((stats.accepted, stats.dropped, stats.sockets), (0, 0, 0));

    list.clear();
    let _peer = plain_peer(served.address);
    turn_until_line(&mut reactor, &log, "server connection");
    // A rule that comes now does not touch who is inside.
    list.add_address([127, 0, 0, 1]);
    turn_until_quiet(&mut reactor);
    assert_eq!(server(&mut reactor, served.id).connections(), 1);
}

#[test]
fn r97_the_limit_is_checked_first_and_drops_a_blocked_peer_too() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let list = BlockList::new();
    list.add_address([127, 0, 0, 1]);
    let options = any_port().max_connections(0).block_list(&list);
    let served = serve(&mut reactor, &log, options);
    let _peer = plain_peer(served.address);
    turn_until_line(&mut reactor, &log, "server drop");
    assert_eq!(reactor.net().stats().blocked, 0);

    // A blocked peer takes no place that a limit counts.
    server(&mut reactor, served.id).set_max_connections(Some(1));
    let _blocked = [plain_peer(served.address), plain_peer(served.address)];
    turn_until(&mut reactor, |net| net.stats().blocked == 2);
    list.clear();
    let _let_in = plain_peer(served.address);
    turn_until_line(&mut reactor, &log, "server connection");
    assert_eq!(log.count("server drop"), 1);
}

#[test]
fn r97_a_blocked_peer_does_not_hold_up_those_behind_it() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let list = BlockList::new();
    list.add_cidr("127.0.0.0/8").unwrap();
    let served = serve(&mut reactor, &log, any_port().block_list(&list));
    // More than one turn accepts, all in the backlog before the first is looked at.
    let _blocked: Vec<TcpStream> = (0..40).map(|_| plain_peer(served.address)).collect();
    let unblock = list.clone();
    turn_until(&mut reactor, |net| {
        if net.stats().blocked >= 16 {
            unblock.clear();
        }
        net.stats().accepted + net.stats().blocked == 40
    });
    assert!(log.has("server connection"));
}

#[test]
fn r97_an_ipv4_peer_of_a_dual_stack_server_meets_ipv4_rules() {
    if !has_ipv6() {
        return;
    }
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let list = BlockList::new();
    list.add_address([127, 0, 0, 1]);
    let options = ListenOptions::from(0).block_list(&list);
    let served = serve(&mut reactor, &log, options);
    let _peer = plain_peer(([127, 0, 0, 1], served.address.port()).into());
    turn_until(&mut reactor, |net| net.stats().blocked == 1);
    assert!(!log.has("server connection"));
}

#[test]
fn r98_close_takes_effect_at_once_and_leaves_live_sockets_alone() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let served = serve(&mut reactor, &log, any_port());
    let peer = plain_peer(served.address);
    turn_until_line(&mut reactor, &log, "server connection");
    log.clear();

    let mut closing = server(&mut reactor, served.id);
    closing.close().unwrap();
    assert!(!closing.listening());
    assert_eq!(closing.address(), None);
    assert_eq!(closing.connections(), 1);
    assert!(TcpStream::connect(served.address).is_err(), "still taken");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), [""; 0], "close waits for the last socket");

    let id = served.sockets.borrow()[0];
    assert!(reactor.net().socket(id).unwrap().writable());
    drop(peer);
    run_to_its_end(&mut reactor);
    assert_eq!(log.count("server close"), 1);
}

#[test]
fn r98_close_inside_connection_lets_nobody_in_after_it() {
    let mut reactor = Reactor::new().unwrap();
    let taken = Rc::new(Cell::new(0));
    let count = taken.clone();
    let address = listen(&mut reactor, move |socket| {
        count.set(count.get() + 1);
        let server = socket.server().unwrap();
        socket.net().server(server).unwrap().close().unwrap();
        nobody()
    });
    let mut peers = [0; 3].map(|_| plain_peer(address)); // all in the backlog
    turn_until(&mut reactor, |_| taken.get() > 0);
    turn_until_quiet(&mut reactor);
    assert_eq!(taken.get(), 1);
    assert!(sees_the_end(&mut peers[1]) && sees_the_end(&mut peers[2]));
}

#[test]
fn r99_close_of_a_server_that_is_closed_is_an_error_and_tells_nothing() {
    // Node tells `close` again each time, which the contract calls surprising. A server that never
    // listened does not exist here.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let served = serve(&mut reactor, &log, any_port());
    let mut closing = server(&mut reactor, served.id);
    closing.close().unwrap();
    let error = closing.close().unwrap_err();
    assert_eq!(error.code(), "ERR_SERVER_NOT_RUNNING");
    run_to_its_end(&mut reactor);
    assert_eq!(log.lines(), ["server close"]);
    assert!(reactor.net().server(served.id).is_none());
}

#[test]
fn r100_a_destroyed_socket_is_not_counted_and_the_server_closes_before_its_last_socket() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let served = serve(&mut reactor, &log, any_port());
    let _peers = [plain_peer(served.address), plain_peer(served.address)];
    turn_until_lines(&mut reactor, &log, "server connection", 2);
    log.clear();
    server(&mut reactor, served.id).close().unwrap();
    for left in [1, 0] {
        let id = served.sockets.borrow()[left];
        reactor.net().socket(id).unwrap().destroy();
        assert_eq!(server(&mut reactor, served.id).connections(), left);
    }
    run_to_its_end(&mut reactor);
    assert_eq!(
        log.lines(),
        ["socket close false", "server close", "socket close false"]
    );
}

#[test]
fn r101_connections_are_known_at_once_also_before_listening_is_told() {
    // Node asks other processes, so it answers later; here nobody else has to be asked.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let served = serve(&mut reactor, &log, any_port());
    let _peer = plain_peer(served.address);
    assert_eq!(server(&mut reactor, served.id).connections(), 0);
    turn_until_line(&mut reactor, &log, "server connection");
    assert_eq!(server(&mut reactor, served.id).connections(), 1);
}

#[test]
fn r104_with_reuse_port_two_servers_share_a_port() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let first = serve(&mut reactor, &log, any_port().reuse_port(true));
    let options = ListenOptions::from(first.address).reuse_port(true);
    let acceptor = Recorder::new("second", &log);
    let second = reactor.net().listen_with(options, acceptor);
    assert_eq!(second.unwrap().address().unwrap(), first.address);
    // Both have to ask for it.
    let error = fails_to_listen(&mut reactor, first.address);
    assert_eq!(error.code(), "EADDRINUSE");
    // The kernel shares by a hash of the addresses: fifty peers in one half do not happen.
    let _peers: Vec<TcpStream> = (0..50).map(|_| plain_peer(first.address)).collect();
    turn_until(&mut reactor, |net: &mut Net| net.stats().accepted == 50);
    assert!(log.has("server connection") && log.has("second connection"));
}

/// R100 lets the server close before its last socket.
#[test]
fn r100_a_server_whose_close_was_told_is_found_no_more() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let lines = log.clone();
    let address = listen(&mut reactor, move |socket| {
        let server = socket.server().unwrap();
        socket.net().server(server).unwrap().close().unwrap();
        reacting("socket", &lines, move |socket, event| {
            if let netloop::Event::Close { .. } = event {
                assert!(socket.net().server(server).is_none());
            }
        })
    });
    drop(plain_peer(address));
    turn_until_line(&mut reactor, &log, "socket close false");
}

/// Node's abort signal is an id here: whoever has it may close the server.
#[test]
fn r103_whoever_has_the_id_closes_the_server() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let acceptor = Recorder::new("server", &log);
    let id = reactor.net().listen_with("127.0.0.1:0", acceptor);
    let id = id.unwrap().id();
    reactor
        .net()
        .set_immediate(move |net| net.server(id).unwrap().close().unwrap());
    reactor.run().unwrap();
    assert_eq!(log.of("server").last().unwrap(), "close");
    assert!(reactor.net().server(id).is_none());
}
