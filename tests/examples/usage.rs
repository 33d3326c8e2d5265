//! Every example tells its usage: to who asks on standard output, and to who errs on standard error.

use crate::support::Process;
use crate::support::example::example_command;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

/// All but `simulate`, which needs a feature to be there.
pub(crate) const EXAMPLES: &[&str] = &[
    "chat",
    "echo",
    "embedded",
    "http",
    "idle_army",
    "kv",
    "loadgen",
    "million",
    "offload",
    "per_core",
    "proxy",
];

/// The exit code, standard output and standard error of one that has to end at once. One that serves
/// instead says so first, and is not waited for.
#[track_caller]
fn told(name: &str, word: &str) -> (Option<i32>, String, String) {
    let mut command = example_command(None, name, &[word]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = Process(command.stderr(Stdio::piped()).spawn().unwrap());
    let mut from = BufReader::new(process.0.stdout.take().expect("a pipe"));
    let mut printed = String::new();
    from.read_line(&mut printed).unwrap();
    assert!(!printed.starts_with("listening"), "{name} {word} serves");
    from.read_to_string(&mut printed).unwrap();
    let mut words = String::new();
    let mut stderr = process.0.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut words).unwrap();
    (process.0.wait().unwrap().code(), printed, words)
}

#[test]
fn who_asks_is_told_the_usage() {
    for name in EXAMPLES {
        for word in ["--help", "-h"] {
            let (code, printed, words) = told(name, word);
            let usage = format!("usage: {name} ");
            assert!(printed.starts_with(&usage), "{name} {word}: {printed}");
            assert_eq!((code, words.as_str()), (Some(0), ""), "{name} {word}");
        }
    }
}

#[test]
fn an_unknown_option_exits_2_and_tells_the_usage() {
    for name in EXAMPLES {
        let (code, printed, words) = told(name, "--bogus");
        let usage = format!("usage: {name} ");
        let tells = words.lines().any(|line| line.starts_with(&usage));
        assert!(tells, "{name}: {words}");
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{name}");
    }
}
