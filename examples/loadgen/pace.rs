//! When the next request is due.
//!
//! Computes times and keeps no clock: `now` is an argument. The schedule of an open loop never slips:
//! the time of each request is counted from the beginning, not from the one before, and a request that
//! can't be sent yet stays due.

/// Nanoseconds since the generator's clock was started.
pub(crate) type Nanos = u64;

/// A sequence of moments at equal distances, handed out in order.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    start: Nanos,
    per_second: f64,
    /// How many were handed out.
    taken: u64,
    /// No moment from here on is one of the schedule.
    end: Nanos,
}

impl Pace {
    pub(crate) fn new(start: Nanos, per_second: f64) -> Pace {
        Pace {
            start,
            per_second,
            taken: 0,
            end: Nanos::MAX,
        }
    }

    /// Ends the schedule at `end`. What was due before stays due.
    pub(crate) fn stop_at(&mut self, end: Nanos) {
        self.end = self.end.min(end);
    }

    /// The next moment of the schedule, past or to come; `None` once it is over.
    pub(crate) fn next(&self) -> Option<Nanos> {
        // A product and not a sum, so that no error adds up; exact to a nanosecond for months.
        let after = self.taken as f64 / self.per_second * 1e9;
        let next = self.start.saturating_add(after as u64);
        (next < self.end).then_some(next)
    }

    /// Takes the next moment if it has come.
    pub(crate) fn take(&mut self, now: Nanos) -> Option<Nanos> {
        let next = self.next().filter(|next| *next <= now)?;
        self.taken += 1;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_one_period_apart_and_never_early() {
        let mut pace = Pace::new(500, 1_000_000.0);
        assert_eq!(pace.take(499), None);
        assert_eq!(pace.take(500), Some(500));
        assert_eq!(pace.take(1499), None);
        assert_eq!(pace.next(), Some(1500));
        assert_eq!(pace.take(1500), Some(1500));
    }

    #[test]
    fn a_stall_delays_nothing_that_is_due_and_loses_nothing() {
        let mut pace = Pace::new(0, 1000.0);
        let due: Vec<Nanos> = std::iter::from_fn(|| pace.take(5_000_000)).collect();
        assert_eq!(due, [0, 1, 2, 3, 4, 5].map(|millis| millis * 1_000_000));
    }

    #[test]
    fn it_does_not_drift() {
        let mut pace = Pace::new(0, 3.0);
        for second in 0..100_000u64 {
            let due = pace.take(Nanos::MAX).unwrap();
            assert_eq!(due, second * 1_000_000_000);
            pace.take(Nanos::MAX).unwrap();
            pace.take(Nanos::MAX).unwrap();
        }
    }

    #[test]
    fn what_was_due_before_the_end_stays_due() {
        let mut pace = Pace::new(0, 1000.0);
        pace.stop_at(2_000_000);
        assert_eq!(pace.take(9_000_000), Some(0));
        assert_eq!(pace.take(9_000_000), Some(1_000_000));
        assert_eq!(pace.take(9_000_000), None);
        assert_eq!(pace.next(), None);
    }
}
