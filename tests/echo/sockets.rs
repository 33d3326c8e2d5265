//! The example among plain sockets: what good, slow, rude and silent peers get.

use crate::example;
use crate::support::idle::assert_idle_timeout;
use crate::support::{pattern, uninterrupted};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

/// Sends all of `bytes` and the FIN in one thread while reading to the end in this one.
pub(crate) fn through(mut peer: TcpStream, bytes: &[u8]) -> Vec<u8> {
    let mut back = Vec::new();
    thread::scope(|scope| {
        let mut sender = peer.try_clone().unwrap();
        scope.spawn(move || {
            sender.write_all(bytes).unwrap();
            sender.shutdown(Shutdown::Write).unwrap();
        });
        peer.read_to_end(&mut back).unwrap();
    });
    back
}

/// Tells the first difference instead of megabytes of bytes.
#[track_caller]
pub(crate) fn assert_same(back: &[u8], sent: &[u8]) {
    let same = back.iter().zip(sent).take_while(|(a, b)| a == b).count();
    assert!(
        back == sent,
        "of {} bytes {} came back, and the first {same} are right",
        sent.len(),
        back.len()
    );
}

/// One small message there and back.
fn round_trip(peer: &mut TcpStream) -> std::io::Result<()> {
    let mut back = [0; 5];
    peer.write_all(b"hello")?;
    peer.read_exact(&mut back)?;
    assert_eq!(&back, b"hello");
    Ok(())
}

/// Numbers that only look random: a failing run can be repeated.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }

    /// Mostly a few bytes, now and then many.
    fn chunk(&mut self) -> usize {
        let bound = [4, 64, 1500, 40_000][self.below(4)];
        1 + self.below(bound)
    }
}

#[test]
fn every_byte_comes_back_and_then_the_end() {
    let echo = example::start();
    for bytes in [0, 1, 65_536, 8_000_000] {
        let sent = pattern(bytes);
        assert_same(&through(echo.connect(), &sent), &sent);
    }
}

#[test]
#[cfg(target_os = "linux")] // for MSG_MORE
fn bytes_that_come_together_with_the_fin_are_sent_back() {
    let echo = example::start();
    for bytes in [1, 100, 1000, 10_000] {
        let mut peer = echo.connect();
        let sent = pattern(bytes);
        // The kernel holds them back for more, and what comes is the FIN.
        let socket = socket2::SockRef::from(&peer);
        assert_eq!(
            socket.send_with_flags(&sent, libc::MSG_MORE).unwrap(),
            bytes
        );
        peer.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        peer.read_to_end(&mut back).unwrap();
        assert_same(&back, &sent);
    }
}

#[test]
fn many_connections_in_chunks_of_any_size_get_their_own_bytes_back() {
    let echo = example::start();
    thread::scope(|scope| {
        for seed in 1..=40 {
            let peer = echo.connect();
            scope.spawn(move || chunked(peer, seed));
        }
    });
}

/// Sends bytes that no other connection has, and reads them, both in chunks of any size.
fn chunked(mut peer: TcpStream, seed: u64) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let sent: Vec<u8> = (0..200_000).map(|_| chance.below(256) as u8).collect();
    let mut back = Vec::new();
    thread::scope(|scope| {
        let mut sender = peer.try_clone().unwrap();
        let mut rest = &sent[..];
        let mut sizes = Chance(seed);
        scope.spawn(move || {
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(sizes.chunk().min(rest.len()));
                sender.write_all(chunk).unwrap();
                rest = after;
            }
            sender.shutdown(Shutdown::Write).unwrap();
        });
        let mut buffer = vec![0; 40_000];
        loop {
            match uninterrupted(|| peer.read(&mut buffer[..chance.chunk()])).unwrap() {
                0 => break,
                bytes => back.extend_from_slice(&buffer[..bytes]),
            }
        }
    });
    assert_same(&back, &sent);
}

#[test]
#[cfg(target_os = "linux")] // for /proc
fn peers_that_do_not_read_cost_their_high_water_mark_and_nobody_else_anything() {
    const PEERS: u64 = 3;

    let echo = example::start();
    let mut other = echo.connect();
    round_trip(&mut other).unwrap();
    let before = echo.memory_kib("VmRSS");
    let sent = pattern(251 * 256).repeat(1000); // far more than the kernel holds of one connection
    let mut stuck = Vec::new();
    for _ in 0..PEERS {
        let mut peer = echo.connect();
        let socket = socket2::SockRef::from(&peer);
        socket.set_recv_buffer_size(32 * 1024).unwrap();
        // No byte for so long: nobody takes any more. Too short would only make the test easier.
        let silence = Some(Duration::from_millis(100));
        peer.set_write_timeout(silence).unwrap();
        let mut taken = 0;
        while let Ok(bytes) = uninterrupted(|| peer.write(&sent[taken..])) {
            taken += bytes;
            assert!(taken < sent.len(), "the server takes whatever comes");
        }
        round_trip(&mut other).unwrap();
        stuck.push((peer, taken));
    }

    for (mut peer, taken) in stuck {
        peer.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        peer.read_to_end(&mut back).unwrap();
        assert_same(&back, &sent[..taken]);
    }
    // The mark, what one read brings beyond it, and as much again for good measure.
    let grown = echo.memory_kib("VmHWM") - before;
    assert!(grown < 256 * PEERS, "{grown} KiB for {PEERS} peers");
}

#[test]
fn an_idle_timeout_closes_the_silent_and_keeps_the_active() {
    let echo = example::start_with(&["0", "--idle-timeout-ms", "60"]);
    let idle = Duration::from_millis(60);
    assert_idle_timeout(&echo, idle, &[b"", b"hello", b""], round_trip);
}
