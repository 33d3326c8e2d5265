//! `fill`: from the kernel towards a socket's handler.
//!
//! The one place that reads. It answers with bytes, the end, an error, or that there is nothing to
//! do: a layer that transforms bytes on their way would stand here.

use super::entry::SocketEntry;
use super::flags::Flags;
use super::ids::Key;
use super::{Net, idle};
use crate::sys::Sys;
use crate::time::Wheel;
use crate::{Error, Handler};
use std::io;

/// What a read brought.
pub(crate) enum Filled {
    /// So many bytes at the start of the buffer.
    Data(usize),
    /// So many bytes at the start of the buffer, which are not to be told as `data`.
    Diverted(usize),
    /// The peer's FIN; everything before it has been told.
    End,
    /// The connection failed.
    Failed(Error),
    /// What was given back by `unread`: to be told before anything newer.
    Held(Vec<u8>),
    /// Nothing now: paused, not readable, or not a state that reads.
    Dry,
}

impl Net {
    /// Reads once, if the socket may read and the kernel is thought to have something. What was
    /// given back comes first.
    pub(crate) fn fill(&mut self, key: Key, buffer: &mut [u8]) -> Filled {
        let Some(entry) = self.sockets.get_mut(key) else {
            return Filled::Dry;
        };
        if entry.has_held() && !entry.latch.is_paused() {
            return Filled::Held(entry.take_held_to_tell());
        }
        // An empty buffer would make every read look like the end (C13).
        if !entry.may_read() || buffer.is_empty() {
            return Filled::Dry;
        }
        let Some(stream) = &mut entry.stream else {
            return Filled::Dry;
        };
        let answer = self.sys.read(stream, buffer);
        self.take_in(key, answer, buffer)
    }

    /// What a read has brought that answered so.
    pub(crate) fn take_in(&mut self, key: Key, answer: io::Result<usize>, buffer: &[u8]) -> Filled {
        let Some(entry) = self.sockets.get_mut(key) else {
            return Filled::Dry;
        };
        match answer {
            Ok(0) if buffer.is_empty() => Filled::Dry, // no read at all (C13)
            Ok(0) => {
                idle::touch(entry, key, self.tick, &mut self.idle); // any word of the peer's (R69)
                Filled::End
            }
            Ok(bytes) => {
                log::trace!("socket {key:?}: read {bytes} bytes");
                entry.bytes_read += bytes as u64;
                idle::touch(entry, key, self.tick, &mut self.idle);
                if bytes < buffer.len() {
                    entry.latch.short_read();
                    if planted!(EndBeforeLastData) && entry.latch.is_readable() {
                        return Filled::End;
                    }
                }
                match entry.cold {
                    None => Filled::Data(bytes), // nearly always
                    Some(_) => entry.sort(&buffer[..bytes]),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                entry.latch.blocked_read();
                Filled::Dry
            }
            Err(error) => Filled::Failed(Error::io("read", error)),
        }
    }

    /// Asks a socket that no longer reads why the kernel reported an error on it: a peer that
    /// resets after its FIN would otherwise go unnoticed.
    pub(crate) fn probe(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        let lifecycle = entry.lifecycle;
        let told_by_reading = lifecycle.is_reading() || !lifecycle.is_sending();
        if !entry.latch.has_error() || entry.latch.is_paused() || told_by_reading {
            return;
        }
        entry.latch.error_seen();
        let Some(stream) = &mut entry.stream else {
            return;
        };
        // Not by a read: behind a FIN it answers 0 for ever, whatever came after.
        if let Ok(Some(error)) | Err(error) = self.sys.take_error(stream) {
            self.fail(key, Error::io("read", error));
        }
    }

    /// `unread()`: what the next handler should see first.
    pub(crate) fn unread(&mut self, key: Key, bytes: &[u8]) {
        self.give_back(key, bytes, SocketEntry::hold);
    }

    /// As [`unread`](Net::unread), of bytes that came behind those given back already.
    pub(crate) fn unread_behind(&mut self, key: Key, bytes: &[u8]) {
        self.give_back(key, bytes, |entry, bytes| {
            entry.cold_mut().held.extend_from_slice(bytes);
        });
    }

    fn give_back(&mut self, key: Key, bytes: &[u8], hold: impl FnOnce(&mut SocketEntry, &[u8])) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if bytes.is_empty() || !entry.lifecycle.is_reading() {
            return;
        }
        // Of a character that is not complete the beginning was read as well, and comes after.
        #[cfg(feature = "encoding")]
        entry.hold_begun();
        hold(entry, bytes);
        self.mark_ready(key);
    }

