//! The time that everything is stamped with.
//!
//! Two clocks are at hand. `net.now()` is the loop's: read after each poll, so at most a turn old, and
//! free. [`Instant::now`] is the true time for some 25 nanoseconds. Stamps are the latter: a turn in
//! which a hundred answers came takes long, and an answer that is stamped with the turn's beginning
//! would count for less than it took, one that came in the midst of it even for less than nothing. What
//! the true time adds is the generator's own delay between the poll and the handler. It is in the
//! latencies, as a user's own program would have it too, and it is measured by itself: the difference
//! of the two clocks is the *turn lag* of the report.

use crate::pace::Nanos;
use netloop::Net;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
    /// What the loop's clock said at `origin`.
    loop_time: Duration,
}

impl Clock {
    /// Starts at zero. `net` has just been lent by its reactor, which has read the loop's clock.
    pub(crate) fn start(net: &Net) -> Clock {
        Clock {
            origin: Instant::now(),
            loop_time: net.now(),
        }
    }

    pub(crate) fn now(&self) -> Nanos {
        nanos(self.origin.elapsed())
    }

    /// When the present turn's poll returned, or the loop looked at the clock after that.
    pub(crate) fn turn(&self, net: &Net) -> Nanos {
        nanos(net.now().saturating_sub(self.loop_time))
    }
}

pub(crate) fn nanos(time: Duration) -> Nanos {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
