//! `drain`: from a socket's queue to the kernel.
//!
//! The one place that asks the kernel to take queued bytes, and that sends the FIN behind the last
//! of them. What it reports, "flushed" and "shut", is what the rest of the library goes by: a layer
//! that transforms bytes on their way would stand here.

use super::entry::{Completion, OnWritten, SocketEntry};
use super::flags::Flags;
use super::ids::Key;
use super::notes::Note;
use super::{Net, idle};
use crate::connection::{Front, Input, Lifecycle, Many, QueuePool};
use crate::sys::{Stream, Sys};
use crate::{Error, Result};
use std::io;

/// How a flush ended.
enum Sent {
    /// The queue is empty, or nothing may be sent now.
    Done,
    /// The kernel takes no more for now.
    Blocked,
    /// It would, but others come first.
    BudgetUsed,
    Failed(io::Error),
}

/// How many bytes the kernel was asked to take, and what it said.
pub(super) type Answer = (usize, io::Result<usize>);

impl Net {
    /// Hands queued bytes to the kernel until it says no, the queue is empty, or a turn's budget is
    /// used up; then the FIN, if one is due.
    #[inline(never)]
    pub(crate) fn drain(&mut self, key: Key) {
        self.drain_within(key, self.limits.write_bytes);
    }

    /// As [`drain`](Net::drain), with a budget of the caller's.
    pub(super) fn drain_within(&mut self, key: Key, budget: usize) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        match entry.send_front(&mut self.sys, budget) {
            // Nearly always: it took all, and nothing follows from that. (The usual reply never comes here,
            // but what is written to others does.)
            Some((_, Ok(taken))) if taken == entry.queue.len() && !planted!(WaitAfterFullWrite) => {
                log::trace!("socket {key:?}: wrote {taken} bytes");
                idle::touch(entry, key, self.tick, &mut self.idle);
                entry.queue.clear(&mut self.pool);
                if entry.is_plainly_open() {
                    return entry.recount(&mut self.alive);
                }
            }
            Some(first) => return self.drain_from(key, first, budget),
            None => {}
        }
        self.after_drain(key);
    }

    /// As [`drain`](Net::drain), after a first send of which the kernel took less, or which was not
    /// all.
    pub(super) fn drain_from(&mut self, key: Key, first: Answer, budget: usize) {
        self.drain_on(key, first, budget);
        self.after_drain(key);
    }

    /// Keeps the answer to a first send, and sends the rest.
    fn drain_on(&mut self, key: Key, first: Answer, budget: usize) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        let queued = entry.queue.len();
        let sent = entry.send_on(Some(first), &mut self.sys, &mut self.pool, budget);
        if entry.queue.len() < queued {
            let taken = queued - entry.queue.len();
            log::trace!("socket {key:?}: wrote {taken} bytes");
            idle::touch(entry, key, self.tick, &mut self.idle);
        }
        match sent {
            Sent::Done => {}
            Sent::Blocked => self.sync_interest(key),
            Sent::BudgetUsed if planted!(NoRequeueAfterWrites) => {}
            Sent::BudgetUsed => self.mark_ready(key),
            Sent::Failed(error) => self.fail(key, Error::io("write", error)),
        }
    }

    /// Hands the caller's own bytes to the kernel, past an empty queue; answers how many it took.
    pub(super) fn send_direct(&mut self, key: Key, bytes: &[u8]) -> usize {
        let Some(entry) = self.sockets.get_mut(key) else {
            return 0;
        };
        let Some(stream) = &mut entry.stream else {
            return 0;
        };
        let outcome = self.sys.write(stream, bytes);
        let (taken, sent) = entry.after_send(bytes.len(), outcome);
        if taken > 0 {
            log::trace!("socket {key:?}: wrote {taken} bytes");
            idle::touch(entry, key, self.tick, &mut self.idle);
        }
        match sent {
            Sent::Done | Sent::BudgetUsed => {}
            Sent::Blocked => self.sync_interest(key),
            Sent::Failed(error) => self.fail(key, Error::io("write", error)),
        }
        taken
    }

    /// Hands queued bytes to the kernel before a call that destroys the socket, as many as it
    /// takes. How it goes is told to nobody but the completions: only what that call brings about
    /// may follow it (R55).
    pub(super) fn send_last(&mut self, key: Key) {
        if let Some(entry) = self.sockets.get_mut(key) {
            let queued = entry.queue.len();
            entry.send_on(None, &mut self.sys, &mut self.pool, usize::MAX);
            log::trace!("socket {key:?}: wrote {} bytes", queued - entry.queue.len());
        }
    }

    /// What an empty queue leads to.
    fn after_drain(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        entry.recount(&mut self.alive);
        let need_drain = entry.flags.contains(Flags::NEED_DRAIN);
        let leaving = entry.flags.contains(Flags::LEAVING);
        let emptied = entry.queue.is_empty() && !entry.lifecycle.is_destroyed();
        let fin = (emptied || planted!(FinBeforeLastChunk)) && entry.lifecycle.wants_fin();
        let written = entry.tells_written();
        if emptied && need_drain {
            self.note(key, Note::Drain);
        }
        if emptied && leaving {
            self.note(key, Note::Leave);
        }
        if fin {
            self.shut(key);
        }
        if written {
            self.note(key, Note::Written);
        }
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
}

