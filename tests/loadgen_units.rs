//! The unit tests of `examples/loadgen`, which stand at the foot of its files; and in `turns.rs` those of what
//! several of them do together.
//!
//! `cargo test` builds an example either as a program, which `tests/loadgen` needs, or for its own tests. So
//! its files are modules here once more; a file that is missing in this list is one whose tests never run,
//! and the last test sees to that.

#![allow(dead_code)] // there is no `main` that uses all of it

#[path = "../examples/loadgen/arguments.rs"]
mod arguments;
#[path = "../examples/loadgen/bulk.rs"]
mod bulk;
#[path = "../examples/loadgen/clock.rs"]
mod clock;
#[path = "../examples/loadgen/connection.rs"]
mod connection;
#[path = "../examples/loadgen/cost.rs"]
mod cost;
#[path = "../examples/loadgen/limits.rs"]
mod limits;
#[path = "../examples/loadgen/measure.rs"]
mod measure;
#[path = "../examples/loadgen/overdue.rs"]
mod overdue;
#[path = "../examples/loadgen/pace.rs"]
mod pace;
#[path = "../examples/loadgen/pacer.rs"]
mod pacer;
#[path = "../examples/loadgen/protocol/mod.rs"]
mod protocol;
#[path = "../examples/loadgen/report/mod.rs"]
mod report;
#[path = "../examples/loadgen/run.rs"]
mod run;
#[path = "../examples/loadgen/schedule.rs"]
mod schedule;
#[path = "../examples/loadgen/target.rs"]
mod target;
#[path = "loadgen_units/turns.rs"]
mod turns;
#[path = "../examples/loadgen/verdict.rs"]
mod verdict;

#[test]
fn every_file_with_tests_is_listed() {
    let main = include_str!("../examples/loadgen/main.rs");
    let here = include_str!("loadgen_units.rs");
    let modules = main.lines().filter(|line| line.starts_with("mod "));
    let missing: Vec<&str> = modules
        .filter(|line| here.lines().all(|it| it != *line))
        .collect();
    assert_eq!(missing, ["mod output;", "mod progress;", "mod words;"]); // one draws, and none has tests
}
