//! The results as a table for the terminal.

use super::results::{Results, Row};
use crate::scenario::{Load, Scenario};

pub(super) fn render(results: &Results) -> String {
    let mut text = format!(
        "{}
{}
",
        results.machine,
        results.extent()
    );
    let versions: Vec<_> = results
        .versions
        .iter()
        .map(|(server, version)| format!("{server} ({version})"))
        .collect();
    text += &format!("{}\n", versions.join(", "));
    for skipped in &results.skipped {
        text += &format!("{skipped}\n");
    }
    let mut shown = "";
    for row in &results.rows {
        let Some(scenario) = Scenario::by_name(&row.scenario) else {
            continue;
        };
        if shown != scenario.name {
            shown = scenario.name;
            text += &heading(scenario);
        }
        text += &line(row);
    }
    text
}

fn heading(scenario: &Scenario) -> String {
    let ratio = format!("/ {}", scenario.reference);
    let costs = format!(
        "{:<14}{:>9}{:>9}{:>9}{:>9}{ratio:>15}",
        "", "min", "fast", "median", "max"
    );
    let (title, name, unit) = (scenario.title, scenario.name, scenario.unit());
    match scenario.load {
        Load::Memory => {
            format!("\n{title} ({name}): bytes of the server's own memory for each\n{costs}\n")
        }
        Load::Echo { .. } | Load::Churn { .. } | Load::Bulk => {
            let rate = format!("{unit}/s");
            format!(
                "\n{title} ({name}): microseconds of the server's CPU for each {unit}\n\
                 {costs}{rate:>14}{:>10}{:>10}\n",
                "p50 us", "p99 us"
            )
        }
    }
}

fn line(row: &Row) -> String {
    let mut line = format!("{:<14}", row.server);
    if let Some(cost) = row.cost {
        for value in [cost.min, cost.fast, cost.median, cost.max] {
            line += &format!("{:>9}", number(Some(value)));
        }
        line += &format!("{:>15}", number(row.ratio));
    }
    if let Some(rate) = row.messages_a_second {
        line += &format!("{:>14}", number(Some(rate)));
        line += &format!(
            "{:>10}{:>10}",
            number(row.p50_micros),
            number(row.p99_micros)
        );
    }
    if let Some(why) = &row.failed {
        line += &format!("  failed: {why}");
    }
    line + "\n"
}

/// Three digits, or all before the point, in groups.
pub(super) fn number(value: Option<f64>) -> String {
    match value {
        None => "-".to_string(),
        Some(value) if value.abs() < 9.995 => format!("{value:.2}"),
        Some(value) if value.abs() < 99.95 => format!("{value:.1}"),
        Some(value) => grouped(value.round() as i64),
    }
}

fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::example;
    use super::*;

    #[test]
    fn a_table_shows_every_row_under_its_scenario() {
        let table = render(&example());
        let lines: Vec<&str> = table.lines().collect();
        let at = |start: &str| {
            lines
                .iter()
                .position(|line| line.starts_with(start))
                .unwrap_or_else(|| panic!("{table}"))
        };
        let c50 = at("50 connections (c50): microseconds");
        assert_eq!(
            lines[c50 + 2].split_whitespace().collect::<Vec<_>>(),
            [
                "netloop", "6.00", "6.00", "6.00", "9.00", "1.50", "100,000", "7,500", "-"
            ]
        );
        assert_eq!(lines[c50 + 4], "libuv           failed: closed");
        assert!(at("memory, idle connection") > c50);
        assert!(table.contains("c10000 is skipped"));
    }

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0.0, "0.00"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (99.94, "99.9"),
            (99.96, "100"),
            (999.6, "1,000"),
            (1_234_567.0, "1,234,567"),
            (-1234.0, "-1,234"),
        ] {
            assert_eq!(number(Some(value)), text);
        }
        assert_eq!(number(None), "-");
    }
}