    /// So many bytes were told a second time. If some of them were taken, what was given back is the
    /// rest, and waits for nothing: telling it in turn comes to an end. Nor does it wait for anything but
    /// `resume` if the handler has paused: it is asked again then.
    pub(crate) fn held_was_told(&mut self, key: Key, bytes: usize) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        let paused = entry.latch.is_paused();
        if let Some(cold) = &mut entry.cold {
            cold.held_waits &= cold.held.len() >= bytes && !paused;
        }
    }

    /// Takes what waits for something newer to be told with.
    pub(crate) fn take_waiting(&mut self, key: Key) -> Option<Vec<u8>> {
        self.sockets.get_mut(key)?.take_waiting()
    }

    /// What was given back is about to be told with nothing newer to come.
    pub(crate) fn tell_last_of_all(&mut self, key: Key) {
        if let Some(cold) = self.sockets.get_mut(key).and_then(|it| it.cold.as_mut()) {
            cold.held_waits = true; // until another handler is set, as whenever it is told again
        }
    }

    /// So many bytes were told with nothing newer to come. Given back whole they are dropped: there
    /// is nothing that they could be told with. But a pause may end, and another handler has not been
    /// told them.
    pub(crate) fn last_was_told(&mut self, key: Key, bytes: usize) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        let paused = entry.latch.is_paused();
        if let Some(cold) = &mut entry.cold {
            let nobody_wants_it = cold.held_waits && cold.held.len() >= bytes && !paused;
            cold.held_waits = false;
            if nobody_wants_it {
                cold.held = Vec::new();
            }
        }
    }

    /// `set_handler()`: the new one has not been told yet what was given back.
    pub(crate) fn set_handler(&mut self, key: Key, handler: Box<dyn Handler>) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        entry.handler = Some(handler);
        if let Some(cold) = &mut entry.cold {
            cold.held_waits = false;
        }
        if entry.has_held() {
            self.mark_ready(key);
        }
    }
}

impl SocketEntry {
    /// Nothing but a message from the peer is expected of it, and of the message nothing but that its
    /// handler is told and may answer. It is nearly always so, and known from a few fields.
    #[inline(always)] // once a message
    pub(crate) fn expects_message(&self) -> bool {
        self.is_plain() && self.latch.is_plain() && !self.has_given_back()
    }

    /// Reads the message that is expected; `Err` has the answer of the kernel if there is more to it.
    #[inline(always)] // once a message
    pub(crate) fn read_message(
        &mut self,
        key: Key,
        sys: &mut Sys,
        wheel: &mut Wheel,
        tick: u64,
        buffer: &mut [u8],
    ) -> Result<usize, io::Result<usize>> {
        let Some(stream) = &mut self.stream else {
            return Err(Err(io::ErrorKind::WouldBlock.into()));
        };
        match sys.read(stream, buffer) {
            Ok(bytes) if 0 < bytes && bytes < buffer.len() => {
                log::trace!("socket {key:?}: read {bytes} bytes");
                self.bytes_read += bytes as u64;
                idle::touch(self, key, tick, wheel);
                self.latch.plain_read();
                Ok(bytes)
            }
            answer => Err(answer),
        }
    }

    /// What becomes of bytes that were read, when it may be something else than being told.
    #[cold]
    fn sort(&mut self, bytes: &[u8]) -> Filled {
        match self.take_waiting() {
            None if self.flags.contains(Flags::DIVERTED) => Filled::Diverted(bytes.len()),
            None => Filled::Data(bytes.len()),
            Some(mut held) => {
                held.extend_from_slice(bytes);
                Filled::Held(held)
            }
        }
    }

    /// Something was given back and not told since.
    pub(super) fn has_given_back(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| !cold.held.is_empty())
    }

    /// Takes what was given back and waits for something newer to be told with.
    fn take_waiting(&mut self) -> Option<Vec<u8>> {
        let waits = self.cold.as_ref().is_some_and(|cold| cold.held_waits);
        waits.then(|| self.take_held())
    }

    /// Puts bytes before those that were given back already.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        self.cold_mut().held.splice(..0, bytes.iter().copied());
    }

    /// Takes what was given back, to be told a second time. If it is given back again, it waits for
    /// more and is told together with that, or by itself after a `resume`: telling it once more at once could
    /// go on for ever.
    /// Said before it is told, so that a handler that is set meanwhile can take it back.
    fn take_held_to_tell(&mut self) -> Vec<u8> {
        let held = self.take_held();
        self.cold_mut().held_waits = true;
        held
    }

    fn take_held(&mut self) -> Vec<u8> {
        let Some(cold) = &mut self.cold else {
            return Vec::new();
        };
        cold.held_waits = false;
        std::mem::take(&mut cold.held)
    }
}
