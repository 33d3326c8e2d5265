//! The monotonic clock, as nanoseconds in an integer that a connection can afford to keep.

use std::time::Instant;

/// Counts from the moment it was made. Enough for 584 years.
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock {
            origin: Instant::now(),
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> u64 {
        let elapsed = self.origin.elapsed();
        // `as_nanos` would go through 128 bits.
        elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos())
    }
}
