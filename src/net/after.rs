//! What follows every call of a user's code about one socket: its handler is put back, what it wrote
//! leaves in one call, and a socket that is through is destroyed.

use super::Net;
use super::flags::Flags;
use super::ids::Key;
use crate::Handler;
use crate::connection::Input;

impl Net {
    /// What follows an event: all in one look at the socket, since every message has one. Gives
    /// `handler` back if another one was set meanwhile.
    #[inline(always)]
    pub(crate) fn after_event(
        &mut self,
        key: Key,
        handler: Box<dyn Handler>,
    ) -> Option<Box<dyn Handler>> {
        self.serving = None;
        self.gathered.close();
        let Some(entry) = self.sockets.get_mut(key) else {
            debug_assert!(false, "slots are freed between calls");
            self.gathered.clear(); // it would be the next one's
            return Some(handler);
        };
        if entry.handler.is_some() {
            self.after_call(key);
            return Some(handler);
        }
        entry.handler = Some(handler);
        if self.gathered.is_empty() {
            if entry.flags.contains(Flags::DIRTY) || entry.lifecycle.awaits_settling() {
                self.after_call(key);
            }
            return None;
        }
        // It has done nothing but write, so the socket is as open as it was before.
        let (sys, gathered, idle) = (&mut self.sys, &mut self.gathered, &mut self.idle);
        if let Err(answer) = entry.flush_gathered(key, sys, gathered, idle, self.tick) {
            self.drain_gathered(key, answer);
        }
        None
    }

    /// What follows any other call, too.
    #[inline(never)]
    pub(crate) fn after_call(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        // One that gets through by what is sent now still has its `finish` to be told.
        let through = entry.lifecycle.awaits_settling();
        if entry.flags.contains(Flags::DIRTY) {
            entry.flags.remove(Flags::DIRTY);
            self.drain(key);
        }
        if through {
            self.settle(key);
        }
    }

    /// A socket whose both sides are through is destroyed once everything noted for it was told.
    #[cold]
    pub(crate) fn settle(&mut self, key: Key) {
        let Some(entry) = self.sockets.get(key) else {
            return;
        };
        if entry.lifecycle.awaits_settling() && entry.notes.is_empty() {
            self.step(key, Input::Settled);
        }
    }
}
