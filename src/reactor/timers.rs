//! Time in the turn: immediates, the user's timers, idle timeouts.

use super::{Reactor, tell};
use crate::Event;
use crate::net::Idle;

impl Reactor {
    /// Runs the immediates that stood in their queue when this began.
    pub(super) fn run_immediates(&mut self) {
        let net = &mut self.net;
        for _ in 0..net.timers.immediates() {
            match net.timers.next_immediate() {
                Some(run) => tell::immediate(net, run),
                None => break,
            }
        }
    }

    /// Runs the timers that are due, earliest first, as many as the budget allows. The clock is
    /// read again: the handlers before may have taken a while.
    pub(super) fn run_timers(&mut self) {
        let net = &mut self.net;
        if net.timers.next_wake().is_none() {
            return;
        }
        net.read_clock();
        let tick = net.tick;
        for _ in 0..net.limits.timers {
            match net.next_timer(tick) {
                Some(due) => tell::timer(net, due),
                None => break,
            }
        }
    }

    /// Tells sockets that have been idle for their whole timeout.
    ///
    /// After a full batch more events may wait behind it, for sockets that only look idle: a
    /// process that was stopped for a while must not cut its live clients off (F6). So idle
    /// timeouts wait for the next poll then, but not for ever. And they are measured by the time of
    /// the last poll: what came while handlers took their time has not been seen yet either.
    pub(super) fn expire_idle(&mut self) {
        if self.batch_was_full && self.full_batches < self.net.limits.full_batches {
            self.full_batches += 1;
            return;
        }
        self.full_batches = 0;
        for _ in 0..self.net.limits.idle_timeouts {
            match self.net.next_idle(self.polled_at) {
                Idle::None => break,
                Idle::Moved => {}
                Idle::Expired(key) => tell::event_if_open(&mut self.net, key, Event::Timeout),
            }
        }
    }
}
