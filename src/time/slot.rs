//! Where a deadline stands in the wheel: on which level, and in which slot of that level.
//!
//! Arithmetic only. Knows nothing of entries, nor of which slots are in use.
//!
//! Read ticks in base 64. The highest digit in which a deadline differs from the present is its
//! level, and the deadline's own digit there is its slot. Seen from tick 4229, whose digits are
//! 1, 2 and 5 (marked `^`), the deadlines stand like this:
//!
//! ```text
//!               0   1   2   3   4   5   6   7        63
//!   level 0   |   |   |   |   |   | ^ |   |   | .. |   |   a tick a slot       4229 ..= 4287
//!   level 1   |   |   | ^ |   |   |   |   |   | .. |   |   64 ticks a slot     4288 ..= 8191
//!   level 2   |   | ^ |   |   |   |   |   |   | .. |   |   4096 ticks a slot   8192 ..= 262143
//!     ..        and so on, up to level 10, whose 16 slots reach to the last tick of a u64
//! ```
//!
//! A deadline is never before the present, so it stands to the right of the mark, or, on level 0
//! alone, at it. The levels follow one another without a gap. Hence the earliest slot in use is the
//! leftmost of the lowest level in use, and no level ever wraps round.

/// A slot for each value of a digit; also the bits in one level's bitmap.
pub(super) const SLOTS: usize = 1 << DIGIT_BITS;

/// A level for each digit of a tick.
pub(super) const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

const DIGIT_BITS: u32 = 6;
const DIGIT_MASK: u64 = SLOTS as u64 - 1;

const _: () = assert!(
    SLOTS == u64::BITS as usize,
    "one u64 tells which slots of a level are in use"
);

/// One slot of one level: a span of 64^`level` ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    level: u8,
    index: u8,
}

impl Slot {
    pub(super) fn new(level: usize, index: usize) -> Slot {
        debug_assert!(level < LEVELS && index < SLOTS);
        Slot {
            level: level as u8,
            index: index as u8,
        }
    }

    /// Where `deadline`, which must not be before `present`, stands.
    pub(super) fn of(deadline: u64, present: u64) -> Slot {
        debug_assert!(present <= deadline);
        // The present itself differs in no digit. The `| 1` gives it its place on level 0.
        let level = ((deadline ^ present) | 1).ilog2() / DIGIT_BITS;
        let digit = (deadline >> (level * DIGIT_BITS)) & DIGIT_MASK;
        Slot::new(level as usize, digit as usize)
    }

    /// The first tick of the slot, as it is read from `present`.
    ///
    /// On level 0 that is the deadline of every entry inside. Higher up it is no later than any,
    /// and an entry looked at again from there stands at least one level lower.
    pub(super) fn start(self, present: u64) -> u64 {
        let shift = u32::from(self.level) * DIGIT_BITS;
        // The present's digits above this level, this slot's digit, and zeros below.
        (((present >> shift) & !DIGIT_MASK) | u64::from(self.index)) << shift
    }

    pub(super) fn level(self) -> usize {
        usize::from(self.level)
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_above_is_true() {
        let spans = [(0, 4229, 4287), (1, 4288, 8191), (2, 8192, 262_143)];
        for (level, first, last) in spans {
            assert_eq!(Slot::of(first, 4229).level(), level);
            assert_eq!(Slot::of(last, 4229), Slot::new(level, 63));
        }
        assert_eq!(Slot::of(u64::MAX, 4229), Slot::new(10, 15));
    }

    #[test]
    fn the_present_stands_on_level_0() {
        for present in [0, 1, 63, 64, 4229, u64::MAX / 2, u64::MAX] {
            let slot = Slot::of(present, present);
            assert_eq!(slot.level(), 0);
            assert_eq!(slot.start(present), present);
        }
    }

    #[test]
    fn a_slot_starts_at_the_deadline_with_its_lower_digits_cleared() {
        let present = (7 << 60) | 4229;
        assert_eq!(Slot::of(present + 1, present).start(present), present + 1);
        for level in 1..LEVELS {
            let start = ((present >> (6 * level)) + 1) << (6 * level);
            let slot = Slot::of(start, present);
            assert_eq!(slot.level(), level);
            for deadline in [start, start + 1, start + (1 << (6 * level)) - 1] {
                assert_eq!(Slot::of(deadline, present), slot);
                assert_eq!(slot.start(present), start);
                assert!(Slot::of(deadline, start).level() < level);
            }
        }
    }
}
