//! The latency knobs on the real kernel: what a peer sees, and what the kernel has been told.
//!
//! What can be counted only on a clock that stands still is in `src/reactor/scripted`.

mod support;

use netloop::{Event, ListenOptions, Reactor, SocketId, handler_fn};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;
use support::{
    PATIENCE, accepted, accepted_by, at, inet, plain_peer, turn_until, turn_until_quiet,
};

/// More than any test takes: with such a budget a loop never sleeps.
const ALWAYS: Duration = Duration::from_secs(3600);

#[test]
fn a_busy_loop_serves_sockets_timers_and_posts_without_ever_sleeping() {
    const ROUNDS: usize = 200;

    let mut reactor = Reactor::new().unwrap();
    reactor.net().set_busy_poll(ALWAYS);
    let echo = handler_fn(|socket, event| {
        if let Event::Data(bytes) = event {
            socket.write(bytes);
        }
    });
    let (_, mut peer) = accepted(&mut reactor, echo);
    let remote = reactor.net().remote().unwrap();
    let (ticks, posts) = (Rc::new(Cell::new(0)), ROUNDS as u64);
    let count = ticks.clone();
    reactor
        .net()
        .set_interval(Duration::from_millis(1), move |_| {
            count.set(count.get() + 1);
        });
    // It waits for each answer, so that the loop has to look for the next one.
    let client = thread::spawn(move || {
        let mut message = [7; 64];
        for _ in 0..ROUNDS {
            peer.write_all(&message).unwrap();
            peer.read_exact(&mut message).unwrap();
            let (send, receive) = std::sync::mpsc::channel();
            remote.post(move |_| send.send(()).unwrap()).unwrap();
            receive.recv_timeout(PATIENCE).unwrap();
        }
        remote.stop();
    });
    reactor.run().unwrap();
    client.join().unwrap();
    turn_until(&mut reactor, |_| ticks.get() > 0);
    assert_eq!(reactor.net().stats().posts, posts);
}

#[test]
fn a_busy_turn_lasts_no_longer_than_it_may_and_an_embedded_one_polls_once() {
    let mut reactor = Reactor::new().unwrap();
    reactor.net().set_busy_poll(ALWAYS);
    let (_, _peer) = accepted(&mut reactor, handler_fn(|_, _| ()));
    turn_until_quiet(&mut reactor);
    let polls = |reactor: &mut Reactor| reactor.net().stats().syscalls.poll;
    let before = polls(&mut reactor);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(polls(&mut reactor), before + 1);
    // That it comes back at all is the proof, since nothing else would end it.
    reactor.turn(Some(Duration::from_millis(2))).unwrap();
}

#[test]
fn a_peer_has_the_first_reply_before_the_handler_has_returned() {
    let mut reactor = Reactor::new().unwrap();
    let (seen, replied) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(false)));
    let (log, done) = (seen.clone(), replied.clone());
    let peers = Rc::new(RefCell::new(None::<TcpStream>));
    let theirs = peers.clone();
    let replying = handler_fn(move |socket, event| {
        if let Event::Data(_) = event {
            let mut peer = theirs.borrow_mut();
            let mut look = || {
                let mut buffer = [0; 16];
                match peer.as_mut().unwrap().read(&mut buffer) {
                    Ok(bytes) => log.borrow_mut().push(bytes),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => log.borrow_mut().push(0),
                    Err(error) => panic!("{error}"),
                }
            };
            socket.write(b"first");
            look();
            socket.flush_now();
            look();
            socket.write(b"second");
            look();
            done.set(true);
        }
    });
    let (_, mut peer) = accepted(&mut reactor, replying);
    peer.write_all(b"?").unwrap();
    peer.set_nonblocking(true).unwrap();
    *peers.borrow_mut() = Some(peer);
    turn_until(&mut reactor, |_| replied.get());
    assert_eq!(*seen.borrow(), [0, 5, 0]);
    let mut rest = [0; 16];
    let bytes = peers.borrow_mut().as_mut().unwrap().read(&mut rest);
    assert_eq!(&rest[..bytes.unwrap()], b"second");
}

/// Bytes of one write of a flood.
const WRITE: usize = 4096;

/// A writer that always has more to say, and its peer, which reads when it is told to.
struct Flood {
    reactor: Reactor,
    writer: SocketId,
    peer: TcpStream,
    read: usize,
    drains: Rc<Cell<usize>>,
}

