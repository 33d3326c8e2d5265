//! A report as JSON: all of it, and the only form that can be read again.

use super::{Report, VERSION};
use std::path::Path;

pub(crate) fn write(report: &Report) -> String {
    // Maps have strings as keys, and numbers that are none (NaN) become null: nothing can fail.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

/// # Errors
///
/// In words, with the name of the file.
pub(crate) fn read(file: &Path) -> Result<Report, String> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()));
    parse(&text?).map_err(|error| format!("{}: {error}", file.display()))
}

fn parse(text: &str) -> Result<Report, String> {
    let report: Report = serde_json::from_str(text)
        .map_err(|error| format!("no report of --output json ({error})"))?;
    if report.loadgen != VERSION {
        return Err(format!(
            "a report of form {}, this program reads {VERSION}",
            report.loadgen
        ));
    }
    let seconds = report.intervals.seconds;
    match seconds > 0.0 {
        true => Ok(report),
        false => Err(format!("no interval is {seconds} seconds long")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_report_is_told_with_the_reason() {
        for text in ["", "{}", "[1]", "{\"loadgen\":1}", "no"] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("no report of --output json ("), "{error}");
        }
        let error = read(Path::new("/nowhere/old.json")).unwrap_err();
        assert!(error.starts_with("/nowhere/old.json: "), "{error}");
    }
}
