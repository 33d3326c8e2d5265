//! `examples/offload.rs` as its users meet it: a process of its own, and clients that wait, or do not.

mod support;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
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
fn a_slow_answer_keeps_nobody_else_waiting_however_much_is_asked_behind_it() {
    let example = start();
    let (mut slow, mut quick) = (example.connect(), example.connect());
    slow.write_all(&FOR_EVER.repeat(5000)).unwrap(); // one thread is busy with that, and three are not
    for _ in 0..3 {
        quick.write_all(b"0 stressed\n").unwrap();
        assert_answer(&quick, "desserts");
    }
    slow.set_nonblocking(true).unwrap();
    let early = slow.read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(early, Err(ErrorKind::WouldBlock), "nor is any refused");
}

#[test]
fn questions_that_come_together_are_answered_one_after_the_other() {
    let example = start();
    let client = example.connect();
    // The first is the slowest, and all are more than may be under way in the loop.
    let questions: String = (0..2000)
        .map(|number| match number {
            0 => "50 first\n".into(),
            _ if number % 2 == 0 => format!("0 {number}\r\n"),
            _ => format!("0 {number}\n"),
        })
        .collect();
    let sent = client.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || (&sent).write_all(questions.as_bytes()).unwrap());
        let mut lines = BufReader::new(&client).lines();
        for number in 0..2000 {
            let question = match number {
                0 => "first".into(),
                _ => number.to_string(),
            };
            let answer: String = question.chars().rev().collect();
            assert_eq!(lines.next().unwrap().unwrap(), answer);
        }
    });
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
fn who_ends_behind_its_questions_has_left_when_the_last_is_asked() {
    let example = start();
    let mut client = example.connect();
    client.write_all(b"50 answered\n").unwrap();
    client.write_all(FOR_EVER).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answers = String::new();
    client.read_to_string(&mut answers).unwrap(); // to the end, which does not wait for the other answer
    assert_eq!(answers, "derewsna\n");
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
