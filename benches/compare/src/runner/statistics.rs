//! Few numbers instead of many. Knows nothing of servers.

use serde::{Deserialize, Serialize};

/// How something is spread over many short windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread {
    pub(super) min: f64,
    /// The best quarter is below it: what things cost while nothing else slows the machine.
    pub(super) fast: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

impl Spread {
    /// None of nothing.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let sorted = sorted(values);
        Some(Spread {
            min: quantile(&sorted, 0.0)?,
            fast: quantile(&sorted, 0.25)?,
            median: quantile(&sorted, 0.5)?,
            max: quantile(&sorted, 1.0)?,
        })
    }
}

/// None of nothing.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    quantile(&sorted(values), 0.5)
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Between two values it is in proportion, since there may be few of them.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let at = sorted.len().checked_sub(1)? as f64 * share;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(below + (above - below) * at.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_known_values() {
        let spread = Spread::of([5.0, 1.0, 4.0, 2.0, 3.0]).unwrap();
        assert_eq!(
            (spread.min, spread.fast, spread.median, spread.max),
            (1.0, 2.0, 3.0, 5.0)
        );
        let spread = Spread::of([10.0, 20.0, 30.0, 40.0]).unwrap();
        assert_eq!(
            (spread.min, spread.fast, spread.median, spread.max),
            (10.0, 17.5, 25.0, 40.0)
        );
        let one = Spread::of([7.0]).unwrap();
        assert_eq!(
            (one.min, one.fast, one.median, one.max),
            (7.0, 7.0, 7.0, 7.0)
        );
        assert_eq!(Spread::of([]), None);
        assert_eq!(median([3.0, 1.0]), Some(2.0));
    }
}
