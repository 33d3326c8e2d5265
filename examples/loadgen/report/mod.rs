//! A run in figures: the form in which it is kept, shown and compared.
//!
//! Made once, at the end. What `json` writes is what `--compare` reads again; the text and the page are
//! views of it.

pub(crate) mod html;
pub(crate) mod json;
mod plot;
pub(crate) mod text;

use crate::cost::{Cost, Cpu};
use crate::measure::{Measure, Row};
use crate::pace::Nanos;
use crate::run::Run;
use crate::verdict;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// The form below. A report of another one is not read.
pub(crate) const VERSION: u32 = 1;

/// Times are microseconds unless their names say otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) loadgen: u32,
    pub(crate) title: String,
    /// Seconds since 1970.
    pub(crate) finished_at: u64,
    pub(crate) settings: Settings,
    /// How long the window really was.
    pub(crate) seconds: f64,
    /// Ended early, by Ctrl-C.
    pub(crate) interrupted: bool,
    pub(crate) requests: Requests,
    /// Answers a second within the window.
    pub(crate) rate: f64,
    pub(crate) bytes: Bytes,
    pub(crate) connections: Connections,
    /// From when a request was due until its answer.
    pub(crate) latency: Distribution,
    /// Of a schedule only: from when it was sent until its answer.
    pub(crate) service: Option<Distribution>,
    /// How long connecting took: of a churn's window, or in other modes of the whole run.
    pub(crate) connect: Distribution,
    pub(crate) generator: Generator,
    pub(crate) intervals: Intervals,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) mode: String,
    pub(crate) protocol: String,
    pub(crate) address: String,
    pub(crate) connections: usize,
    pub(crate) pipeline: usize,
    /// Bytes of a request.
    pub(crate) request_bytes: usize,
    /// Requests a second that were asked for.
    pub(crate) rate: Option<f64>,
    pub(crate) duration_seconds: f64,
    pub(crate) warmup_seconds: f64,
    pub(crate) timeout_seconds: f64,
}

/// Requests that were due in the window. What was sent was answered, or is among the errors; refusals
/// are both.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Requests {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    /// Answers of Redis that said that there is no such key. A server does less for one than for a value.
    #[serde(default)]
    pub(crate) nil: u64,
    pub(crate) errors: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bytes {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// Of the whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Connections {
    pub(crate) opened: u64,
    pub(crate) reconnects: u64,
    /// Those that it has ended, or has said that it would, as HTTP does in the last answer.
    pub(crate) closed_by_peer: u64,
    pub(crate) failed: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Distribution {
    pub(crate) count: u64,
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p75: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) p99_99: f64,
    pub(crate) max: f64,
    /// Pairs of a share from 0 to 1 and the time that so many do not exceed: dense towards 1, as far
    /// as there are values.
    pub(crate) curve: Vec<(f64, f64)>,
}

/// What the generator did itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Generator {
    /// Share of a core, from 0 to 1, without spinning, or more rather than less. Not known on every system.
    pub(crate) busy: Option<f64>,
    /// Share of the time in which it waited for a core that somebody else had.
    pub(crate) waited_for_core: Option<f64>,
    /// Share of the time in which it turned without sleeping, to be there when a request is due.
    pub(crate) spun: f64,
    pub(crate) syscalls: u64,
    pub(crate) turns: u64,
    /// From the poll to the reading of an answer.
    pub(crate) turn_lag: Distribution,
    /// Of a schedule only: how late requests left although a connection was free. Of all requests: one
    /// that was held back instead was not late.
    pub(crate) send_lateness: Option<Distribution>,
    /// Of a schedule only: how late requests left that had to wait for a connection.
    pub(crate) held_back: Option<Distribution>,
    /// Why the figures are the generator's and not the server's. None is as it should be.
    pub(crate) warnings: Vec<String>,
}

/// The course of the window. All columns are of the same length; the last interval may be shorter than
/// the others.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Intervals {
    pub(crate) seconds: f64,
    pub(crate) answers: Vec<u64>,
    pub(crate) errors: Vec<u64>,
    pub(crate) bytes_sent: Vec<u64>,
    pub(crate) bytes_received: Vec<u64>,
    pub(crate) open_connections: Vec<usize>,
    pub(crate) p50: Vec<f64>,
    pub(crate) p99: Vec<f64>,
    pub(crate) max: Vec<f64>,
}

