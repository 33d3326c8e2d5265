//! A socket's own word, taken in one go before and after what is done to it.

use std::time::Duration;

use crate::Socket;

/// What a socket says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) now: Duration,
    pub(super) destroyed: bool,
    pub(super) errored: bool,
    pub(super) writable: bool,
    pub(super) paused: bool,
    pub(super) queued: usize,
    pub(super) mark: usize,
    pub(super) read: u64,
    pub(super) written: u64,
    pub(super) connecting: bool,
    pub(super) corked: u32,
    /// The turn in which it said so.
    pub(super) turn: u64,
}

impl Seen {
    pub(super) fn of(socket: &mut Socket<'_>) -> Seen {
        let net = socket.bare_net(); // a look, which lets it gather on
        Seen {
            now: net.now(),
            turn: net.counters.turns,
            destroyed: socket.destroyed(),
            errored: socket.errored().is_some(),
            writable: socket.writable(),
            paused: socket.is_paused(),
            queued: socket.buffer_size(),
            mark: socket.writable_high_water_mark(),
            read: socket.bytes_read(),
            written: socket.bytes_written(),
            connecting: socket.connecting(),
            corked: socket.writable_corked(),
        }
    }
}
