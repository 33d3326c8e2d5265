//! A peer that vanished says nothing, so the kernel has to ask: each server that has no idle timeout sees to
//! that, on every connection. All but the echo, which is measured beside echoes that do not.
#![cfg(target_os = "linux")] // whose table of connections tells which timer runs

use crate::support::example::Example;
use crate::support::{PATIENCE, accept};
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

/// As the kernel's table writes it.
fn words(address: SocketAddr) -> String {
    let IpAddr::V4(ip) = address.ip() else {
        panic!("{address} is not of IPv4");
    };
    let ip = u32::from_ne_bytes(ip.octets());
    format!("{ip:08X}:{:04X}", address.port())
}

/// When the kernel asks `peer` whether it is there, if it does. Only one of a connection's timers is told;
/// others come before that of keep-alive, but not for long.
fn next_probe(own: SocketAddr, peer: SocketAddr) -> Option<Duration> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let ends = [words(own), words(peer)];
    let mut rows = table.lines().map(|row| row.split_whitespace());
    let mut row = rows.find(|row| row.clone().skip(1).take(2).eq(&ends))?;
    let hundredths = row.nth(5)?.strip_prefix("02:")?;
    let hundredths = u64::from_str_radix(hundredths, 16).unwrap();
    Some(Duration::from_millis(10 * hundredths))
}

#[track_caller]
fn assert_probes(name: &str, own: SocketAddr, peer: SocketAddr) {
    let deadline = Instant::now() + PATIENCE;
    // Unless told when to begin it waits for two hours, as it does until it was told.
    let soon = |next: Option<Duration>| next.is_some_and(|next| next <= Duration::from_secs(60));
    let mut next = next_probe(own, peer);
    while !soon(next) {
        assert!(Instant::now() < deadline, "{name}: asks in {next:?}");
        std::thread::yield_now();
        next = next_probe(own, peer);
    }
}

#[test]
fn silent_clients_are_asked_whether_they_are_there() {
    for name in ["chat", "embedded", "kv", "offload", "per_core"] {
        let server = Example::start(name, &["0"]);
        let peer = server.connect();
        assert_probes(name, server.address, peer.local_addr().unwrap());
    }
}

#[test]
fn a_proxy_asks_on_both_sides() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    let proxy = Example::start("proxy", &["0", &address.to_string()]);
    let client = proxy.connect();
    let far = accept(&upstream);
    assert_probes("a client", proxy.address, client.local_addr().unwrap());
    assert_probes("an upstream", far.peer_addr().unwrap(), address);
}
