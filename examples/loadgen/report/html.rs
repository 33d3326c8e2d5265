//! A report as one page that needs nothing else: no script, no font, no picture from outside.
//!
//! Up to six runs, each with a colour of its own, in a table and in plots over percentiles and over
//! time. Light or dark is as the reader's system has it.

use super::plot::{Axis, Line, Scale, escape, most, svg};
use super::text::{self, grouped, time};
use super::{Intervals, Report};
use std::fmt::Write;

/// As many runs as there are colours that can be told apart.
pub(crate) const MOST_RUNS: usize = 6;

const STYLE: &str = include_str!("style.css");

pub(crate) fn write(report: &Report, others: &[Report]) -> String {
    let runs: Vec<&Report> = std::iter::once(report).chain(others).collect();
    let mut out = String::new();
    // Writing into a string never fails.
    let _ = page(&mut out, &runs);
    out
}

fn page(out: &mut String, runs: &[&Report]) -> std::fmt::Result {
    let report = runs[0];
    let title = escape(&report.title);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<p class=\"load\">{}</p>",
        escape(&report.load())
    )?;
    for run in runs {
        for warning in &run.generator.warnings {
            writeln!(
                out,
                "<p class=\"warning\"><b>{}:</b> {}</p>",
                escape(&run.title),
                escape(warning)
            )?;
        }
    }
    table(out, runs)?;
    plots(out, runs)?;
    for run in runs {
        writeln!(
            out,
            "<details><summary>{}</summary><pre>{}</pre></details>",
            escape(&run.title),
            escape(&text::write(run, &[]))
        )?;
    }
    writeln!(out, "</main>\n</body>\n</html>")
}

