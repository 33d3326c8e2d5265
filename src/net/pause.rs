//! Pausing: what a socket tells nobody, and how little the kernel is then asked for.
//!
//! A paused socket's bytes wait in the kernel, and its readiness in its latch. Pause and resume
//! within a turn change a bit and nothing else; only when an event reaches a socket that is paused
//! is its interest parked, and `resume` then gets everything that waits reported again (P2, P5).

use super::Net;
use super::ids::{Key, Target};
use crate::Error;

impl Net {
    /// `pause()`.
    pub(super) fn pause(&mut self, key: Key) {
        if let Some(entry) = self.sockets.get_mut(key)
            && !entry.lifecycle.is_destroyed()
        {
            entry.latch.set_paused(true);
            entry.recount(&mut self.alive);
        }
    }

    /// `resume()`: gives the kernel the full interest again and serves what is latched already.
    pub(super) fn resume(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if entry.lifecycle.is_destroyed() || !entry.latch.is_paused() {
            return;
        }
        entry.latch.set_paused(false);
        let waits = entry.may_read() || entry.has_held() || entry.latch.has_error();
        if !planted!(NoRearmOnResume) {
            self.sync_interest(key);
        }
        if waits {
            self.mark_ready(key);
        }
        self.recount(key);
    }

    /// Gives the kernel the interest that the socket's state asks for, if it has another: full, or,
    /// for a socket that is paused, as little as it can be asked for (P2).
    pub(crate) fn sync_interest(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        let wanted = entry.latch.wanted_interest();
        if wanted == entry.latch.interest() || entry.lifecycle.is_destroyed() {
            return;
        }
        let Some(stream) = &mut entry.stream else {
            return;
        };
        let token = Target::Socket(key).to_token();
        match self.sys.reregister(stream, token, wanted) {
            Ok(()) => entry.latch.set_interest(wanted),
            Err(error) => self.fail(key, Error::io("epoll_ctl", error)),
        }
    }
}
