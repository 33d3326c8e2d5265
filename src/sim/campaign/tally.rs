//! What runs came to: whether there is anything in the traffic for an oracle to look at.

use std::collections::BTreeMap;
use std::fmt;

/// How often everything happened in the runs that were added up: every kind of event that was told
/// and every operation that took effect, by its name in the lists that a failure prints. It prints
/// as a table, a kind a line: the share of the seeds in which it happened, and how often in each
/// seed on an average.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    seeds: u64,
    steps: u64,
    kinds: BTreeMap<String, Count>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    seeds: u64,
    times: u64,
}

impl Tally {
    /// The tally of one run.
    pub(super) fn of_run(steps: u64, happened: BTreeMap<String, u64>) -> Tally {
        let count = |(kind, times)| (kind, Count { seeds: 1, times });
        let kinds = happened.into_iter().map(count);
        Tally {
            seeds: 1,
            steps,
            kinds: kinds.collect(),
        }
    }

    /// Adds what other runs came to.
    pub fn add(&mut self, other: &Tally) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        for (kind, its) in &other.kinds {
            let count = self.kinds.entry(kind.clone()).or_default();
            count.seeds += its.seeds;
            count.times += its.times;
        }
    }

    /// How many seeds were played.
    pub fn seeds(&self) -> u64 {
        self.seeds
    }

    /// How many steps their worlds took.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// In how many seeds this kind of thing happened.
    #[cfg(test)]
    pub(super) fn seeds_with(&self, kind: &str) -> u64 {
        self.kinds.get(kind).map_or(0, |it| it.seeds)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeds = self.seeds.max(1) as f64;
        writeln!(f, "{:<24} {:>7} {:>9}", "", "seeds", "each")?;
        for (kind, its) in &self.kinds {
            let share = 100.0 * its.seeds as f64 / seeds;
            let each = its.times as f64 / seeds;
            writeln!(f, "{kind:<24} {share:>6.1}% {each:>9.3}")?;
        }
        Ok(())
    }
}

/// The name of a variant: how it prints, without what it holds.
pub(super) fn name(of: &impl fmt::Debug) -> String {
    let mut name = format!("{of:?}");
    let end = name.find(|it: char| !it.is_alphanumeric());
    name.truncate(end.unwrap_or(name.len()));
    name
}
