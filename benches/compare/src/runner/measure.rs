//! The measuring itself: first every server shows that it is correct, then all of them take turns.
//!
//! A round goes through the scenarios, and in each of them through the servers, beginning with another
//! one each time: what changes on the machine meanwhile meets them all. The servers of a round live
//! side by side, and are idle while another one is measured.

use super::arguments::Arguments;
use super::builds::{Built, Server};
use super::child::{Child, Interrupt};
use super::machine::Machine;
use super::results::{Results, Row};
use super::{Stop, contestants};
use crate::load::Report;
use crate::scenario::{IDLE_TIMEOUT, Load, Mode, SPARE_DESCRIPTORS, Scenario};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

/// A server or a generator that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Short, so that verifying does not take long.
const VERIFIED_TIMEOUT: Duration = Duration::from_millis(400);
/// Enough for a slope that no page of memory bends.
const MOST_CONNECTIONS: usize = 18_000;

pub(super) fn measure(
    arguments: &Arguments,
    machine: &Machine,
    built: &Built,
    interrupt: &Interrupt,
) -> Result<Results, Stop> {
    let runner = Runner {
        machine,
        built,
        interrupt,
        measured: arguments.measured,
    };
    let (scenarios, skipped) = with_room(&arguments.scenarios, machine);
    for line in &skipped {
        eprintln!("{line}");
    }
    let incorrect = runner.verify(&scenarios)?;
    let mut reports: BTreeMap<(&str, &str), Vec<Report>> = BTreeMap::new();
    for round in 0..arguments.rounds {
        let mut running = BTreeMap::new();
        for (number, scenario) in scenarios.iter().enumerate() {
            eprintln!(
                "round {} of {}: {}",
                round + 1,
                arguments.rounds,
                scenario.name
            );
            for server in rotated(&built.servers, round + number) {
                let (name, mode) = (server.contestant.name, scenario.mode);
                if !server.contestant.plays(mode) || wrong_in(&incorrect, name, mode).is_some() {
                    continue;
                }
                let report = runner.run(scenario, server, &mut running)?;
                if let Report::Failed(why) = &report {
                    eprintln!("{name} failed: {why}");
                }
                reports
                    .entry((scenario.name, name))
                    .or_default()
                    .push(report);
            }
        }
    }
    let mut results = Results {
        machine: machine.describe(),
        versions: built
            .servers
            .iter()
            .map(|server| (server.contestant.name.into(), server.version.clone()))
            .collect(),
        rounds: arguments.rounds,
        millis: arguments.measured.as_millis() as u64,
        skipped,
        rows: Vec::new(),
    };
    for scenario in scenarios {
        for name in contestants::ALL.iter().map(|contestant| contestant.name) {
            let wrong = wrong_in(&incorrect, name, scenario.mode);
            let wrong = wrong.map(|wrong| vec![Report::Failed(format!("not measured: {wrong}"))]);
            if let Some(told) = reports.remove(&(scenario.name, name)).or(wrong) {
                results.rows.push(Row::new(scenario.name, name, &told));
            }
        }
    }
    results.compare();
    Ok(results)
}

/// Those for which there are enough descriptors, and a line for each of the others.
fn with_room(
    scenarios: &[&'static Scenario],
    machine: &Machine,
) -> (Vec<&'static Scenario>, Vec<String>) {
    let (fit, large): (Vec<_>, Vec<_>) = scenarios
        .iter()
        .copied()
        .partition(|scenario| scenario.descriptors() <= machine.descriptors);
    let skipped = large.into_iter().map(|scenario: &Scenario| {
        format!(
            "{} is skipped: it needs {} descriptors, and a process may have {} (ulimit -Hn)",
            scenario.name,
            scenario.descriptors(),
            machine.descriptors
        )
    });
    (fit, skipped.collect())
}

/// The modes in which a server must be correct to be measured in that one: what a short idle timeout does
/// not let be tried is tried without.
fn stands_on(mode: Mode) -> &'static [Mode] {
    match mode {
        Mode::Plain => &[Mode::Plain],
        Mode::Idle => &[Mode::Plain, Mode::Idle],
        Mode::Lines => &[Mode::Lines],
    }
}

/// Why a server is not measured in that mode, if it is not.
fn wrong_in<'a>(incorrect: &'a Incorrect<'_>, name: &'a str, mode: Mode) -> Option<&'a String> {
    stands_on(mode)
        .iter()
        .find_map(|&mode| incorrect.get(&(name, mode)))
}

