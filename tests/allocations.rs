//! What allocates nothing once it has run for a while, by an allocator that counts.
//!
//! In a binary of its own, which has that allocator to itself. The first time may allocate: lists and
//! queues that are kept for the next time grow to their size.

mod support;

use allocation_counter::measure;
use bytes::Bytes;
use netloop::frame::{Framed, Lines};
use netloop::{Event, Handler, Reactor, Socket, SocketId, handler_fn};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;
use support::{PATIENCE, accepted, at, inet, listen, plain_peer, turn_until, turn_until_quiet};

/// More than a loop has queues to lend when it begins: what did not come back would be missed.
const TIMES: usize = 20;

/// Asserts that a deed allocates nothing once it was done a few times.
#[track_caller]
fn assert_allocates_nothing(mut deed: impl FnMut()) {
    let mut often = || (0..TIMES).for_each(|_| deed());
    often();
    assert_eq!(measure(often).count_total, 0, "in {TIMES} times");
}

fn echo() -> impl Handler {
    handler_fn(|socket, event| {
        if let Event::Data(bytes) = event {
            assert!(socket.write(bytes));
        }
    })
}

/// Sends a message and gets it back.
fn round_trip(reactor: &mut Reactor, id: SocketId, peer: &mut TcpStream, message: &mut [u8]) {
    let echoed = at(reactor, id).bytes_written() + message.len() as u64;
    peer.write_all(message).unwrap();
    while at(reactor, id).bytes_written() < echoed {
        reactor.turn(Some(PATIENCE)).unwrap();
    }
    peer.read_exact(message).unwrap();
}

#[test]
fn an_echoed_message_allocates_nothing() {
    for (size, idle_timeout) in [(64, 0), (64, 60), (4096, 0), (16 * 1024, 60)] {
        let mut reactor = Reactor::new().unwrap();
        let (id, mut peer) = accepted(&mut reactor, echo());
        at(&mut reactor, id).set_timeout(Duration::from_secs(idle_timeout));
        let mut message = vec![7; size];
        assert_allocates_nothing(|| round_trip(&mut reactor, id, &mut peer, &mut message));
    }
}

#[test]
fn frames_that_come_whole_allocate_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let (id, mut peer) = accepted(&mut reactor, Framed::new(Lines::new(), echo()));
    let message = [&[7; 63][..], b"\n"].concat().repeat(16);
    let mut back = [0; 16 * 63];
    assert_allocates_nothing(|| {
        let echoed = at(&mut reactor, id).bytes_written() + back.len() as u64;
        peer.write_all(&message).unwrap();
        while at(&mut reactor, id).bytes_written() < echoed {
            reactor.turn(Some(PATIENCE)).unwrap();
        }
        peer.read_exact(&mut back).unwrap();
    });
}

#[test]
fn a_frame_that_comes_byte_by_byte_allocates_in_proportion_to_its_length_and_keeps_nothing() {
    const LENGTH: usize = 10_000;

    let mut reactor = Reactor::new().unwrap();
    let told = Rc::new(RefCell::new(0));
    let frames = told.clone();
    let handler = handler_fn(move |_, event| {
        if let Event::Data(frame) = event {
            assert_eq!(frame.len(), LENGTH);
            *frames.borrow_mut() += 1;
        }
    });
    let (id, mut peer) = accepted(&mut reactor, Framed::new(Lines::new(), handler));
    let mut send = || {
        let before = at(&mut reactor, id).bytes_read();
        for sent in 1..=LENGTH as u64 + 1 {
            let byte = if sent > LENGTH as u64 { b"\n" } else { b"x" };
            peer.write_all(byte).unwrap();
            while at(&mut reactor, id).bytes_read() < before + sent {
                reactor.turn(Some(PATIENCE)).unwrap();
            }
        }
    };
    send(); // once, for what the loop itself keeps
    let allocated = measure(send);
    assert_eq!(*told.borrow(), 2);
    assert_eq!(allocated.bytes_current, 0, "kept for an idle peer");
    let bytes = allocated.bytes_total;
    assert!(bytes <= 4 * LENGTH as u64, "{bytes} bytes for {LENGTH}");
}

