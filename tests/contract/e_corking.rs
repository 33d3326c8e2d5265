//! Group E, writing: corks, and the counters of bytes (R51 to R53).
//!
//! UTF-8 against characters (R52) is none: bytes are what is written.

use crate::support::*;
use netloop::{Event, Reactor};
use std::io::Read;
use std::net::{TcpListener, TcpStream};

/// What the kernel had taken: drops the loop, and with it what it had queued.
fn bytes_that_left(reactor: Reactor, mut peer: TcpStream) -> Vec<u8> {
    drop(reactor);
    let mut left = Vec::new();
    peer.read_to_end(&mut left).unwrap();
    left
}

#[test]
fn r51_cork_nests_and_what_it_held_leaves_in_one_send() {
    let (mut reactor, log) = fresh();
    let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.cork();
    socket.cork();
    assert!(socket.write(&pattern(5000)), "below the mark");
    assert!(socket.write_bytes(pattern(5000).into()));
    assert!(socket.write_then(b"x", completion("x", &log)));
    socket.uncork();
    turn_until_quiet(&mut reactor);
    let mut socket = at(&mut reactor, us);
    assert_eq!(
        (socket.buffer_size(), socket.bytes_written()),
        (10_001, 10_001)
    );
    assert_eq!(sends(socket.net()), 0);
    assert_eq!(log.lines(), [""; 0]);
    socket.uncork();
    socket.uncork(); // one too many
    turn_until_line(&mut reactor, &log, "x ok");
    assert_eq!(sends(reactor.net()), 1);
    assert_eq!(at(&mut reactor, us).buffer_size(), 0);
    let mut got = vec![0; 10_001];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(got, [pattern(5000), pattern(5000), b"x".to_vec()].concat());
    assert!(at(&mut reactor, us).write(&pattern(5000)));
    assert_eq!(sends(reactor.net()), 2, "no longer corked");
}

#[test]
fn r51_corked_bytes_reach_the_mark_and_drain_after_uncork() {
    let (mut reactor, log) = fresh();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.cork();
    assert!(socket.write(&pattern(65_535)));
    assert!(!socket.write(b"x"));
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), [""; 0]);
    let mut socket = at(&mut reactor, us);
    assert!(socket.writable_need_drain());
    socket.uncork();
    turn_until_line(&mut reactor, &log, "us drain");
}

#[test]
fn r51_writable_corked_counts_the_uncorks_to_come() {
    let (mut reactor, log) = fresh();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    let mut us = at(&mut reactor, us);
    assert_eq!(us.writable_corked(), 0);
    us.cork();
    us.cork();
    assert_eq!(us.writable_corked(), 2);
    us.uncork();
    assert_eq!(us.writable_corked(), 1);
    us.end();
    assert_eq!(us.writable_corked(), 0);
}

#[test]
fn r51_end_uncorks_however_often_it_was_corked() {
    for ended_by_peer in [false, true] {
        let (mut reactor, log) = fresh();
        let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
        let mut socket = at(&mut reactor, us);
        socket.cork();
        socket.cork();
        socket.write(b"held");
        if ended_by_peer {
            peer.shutdown(std::net::Shutdown::Write).unwrap();
        } else {
            socket.end();
        }
        turn_until_line(&mut reactor, &log, "us finish");
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"held");
    }
}

#[test]
fn r51_destroy_drops_what_is_corked() {
    let (mut reactor, log) = fresh();
    let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.cork();
    socket.write_then(b"held", completion("held", &log));
    socket.destroy();
    turn_until_line(&mut reactor, &log, "us close false");
    assert_eq!(log.lines(), ["held ECANCELED", "us close false"]);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
}

/// Node's `write` has handed them over by then; here they were gathered.
#[test]
fn r51_cork_holds_back_only_what_is_written_after_it() {
    let (mut reactor, log) = fresh();
    let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
    let mut socket = at(&mut reactor, us);
    socket.write(b"before");
    socket.cork();
    socket.write(b"after");
    turn_until_quiet(&mut reactor);
    assert_eq!(at(&mut reactor, us).buffer_size(), 5);
    let mut got = [0; 6];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"before");
}

#[test]
fn r52_bytes_written_counts_at_the_write_once_and_survives_close() {
    let (mut reactor, log) = fresh();
    let told = log.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let handler = reacting("us", &log, move |socket, event| match event {
        Event::Connect => {
            assert_eq!(socket.bytes_written(), 3);
            socket.cork();
            socket.write(b"four");
            assert_eq!(socket.bytes_written(), 7);
        }
        Event::Close { .. } => told.push(format!("written {}", socket.bytes_written())),
        _ => {}
    });
    let address = listener.local_addr().unwrap();
    let mut socket = reactor.net().connect(address, handler).unwrap();
    let us = socket.id();
    socket.write(b"abc");
    assert_eq!(socket.bytes_written(), 3);
    turn_until_line(&mut reactor, &log, "us ready");
    let mut socket = at(&mut reactor, us);
    socket.uncork();
    socket.write(&vec![0; BIG]);
    assert_eq!(socket.bytes_written(), 7 + BIG as u64, "sent and queued");
    turn_until_quiet(&mut reactor);
    assert_eq!(at(&mut reactor, us).bytes_written(), 7 + BIG as u64);
    at(&mut reactor, us).destroy();
    turn_until_line(&mut reactor, &log, "us close false");
    assert!(log.has(&format!("written {}", 7 + BIG)), "{log:?}");
}

#[test]
fn r53_buffer_size_is_exactly_what_the_kernel_has_not_taken() {
    let (mut reactor, log) = fresh();
    let (us, peer) = accepted(&mut reactor, recorder("us", &log));
    let sent = pattern(BIG);
    let mut socket = at(&mut reactor, us);
    socket.write(&sent);
    socket.write(b"and more");
    turn_until_quiet(&mut reactor);
    let left = at(&mut reactor, us).buffer_size();
    let got = bytes_that_left(reactor, peer);
    assert_eq!(got.len() + left, BIG + 8);
    assert!(sent.starts_with(&got));
}

#[test]
fn r53_buffer_size_is_zero_at_finish() {
    let (mut reactor, log) = fresh();
    let told = log.clone();
    let handler = reacting("us", &log, move |socket, event| {
        if let Event::Finish = event {
            told.push(format!("left {}", socket.buffer_size()));
            assert!(socket.writable_finished());
        }
    });
    let (us, mut peer) = accepted(&mut reactor, handler);
    at(&mut reactor, us).end_with(&vec![0; BIG]);
    turn_until_quiet(&mut reactor);
    let socket = at(&mut reactor, us);
    assert!(socket.buffer_size() > 0 && !socket.writable_finished());
    read_while_turning(&mut reactor, &mut peer, BIG).unwrap();
    turn_until_line(&mut reactor, &log, "us finish");
    assert_eq!(log.lines(), ["us finish", "left 0"]);
}
