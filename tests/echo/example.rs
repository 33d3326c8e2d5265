//! The example under its name.

use crate::support::example::Example;

/// Starts it on a free port of 127.0.0.1.
pub(crate) fn start() -> Example {
    start_with(&["0"])
}

pub(crate) fn start_with(arguments: &[&str]) -> Example {
    Example::start("echo", arguments)
}

/// Starts one that should refuse its arguments; answers with its exit code and its last words.
pub(crate) fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    Example::refused("echo", arguments)
}
