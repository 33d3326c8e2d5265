//! What will happen, in the order in which it does.

use std::collections::BTreeMap;

use super::packet::Packet;
use super::table::{EndpointId, ListenerId};
use super::watch::Cause;
use crate::sys::Pool;

/// One thing to come.
#[derive(Debug)]
pub(super) enum Happening {
    /// A packet is there.
    Arrival(Packet),
    /// An edge that is reported late.
    Late {
        host: usize,
        descriptor: u32,
        serial: u64,
    },
    /// What an injected answer hid comes to light.
    Unhidden(EndpointId, Cause),
    UnhiddenBacklog(ListenerId),
    /// A SYN that nobody took is sent again, or given up.
    Resend(EndpointId, u32),
    /// A thread of the host's has had the time that a job takes.
    JobDone {
        host: usize,
        pool: Pool,
    },
}

/// Happenings by time; those of one moment in the order in which they were put in.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BTreeMap<(u64, u64), Happening>,
    /// How many were ever put in.
    put: u64,
}

impl Agenda {
    pub(super) fn put(&mut self, at: u64, what: Happening) {
        self.entries.insert((at, self.put), what);
        self.put += 1;
    }

    /// When the next one happens.
    pub(super) fn next(&self) -> Option<u64> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    /// Takes out the next one with its time, if that is not after `until`.
    pub(super) fn pop(&mut self, until: u64) -> Option<(u64, Happening)> {
        let first = self.entries.first_entry()?;
        let (at, _) = *first.key();
        (at <= until).then(|| (at, first.remove()))
    }
}
