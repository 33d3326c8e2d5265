//! Faults on their way in: what a call answers instead of the truth, or before it.
//!
//! A lie that hides something owes an edge for it later (`network/mod.rs` says why); a lie that
//! breaks something breaks it for both ends.

use std::collections::BTreeMap;

use super::network::Network;
use crate::Address;

/// Calls that can be made to fail by [`World::fail_calls`](super::World::fail_calls).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// The wait for events. `EINTR` ends it, and what is ready stays so; other errors end the loop.
    Poll,
    /// The start of a listener: socket, bind and listen.
    Listen,
    /// `EMFILE`, `ENFILE`, `ENOBUFS` and `ENOMEM` leave the connection where it is, `EAGAIN` hides
    /// it for a moment, others lose it.
    Accept,
    /// A local address for a connect.
    Bind,
    /// The start of a connect.
    Connect,
    /// `EAGAIN` hides what is there for a moment, other errors end the connection.
    Read,
    /// `EAGAIN` hides the room for a moment, other errors end the connection.
    Write,
    /// The end of our side. `ENOTCONN` is told of a connection that is gone, so it is reset.
    Shutdown,
    /// A socket's registration with the poller.
    Register,
    /// A change of what a socket is watched for.
    Reregister,
    /// The end of a socket's registration, which is over even if this fails.
    Deregister,
    /// An option of a socket, the reset on close included.
    SetOption,
    /// The spare descriptor.
    HoldSpare,
    /// The question for the error that waits on a socket; the error stays where it is.
    TakeError,
    /// The question for a socket's own address.
    LocalAddress,
    /// The question for the peer's address, part of each connect.
    PeerAddress,
    /// The descriptor by which other threads wake the loop.
    Waker,
    /// Work given to another thread.
    RunJob,
    /// The wish to hear of a signal.
    #[cfg(feature = "signal")]
    WatchSignal,
}

/// What an injected `accept` loses a connection with.
const LOST_IN_ACCEPT: [i32; 5] = [
    libc::ECONNABORTED,
    libc::EPROTO,
    libc::ENETDOWN,
    libc::EHOSTUNREACH,
    libc::ETIMEDOUT,
];
/// What a host says that is short of something.
const FAMINE: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];

impl Network {
    /// What the test's script or the dice say before a call is made.
    pub(super) fn enter(&mut self, host: usize, call: Call) -> Result<(), i32> {
        if let Some(errno) = self.script(host).next(call) {
            return Err(errno);
        }
        let interrupted = matches!(call, Call::Poll | Call::Accept | Call::Read | Call::Write)
            && self.dice.chance(self.faults.interrupts);
        if interrupted {
            return Err(libc::EINTR);
        }
        let controls = matches!(call, Call::Register | Call::Reregister | Call::SetOption)
            && self.dice.chance(self.faults.failed_controls);
        if controls {
            return Err(match call {
                Call::SetOption => libc::EINVAL,
                _ => libc::ENOMEM,
            });
        }
        let takes_descriptor = matches!(
            call,
            Call::Accept
                | Call::Bind
                | Call::Connect
                | Call::Listen
                | Call::HoldSpare
                | Call::Waker
        );
        if takes_descriptor {
            if self.dice.chance(self.faults.descriptor_famines) {
                let famine = (self.dice.one_of(&FAMINE), self.dice.pick(1..=5));
                self.script(host).famine = Some(famine);
            }
            if let Some(errno) = self.script(host).starve() {
                return Err(errno);
            }
        }
        Ok(())
    }

    pub(super) fn accept_or_fail(
        &mut self,
        host: usize,
        listener: u32,
    ) -> Result<(u32, Address), i32> {
        if !self.has_waiting(host, listener) {
            return Err(libc::EAGAIN);
        }
        match self.enter(host, Call::Accept) {
            Err(libc::EAGAIN) => {
                self.hide_backlog(host, listener);
                return Err(libc::EAGAIN);
            }
            Err(errno) => {
                if errno != libc::EINTR && !FAMINE.contains(&errno) {
                    self.lose_waiting(host, listener);
                }
                return Err(errno);
            }
            Ok(()) => {}
        }
        if self.dice.chance(self.faults.blocked_calls) {
            self.hide_backlog(host, listener);
            return Err(libc::EAGAIN);
        }
        if self.dice.chance(self.faults.failed_accepts) {
            self.lose_waiting(host, listener);
            return Err(self.dice.one_of(&LOST_IN_ACCEPT));
        }
        self.accept(host, listener)
    }

