//! The wheel against the plainest thing that does the same: a sorted map.
//!
//! Random histories are played to both, and each answer has to agree. All times are told as a
//! distance from the wheel's present, so that one history runs at any place of the clock.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::slot::LEVELS;
use super::{EntryId, Wheel};

/// Deadline, then order of arming.
type Key = (u64, u64);

/// What the wheel promises, in the fewest words.
struct Model {
    present: u64,
    armed: u64,
    pending: BTreeMap<Key, u32>,
}

impl Model {
    fn arm(&mut self, deadline: u64, owner: u32) -> Key {
        let key = (deadline.max(self.present), self.armed);
        self.armed += 1;
        self.pending.insert(key, owner);
        key
    }

    fn pop_due(&mut self, now: u64) -> Option<u32> {
        let now = now.max(self.present);
        match self.pending.first_entry() {
            Some(first) if first.key().0 <= now => {
                self.present = first.key().0;
                Some(first.remove())
            }
            _ => {
                self.present = now;
                None
            }
        }
    }
}

#[derive(Clone, Debug)]
enum When {
    /// So far from the present, held within a u64.
    After(i128),
    /// The deadline of an entry that is armed.
    Together(Index),
}

#[derive(Clone, Debug)]
enum Step {
    Arm(When),
    Move(Index, When),
    Cancel(Index),
    /// Takes out what is due, but no more than `budget` entries.
    Advance {
        to: When,
        budget: usize,
    },
    /// Does what a loop does that sleeps until `next_wake`.
    Wake,
}

/// A wheel and its model, driven alike.
struct Pair {
    wheel: Wheel,
    model: Model,
    live: Vec<(EntryId, Key)>,
}

impl Pair {
    fn new(origin: u64) -> Pair {
        Pair {
            wheel: Wheel::new(origin),
            model: Model {
                present: origin,
                armed: 0,
                pending: BTreeMap::new(),
            },
            live: Vec::new(),
        }
    }

    fn tick(&self, when: &When) -> u64 {
        match when {
            When::Together(other) if !self.live.is_empty() => other.get(&self.live).1.0,
            When::Together(_) => self.model.present,
            When::After(distance) => {
                let tick = i128::from(self.model.present) + distance;
                tick.clamp(0, i128::from(u64::MAX)) as u64
            }
        }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Arm(when) => {
                let deadline = self.tick(when);
                let owner = self.model.armed as u32;
                let key = self.model.arm(deadline, owner);
                self.live.push((self.wheel.arm(deadline, owner), key));
            }
            Step::Move(which, when) if !self.live.is_empty() => {
                let deadline = self.tick(when);
                let at = which.index(self.live.len());
                let (entry, key) = self.live[at];
                let owner = self.model.pending.remove(&key).expect("a live entry");
                self.live[at].1 = self.model.arm(deadline, owner);
                self.wheel.move_to(entry, deadline);
            }
            Step::Cancel(which) if !self.live.is_empty() => {
                let at = which.index(self.live.len());
                let (entry, key) = self.live.swap_remove(at);
                self.model.pending.remove(&key);
                self.wheel.cancel(entry);
            }
            Step::Move(..) | Step::Cancel(_) => {}
            Step::Advance { to, budget } => self.advance(self.tick(to), *budget),
            Step::Wake => {
                if let Some(wake) = self.wheel.next_wake() {
                    self.advance(wake, usize::MAX);
                }
            }
        }
    }

    fn advance(&mut self, now: u64, budget: usize) {
        for _ in 0..budget {
            let owner = self.wheel.pop_due(now);
            assert_eq!(owner, self.model.pop_due(now));
            if owner.is_none() {
                break;
            }
            let pending = &self.model.pending;
            self.live.retain(|(_, key)| pending.contains_key(key));
        }
    }

    fn assert_agreement(&self) {
        self.wheel.assert_sound();
        assert_eq!(self.wheel.present(), self.model.present);
        assert_eq!(self.wheel.len(), self.model.pending.len());
        assert_eq!(self.wheel.is_empty(), self.model.pending.is_empty());
        for &(entry, (deadline, _)) in &self.live {
            assert_eq!(self.wheel.deadline(entry), deadline);
        }
        let earliest = self.model.pending.keys().next().map(|key| key.0);
        match (self.wheel.next_wake(), earliest) {
            (Some(wake), Some(earliest)) => {
                assert!(wake >= self.model.present, "a wake-up in the past");
                assert!(wake <= earliest, "would oversleep: {wake} > {earliest}");
            }
            (wake, earliest) => assert_eq!(wake, earliest),
        }
    }
}