/// Apart, since its array of slices is a kibibyte of stack that a single chunk does not need.
#[inline(never)]
fn send_many(sys: &mut Sys, stream: &mut Stream, chunks: Many<'_>) -> Answer {
    let slices = chunks.slices();
    let outcome = sys.write_vectored(stream, slices.as_slice());
    (slices.total_bytes(), outcome)
}

impl SocketEntry {
    /// Hands what stands first in the queue to the kernel. `None`: nothing is queued, or nothing may
    /// be sent now.
    fn send_front(&mut self, sys: &mut Sys, budget: usize) -> Option<Answer> {
        if !self.may_send() {
            return None;
        }
        let stream = self.stream.as_mut()?;
        match self.queue.front(budget) {
            Front::Empty => None,
            Front::One(bytes) => Some((bytes.len(), sys.write(stream, bytes))),
            Front::Many(chunks) => Some(send_many(sys, stream, chunks)),
        }
    }

    /// Keeps the answer to a first send, if there was one, and sends the rest in the same way.
    fn send_on(
        &mut self,
        mut first: Option<Answer>,
        sys: &mut Sys,
        pool: &mut QueuePool,
        mut budget: usize,
    ) -> Sent {
        while let Some((asked, outcome)) = first.take().or_else(|| self.send_front(sys, budget)) {
            let (taken, sent) = self.after_send(asked, outcome);
            self.queue.advance(taken, pool);
            if !matches!(sent, Sent::Done) {
                return sent;
            }
            budget = budget.saturating_sub(taken);
            if budget == 0 && !self.queue.is_empty() {
                return Sent::BudgetUsed;
            }
        }
        Sent::Done
    }

    /// Keeps what the kernel answered to a send of `asked` bytes; gives back how many it took.
    fn after_send(&mut self, asked: usize, outcome: io::Result<usize>) -> (usize, Sent) {
        match outcome {
            Ok(0) if planted!(ZeroLengthWrite) => {
                self.latch.blocked_write();
                (0, Sent::Blocked)
            }
            Ok(taken) if taken >= asked && !planted!(WaitAfterFullWrite) => (asked, Sent::Done),
            Ok(taken) => {
                let taken = taken - usize::from(planted!(PartialWriteOffByOne));
                // Only after a short write does the kernel tell of room (P19).
                self.latch.blocked_write();
                (taken, Sent::Blocked)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.latch.blocked_write();
                (0, Sent::Blocked)
            }
            Err(error) => (0, Sent::Failed(error)),
        }
    }

    /// Open both ways, and an empty queue leads to nothing.
    fn is_plainly_open(&self) -> bool {
        self.lifecycle == Lifecycle::Open
            && !self.flags.contains(Flags::AWAITS_EMPTY)
            && !self.has_written()
    }

    /// Somebody waits for a write whose bytes are with the kernel, or never will be.
    pub(super) fn has_written(&self) -> bool {
        let Some(cold) = &self.cold else { return false };
        let first = cold.completions.front();
        let flushed = |at| at <= self.flushed() || planted!(WrittenBeforeFlush);
        let with_kernel = |at| flushed(at) && !self.lifecycle.is_connecting();
        first.is_some_and(|first| first.failed.is_some() || with_kernel(first.at))
    }

    /// And is to be told so now: if the connection never stood, only after `close` (R44).
    pub(super) fn tells_written(&self) -> bool {
        self.was_connected() && self.has_written()
    }
}
