//! Group J: when `run` may return (R105 to R107).
//!
//! Of R105 the lookup comes with names. Beyond Node's list, user timers and immediates keep the loop
//! going as well.

use crate::support::*;
use netloop::{ListenOptions, Reactor, Socket, SocketId, handler_fn};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

fn socket(reactor: &mut Reactor, id: SocketId) -> Socket<'_> {
    reactor.net().socket(id).unwrap()
}

/// One socket whose server is closed already, and its peer.
fn alone(reactor: &mut Reactor, log: &Log, options: ListenOptions) -> (SocketId, TcpStream) {
    let accepted = Rc::new(Cell::new(None));
    let (seen, lines) = (accepted.clone(), log.clone());
    let server = reactor.net().listen(options, move |socket| {
        seen.set(Some(socket.id()));
        recorder("socket", &lines)
    });
    let server = server.unwrap();
    let (id, address) = (server.id(), inet(server.address().unwrap()));
    let peer = plain_peer(address);
    turn_until(reactor, |_| accepted.get().is_some());
    reactor.net().server(id).unwrap().close().unwrap();
    turn_until_quiet(reactor);
    (accepted.get().unwrap(), peer)
}

fn on_loopback() -> ListenOptions {
    ListenOptions::from("127.0.0.1:0")
}

/// Whether `run` goes on until it is stopped, by a timer that does not count itself.
fn is_kept_going(reactor: &mut Reactor) -> bool {
    let stopped = Rc::new(Cell::new(false));
    let stops = stopped.clone();
    let net = reactor.net();
    let stop = net.set_timeout(Duration::from_millis(5), move |net| {
        stops.set(true);
        net.stop();
    });
    net.unref_timer(stop);
    let alive = reactor.is_alive();
    reactor.run().unwrap();
    reactor.net().clear_timer(stop);
    assert_eq!(alive, stopped.get(), "is_alive says another thing than run");
    stopped.get()
}

#[test]
fn r105_an_empty_loop_ends_at_once() {
    let mut reactor = Reactor::new().unwrap();
    assert!(!reactor.is_alive());
    reactor.run().unwrap();
    assert_eq!(reactor.net().stats().turns, 0);
}

#[test]
fn r105_a_server_that_listens_keeps_the_loop_going_until_it_is_closed() {
    let mut reactor = Reactor::new().unwrap();
    let server = reactor
        .net()
        .listen(on_loopback(), |_| handler_fn(|_, _| ()));
    let id = server.unwrap().id();
    assert!(is_kept_going(&mut reactor));
    reactor.net().server(id).unwrap().close().unwrap();
    run_to_its_end(&mut reactor);
    assert_eq!(reactor.net().stats().servers, 0, "its close was not told");
}

#[test]
fn r105_a_connecting_socket_keeps_the_loop_going_paused_or_not() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_kept, address) = unanswering();
    let client = reactor.net().connect(address, recorder("client", &log));
    let mut client = client.unwrap();
    client.pause();
    let id = client.id();
    assert!(is_kept_going(&mut reactor));
    socket(&mut reactor, id).destroy();
    run_to_its_end(&mut reactor);
    assert!(log.has("client close false"));
}

#[test]
fn r105_a_reading_socket_keeps_the_loop_going_until_the_connection_ends() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_, peer) = alone(&mut reactor, &log, on_loopback());
    assert!(is_kept_going(&mut reactor));
    drop(peer);
    run_to_its_end(&mut reactor);
    assert_eq!(log.of("socket"), ["end", "finish", "close false"]);
}

#[test]
fn r105_a_paused_socket_does_not_keep_the_loop_going_and_is_told_nothing() {
    // Node's exception, a socket that reads ahead while paused, does not exist here.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = alone(&mut reactor, &log, on_loopback());
    socket(&mut reactor, id).pause();
    run_to_its_end(&mut reactor);
    assert_eq!(log.lines(), [""; 0]);
    socket(&mut reactor, id).resume();
    assert!(is_kept_going(&mut reactor));
}

#[test]
fn r105_a_socket_paused_from_the_start_does_not_keep_the_loop_going() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let options = on_loopback().pause_on_connect(true);
    let (id, _peer) = alone(&mut reactor, &log, options);
    run_to_its_end(&mut reactor);
    assert!(socket(&mut reactor, id).is_paused());
}

#[test]
fn r105_unsent_bytes_of_a_paused_socket_keep_the_loop_going_until_they_are_sent() {
    const BYTES: usize = 8 << 20; // more than the kernel takes while nobody reads
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = alone(&mut reactor, &log, on_loopback());
    let mut writing = socket(&mut reactor, id);
    writing.pause();
    assert!(!writing.write(&pattern(BYTES)), "the kernel took it all");
    assert!(is_kept_going(&mut reactor));
    let reading = std::thread::spawn(move || {
        let mut got = vec![0; BYTES];
        peer.read_exact(&mut got).map(|()| (got, peer))
    });
    run_to_its_end(&mut reactor);
    assert_eq!(socket(&mut reactor, id).buffer_size(), 0);
    let (got, _peer) = reading.join().unwrap().unwrap();
    assert!(got == pattern(BYTES));
}