fn table(out: &mut String, runs: &[&Report]) -> std::fmt::Result {
    write!(out, "<div class=\"wide\"><table>\n<tr><th>run</th>")?;
    for head in [
        "answers/s",
        "ratio",
        "MB/s in",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "errors",
        "busy",
    ] {
        write!(out, "<th>{head}</th>")?;
    }
    writeln!(out, "</tr>")?;
    for (colour, run) in runs.iter().enumerate() {
        let ratio = match runs[0].rate > 0.0 {
            true => format!("{:.2}", run.rate / runs[0].rate),
            false => "–".to_string(),
        };
        let busy = run.generator.busy;
        write!(
            out,
            "<tr><td><i class=\"c{colour}\"></i>{}</td>",
            escape(&run.title)
        )?;
        for cell in [
            grouped(run.rate.round() as u64),
            ratio,
            format!("{:.1}", run.megabytes_received()),
            time(run.latency.p50),
            time(run.latency.p90),
            time(run.latency.p99),
            time(run.latency.p99_9),
            time(run.latency.max),
            grouped(run.errors()),
            busy.map_or("–".to_string(), |busy| format!("{:.0} %", busy * 100.0)),
        ] {
            write!(out, "<td>{cell}</td>")?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</table></div>")
}

fn plots(out: &mut String, runs: &[&Report]) -> std::fmt::Result {
    let has_latency = runs.iter().any(|run| run.latency.count > 0);
    if has_latency {
        let note = match runs.iter().any(|run| run.service.is_some()) {
            true => "thick: from when a request was due; thin: from when it was sent",
            false => "from when a request was sent",
        };
        figure(out, runs, "Latency by percentile", note, &percentiles(runs))?;
        over_time(out, runs, "Answers a second", |run, nth| {
            run.answers[nth] as f64 / run.seconds
        })?;
    }
    if runs.iter().any(|run| run.settings.mode == "bulk") {
        over_time(out, runs, "Received, MB/s", |run, nth| {
            run.bytes_received[nth] as f64 / 1e6 / run.seconds
        })?;
    }
    if has_latency {
        let mut both = lines(runs, |run, nth| run.max[nth], true);
        both.extend(lines(runs, |run, nth| run.p99[nth], false));
        let svg = latency_over_time(&both);
        let note = "thick: 99 of 100 were not slower; thin: the slowest";
        figure(out, runs, "Latency over time", note, &svg)?;
    }
    if runs.iter().any(|run| run.errors() > 0) {
        over_time(out, runs, "Errors a second", |run, nth| {
            run.errors[nth] as f64 / run.seconds
        })?;
    }
    // Connections that stay as many as they were are no picture.
    let changes = |run: &&&Report| {
        let mut open = run.intervals.open_connections.windows(2);
        open.any(|pair| pair[0] != pair[1])
    };
    if runs.iter().any(|run| changes(&run)) {
        over_time(out, runs, "Open connections", |run, nth| {
            run.open_connections[nth] as f64
        })?;
    }
    Ok(())
}

/// A figure of each interval.
type Column = fn(&Intervals, usize) -> f64;

fn over_time(out: &mut String, runs: &[&Report], title: &str, column: Column) -> std::fmt::Result {
    let lines = lines(runs, column, false);
    figure(out, runs, title, "", &linear_over_time(title, &lines))
}

/// A plot under its title, and which colour is whose.
fn figure(
    out: &mut String,
    runs: &[&Report],
    title: &str,
    note: &str,
    svg: &str,
) -> std::fmt::Result {
    writeln!(
        out,
        "<figure><figcaption><b>{title}</b> {note}</figcaption>"
    )?;
    if runs.len() > 1 {
        write!(out, "<p class=\"legend\">")?;
        for (colour, run) in runs.iter().enumerate() {
            let title = escape(&run.title);
            write!(out, "<span><i class=\"c{colour}\"></i>{title}</span> ")?;
        }
        writeln!(out, "</p>")?;
    }
    writeln!(out, "{svg}</figure>")
}

/// The further to the right, the rarer: each nine has the same width. A share p stands at 1/(1-p).
fn percentiles(runs: &[&Report]) -> String {
    let rareness = |share: f64| 1.0 / (1.0 - share);
    let mut lines = Vec::new();
    for (colour, run) in runs.iter().enumerate() {
        let sent = run.service.as_ref().map(|it| (it, true));
        for (distribution, is_minor) in sent.into_iter().chain([(&run.latency, false)]) {
            let curve = distribution.curve.iter();
            lines.push(Line {
                name: run.title.clone(),
                colour: colour % MOST_RUNS,
                is_minor,
                points: curve.map(|(share, it)| (rareness(*share), *it)).collect(),
            });
        }
    }
    let points = || lines.iter().flat_map(|line| &line.points);
    let rarest = most(points().map(|it| it.0), 10.0);
    let x = Axis {
        scale: Scale::Logarithmic {
            from: 1.0,
            to: rarest,
        },
        ticks: [
            (1.0, "0 %"),
            (2.0, "50 %"),
            (10.0, "90 %"),
            (100.0, "99 %"),
            (1e3, "99.9 %"),
            (1e4, "99.99 %"),
            (1e5, "99.999 %"),
            (1e6, "99.9999 %"),
            (1e7, "99.99999 %"),
        ]
        .into_iter()
        .filter(|(at, _)| *at <= rarest)
        .map(|(at, text)| (at, text.to_string()))
        .collect(),
        label: "share of requests that took no longer",
    };
    let y = Axis::new(Scale::around(points().map(|it| it.1)), "", short_time);
    svg("Latency by percentile", &x, &y, &lines)
}

fn linear_over_time(title: &str, lines: &[Line]) -> String {
    let values = lines.iter().flat_map(|line| &line.points).map(|it| it.1);
    let y = Axis::new(Scale::from_zero(values), "", short_number);
    svg(title, &seconds(lines), &y, lines)
}

fn latency_over_time(lines: &[Line]) -> String {
    let values = lines.iter().flat_map(|line| &line.points).map(|it| it.1);
    let y = Axis::new(Scale::around(values), "", short_time);
    svg("Latency over time", &seconds(lines), &y, lines)
}

fn seconds(lines: &[Line]) -> Axis {
    let times = lines.iter().flat_map(|line| &line.points).map(|it| it.0);
    let to = most(times, 0.1);
    let whole = Scale::Linear { from: 0.0, to };
    let mut axis = Axis::new(whole, "seconds", short_number);
    axis.ticks.retain(|(at, _)| *at <= to);
    axis
}

/// A line for each run: a figure of each interval, at the interval's end.
fn lines(runs: &[&Report], column: Column, is_minor: bool) -> Vec<Line> {
    let line = |(colour, run): (usize, &&Report)| {
        let it = &run.intervals;
        Line {
            name: run.title.clone(),
            colour: colour % MOST_RUNS,
            is_minor,
            points: (0..it.rows())
                .map(|nth| ((nth + 1) as f64 * it.seconds, column(it, nth)))
                .collect(),
        }
    };
    runs.iter().enumerate().map(line).collect()
}

impl Intervals {
    /// How many there are in every column, in a report that came from a file too. The last one is left
    /// out: it may be shorter than the others.
    fn rows(&self) -> usize {
        let lengths = [
            self.answers.len(),
            self.errors.len(),
            self.bytes_received.len(),
            self.open_connections.len(),
            self.p99.len(),
            self.max.len(),
        ];
        let rows = lengths.into_iter().min().unwrap_or(0);
        if rows > 1 { rows - 1 } else { rows }
    }
}

/// A round number of microseconds.
fn short_time(micros: f64) -> String {
    match micros {
        ..1e3 => format!("{} µs", short(micros)),
        ..1e6 => format!("{} ms", short(micros / 1e3)),
        _ => format!("{} s", short(micros / 1e6)),
    }
}

fn short_number(number: f64) -> String {
    match number {
        ..1e4 => short(number),
        ..1e6 => format!("{} k", short(number / 1e3)),
        _ => format!("{} M", short(number / 1e6)),
    }
}

/// Without the digits that a floating-point number has beyond its round ones.
fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        for (text, expected) in [
            (short_time(0.5), "0.5 µs"),
            (short_time(200.0), "200 µs"),
            (short_time(5000.0), "5 ms"),
            (short_time(2e6), "2 s"),
            (short_number(0.0), "0"),
            (short_number(0.30000000000000004), "0.3"),
            (short_number(150_000.0), "150 k"),
            (short_number(2_500_000.0), "2.5 M"),
        ] {
            assert_eq!(text, expected);
        }
    }
}
