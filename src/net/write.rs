//! `write`: what is accepted, what goes to the kernel at once, and what the answer is.
//!
//! A large write to an empty queue goes straight from the caller's slice; small ones are gathered
//! and leave in one call when the handler returns. In both cases the kernel is asked before the
//! answer is `false` (R40), unless it has just said no.

use super::Net;
use super::entry::{Completion, OnWritten, SocketEntry};
use super::flags::Flags;
use super::ids::Key;
use super::notes::Note;
use crate::Error;
use crate::connection::{QueuePool, Refusal};
use bytes::Bytes;

/// Bytes given to `write`.
pub(crate) enum Piece<'a> {
    /// To be copied where they have to wait.
    Borrowed(&'a [u8]),
    /// To be shared where they have to wait.
    Shared(Bytes),
}

impl Net {
    /// Accepts `piece` and answers whether more is welcome.
    pub(crate) fn write(&mut self, key: Key, piece: Piece<'_>, then: Option<OnWritten>) -> bool {
        let Some(entry) = self.sockets.get_mut(key) else {
            return false;
        };
        if let Some(refusal) = entry.refuses_write() {
            self.refuse(key, refusal, then);
            return false;
        }
        if entry.queue.len() > entry.write_cap() {
            let error = Error::buffer_full(entry.write_cap());
            self.refuse_with(key, error, then);
            return false;
        }
        let bytes = piece.as_slice().len();
        entry.bytes_written += bytes as u64;
        // A large piece goes past an empty queue; so does any of a broadcast once there is no queue
        // to lend, which then allocates nothing. The socket being served gathers in any case.
        let lends = self.serving == Some(key) || self.pool.can_lend();
        let straight = match bytes {
            0 => planted!(ZeroLengthWrite),
            _ => bytes >= self.limits.direct_write_bytes || !lends,
        };
        let taken = if straight && entry.queue.is_empty() && entry.may_send() {
            self.send_direct(key, piece.as_slice())
        } else {
            0
        };
        self.queue_rest(key, piece, taken, then)
    }

    /// Queues what the kernel did not take, asks it once more if the mark is reached, and answers.
    fn queue_rest(
        &mut self,
        key: Key,
        piece: Piece<'_>,
        taken: usize,
        then: Option<OnWritten>,
    ) -> bool {
        let Some(entry) = self.sockets.get_mut(key) else {
            return false;
        };
        if entry.lifecycle.is_destroyed() {
            // The direct write failed, so what it did not take was never queued.
            let error = entry
                .error()
                .cloned()
                .unwrap_or_else(|| Error::canceled("write"));
            self.complete_with(key, error, then);
            return false;
        }
        piece.queue(taken, entry, &mut self.pool);
        // Only now: while bytes are in neither place they would count as taken by the kernel.
        if let Some(run) = then {
            entry.await_written(None, run);
        }
        if entry.is_full() && entry.may_send() {
            self.drain_within(key, usize::MAX); // `false` means that the kernel takes no more (R40)
        }
        let Some(entry) = self.sockets.get_mut(key) else {
            return false;
        };
        if entry.lifecycle.is_destroyed() {
            return false; // the kernel was asked and said how the connection failed
        }
        let full = entry.is_full();
        if full {
            entry.flags.insert(Flags::NEED_DRAIN);
        }
        let written = entry.tells_written();
        let unsent = !entry.queue.is_empty() && entry.may_send();
        entry.recount(&mut self.alive);
        if unsent {
            self.mark_dirty(key);
        }
        if written {
            self.note(key, Note::Written);
        }
        !full
    }

    /// A write that can't be accepted: reported by the event, and nothing that was accepted before
    /// it is lost.
    fn refuse(&mut self, key: Key, refusal: Refusal, then: Option<OnWritten>) {
        match refusal {
            Refusal::AfterEnd => self.refuse_with(key, Error::write_after_end(), then),
            Refusal::EndedByPeer => self.refuse_with(key, Error::ended_by_peer(), then),
            // No `error` event: the socket has told, or will tell, its `close` (R49).
            Refusal::Destroyed => {
                if let Some(entry) = self.sockets.get(key) {
                    self.complete_with(key, too_late(entry), then);
                }
            }
        }
    }

    fn refuse_with(&mut self, key: Key, error: Error, then: Option<OnWritten>) {
        self.send_last(key);
        self.complete_with(key, error.clone(), then);
        self.fail(key, error);
    }

    fn complete_with(&mut self, key: Key, error: Error, then: Option<OnWritten>) {
        let (Some(run), Some(entry)) = (then, self.sockets.get_mut(key)) else {
            return;
        };
        entry.await_written(Some(error), run);
        if entry.was_connected() {
            self.note(key, Note::Written);
        }
    }

    /// Marks a socket to be flushed: the one being served when its handler returns, any other at
    /// the end of the turn.
    pub(crate) fn mark_dirty(&mut self, key: Key) {
        let serving = self.serving == Some(key);
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if entry.flags.raise(Flags::DIRTY) && !serving && !planted!(DirtyForgotten) {
            self.dirty.push_back(key);
        }
    }

    /// `flush_now()`: as much of the queue as the kernel takes, whatever the budget. That is a bound,
    /// too, since its buffer has one.
    pub(super) fn flush_now(&mut self, key: Key) {
        let queued = |entry: &SocketEntry| !entry.queue.is_empty() && entry.may_send();
        if self.sockets.get(key).is_some_and(queued) {
            self.drain_within(key, usize::MAX);
        }
    }

    /// Bytes that wait for their flush go to the kernel now, as they would have gone at
    /// once in Node: before a call that would hold them back.
    pub(crate) fn send_dirty(&mut self, key: Key) {
        let unsent = |entry: &SocketEntry| entry.flags.contains(Flags::DIRTY) && entry.may_send();
        if self.sockets.get(key).is_some_and(unsent) {
            self.drain(key);
        }
    }
}

impl SocketEntry {
    /// Lets `run` wait for everything that was accepted so far, or for its turn to hear `failed`.
    fn await_written(&mut self, failed: Option<Error>, run: OnWritten) {
        let at = self.bytes_written;
        let completion = Completion { at, failed, run };
        self.cold_mut().completions.push_back(completion);
    }
}

/// Why a destroyed socket takes no write: as in Node, who had ended comes first (R46, R47).
fn too_late(entry: &SocketEntry) -> Error {
    let ended = entry.flags.contains(Flags::ENDED);
    let by_both = entry.flags.contains(Flags::END_TOLD) && !entry.allows_half_open();
    match (ended, by_both) {
        (true, true) => Error::ended_by_peer(),
        (true, false) => Error::write_after_end(),
        (false, _) => Error::stream_destroyed("write"),
    }
}

impl Piece<'_> {
    fn as_slice(&self) -> &[u8] {
        match self {
            Piece::Borrowed(bytes) => bytes,
            Piece::Shared(bytes) => bytes,
        }
    }

    /// Queues all but the first `taken` bytes.
    fn queue(self, taken: usize, entry: &mut SocketEntry, pool: &mut QueuePool) {
        match self {
            Piece::Borrowed(bytes) => entry.queue.push_copy(&bytes[taken..], pool),
            Piece::Shared(mut bytes) => {
                let _ = bytes.split_to(taken);
                entry.queue.push_shared(bytes, pool);
            }
        }
    }
}
