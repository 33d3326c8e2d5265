//! What an example tells whoever has started it.
//!
//! Nobody may be there to hear it: a pipe whose reader has gone, a disk that is full. That ends no server,
//! where `println!` and `eprintln!` would panic.

use std::fmt::Display;
use std::io::{self, Write};

/// A line for stdout.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A line for stderr.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
