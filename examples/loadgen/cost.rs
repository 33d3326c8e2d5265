//! What the generator itself has used: its share of a core, its waiting for one, its system calls.
//!
//! Linux tells the first two in nanoseconds, in `/proc/self/schedstat` (proc(5)), of the main thread,
//! which is the generator's only one. Elsewhere they are not known, and nothing is claimed.

use crate::pace::Nanos;
use netloop::{Net, Stats};
use std::fs::File;
use std::io::{Read, Seek};

/// Sums since the process began; or, of two of them, the difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) cpu: Option<Cpu>,
    /// Turns that only looked at the clock, because the next request was about to be due.
    pub(crate) spun: Nanos,
    pub(crate) syscalls: u64,
    pub(crate) turns: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    pub(crate) used: Nanos,
    /// Ready to run while the core was another's.
    pub(crate) waited: Nanos,
}

/// Where the kernel keeps its count. It stays open: when the connections have taken all descriptors there is
/// none to open it with.
pub(crate) struct Meter {
    schedstat: Option<File>,
}

impl Meter {
    pub(crate) fn open() -> Meter {
        Meter {
            schedstat: File::open("/proc/self/schedstat").ok(),
        }
    }

    /// What has been used up to now.
    pub(crate) fn read(&mut self, net: &Net, spin: &Spin) -> Cost {
        let Stats {
            syscalls, turns, ..
        } = net.stats();
        Cost {
            cpu: self.cpu(),
            spun: spin.spun,
            syscalls: syscalls.total(),
            turns,
        }
    }

    fn cpu(&mut self) -> Option<Cpu> {
        let file = self.schedstat.as_mut()?;
        let mut line = String::new();
        file.rewind().ok()?; // the kernel counts anew for whoever reads from the beginning
        file.read_to_string(&mut line).ok()?;
        parse(&line)
    }
}

impl Cost {
    pub(crate) fn since(&self, before: &Cost) -> Cost {
        let cpu = self.cpu.zip(before.cpu).map(|(after, before)| Cpu {
            used: after.used.saturating_sub(before.used),
            waited: after.waited.saturating_sub(before.waited),
        });
        Cost {
            cpu,
            spun: self.spun.saturating_sub(before.spun),
            syscalls: self.syscalls.saturating_sub(before.syscalls),
            turns: self.turns.saturating_sub(before.turns),
        }
    }
}

fn parse(line: &str) -> Option<Cpu> {
    let mut numbers = line.split_whitespace().map(str::parse);
    Some(Cpu {
        used: numbers.next()?.ok()?,
        waited: numbers.next()?.ok()?,
    })
}

/// Time in which the loop turned and had nothing to do.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    spun: Nanos,
    has_happened: bool,
    last_turn: Option<Nanos>,
}

impl Spin {
    /// Something was read or sent in this turn.
    pub(crate) fn happened(&mut self) {
        self.has_happened = true;
    }

    /// The loop has come round without sleeping, or is about to.
    pub(crate) fn turned(&mut self, now: Nanos) {
        if let Some(last) = self.last_turn
            && !self.has_happened
        {
            self.spun += now.saturating_sub(last);
        }
        self.has_happened = false;
        self.last_turn = Some(now);
    }

    /// The loop may sleep before it comes round.
    pub(crate) fn sleeps(&mut self) {
        self.last_turn = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_numbers_are_used_and_waited() {
        let cpu = Cpu {
            used: 48_322,
            waited: 17,
        };
        assert_eq!(parse("48322 17 3\n"), Some(cpu));
        assert_eq!(parse(""), None);
        assert_eq!(parse("x 1 1"), None);
    }

    #[test]
    fn only_turns_in_which_nothing_happened_are_spun() {
        let mut spin = Spin::default();
        spin.turned(100);
        spin.turned(110);
        spin.happened();
        spin.turned(150);
        spin.turned(155);
        assert_eq!(spin.spun, 10 + 5);
        spin.sleeps();
        spin.turned(900);
        assert_eq!(spin.spun, 15);
    }
}
