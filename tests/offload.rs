//! `examples/offload.rs` as its users meet it: a process of its own, and clients that wait, or do not.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use support::example::Example;

/// Longer than any test: what takes this long is still at work when the test is over.
const FOR_EVER: &[u8] = b"60000 never\n";

fn start() -> Example {
    Example::start("offload", &["0"])
}

#[track_caller]
fn assert_answer(client: &TcpStream, expected: &str) {
    let mut line = String::new();
    BufReader::new(client).read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), expected);
}

#[test]
fn a_slow_answer_keeps_nobody_waiting_not_even_who_asked() {
    let example = start();
    let (mut slow, mut quick) = (example.connect(), example.connect());
    for _ in 0..3 {
        slow.write_all(FOR_EVER).unwrap();
        quick.write_all(b"0 stressed\n").unwrap();
        assert_answer(&quick, "desserts");
    }
    slow.write_all(b"0 not held up\n").unwrap();
    assert_answer(&slow, "pu dleh ton");
}

#[test]
fn many_clients_ask_at_once_and_each_gets_its_own_answer() {
    let example = start();
    let mut clients: Vec<_> = (0..50).map(|_| example.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        // In pieces, as TCP may bring it.
        client.write_all(b"5 c").unwrap();
        client.write_all(format!("{number}\n").as_bytes()).unwrap();
    }
    for (number, client) in clients.iter().enumerate() {
        let backwards: String = number.to_string().chars().rev().collect();
        assert_answer(client, &format!("{backwards}c"));
    }
}

#[test]
fn an_answer_whose_client_has_left_goes_to_nobody() {
    let mut example = start();
    let mut leaver = example.connect();
    let address = leaver.local_addr().unwrap();
    leaver.write_all(b"300 for nobody\n").unwrap();
    drop(leaver);
    // Who comes next gets the slot, and may not get the answer.
    let mut next = example.connect();
    assert_eq!(example.next_line(), format!("too late for {address}\n"));
    next.write_all(b"0 mine\n").unwrap();
    assert_answer(&next, "enim");
}

#[test]
fn a_line_that_is_too_long_is_no_question() {
    let example = start();
    // Nor is one whose end comes too late.
    for line in [vec![b'x'; 5000], [&[b'x'; 5000][..], b"\n"].concat()] {
        let mut client = example.connect();
        client.write_all(&line).unwrap();
        let _ = client.read(&mut [0]).map(|bytes| assert_eq!(bytes, 0)); // a FIN, or a reset
    }
    let mut next = example.connect();
    next.write_all(b"0 ok\n").unwrap();
    assert_answer(&next, "ko");
}
