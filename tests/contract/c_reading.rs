//! Group C: reading (R17 to R27).
//!
//! Two of these rules are netloop's own and differ from Node on purpose, R18 and R24: while a
//! socket is paused nothing is told of its peer and nothing is lost.
//!
//! R27's `onread`, reading into a buffer of the caller's, has another form here: `data` hands out the
//! loop's own buffer, and a socket which is paused reads nothing.

use crate::support::*;
use netloop::{Event, ListenOptions, Reactor, Socket, SocketId};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn r17_reading_starts_by_itself_after_accept() {
    let (mut reactor, log) = fresh();
    let told = log.clone();
    let address = listen(&mut reactor, move |_| recorder("server", &told));
    let mut peer = plain_peer(address);
    // Before the loop has heard of the connection: no edge will come for these bytes.
    peer.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "server data 5");
    peer.write_all(b"again!").unwrap();
    turn_until_line(&mut reactor, &log, "server data 6");
    assert_eq!(log.of("server"), ["data 5", "data 6"]);
}

#[test]
fn r17_reading_starts_by_itself_after_connect() {
    let (mut reactor, log) = fresh();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let handler = recorder("client", &log);
    reactor.net().connect(address, handler).unwrap();
    turn_until_line(&mut reactor, &log, &format!("client attempt {address}"));
    // The handshake is the kernels' affair: the bytes are there before the loop has looked.
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "client data 5");
    assert_eq!(log.of("client")[1..], ["connect", "ready", "data 5"]);
}

/// Node buffers up to the read mark for a socket that nobody listens to. Here `on_data` has to be
/// written, so there is always somebody, and no buffer in user space: what waits, waits in the
/// kernel, and there it holds the peer back.
#[test]
fn r17_what_is_not_read_holds_the_peer_back() {
    let (mut reactor, log) = fresh();
    let received = Received::default();
    let keep = keeping(&received);
    let options = ListenOptions::from("127.0.0.1:0").pause_on_connect(true);
    let (id, mut peer) = accepted_by(&mut reactor, options, reacting("server", &log, keep));
    small_buffers(&peer);
    let bytes = pattern(1_000_000);
    let sent = write_until_full(&mut peer, &bytes);
    turn_until_quiet(&mut reactor);
    assert!(sent < bytes.len(), "the kernels took all of it");
    assert_eq!(reactor.net().socket(id).unwrap().bytes_read(), 0);
    assert!(log.lines().is_empty(), "{log:?}");

    reactor.net().socket(id).unwrap().resume();
    write_while_turning(&mut reactor, &mut peer, &bytes[sent..]);
    turn_until(&mut reactor, |_| received.borrow().len() >= bytes.len());
    assert!(*received.borrow() == bytes, "bytes lost or out of order");
}

/// Node tells `end`, and closes, when nothing is left to read, even while the socket is paused.
/// Here a pause holds everything back.
#[test]
fn r18_end_waits_while_the_socket_is_paused_even_with_nothing_to_read() {
    for paused in WAYS_TO_BE_PAUSED {
        let (mut reactor, log) = fresh();
        let (id, peer) = paused(&mut reactor, &log);
        drop(peer); // all that comes is a FIN
        turn_until_quiet(&mut reactor);
        assert!(log.lines().is_empty(), "{log:?}");
        let mut socket = reactor.net().socket(id).unwrap();
        assert!(socket.readable() && !socket.readable_ended() && !socket.destroyed());
        socket.resume();
        assert!(log.lines().is_empty(), "told inside resume: {log:?}");
        turn_until_line(&mut reactor, &log, "socket close false");
        assert_eq!(log.of("socket"), ["end", "finish", "close false"]);
    }
}

