//! What goes wrong, and how often.

use super::dice::Dice;

/// How likely each class of faults is, as probabilities from 0.0 to 1.0.
///
/// Everything here is something that a real kernel or a real network does. [`Faults::none`] is a
/// calm day; start from it, raise what your test is about, and leave the rest.
///
/// ```
/// use netloop::sim::{Faults, World};
///
/// let mut faults = Faults::none();
/// faults.short_reads = 0.5;
/// let world = World::with_faults(7, faults);
/// # let _ = world;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Faults {
    /// A read brings less than is there, down to one byte. What is left counts as having come a
    /// moment later.
    pub short_reads: f64,
    /// A write is cut short although there is room, down to one byte. There is room again a moment
    /// later.
    pub short_writes: f64,
    /// A read, write or accept answers `WouldBlock` although readiness was told. What it hid comes
    /// to light a moment later.
    pub blocked_calls: f64,
    /// A signal interrupts a call (`EINTR`).
    pub interrupts: f64,
    /// A poll reports a socket readable, writable or hung up that is not.
    pub spurious_events: f64,
    /// Readiness is reported late.
    pub delayed_events: f64,
    /// What is ready for reading and writing is reported in two polls, not in one.
    pub split_events: f64,
    /// The events of a poll come in another order.
    pub shuffled_events: f64,
    /// A poll reports only one to eight of the sockets that are ready.
    pub small_batches: f64,
    /// A loop wakes up for nothing.
    pub idle_wakeups: f64,
    /// Segments are smaller than they need to be.
    pub small_segments: f64,
    /// A segment is held up on its way, and all behind it.
    pub slow_segments: f64,
    /// A segment's connection is reset at one of its bytes, for both ends.
    pub resets: f64,
    /// A connect is refused.
    pub refused_connects: f64,
    /// A connect takes up to three seconds.
    pub slow_connects: f64,
    /// A connect is never answered; after about two minutes it times out.
    pub lost_connects: f64,
    /// An accept loses the connection it should have brought (`ECONNABORTED` and its like).
    pub failed_accepts: f64,
    /// A host runs out of descriptors for its next few calls (`EMFILE`, `ENFILE`, `ENOBUFS`,
    /// `ENOMEM`).
    pub descriptor_famines: f64,
    /// A socket can't be registered with the poller, its registration can't be changed, or an
    /// option can't be set.
    pub failed_controls: f64,
    /// Work on another thread takes up to an hour, as a query does behind a lock.
    pub slow_jobs: f64,
    /// A sleep lasts longer than asked: to the millisecond, by a second, by a day, as when the
    /// process was stopped.
    pub time_jumps: f64,
    /// Not a fault of the world's: how likely it is that a host's loop works with tiny budgets, so
    /// that whatever takes it several turns takes many.
    pub tight_budgets: f64,
    /// How likely it is that a host's clock does not start near zero, but where a counter of the
    /// library could overflow.
    pub late_clocks: f64,
    /// The answer to a lookup takes up to 15 seconds, which is longer than anybody waits for it.
    pub slow_lookups: f64,
    /// A lookup is never answered.
    pub lost_lookups: f64,
    /// A lookup fails (`EAI_AGAIN`).
    pub failed_lookups: f64,
    /// Before the right addresses, an answer has up to forty at which there is nobody.
    pub stray_lookups: f64,
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Faults {
        Faults {
            short_reads: 0.0,
            short_writes: 0.0,
            blocked_calls: 0.0,
            interrupts: 0.0,
            spurious_events: 0.0,
            delayed_events: 0.0,
            split_events: 0.0,
            shuffled_events: 0.0,
            small_batches: 0.0,
            idle_wakeups: 0.0,
            small_segments: 0.0,
            slow_segments: 0.0,
            resets: 0.0,
            refused_connects: 0.0,
            slow_connects: 0.0,
            lost_connects: 0.0,
            failed_accepts: 0.0,
            descriptor_famines: 0.0,
            failed_controls: 0.0,
            slow_jobs: 0.0,
            time_jumps: 0.0,
            tight_budgets: 0.0,
            late_clocks: 0.0,
            slow_lookups: 0.0,
            lost_lookups: 0.0,
            failed_lookups: 0.0,
            stray_lookups: 0.0,
        }
    }

    /// A bad day: every class, each as likely as it is in a world that drew it at its worst.
    pub fn all() -> Faults {
        let mut faults = Faults::none();
        for (class, worst) in faults.classes() {
            *class = worst;
        }
        for (class, worst) in faults.name_classes() {
            *class = worst;
        }
        faults
    }

    /// A swarm: each class is off in about half of the worlds, and as likely as the seed says in
    /// the others. A defect that one class hides from another shows where that one is off.
    pub(super) fn drawn(dice: &mut Dice) -> Faults {
        let mut faults = Faults::none();
        for (class, worst) in faults.classes() {
            if dice.chance(0.5) {
                *class = worst * (dice.pick(1..=100) as f64 / 100.0);
            }
        }
        faults
    }

    /// The classes that are about names, drawn from dice of their own: no other draw depends on them.
    pub(super) fn draw_names(&mut self, dice: &mut Dice) {
        for (class, worst) in self.name_classes() {
            if dice.chance(0.5) {
                *class = worst * (dice.pick(1..=100) as f64 / 100.0);
            }
        }
    }

    fn name_classes(&mut self) -> [(&mut f64, f64); 4] {
        [
            (&mut self.slow_lookups, 0.5),
            (&mut self.lost_lookups, 0.1),
            (&mut self.failed_lookups, 0.2),
            (&mut self.stray_lookups, 0.5),
        ]
    }

    /// Each class with the probability that it has at its worst, in an order that seeds depend on.
    fn classes(&mut self) -> [(&mut f64, f64); 23] {
        [
            (&mut self.short_reads, 0.5),
            (&mut self.short_writes, 0.5),
            (&mut self.blocked_calls, 0.4),
            (&mut self.interrupts, 0.3),
            (&mut self.spurious_events, 0.3),
            (&mut self.delayed_events, 0.5),
            (&mut self.split_events, 0.5),
            (&mut self.shuffled_events, 1.0),
            (&mut self.small_batches, 0.8),
            (&mut self.idle_wakeups, 0.2),
            (&mut self.small_segments, 0.8),
            (&mut self.slow_segments, 0.2),
            (&mut self.resets, 0.02),
            (&mut self.refused_connects, 0.2),
            (&mut self.slow_connects, 0.5),
            (&mut self.lost_connects, 0.1),
            (&mut self.failed_accepts, 0.2),
            (&mut self.descriptor_famines, 0.2),
            (&mut self.failed_controls, 0.05),
            (&mut self.slow_jobs, 0.3),
            (&mut self.time_jumps, 0.05),
            (&mut self.tight_budgets, 1.0),
            (&mut self.late_clocks, 0.7),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_off_in_some_worlds_and_on_in_others() {
        let mut off = [0; 22];
        for seed in 0..100 {
            let mut faults = Faults::drawn(&mut Dice::new(seed));
            for (count, (class, worst)) in off.iter_mut().zip(faults.classes()) {
                assert!((0.0..=worst).contains(class));
                *count += usize::from(*class == 0.0);
            }
        }
        assert!(off.iter().all(|count| (20..80).contains(count)), "{off:?}");
    }
}
