//! Serving the ready queue: connections that stand, bytes that came, room that is there, peers that
//! wait.
//!
//! Each entry gets a budget; what is left when it is used up goes to the tail of the queue with its
//! bits still latched, so nobody starves and no edge is needed twice.

use super::{Reactor, tell};
use crate::Event;
use crate::connection::{Input, Tell};
use crate::net::{Accepted, Filled, Flags, Key, Net, Target};

impl Reactor {
    /// Serves as many entries as stood in the queue when this began, oldest first.
    #[inline(never)] // a loop of its own, with all registers
    pub(super) fn serve_ready(&mut self) {
        for _ in 0..self.net.ready.begin_round() {
            if planted!(BatchDroppedOnStop) && self.net.take_stop() {
                self.net.ready = Default::default();
            }
            match self.net.ready.pop() {
                Some(Target::Socket(key)) => self.serve_socket(key),
                Some(Target::Server(key)) => self.serve_server(key),
                Some(Target::Attempt(key)) => self.net.serve_attempt(key),
                None => break,
            }
        }
    }

    /// Nearly always a message has come and nothing else: one read, one call and one send, in two
    /// looks at the socket.
    #[inline(always)] // into the loop
    fn serve_socket(&mut self, key: Key) {
        let net = &mut self.net;
        let Some(entry) = net.sockets.get_mut(key) else {
            return;
        };
        entry.flags.remove(Flags::IN_READY);
        if !entry.expects_message() {
            return self.serve_other(key);
        }
        let (sys, idle, buffer) = (&mut net.sys, &mut net.idle, &mut self.buffer);
        match entry.read_message(key, sys, idle, net.tick, buffer) {
            Ok(bytes) => {
                let (handler, room) = (entry.handler.take(), entry.plain_room(&net.gathered));
                if let Some(handler) = handler {
                    let data = Event::Data(&self.buffer[..bytes]);
                    tell::call_handler(net, key, handler, room, data);
                }
            }
            Err(answer) => {
                let filled = net.take_in(key, answer, &self.buffer);
                self.serve_filled(key, false, filled);
            }
        }
    }

    /// Serves a socket of which anything may be expected.
    #[inline(never)] // a loop of its own, with all registers, for the others
    fn serve_other(&mut self, key: Key) {
        let net = &mut self.net;
        let Some(entry) = net.sockets.get_mut(key) else {
            return;
        };
        // Before the handlers: one that pauses now may be resumed within the turn, and then no call
        // is owed for it.
        let was_paused = entry.latch.is_paused();
        if entry.lifecycle.is_connecting() {
            if !net.finish_connect(key) {
                return;
            }
            tell::connected(net, key);
        }
        let filled = net.fill(key, &mut self.buffer);
        self.serve_filled(key, was_paused, filled);
    }

    /// Goes on after a first read.
    #[inline(never)]
    fn serve_filled(&mut self, key: Key, was_paused: bool, filled: Filled) {
        // Input first: it may still be there when the way out is gone already (C17).
        let quiet = self.read(key, filled);
        if quiet && !was_paused {
            return;
        }
        let net = &mut self.net;
        let Some(entry) = net.sockets.get(key) else {
            return;
        };
        let has_error = entry.latch.has_error();
        if !entry.queue.is_empty() && entry.may_send() {
            net.drain(key);
        }
        if planted!(SpinWhilePaused) && was_paused {
            net.mark_ready(key);
        }
        if was_paused && !planted!(InterestKeptWhilePaused) {
            net.sync_interest(key);
        }
        if has_error {
            net.probe(key);
        }
    }

