//! `drain`: from a socket's queue to the kernel.
//!
//! The one place that asks the kernel to take queued bytes, and that sends the FIN behind the last
//! of them. What it reports, "flushed" and "shut", is what the rest of the library goes by: a layer
//! that transforms bytes on their way would stand here.

use super::entry::{Completion, Flags, OnWritten, SocketEntry};
use super::ids::Key;
use super::notes::Note;
use super::{Net, idle};
use crate::connection::{Front, Input};
use crate::{Error, Result};
use std::io;

impl Net {
    /// Hands queued bytes to the kernel until it says no, the queue is empty, or the budget is
    /// used up; then the FIN, if one is due.
    pub(crate) fn drain(&mut self, key: Key) {
        let mut budget = self.limits.write_bytes;
        while let Some(entry) = self.sockets.get_mut(key) {
            if entry.queue.is_empty() || !entry.may_send() {
                break;
            }
            if budget == 0 {
                self.mark_ready(key); // others first; the kernel would take more
                break;
            }
            let Some(stream) = &mut entry.stream else {
                break;
            };
            let (asked, outcome) = match entry.queue.front(budget) {
                Front::Empty => break,
                Front::One(bytes) => (bytes.len(), self.sys.write(stream, bytes)),
                Front::Many(chunks) => {
                    let slices = chunks.slices();
                    let outcome = self.sys.write_vectored(stream, slices.as_slice());
                    (slices.total_bytes(), outcome)
                }
            };
            let taken = self.after_send(key, asked, outcome);
            if let Some(entry) = self.sockets.get_mut(key) {
                entry.queue.advance(taken, &mut self.pool);
            }
            budget = budget.saturating_sub(taken);
        }
        self.after_drain(key);
    }

    /// Keeps what the kernel answered to a send; gives back how many bytes it took.
    pub(super) fn after_send(
        &mut self,
        key: Key,
        asked: usize,
        outcome: io::Result<usize>,
    ) -> usize {
        let Some(entry) = self.sockets.get_mut(key) else {
            return 0;
        };
        match outcome {
            Ok(taken) => {
                if taken > 0 {
                    idle::touch(entry, key, self.tick, &mut self.idle);
                }
                if taken < asked {
                    // Only after a short write does the kernel tell of room (P19).
                    entry.latch.blocked_write();
                    self.sync_interest(key, true);
                }
                taken
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                entry.latch.blocked_write();
                self.sync_interest(key, true);
                0
            }
            Err(error) => {
                self.fail(key, Error::io("write", error));
                0
            }
        }
    }

    /// What an empty queue leads to.
    fn after_drain(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if entry.queue.is_empty() && !entry.lifecycle.is_destroyed() {
            let need_drain = entry.flags.contains(Flags::NEED_DRAIN);
            entry.flags.remove(Flags::NEED_DRAIN);
            let fin = entry.lifecycle.wants_fin();
            if need_drain {
                self.note(key, Note::Drain);
            }
            if fin {
                self.shut(key);
            }
        }
        self.note_written(key);
        self.recount(key);
    }

    /// Sends the FIN.
    fn shut(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        let Some(stream) = &mut entry.stream else {
            return;
        };
        match self.sys.shutdown_write(stream) {
            // A peer that is gone needs no FIN; reading will tell how it went (D16).
            Err(error) if error.kind() != io::ErrorKind::NotConnected => {
                self.fail(key, Error::io("shutdown", error));
            }
            _ => {
                self.step(key, Input::Shut);
            }
        }
    }

    /// Gives the kernel the interest that the socket's state asks for, if it has another.
    pub(crate) fn sync_interest(&mut self, key: Key, queue_waits: bool) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        let wanted = entry.latch.wanted_interest(queue_waits);
        if wanted == entry.latch.interest() || entry.lifecycle.is_destroyed() {
            return;
        }
        let Some(stream) = &mut entry.stream else {
            return;
        };
        let token = super::Target::Socket(key).to_token();
        match self.sys.reregister(stream, token, wanted) {
            Ok(()) => entry.latch.set_interest(wanted),
            Err(error) => self.fail(key, Error::io("epoll_ctl", error)),
        }
    }

    /// Notes write completions whose bytes are with the kernel.
    pub(super) fn note_written(&mut self, key: Key) {
        if self.sockets.get(key).is_some_and(SocketEntry::has_written) {
            self.note(key, Note::Written);
        }
    }

    /// How many write completions a socket has, due or not.
    pub(crate) fn completions(&self, key: Key) -> usize {
        let cold = self.sockets.get(key).and_then(|entry| entry.cold.as_ref());
        cold.map_or(0, |cold| cold.completions.len())
    }

    /// Takes the next write completion that is due, with what it is to be told.
    pub(crate) fn next_completion(&mut self, key: Key) -> Option<(OnWritten, Result<()>)> {
        let entry = self.sockets.get_mut(key)?;
        if !entry.has_written() {
            return None;
        }
        let Completion { failed, run, .. } = entry.cold_mut().completions.pop_front()?;
        Some((run, failed.map_or(Ok(()), Err)))
    }

    /// What follows every call of a user's code about one socket: what it wrote leaves in one call,
    /// and a socket that is through is destroyed.
    pub(crate) fn after_call(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if entry.flags.contains(Flags::DIRTY) {
            entry.flags.remove(Flags::DIRTY);
            self.drain(key);
        }
        self.settle(key);
    }
}

impl SocketEntry {
    fn has_written(&self) -> bool {
        let flushed = self.flushed();
        self.cold
            .as_ref()
            .and_then(|cold| cold.completions.front())
            .is_some_and(|first| first.failed.is_some() || first.at <= flushed)
    }
}
