//! Idle timeouts: a socket's last activity against its wheel entry.
//!
//! Activity stores a tick and moves nothing. The entry stands at a deadline that was right once;
//! when it comes up it either moves to the deadline that is right by then, or the timeout is told
//! and the entry is gone until a byte moves again (R68).

use super::entry::SocketEntry;
use super::flags::Flags;
use super::ids::Key;
use super::{NANOS_PER_TICK, Net};
use crate::time::Wheel;
use std::time::Duration;

/// The longest idle timeout in milliseconds, Node's own: 2^31 - 1, about 24.8 days.
const LONGEST_MS: u32 = i32::MAX as u32;

/// What a wheel entry that came up leads to.
pub(crate) enum Idle {
    /// Nothing is due.
    None,
    /// The entry moved on, or its socket has to be served first.
    Moved,
    /// Tell `timeout` to this socket.
    Expired(Key),
}

/// A byte moved: one store, and one branch for a socket whose timeout was told.
#[inline]
pub(super) fn touch(entry: &mut SocketEntry, key: Key, tick: u64, wheel: &mut Wheel) {
    entry.active = tick;
    if entry.flags.contains(Flags::IDLE_TOLD) {
        entry.flags.remove(Flags::IDLE_TOLD);
        entry.idle_entry = Some(wheel.arm(deadline(entry), key.index));
    }
}

/// Takes a socket out of the wheel.
pub(super) fn forget(entry: &mut SocketEntry, wheel: &mut Wheel) {
    if let Some(armed) = entry.idle_entry.take() {
        wheel.cancel(armed);
    }
    entry.flags.remove(Flags::IDLE_TOLD);
    entry.idle_ms = 0;
}

/// The tick at which a socket that stays silent has been idle for its whole timeout: one more than
/// the sum, since the activity lay somewhere within its tick and a timeout is never early (R75).
pub(super) fn deadline(entry: &SocketEntry) -> u64 {
    entry
        .active
        .saturating_add(u64::from(entry.idle_ms))
        .saturating_add(1)
}

impl Net {
    /// `set_timeout()`: counts from now.
    pub(crate) fn set_idle_timeout(&mut self, key: Key, idle: Duration) {
        if !idle.is_zero() {
            self.read_clock(); // the turn may have been running for a while
        }
        let tick = self.tick;
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if entry.lifecycle.is_destroyed() {
            return;
        }
        let millis = idle.as_nanos().div_ceil(NANOS_PER_TICK.into());
        if millis > u128::from(LONGEST_MS) {
            log::warn!("socket {key:?}: idle timeout of {idle:?} is cut to 2^31 - 1 ms");
        }
        entry.idle_ms = millis.min(u128::from(LONGEST_MS)) as u32;
        entry.active = tick;
        match entry.idle_entry {
            _ if entry.idle_ms == 0 => forget(entry, &mut self.idle),
            Some(armed) => self.idle.move_to(armed, deadline(entry)),
            None => {
                entry.flags.remove(Flags::IDLE_TOLD);
                entry.idle_entry = Some(self.idle.arm(deadline(entry), key.index));
            }
        }
    }

    /// Takes the next wheel entry that has come up by `tick`.
    pub(crate) fn next_idle(&mut self, tick: u64) -> Idle {
        let Some(index) = self.idle.pop_due(tick) else {
            return Idle::None;
        };
        let Some(key) = self.sockets.key_at(index) else {
            return Idle::Moved;
        };
        let Some(entry) = self.sockets.get_mut(key) else {
            return Idle::Moved;
        };
        entry.idle_entry = None;
        let due = deadline(entry);
        if due > tick {
            entry.idle_entry = Some(self.idle.arm(due, index));
            return Idle::Moved;
        }
        if entry.flags.contains(Flags::IN_READY) || entry.flags.contains(Flags::DIRTY) {
            // Something came for it that it has not seen yet (F6), or bytes of its own are about
            // to leave: it waits a turn.
            entry.idle_entry = Some(self.idle.arm(tick + 1, index));
            return Idle::Moved;
        }
        entry.flags.insert(Flags::IDLE_TOLD);
        Idle::Expired(key)
    }
}
