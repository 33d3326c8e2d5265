//! A bar on the terminal while the load runs.
//!
//! Drawn by a timer of the loop, a few times a second, and only if standard error is a terminal.
//! Drawing takes some fifty microseconds, which the answers that come meanwhile wait: whoever wants the
//! last of nines sends standard error elsewhere.

use crate::report::text::{grouped, time};
use crate::run::{Phase, Run, Shared};
use indicatif::{ProgressBar, ProgressStyle};
use netloop::Net;
use std::io::IsTerminal;
use std::time::Duration;

const PERIOD: Duration = Duration::from_millis(250);
const STEPS: u64 = 1000;

/// Draws until the bar that it answers with is cleared.
pub(crate) fn begin(net: &mut Net, run: &Shared) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::new(STEPS);
    if let Ok(style) = ProgressStyle::with_template("{prefix:>8} {bar:32} {msg}") {
        bar.set_style(style);
    }
    let (drawn, run) = (bar.clone(), run.clone());
    let timer = net.set_interval(PERIOD, move |_| draw(&drawn, &mut run.borrow_mut()));
    net.unref_timer(timer);
    Some(bar)
}

fn draw(bar: &ProgressBar, run: &mut Run) {
    let now = run.clock.now();
    run.measure.turn_rows(now); // a server that is silent shows as one that answers nothing
    let (prefix, part, whole) = match run.phase {
        Phase::Ramp => (
            "opening",
            run.measure.opened as f64,
            run.arguments.connections as f64,
        ),
        Phase::WarmUp => ("warm-up", 0.0, 1.0),
        Phase::Measure => (
            "measure",
            run.measure.so_far(now) as f64 / 1e9,
            run.arguments.duration.as_secs_f64(),
        ),
        Phase::Drain | Phase::Over => ("waiting", 1.0, 1.0),
    };
    bar.set_prefix(prefix);
    bar.set_position((part / whole * STEPS as f64) as u64);
    bar.set_message(message(run));
}

/// The last interval in a few words.
fn message(run: &Run) -> String {
    let (measure, errors) = (&run.measure, run.measure.errors.values().sum::<u64>());
    let Some(row) = measure.rows.last() else {
        return format!("{} connections", grouped(measure.open as u64));
    };
    let rate = row.answers as f64 * 1e9 / measure.interval as f64;
    format!(
        "{} answers/s, p99 {}, {} errors, {} connections",
        grouped(rate as u64),
        time(row.p99 as f64 / 1e3),
        grouped(errors),
        grouped(measure.open as u64)
    )
}
