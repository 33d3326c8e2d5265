//! Campaigns: many seeds, in each of which a random program does everything at once that a handler
//! may do, while oracles watch.
//!
//! This is how the library tests itself. A seed makes a world with all its faults, and a list of
//! operations drawn as a whole before anything runs: listen, connect, write, end, destroy, pause,
//! timers, posts, panics, from outside and from inside of every kind of event. After every step the
//! library is held against a reference model; in the end everything is healed, and what was asked
//! for has to have happened. [`check`] plays one seed. A seed that fails is made small by
//! [`Failure::shrunk`].
//!
//! ```
//! for seed in 0..5 {
//!     if let Err(failure) = netloop::sim::campaign::check(seed) {
//!         panic!("{}", failure.shrunk());
//!     }
//! }
//! ```

mod actor;
mod acts;
mod book;
mod deeds;
mod draw;
mod ending;
mod model;
mod op;
mod payload;
mod pipes;
mod play;
mod posts;
mod seen;
mod tally;
mod timers;

#[cfg(test)]
mod regressions;

use std::fmt;

use op::Op;

pub use tally::Tally;

/// How often a shorter list is tried, at most.
const MOST_TRIES: usize = 3_000;
/// Of so many seeds one is played twice, to see whether it does the same again.
const TWICE: u64 = 100;

/// Plays the operations of a seed; answers what happened.
///
/// # Errors
///
/// What was broken, with the operations that led to it.
pub fn check(seed: u64) -> Result<Tally, Failure> {
    let ops = play::draw(seed);
    let played = match play::play(seed, &ops) {
        Ok(played) => played,
        Err(what) => return Err(Failure { seed, what, ops }),
    };
    if seed.is_multiple_of(TWICE) && play::play(seed, &ops).as_ref() != Ok(&played) {
        let what = "I29: the same seed did not do the same again".to_owned();
        return Err(Failure { seed, what, ops });
    }
    Ok(played.tally)
}

/// A seed that breaks something, and the operations that do. It prints as both, the operations as
/// they are written in Rust.
#[derive(Clone)]
pub struct Failure {
    seed: u64,
    what: String,
    ops: Vec<Op>,
}

impl Failure {
    /// The number that repeats it.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The same with as few operations as still break the same thing: larger pieces are left out
    /// first, then smaller ones, until none can be.
    pub fn shrunk(mut self) -> Failure {
        let kind = kind(&self.what).to_owned();
        let mut tries = 0;
        let mut piece = self.ops.len().div_ceil(2);
        while piece > 0 {
            let mut smaller = false;
            let mut from = 0;
            while from < self.ops.len() && tries < MOST_TRIES {
                tries += 1;
                let mut fewer = self.ops.clone();
                fewer.drain(from..(from + piece).min(fewer.len()));
                match play::play(self.seed, &fewer) {
                    Err(what) if self::kind(&what) == kind => {
                        self.ops = fewer;
                        self.what = what;
                        smaller = true;
                    }
                    _ => from += piece,
                }
            }
            if !smaller || piece > 1 {
                piece /= 2;
            }
        }
        self
    }
}

/// What kind of failure a message tells of, so that shrinking one does not end at another: which
/// invariant is broken, and how it is put up to the first number or name.
fn kind(what: &str) -> &str {
    let numbered = ["socket ", "seed "]
        .iter()
        .find_map(|it| what.strip_prefix(it));
    let what = match numbered.and_then(|it| it.split_once(": ")) {
        Some((_, rest)) => return kind(rest),
        None => what,
    };
    let (label, rest) = what.split_once(": ").unwrap_or(("", what));
    let is_label = label.starts_with(['I', 'R']) && label.len() < 12;
    let start = if is_label { what.len() - rest.len() } else { 0 };
    let varies = |it: char| it.is_ascii_digit() || it.is_ascii_uppercase();
    let length = what[start..].find(varies).unwrap_or(what.len() - start);
    &what[..start + length]
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        for op in &self.ops {
            writeln!(f, "    {op:?},")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_from_another_by_its_invariant_and_its_words() {
        let same = |a, b| kind(a) == kind(b);
        assert!(same(
            "socket 3: I7: end after 5 of 7",
            "socket 12: I7: end after 0 of 9"
        ));
        assert!(!same(
            "socket 3: I7: end after 5 of 7",
            "socket 3: I8: end after 5 of 7"
        ));
        assert!(!same("I14: still connecting", "I14: finish never came"));
        assert!(same(
            "seed 4: a lost wakeup on host 3: socket 0#1 in Open: it has input",
            "seed 4: a lost wakeup on host 0: socket 4#1 in Ending(Flush): it has input",
        ));
        assert!(!same("assertion failed: a", "attempt to add with overflow"));
        assert!(same("I2: Drain after close", "I2: Timeout after close"));
    }
}
