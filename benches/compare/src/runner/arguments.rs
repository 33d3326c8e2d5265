//! What the user wants of the runner.

use super::contestants::{self, Contestant};
use crate::scenario::{self, Scenario};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug)]
pub(super) enum Wish {
    Help,
    Run(Arguments),
}

#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) rounds: usize,
    /// How long a server is measured in a round of a scenario.
    pub(super) measured: Duration,
    pub(super) only: Vec<&'static Contestant>,
    pub(super) scenarios: Vec<&'static Scenario>,
    /// Where results and plots go.
    pub(super) out: Option<PathBuf>,
    /// Results that are shown again instead of measured.
    pub(super) from: Option<PathBuf>,
}

const QUICK: [&str; 4] = ["c50", "c1000_idle", "p16", "lines_p16"];

pub(super) fn help() -> String {
    let servers: Vec<_> = contestants::ALL
        .iter()
        .map(|contestant| contestant.name)
        .collect();
    let scenarios: Vec<_> = scenario::ALL.iter().map(|scenario| scenario.name).collect();
    format!(
        "\
Measures what a message costs netloop, hand-written loops and other libraries, side by side.

usage: cargo run --release --manifest-path benches/compare/Cargo.toml [-- OPTIONS]

  --quick            one short round of {quick}
  --rounds N         rounds of all servers (5)
  --millis N         how long each is measured in a round of a scenario (600)
  --only A,B         these servers: {servers}
  --scenarios A,B    these scenarios: {scenarios}
  --out FOLDER       writes results.json and the plots there; without --quick, --only and
                     --scenarios they go to benches/compare
  --from FILE        measures nothing, and shows the results in FILE again
  --help             this text
",
        quick = QUICK.join(", "),
        servers = servers.join(", "),
        scenarios = scenarios.join(", "),
    )
}

pub(super) fn parse(words: impl Iterator<Item = OsString>) -> Result<Wish, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut quick, mut rounds, mut millis) = (false, None, None);
    let (mut only, mut scenarios) = (None, None);
    let (mut out, mut from) = (None, None);
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(Wish::Help),
            Long("quick") => quick = true,
            Long("rounds") => {
                rounds = Some(parser.value()?.parse_with(|word| number(word, 1..=1000))?)
            }
            Long("millis") => {
                millis = Some(
                    parser
                        .value()?
                        .parse_with(|word| number(word, 100..=60_000))?,
                )
            }
            Long("only") => {
                only = Some(
                    parser
                        .value()?
                        .parse_with(|words| list(words, contestants::by_name))?,
                )
            }
            Long("scenarios") => {
                scenarios = Some(
                    parser
                        .value()?
                        .parse_with(|words| list(words, Scenario::by_name))?,
                )
            }
            Long("out") => out = Some(PathBuf::from(parser.value()?)),
            Long("from") => from = Some(PathBuf::from(parser.value()?)),
            _ => return Err(argument.unexpected()),
        }
    }
    // What is measured in part must not take the place of the plots that the README shows.
    let whole = !quick && only.is_none() && scenarios.is_none() && from.is_none();
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf();
    let all_scenarios = || match quick {
        true => QUICK
            .iter()
            .filter_map(|name| Scenario::by_name(name))
            .collect(),
        false => scenario::ALL.iter().collect(),
    };
    Ok(Wish::Run(Arguments {
        rounds: rounds.unwrap_or(if quick { 1 } else { 5 }),
        measured: Duration::from_millis(millis.unwrap_or(if quick { 400 } else { 600 }) as u64),
        only: only.unwrap_or_else(|| contestants::ALL.iter().collect()),
        scenarios: scenarios.unwrap_or_else(all_scenarios),
        out: out.or_else(|| whole.then(here)),
        from,
    }))
}

fn number(word: &str, range: std::ops::RangeInclusive<usize>) -> Result<usize, String> {
    match word.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!(
            "not a number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

fn list<T>(
    words: &str,
    by_name: fn(&str) -> Option<&'static T>,
) -> Result<Vec<&'static T>, String> {
    words
        .split(',')
        .map(|word| by_name(word).ok_or_else(|| format!("there is no {word:?}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Arguments, String> {
        match parse(words.split_whitespace().map(OsString::from)) {
            Ok(Wish::Run(arguments)) => Ok(arguments),
            Ok(Wish::Help) => Err("help".into()),
            Err(mistake) => Err(mistake.to_string()),
        }
    }

    #[test]
    fn everything_is_measured_and_written_unless_something_else_is_asked_for() {
        let all = parsed("").unwrap();
        assert_eq!(
            (all.rounds, all.scenarios.len(), all.only.len()),
            (5, 12, 7)
        );
        assert!(all.out.unwrap().ends_with("benches/compare"));
        for part in [
            "--quick",
            "--only epoll",
            "--scenarios c1",
            "--from results.json",
        ] {
            assert_eq!(parsed(part).unwrap().out, None, "{part}");
        }
        assert_eq!(
            parsed("--quick --out plots").unwrap().out,
            Some("plots".into())
        );
    }

    #[test]
    fn parts_are_named() {
        let some =
            parsed("--rounds 2 --millis 250 --only netloop,epoll --scenarios memory,c1").unwrap();
        assert_eq!(
            (some.rounds, some.measured),
            (2, Duration::from_millis(250))
        );
        assert_eq!(
            some.only
                .iter()
                .map(|server| server.name)
                .collect::<Vec<_>>(),
            ["netloop", "epoll"]
        );
        assert_eq!(
            some.scenarios.iter().map(|s| s.name).collect::<Vec<_>>(),
            ["memory", "c1"]
        );
        let quick = parsed("--quick").unwrap();
        assert_eq!((quick.rounds, quick.scenarios.len()), (1, QUICK.len()));
    }

    #[test]
    fn mistakes_are_told() {
        for words in [
            "--rounds",
            "--rounds 0",
            "--rounds x",
            "--millis 1",
            "--only",
            "--only node,",
            "--only hyper",
            "--scenarios c2",
            "--fast",
            "netloop",
            "--quick=yes",
        ] {
            assert!(parsed(words).is_err(), "{words}");
        }
        assert!(parsed("--only hyper").unwrap_err().contains("hyper"));
        assert_eq!(parsed("--quick --help").unwrap_err(), "help");
    }
}
