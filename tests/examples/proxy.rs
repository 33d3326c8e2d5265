//! `examples/proxy`: between clients and an echo, and where there is no echo.

use crate::support::example::{Example, installed};
use crate::support::{
    PATIENCE, Process, accept, how_it_closed, pattern, refusing, reset, unanswering,
};
use crate::survival::Subject;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

fn start(upstreams: &[SocketAddr]) -> Example {
    start_with(upstreams, &[])
}

fn start_with(upstreams: &[SocketAddr], more: &[&str]) -> Example {
    let upstreams: Vec<String> = upstreams.iter().map(SocketAddr::to_string).collect();
    let mut arguments = vec!["0"];
    arguments.extend(upstreams.iter().map(String::as_str));
    arguments.extend(more);
    Example::start("proxy", &arguments)
}

fn echo() -> Example {
    Example::start("echo", &["0"])
}

#[track_caller]
fn assert_echoes(peer: &mut TcpStream) {
    peer.write_all(b"hello").unwrap();
    let mut back = [0; 5];
    peer.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"hello");
}

/// A peer whose connection is cut must not take that for an end.
#[track_caller]
fn assert_reset(peer: TcpStream) {
    assert_eq!(how_it_closed(peer), (0, Some(ErrorKind::ConnectionReset)));
}

#[test]
fn survives_its_peers() {
    let echo = echo();
    let bytes = pattern(1000);
    Subject {
        name: "proxy",
        arguments: vec!["0".into(), echo.address.to_string()],
        question: bytes.clone(),
        answer: bytes,
        varies: 0..0,
    }
    .survives_its_peers();
}

#[test]
fn what_has_no_end_yet_comes_back_behind_the_end_of_the_client() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = start(&[upstream.local_addr().unwrap()]);
    let mut client = proxy.connect();
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut far = accept(&upstream);
    let mut question = Vec::new();
    far.read_to_end(&mut question).unwrap(); // the end is carried over
    assert_eq!(question, b"question");
    let answer = pattern(1_000_000);
    thread::scope(|scope| {
        let answer = &answer;
        scope.spawn(move || far.write_all(answer).unwrap());
        let mut back = Vec::new();
        client.read_to_end(&mut back).unwrap();
        assert!(back == *answer, "{} bytes", back.len());
    });
}

#[test]
fn resets_are_carried_over_both_ways() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = start(&[upstream.local_addr().unwrap()]);
    let client = proxy.connect();
    let far = accept(&upstream);
    reset(far);
    assert_reset(client);
    let client = proxy.connect();
    let far = accept(&upstream);
    reset(client);
    assert_reset(far);
}

#[test]
fn clients_take_turns_at_the_upstreams() {
    let upstreams = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = upstreams.each_ref().map(|it| it.local_addr().unwrap());
    let proxy = start(&addresses);
    let mut clients = Vec::new();
    for _ in 0..2 {
        for upstream in &upstreams {
            clients.push(proxy.connect());
            accept(upstream); // waits until it comes to this very one
        }
    }
}

#[test]
fn the_next_upstream_is_tried_when_one_refuses_or_does_not_answer() {
    let (_refusing, refuses) = refusing();
    let (_unanswering, silent) = unanswering();
    let echo = echo();
    let upstreams = [refuses, silent, echo.address];
    let proxy = start_with(&upstreams, &["--connect-timeout-ms", "50"]);
    for _ in 0..3 {
        assert_echoes(&mut proxy.connect());
    }
}

#[test]
fn a_client_that_no_upstream_takes_is_reset() {
    let (_refusing, refuses) = refusing();
    let (_unanswering, silent) = unanswering();
    let proxy = start_with(&[refuses, silent], &["--connect-timeout-ms", "50"]);
    for _ in 0..3 {
        assert_reset(proxy.connect());
    }
}

#[test]
fn a_lack_of_descriptors_costs_newcomers_their_place_and_nobody_else() {
    const MOST: u32 = 30;

    let echo = echo();
    let arguments = ["0", &echo.address.to_string()];
    let proxy = Example::start_with_descriptors(MOST, "proxy", &arguments);
    let mut first = proxy.connect();
    assert_echoes(&mut first);
    let peers: Vec<TcpStream> = (0..2 * MOST).map(|_| proxy.connect()).collect();
    let deadline = Instant::now() + PATIENCE;
    let was_reset = |mut peer: &TcpStream| {
        peer.set_nonblocking(true).unwrap();
        let read = peer.read(&mut [0]);
        read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    };
    // Who has come finds no descriptor for an upstream, or, if pairs fit exactly, nobody comes in. One that was
    // inherited may have a number beyond the limit.
    let is_full = || proxy.descriptors() >= MOST as usize;
    while !peers.iter().any(was_reset) && !is_full() {
        let open = proxy.descriptors();
        assert!(Instant::now() < deadline, "there was no lack: {open} open");
        assert_echoes(&mut first);
    }
    drop(peers);
    assert_echoes(&mut first);
    // With the others gone there is room again.
    loop {
        let mut peer = proxy.connect();
        let _ = peer.write_all(b"x");
        if peer.read(&mut [0]).is_ok_and(|bytes| bytes == 1) {
            break;
        }
        assert!(Instant::now() < deadline, "no room");
    }
}

#[test]
fn bad_arguments_exit_2() {
    for arguments in [
        &["0"][..],
        &["0", "somewhere"],
        &["0", "1", "--connect-timeout-ms"],
        &["0", "1", "--connect-timeout-ms", "0"],
    ] {
        let (code, words) = Example::refused("proxy", arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {words}");
    }
}

#[test]
fn netcat_gets_every_byte_back_through_it() {
    if !installed("nc", "-h", "OpenBSD netcat") {
        return;
    }
    let echo = echo();
    let proxy = start(&[echo.address]);
    let bytes = pattern(1_000_000);
    let (host, port) = (
        proxy.address.ip().to_string(),
        proxy.address.port().to_string(),
    );
    let mut netcat = Command::new("nc")
        .args(["-N", "-w", "20", &host, &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Process)
        .unwrap();
    let mut input = netcat.0.stdin.take().expect("a pipe");
    let back = thread::scope(|scope| {
        scope.spawn(|| {
            input.write_all(&bytes).unwrap();
            drop(input);
        });
        netcat.output()
    });
    assert!(back == bytes, "{} bytes", back.len());
}
