//! The timing wheel against a sorted map: every answer has to be the same, and a sleep until
//! `next_wake` must never be too long.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use netloop::inside::{EntryId, Wheel};

#[derive(Arbitrary, Debug)]
struct History {
    origin: Origin,
    steps: Vec<Step>,
}

/// Where clocks break.
#[derive(Arbitrary, Debug)]
enum Origin {
    Zero,
    Before(u8, u16),
    At(u64),
}

#[derive(Arbitrary, Debug)]
enum Step {
    Arm(When),
    Move(u8, When),
    Cancel(u8),
    /// Takes out what is due, but no more than so many.
    Advance(When, u8),
    /// What a loop does that sleeps until `next_wake`.
    Wake,
}

#[derive(Arbitrary, Debug)]
enum When {
    Soon(u16),
    /// A distance of about so many bits, which is a level of the wheel every six.
    InBits(u8, u16),
    Past(u16),
    /// The deadline of an entry that is armed.
    Together(u8),
    At(u64),
}

/// Deadline, then order of arming.
type Key = (u64, u64);

struct Pair {
    wheel: Wheel,
    present: u64,
    armed: u64,
    pending: BTreeMap<Key, u32>,
    live: Vec<(EntryId, Key)>,
}

impl Pair {
    fn new(origin: u64) -> Pair {
        Pair {
            wheel: Wheel::new(origin),
            present: origin,
            armed: 0,
            pending: BTreeMap::new(),
            live: Vec::new(),
        }
    }

    fn tick(&self, when: &When) -> u64 {
        match *when {
            When::Soon(after) => self.present.saturating_add(after.into()),
            When::InBits(bits, more) => {
                let distance = (1_u64 << (bits % 64)).saturating_add(more.into());
                self.present
                    .saturating_add(distance.saturating_sub(1 << 15))
            }
            When::Past(before) => self.present.saturating_sub(before.into()),
            When::Together(which) => match self.pick(which) {
                Some(at) => self.live[at].1.0,
                None => self.present,
            },
            When::At(tick) => tick,
        }
    }

    fn pick(&self, which: u8) -> Option<usize> {
        usize::from(which).checked_rem(self.live.len())
    }

    /// Notes an entry in the map.
    fn note(&mut self, deadline: u64, owner: u32) -> Key {
        let key = (deadline.max(self.present), self.armed);
        self.armed += 1;
        self.pending.insert(key, owner);
        key
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Arm(when) => {
                let deadline = self.tick(when);
                let owner = self.armed as u32;
                let key = self.note(deadline, owner);
                self.live.push((self.wheel.arm(deadline, owner), key));
            }
            Step::Move(which, when) => {
                let deadline = self.tick(when);
                let Some(at) = self.pick(*which) else { return };
                let (entry, key) = self.live[at];
                let owner = self.pending.remove(&key).unwrap();
                self.live[at].1 = self.note(deadline, owner);
                self.wheel.move_to(entry, deadline);
            }
            Step::Cancel(which) => {
                let Some(at) = self.pick(*which) else { return };
                let (entry, key) = self.live.swap_remove(at);
                self.pending.remove(&key);
                self.wheel.cancel(entry);
            }
            Step::Advance(to, budget) => self.advance(self.tick(to), (*budget).into()),
            Step::Wake => {
                if let Some(wake) = self.wheel.next_wake() {
                    self.advance(wake, usize::MAX);
                }
            }
        }
        let wake = self.wheel.next_wake();
        let earliest = self.pending.keys().next().map(|key| key.0);
        assert_eq!(wake.is_some(), earliest.is_some());
        assert!(
            wake <= earliest,
            "a sleep until {wake:?} misses {earliest:?}"
        );
        assert!(wake.is_none_or(|wake| wake >= self.present));
    }

    fn advance(&mut self, to: u64, budget: usize) {
        let now = to.max(self.present);
        for _ in 0..budget {
            let due = match self.pending.first_key_value() {
                Some((&key, _)) if key.0 <= now => Some(key),
                _ => None,
            };
            let owner = due.and_then(|key| self.pending.remove(&key));
            assert_eq!(self.wheel.pop_due(to), owner, "at {to}");
            self.present = due.map_or(now, |key| key.0);
            match due {
                Some(key) => self.live.retain(|&(_, it)| it != key),
                None => break,
            }
        }
    }
}

fuzz_target!(|history: History| {
    let mut pair = Pair::new(match history.origin {
        Origin::Zero => 0,
        Origin::Before(bits, before) => (1_u64 << (bits % 64)).wrapping_sub(before.into()),
        Origin::At(tick) => tick,
    });
    for step in &history.steps {
        pair.apply(step);
    }
    pair.advance(u64::MAX, usize::MAX);
    assert_eq!(pair.wheel.next_wake(), None, "an entry never came out");
});
