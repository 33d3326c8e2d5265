//! Torture: every call that can fail does, one at a time, and then a second one while the loop
//! still cleans up after the first.
//!
//! A scenario runs once in peace, and the calls that can fail are counted on either host. Then it
//! runs again for each of them and each errno that this call may give (`errnos.rs`), with exactly
//! that call failing; then with the next call failing too, in each of its ways, and with any later
//! one, as the dice say. Whatever fails, all of this holds (`stage.rs` has the checks):
//!
//! - no panic, and no loop that sleeps through something (the world looks whenever all are asleep);
//! - each socket that was handed out is told `close` once and nothing after it, at most one error,
//!   and each of its completions before it;
//! - bytes come in order and once;
//! - everybody else is served: of those who have nothing to do with the scenario at most one for
//!   each fault is harmed, and a newcomer not at all;
//! - everything is closed in the end, and the slabs are empty.

mod scenarios;
mod stage;

use stage::{Fault, HOSTS, Made, run};

use crate::sim::dice::Dice;

/// How many calls behind the first that fails the second may stand. With `TORTURE_REACH` that is
/// another number, and the first fails in all of its ways then: so many runs take a release build.
const REACH: u64 = 1;
/// How many pairs of faults any distance apart are drawn for each scenario, on one host or on both.
/// `TORTURE_PAIRS` and `TORTURE_SEED` change what is drawn.
const PAIRS: u64 = 30;
const PAIRS_SEED: u64 = 1;
/// Seconds drawn for one first fault.
const PAIRS_OF_ONE: usize = 4;

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
        for fault in every_fault(&run(scenario, &[]), None) {
            run(scenario, &[fault]);
            runs += 1;
        }
    }
    println!("{} scenarios, {runs} faults", scenarios::all().count());
}

#[test]
fn so_may_the_next_call_while_the_first_is_cleaned_up_after() {
    let reach = from_environment("TORTURE_REACH");
    let mut pairs = 0;
    for scenario in scenarios::all() {
        let mut firsts = every_fault(&run(scenario, &[]), None);
        if reach.is_none() {
            firsts = one_for_each_call(&firsts);
        }
        for first in firsts {
            let last = first.place + reach.unwrap_or(REACH);
            let mut seconds = every_fault(&run(scenario, &[first]), Some(first));
            seconds.retain(|it| it.host == first.host && it.place <= last);
            for second in seconds {
                run(scenario, &[first, second]);
                pairs += 1;
            }
        }
    }
    println!("{pairs} pairs of neighbours");
}

#[test]
fn so_may_any_later_call_on_either_host() {
    let pairs = from_environment("TORTURE_PAIRS").unwrap_or(PAIRS);
    let seed = from_environment("TORTURE_SEED").unwrap_or(PAIRS_SEED);
    let mut dice = Dice::new(seed);
    for scenario in scenarios::all() {
        let firsts = every_fault(&run(scenario, &[]), None);
        let mut left = pairs as usize;
        while left > 0 {
            let first = dice.one_of(&firsts);
            // What is called after the first fault is not what is called without it.
            let seconds = every_fault(&run(scenario, &[first]), Some(first));
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

/// Every way in which one of these calls can fail; on the host of another fault only what comes
/// behind that one.
fn every_fault(made: &Made, behind: Option<Fault>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (host, calls) in HOSTS.into_iter().zip(made) {
        let behind = behind.filter(|it| it.host == host);
        let first = behind.map_or(0, |it| it.place + 1);
        for (place, call) in (0..).zip(calls).skip(first as usize) {
            let errnos = super::errnos::of(*call);
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

/// Of the faults of each call one, and of the ways in which it can fail the next one each time.
fn one_for_each_call(faults: &[Fault]) -> Vec<Fault> {
    let of_one_call = faults.chunk_by(|a, b| (a.host, a.place) == (b.host, b.place));
    let turn = |(at, ways): (usize, &[Fault])| ways[at % ways.len()];
    of_one_call.enumerate().map(turn).collect()
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}