    pub(super) fn read_or_fail(
        &mut self,
        host: usize,
        stream: u32,
        buffer: &mut [u8],
    ) -> Result<usize, i32> {
        // Whatever comes of it: a loop that asks and is lied to ignores nothing.
        self.input_is_looked_at(host, stream);
        match self.enter(host, Call::Read) {
            Ok(()) => {}
            Err(libc::EAGAIN) => {
                self.hide_input(host, stream);
                return Err(libc::EAGAIN);
            }
            Err(errno) => {
                if errno != libc::EINTR {
                    self.break_stream(host, stream, errno);
                }
                return Err(errno);
            }
        }
        if self.has_news(host, stream) && self.dice.chance(self.faults.blocked_calls) {
            self.hide_input(host, stream);
            return Err(libc::EAGAIN);
        }
        let there = self.readable_bytes(host, stream).min(buffer.len());
        let mut most = buffer.len();
        if there > 1 && self.dice.chance(self.faults.short_reads) {
            most = self.dice.magnitude(1..=there as u64 - 1) as usize;
            self.hide_input(host, stream);
        }
        let read = self.read(host, stream, &mut buffer[..most])?;
        self.trace.bytes(&buffer[..read]);
        Ok(read)
    }

    pub(super) fn shutdown_or_fail(&mut self, host: usize, stream: u32) -> Result<(), i32> {
        match self.enter(host, Call::Shutdown) {
            Ok(()) => self.shutdown(host, stream),
            Err(errno) => {
                if errno == libc::ENOTCONN {
                    self.reset_both(host, stream);
                }
                Err(errno)
            }
        }
    }

    pub(super) fn write_or_fail(
        &mut self,
        host: usize,
        stream: u32,
        bytes: &[u8],
    ) -> Result<usize, i32> {
        match self.enter(host, Call::Write) {
            Ok(()) => {}
            // What would fail anyway is not hidden: only room is.
            Err(libc::EAGAIN) if self.would_take(host, stream) => {
                self.hide_room(host, stream);
                return Err(libc::EAGAIN);
            }
            Err(libc::EAGAIN) => {}
            Err(errno) => {
                if errno != libc::EINTR {
                    self.break_stream(host, stream, errno);
                }
                return Err(errno);
            }
        }
        let lies = !bytes.is_empty() && self.would_take(host, stream);
        if lies && self.dice.chance(self.faults.blocked_calls) {
            self.hide_room(host, stream);
            return Err(libc::EAGAIN);
        }
        let mut most = bytes.len();
        if lies && most > 1 && self.dice.chance(self.faults.short_writes) {
            most = self.dice.magnitude(1..=most as u64 - 1) as usize;
            self.hide_room(host, stream);
        }
        let taken = self.write(host, stream, bytes, most)?;
        self.trace.bytes(&bytes[..taken]);
        Ok(taken)
    }
}

/// Calls that are to fail, by the test's own word.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// How many calls that can fail were made.
    calls: u64,
    /// Which they were.
    #[cfg(test)]
    made: Vec<Call>,
    /// By the place of the call among those.
    by_place: BTreeMap<u64, (Call, i32)>,
    /// By the kind of call, with how many of them are left.
    by_kind: Vec<(Call, i32, u64)>,
    /// Calls that still fail for want of a descriptor, and how.
    famine: Option<(i32, u64)>,
}

impl Script {
    pub(super) fn fail_calls(&mut self, call: Call, errno: i32, times: u64) {
        self.by_kind.push((call, errno, times));
    }

    /// Makes the call fail that will be the `place`-th of all that can, counted from 0, if it is
    /// of this kind by then: an earlier failure may have moved it.
    #[cfg(test)]
    pub(super) fn fail_call_at(&mut self, place: u64, call: Call, errno: i32) {
        self.by_place.insert(place, (call, errno));
    }

    /// How many calls that can fail were made.
    #[cfg(test)]
    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    /// The calls that can fail, from the `first`-th on.
    #[cfg(test)]
    pub(super) fn made(&self, first: u64) -> Vec<Call> {
        self.made[first as usize..].to_vec()
    }

    /// Forgets what was to fail and has not.
    pub(super) fn fail_no_more(&mut self) {
        self.by_place.clear();
        self.by_kind.clear();
    }

    /// How the call fails that is made now, if it does.
    fn next(&mut self, call: Call) -> Option<i32> {
        let place = self.calls;
        self.calls += 1;
        #[cfg(test)]
        self.made.push(call);
        if let Some((kind, errno)) = self.by_place.remove(&place)
            && kind == call
        {
            return Some(errno);
        }
        let scripted = self
            .by_kind
            .iter_mut()
            .find(|(kind, _, left)| *kind == call && *left > 0);
        let (_, errno, left) = scripted?;
        *left -= 1;
        Some(*errno)
    }

    /// How a call that needs a descriptor fails during a famine.
    fn starve(&mut self) -> Option<i32> {
        let (errno, left) = self.famine.take()?;
        if left > 1 {
            self.famine = Some((errno, left - 1));
        }
        Some(errno)
    }
}
