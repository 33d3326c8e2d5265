//! Serving the ready queue: connections that stand, bytes that came, room that is there, peers that
//! wait.
//!
//! Each entry gets a budget; what is left when it is used up goes to the tail of the queue with its
//! bits still latched, so nobody starves and no edge is needed twice.

use super::{Reactor, tell};
use crate::Event;
use crate::connection::Input;
use crate::net::{Accepted, Filled, Flags, Key, Net, Target};

impl Reactor {
    /// Serves as many entries as stood in the queue when this began, oldest first.
    pub(super) fn serve_ready(&mut self) {
        for _ in 0..self.net.ready.len() {
            match self.net.ready.pop_front() {
                Some(Target::Socket(key)) => self.serve_socket(key),
                Some(Target::Server(key)) => self.serve_server(key),
                None => break,
            }
        }
    }

    fn serve_socket(&mut self, key: Key) {
        let net = &mut self.net;
        let Some(entry) = net.sockets.get_mut(key) else {
            return;
        };
        entry.flags.remove(Flags::IN_READY);
        if entry.lifecycle.is_connecting() {
            if !net.finish_connect(key) {
                return;
            }
            tell::event(net, key, Event::Connect);
            tell::event_if_open(net, key, Event::Ready);
        }
        // Input first: it may still be there when the way out is gone already (C17).
        self.read(key);
        let net = &mut self.net;
        let Some(entry) = net.sockets.get_mut(key) else {
            return;
        };
        let queue_waits = !entry.queue.is_empty();
        let paused = entry.latch.is_paused();
        if queue_waits && entry.may_send() {
            net.drain(key);
        }
        if paused {
            // An event came although nobody reads: the kernel is asked for fewer of them (P2).
            let queue_waits = net.sockets.get(key).is_some_and(|e| !e.queue.is_empty());
            net.sync_interest(key, queue_waits);
        }
        net.probe(key);
    }

    /// Reads and tells until the kernel has nothing, the socket is paused or through, or the budget
    /// is used up.
    fn read(&mut self, key: Key) {
        let net = &mut self.net;
        if !tell_held(net, key) {
            return;
        }
        let mut bytes_left = net.limits.read_bytes;
        for _ in 0..net.limits.reads {
            match net.fill(key, &mut self.buffer) {
                Filled::Data(bytes) => {
                    tell::event(net, key, Event::Data(&self.buffer[..bytes]));
                    bytes_left = bytes_left.saturating_sub(bytes);
                }
                Filled::End => return tell_end(net, key),
                Filled::Failed(error) => return net.fail(key, error),
                Filled::Dry => return,
            }
            if net.sockets.get(key).is_none_or(|entry| entry.has_held()) {
                // Given back by the handler: told again before anything newer is read.
                return net.mark_ready(key);
            }
            if bytes_left == 0 {
                break;
            }
        }
        if net.sockets.get(key).is_some_and(|entry| entry.may_read()) {
            net.mark_ready(key);
        }
    }

    fn serve_server(&mut self, key: Key) {
        let net = &mut self.net;
        if let Some(server) = net.servers.get_mut(key) {
            server.in_ready = false;
        }
        for _ in 0..net.limits.accepts {
            match net.accept(key) {
                Accepted::Socket(socket) => tell::connection(net, key, socket),
                Accepted::Dropped(dropped) => tell::dropped(net, key, &dropped),
                Accepted::Lost => {}
                Accepted::Drained => return,
            }
        }
        net.mark_server_ready(key);
    }
}

/// Tells what was given back by `unread`; false if the handler gave it back once more, so that
/// nothing newer may be told in this turn.
fn tell_held(net: &mut Net, key: Key) -> bool {
    let Some(held) = net.take_held(key) else {
        return true;
    };
    tell::event(net, key, Event::Data(&held));
    net.sockets.get(key).is_some_and(|entry| !entry.has_held())
}

/// The peer's FIN: told, and answered with ours unless half-open sockets are allowed (R28).
fn tell_end(net: &mut Net, key: Key) {
    net.step(key, Input::Eof);
    let Some(entry) = net.sockets.get_mut(key) else {
        return;
    };
    entry.flags.insert(Flags::END_TOLD);
    let allow_half_open = entry.allows_half_open();
    tell::event(net, key, Event::End);
    net.step(key, Input::EndTold { allow_half_open });
    net.after_call(key);
}
