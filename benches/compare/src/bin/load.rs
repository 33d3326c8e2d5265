//! The load generator as a program: runs one scenario against a server, or verifies the server, and
//! prints a line of JSON.

use netloop_compare::load::{self, Plan, Report};
use netloop_compare::scenario::{Mode, Scenario};
use netloop_compare::verify;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
usage: load SCENARIO --port PORT --pid PID [--millis N] [--own-cpu] [--connections N]
       load verify --port PORT --mode plain|idle|lines [--idle-timeout-ms N]";

enum Task {
    Run(&'static Scenario, Plan),
    Verify {
        server: SocketAddr,
        mode: Mode,
        idle_timeout: Duration,
    },
}

fn main() -> ExitCode {
    let task = match parse(lexopt::Parser::from_env()) {
        Ok(task) => task,
        Err(mistake) => {
            eprintln!("{mistake}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let line = match task {
        Task::Run(scenario, plan) => {
            let report = load::run(scenario.load, &plan);
            let failed = matches!(report, Report::Failed(_));
            (serde_json::to_string(&report), failed)
        }
        Task::Verify {
            server,
            mode,
            idle_timeout,
        } => {
            let wrong = verify::run(server, mode, idle_timeout);
            (serde_json::to_string(&wrong), !wrong.is_empty())
        }
    };
    match line {
        (Ok(line), failed) => {
            println!("{line}");
            ExitCode::from(u8::from(failed))
        }
        (Err(error), _) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut parser: lexopt::Parser) -> Result<Task, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut name, mut port, mut pid, mut mode) = (None, None, None, Mode::Plain);
    let (mut millis, mut own_cpu, mut connections, mut idle_millis) = (1000, false, 18_000, 400);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => port = Some(parser.value()?.parse::<u16>()?),
            Long("pid") => pid = Some(parser.value()?.parse()?),
            Long("millis") => millis = parser.value()?.parse()?,
            Long("own-cpu") => own_cpu = true,
            Long("connections") => connections = parser.value()?.parse()?,
            Long("idle-timeout-ms") => idle_millis = parser.value()?.parse()?,
            Long("mode") => mode = parser.value()?.parse_with(Mode::from_name)?,
            Value(word) if name.is_none() => name = Some(word.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let name = name.ok_or("which SCENARIO?")?;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port.ok_or("which --port?")?));
    if name == "verify" {
        return Ok(Task::Verify {
            server,
            mode,
            idle_timeout: Duration::from_millis(idle_millis),
        });
    }
    let scenario = Scenario::by_name(&name).ok_or_else(|| format!("unknown scenario {name}"))?;
    let measured = Duration::from_millis(millis);
    let plan = Plan {
        server,
        pid: pid.ok_or("which --pid?")?,
        warm_up: measured / 4,
        measured,
        own_cpu,
        most_connections: connections,
    };
    Ok(Task::Run(scenario, plan))
}
