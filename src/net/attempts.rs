//! Attempts that race each other: a descriptor each, until one of them becomes the socket's.
//!
//! Each is reported under a token of its own. One that was given up is gone with its slot, so an
//! event that it left behind in the batch finds nothing, and never the attempt after it. A host of
//! one address does without: its only attempt is the socket's own descriptor (`connect.rs`).

use super::Net;
use super::entry::SocketEntry;
use super::ids::{Key, Target};
use super::slots::Tenant;
use crate::Error;
use crate::connect::RaceInput;
use crate::net::idle;
use crate::sys::{Interest, Readiness, Stream};
use std::io;

/// One attempt that is under way.
pub(crate) struct Attempt {
    generation: u32,
    pub(crate) socket: Key,
    /// Which address of its socket's.
    pub(crate) place: usize,
    pub(crate) stream: Stream,
    /// What the kernel said so far: the winner's socket inherits it.
    pub(crate) said: Readiness,
    pub(crate) in_ready: bool,
}

impl Tenant for Attempt {
    fn generation(&self) -> u32 {
        self.generation
    }
}

impl Net {
    /// Begins the attempt to the address at `place`, beside others.
    pub(super) fn begin_attempt(&mut self, socket: Key, place: usize, stream: Stream) {
        let key = self.attempts.insert(|key| Attempt {
            generation: key.generation,
            socket,
            place,
            stream,
            said: Readiness::empty(),
            in_ready: false,
        });
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        let token = Target::Attempt(key).to_token();
        let registered = self
            .sys
            .register(&mut attempt.stream, token, Interest::ReadWrite);
        if let Some(connecting) = self.connecting_mut(socket) {
            connecting.attempts.push(key);
        }
        if let Err(error) = registered {
            if let Some(attempt) = self.take_attempt(key) {
                self.sys.discard(attempt.stream);
            }
            self.attempt_failed(socket, place, error);
        }
    }

    /// Asks how an attempt went that was reported ready.
    pub(crate) fn serve_attempt(&mut self, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        attempt.in_ready = false;
        if !attempt.said.contains(Readiness::WRITE) {
            return;
        }
        let (socket, place) = (attempt.socket, attempt.place);
        let connecting = self.sockets.get(socket).and_then(SocketEntry::connecting);
        if !connecting.is_some_and(|it| it.is_under_way(place)) {
            return; // decided, and kept for what is still to be told
        }
        match self.sys.finish_connect(&attempt.stream) {
            Ok(true) => self.race_on(socket, RaceInput::Connected(place)),
            // Reported writable without being connected: the next edge tells (B3).
            Ok(false) => attempt.said = Readiness::empty(),
            Err(error) => {
                self.close_attempt(key);
                self.attempt_failed(socket, place, error);
            }
        }
    }

    /// Makes the winner the socket's own descriptor, under the socket's token.
    pub(super) fn take_winner(&mut self, socket: Key, place: usize) -> io::Result<()> {
        let Some(key) = self.attempt_at(socket, place) else {
            return Ok(());
        };
        let Some(mut attempt) = self.take_attempt(key) else {
            return Ok(());
        };
        let token = Target::Socket(socket).to_token();
        // Reports anew what is true by now: nothing can have got lost between the two tokens.
        let moved = self
            .sys
            .reregister(&mut attempt.stream, token, Interest::ReadWrite);
        if let Err(error) = moved {
            self.sys.close(attempt.stream);
            return Err(error);
        }
        let Some(entry) = self.sockets.get_mut(socket) else {
            self.sys.close(attempt.stream);
            return Ok(());
        };
        entry.stream = Some(attempt.stream);
        entry.latch.latch(attempt.said);
        if let Some(options) = entry.connecting().map(|it| it.options.clone()) {
            entry.apply(&options, &mut self.sys);
            // It may have been set since this attempt began.
            if let Some(value) = options.type_of_service {
                entry.apply_type_of_service(value, &mut self.sys);
            }
        }
        idle::touch(entry, socket, self.tick, &mut self.idle);
        Ok(())
    }

    /// Gives up the attempt to the address at `place`.
    pub(super) fn abandon(&mut self, socket: Key, place: usize) {
        if let Some(key) = self.attempt_at(socket, place) {
            self.close_attempt(key);
        }
    }

    /// Closes the descriptor of an attempt that has not won.
    pub(super) fn close_attempt(&mut self, key: Key) {
        if let Some(attempt) = self.take_attempt(key) {
            self.sys.close(attempt.stream);
            self.retry_accepts(); // a descriptor came free
        }
    }

    fn attempt_at(&self, socket: Key, place: usize) -> Option<Key> {
        let connecting = self.sockets.get(socket)?.connecting()?;
        let mut keys = connecting.attempts.iter().copied();
        keys.find(|&key| self.attempts.get(key).is_some_and(|it| it.place == place))
    }

    fn take_attempt(&mut self, key: Key) -> Option<Attempt> {
        let attempt = self.attempts.remove(key)?;
        if let Some(connecting) = self.connecting_mut(attempt.socket) {
            connecting.attempts.retain(|&it| it != key);
        }
        Some(attempt)
    }

    /// The error of an attempt becomes one of those that are told if all fail (R82).
    pub(super) fn attempt_failed(&mut self, socket: Key, place: usize, error: io::Error) {
        let Some(connecting) = self.connecting_mut(socket) else {
            return;
        };
        let error = connecting.refused(place, Error::io("connect", error));
        connecting.errors.push((place, error));
        self.race_on(socket, RaceInput::Failed(place));
    }
}
