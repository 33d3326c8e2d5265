//! Scenarios that nobody wrote: drawn by a seed, and looked at after every call.

use super::stage::{End, Stage, both};
use crate::sim::dice::Dice;
use crate::sys::Interest::{self, Parked, ParkedWrite, Read, ReadWrite};

/// Seeds that a test run plays; `CONFORMANCE_SEEDS` makes it more.
const SEEDS: u64 = 300;
const CALLS: usize = 16;
const INTERESTS: [Interest; 4] = [Read, ReadWrite, Parked, ParkedWrite];

#[test]
fn whatever_is_drawn_both_kernels_agree() {
    let seeds = std::env::var("CONFORMANCE_SEEDS").ok();
    let seeds = seeds.map_or(SEEDS, |it| it.parse().unwrap());
    for seed in 0..seeds {
        let _seed = SeedOfThis(seed);
        both(|stage| play(stage, &mut Dice::new(seed)));
    }
}

/// Says which seed it was when a comparison fails in the middle of it.
struct SeedOfThis(u64);

impl Drop for SeedOfThis {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was the scenario of seed {}", self.0);
        }
    }
}

fn play(stage: &mut Stage, dice: &mut Dice) {
    let (ours, theirs) = stage.pair();
    for end in [ours, theirs] {
        if dice.chance(0.8) {
            let interest = dice.one_of(&INTERESTS);
            stage.watch(end, interest);
        }
    }
    for _ in 0..CALLS {
        let end = dice.one_of(&[ours, theirs]);
        if stage.is_open(end) {
            call(stage, dice, end);
        }
        stage.told();
    }
}

fn call(stage: &mut Stage, dice: &mut Dice, end: End) {
    match dice.pick(0..=19) {
        0..=2 => drop(stage.write(end, dice.size(1..=2000))),
        3..=4 => {
            let slices = [(); 3].map(|()| dice.size(0..=700));
            stage.write_vectored(end, &slices);
        }
        5 => drop(stage.write(end, 0)),
        6..=7 => drop(stage.read_all(end)),
        8..=9 => drop(stage.read(end, dice.size(1..=1000))),
        10..=11 => drop(stage.shutdown(end)),
        12 => stage.close(end),
        13 => stage.abort(end),
        14 => drop(stage.take_error(end)),
        15 => drop(stage.finish_connect(end)),
        16 => drop(stage.local_address(end)),
        _ => {
            let interest = dice.one_of(&INTERESTS);
            match stage.is_watched(end) {
                true => stage.rewatch(end, interest),
                false => stage.watch(end, interest),
            };
        }
    }
}