impl Flood {
    fn new(options: ListenOptions) -> Flood {
        let mut reactor = Reactor::new().unwrap();
        let drains = Rc::new(Cell::new(0));
        let count = drains.clone();
        let handler = handler_fn(move |_, event| {
            if let Event::Drain = event {
                count.set(count.get() + 1);
            }
        });
        let (writer, peer) = accepted_by(&mut reactor, options, handler);
        peer.set_nonblocking(true).unwrap();
        Flood {
            reactor,
            writer,
            peer,
            read: 0,
            drains,
        }
    }

    fn write_until_full(&mut self) {
        let mut socket = at(&mut self.reactor, self.writer);
        while socket.write(&[7; WRITE]) {}
    }

    /// Bytes that the kernel has taken and not sent: on loopback, what is sent lies with the peer.
    fn unsent(&mut self) -> usize {
        let socket = at(&mut self.reactor, self.writer);
        let taken = socket.bytes_written() as usize - socket.buffer_size();
        let mut buffer = vec![0; 32 << 20];
        let lies_there = match self.peer.peek(&mut buffer) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("{error}"),
        };
        taken - self.read - lies_there
    }

    /// Lets the peer read some of what lies there.
    fn read(&mut self, most: usize) {
        let mut buffer = vec![0; most];
        match self.peer.read(&mut buffer) {
            Ok(bytes) => self.read += bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Lets the peer read until there was room once more; what was unsent then.
    fn unsent_at_next_drain(&mut self) -> usize {
        let drains = self.drains.get();
        for _ in 0..100_000 {
            self.read(16 * 1024);
            self.reactor.turn(Some(Duration::ZERO)).unwrap();
            if self.drains.get() > drains {
                return self.unsent();
            }
        }
        panic!("there was never room");
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn under_a_mark_the_kernel_takes_little_that_it_cannot_send_and_tells_of_room_late() {
    const MARK: usize = 64 * 1024;
    /// What one call may add to what was under the mark.
    const PACKET: usize = 64 * 1024;

    // Hardly anything waits here, so that what is unsent is what the kernel has taken.
    let local = || ListenOptions::from("127.0.0.1:0").high_water_mark(1);
    let mut flood = Flood::new(local());
    flood.write_until_full();
    let without = flood.unsent();
    assert!(without > 4 * (MARK + PACKET), "{without}");

    let mut flood = Flood::new(local().not_sent_low_water_mark(MARK));
    for _ in 0..20 {
        flood.write_until_full();
        let unsent = flood.unsent();
        assert!(unsent <= MARK + PACKET, "{unsent}");
        // There is room only once the peer has taken enough, and then what had waited went first.
        let unsent = flood.unsent_at_next_drain();
        assert!(unsent < MARK / 2 + WRITE, "{unsent} when room was told");
    }
}

#[test]
fn settings_of_tcp_are_without_effect_on_a_local_socket_and_on_a_closed_one() {
    let mut reactor = Reactor::new().unwrap();
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let id = {
        let mut socket = reactor.net().adopt(ours, handler_fn(|_, _| ())).unwrap();
        socket.set_quick_ack(true);
        socket.set_not_sent_low_water_mark(1);
        assert!(!socket.destroyed() && socket.write(b"still there"));
        socket.destroy();
        socket.set_quick_ack(true);
        socket.set_not_sent_low_water_mark(1);
        socket.flush_now();
        socket.id()
    };
    turn_until(&mut reactor, |net| net.socket(id).is_none());
}

#[test]
fn after_a_reservation_all_is_as_it_was_for_more_sockets_and_fewer() {
    let mut reactor = Reactor::new().unwrap();
    let server = reactor
        .net()
        .listen("127.0.0.1:0", |_| handler_fn(|_, _| ()))
        .unwrap();
    let address = inet(server.address().unwrap());
    for sockets in [10, 0, 100] {
        reactor.net().reserve(sockets).unwrap();
        let peers: Vec<TcpStream> = (0..30).map(|_| plain_peer(address)).collect();
        turn_until(&mut reactor, |net| net.stats().sockets == 30);
        drop(peers);
        turn_until(&mut reactor, |net| net.stats().sockets == 0);
    }
}