#[test]
fn r105_a_shutdown_on_its_way_keeps_the_loop_going() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = alone(&mut reactor, &log, on_loopback());
    let mut ending = socket(&mut reactor, id);
    ending.pause();
    ending.end_with(b"bye");
    run_to_its_end(&mut reactor);
    assert_eq!(log.of("socket"), ["finish"]);
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"bye");
}

#[test]
fn r105_a_half_open_socket_with_nothing_to_send_does_not_keep_the_loop_going() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let options = on_loopback().allow_half_open(true);
    let (id, peer) = alone(&mut reactor, &log, options);
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    run_to_its_end(&mut reactor);
    assert_eq!(log.of("socket"), ["end"]);
    assert!(socket(&mut reactor, id).writable());
}

#[test]
fn r105_an_idle_timeout_does_not_keep_the_loop_going() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = alone(&mut reactor, &log, on_loopback());
    let mut timed = socket(&mut reactor, id);
    timed.pause();
    timed.set_timeout(Duration::from_secs(3600));
    run_to_its_end(&mut reactor);
    assert!(reactor.next_timeout().is_some(), "it is still armed");
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn r106_a_server_and_a_socket_that_were_unrefd_let_the_loop_end_and_are_told_no_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = alone(&mut reactor, &log, on_loopback());
    let server = reactor
        .net()
        .listen(on_loopback(), |_| handler_fn(|_, _| ()));
    let mut server = server.unwrap();
    let server_id = server.id();
    server.unref();
    socket(&mut reactor, id).unref();
    run_to_its_end(&mut reactor);
    assert_eq!(log.lines(), [""; 0]);
    assert!(reactor.net().server(server_id).unwrap().listening());
    // They work on whenever the loop turns.
    peer.write_all(b"x").unwrap();
    turn_until_line(&mut reactor, &log, "socket data 1");
}

#[test]
fn r106_what_was_written_to_an_unrefd_socket_still_leaves() {
    // Node hands bytes to the kernel in `write` itself; here they are gathered until the turn ends,
    // so the loop must not end before.
    let mut reactor = Reactor::new().unwrap();
    let (id, mut peer) = alone(&mut reactor, &Log::new(), on_loopback());
    let mut writing = socket(&mut reactor, id);
    writing.unref();
    writing.write(b"x");
    run_to_its_end(&mut reactor);
    peer.set_nonblocking(true).unwrap();
    assert_eq!(peer.read(&mut [0; 2]).unwrap(), 1);
}

#[test]
fn r107_ref_and_unref_of_a_socket_count_once_however_often_they_are_called() {
    let mut reactor = Reactor::new().unwrap();
    let (id, _peer) = alone(&mut reactor, &Log::new(), on_loopback());
    let mut counted = socket(&mut reactor, id);
    counted.unref();
    counted.unref();
    counted.r#ref();
    assert!(is_kept_going(&mut reactor));
    let mut counted = socket(&mut reactor, id);
    counted.r#ref();
    counted.unref();
    run_to_its_end(&mut reactor);
}

#[test]
fn r107_ref_and_unref_of_a_server_count_once_in_every_state() {
    let mut reactor = Reactor::new().unwrap();
    let server = reactor
        .net()
        .listen(on_loopback(), |_| handler_fn(|_, _| ()));
    let mut counted = server.unwrap();
    let id = counted.id();
    counted.unref();
    counted.unref();
    counted.r#ref();
    assert!(is_kept_going(&mut reactor));
    let mut counted = reactor.net().server(id).unwrap();
    counted.r#ref();
    counted.unref();
    run_to_its_end(&mut reactor);
    // Once it is closed there is nothing to count, and nothing may be counted twice.
    let mut counted = reactor.net().server(id).unwrap();
    counted.r#ref();
    counted.close().unwrap();
    counted.unref();
    counted.r#ref();
    run_to_its_end(&mut reactor);
    assert!(!reactor.is_alive());
}

#[test]
fn r107_unref_called_before_the_connection_stands_is_remembered() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = reactor.net().connect(address, recorder("client", &log));
    let mut client = client.unwrap();
    client.unref();
    let id = client.id();
    turn_until_line(&mut reactor, &log, "client ready");
    run_to_its_end(&mut reactor);
    assert!(!log.has("client close false"), "{log:?}");
    socket(&mut reactor, id).r#ref();
    assert!(is_kept_going(&mut reactor));
}
