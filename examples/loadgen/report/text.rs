//! A report as a page of text, with those it is compared to.

use super::{Distribution, Report};
use std::collections::BTreeMap;
use std::fmt::Write;

pub(crate) fn write(report: &Report, others: &[Report]) -> String {
    let mut text = String::new();
    // Writing into a string never fails.
    let _ = lines(&mut text, report);
    if !others.is_empty() {
        let _ = comparison(&mut text, report, others);
    }
    text
}

fn lines(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out, "{}: {}", report.title, report.load())?;
    let early = if report.interrupted {
        ", ended early"
    } else {
        ""
    };
    writeln!(
        out,
        "measured {:.3} s after {} s of warm-up{early}\n",
        report.seconds, report.settings.warmup_seconds
    )?;
    for warning in &report.generator.warnings {
        writeln!(out, "WARNING: {warning}")?;
    }
    if !report.generator.warnings.is_empty() {
        writeln!(out)?;
    }

    let requests = &report.requests;
    let nil = match requests.nil {
        0 => String::new(),
        nil => format!(", {} of them nil: no such key", grouped(nil)),
    };
    writeln!(
        out,
        "requests     {} sent, {} answered{nil}",
        grouped(requests.sent),
        grouped(requests.answered)
    )?;
    writeln!(out, "errors       {}", kinds(&requests.errors))?;
    writeln!(
        out,
        "rate         {} answers/s, {:.2} MB/s out, {:.2} MB/s in",
        grouped(report.rate.round() as u64),
        report.megabytes_sent(),
        report.megabytes_received()
    )?;
    let connections = &report.connections;
    writeln!(
        out,
        "connections  {} opened, {} of them again, {} closed by the peer, failed: {}\n",
        grouped(connections.opened),
        grouped(connections.reconnects),
        grouped(connections.closed_by_peer),
        kinds(&connections.failed)
    )?;
    latencies(out, report)?;
    generator(out, report)
}

fn latencies(out: &mut String, report: &Report) -> std::fmt::Result {
    write!(out, "{:<14}", "")?;
    for name in ["p50", "p75", "p90", "p99", "p99.9", "p99.99", "max", "mean"] {
        write!(out, "{name:>10}")?;
    }
    writeln!(out)?;
    let due = match report.service {
        Some(_) => "from due",
        None => "latency",
    };
    distribution(out, due, Some(&report.latency))?;
    distribution(out, "from sent", report.service.as_ref())?;
    distribution(out, "connect", Some(&report.connect))?;
    let generator = &report.generator;
    distribution(out, "sent late", generator.send_lateness.as_ref())?;
    distribution(out, "held back", generator.held_back.as_ref())?;
    distribution(out, "turn lag", Some(&generator.turn_lag))
}

/// A line of the table, if there is anything to tell.
fn distribution(out: &mut String, name: &str, it: Option<&Distribution>) -> std::fmt::Result {
    let Some(it) = it.filter(|it| it.count > 0) else {
        return Ok(());
    };
    write!(out, "{name:<14}")?;
    for micros in [
        it.p50, it.p75, it.p90, it.p99, it.p99_9, it.p99_99, it.max, it.mean,
    ] {
        write!(out, "{:>10}", time(micros))?;
    }
    writeln!(out)
}

fn generator(out: &mut String, report: &Report) -> std::fmt::Result {
    let it = &report.generator;
    write!(out, "\ngenerator    ")?;
    match (it.busy, it.waited_for_core) {
        (Some(busy), Some(waited)) => write!(
            out,
            "{:.0} % of a core busy, {:.0} % spinning, waited for it {:.1} % of the time",
            busy * 100.0,
            it.spun * 100.0,
            waited * 100.0
        )?,
        _ => write!(out, "use of its core not known on this system")?,
    }
    if report.requests.answered > 0 && it.spun < 0.01 {
        let each = it.syscalls as f64 / report.requests.answered as f64;
        write!(out, ", {each:.2} system calls a request")?;
    }
    writeln!(out)
}

/// The runs side by side; ratios are to the one that has just been made.
fn comparison(out: &mut String, report: &Report, others: &[Report]) -> std::fmt::Result {
    writeln!(
        out,
        "\n{:<24}{:>12}{:>8}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "", "answers/s", "ratio", "p50", "p99", "p99.9", "max", "errors"
    )?;
    for it in std::iter::once(report).chain(others) {
        let title: String = it.title.chars().take(23).collect();
        let ratio = match report.rate > 0.0 {
            true => format!("{:.2}", it.rate / report.rate),
            false => "-".to_string(),
        };
        writeln!(
            out,
            "{title:<24}{:>12}{ratio:>8}{:>10}{:>10}{:>10}{:>10}{:>10}",
            grouped(it.rate.round() as u64),
            time(it.latency.p50),
            time(it.latency.p99),
            time(it.latency.p99_9),
            time(it.latency.max),
            grouped(it.errors())
        )?;
    }
    Ok(())
}

/// `3 timeout, 1 closed`, or `none`.
fn kinds(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "none".to_string();
    }
    let kinds = counts
        .iter()
        .map(|(kind, count)| format!("{} {kind}", grouped(*count)));
    kinds.collect::<Vec<_>>().join(", ")
}

/// Three digits and a unit.
pub(crate) fn time(micros: f64) -> String {
    let (value, unit) = match micros {
        ..1e3 => (micros, "µs"),
        ..1e6 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    match value {
        ..10.0 => format!("{value:.2}{unit}"),
        ..100.0 => format!("{value:.1}{unit}"),
        _ => format!("{value:.0}{unit}"),
    }
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        for (micros, text) in [
            (0.0, "0.00µs"),
            (1.234, "1.23µs"),
            (56.78, "56.8µs"),
            (999.0, "999µs"),
            (1234.0, "1.23ms"),
            (45_678.0, "45.7ms"),
            (2_000_000.0, "2.00s"),
        ] {
            assert_eq!(time(micros), text);
        }
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
