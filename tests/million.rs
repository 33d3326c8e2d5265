//! `examples/million`, with few connections: that it comes to its end, and prints what can be true.

// The figures come from /proc.
#![cfg(target_os = "linux")]

mod support;

use support::example::{deaf, example_command, run};

/// Runs it and answers with what it printed.
#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let outcome = run("million", arguments);
    let words = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{arguments:?}: {words}");
    String::from_utf8(outcome.stdout).unwrap()
}

/// The number in the row that begins so.
#[track_caller]
fn figure(printed: &str, row: &str) -> f64 {
    let row = printed
        .lines()
        .find_map(|line| line.trim().strip_prefix(row));
    let first = row.and_then(|row| row.split_whitespace().next()?.parse().ok());
    first.unwrap_or_else(|| panic!("no {row:?} in {printed}"))
}

/// Less and more than a connection takes, in a debug build too, in which mio adds to it.
const LEAST_BYTES: f64 = 64.0;
const MOST_BYTES: f64 = 512.0;

#[test]
fn real_connections_are_opened_used_measured_and_filled() {
    let printed = printed(&["--connections", "900", "--stand-in", "0"]);
    assert!(
        printed.starts_with("900 real connections over loopback"),
        "{printed}"
    );
    assert!(figure(&printed, "opened and used") >= 1.0, "{printed}");
    let bytes = figure(&printed, "user memory");
    assert!((LEAST_BYTES..=MOST_BYTES).contains(&bytes), "{printed}");
    let taken = figure(&printed, "full, bytes in it");
    assert!(taken >= 4_096.0, "{printed}");
    // The kernel's own figures are the whole machine's, and others are at work on it.
    for row in ["kernel, objects", "kernel, buffers", "full, buffers"] {
        figure(&printed, row);
    }
    assert!(!printed.contains("stand-in"), "{printed}");
}

#[test]
#[cfg(feature = "bench")]
fn on_the_stand_in_every_phase_comes_to_its_end() {
    let printed = printed(&[
        "--connections",
        "0",
        "--stand-in",
        "50000",
        "--stand-in",
        "1",
    ]);
    let (many, one) = printed.split_once("\n\n").unwrap();
    assert!(
        many.starts_with("50000 connections on a stand-in kernel"),
        "{printed}"
    );
    assert!(
        one.starts_with("1 connections on a stand-in kernel"),
        "{printed}"
    );
    let bytes = figure(many, "memory");
    assert!((LEAST_BYTES..=MOST_BYTES).contains(&bytes), "{printed}");
    for part in [many, one] {
        for row in [
            "open",
            "0.1 % active",
            "expire at once",
            "all active",
            "expire in order",
            "close",
        ] {
            assert!(figure(part, row) >= 0.0, "{row}");
        }
    }
    // No turn tells more than 4,096 of them.
    let at_once = many.lines().find(|line| line.contains("expire at once"));
    assert!(at_once.unwrap().contains(" in 13 turns"), "{printed}");
}

#[test]
#[cfg(not(feature = "bench"))]
fn without_the_feature_it_says_what_is_left_out() {
    let printed = printed(&["--connections", "0"]);
    let rows: Vec<&str> = printed.lines().filter(|row| !row.is_empty()).collect();
    assert_eq!(rows.len(), 2, "{printed}");
    assert!(
        rows.iter()
            .all(|row| row.ends_with("left out, needs --features bench"))
    );
}

#[test]
fn help_is_told_and_bad_arguments_exit_2() {
    assert!(printed(&["--help"]).starts_with("usage: million "));
    for (arguments, mistake) in [
        (&["--bogus"][..], "what is --bogus?\n"),
        (&["7"], "what is 7?\n"),
        (&["half-clients", "127.0.0.1:1"], "what is half-clients?\n"),
        (
            &["--connections"],
            "--connections takes a number of connections\n",
        ),
        (
            &["--connections", "-1"],
            "--connections takes a number of connections\n",
        ),
        (
            &["--stand-in", "all"],
            "--stand-in takes a number of connections\n",
        ),
        (
            &["--stand-in", "4294967296"],
            "--stand-in takes a number of connections\n",
        ),
    ] {
        let outcome = run("million", arguments);
        assert_eq!(outcome.status.code(), Some(2), "{arguments:?}");
        assert_eq!(outcome.stdout, b"", "{arguments:?}");
        let words = String::from_utf8(outcome.stderr).unwrap();
        assert!(
            words.starts_with(&format!("{mistake}usage: million ")),
            "{words}"
        );
    }
}

#[test]
fn one_connection_has_no_slope() {
    let outcome = run("million", &["--connections", "1", "--stand-in", "0"]);
    assert_eq!(outcome.status.code(), Some(1));
    assert_eq!(outcome.stderr, b"1 connections have no slope\n");
}

#[test]
fn a_report_that_nobody_takes_is_a_failure_and_no_panic() {
    let status = example_command(None, "million", &["--connections", "20", "--stand-in", "0"])
        .stdout(deaf())
        .stderr(deaf())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}
