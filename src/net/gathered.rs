//! What a handler that runs has written to its own socket, and nobody has looked at yet.
//!
//! Small writes of the socket being served meet here, without a look at it, and leave in one send when
//! its handler returns. As soon as the handler does anything else with the socket, or with the loop,
//! they move into the socket's queue, so that nothing else in the library ever has to know of them.

use super::entry::SocketEntry;
use super::flags::Flags;
use super::ids::Key;
use super::limits::Limits;
use super::{Net, idle};
use crate::sys::Sys;
use crate::time::Wheel;
use std::io;

/// More would only wait longer: the rest of a turn's replies goes through the queue.
const MOST_BYTES: usize = 16 * 1024;

/// The bytes, and how many more there may be.
pub(crate) struct Gathered {
    /// Invariant: empty, unless the handler of a socket runs.
    bytes: Vec<u8>,
    /// How much more may be added. Invariant: zero, unless a handler runs that has done nothing but
    /// write to its own socket.
    room: usize,
    /// A piece from this length on goes to the kernel from the caller's slice.
    direct_bytes: usize,
    /// No socket gathers more.
    most_bytes: usize,
}

impl Gathered {
    pub(super) fn new(limits: &Limits) -> Gathered {
        let most_bytes = MOST_BYTES.min(limits.write_bytes);
        Gathered {
            bytes: Vec::with_capacity(most_bytes),
            room: 0,
            direct_bytes: limits.direct_write_bytes,
            most_bytes,
        }
    }

    /// Goes by other limits from the next handler on.
    pub(super) fn bound(&mut self, limits: &Limits) {
        self.most_bytes = MOST_BYTES.min(limits.write_bytes);
    }

    /// Lets a handler gather that is about to run.
    #[inline]
    pub(crate) fn open(&mut self, room: usize) {
        debug_assert!(self.bytes.is_empty() && room <= self.most_bytes);
        self.room = room;
    }

    /// Adds a copy of `data`; false if it has to go another way, as an empty one has.
    #[inline]
    pub(super) fn add(&mut self, data: &[u8]) -> bool {
        if data.is_empty() || data.len() > self.room || data.len() >= self.direct_bytes {
            return false;
        }
        self.room -= data.len();
        self.bytes.extend_from_slice(data);
        true
    }

    /// Ends gathering.
    #[inline]
    pub(super) fn close(&mut self) {
        self.room = 0;
    }

    /// Nobody gathers, and nothing was. Not needed by the loop itself.
    #[cfg(feature = "sim")]
    pub(super) fn is_closed(&self) -> bool {
        self.room == 0 && self.bytes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Net {
    /// Ends gathering and queues what there is: somebody is about to look at the socket.
    #[inline]
    pub(crate) fn queue_gathered(&mut self, key: Key) {
        self.gathered.room = 0;
        if !self.gathered.is_empty() {
            self.queue_all_gathered(key);
        }
    }

    #[cold]
    #[inline(never)]
    fn queue_all_gathered(&mut self, key: Key) {
        debug_assert_eq!(self.serving, Some(key), "only who is served gathers");
        if let Some(entry) = self.sockets.get_mut(key) {
            entry.bytes_written += self.gathered.len() as u64;
            entry.queue.push_copy(&self.gathered.bytes, &mut self.pool);
            entry.flags.insert(Flags::DIRTY);
        }
        self.gathered.bytes.clear();
    }

    /// What was gathered is queued, and the answer to the one send of it kept, when the kernel did
    /// not take all.
    #[cold]
    #[inline(never)]
    pub(super) fn drain_gathered(&mut self, key: Key, answer: io::Result<usize>) {
        let asked = self.gathered.len();
        if let Some(entry) = self.sockets.get_mut(key) {
            entry.queue.push_copy(&self.gathered.bytes, &mut self.pool);
        }
        self.gathered.bytes.clear();
        self.drain_from(key, (asked, answer), self.limits.write_bytes);
    }
}

impl SocketEntry {
    /// How much its handler may gather: something only where a write leads to nothing but bytes that
    /// leave.
    pub(crate) fn room_to_gather(&self, gathered: &Gathered) -> usize {
        match self.is_plain() && self.latch.is_writable() {
            true => self.plain_room(gathered),
            false => 0,
        }
    }

    /// As [`room_to_gather`](SocketEntry::room_to_gather), of a socket that
    /// [expects a message](SocketEntry::expects_message).
    #[inline(always)] // once a message
    pub(crate) fn plain_room(&self, gathered: &Gathered) -> usize {
        let below_the_mark = (self.high_water_mark as usize).saturating_sub(1);
        below_the_mark
            .min(gathered.most_bytes)
            .min(self.write_cap())
    }

    /// Hands all that was gathered to the kernel. `Err` has its answer if it did not take all.
    #[inline(always)] // once a message
    pub(super) fn flush_gathered(
        &mut self,
        key: Key,
        sys: &mut Sys,
        gathered: &mut Gathered,
        wheel: &mut Wheel,
        tick: u64,
    ) -> Result<(), io::Result<usize>> {
        let asked = gathered.len();
        self.bytes_written += asked as u64;
        let Some(stream) = &mut self.stream else {
            return Err(Ok(0));
        };
        match sys.write(stream, &gathered.bytes) {
            Ok(taken) if taken == asked && !planted!(WaitAfterFullWrite) => {
                log::trace!("socket {key:?}: wrote {taken} bytes");
                idle::touch(self, key, tick, wheel);
                gathered.bytes.clear();
                Ok(())
            }
            answer => Err(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered() -> Gathered {
        let limits = Limits {
            direct_write_bytes: 8,
            ..Limits::default()
        };
        Gathered::new(&limits)
    }

    #[test]
    fn nothing_is_gathered_before_it_is_opened_nor_after_it_was_closed() {
        let mut gathered = gathered();
        assert!(!gathered.add(b"a"));
        gathered.open(4);
        assert!(gathered.add(b"a"));
        gathered.close();
        assert!(!gathered.add(b"b"));
        assert_eq!(gathered.bytes, b"a");
    }

    #[test]
    fn what_has_no_room_is_not_gathered_in_part() {
        let mut gathered = gathered();
        gathered.open(4);
        assert!(gathered.add(b"abc"));
        assert!(!gathered.add(b"de"));
        assert!(gathered.add(b"d"));
        assert!(!gathered.add(b"e"));
        assert_eq!(gathered.bytes, b"abcd");
    }

    #[test]
    fn neither_an_empty_piece_nor_a_long_one_is_gathered() {
        let mut gathered = gathered();
        gathered.open(100);
        assert!(!gathered.add(b""));
        assert!(!gathered.add(&[0; 8]));
        assert!(gathered.add(&[0; 7]));
    }
}
