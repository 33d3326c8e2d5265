//! `examples/embedded`: both loops are served by one.

use crate::support::example::{Example, installed};
use crate::support::{PATIENCE, Process, pattern, uninterrupted};
use crate::survival::Subject;
use std::io::Write;
use std::net::UdpSocket;
use std::process::{Command, Stdio};

#[test]
fn survives_everything() {
    let bytes = pattern(1000);
    Subject {
        name: "embedded",
        arguments: vec!["0".into()],
        question: bytes.clone(),
        answer: bytes,
        varies: 0..0,
    }
    .survives_everything();
}

#[test]
fn datagrams_come_back_as_well() {
    let example = Example::start("embedded", &["0"]);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.connect(example.address).unwrap();
    udp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = vec![0; 70_000];
    for bytes in [0, 1, 1000, 60_000] {
        let sent = pattern(bytes);
        udp.send(&sent).unwrap();
        let back = uninterrupted(|| udp.recv(&mut buffer)).unwrap();
        assert_eq!(&buffer[..back], &sent);
    }
}

#[test]
fn netcat_gets_its_bytes_back() {
    if !installed("nc", "-h", "OpenBSD netcat") {
        return;
    }
    let example = Example::start("embedded", &["0"]);
    let (host, port) = (
        example.address.ip().to_string(),
        example.address.port().to_string(),
    );
    let mut netcat = Command::new("nc")
        .args(["-N", "-w", "20", &host, &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Process)
        .unwrap();
    let mut input = netcat.0.stdin.take().expect("a pipe");
    input.write_all(b"hello").unwrap();
    drop(input);
    assert_eq!(netcat.output(), b"hello");
}
