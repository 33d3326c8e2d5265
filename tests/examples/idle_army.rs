//! `examples/idle_army`: against an echo, against nobody, and with too few descriptors.

use crate::support::example::{Example, example_command};
use crate::support::refusing;
use std::process::Output;

fn run(most: u32, arguments: &[&str]) -> Output {
    example_command(Some(most), "idle_army", arguments)
        .output()
        .unwrap()
}

fn last_line(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stdout);
    words.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn all_connections_are_open_until_the_time_is_over() {
    let echo = Example::start("echo", &["0"]);
    let address = echo.address.to_string();
    let output = run(1000, &[&address, "--connections", "500", "--seconds", "0"]);
    assert_eq!(last_line(&output), "at the end: 500 open, 0 lost");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn it_makes_do_with_the_descriptors_that_there_are() {
    let echo = Example::start("echo", &["0"]);
    let address = echo.address.to_string();
    let output = run(100, &[&address, "--connections", "500", "--seconds", "0"]);
    let line = last_line(&output);
    let open = line
        .strip_prefix("at the end: ")
        .and_then(|rest| rest.split(' ').next());
    let open: usize = open.unwrap_or_default().parse().unwrap_or_default();
    assert!((80..100).contains(&open), "{line}");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("EMFILE"), "{words}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn where_nobody_listens_it_says_so_and_ends() {
    let (_refusing, address) = refusing();
    let output = run(
        1000,
        &[
            &address.to_string(),
            "--connections",
            "300",
            "--seconds",
            "0",
        ],
    );
    assert_eq!(last_line(&output), "at the end: 0 open, 300 lost");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.starts_with("connect ECONNREFUSED "), "{words}");
    assert_eq!(words.lines().count(), 1, "{words}");
}

#[test]
fn bad_arguments_exit_2() {
    for arguments in [
        &["nowhere"][..],
        &["1", "--connections"],
        &["1", "--seconds", "x"],
    ] {
        let output = run(1000, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
