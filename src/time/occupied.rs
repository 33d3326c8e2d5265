//! Which slots of a wheel are in use, so that the earliest of them is found without a look at the lists.

use super::slot::{LEVELS, Slot};

const _: () = assert!(LEVELS <= 16, "a bit a level");

/// A set of slots: a word a level, and a word that says in which of them there is a bit. A loop asks
/// for the earliest in each turn, mostly of an empty wheel.
#[derive(Debug, Default)]
pub(super) struct Occupied {
    /// Invariant: bit `level` is set if and only if word `level` of `slots` is not zero.
    levels: u16,
    slots: [u64; LEVELS],
}

impl Occupied {
    pub(super) fn insert(&mut self, slot: Slot) {
        self.slots[slot.level()] |= 1 << slot.index();
        self.levels |= 1 << slot.level();
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        self.slots[slot.level()] &= !(1 << slot.index());
        if self.slots[slot.level()] == 0 {
            self.levels &= !(1 << slot.level());
        }
    }

    /// The first slot of the lowest level: the one that the present reaches first.
    #[inline]
    pub(super) fn earliest(&self) -> Option<Slot> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        let index = self.slots[level].trailing_zeros();
        Some(Slot::new(level, index as usize))
    }

    /// The slots of a level, a bit each. Not needed by the loop itself.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn level(&self, level: usize) -> u64 {
        let slots = self.slots[level];
        assert_eq!(self.levels >> level & 1 == 1, slots != 0, "level {level}");
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::super::slot::SLOTS;
    use super::*;

    #[test]
    fn the_earliest_is_the_first_slot_of_the_lowest_level_in_use() {
        let mut occupied = Occupied::default();
        assert!(occupied.earliest().is_none());
        let mut slots = Vec::new();
        for level in 0..LEVELS {
            for index in [0, 1, SLOTS - 1] {
                slots.push((level, index));
            }
        }
        for &(level, index) in slots.iter().rev() {
            occupied.insert(Slot::new(level, index));
            let earliest = occupied.earliest().unwrap();
            assert_eq!((earliest.level(), earliest.index()), (level, index));
        }
        for (nth, &(level, index)) in slots.iter().enumerate() {
            occupied.remove(Slot::new(level, index));
            let earliest = occupied.earliest();
            let earliest = earliest.map(|slot| (slot.level(), slot.index()));
            assert_eq!(earliest, slots.get(nth + 1).copied());
            occupied.level(level);
        }
    }
}
