//! Where all chance comes from: one generator for a whole world.
//!
//! PCG with fixed constants, whose values are promised never to change: the same seed throws the
//! same numbers on every machine and after every update, so a seed that once failed can be kept.

use std::ops::RangeInclusive;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// A seeded generator.
#[derive(Debug)]
pub(super) struct Dice(Pcg64Mcg);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(Pcg64Mcg::seed_from_u64(seed))
    }

    /// True with this probability. What can't happen throws no number.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        // 53 bits, as many as the mantissa holds: the comparison is exact everywhere.
        const STEPS: f64 = (1u64 << 53) as f64;
        probability > 0.0 && ((self.0.next_u64() >> 11) as f64) < probability * STEPS
    }

    /// A number of the range, each as likely as the next.
    pub(super) fn pick(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (first, last) = (*range.start(), *range.end());
        debug_assert!(first <= last, "a range with nothing in it");
        match (last - first).checked_add(1) {
            // By the high half of the product: quicker than a division, and the bias is below
            // what any test could see.
            Some(span) => first + ((u128::from(self.0.next_u64()) * u128::from(span)) >> 64) as u64,
            None => self.0.next_u64(),
        }
    }

    /// As [`pick`](Dice::pick), for sizes.
    pub(super) fn size(&mut self, range: RangeInclusive<usize>) -> usize {
        self.pick(*range.start() as u64..=*range.end() as u64) as usize
    }

    /// A number of the range whose magnitude is as likely as the next: small ones are thrown as
    /// often as large ones.
    pub(super) fn magnitude(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (first, last) = (*range.start(), *range.end());
        let bits = self.pick(0..=u64::from((last - first).max(1).ilog2()));
        self.pick(first..=last.min(first.saturating_add(2 << bits)))
    }

    /// One of the list, which is not empty.
    pub(super) fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.size(0..=list.len() - 1)]
    }

    /// Puts the list into another order.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.size(0..=last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let mut dice = Dice::new(7);
        let thrown: Vec<u64> = (0..4).map(|_| dice.pick(0..=999)).collect();
        assert_eq!(thrown, [689, 476, 270, 930]);
    }

    #[test]
    fn every_number_of_a_range_comes_and_none_beside_it() {
        let mut dice = Dice::new(1);
        let mut seen = [0; 6];
        for _ in 0..600 {
            seen[dice.size(1..=6) - 1] += 1;
        }
        assert!(seen.iter().all(|&times| times > 60), "{seen:?}");
        assert_eq!(dice.pick(5..=5), 5);
        for _ in 0..1000 {
            assert!((3..=70).contains(&dice.magnitude(3..=70)));
        }
    }

    #[test]
    fn what_is_certain_happens_and_what_is_impossible_does_not() {
        let mut dice = Dice::new(1);
        assert!((0..100).all(|_| dice.chance(1.0)));
        assert!(!(0..100).any(|_| dice.chance(0.0)));
    }
}
