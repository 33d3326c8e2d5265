//! The end of a turn: `close` is told, descriptors are closed, slots are freed.

use super::{Reactor, tell};
use crate::Event;
use crate::connection::Input;
use crate::net::{Key, Net, Target};

impl Reactor {
    /// Tells `close` to whom it is due, in the order of destruction. One for whom something else is
    /// still noted waits for its turn.
    pub(super) fn deliver_closes(&mut self) {
        let net = &mut self.net;
        for _ in 0..net.closing.len() {
            match net.closing.pop_front() {
                Some(Target::Socket(key)) => close_socket(net, key),
                Some(Target::Server(key)) => {
                    // On the list of those to be freed before the calls, which may panic.
                    net.freed.push_back(Target::Server(key));
                    tell::server_notes(net, key); // why it never listened, say
                    tell::server_close(net, key);
                    if let Some(server) = net.servers.get_mut(key) {
                        server.closed = true;
                    }
                }
                Some(Target::Attempt(_)) => {} // closed with its socket
                None => break,
            }
        }
    }

    /// Closes descriptors and frees slots of those that `close` was told to.
    pub(super) fn free_closed(&mut self) {
        let net = &mut self.net;
        while let Some(&target) = net.freed.front() {
            match target {
                Target::Socket(key) => {
                    // The only thing that may follow `close` (R44, R59).
                    tell::completions(net, key);
                    net.free(key);
                }
                Target::Server(key) => {
                    net.servers.remove(key);
                }
                Target::Attempt(_) => {}
            }
            net.freed.pop_front();
        }
        net.finish_shutdown();
    }
}

fn close_socket(net: &mut Net, key: Key) {
    let Some(entry) = net.sockets.get(key) else {
        return;
    };
    if !entry.notes.is_empty() && !planted!(CloseBeforeError) {
        net.closing.push_back(Target::Socket(key));
        return;
    }
    let had_error = entry.error().is_some();
    net.freed.push_back(Target::Socket(key));
    tell::event(net, key, Event::Close { had_error });
    net.step(key, Input::CloseTold);
}