/// Distances that matter: the next ticks, the edges of each level, and all the rest.
fn distance() -> impl Strategy<Value = i128> {
    let edge = (0..LEVELS as u32, -1..=1_i128);
    prop_oneof![
        4 => 0..200_i128,
        4 => edge.prop_map(|(level, offset)| 64_i128.pow(level) + offset),
        1 => -100..0_i128,
        1 => 0..20_000_000_i128,
        1 => any::<u64>().prop_map(i128::from),
        1 => Just(i128::from(u64::MAX)),
    ]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        3 => distance().prop_map(When::After),
        1 => any::<Index>().prop_map(When::Together),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let budget = prop_oneof![Just(usize::MAX), 1..4_usize];
    prop_oneof![
        6 => when().prop_map(Step::Arm),
        2 => (any::<Index>(), when()).prop_map(|(which, when)| Step::Move(which, when)),
        2 => any::<Index>().prop_map(Step::Cancel),
        2 => (when(), budget).prop_map(|(to, budget)| Step::Advance { to, budget }),
        2 => Just(Step::Wake),
    ]
}

/// Where clocks break: the beginning, 32 and 36 bits, the sign bit, and the end.
fn origin() -> impl Strategy<Value = u64> {
    let place = prop_oneof![
        Just(0),
        Just(1 << 32),
        Just(1 << 36),
        Just(u64::MAX / 2),
        Just(u64::MAX),
        any::<u64>(),
    ];
    (place, 0..10_000_u64, any::<bool>()).prop_map(|(place, offset, before)| match before {
        true => place.saturating_sub(offset),
        false => place.saturating_add(offset),
    })
}

proptest! {
    #[test]
    fn every_history_ends_as_in_a_sorted_map(
        origin in origin(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut pair = Pair::new(origin);
        for step in &steps {
            pair.apply(step);
            pair.assert_agreement();
        }
        pair.advance(u64::MAX, usize::MAX);
        prop_assert!(pair.wheel.is_empty());
    }

    #[test]
    fn a_loop_that_sleeps_until_next_wake_is_never_late_and_wakes_at_most_once_a_level(
        origin in origin(),
        deadlines in prop::collection::vec(when(), 1..20),
    ) {
        let mut pair = Pair::new(origin);
        for when in deadlines {
            pair.apply(&Step::Arm(when));
        }
        let mut wake_ups = 0;
        let most = pair.wheel.len() * LEVELS;
        while let Some(wake) = pair.wheel.next_wake() {
            wake_ups += 1;
            prop_assert!(wake_ups <= most);
            pair.advance(wake, usize::MAX);
            // Nobody was passed over: what was due by now has come out, the rest lies ahead.
            let earliest = pair.model.pending.keys().next();
            prop_assert!(earliest.is_none_or(|key| key.0 > wake));
        }
        prop_assert!(pair.wheel.is_empty());
    }

    #[test]
    fn an_entry_alone_wakes_the_loop_at_most_once_a_level(origin in origin(), when in when()) {
        let mut pair = Pair::new(origin);
        pair.apply(&Step::Arm(when));
        let mut wake_ups = 0;
        while let Some(wake) = pair.wheel.next_wake() {
            wake_ups += 1;
            prop_assert!(wake_ups <= LEVELS);
            pair.advance(wake, usize::MAX);
        }
    }
}
