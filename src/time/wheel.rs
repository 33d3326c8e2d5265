//! A hierarchical timing wheel: which entries are due, and when to look again.
//!
//! Reads no clock and calls nobody: an entry that is due hands back the number of its owner. Knows
//! nothing of how long a tick lasts.
//!
//! Arming puts an entry into the slot that [`Slot::of`] names, and nothing else happens until the
//! present reaches that slot. Then, on level 0, the entry is due. Higher up the slot *cascades*:
//! each of its entries is looked at again from the slot's first tick and sinks to a lower level. So
//! an entry is moved at most once a level, and every other operation touches one slot.
//!
//! After: G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987.

use super::entries::{Entries, EntryId, List};
use super::occupied::Occupied;
use super::slot::{LEVELS, SLOTS, Slot};

/// Entries ordered by deadline, at the cost of a constant each; exact over the whole range of a
/// u64.
///
/// Any jump of the clock costs what falls due and the cascades passed, never the ticks between.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// The tick the wheel has turned to: all that was due before it has been handed out.
    ///
    /// Invariant: no deadline is earlier, and every entry stands in `Slot::of(deadline, present)`.
    present: u64,
    entries: Entries,
    /// Invariant: a slot is in it if and only if its list is not empty.
    occupied: Occupied,
    /// The one allocation that does not depend on the number of entries: 5.5 KiB.
    lists: Box<[[List; SLOTS]; LEVELS]>,
    /// How often a cascade has moved an entry.
    #[cfg(test)]
    cascaded: usize,
}

impl Wheel {
    /// An empty wheel whose present is `now`.
    pub(crate) fn new(now: u64) -> Wheel {
        Wheel {
            present: now,
            entries: Entries::new(),
            occupied: Occupied::default(),
            lists: Box::new([[List::EMPTY; SLOTS]; LEVELS]),
            #[cfg(test)]
            cascaded: 0,
        }
    }

    /// Makes room for so many entries in all, and keeps it when they go.
    pub(crate) fn reserve(&mut self, entries: usize) {
        self.entries.reserve(entries);
    }

    /// Adds an entry that [`pop_due`](Wheel::pop_due) hands out, as `owner`, once at `deadline`. O(1).
    ///
    /// A deadline that has passed becomes the wheel's present: it is due at once, behind what is
    /// due already.
    ///
    /// # Panics
    ///
    /// If 2^32 - 1 entries are armed already.
    pub(crate) fn arm(&mut self, deadline: u64, owner: u32) -> EntryId {
        let early = u64::from(planted!(WheelOneTickEarly));
        let deadline = (deadline - early).max(self.present);
        let entry = self.entries.insert(deadline, owner);
        self.enter_slot(entry);
        entry
    }

    /// Gives `entry` another deadline, as if it were cancelled and armed anew under its old name.
    /// O(1).
    pub(crate) fn move_to(&mut self, entry: EntryId, deadline: u64) {
        if let Some(slot) = self.entries.slot(entry) {
            self.leave_slot(slot, entry);
            let deadline = deadline.max(self.present);
            self.entries.set_deadline(entry, deadline);
            self.enter_slot(entry);
        }
    }

    /// Removes `entry`, which will not come out any more. O(1).
    pub(crate) fn cancel(&mut self, entry: EntryId) {
        if let Some(slot) = self.entries.slot(entry) {
            self.leave_slot(slot, entry);
            self.entries.remove(entry);
        }
    }

