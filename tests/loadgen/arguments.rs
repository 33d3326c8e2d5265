//! What is refused before anything is sent.

use crate::support::{Directory, example};

const USAGE: &str =
    "usage: loadgen [closed | open | churn | idle | bulk] [ADDRESS | PORT] [OPTION ..]\n";

/// Asserts that these are refused with exit code 2, these words and the usage.
#[track_caller]
fn assert_refused(arguments: &[&str], mistake: &str) {
    let outcome = example::run("loadgen", arguments);
    let words = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(outcome.status.code(), Some(2), "{arguments:?}: {words}");
    assert_eq!(words, format!("{mistake}\n{USAGE}"), "{arguments:?}");
    assert!(outcome.stdout.is_empty());
}

#[test]
fn bad_arguments_exit_2_and_tell_the_usage() {
    assert_refused(&["--bogus"], "unknown option --bogus");
    assert_refused(&["1", "2"], "one address is enough, what is 2?");
    assert_refused(&["open"], "open needs a rate: -r N");
    assert_refused(&["-c", "none"], "-c takes a number from 1 to 1000000");
    assert_refused(
        &["--timeout"],
        "--timeout takes a time such as 500ms, 10s or 2m, up to a week",
    );
}

#[test]
fn files_that_cannot_be_read_or_written_are_told_before_the_load() {
    let directory = Directory::new();
    let missing = directory.path("none.json");
    let missing = missing.to_str().unwrap();
    let reason = "No such file or directory (os error 2)";
    assert_refused(&["--compare", missing], &format!("{missing}: {reason}"));

    let nowhere = directory.path("no/where.html");
    let nowhere = nowhere.to_str().unwrap();
    let to = format!("html={nowhere}");
    assert_refused(&["--output", &to], &format!("{nowhere}: {reason}"));

    let other = directory.path("other.json");
    std::fs::write(&other, "{\"a\": 1}").unwrap();
    let other = other.to_str().unwrap();
    let outcome = example::run("loadgen", &["--compare", other]);
    let words = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(outcome.status.code(), Some(2), "{words}");
    assert!(
        words.starts_with(&format!("{other}: no report of --output json (")),
        "{words}"
    );
}

#[test]
fn an_address_that_is_none_exits_1() {
    for address in ["127.0.0.1:65536", "65536", "[::1]"] {
        let outcome = example::run("loadgen", &[address, "-d1"]);
        let words = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.status.code(), Some(1), "{address}: {words}");
        assert_eq!(words.lines().count(), 1, "{address}: {words}");
    }
}

#[test]
fn help_tells_every_option() {
    let options = options();
    assert!(options.len() > 15, "{options:?}");
    for word in ["--help", "-h"] {
        let outcome = example::run("loadgen", &[word]);
        assert!(outcome.status.success());
        let help = String::from_utf8(outcome.stdout).unwrap();
        assert!(help.starts_with(USAGE), "{help}");
        let words = help.split(|letter: char| letter.is_whitespace() || letter == ',');
        let words: Vec<&str> = words.collect();
        let modes = ["closed", "open", "churn", "idle", "bulk"];
        for told in options.iter().copied().chain(modes) {
            assert!(words.contains(&told), "{told} in {help}");
        }
        // And no other.
        let begins = help.lines().map(str::trim_start);
        let begins = begins.filter(|line| line.starts_with('-'));
        let columns = begins.filter_map(|line| line.split("  ").next());
        let told = columns.flat_map(|column| column.split([' ', ',']));
        for option in told.filter(|it| it.starts_with('-')) {
            let known = options.contains(&option) || ["-h", "--help"].contains(&option);
            assert!(known, "{option} is none");
        }
    }
}

/// What the program takes, by its source: the patterns of the match that sets options.
fn options() -> Vec<&'static str> {
    let source = include_str!("../../examples/loadgen/arguments.rs");
    let (_, from) = source.split_once("match name {").unwrap();
    let (arms, _) = from.split_once("\"unknown option").unwrap();
    let arms = arms.lines().filter_map(|line| line.split_once("=>"));
    let patterns = arms.flat_map(|(pattern, _)| pattern.split('|'));
    let options = patterns.filter_map(|it| it.trim().strip_prefix('"')?.strip_suffix('"'));
    options.filter(|it| it.starts_with('-')).collect()
}

#[test]
#[cfg(target_os = "linux")] // which has /dev/full
fn words_that_nobody_takes_do_not_change_how_it_ends() {
    let (_kept, refuses) = crate::support::refusing();
    let refuses = refuses.to_string();
    for (arguments, code) in [(["--help"], 0), (["--bogus"], 2), ([&*refuses], 1)] {
        let mut unheard = example::example_command(None, "loadgen", &arguments);
        unheard.stdout(example::deaf()).stderr(example::deaf());
        let status = unheard.status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}: {status}");
    }
}
