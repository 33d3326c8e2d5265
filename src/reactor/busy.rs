//! Polling without sleep for a while, before sleeping.
//!
//! Knows how long the loop may be awake for nothing, and when it last was not; what is polled, and what
//! becomes of it, stands in `poll`.

use crate::Result;
use crate::net::Net;
use std::time::Duration;

/// No poll takes less, as it has to enter the kernel. By this a clock that stands still ends the
/// polling too, after as many polls as the budget has room for.
const SHORTEST_POLL_NANOS: u64 = 50;

/// What the loop remembers from one turn to the next while busy polling is on.
#[derive(Default)]
pub(super) struct Busy {
    /// The last turn had something to do.
    worked: bool,
    /// When the loop last had something to do, in nanoseconds.
    since: u64,
}

impl Busy {
    /// Waits for events as `latch_events` does, but polls for what is left of the budget before it
    /// sleeps; answers how many came.
    ///
    /// A turn that follows one without work goes on with the budget of that one: a host that lets
    /// each turn sleep for a moment only does not make us poll for ever.
    #[cold] // as most loops see it
    pub(super) fn wait(&mut self, net: &mut Net, timeout: Option<Duration>) -> Result<usize> {
        if timeout == Some(Duration::ZERO) {
            // Something waits for this turn, or it is a host's: neither is a time to look twice.
            return net.latch_events(timeout);
        }
        let begun = net.sys.now();
        if std::mem::take(&mut self.worked) {
            self.since = begun;
        }
        let budget = net.limits.busy_poll_nanos;
        let wakes = timeout.map_or(u64::MAX, |timeout| begun.saturating_add(nanos(timeout)));
        let until = self.since.saturating_add(budget).min(wakes);
        let mut polls_left = until.saturating_sub(begun) / SHORTEST_POLL_NANOS + 1;
        // We look at what others post, so nobody has to wake us.
        net.wake_up();
        let mut now = begun;
        while now < until && polls_left > 0 {
            let events = net.latch_events(Some(Duration::ZERO))?;
            if events > 0 || net.has_mail() {
                return Ok(events);
            }
            now = net.sys.now();
            polls_left -= 1;
        }
        if now >= wakes || !net.fall_asleep() {
            // A timer is due, or something was posted in the last moment. The clock may have jumped
            // since the last look, as after a stop: what came meanwhile counts before a timeout (F6).
            return net.latch_events(Some(Duration::ZERO));
        }
        let left = timeout.map(|_| Duration::from_nanos(wakes - now));
        net.latch_events(left)
    }

    /// Notes whether there is something to do in this turn.
    #[cold]
    pub(super) fn note(&mut self, net: &Net, events: usize) {
        let is_due = net.next_wake().is_some_and(|at| at <= net.now);
        self.worked |= events > 0 || is_due || net.has_work() || net.has_mail();
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
