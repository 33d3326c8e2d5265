//! Arguments that are no text: the system lets them through, and no example may panic on them.
#![cfg(unix)]

use crate::support::example::example_command;
use crate::usage::EXAMPLES;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

#[test]
fn a_word_that_is_not_utf_8_exits_2_and_tells_the_usage() {
    for name in EXAMPLES {
        let mut command = example_command(None, name, &["0"]);
        let output = command.arg(OsStr::from_bytes(b"caf\xe9")).output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {words}");
        let expected = format!("caf\u{fffd} is not UTF-8\nusage: {name} ");
        assert!(words.starts_with(&expected), "{name}: {words}");
        assert!(output.stdout.is_empty(), "{name}");
    }
}
