//! Signals of the process.

use super::{Reactor, tell};

impl Reactor {
    /// Calls those who listen to a signal that has come, each once. After a panic in one of them the
    /// others are called in the next turn.
    pub(super) fn run_signals(&mut self) {
        let net = &mut self.net;
        for _ in 0..net.take_signals() {
            match net.next_signal() {
                Some((key, callback)) => tell::signal(net, key, callback),
                None => break,
            }
        }
    }
}
