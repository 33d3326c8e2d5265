//! One registration with a poller, and the edges that it is owed.
//!
//! This is where the kernel is strict. An edge comes from a change of the socket's state or from a
//! registration, is handed out once, and is never repeated out of kindness.

use super::conditions::Conditions;
use crate::sys::{Interest, Readiness};

/// Why a socket is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Bytes or a connection came: tells only those who ask for input (P2).
    Input,
    /// There is room again after a write that was refused or cut short (P19): tells only those who
    /// ask for room.
    Room,
    /// A FIN, a reset, a connect's outcome, our own shutdown: tells everybody, with whatever is
    /// then true that they ask for (P3).
    Change,
}

/// What the next poll has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    Nothing,
    /// Whatever is true by then.
    Everything,
    /// The other half of an event that was told in two.
    Rest(Readiness),
}

/// A registration.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) token: u64,
    pub(super) interest: Interest,
    pub(super) owed: Owed,
    /// Tells this registration from a later one under the same number.
    pub(super) serial: u64,
    /// Edges that exist but are reported late.
    pub(super) delayed: u32,
    /// Events in a row that told of input, with no read and no other interest after them.
    pub(super) ignored: u32,
}

impl Watch {
    /// Whether this cause concerns this registration.
    pub(super) fn hears(&self, cause: Cause) -> bool {
        let asked = |condition: Conditions| condition.told_to(self.interest) != Conditions::NONE;
        match cause {
            Cause::Input => asked(Conditions::IN),
            Cause::Room => asked(Conditions::OUT),
            Cause::Change => true,
        }
    }

    /// What is to be told of `now`, if anything.
    pub(super) fn due(&self, now: Conditions) -> Readiness {
        let ready = now.told_to(self.interest).readiness();
        match self.owed {
            Owed::Nothing => Readiness::empty(),
            Owed::Everything => ready,
            Owed::Rest(rest) => ready.only(rest),
        }
    }
}
