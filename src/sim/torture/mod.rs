//! Torture: every call that can fail does, one at a time, and then a second one while the loop
//! still cleans up after the first.
//!
//! A scenario runs once in peace, and the calls that can fail are counted on either host. Then it
//! runs again for each of them and each errno that this call may give (`errnos.rs`), with exactly
//! that call failing. Whatever fails, all of this holds (`stage.rs` has the checks):
//!
//! - no panic, and no loop that sleeps through something (the world looks whenever all are asleep);
//! - each socket that was handed out is told `close` once and nothing after it, at most one error,
//!   and each of its completions before it;
//! - bytes come in order and once;
//! - everybody else is served: of those who have nothing to do with the scenario at most one for
//!   each fault is harmed, and a newcomer not at all;
//! - everything is closed in the end, and the slabs are empty.

mod errnos;
mod scenarios;
mod stage;

use stage::{Fault, HOSTS, Made, run};

use crate::sim::dice::Dice;

/// How many pairs of faults a test run plays for each scenario, drawn by `PAIRS_SEED`. There are
/// about a hundred times as many; `TORTURE_PAIRS` and `TORTURE_SEED` change both numbers.
const PAIRS: usize = 30;
const PAIRS_SEED: u64 = 1;

#[test]
fn every_scenario_passes_in_peace() {
    for scenario in scenarios::all() {
        run(scenario, &[]);
    }
}

#[test]
fn every_call_may_fail_in_every_way_it_can() {
    let mut runs = 0;
    for scenario in scenarios::all() {
        let made = run(scenario, &[]);
        for fault in every_fault(&made, None) {
            run(scenario, &[fault]);
            runs += 1;
        }
    }
    println!("{} scenarios, {runs} faults", scenarios::all().count());
}

#[test]
fn a_second_call_may_fail_while_the_first_is_cleaned_up_after() {
    let pairs = from_environment("TORTURE_PAIRS").map_or(PAIRS, |it| it as usize);
    let seed = from_environment("TORTURE_SEED").unwrap_or(PAIRS_SEED);
    let mut dice = Dice::new(seed);
    for scenario in scenarios::all() {
        let firsts = every_fault(&run(scenario, &[]), None);
        let mut left = pairs;
        while left > 0 {
            let first = dice.one_of(&firsts);
            // What is called after the first fault is not what is called without it.
            let made = run(scenario, &[first]);
            let seconds = every_fault(&made, Some(first));
            if seconds.is_empty() {
                left -= 1;
            }
            for _ in 0..left.min(PAIRS_OF_ONE).min(seconds.len()) {
                run(scenario, &[first, dice.one_of(&seconds)]);
                left -= 1;
            }
        }
    }
}

/// Seconds drawn for one first fault.
const PAIRS_OF_ONE: usize = 4;

/// Every way in which one of these calls can fail; on the host of another fault only what comes
/// behind that one.
fn every_fault(made: &Made, behind: Option<Fault>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (host, calls) in HOSTS.into_iter().zip(made) {
        let behind = behind.filter(|it| it.host == host);
        let first = behind.map_or(0, |it| it.place + 1);
        for (place, call) in (0..).zip(calls).skip(first as usize) {
            let errnos = errnos::of(*call);
            faults.extend(errnos.iter().map(|&errno| Fault {
                host,
                place,
                call: *call,
                errno,
            }));
        }
    }
    faults
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}