impl Report {
    pub(crate) fn of(run: &Run) -> Report {
        let (arguments, measure) = (&run.arguments, &run.measure);
        let seconds = measure.window() as f64 / 1e9;
        let latency = Distribution::of(&measure.latency);
        let paced = run.is_paced();
        let mut generator = generator(measure, &run.cost, paced);
        generator.warnings = verdict::warnings(&generator, &latency);
        let (failed, asked) = (&measure.connect_errors, arguments.connections);
        let lacks = run.limits.warnings(failed, asked, measure.most_open);
        generator.warnings.extend(lacks);
        let title = arguments.title.clone();
        Report {
            loadgen: VERSION,
            title: title.unwrap_or_else(|| arguments.mode.name().to_string()),
            finished_at: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            settings: settings(run),
            seconds,
            interrupted: run.interrupted,
            requests: Requests {
                sent: measure.sent,
                answered: measure.answered,
                nil: measure.nils,
                errors: measure.errors.clone(),
            },
            rate: per_second(measure.arrivals as f64, seconds),
            bytes: Bytes {
                sent: measure.bytes_sent,
                received: measure.bytes_received,
            },
            connections: Connections {
                opened: measure.opened,
                reconnects: measure.reconnects,
                closed_by_peer: measure.closed_by_peer,
                failed: measure.connect_errors.clone(),
            },
            latency,
            service: paced.then(|| Distribution::of(&measure.service)),
            connect: Distribution::of(&measure.connect),
            generator,
            intervals: intervals(measure.interval, &measure.rows),
        }
    }

    /// Requests without a proper answer.
    pub(crate) fn errors(&self) -> u64 {
        self.requests.errors.values().sum()
    }

    pub(crate) fn megabytes_sent(&self) -> f64 {
        per_second(self.bytes.sent as f64 / 1e6, self.seconds)
    }

    pub(crate) fn megabytes_received(&self) -> f64 {
        per_second(self.bytes.received as f64 / 1e6, self.seconds)
    }

    /// The load in a line: what was done to whom, and how.
    pub(crate) fn load(&self) -> String {
        let it = &self.settings;
        let rate = it.rate.map(|rate| format!(", {rate} a second"));
        let pipeline = (it.pipeline > 1).then(|| format!(", {} pipelined", it.pipeline));
        format!(
            "{} {} at {}: {} connections{}{}, {} bytes a request",
            it.mode,
            it.protocol,
            it.address,
            it.connections,
            pipeline.unwrap_or_default(),
            rate.unwrap_or_default(),
            it.request_bytes,
        )
    }
}

fn settings(run: &Run) -> Settings {
    let it = &run.arguments;
    Settings {
        mode: it.mode.name().to_string(),
        protocol: it.protocol.name().to_string(),
        address: it.address.clone(),
        connections: it.connections,
        pipeline: it.pipeline,
        request_bytes: run.request_bytes(),
        rate: it.rate,
        duration_seconds: it.duration.as_secs_f64(),
        warmup_seconds: it.warmup.as_secs_f64(),
        timeout_seconds: it.timeout.as_secs_f64(),
    }
}

fn generator(measure: &Measure, cost: &Cost, paced: bool) -> Generator {
    let window = measure.window() as f64;
    let share = |nanos: Nanos| per_second(nanos as f64, window);
    Generator {
        busy: cost
            .cpu
            .map(|cpu| share(cpu.used.saturating_sub(spun_cpu(cost.spun, cpu)))),
        waited_for_core: cost.cpu.map(|cpu| share(cpu.waited)),
        spun: share(cost.spun),
        syscalls: cost.syscalls,
        turns: cost.turns,
        turn_lag: Distribution::of(&measure.turn_lag),
        send_lateness: paced.then(|| Distribution::of(&measure.late)),
        held_back: paced.then(|| Distribution::of(&measure.held_back)),
        warnings: Vec::new(),
    }
}

/// How much of the core's time was spinning, at least. Spinning is timed by the clock on the wall, and
/// so contains what the generator waited for its core meanwhile. Nobody knows how much of the waiting that
/// was; all of it is assumed, so that the generator is never called less busy than it was.
fn spun_cpu(spun: Nanos, cpu: Cpu) -> Nanos {
    spun.saturating_sub(cpu.waited)
}

