//! What came out: a row for each server in each scenario, as it is written to `results.json`.

use super::statistics::{Spread, median};
use crate::load::{Report, Window};
use crate::scenario::Scenario;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: String,
    /// What each server is built on.
    pub(super) versions: Vec<(String, String)>,
    pub(super) rounds: usize,
    pub(super) millis: u64,
    /// Scenarios that this machine has no room for, and why.
    pub(super) skipped: Vec<String>,
    pub(super) rows: Vec<Row>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) scenario: String,
    pub(super) server: String,
    /// CPU time of the server for each message in microseconds, over all windows; memory in bytes
    /// for each connection, over all rounds.
    pub(super) cost: Option<Spread>,
    /// To the scenario's reference: `fast` of the one to `fast` of the other.
    pub(super) ratio: Option<f64>,
    pub(super) messages_a_second: Option<f64>,
    pub(super) p50_micros: Option<f64>,
    pub(super) p99_micros: Option<f64>,
    /// What went wrong, if anything did in any round.
    pub(super) failed: Option<String>,
}

impl Results {
    /// How much was measured, in words.
    pub(super) fn extent(&self) -> String {
        let rounds = if self.rounds == 1 { "round" } else { "rounds" };
        format!("{} {rounds} of {} ms", self.rounds, self.millis)
    }

    /// A scenario's row of that server.
    pub(super) fn row(&self, scenario: &str, server: &str) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.scenario == scenario && row.server == server)
    }

    pub(super) fn failures(&self) -> Vec<&Row> {
        self.rows
            .iter()
            .filter(|row| row.failed.is_some())
            .collect()
    }

    /// Fills in the ratios, once all rows are there.
    pub(super) fn compare(&mut self) {
        let ratio = |row: &Row| {
            let reference = Scenario::by_name(&row.scenario)?.reference;
            let reference = self.row(&row.scenario, reference)?.cost?.fast;
            Some(row.cost?.fast / reference)
        };
        let ratios: Vec<_> = self.rows.iter().map(ratio).collect();
        for (row, ratio) in self.rows.iter_mut().zip(ratios) {
            row.ratio = ratio;
        }
    }
}

impl Row {
    /// From what the generator told in each round.
    pub(super) fn new(scenario: &str, server: &str, reports: &[Report]) -> Row {
        let mut row = Row {
            scenario: scenario.to_string(),
            server: server.to_string(),
            cost: None,
            ratio: None,
            messages_a_second: None,
            p50_micros: None,
            p99_micros: None,
            failed: None,
        };
        let (mut windows, mut bytes, mut p50, mut p99) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for report in reports {
            match report {
                Report::Rate(rate) => {
                    // No message is free: a clock that stood still tells nothing.
                    let tells = |window: &&Window| window.messages > 0 && window.cpu_nanos > 0;
                    windows.extend(rate.windows.iter().filter(tells));
                    p50.extend(rate.p50_micros);
                    p99.extend(rate.p99_micros);
                }
                Report::Memory(memory) => bytes.push(memory.bytes_a_connection),
                Report::Failed(why) => row.failed = Some(why.clone()),
            }
        }
        row.cost =
            Spread::of(windows.iter().copied().map(micros_a_message)).or_else(|| Spread::of(bytes));
        row.messages_a_second = median(windows.into_iter().map(messages_a_second));
        row.p50_micros = median(p50);
        row.p99_micros = median(p99);
        row
    }
}

fn micros_a_message(window: &Window) -> f64 {
    window.cpu_nanos as f64 / 1e3 / window.messages as f64
}

fn messages_a_second(window: &Window) -> f64 {
    window.messages as f64 * 1e9 / window.wall_nanos as f64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::load::{Memory, Rate};

    /// A round of windows of 1 ms in which each of 100 messages costs so many nanoseconds.
    fn rate(nanos: &[u64]) -> Report {
        let window = |&nanos: &u64| Window {
            messages: 100,
            cpu_nanos: nanos * 100,
            wall_nanos: 1_000_000,
        };
        Report::Rate(Rate {
            windows: nanos.iter().map(window).collect(),
            p50_micros: Some(nanos[0] as f64),
            p99_micros: None,
        })
    }

    /// Netloop at 1.5 of raw epoll, Node far off, libuv failed; and memory.
    pub(in crate::runner) fn example() -> Results {
        let memory = |bytes_a_connection| {
            Report::Memory(Memory {
                fewer: 10,
                more: 90,
                bytes_a_connection,
            })
        };
        let mut results = Results {
            machine: "a <machine>".into(),
            versions: vec![("netloop".into(), "0.1.0".into())],
            rounds: 2,
            millis: 100,
            skipped: vec!["c10000 is skipped".into()],
            rows: vec![
                Row::new(
                    "c50",
                    "netloop",
                    &[rate(&[9000, 6000]), rate(&[6000, 6000, 7000])],
                ),
                Row::new("c50", "epoll", &[rate(&[4000; 3]), rate(&[5000; 3])]),
                Row::new("c50", "libuv", &[Report::Failed("closed".into())]),
                Row::new("c50", "node", &[rate(&[55_000])]),
                Row::new("memory", "netloop", &[memory(128.0), memory(130.0)]),
                Row::new("memory", "epoll", &[memory(64.0), memory(64.0)]),
            ],
        };
        results.compare();
        results
    }

    #[test]
    fn windows_of_all_rounds_become_one_row() {
        let results = example();
        let netloop = results.row("c50", "netloop").unwrap();
        let cost = netloop.cost.unwrap();
        assert_eq!(
            (cost.min, cost.fast, cost.median, cost.max),
            (6.0, 6.0, 6.0, 9.0)
        );
        assert_eq!(netloop.ratio, Some(1.5));
        assert_eq!(netloop.messages_a_second, Some(100_000.0));
        assert_eq!(netloop.p50_micros, Some(7500.0)); // in the middle of two rounds
        assert_eq!(netloop.p99_micros, None);
        assert_eq!(results.row("c50", "epoll").unwrap().ratio, Some(1.0));
    }

    #[test]
    fn a_window_in_which_the_clock_stood_still_does_not_count() {
        let row = Row::new("c50", "epoll", &[rate(&[0, 4000, 0])]);
        assert_eq!(row.cost.map(|cost| cost.min), Some(4.0));
        assert_eq!(Row::new("c50", "epoll", &[rate(&[0])]).cost, None);
    }

    #[test]
    fn memory_is_compared_too_and_failures_are_kept() {
        let results = example();
        assert_eq!(
            results.row("memory", "netloop").unwrap().ratio,
            Some(128.5 / 64.0)
        );
        let failures: Vec<_> = results
            .failures()
            .iter()
            .map(|row| row.server.as_str())
            .collect();
        assert_eq!(failures, ["libuv"]);
    }

    #[test]
    fn results_are_read_as_they_were_written() {
        let text = serde_json::to_string(&example()).unwrap();
        let read: Results = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
