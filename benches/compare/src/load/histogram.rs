//! Round trips by their length: 32 buckets for each power of two, so a quantile is right to 3 %.

use std::time::Duration;

const BITS: u32 = 5;

pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    pub(super) fn new() -> Histogram {
        Histogram {
            buckets: vec![0; bucket(u64::MAX) + 1],
            count: 0,
        }
    }

    pub(super) fn record(&mut self, length: Duration) {
        self.buckets[bucket(length.as_nanos() as u64)] += 1;
        self.count += 1;
    }

    /// In microseconds: the middle of the bucket that holds the nearest rank. None of nothing.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut below = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            below += count;
            if below >= rank {
                return Some(middle(index) / 1_000.0);
            }
        }
        None
    }
}

/// The highest bits of a number, and how far they are shifted.
fn bucket(nanos: u64) -> usize {
    let shift = (u64::BITS - BITS - 1).saturating_sub(nanos.leading_zeros());
    ((shift as usize) << BITS) + (nanos >> shift) as usize
}

fn middle(bucket: usize) -> f64 {
    let shift = (bucket >> BITS).saturating_sub(1);
    let low = (bucket - (shift << BITS)) as f64;
    (low + 0.5) * 2f64.powi(shift as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_stand_in_order_and_hold_what_belongs_to_them() {
        let mut last = 0;
        for nanos in (0..100_000)
            .chain((17..63).map(|bits| (1 << bits) + 12_345))
            .chain([u64::MAX])
        {
            let at = bucket(nanos);
            assert!(at >= last, "{nanos}");
            assert!(
                (middle(at) - nanos as f64).abs() <= nanos as f64 / 32.0 + 0.5,
                "{nanos}"
            );
            last = at;
        }
    }

    #[test]
    fn quantiles_of_known_lengths() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), None);
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        for (share, micros) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0), (0.0, 1.0)] {
            let told = histogram.quantile(share).unwrap();
            assert!((told - micros).abs() <= micros * 0.032, "{share}: {told}");
        }
    }
}