    /// Takes out the next entry whose deadline is `now` or earlier, and tells its owner.
    ///
    /// The earliest deadline comes first; of one deadline, the one that was armed first. Between
    /// two calls the caller may arm, move and cancel as it likes: what becomes due thereby comes
    /// out too, so a caller who arms at `now` without end has to bound its calls.
    ///
    /// After `None` the wheel's present is `now`; until then it is the deadline of the entry handed
    /// out last. A `now` before the present counts as the present.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<u32> {
        let now = now.max(self.present);
        while let Some(slot) = self.occupied.earliest() {
            let start = slot.start(self.present);
            if start > now {
                break;
            }
            debug_assert!(start >= self.present, "time runs one way");
            self.present = start;
            if slot.level() > 0 {
                self.cascade(slot);
                continue;
            }
            let first = self.list(slot).first();
            let entry = first.expect("a slot whose bit is set holds an entry");
            self.leave_slot(slot, entry);
            return Some(self.entries.remove(entry));
        }
        // Every slot in use starts after `now`. So `now` has the same digits as the old present
        // above each entry's level, and a lower one at it: the entries stand where they should.
        self.present = now;
        None
    }

    /// The tick at which [`pop_due`](Wheel::pop_due) has to be called next; `None` without entries.
    ///
    /// Never later than the earliest deadline, and equal to the present if something is due. It is
    /// earlier than the earliest deadline if a cascade has to be made first: whoever sleeps until
    /// then wakes at most once for each level that an entry passes.
    pub(crate) fn next_wake(&self) -> Option<u64> {
        self.occupied
            .earliest()
            .map(|slot| slot.start(self.present))
    }

    #[cfg(any(test, feature = "sim"))]
    /// The tick at which `entry` is due; not before what was the present when it was armed.
    pub(crate) fn deadline(&self, entry: EntryId) -> u64 {
        match self.entries.slot(entry) {
            Some(_) => self.entries.deadline(entry),
            None => u64::MAX, // A name that has outlived its entry: never.
        }
    }

    /// Whose entry this is.
    #[cfg(feature = "sim")]
    pub(crate) fn owner(&self, entry: EntryId) -> u32 {
        self.entries.owner(entry)
    }

    /// Checks that the slots in use are those that hold something, and none was passed over.
    #[cfg(feature = "sim")]
    pub(crate) fn assert_in_time(&self) {
        for level in 0..LEVELS {
            // One comparison a level, not one a slot: this runs after each turn of a simulation.
            let lists = self.lists[level].iter().rev();
            let used = lists.fold(0, |used, list| used << 1 | u64::from(!list.is_empty()));
            assert_eq!(self.occupied.level(level), used, "level {level}");
        }
        if let Some(slot) = self.occupied.earliest() {
            assert!(slot.start(self.present) >= self.present, "passed over");
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[cfg(any(test, feature = "sim"))]
    /// The entries armed and neither handed out nor cancelled.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Lets the entries of `slot`, whose first tick the present has reached, sink to lower levels.
    fn cascade(&mut self, slot: Slot) {
        let mut next = self.list(slot).first();
        debug_assert!(next.is_some(), "{slot:?} would be the earliest for ever");
        self.lists[slot.level()][slot.index()] = List::EMPTY;
        self.occupied.remove(slot);
        // From first to last, and before anything new can enter the lists below: that keeps the
        // entries of one tick in the order of their arming, whatever level each of them started on.
        while let Some(entry) = next {
            next = self.entries.next(entry);
            let lower = self.enter_slot(entry);
            debug_assert!(lower.level() < slot.level(), "or cascades would not end");
            #[cfg(test)]
            {
                self.cascaded += 1;
            }
        }
    }

    fn enter_slot(&mut self, entry: EntryId) -> Slot {
        let slot = Slot::of(self.entries.deadline(entry), self.present);
        let list = &mut self.lists[slot.level()][slot.index()];
        self.entries.push_back(list, slot, entry);
        self.occupied.insert(slot);
        slot
    }

    fn leave_slot(&mut self, slot: Slot, entry: EntryId) {
        let list = &mut self.lists[slot.level()][slot.index()];
        self.entries.unlink(list, entry);
        if list.is_empty() {
            self.occupied.remove(slot);
        }
    }

    fn list(&self, slot: Slot) -> &List {
        &self.lists[slot.level()][slot.index()]
    }
}

#[cfg(test)]
impl Wheel {
    pub(super) fn present(&self) -> u64 {
        self.present
    }

    /// Checks every invariant written on the fields above.
    pub(super) fn assert_sound(&self) {
        let mut found = 0;
        for level in 0..LEVELS {
            for index in 0..SLOTS {
                let slot = Slot::new(level, index);
                let walked = self.entries.walk(self.list(slot), slot);
                let bit = self.occupied.level(level) >> index & 1 == 1;
                assert_eq!(bit, !walked.is_empty(), "{slot:?}");
                for &entry in &walked {
                    let deadline = self.entries.deadline(entry);
                    assert!(deadline >= self.present, "{entry:?} was passed over");
                    assert_eq!(Slot::of(deadline, self.present), slot);
                }
                found += walked.len();
            }
        }
        assert_eq!(found, self.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `pop_due(now)` gives until it gives nothing.
    fn drain(wheel: &mut Wheel, now: u64) -> Vec<u32> {
        std::iter::from_fn(|| wheel.pop_due(now)).collect()
    }

    #[test]
    fn an_entry_comes_out_once_at_its_deadline_and_not_a_tick_earlier() {
        let mut wheel = Wheel::new(1000);
        wheel.arm(1030, 7);
        assert_eq!(wheel.pop_due(1029), None);
        assert_eq!(wheel.pop_due(1030), Some(7));
        assert_eq!(wheel.pop_due(u64::MAX), None);
        assert!(wheel.is_empty());
    }

    #[test]
    fn deadlines_around_each_power_of_64_are_exact_from_every_phase() {
        let powers: Vec<u64> = (0..LEVELS as u32).map(|level| 64_u64.pow(level)).collect();
        let around = |tick: u64| tick.saturating_sub(1)..=tick.saturating_add(1);
        let mut phases: Vec<u64> = powers.iter().flat_map(|&power| around(power)).collect();
        let far = [1 << 32, 1 << 36, u64::MAX / 2, u64::MAX - 65, u64::MAX];
        phases.extend(far.into_iter().flat_map(around));
        for &present in &phases {
            for &power in &powers {
                let after = around(present.saturating_add(power));
                for deadline in after.chain(around(power)) {
                    if deadline <= present {
                        continue;
                    }
                    let mut wheel = Wheel::new(present);
                    wheel.arm(deadline, 1);
                    assert!(
                        wheel.next_wake() > Some(present) && wheel.next_wake() <= Some(deadline)
                    );
                    assert_eq!(wheel.pop_due(deadline - 1), None, "{present} {deadline}");
                    assert_eq!(wheel.pop_due(deadline), Some(1), "{present} {deadline}");
                }
            }
        }
    }

    #[test]
    fn the_last_tick_of_all_is_a_deadline_like_any_other() {
        let mut wheel = Wheel::new(0);
        wheel.arm(u64::MAX, 1);
        assert_eq!(wheel.pop_due(u64::MAX - 1), None);
        assert_eq!(wheel.next_wake(), Some(u64::MAX));
        assert_eq!(wheel.pop_due(u64::MAX), Some(1));
        wheel.arm(u64::MAX, 2);
        assert_eq!(wheel.pop_due(u64::MAX), Some(2));
    }

    #[test]
    fn a_jump_hands_out_what_is_due_by_deadline_and_then_by_arming() {
        let mut wheel = Wheel::new(5);
        for (owner, deadline) in [900_000, 70, 6, 900_000, 70, 4096].into_iter().enumerate() {
            wheel.arm(deadline, owner as u32);
        }
        assert_eq!(drain(&mut wheel, 1_000_000), [2, 1, 4, 5, 0, 3]);
    }

    #[test]
    fn entries_of_one_tick_keep_their_order_though_armed_on_different_levels() {
        let deadline = 3 * 64 * 64 + 2 * 64 + 1;
        let mut wheel = Wheel::new(0);
        for (owner, present) in [0, 1, 3 * 64 * 64, deadline - 40, deadline - 1, deadline]
            .into_iter()
            .enumerate()
        {
            assert_eq!(wheel.pop_due(present.min(deadline - 1)), None);
            wheel.arm(deadline, 2 * owner as u32);
            wheel.arm(deadline, 2 * owner as u32 + 1);
        }
        assert_eq!(drain(&mut wheel, deadline), (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn a_deadline_that_has_passed_is_due_at_once_behind_what_is_due_already() {
        let mut wheel = Wheel::new(0);
        wheel.arm(100, 1);
        wheel.arm(101, 2);
        assert_eq!(wheel.pop_due(99), None);
        let late = wheel.arm(30, 3);
        assert_eq!(wheel.deadline(late), 99);
        assert_eq!(wheel.next_wake(), Some(99));
        assert_eq!(wheel.pop_due(101), Some(3));
        assert_eq!(wheel.pop_due(101), Some(1));
        wheel.arm(0, 4);
        assert_eq!(drain(&mut wheel, 101), [4, 2]);
    }

    #[test]
    fn an_entry_armed_while_a_due_one_is_handled_comes_out_too() {
        let mut wheel = Wheel::new(0);
        wheel.arm(10, 1);
        assert_eq!(wheel.pop_due(500), Some(1));
        wheel.arm(500, 2);
        wheel.arm(200, 3);
        assert_eq!(drain(&mut wheel, 500), [3, 2]);
    }

    #[test]
    fn a_due_entry_may_cancel_or_move_its_siblings_of_the_same_tick() {
        let mut wheel = Wheel::new(0);
        let siblings: Vec<_> = (0..5).map(|owner| wheel.arm(80, owner)).collect();
        assert_eq!(wheel.pop_due(80), Some(0));
        wheel.cancel(siblings[2]);
        wheel.move_to(siblings[3], 81);
        wheel.move_to(siblings[1], 80);
        assert_eq!(drain(&mut wheel, 80), [4, 1]);
        assert_eq!(drain(&mut wheel, 81), [3]);
        wheel.assert_sound();
    }

    #[test]
    fn a_moved_entry_keeps_its_name_and_forgets_its_old_deadline() {
        let mut wheel = Wheel::new(0);
        let entry = wheel.arm(10, 1);
        wheel.move_to(entry, 5000);
        assert_eq!(wheel.deadline(entry), 5000);
        assert_eq!(wheel.pop_due(4999), None);
        wheel.move_to(entry, 5001);
        assert_eq!(wheel.pop_due(5000), None);
        wheel.cancel(entry);
        assert_eq!((wheel.pop_due(u64::MAX), wheel.next_wake()), (None, None));
    }

    #[test]
    fn a_clock_that_goes_back_stands_still() {
        let mut wheel = Wheel::new(1000);
        assert_eq!(wheel.pop_due(0), None);
        wheel.arm(1000, 1);
        wheel.arm(1001, 2);
        assert_eq!(drain(&mut wheel, 0), [1]);
        assert_eq!(wheel.next_wake(), Some(1001));
    }

    #[test]
    fn a_jump_costs_the_cascades_passed_and_not_the_ticks_between() {
        let year = 366 * 24 * 3_600_000;
        for (jump, deadline) in [(year, year), (year, 2 * year), (u64::MAX - 1, u64::MAX)] {
            let mut wheel = Wheel::new(0);
            wheel.arm(deadline, 1);
            wheel.pop_due(jump);
            assert!(wheel.cascaded < LEVELS, "{} cascades", wheel.cascaded);
        }

        let mut wheel = Wheel::new(0);
        for level in 0..LEVELS as u32 {
            wheel.arm(64_u64.pow(level), level);
        }
        assert_eq!(drain(&mut wheel, u64::MAX), (0..11).collect::<Vec<_>>());
        assert_eq!(wheel.cascaded, LEVELS - 1); // each at the start of its slot, so down in one step
    }

    #[test]
    fn arming_and_cancelling_a_million_times_takes_the_memory_of_one_entry() {
        let mut wheel = Wheel::new(0);
        wheel.arm(1000, 0);
        let room = wheel.entries.capacity();
        for owner in 0..1_000_000 {
            let entry = wheel.arm(1000, owner);
            wheel.cancel(entry);
        }
        assert_eq!(wheel.entries.used(), 2, "the one that stays, and one");
        assert_eq!(wheel.entries.capacity(), room, "no more was asked for");
        assert_eq!(wheel.len(), 1);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "came out or was cancelled before")]
    fn a_name_that_has_outlived_its_entry_is_reported_in_a_debug_build() {
        let mut wheel = Wheel::new(0);
        let entry = wheel.arm(1, 1);
        wheel.cancel(entry);
        wheel.cancel(entry);
    }

    #[test]
    #[cfg(not(debug_assertions))]
    fn a_name_that_has_outlived_its_entry_does_nothing_in_a_release_build() {
        let mut wheel = Wheel::new(0);
        wheel.arm(9, 0);
        let stale = wheel.arm(1, 1);
        wheel.cancel(stale);
        // First its node is unused; then, with the last entry gone, the table ends before it.
        for len in [1, 0] {
            wheel.cancel(stale);
            wheel.move_to(stale, 5);
            assert_eq!(wheel.deadline(stale), u64::MAX);
            assert_eq!(wheel.len(), len);
            wheel.assert_sound();
            drain(&mut wheel, 9);
        }
    }
}
