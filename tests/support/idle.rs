//! An idle timeout as peers meet it: who falls silent is closed, and who speaks is kept.

use super::PATIENCE;
use super::example::Example;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Asserts that `server` closes, after `idle` and not before, a peer that says one of `last_words` and then
/// nothing, and meanwhile keeps one that goes on to `speak`, which includes an answer.
pub fn assert_idle_timeout(
    server: &Example,
    idle: Duration,
    last_words: &[&[u8]],
    speak: fn(&mut TcpStream) -> io::Result<()>,
) {
    // Where the test itself was kept from speaking for so long, nothing is shown: once more.
    let shown = (0..50).any(|_| talker_outlives_silent_peers(server, idle, last_words, speak));
    assert!(
        shown,
        "does this machine let no thread speak every {idle:?}?"
    );
}

/// False if this thread itself was silent for the whole timeout, and one of its peers cut off for it.
fn talker_outlives_silent_peers(
    server: &Example,
    idle: Duration,
    last_words: &[&[u8]],
    speak: fn(&mut TcpStream) -> io::Result<()>,
) -> bool {
    let mut spoke = Instant::now();
    let mut talker = server.connect();
    for words in last_words {
        let connecting = Instant::now();
        let mut silent = server.connect();
        let mut said = silent.write_all(words);
        silent.set_nonblocking(true).unwrap();
        loop {
            let speaking = Instant::now();
            if let Err(error) = speak(&mut talker) {
                assert!(spoke.elapsed() >= idle, "cut off while speaking: {error}");
                return false;
            }
            spoke = speaking;
            match said.and_then(|()| silent.read(&mut [0; 4096])) {
                Ok(0) => break,
                Ok(_) => {} // the answer to its words
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => {
                    assert!(connecting.elapsed() >= idle, "cut off early: {error}");
                    return false; // before it had said its words
                }
            }
            said = Ok(());
            assert!(connecting.elapsed() < PATIENCE, "never closed");
        }
        assert!(connecting.elapsed() >= idle, "closed early");
    }
    true
}
