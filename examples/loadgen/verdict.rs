//! Whether the figures are the server's or the generator's own.
//!
//! A generator that can't keep up measures itself, and the worst that it can do is to say nothing. The
//! limits here are set so that a warning means something, not so that none is ever given.

use crate::report::text::time;
use crate::report::{Distribution, Generator};

/// Share of a core beyond which there is no telling what the server could have done.
const BUSY: f64 = 0.9;
/// Share of the time for which somebody else had the core.
const WAITED: f64 = 0.05;
/// Share of a latency that may be the generator's lateness in sending.
const LATE_SHARE: f64 = 0.5;
/// Share of the median latency that an answer may lie about in the generator.
const LAG_SHARE: f64 = 0.5;

pub(crate) fn warnings(generator: &Generator, latency: &Distribution) -> Vec<String> {
    let mut warnings = Vec::new();
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    if let Some(busy) = generator.busy.filter(|busy| *busy >= BUSY) {
        warnings.push(format!(
            "the generator was busy for {} of the time: the rate is what it can send, not what the \
             server can answer",
            percent(busy)
        ));
    }
    if let Some(waited) = generator.waited_for_core.filter(|it| *it >= WAITED) {
        warnings.push(format!(
            "the generator waited for a core for {} of the time, because something else ran on it: \
             the latencies contain that",
            percent(waited)
        ));
    }
    warnings.extend(lateness(generator, latency));
    let lag = generator.turn_lag.p50;
    if latency.count > 0 && lag > latency.p50 * LAG_SHARE {
        warnings.push(format!(
            "half of the answers lay in the generator for {lag:.0} µs or more before it read them, of \
             {:.0} µs of latency",
            latency.p50
        ));
    }
    warnings
}

/// The first percentile that is more the generator's than the server's. Beyond p99.9 every machine that
/// does anything else has one.
fn lateness(generator: &Generator, latency: &Distribution) -> Option<String> {
    let late = generator.send_lateness.as_ref()?;
    let percentiles = [
        ("p50", late.p50, latency.p50),
        ("p90", late.p90, latency.p90),
        ("p99", late.p99, latency.p99),
        ("p99.9", late.p99_9, latency.p99_9),
    ];
    let (name, late, latency) = percentiles
        .into_iter()
        .find(|(_, late, latency)| *late > latency * LATE_SHARE)?;
    Some(format!(
        "from {name} on, latencies are for the greater part that requests left late although a \
         connection was free ({} of {})",
        time(late),
        time(latency)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generator() -> Generator {
        Generator {
            busy: Some(0.5),
            waited_for_core: Some(0.001),
            spun: 0.4,
            syscalls: 1,
            turns: 1,
            turn_lag: Distribution::default(),
            send_lateness: Some(Distribution::default()),
            held_back: None,
            warnings: Vec::new(),
        }
    }

    fn late() -> Distribution {
        Distribution {
            count: 1,
            p50: 0.2,
            p90: 0.5,
            p99: 2500.0,
            p99_9: 9000.0,
            ..Distribution::default()
        }
    }

    fn latency() -> Distribution {
        Distribution {
            count: 1,
            p50: 100.0,
            p90: 200.0,
            p99: 3000.0,
            p99_9: 30_000.0,
            ..Distribution::default()
        }
    }

    #[test]
    fn a_generator_at_ease_is_not_warned_of() {
        assert_eq!(warnings(&generator(), &latency()), [""; 0]);
    }

    #[test]
    fn each_bottleneck_has_its_own_words() {
        type Spoil = fn(&mut Generator);
        let bottlenecks: [(Spoil, &str); 4] = [
            (|it| it.busy = Some(0.97), "busy for 97 %"),
            (
                |it| it.waited_for_core = Some(0.2),
                "waited for a core for 20 %",
            ),
            (|it| it.send_lateness = Some(late()), "from p99 on"),
            (|it| it.turn_lag.p50 = 80.0, "for 80 µs or more"),
        ];
        for (spoil, words) in bottlenecks {
            let mut generator = generator();
            spoil(&mut generator);
            let warnings = warnings(&generator, &latency());
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].contains(words), "{warnings:?}");
        }
    }

    #[test]
    fn lateness_that_is_little_beside_the_latency_is_none() {
        let mut generator = generator();
        generator.send_lateness = Some(late());
        let mut latency = latency();
        (latency.p99, latency.p99_9) = (6000.0, 200_000.0);
        assert_eq!(warnings(&generator, &latency), [""; 0]);
    }
}