#[test]
fn r18_end_waits_until_every_byte_was_delivered() {
    let (mut reactor, log) = fresh();
    let received = Received::default();
    let mut keep = keeping(&received);
    // Pauses at every chunk, so that the end is known long before the last byte is told.
    let handler = reacting("server", &log, move |socket, event| {
        keep(socket, event);
        socket.pause();
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    let bytes = pattern(300_000);
    let sent = write_until_full(&mut peer, &bytes);
    peer.shutdown(Shutdown::Write).unwrap();
    while received.borrow().len() < sent {
        assert!(!log.has("server end"), "{log:?}");
        turn_until_quiet(&mut reactor);
        reactor.net().socket(id).unwrap().resume();
    }
    turn_until_line(&mut reactor, &log, "server close false");
    assert!(received.borrow()[..] == bytes[..sent]);
    let lines = log.of("server");
    assert_eq!(
        lines[lines.len() - 3..],
        ["end", "finish", "close false"],
        "{log:?}"
    );
}

#[test]
fn r19_chunks_keep_order_and_are_neither_empty_nor_longer_than_64_kib() {
    let mut reactor = Reactor::new().unwrap();
    let chunks = Rc::new(RefCell::new(Vec::new()));
    let seen = chunks.clone();
    let received = Received::default();
    let mut keep = keeping(&received);
    let handler = reacting("server", &Log::new(), move |socket, event| {
        if let Event::Data(bytes) = event {
            seen.borrow_mut().push(bytes.len());
        }
        keep(socket, event);
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    let bytes = pattern(2_000_000);
    let mut sent = 0;
    while sent < bytes.len() {
        // As much as the kernels hold, so that there is more than a chunk's worth.
        sent += write_until_full(&mut peer, &bytes[sent..]);
        turn_until(&mut reactor, |_| received.borrow().len() == sent);
    }
    assert!(*received.borrow() == bytes, "bytes lost or out of order");
    let chunks = chunks.borrow();
    assert!(
        chunks.iter().all(|&chunk| (1..=65_536).contains(&chunk)),
        "{chunks:?}"
    );
    assert!(chunks.contains(&65_536), "no chunk was full: {chunks:?}");
}

#[test]
fn r20_pause_inside_data_stops_data_at_once_and_nothing_is_lost() {
    let (mut reactor, log) = fresh();
    let received = Received::default();
    let mut keep = keeping(&received);
    let handler = reacting("server", &log, move |socket, event| {
        keep(socket, event);
        socket.pause();
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    let bytes = pattern(500_000);
    let mut sent = 0;
    let mut chunks = 0;
    while received.borrow().len() < bytes.len() {
        sent += write_until_full(&mut peer, &bytes[sent..]);
        turn_until(&mut reactor, |_| log.lines().len() > chunks);
        turn_until_quiet(&mut reactor);
        chunks += 1;
        assert_eq!(log.lines().len(), chunks, "more than one chunk a resume");
        let mut socket = reactor.net().socket(id).unwrap();
        assert!(socket.is_paused());
        // Node would have read ahead, up to its mark; here nothing is read that is not told.
        assert_eq!(socket.bytes_read(), received.borrow().len() as u64);
        socket.resume();
        assert!(!socket.is_paused());
        assert_eq!(log.lines().len(), chunks, "told inside resume");
        if log
            .lines()
            .last()
            .is_some_and(|line| line == "server data 65536")
        {
            // More may be there, as far as is known, and the kernel need not say so again.
            assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
        }
    }
    assert!(log.has("server data 65536"), "no chunk was full: {log:?}");
    assert!(*received.borrow() == bytes, "bytes lost or out of order");
}

/// Both sockets are ready in one turn, and the first one served pauses the other.
#[test]
fn r20_pause_stops_what_is_ready_already() {
    let (mut reactor, log) = fresh();
    let ids = Rc::new(RefCell::new(Vec::new()));
    let (known, told) = (ids.clone(), log.clone());
    let address = listen(&mut reactor, move |socket| {
        let own = socket.id();
        known.borrow_mut().push(own);
        let others = known.clone();
        reacting("server", &told, move |socket, _| {
            for &id in others.borrow().iter().filter(|&&id| id != own) {
                socket.net().socket(id).unwrap().pause();
            }
        })
    });
    let mut peers = [plain_peer(address), plain_peer(address)];
    turn_until(&mut reactor, |_| ids.borrow().len() == 2);
    turn_until_quiet(&mut reactor);
    for peer in &mut peers {
        peer.write_all(b"hello").unwrap();
    }
    turn_until_line(&mut reactor, &log, "server data 5");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("server"), ["data 5"]);
    for &id in ids.borrow().iter() {
        reactor.net().socket(id).unwrap().resume();
    }
    turn_until_lines(&mut reactor, &log, "server data 5", 2);
}

#[test]
fn r20_pause_and_resume_in_one_handler_change_nothing() {
    let (mut reactor, log) = fresh();
    let handler = reacting("server", &log, |socket, _| {
        socket.pause();
        socket.resume();
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    turn_until_quiet(&mut reactor);
    let calls = reactor.net().stats().syscalls.epoll_ctl;
    for times in 1..=3 {
        peer.write_all(b"hello").unwrap();
        turn_until_lines(&mut reactor, &log, "server data 5", times);
    }
    assert_eq!(log.of("server"), ["data 5", "data 5", "data 5"]);
    let now = reactor.net().stats().syscalls.epoll_ctl;
    assert_eq!(now, calls, "the kernel needs to know nothing of it");
}

#[test]
fn r21_of_pause_and_resume_before_connect_the_last_call_wins() {
    let pause_last = |socket: &mut Socket<'_>| {
        socket.resume();
        socket.pause();
    };
    let resume_last = |socket: &mut Socket<'_>| {
        socket.pause();
        socket.resume();
    };
    let (mut reactor, log) = fresh();
    let handler = recorder("paused", &log);
    let (paused, mut its_peer) = dialled(&mut reactor, |o| o, handler, pause_last);
    let handler = recorder("resumed", &log);
    let (_, mut other_peer) = dialled(&mut reactor, |o| o, handler, resume_last);
    its_peer.write_all(b"hello").unwrap();
    other_peer.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "resumed data 5");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("paused")[1..], ["connect", "ready"]);
    reactor.net().socket(paused).unwrap().resume();
    turn_until_line(&mut reactor, &log, "paused data 5");
}

#[test]
fn r21_a_pause_in_connect_comes_in_time() {
    let (mut reactor, log) = fresh();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let handler = reacting("client", &log, |socket, event| {
        if let Event::Connect = event {
            socket.pause();
        }
    });
    let address = listener.local_addr().unwrap();
    let id = reactor.net().connect(address, handler).unwrap().id();
    turn_until_line(&mut reactor, &log, &format!("client attempt {address}"));
    let (mut peer, _) = listener.accept().unwrap();
    // One event says both that the connection stands and that bytes are there.
    peer.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "client ready");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("client")[1..], ["connect", "ready"]);
    reactor.net().socket(id).unwrap().resume();
    turn_until_line(&mut reactor, &log, "client data 5");
}

#[test]
fn r22_with_pause_on_connect_nothing_is_read_until_resume() {
    let (mut reactor, log) = fresh();
    let options = ListenOptions::from("127.0.0.1:0").pause_on_connect(true);
    let (id, mut peer) = accepted_by(&mut reactor, options, recorder("server", &log));
    peer.write_all(b"hello").unwrap();
    turn_until_quiet(&mut reactor);
    assert!(log.lines().is_empty(), "{log:?}");
    assert_eq!(reactor.net().stats().syscalls.read, 0);
    let mut socket = reactor.net().socket(id).unwrap();
    assert!(socket.is_paused());
    assert_eq!(socket.bytes_read(), 0);
    socket.resume();
    turn_until_line(&mut reactor, &log, "server data 5");
    assert_eq!(reactor.net().socket(id).unwrap().bytes_read(), 5);
}

#[test]
fn r23_end_comes_once_after_all_data_and_before_close() {
    for half_open in [false, true] {
        let (mut reactor, log) = fresh();
        let states = log.clone();
        let received = Received::default();
        let mut keep = keeping(&received);
        let handler = reacting("server", &log, move |socket, event| {
            if let Event::End = event {
                let (destroyed, readable) = (socket.destroyed(), socket.readable());
                states.push(format!("in end: {destroyed} {readable}"));
                assert!(socket.readable_ended());
                socket.end();
            }
            keep(socket, event);
        });
        let options = ListenOptions::from("127.0.0.1:0").allow_half_open(half_open);
        let (_, mut peer) = accepted_by(&mut reactor, options, handler);
        let bytes = pattern(300_000);
        write_while_turning(&mut reactor, &mut peer, &bytes);
        drop(peer);
        turn_until_line(&mut reactor, &log, "server close false");
        assert!(*received.borrow() == bytes, "bytes lost or out of order");
        let lines = log.lines();
        let data = lines
            .iter()
            .take_while(|line| line.starts_with("server data"));
        assert_eq!(
            lines[data.count()..],
            [
                "server end",
                "in end: false false",
                "server finish",
                "server close false"
            ]
        );
    }
}

#[test]
fn r24_while_paused_a_fin_is_not_told_and_resume_tells_data_and_then_end() {
    for paused in WAYS_TO_BE_PAUSED {
        let (mut reactor, log) = fresh();
        let (id, mut peer) = paused(&mut reactor, &log);
        peer.write_all(b"hello").unwrap();
        drop(peer);
        turn_until_quiet(&mut reactor);
        assert!(log.lines().is_empty(), "{log:?}");
        assert!(!reactor.net().socket(id).unwrap().destroyed());
        reactor.net().socket(id).unwrap().resume();
        turn_until_line(&mut reactor, &log, "socket close false");
        assert_eq!(log.of("socket"), ["data 5", "end", "finish", "close false"]);
    }
}

/// Node tells the reset of a socket that was paused later on at once, and discards what is unread.
#[test]
fn r24_while_paused_a_reset_is_not_told_and_resume_tells_data_and_then_the_error() {
    for paused in WAYS_TO_BE_PAUSED {
        let (mut reactor, log) = fresh();
        let (id, mut peer) = paused(&mut reactor, &log);
        peer.write_all(b"hello").unwrap();
        reset(peer);
        turn_until_quiet(&mut reactor);
        assert!(log.lines().is_empty(), "{log:?}");
        assert!(!reactor.net().socket(id).unwrap().destroyed());
        reactor.net().socket(id).unwrap().resume();
        assert!(log.lines().is_empty(), "told inside resume: {log:?}");
        turn_until_line(&mut reactor, &log, "socket close true");
        assert_eq!(
            log.of("socket"),
            ["data 5", "error ECONNRESET", "close true"]
        );
    }
}

#[test]
fn r24_what_a_paused_socket_is_ready_for_is_parked_and_never_spun_on() {
    for paused in WAYS_TO_BE_PAUSED {
        let (mut reactor, log) = fresh();
        let (id, mut peer) = paused(&mut reactor, &log);
        let before = reactor.net().stats().events;
        // Few enough to be under way all at once: a reset throws away what waits for its turn.
        for _ in 0..8 {
            peer.write_all(b"x").unwrap();
            turn_until_quiet(&mut reactor);
        }
        reset(peer);
        turn_until_quiet(&mut reactor);
        for _ in 0..50 {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        // One for the first byte, if reading had started, and one for the reset.
        let events = reactor.net().stats().events - before;
        assert!(events <= 2, "{events} events for a socket nobody reads");
        assert_eq!(reactor.next_timeout(), None, "nothing to do until resume");
        assert!(log.lines().is_empty(), "{log:?}");
        reactor.net().socket(id).unwrap().resume();
        turn_until_line(&mut reactor, &log, "socket close true");
        assert_eq!(
            log.of("socket"),
            ["data 8", "error ECONNRESET", "close true"]
        );
    }
}

/// A pause is about reading: what a write runs into is told.
#[test]
fn r24_a_write_to_a_paused_socket_finds_the_reset_out() {
    for paused in WAYS_TO_BE_PAUSED {
        let (mut reactor, log) = fresh();
        let (id, peer) = paused(&mut reactor, &log);
        reset(peer);
        turn_until_quiet(&mut reactor);
        assert!(log.lines().is_empty(), "{log:?}");
        reactor.net().socket(id).unwrap().write(b"anybody there?");
        turn_until_line(&mut reactor, &log, "socket close true");
        assert_eq!(log.of("socket"), ["error ECONNRESET", "close true"]);
    }
}

#[test]
fn r25_bytes_that_came_before_a_reset_are_told_before_it() {
    let (mut reactor, log) = fresh();
    let texts = log.clone();
    let handler = reacting("server", &log, move |_, event| {
        if let Event::Error(error) = event {
            assert_eq!(error.syscall(), Some("read"));
            texts.push(error.to_string());
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    turn_until_quiet(&mut reactor);
    peer.write_all(b"hello").unwrap();
    reset(peer);
    turn_until_line(&mut reactor, &log, "server close true");
    assert_eq!(
        log.lines(),
        [
            "server data 5",
            "server error ECONNRESET",
            "read ECONNRESET",
            "server close true"
        ]
    );
}

#[test]
fn r26_bytes_read_is_current_inside_data_and_answers_still_in_close() {
    let (mut reactor, log) = fresh();
    let counts = log.clone();
    let total = Rc::new(Cell::new(0));
    let sum = total.clone();
    let handler = reacting("server", &log, move |socket, event| match event {
        Event::Data(bytes) => {
            sum.set(sum.get() + bytes.len() as u64);
            assert_eq!(socket.bytes_read(), sum.get());
        }
        Event::Error(_) => counts.push(format!("in error: {}", socket.bytes_read())),
        Event::Close { .. } => counts.push(format!("in close: {}", socket.bytes_read())),
        _ => {}
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    write_while_turning(&mut reactor, &mut peer, &pattern(200_000));
    turn_until(&mut reactor, |_| total.get() == 200_000);
    reset(peer);
    turn_until_line(&mut reactor, &log, "server close true");
    let lines = log.lines();
    assert_eq!(
        lines[lines.len() - 4..],
        [
            "server error ECONNRESET",
            "in error: 200000",
            "server close true",
            "in close: 200000"
        ]
    );
}

/// Every way to be paused: before reading started, of a socket accepted and of one that connects,
/// and after it. Each gives back a socket of ours and its peer, with an empty log, in which the
/// events of `socket` will be.
const WAYS_TO_BE_PAUSED: [Paused; 3] = [paused_on_accept, paused_while_connecting, paused_later];

type Paused = fn(&mut Reactor, &Log) -> (SocketId, TcpStream);

fn paused_on_accept(reactor: &mut Reactor, log: &Log) -> (SocketId, TcpStream) {
    let options = ListenOptions::from("127.0.0.1:0").pause_on_connect(true);
    accepted_by(reactor, options, recorder("socket", log))
}

fn paused_while_connecting(reactor: &mut Reactor, log: &Log) -> (SocketId, TcpStream) {
    let handler = recorder("socket", log);
    let connection = dialled(
        reactor,
        |options| options,
        handler,
        |socket| {
            socket.pause();
        },
    );
    log.clear();
    connection
}

fn paused_later(reactor: &mut Reactor, log: &Log) -> (SocketId, TcpStream) {
    let (id, mut peer) = accepted(reactor, recorder("socket", log));
    peer.write_all(b"first").unwrap();
    turn_until_line(reactor, log, "socket data 5");
    reactor.net().socket(id).unwrap().pause();
    log.clear();
    (id, peer)
}

/// All bytes that were told.
type Received = Rc<RefCell<Vec<u8>>>;

/// What a handler does to keep all bytes.
fn keeping(received: &Received) -> impl FnMut(&mut Socket<'_>, Event<'_>) + use<> {
    let received = received.clone();
    move |_, event| {
        if let Event::Data(bytes) = event {
            received.borrow_mut().extend_from_slice(bytes);
        }
    }
}

/// Node's `onread` saves the copy into a buffer for each chunk, and its callback's `false` stops
/// reading at once. Here `data` is the loop's own buffer for everybody, and `pause` does so.
#[test]
fn r27_data_is_the_loops_own_buffer_and_pause_stops_reading_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let buffers = Rc::new(RefCell::new(Vec::new()));
    let seen = buffers.clone();
    let handler = netloop::handler_fn(move |socket: &mut Socket<'_>, event: Event<'_>| {
        if let Event::Data(bytes) = event {
            seen.borrow_mut().push((bytes.as_ptr(), bytes.len()));
            socket.pause();
        }
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(&pattern(200_000)).unwrap(); // more than two buffers full
    for told in 1..=2 {
        turn_until(&mut reactor, |_| buffers.borrow().len() == told);
        turn_until_quiet(&mut reactor);
        assert_eq!(buffers.borrow().len(), told, "told while paused");
        let socket = reactor.net().socket(id).unwrap();
        let told: usize = buffers.borrow().iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(socket.bytes_read(), told as u64, "read ahead while paused");
        reactor.net().socket(id).unwrap().resume();
    }
    let buffers = buffers.borrow();
    assert_eq!(buffers[0].0, buffers[1].0, "copied");
}
