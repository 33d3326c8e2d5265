//! What the kernel said of one connection and nobody has used up yet, and the pause mask over it.
//!
//! Edge-triggered readiness is told once, so it is kept here until a read or a write shows that it
//! is used up. Knows no descriptor: it answers which interest the kernel should be given, `net`
//! compares it with the present one and makes the call.

use crate::sys::{Interest, Readiness};

/// Latched readiness, the pause mask, and the interest that the kernel has now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latch {
    ready: Readiness,
    interest: Interest,
    paused: bool,
}

impl Latch {
    /// A fresh connection takes bytes: the first write tries and finds out.
    pub(crate) fn accepted(interest: Interest, paused: bool) -> Latch {
        Latch {
            ready: Readiness::WRITE,
            interest,
            paused,
        }
    }

    /// Nothing is known before the connection stands.
    pub(crate) fn connecting() -> Latch {
        Latch {
            ready: Readiness::empty(),
            interest: Interest::ReadWrite,
            paused: false,
        }
    }

    /// Adds what an event said.
    pub(crate) fn latch(&mut self, said: Readiness) {
        self.ready.insert(said);
    }

    /// A read would find bytes, the end, or an error, as far as is known.
    pub(crate) fn is_readable(&self) -> bool {
        self.ready.contains(Readiness::READ)
    }

    /// A read would find something and may be made.
    pub(crate) fn may_read(&self) -> bool {
        !self.paused && self.is_readable()
    }

    /// The kernel takes bytes, as far as is known.
    pub(crate) fn is_writable(&self) -> bool {
        self.ready.contains(Readiness::WRITE)
    }

    /// The connection failed; a read or a write tells how.
    pub(crate) fn has_error(&self) -> bool {
        self.ready.contains(Readiness::ERROR)
    }

    /// A read that did not fill its buffer: the kernel has nothing more, unless the end or an
    /// error was announced, which no further event will repeat (P6).
    pub(crate) fn short_read(&mut self) {
        if !self.ready.contains(Readiness::READ_CLOSED) && !self.has_error() {
            self.ready.remove(Readiness::READ);
        }
    }

    /// A read found nothing, whatever was announced: the next edge tells of more.
    pub(crate) fn blocked_read(&mut self) {
        self.ready.remove(
            Readiness::READ
                .with(Readiness::READ_CLOSED)
                .with(Readiness::ERROR),
        );
    }

    /// The kernel took less than it was given: the next edge tells of room.
    pub(crate) fn blocked_write(&mut self) {
        self.ready.remove(Readiness::WRITE);
    }

    /// An error was looked at and told nothing.
    pub(crate) fn error_seen(&mut self) {
        self.ready.remove(Readiness::ERROR);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// The interest that the kernel has now.
    pub(crate) fn interest(&self) -> Interest {
        self.interest
    }

    pub(crate) fn set_interest(&mut self, interest: Interest) {
        self.interest = interest;
    }

    /// The interest to have after an event came, a write was blocked, or the pause mask changed.
    ///
    /// A paused socket whose queue waits is asked about room only; one whose queue is empty is
    /// parked, so that neither data nor a FIN wakes the loop (P2, P3).
    pub(crate) fn wanted_interest(&self, queue_waits: bool) -> Interest {
        match (self.paused, queue_waits) {
            (true, true) => Interest::ParkedWrite,
            (true, false) => Interest::Parked,
            (false, true) => Interest::ReadWrite,
            // Room that nobody waits for costs no event in edge-triggered mode, so an interest in
            // it that was once needed is left standing.
            (false, false) if self.interest == Interest::ReadWrite => Interest::ReadWrite,
            (false, false) => Interest::Read,
        }
    }
}
