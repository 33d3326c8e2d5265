//! What calls have left behind: bytes to flush, and things to tell.

use super::{Reactor, tell};
use crate::net::{Flags, Target};

impl Reactor {
    /// Flushes sockets that were written to while another one was served.
    pub(super) fn flush_dirty(&mut self) {
        let net = &mut self.net;
        while let Some(key) = net.dirty.pop_front() {
            net.after_call(key);
        }
    }

    /// Tells as many notes as stood in the queue when this began; those that are made meanwhile
    /// wait for the next turn, which then does not sleep.
    pub(super) fn tell_notes(&mut self) {
        let net = &mut self.net;
        for _ in 0..net.notes.len() {
            match net.notes.pop_front() {
                Some(Target::Socket(key)) => {
                    if let Some(entry) = net.sockets.get_mut(key) {
                        entry.flags.remove(Flags::IN_NOTES);
                    }
                    tell::socket_notes(net, key);
                    net.renote(key);
                }
                Some(Target::Server(key)) => {
                    if let Some(server) = net.servers.get_mut(key) {
                        server.in_notes = false;
                    }
                    tell::server_notes(net, key);
                }
                Some(Target::Attempt(_)) => {} // told as its socket's
                None => break,
            }
        }
    }
}