#[test]
fn an_idle_timeout_that_is_set_anew_allocates_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let (id, _peer) = accepted(&mut reactor, echo());
    let mut seconds = 60;
    assert_allocates_nothing(|| {
        seconds += 1;
        at(&mut reactor, id).set_timeout(Duration::from_secs(seconds));
        reactor.turn(Some(Duration::ZERO)).unwrap();
        at(&mut reactor, id).set_timeout(Duration::ZERO);
    });
}

#[test]
fn a_pause_and_a_resume_allocate_nothing() {
    let mut reactor = Reactor::new().unwrap();
    let toggling = handler_fn(|socket, event| {
        if let Event::Data(bytes) = event {
            socket.pause();
            socket.resume();
            socket.write(bytes);
        }
    });
    let (id, mut peer) = accepted(&mut reactor, toggling);
    let mut message = [7; 64];
    assert_allocates_nothing(|| {
        round_trip(&mut reactor, id, &mut peer, &mut message);
        // Across turns, with bytes that park it meanwhile.
        at(&mut reactor, id).pause();
        peer.write_all(&message).unwrap();
        for _ in 0..2 {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        at(&mut reactor, id).resume();
        let echoed = at(&mut reactor, id).bytes_read() + 64;
        while at(&mut reactor, id).bytes_read() < echoed {
            reactor.turn(Some(PATIENCE)).unwrap();
        }
        peer.read_exact(&mut message).unwrap();
    });
}

#[test]
fn sockets_that_come_after_room_was_made_for_them_allocate_nothing() {
    const SOCKETS: usize = 50; // others open theirs at the same time, and 1,024 descriptors are to do

    let accept_all = |reserved: usize| {
        let mut reactor = Reactor::new().unwrap();
        let accept = |socket: &mut Socket<'_>| {
            socket.set_timeout(Duration::from_secs(60));
            handler_fn(|_, _| ())
        };
        let server = reactor.net().listen("127.0.0.1:0", accept).unwrap();
        let address = inet(server.address().unwrap());
        reactor.net().reserve(reserved).unwrap();
        turn_until_quiet(&mut reactor);
        let _peers: Vec<TcpStream> = (0..SOCKETS).map(|_| plain_peer(address)).collect();
        measure(|| {
            turn_until(&mut reactor, |net| net.stats().accepted == SOCKETS as u64);
        })
        .count_total
    };
    assert_eq!(accept_all(SOCKETS), 0);
    assert!(accept_all(0) > 0, "or else it would not be worth a call");
}

#[test]
fn a_broadcast_allocates_nothing_for_sockets_that_take_it_whole() {
    // More than there are queues to lend, and with their peers less than 1,024 descriptors.
    const SOCKETS: usize = 400;

    let mut reactor = Reactor::new().unwrap();
    let ids: Rc<RefCell<Vec<SocketId>>> = Rc::default();
    let members = ids.clone();
    let address = listen(&mut reactor, move |socket: &mut Socket<'_>| {
        members.borrow_mut().push(socket.id());
        let members = members.clone();
        let news = Bytes::from_static(&[7; 1024]);
        handler_fn(move |socket, event| {
            if let Event::Data(_) = event {
                for &member in members.borrow().iter() {
                    let mut member = socket.net().socket(member).expect("an open socket");
                    assert!(member.write_bytes(news.clone()));
                }
            }
        })
    });
    let mut peers: Vec<TcpStream> = (0..SOCKETS).map(|_| plain_peer(address)).collect();
    turn_until(&mut reactor, |_| ids.borrow().len() == SOCKETS);
    turn_until_quiet(&mut reactor);

    let mut news = [0; 1024];
    assert_allocates_nothing(|| {
        peers[0].write_all(b"!").unwrap();
        reactor.turn(Some(PATIENCE)).unwrap();
        // They are with the kernel at the end of the turn.
        for peer in &mut peers {
            peer.read_exact(&mut news).unwrap();
            assert_eq!(news, [7; 1024]);
        }
    });
}