fn per_second(amount: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

impl Distribution {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Distribution {
        if histogram.is_empty() {
            return Distribution::default();
        }
        let max = histogram.max();
        // The histogram answers with the upper end of a bucket, which may lie above all values.
        let at = |share: f64| micros(histogram.value_at_quantile(share).min(max));
        Distribution {
            count: histogram.len(),
            mean: micros(1) * histogram.mean(),
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: micros(max),
            curve: shares(histogram.len())
                .map(|share| (share, at(share)))
                .collect(),
        }
    }
}

/// Shares at which a curve has its points: ten for each further nine, until less than one value
/// would be left.
fn shares(count: u64) -> impl Iterator<Item = f64> {
    let points = (0..).map(|tenth| 1.0 - 10f64.powf(-f64::from(tenth) / 10.0));
    let last = 1.0 - 1.0 / count as f64;
    points.take_while(move |share| *share < last).chain([last])
}

fn intervals(length: Nanos, rows: &[Row]) -> Intervals {
    Intervals {
        seconds: length as f64 / 1e9,
        answers: rows.iter().map(|row| row.answers).collect(),
        errors: rows.iter().map(|row| row.errors).collect(),
        bytes_sent: rows.iter().map(|row| row.bytes_sent).collect(),
        bytes_received: rows.iter().map(|row| row.bytes_received).collect(),
        open_connections: rows.iter().map(|row| row.open).collect(),
        p50: rows.iter().map(|row| micros(row.p50)).collect(),
        p99: rows.iter().map(|row| micros(row.p99)).collect(),
        max: rows.iter().map(|row| micros(row.max)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut histogram = Histogram::new_with_bounds(100, 1_000_000_000, 3).unwrap();
        for micros in 1..=10_000u64 {
            histogram.record(micros * 1000).unwrap();
        }
        let it = Distribution::of(&histogram);
        assert_eq!(it.count, 10_000);
        for (got, expected) in [
            (it.mean, 5000.5),
            (it.p50, 5000.0),
            (it.p75, 7500.0),
            (it.p90, 9000.0),
            (it.p99, 9900.0),
            (it.p99_9, 9990.0),
            (it.p99_99, 9999.0),
            (it.max, 10_000.0),
        ] {
            assert!((got / expected - 1.0).abs() < 0.001, "{got} for {expected}");
        }
    }

    #[test]
    fn a_curve_rises_and_ends_where_the_values_do() {
        let mut histogram = Histogram::new_with_bounds(100, 1_000_000_000, 3).unwrap();
        for micros in 1..=5000u64 {
            histogram.record(micros * 1000).unwrap();
        }
        let curve = Distribution::of(&histogram).curve;
        assert_eq!(curve[0].0, 0.0);
        assert_eq!(curve.last().unwrap().0, 1.0 - 1.0 / 5000.0);
        assert!(curve.len() < 45, "{} points", curve.len());
        for pair in curve.windows(2) {
            assert!(pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1, "{pair:?}");
        }
    }

    #[test]
    fn nothing_measured_is_all_zero() {
        let histogram = Histogram::new_with_bounds(100, 1_000_000_000, 3).unwrap();
        let it = Distribution::of(&histogram);
        assert_eq!((it.count, it.max, it.curve.len()), (0, 0.0, 0));
        assert_eq!(per_second(5.0, 0.0), 0.0);
    }

    #[test]
    fn waiting_for_the_core_while_it_spun_makes_no_generator_less_busy() {
        let mut measure = Measure::new();
        measure.begin(0, 1000);
        measure.end(1000);
        // It had the core for half of the time, and spun on the wall for six tenths.
        let cost = |waited| Cost {
            cpu: Some(Cpu { used: 500, waited }),
            spun: 600,
            ..Cost::default()
        };
        assert_eq!(generator(&measure, &cost(500), true).busy, Some(0.4));
        assert_eq!(generator(&measure, &cost(200), true).busy, Some(0.1));
        assert_eq!(generator(&measure, &cost(0), true).busy, Some(0.0));
    }

    #[test]
    fn one_value_has_one_point() {
        assert_eq!(shares(1).collect::<Vec<_>>(), [0.0]);
    }
}
