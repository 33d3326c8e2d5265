//! `examples/loadgen` as its users meet it: a process of its own, and around it servers that are good,
//! slow, rude and silent.

#[path = "../support/mod.rs"]
mod support;

mod arguments;
mod bottleneck;
mod failures;
mod interrupt;
mod loads;
mod reports;
mod server;
mod stall;

use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};
use support::{PATIENCE, Process, example};

/// Makes a load that ends well, and gives back its report.
#[track_caller]
fn report(arguments: &[&str]) -> Value {
    let outcome = example::run("loadgen", &[arguments, &["--output", "json"]].concat());
    let words = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{arguments:?}: {words}");
    parse(&outcome.stdout)
}

/// Begins a load, of which something is to be seen before it ends.
fn start(arguments: &[&str]) -> Process {
    let arguments = [arguments, &["--output", "json"]].concat();
    Process(example::start("loadgen", &arguments))
}

/// The report of a load that was started, once it has ended well.
#[track_caller]
fn report_of(load: Process) -> Value {
    parse(&load.output())
}

/// Waits for something that a server is to see.
#[track_caller]
fn wait_until(seen: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !seen() {
        assert!(Instant::now() < deadline, "no load");
        thread::yield_now();
    }
}

/// Repeats what has to fall into the window of a load, until it has: on a busy machine the test may be too
/// late, and an attempt that finds out that it was answers with nothing.
#[track_caller]
fn in_time<T>(attempt: impl Fn() -> Option<T>) -> T {
    let attempts = (0..10).find_map(|_| attempt());
    attempts.expect("ten times too late")
}

/// The option that makes a window so long.
fn window(length: Duration) -> String {
    format!("-d{}ms", length.as_millis())
}

#[track_caller]
fn parse(json: &[u8]) -> Value {
    let mut report: Value = serde_json::from_slice(json).unwrap();
    // They would make the message of a failing test hundreds of lines longer.
    for distribution in ["/latency", "/service", "/connect", "/generator/turn_lag"] {
        if let Some(Value::Object(it)) = report.pointer_mut(distribution) {
            it.remove("curve");
        }
    }
    report
}

/// A number of a report, by where it stands in it: `/requests/sent`.
#[track_caller]
fn number(report: &Value, at: &str) -> f64 {
    let value = report.pointer(at).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("no number {at} in {report:#}"))
}

#[track_caller]
fn count(report: &Value, at: &str) -> u64 {
    let value = report.pointer(at).and_then(Value::as_u64);
    value.unwrap_or_else(|| panic!("no count {at} in {report:#}"))
}

/// All errors of requests together, whatever their kind.
fn errors(report: &Value) -> u64 {
    let kinds = report["requests"]["errors"].as_object().unwrap();
    kinds.values().map(|count| count.as_u64().unwrap()).sum()
}

/// How many requests came to this kind of end.
fn error(report: &Value, kind: &str) -> u64 {
    report["requests"]["errors"][kind].as_u64().unwrap_or(0)
}

/// Nothing gets lost: what was sent was answered, or it is among the errors.
#[track_caller]
fn assert_accounted(report: &Value) {
    let refused = error(report, "refused");
    let (sent, answered) = (
        count(report, "/requests/sent"),
        count(report, "/requests/answered"),
    );
    assert_eq!(sent, answered + errors(report) - refused, "{report:#}");
}
