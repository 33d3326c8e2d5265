//! Parity with Node itself: each scenario is written once for Node and once for netloop, is played by
//! either and by both together, and the traces are compared. README.md tells how.

#[path = "../support/mod.rs"]
mod support;

mod differences;
mod node;
mod runner;
mod stage;
mod trace;

mod a_callbacks;
mod b_connecting;
mod b_filters;
mod b_names;
mod c_encoding;
mod c_reading;
mod d_half_close;
mod e_writing;
mod f_destroy;
mod g_idle;
mod h_addresses;
mod i_local;
mod i_server;
mod j_liveness;
mod k_pipe;

use std::collections::BTreeSet;

macro_rules! group {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!($name, ".js")),
            include_str!(concat!($name, ".rs")),
        )
    };
}

/// The scenarios of each group: what Node plays, and what is a test here.
const GROUPS: &[(&str, &str, &str)] = &[
    group!("a_callbacks"),
    group!("b_connecting"),
    group!("b_filters"),
    group!("b_names"),
    group!("c_encoding"),
    group!("c_reading"),
    group!("d_half_close"),
    group!("e_writing"),
    group!("f_destroy"),
    group!("g_idle"),
    group!("h_addresses"),
    group!("i_local"),
    group!("i_server"),
    group!("j_liveness"),
    group!("k_pipe"),
];

/// The names that stand between two texts at the beginning of a line.
fn names<'a>(source: &'a str, before: &str, after: &str) -> BTreeSet<&'a str> {
    let lines = source.lines().filter_map(|line| line.strip_prefix(before));
    lines
        .filter_map(|line| Some(line.split_once(after)?.0))
        .collect()
}

#[test]
fn every_scenario_is_written_for_both() {
    let mut all = BTreeSet::new();
    for (group, js, rs) in GROUPS {
        let node = names(js, "exports.", " = ");
        let tests = rs
            .split("#[test]\n")
            .skip(1)
            .map(|test| test.split_once("()"));
        let netloop: BTreeSet<&str> = tests.map(|test| &test.unwrap().0["fn ".len()..]).collect();
        assert_eq!(node, netloop, "Node's and netloop's scenarios of {group}");
        for name in node {
            assert!(all.insert(name), "two scenarios are called {name}");
        }
    }
    assert!(all.len() >= 60, "{} scenarios", all.len());
    for name in differences::listed() {
        assert!(
            all.contains(name),
            "DIFFERENCES.md lists {name}, which is no scenario"
        );
    }
}
