//! What is true of a socket now, in the words of epoll, and how a poller reports it.
//!
//! Knows no edges: when a condition is told is decided in `watch.rs`.

use crate::sys::{Interest, Readiness};

/// A set of epoll's conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions(u8);

impl Conditions {
    pub(super) const NONE: Conditions = Conditions(0);
    pub(super) const IN: Conditions = Conditions(1);
    pub(super) const OUT: Conditions = Conditions(1 << 1);
    pub(super) const RDHUP: Conditions = Conditions(1 << 2);
    pub(super) const ERR: Conditions = Conditions(1 << 3);
    pub(super) const HUP: Conditions = Conditions(1 << 4);

    pub(super) const fn with(self, more: Conditions) -> Conditions {
        Conditions(self.0 | more.0)
    }

    pub(super) const fn has(self, all: Conditions) -> bool {
        self.0 & all.0 == all.0
    }

    pub(super) const fn intersects(self, any: Conditions) -> bool {
        self.0 & any.0 != 0
    }

    /// What is left of it for a socket with this interest. Errors and hang-ups are told to
    /// everybody, the peer's FIN only to who asks for input.
    pub(super) fn told_to(self, interest: Interest) -> Conditions {
        let always = Conditions::ERR.with(Conditions::HUP);
        let input = Conditions::IN.with(Conditions::RDHUP);
        let asked = match interest {
            Interest::Read => always.with(input),
            Interest::ReadWrite => always.with(input).with(Conditions::OUT),
            Interest::Parked => always,
            Interest::ParkedWrite => always.with(Conditions::OUT),
        };
        Conditions(self.0 & asked.0)
    }

    /// As `sys` reports it: the same rules as in `sys/os/poller.rs`, which are those of mio.
    pub(super) fn readiness(self) -> Readiness {
        let error = self.has(Conditions::ERR);
        let hup = self.has(Conditions::HUP);
        let read_closed = hup || self.has(Conditions::IN.with(Conditions::RDHUP));
        let mut ready = Readiness::empty();
        if self.has(Conditions::IN) || read_closed || error {
            ready.insert(Readiness::READ);
        }
        if self.has(Conditions::OUT) || hup || error {
            ready.insert(Readiness::WRITE);
        }
        if read_closed {
            ready.insert(Readiness::READ_CLOSED);
        }
        if error {
            ready.insert(Readiness::ERROR);
        }
        ready
    }
}
