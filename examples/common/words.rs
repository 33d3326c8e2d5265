//! The words of the command line.

use std::env;

/// All but the program's own name.
///
/// # Errors
///
/// For a word that is no text: the system allows such ones, and `std::env::args` would panic.
pub(crate) fn words() -> Result<Vec<String>, String> {
    let text = |word: std::ffi::OsString| {
        word.into_string()
            .map_err(|word| format!("{} is not UTF-8", word.display()))
    };
    env::args_os().skip(1).map(text).collect()
}
