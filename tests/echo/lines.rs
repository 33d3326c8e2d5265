//! The example with `--lines`: each line is answered when it is whole, and none is kept without bound.

use crate::example;
use crate::sockets::{assert_same, through};
use crate::support::{pattern, uninterrupted};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

const LONGEST: usize = 64 * 1024;

fn read(peer: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut back = vec![0; bytes];
    peer.read_exact(&mut back).unwrap();
    back
}

#[test]
fn a_line_comes_back_once_its_newline_has_come() {
    let echo = example::start_with(&["0", "--lines"]);
    let (mut peer, mut other) = (echo.connect(), echo.connect());
    peer.write_all(b"one\n\ntw").unwrap();
    assert_eq!(read(&mut peer, 5), b"one\n\n");
    peer.write_all(b"o").unwrap();
    // A round trip of another peer is a turn of the server's loop.
    for _ in 0..2 {
        other.write_all(b"other\n").unwrap();
        read(&mut other, 6);
    }
    peer.set_nonblocking(true).unwrap();
    let early = peer.read(&mut [0; 1]).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    peer.set_nonblocking(false).unwrap();
    peer.write_all(b"\n").unwrap();
    assert_eq!(read(&mut peer, 4), b"two\n");
}

#[test]
fn lines_of_any_length_come_back_whole_and_in_order() {
    let echo = example::start_with(&["0", "--lines"]);
    let mut sent = Vec::new();
    for length in (1..2000).chain([10_000, 65_535, LONGEST]) {
        sent.resize(sent.len() + length - 1, b'0' + (length % 64) as u8);
        sent.push(b'\n');
    }
    assert_same(&through(echo.connect(), &sent), &sent);
}

#[test]
fn a_line_of_more_than_64_kib_costs_its_peer_the_connection() {
    let echo = example::start_with(&["0", "--lines"]);
    let mut other = echo.connect();
    for size in [LONGEST + 1, 4 * LONGEST] {
        let mut peer = echo.connect();
        let line: Vec<u8> = pattern(size).into_iter().map(|byte| byte | 128).collect();
        let _ = peer.write_all(&line); // it may be refused by then
        // A reset instead of an end, if something of the line was not read.
        let end = uninterrupted(|| peer.read(&mut [0; 1])).or_else(|error| match error.kind() {
            ErrorKind::ConnectionReset => Ok(0),
            _ => Err(error),
        });
        assert_eq!(end.unwrap(), 0, "{size}");
        other.write_all(b"still here\n").unwrap();
        assert_eq!(read(&mut other, 11), b"still here\n");
    }
}
