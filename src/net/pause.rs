//! Pausing: what a socket tells nobody, and how little the kernel is then asked for.
//!
//! A paused socket's bytes wait in the kernel, and its readiness in its latch. Pause and resume
//! within a turn change a bit and nothing else; only when an event reaches a socket that is paused
//! is its interest parked, and `resume` then gets everything that waits reported again (P2, P5).

use super::Net;
use super::ids::{Key, Target};
use crate::Error;
use crate::connection::Latch;

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

    /// `resume()`. From outside of its own event it is asked again whether it wants what it has given
    /// back: a handler that pauses, gives back and resumes in one event would be asked for ever.
    pub(super) fn resume(&mut self, key: Key) {
        if self.serving != Some(key)
            && let Some(entry) = self.sockets.get_mut(key)
            && entry.latch.is_paused_by_user()
            && let Some(cold) = &mut entry.cold
        {
            cold.held_waits = false;
        }
        self.unmask(key, |latch| latch.set_paused(false));
    }

    /// Pauses a socket until the one that it is piped to has room.
    pub(super) fn hold_back(&mut self, key: Key) {
        if let Some(entry) = self.sockets.get_mut(key)
            && !entry.lifecycle.is_destroyed()
        {
            entry.latch.set_held_back(true);
            entry.recount(&mut self.alive);
        }
    }

    /// Takes [`hold_back`](Net::hold_back) back.
    pub(super) fn let_go(&mut self, key: Key) {
        self.unmask(key, |latch| latch.set_held_back(false));
    }

    /// Takes one reason to pause away. With the last of them the kernel gets the full interest
    /// again, and what is latched already is served.
    fn unmask(&mut self, key: Key, change: impl FnOnce(&mut Latch)) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if entry.lifecycle.is_destroyed() || !entry.latch.is_paused() {
            return;
        }
        change(&mut entry.latch);
        if entry.latch.is_paused() {
            return;
        }
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
