//! Moving a socket through its lifecycle, and taking it apart at the end.
//!
//! Every change of a socket's state passes through [`Net::step`]. Destruction is told apart from
//! freeing: `destroy` may be called anywhere and at once gives up everything but the slot and the
//! descriptor, which go at the end of the turn, when `close` was told.

use super::entry::SocketEntry;
use super::flags::Flags;
use super::ids::{Key, Target};
use super::notes::Note;
use super::{Net, idle};
use crate::Error;
use crate::connection::{Act, Farewell, Input, Lifecycle, Tell};

impl Net {
    /// Puts `input` to the table, carries out what it says, and answers with what the loop itself
    /// has to tell; all else that is to be told has been noted.
    pub(crate) fn step(&mut self, key: Key, input: Input) -> Tell {
        let Some(entry) = self.sockets.get_mut(key) else {
            return Tell::Nothing;
        };
        let from = entry.lifecycle;
        let step = from.on(input);
        if step.next == from {
            return Tell::Nothing;
        }
        entry.lifecycle = step.next;
        if step.next.write_ended() {
            entry.flags.insert(Flags::ENDED);
            entry.uncork_fully(); // however often it was corked (R51)
            self.leave_sources(key);
        }
        log::debug!("socket {key:?}: {from:?} -> {:?} on {input:?}", step.next);
        match step.act {
            Act::Nothing => {}
            Act::Flush => {
                if planted!(FinishBeforeFlush) && step.next.wants_fin() {
                    self.note(key, Note::Finish);
                }
                self.mark_dirty(key);
            }
            Act::Retire => self.retire(key),
        }
        match step.tell {
            Tell::Nothing | Tell::Connect | Tell::End => {}
            Tell::Finish => {
                self.flag(key, Flags::FINISHED);
                self.note(key, Note::Finish);
            }
            Tell::Close => {
                self.closing.push_back(Target::Socket(key));
                self.leave_pipes(key); // behind it on the list: the other side of a proxy
            }
        }
        self.recount(key);
        step.tell
    }

    /// `destroy()`: what was gathered is handed to the kernel first, since Node's `write` would
    /// have done so at once.
    pub(crate) fn destroy(&mut self, key: Key) {
        self.send_last(key);
        self.step(key, Input::Destroy);
    }

    /// `destroy_soon()`: a socket whose `finish` was told already is destroyed at once.
    pub(super) fn destroy_soon(&mut self, key: Key) {
        self.step(key, Input::DestroySoon);
        self.settle(key);
    }

    /// `reset_and_destroy()`.
    pub(crate) fn reset(&mut self, key: Key) {
        self.send_last(key);
        if self.sockets.get(key).is_some_and(SocketEntry::is_local) {
            return self.fail(key, Error::invalid_handle_type());
        }
        self.step(key, Input::Reset);
    }

    /// Destroys the socket with an error, the first of which is the one that is told (R57).
    pub(crate) fn fail(&mut self, key: Key, error: Error) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if entry.lifecycle.is_destroyed() {
            if planted!(DoubleClose) {
                self.closing.push_back(Target::Socket(key));
            }
            return;
        }
        log::debug!("socket {key:?}: {error}");
        entry.cold_mut().error = Some(error);
        self.step(key, Input::Destroy);
        self.note(key, Note::Error);
    }

    /// Destroys a socket whose handler panicked, and sees to it that what was noted for it is told.
    pub(crate) fn give_up(&mut self, key: Key) {
        log::debug!("socket {key:?}: its handler panicked");
        self.step(key, Input::Destroy);
        // If it was told `close`, it has been: its id finds nothing from now on.
        if self.freed.contains(&Target::Socket(key)) {
            self.step(key, Input::CloseTold);
        }
        // If it was a completion, those behind it are still to run, and `close` waits for them.
        let entry = self.sockets.get(key);
        if entry.is_some_and(SocketEntry::tells_written) && !planted!(CompletionsLostInPanic) {
            self.note(key, Note::Written);
        }
        self.renote(key);
    }

    /// Gives up all that a destroyed socket does not need to tell `close`.
    fn retire(&mut self, key: Key) {
        self.stop_connecting(key);
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        let was_connected = entry.was_connected();
        entry.cut_completions();
        entry.queue.clear(&mut self.pool);
        if !planted!(IdleEntryLeft) {
            idle::forget(entry, &mut self.idle);
        }
        let server = entry.server;
        if let Some(cold) = &mut entry.cold {
            cold.held = Vec::new();
            if !cold.completions.is_empty() && was_connected {
                self.note(key, Note::Written);
            }
        }
        // Counted out now, not at `close`; the server's own `close` thereby stands in the list
        // before that of its last socket (R100).
        self.leave_server(server);
    }

    /// Closes the descriptor and frees the slot of a socket whose `close` was told.
    pub(crate) fn free(&mut self, key: Key) {
        self.uncount(key);
        let Some(mut entry) = self.sockets.remove(key) else {
            return;
        };
        if let Some(stream) = entry.stream.take() {
            match entry.lifecycle {
                Lifecycle::Destroyed(Farewell::Reset) | Lifecycle::Closed(Farewell::Reset) => {
                    self.sys.abort(stream);
                }
                _ => self.sys.close(stream),
            }
            // A descriptor came free: a server may be waiting for it.
            self.retry_accepts();
        }
    }

    /// Keeps the count of sockets that give the loop a reason to go on.
    pub(crate) fn recount(&mut self, key: Key) {
        if let Some(entry) = self.sockets.get_mut(key) {
            entry.recount(&mut self.alive);
        }
    }

    /// Takes a socket that is about to vanish out of the count.
    pub(crate) fn uncount(&mut self, key: Key) {
        if let Some(entry) = self.sockets.get_mut(key)
            && entry.flags.contains(Flags::COUNTED)
        {
            entry.flags.remove(Flags::COUNTED);
            self.alive -= 1;
        }
    }
}

impl SocketEntry {
    /// Counts a socket among those that keep the loop going, or no more (R105).
    pub(super) fn recount(&mut self, alive: &mut usize) {
        let listens = !self.latch.is_paused();
        let counts = !self.flags.contains(Flags::UNREF)
            && self.lifecycle.keeps_alive(listens, self.queue.is_empty());
        if counts == self.flags.contains(Flags::COUNTED) {
            return;
        }
        if counts {
            self.flags.insert(Flags::COUNTED);
            *alive += 1;
        } else {
            self.flags.remove(Flags::COUNTED);
            *alive -= 1;
        }
    }

    /// Settles what becomes of writes whose bytes the kernel will never get.
    fn cut_completions(&mut self) {
        let flushed = self.flushed();
        let never_connected = !self.was_connected();
        let Some(cold) = &mut self.cold else { return };
        let why = match &cold.error {
            _ if never_connected => Error::socket_closed_before_connection(),
            Some(error) => error.clone(),
            None => Error::canceled("write"),
        };
        for completion in &mut cold.completions {
            let lost = never_connected || completion.at > flushed;
            if lost && completion.failed.is_none() {
                completion.failed = Some(why.clone());
            }
        }
    }
}
