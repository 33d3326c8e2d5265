//! What every server has to live through: peers that read late, end early, reset, and are too many.

use crate::support::example::Example;
use crate::support::{PATIENCE, reset, uninterrupted};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

/// A server that answers each question with the same bytes, or nearly so, at once.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<String>,
    pub(crate) question: Vec<u8>,
    pub(crate) answer: Vec<u8>,
    /// What of the answer may be different each time.
    pub(crate) varies: Range<usize>,
}

impl Subject {
    fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    fn start(&self) -> Example {
        Example::start(self.name, &self.arguments())
    }

    #[track_caller]
    fn ask(&self, peer: &mut TcpStream) {
        peer.write_all(&self.question).unwrap();
        self.assert_answers(peer, 1);
    }

    #[track_caller]
    fn assert_answers(&self, peer: &mut TcpStream, times: usize) {
        let mut answer = vec![0; self.answer.len()];
        for time in 0..times {
            peer.read_exact(&mut answer).unwrap();
            answer[self.varies.clone()].copy_from_slice(&self.answer[self.varies.clone()]);
            assert!(
                answer == self.answer,
                "answer {time}: {}",
                answer.escape_ascii()
            );
        }
    }

    pub(crate) fn survives_everything(&self) {
        self.survives_its_peers();
        self.survives_a_lack_of_descriptors();
    }

    pub(crate) fn survives_its_peers(&self) {
        self.survives_slow_readers();
        self.answers_who_has_ended();
        self.survives_resets();
    }

    fn survives_slow_readers(&self) {
        let server = self.start();
        let mut other = server.connect();
        self.ask(&mut other);
        #[cfg(target_os = "linux")]
        let before = server.memory_kib("VmRSS");
        let mut slow = server.connect();
        let socket = socket2::SockRef::from(&slow);
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        // No byte for so long: nobody takes any more. Too short would only make the test easier.
        let silence = Some(Duration::from_millis(100));
        slow.set_write_timeout(silence).unwrap();
        let block = self.question.repeat(1 + 100_000 / self.question.len());
        let mut taken = 0;
        let mut silent = false;
        loop {
            match uninterrupted(|| slow.write(&block[taken % block.len()..])) {
                Ok(bytes) => {
                    taken += bytes;
                    silent = false;
                    assert!(taken < 100 << 20, "the server takes whatever comes");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                    if silent {
                        break;
                    }
                    // It may be that the server had no turn for so long. Then it has one now.
                    silent = true;
                    self.ask(&mut other);
                }
            }
        }
        socket2::SockRef::from(&slow)
            .set_recv_buffer_size(1 << 20)
            .unwrap(); // it makes up for it
        let whole = taken / self.question.len();
        let rest = taken % self.question.len();
        self.assert_answers(&mut slow, whole);
        if rest > 0 {
            slow.write_all(&self.question[rest..]).unwrap();
            self.assert_answers(&mut slow, 1);
        }
        #[cfg(target_os = "linux")]
        {
            // The mark, the rest of one read and what it is answered with, at both ends of a proxy. The
            // rest is room for pages of code and for the kernel, which counts in batches for each core.
            let grown = server.memory_kib("VmHWM") - before;
            assert!(grown < 1024, "{grown} KiB for one slow reader");
        }
    }

    fn answers_who_has_ended(&self) {
        let server = self.start();
        let mut peer = server.connect();
        peer.write_all(&self.question.repeat(3)).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        self.assert_answers(&mut peer, 3);
        let mut more = Vec::new();
        peer.read_to_end(&mut more).unwrap();
        assert_eq!(more.escape_ascii().to_string(), "", "an end");
    }

    fn survives_resets(&self) {
        let server = self.start();
        let mut other = server.connect();
        self.ask(&mut other);
        #[cfg(target_os = "linux")]
        let descriptors = server.descriptors();
        let question = self.question.repeat(1000);
        for read_first in [0, 1, self.answer.len() * 10] {
            let mut rude = server.connect();
            rude.write_all(&question).unwrap();
            rude.read_exact(&mut vec![0; read_first]).unwrap();
            reset(rude);
            let half = &question[..self.question.len() / 2];
            let mut cut_off = server.connect();
            cut_off.write_all(half).unwrap();
            reset(cut_off);
            self.ask(&mut other);
        }
        #[cfg(target_os = "linux")]
        {
            // Each answer is a turn of the server's loop.
            let deadline = Instant::now() + PATIENCE;
            while server.descriptors() > descriptors {
                assert!(Instant::now() < deadline, "a descriptor was not closed");
                self.ask(&mut other);
            }
        }
    }

    fn survives_a_lack_of_descriptors(&self) {
        const MOST: u32 = 30;

        let server = Example::start_with_descriptors(MOST, self.name, &self.arguments());
        let mut peers: Vec<TcpStream> = (0..2 * MOST).map(|_| server.connect()).collect();
        for peer in &mut peers {
            peer.write_all(&self.question).unwrap();
        }
        // The first have been served; among the last are some that wait.
        self.assert_answers(&mut peers[0], 1);
        let mut waiting = peers.pop().expect("many peers");
        waiting.set_nonblocking(true).unwrap();
        self.ask(&mut peers[0]);
        let early = waiting.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(early, Err(ErrorKind::WouldBlock), "there was no lack");
        drop(peers);
        waiting.set_nonblocking(false).unwrap();
        self.assert_answers(&mut waiting, 1);
    }
}

/// Of the echo, in bytes and in lines: what else is expected of it has a place of its own (`tests/echo`).
#[test]
fn an_echo_survives_everything() {
    for (arguments, end) in [(&["0"][..], 0), (&["0", "--lines"], b'\n')] {
        let mut bytes = [b'e'; 1000];
        bytes[999] = end;
        Subject {
            name: "echo",
            arguments: arguments.iter().copied().map(String::from).collect(),
            question: bytes.to_vec(),
            answer: bytes.to_vec(),
            varies: 0..0,
        }
        .survives_everything();
    }
}

/// All but an end behind the question: who has ended has left (`tests/offload.rs`).
#[test]
fn offload_survives_slow_readers_resets_and_a_lack_of_descriptors() {
    let word = [b'd'; 500];
    let offload = Subject {
        name: "offload",
        arguments: vec!["0".into()],
        question: [b"0 ", &word[..], b"\n"].concat(),
        answer: [&word[..], b"\n"].concat(),
        varies: 0..0,
    };
    offload.survives_slow_readers();
    offload.survives_resets();
    offload.survives_a_lack_of_descriptors();
}