    /// Reads and tells until the kernel has nothing, the socket is paused or through, or the budget
    /// is used up. True if there is nothing else to be done for the socket, as far as was seen.
    fn read(&mut self, key: Key, filled: Filled) -> bool {
        let net = &mut self.net;
        let mut bytes_left = net.limits.read_bytes;
        let mut filled = Some(filled);
        for _ in 0..net.limits.reads {
            let filled = filled.take();
            let bytes = match filled.unwrap_or_else(|| net.fill(key, &mut self.buffer)) {
                Filled::Data(bytes) => {
                    tell::event(net, key, Event::Data(&self.buffer[..bytes]));
                    bytes
                }
                Filled::Dry => return false,
                filled => match tell_filled(net, key, filled, &self.buffer) {
                    Some(bytes) => bytes,
                    None => return false,
                },
            };
            bytes_left = bytes_left.saturating_sub(bytes);
            let Some(entry) = net.sockets.get(key) else {
                return true;
            };
            let has_held = entry.has_held();
            if !has_held && !entry.may_read() {
                return entry.is_quiet(); // all is told, as after nearly every read
            }
            // What the handler has just given back is told once a turn, and nothing newer before.
            if bytes_left == 0 || has_held {
                break;
            }
        }
        if !planted!(NoRequeueAfterReads) {
            net.mark_ready(key);
        }
        false
    }

    #[inline(never)] // a socket to be served needs none of its stack
    fn serve_server(&mut self, key: Key) {
        let net = &mut self.net;
        if let Some(server) = net.servers.get_mut(key) {
            server.in_ready = false;
        }
        // A peer may be there before `listening` was told, which comes first (R87).
        tell::server_notes(net, key);
        for _ in 0..net.limits.accepts {
            match net.accept(key) {
                Accepted::Socket(socket) => tell::connection(net, key, socket),
                Accepted::Dropped(dropped) => tell::dropped(net, key, &dropped),
                Accepted::Nobody => {}
                Accepted::Drained => return,
            }
        }
        if !planted!(NoRequeueAfterAccepts) {
            net.mark_server_ready(key);
        }
    }
}

/// Tells what a read brought that is more than data for the handler; answers how many bytes of the
/// budget that took. `None`: there is nothing to be read any more.
#[cold]
fn tell_filled(net: &mut Net, key: Key, filled: Filled, buffer: &[u8]) -> Option<usize> {
    match filled {
        Filled::Data(bytes) | Filled::Diverted(bytes) => {
            tell_input(net, key, &buffer[..bytes]);
            return Some(bytes);
        }
        Filled::Held(bytes) => {
            tell_input(net, key, &bytes);
            net.held_was_told(key, bytes.len());
            return Some(bytes.len());
        }
        Filled::End if tell_last(net, key) => return Some(0),
        Filled::End => tell_end(net, key),
        Filled::Failed(error) => net.fail(key, error),
        Filled::Dry => {}
    }
    None
}

/// Bytes of the peer's, for whom they are meant: another socket, or the handler, as text or as they
/// are.
fn tell_input(net: &mut Net, key: Key, bytes: &[u8]) {
    if net.forward(key, bytes) && !planted!(PipedAndTold) {
        return;
    }
    #[cfg(feature = "encoding")]
    if let Some(text) = net.decode(key, bytes) {
        if !text.is_empty() {
            tell::event(net, key, Event::Text(&text));
        }
        return;
    }
    tell::event(net, key, Event::Data(bytes));
}

/// Tells what has waited for more to be told with; answers whether there was anything.
fn tell_last(net: &mut Net, key: Key) -> bool {
    let bytes = net.take_waiting(key).unwrap_or_default();
    #[cfg(feature = "encoding")]
    if let Some(text) = net.decode_last(key, &bytes) {
        if text.is_empty() {
            return false;
        }
        net.tell_last_of_all(key);
        tell::event(net, key, Event::Text(&text));
        net.last_was_told(key, 0); // text that was taken in part cannot be told from bytes that were
        return true;
    }
    if bytes.is_empty() {
        return false;
    }
    net.tell_last_of_all(key);
    tell::event(net, key, Event::Data(&bytes));
    net.last_was_told(key, bytes.len());
    true
}

/// The peer's FIN: told, and answered with ours unless half-open sockets are allowed (R28).
fn tell_end(net: &mut Net, key: Key) {
    if net.step(key, Input::Eof) != Tell::End {
        return;
    }
    let Some(entry) = net.sockets.get_mut(key) else {
        return;
    };
    entry.flags.insert(Flags::END_TOLD);
    tell::event(net, key, Event::End);
    net.end_pipe(key);
    let entry = net.sockets.get(key);
    let allow_half_open = entry.is_some_and(|entry| entry.allows_half_open());
    net.step(key, Input::EndTold { allow_half_open });
    net.after_call(key);
}