/// What is wrong, from a line of the verifier's; nothing if nothing is.
fn told_by_verifier(line: &str) -> String {
    match serde_json::from_str::<Vec<String>>(line) {
        Ok(wrong) => wrong.join("; "),
        Err(error) => format!("the verifier: {error}"),
    }
}

/// All of them, beginning with another one each time.
fn rotated<T>(all: &[T], by: usize) -> impl Iterator<Item = &T> {
    let (before, from) = all.split_at(by % all.len().max(1));
    from.iter().chain(before)
}

/// Servers that are not correct, in which mode, and why.
type Incorrect<'a> = BTreeMap<(&'a str, Mode), String>;

/// Servers that are up, in the modes they were needed in.
type Running<'a> = BTreeMap<(&'a str, Mode), Up>;

struct Up {
    process: Child,
    port: String,
}

struct Runner<'a> {
    machine: &'a Machine,
    built: &'a Built,
    interrupt: &'a Interrupt,
    measured: Duration,
}

impl<'a> Runner<'a> {
    /// What is wrong with whom, in the modes that the scenarios need.
    fn verify(&self, scenarios: &[&Scenario]) -> Result<Incorrect<'a>, Stop> {
        let mut incorrect = BTreeMap::new();
        let needed = |mode: &Mode| {
            scenarios
                .iter()
                .any(|scenario| stands_on(scenario.mode).contains(mode))
        };
        for server in &self.built.servers {
            let name = server.contestant.name;
            let plays = |mode: &Mode| server.contestant.plays(*mode);
            let modes: Vec<Mode> = Mode::ALL.into_iter().filter(needed).filter(plays).collect();
            let wrong = self.verify_server(server, &modes)?;
            for (mode, told) in &wrong {
                eprintln!("{name} ({}) is not correct: {told}", mode.name());
            }
            if wrong.is_empty() {
                eprintln!("{name} is correct");
            }
            incorrect.extend(wrong.into_iter().map(|(mode, told)| ((name, mode), told)));
        }
        Ok(incorrect)
    }

    /// In all modes at once, since most of it is waiting.
    fn verify_server(&self, server: &Server, modes: &[Mode]) -> Result<Vec<(Mode, String)>, Stop> {
        let mut wrong = Vec::new();
        let mut at_work = Vec::new();
        for &mode in modes {
            match self.start(server, mode, VERIFIED_TIMEOUT) {
                Ok(up) => at_work.push((mode, self.verifier(&up, mode)?, up)),
                Err(Stop::Failed(told)) => wrong.push((mode, told)),
                Err(Stop::Interrupted) => return Err(Stop::Interrupted),
            }
        }
        for (mode, verifier, _up) in at_work {
            let told = match verifier.next_line(PATIENCE) {
                Ok(line) => told_by_verifier(&line.unwrap_or_default()),
                Err(Stop::Failed(told)) => told,
                Err(Stop::Interrupted) => return Err(Stop::Interrupted),
            };
            if !told.is_empty() {
                wrong.push((mode, told));
            }
        }
        Ok(wrong)
    }

    fn verifier(&self, up: &Up, mode: Mode) -> Result<Child, Stop> {
        let mut command = Command::new(&self.built.generator);
        command.args([
            "verify",
            "--port",
            &up.port,
            "--mode",
            mode.name(),
            "--idle-timeout-ms",
        ]);
        command.arg(VERIFIED_TIMEOUT.as_millis().to_string());
        Child::start(&mut command, self.machine.generator_cpu(), self.interrupt)
    }

    /// One server in one scenario. What goes wrong with it is told in the report.
    fn run(
        &self,
        scenario: &Scenario,
        server: &Server,
        running: &mut Running<'a>,
    ) -> Result<Report, Stop> {
        let key = (server.contestant.name, scenario.mode);
        // Memory that was used once tells nothing of what a connection needs.
        let fresh = scenario.load == Load::Memory
            || !running.get_mut(&key).is_some_and(|up| up.process.runs());
        if fresh {
            running.remove(&key);
            match self.start(server, scenario.mode, IDLE_TIMEOUT) {
                Ok(up) => drop(running.insert(key, up)),
                Err(Stop::Failed(told)) => return Ok(Report::Failed(told)),
                Err(Stop::Interrupted) => return Err(Stop::Interrupted),
            }
        }
        let report = self.load(scenario, &running[&key])?;
        // One that failed is not asked again, and neither is one that holds much memory.
        if scenario.load == Load::Memory || matches!(report, Report::Failed(_)) {
            running.remove(&key);
        }
        Ok(report)
    }

    fn start(&self, server: &Server, mode: Mode, idle_timeout: Duration) -> Result<Up, Stop> {
        let mut command = server.command();
        command.arg("0");
        match mode {
            Mode::Plain => {}
            Mode::Idle => drop(
                command
                    .arg("--idle-timeout-ms")
                    .arg(idle_timeout.as_millis().to_string()),
            ),
            Mode::Lines => drop(command.arg("--lines")),
        }
        let process = Child::start(&mut command, self.machine.server_cpu(), self.interrupt)?;
        let line = process.next_line(PATIENCE)?.unwrap_or_default();
        let port = line
            .strip_prefix("listening on 127.0.0.1:")
            .map(str::to_string);
        let port =
            port.ok_or_else(|| format!("{} did not start: {line:?}", server.contestant.name))?;
        Ok(Up { process, port })
    }

    fn load(&self, scenario: &Scenario, up: &Up) -> Result<Report, Stop> {
        let room = self.machine.descriptors.saturating_sub(SPARE_DESCRIPTORS);
        let connections = room.min(MOST_CONNECTIONS);
        let mut command = Command::new(&self.built.generator);
        command.args([
            scenario.name,
            "--port",
            &up.port,
            "--pid",
            &up.process.id().to_string(),
        ]);
        command.args(["--millis", &self.measured.as_millis().to_string()]);
        command.args(["--connections", &connections.to_string()]);
        if self.machine.generator_cpu().is_some() {
            command.arg("--own-cpu");
        }
        let generator = Child::start(&mut command, self.machine.generator_cpu(), self.interrupt)?;
        let line = match generator.next_line(PATIENCE + self.measured) {
            Ok(line) => line.unwrap_or_default(),
            Err(Stop::Failed(told)) => return Ok(Report::Failed(told)),
            Err(Stop::Interrupted) => return Err(Stop::Interrupted),
        };
        Ok(serde_json::from_str(&line)
            .unwrap_or_else(|error| Report::Failed(format!("the generator: {error}"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_that_says_nothing_is_no_approval() {
        assert_eq!(told_by_verifier("[]"), "");
        assert_eq!(
            told_by_verifier(r#"["order: no", "half-close: no"]"#),
            "order: no; half-close: no"
        );
        assert!(told_by_verifier("").starts_with("the verifier: "));
    }

    #[test]
    fn what_needs_more_descriptors_than_there_are_is_skipped_and_named() {
        let both: Vec<_> = ["c50", "c10000"]
            .iter()
            .filter_map(|name| Scenario::by_name(name))
            .collect();
        let (fit, skipped) = with_room(&both, &Machine::with_descriptors(5000));
        assert_eq!(
            fit.iter().map(|scenario| scenario.name).collect::<Vec<_>>(),
            ["c50"]
        );
        assert!(
            skipped[0].starts_with("c10000 is skipped: it needs 10200 descriptors"),
            "{skipped:?}"
        );
        assert_eq!(
            with_room(&both, &Machine::with_descriptors(20_000)).0.len(),
            2
        );
    }

    #[test]
    fn who_is_wrong_without_timeouts_is_not_measured_with_them_either() {
        let incorrect = Incorrect::from([
            (("mio", Mode::Plain), "order".into()),
            (("node", Mode::Idle), "late".into()),
        ]);
        let wrong = |name, mode| wrong_in(&incorrect, name, mode).map(String::as_str);
        assert_eq!(wrong("mio", Mode::Idle), Some("order"));
        assert_eq!(wrong("mio", Mode::Lines), None);
        assert_eq!(
            (wrong("node", Mode::Idle), wrong("node", Mode::Plain)),
            (Some("late"), None)
        );
    }

    #[test]
    fn everybody_is_first_once() {
        let order = |by| rotated(&["a", "b", "c"], by).copied().collect::<String>();
        assert_eq!(
            [order(0), order(1), order(2), order(3)],
            ["abc", "bca", "cab", "abc"]
        );
        assert_eq!(rotated::<u8>(&[], 2).count(), 0);
    }
}
