//! `examples/per_core`: several loops on one port, and an end that tells what each has done.

use crate::support::example::{Example, example_command, installed};
use crate::support::{Process, pattern, plain_peer};
use crate::survival::Subject;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[test]
fn survives_everything() {
    let bytes = pattern(1000);
    Subject {
        name: "per_core",
        // With one loop all peers meet, and its memory is that of the process.
        arguments: ["0", "--threads", "1"].map(String::from).to_vec(),
        question: bytes.clone(),
        answer: bytes,
        varies: 0..0,
    }
    .survives_everything();
}

#[test]
fn every_thread_serves_its_share_and_tells_it_at_the_end() {
    let mut example = example_command(None, "per_core", &["0", "--threads", "3"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Process)
        .unwrap();
    let mut lines = BufReader::new(example.0.stdout.take().expect("a pipe")).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first
        .strip_prefix("listening on ")
        .unwrap()
        .parse()
        .unwrap();
    let mut peers: Vec<TcpStream> = (0..60).map(|_| plain_peer(address)).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        let sent = [number as u8; 100];
        peer.write_all(&sent).unwrap();
        let mut back = [0; 100];
        peer.read_exact(&mut back).unwrap();
        assert_eq!(back, sent);
    }
    example
        .0
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"\n")
        .unwrap();
    let mut served = 0;
    for thread in 0..3 {
        let line = lines.next().unwrap().unwrap();
        let rest = line.strip_prefix(&format!("thread {thread}: "));
        let count = rest.and_then(|rest| rest.split(' ').next());
        let count: usize = count.unwrap_or_default().parse().unwrap();
        if cfg!(target_os = "linux") {
            assert!(count > 0, "the kernel spreads connections: {line}");
        }
        served += count;
    }
    assert_eq!(served, peers.len());
    assert!(lines.next().is_none());
    assert!(example.0.wait().unwrap().success());
}

#[test]
fn netcat_gets_its_bytes_back() {
    if !installed("nc", "-h", "OpenBSD netcat") {
        return;
    }
    let example = Example::start("per_core", &["0", "--threads", "2"]);
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
    netcat
        .0
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"hello")
        .unwrap();
    assert_eq!(netcat.output(), b"hello");
}

#[test]
fn bad_arguments_exit_2() {
    for arguments in [
        &["0", "--threads"][..],
        &["0", "--threads", "0"],
        &["0", "--threads", "many"],
        &["0", "1"],
    ] {
        let (code, words) = Example::refused("per_core", arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {words}");
    }
}

#[test]
#[cfg(target_os = "linux")] // for the way in which no thread can be had
fn without_a_thread_it_says_so_and_exits_1() {
    for threads in ["1", "2"] {
        // The first reads the keyboard, the other one would serve. No address space holds such a stack.
        let mut command = example_command(None, "per_core", &["0", "--threads", threads]);
        command.env("RUST_MIN_STACK", (1_u64 << 48).to_string());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{threads}: {words}");
        assert!(words.starts_with("no thread could be started: "), "{words}");
        assert_eq!(words.lines().count(), 1, "{words}");
        assert!(output.stdout.is_empty(), "it does not listen");
    }
}
