//! Examples that nobody listens to: whatever they print fails, and they go on.
#![cfg(target_os = "linux")] // which has /dev/full, and all of 127.0.0.0/8

use crate::support::example::{Example, deaf, example_command};
use crate::support::{PATIENCE, Process, refusing, uninterrupted};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

fn unheard(name: &str, arguments: &[&str]) -> Command {
    let mut command = example_command(None, name, arguments);
    command.stdin(Stdio::null()).stdout(deaf()).stderr(deaf());
    command
}

/// Asks until somebody listens there, which nobody can tell.
fn ask(address: SocketAddr, server: &mut Process, name: &str) {
    let deadline = Instant::now() + PATIENCE;
    let mut peer = loop {
        if let Ok(peer) = TcpStream::connect(address) {
            break peer;
        }
        let ended = server.0.try_wait().unwrap();
        assert!(ended.is_none(), "{name} has ended: {ended:?}");
        assert!(Instant::now() < deadline, "{name} does not listen");
        std::thread::yield_now();
    };
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.write_all(b"PING\r\n\r\n").unwrap(); // each of them has something to say to that
    let answered = uninterrupted(|| peer.read(&mut [0]));
    assert!(matches!(answered, Ok(1)), "{name}: {answered:?}");
}

#[test]
fn a_server_whose_words_nobody_takes_serves_all_the_same() {
    let echo = Example::start("echo", &["0"]);
    let (_refusing, refuses) = refusing();
    let (echo, refuses) = (echo.address.to_string(), refuses.to_string());
    for (number, (name, more)) in [
        ("chat", &[][..]),
        ("echo", &[]),
        ("embedded", &[]),
        ("http", &[]),
        ("kv", &[]),
        ("offload", &[]),
        ("per_core", &[]),
        ("proxy", &[&*refuses, &*echo]), // it complains of the first
    ]
    .into_iter()
    .enumerate()
    {
        // A port that nobody else gets as long as it is held here, at an address that nobody else has.
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let ip = Ipv4Addr::new(127, 77, 0, number as u8 + 1);
        let address = SocketAddr::from((ip, held.local_addr().unwrap().port()));
        let words = address.to_string();
        let arguments = [&[&*words], more].concat();
        let mut server = Process(unheard(name, &arguments).spawn().unwrap());
        for _ in 0..2 {
            ask(address, &mut server, name);
        }
    }
}

#[test]
fn an_army_that_cannot_report_comes_to_its_end() {
    let (_refusing, refuses) = refusing();
    let target = refuses.to_string();
    let arguments = [&*target, "--connections", "3", "--seconds", "0"];
    let status = unheard("idle_army", &arguments).status().unwrap();
    assert!(status.success(), "{status}");
}
