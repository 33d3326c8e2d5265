//! Lines in a frame, as SVG.
//!
//! Knows scales, ticks and paths, and nothing of what is drawn. Colours and fonts are the page's: a line
//! has the class `c0` to `c5`.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;

/// Where a value stands between the two ends of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    Linear { from: f64, to: f64 },
    Logarithmic { from: f64, to: f64 },
}

/// More of anything than there is: as microseconds, thirty thousand years. A report may come from a file
/// that somebody has edited; what lies beyond is not what a scale is made for, and stands at its end.
const MOST: f64 = 1e18;
/// Less than is ever told apart.
const LEAST: f64 = 1e-6;

/// The largest value that a scale is made for, or `least` if that is more.
pub(super) fn most(values: impl Iterator<Item = f64>, least: f64) -> f64 {
    values.filter(|value| *value <= MOST).fold(least, f64::max)
}

impl Scale {
    /// From zero to a round number that holds all `values`.
    pub(super) fn from_zero(values: impl Iterator<Item = f64>) -> Scale {
        let most = most(values, 0.0);
        let step = step(most);
        let to = (most / step).ceil() * step;
        Scale::Linear {
            from: 0.0,
            to: if to > 0.0 { to } else { 1.0 },
        }
    }

    /// Round numbers around all `values` that are above zero.
    pub(super) fn around(values: impl Iterator<Item = f64>) -> Scale {
        let (mut least, mut most) = (f64::INFINITY, 0.0f64);
        for value in values.filter(|value| (LEAST..=MOST).contains(value)) {
            least = least.min(value);
            most = most.max(value);
        }
        if most == 0.0 {
            (least, most) = (1.0, 10.0);
        }
        let (from, mut to) = (round_down(least), -round_down_negative(most));
        if to <= from {
            to = from * 10.0;
        }
        Scale::Logarithmic { from, to }
    }

    /// 0 at the one end and 1 at the other; what lies beyond stands at the end.
    pub(super) fn place(self, value: f64) -> f64 {
        let share = match self {
            Scale::Linear { from, to } => (value - from) / (to - from),
            Scale::Logarithmic { from, to } => (value / from).ln() / (to / from).ln(),
        };
        match share.is_nan() {
            true => 0.0,
            false => share.clamp(0.0, 1.0),
        }
    }

    /// Round values that are worth a line of the grid.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Scale::Linear { from, to } => {
                let step = step(to - from);
                let count = ((to - from) / step).round() as u32;
                (0..=count)
                    .map(|nth| from + f64::from(nth) * step)
                    .collect()
            }
            Scale::Logarithmic { from, to } => {
                let steps: &[f64] = match to / from {
                    ..200.0 => &[1.0, 2.0, 5.0],
                    _ => &[1.0],
                };
                let decades = from.log10().floor() as i32..=to.log10().ceil() as i32;
                let all =
                    decades.flat_map(|decade| steps.iter().map(move |it| it * 10f64.powi(decade)));
                all.filter(|it| *it >= from * 0.999 && *it <= to * 1.001)
                    .collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, so that about five of it make `range`.
fn step(range: f64) -> f64 {
    if range <= 0.0 || !range.is_finite() {
        return 1.0;
    }
    let rough = range / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let times = match rough / power {
        ..=1.0 => 1.0,
        ..=2.0 => 2.0,
        ..=5.0 => 5.0,
        _ => 10.0,
    };
    times * power
}

/// The next of 1, 2 or 5 times a power of ten at or below `value`.
fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let times = match value / power {
        5.0.. => 5.0,
        2.0.. => 2.0,
        _ => 1.0,
    };
    times * power
}

/// Minus the next of them at or above `value`.
fn round_down_negative(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let times = match value / power {
        ..=1.0 => 1.0,
        ..=2.0 => 2.0,
        ..=5.0 => 5.0,
        _ => 10.0,
    };
    -times * power
}

/// One side of the frame.
pub(super) struct Axis {
    pub(super) scale: Scale,
    /// Where the grid's lines are, and what is written there.
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) label: &'static str,
}

impl Axis {
    pub(super) fn new(scale: Scale, label: &'static str, write: impl Fn(f64) -> String) -> Axis {
        let ticks = scale.ticks().into_iter();
        Axis {
            scale,
            ticks: ticks.map(|at| (at, write(at))).collect(),
            label,
        }
    }
}

/// A row of points.
pub(super) struct Line {
    /// What is shown when one points at it.
    pub(super) name: String,
    pub(super) colour: usize,
    /// Drawn thinner: it goes with another one.
    pub(super) is_minor: bool,
    pub(super) points: Vec<(f64, f64)>,
}

/// `title` is read out instead of the picture.
pub(super) fn svg(title: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let mut out = String::new();
    // Writing into a string never fails.
    let _ = draw(&mut out, title, x, y, lines);
    out
}

fn draw(out: &mut String, title: &str, x: &Axis, y: &Axis, lines: &[Line]) -> std::fmt::Result {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let at_x = |value: f64| LEFT + x.scale.place(value) * (right - LEFT);
    let at_y = |value: f64| bottom - y.scale.place(value) * (bottom - TOP);
    let title = escape(title);
    writeln!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
    )?;
    for (value, text) in &y.ticks {
        let at = at_y(*value);
        writeln!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>\
             <text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            escape(text)
        )?;
    }
    for (value, text) in &x.ticks {
        let at = at_x(*value);
        writeln!(
            out,
            "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 18.0,
            escape(text)
        )?;
    }
    writeln!(
        out,
        "<text class=\"label\" x=\"{right}\" y=\"{}\" text-anchor=\"end\">{}</text>",
        HEIGHT - 8.0,
        escape(x.label)
    )?;
    for line in lines {
        let class = if line.is_minor { "minor " } else { "" };
        let mut path = String::new();
        for (nth, (x, y)) in line.points.iter().enumerate() {
            let verb = if nth == 0 { 'M' } else { 'L' };
            write!(path, "{verb}{:.1} {:.1}", at_x(*x), at_y(*y))?;
        }
        writeln!(
            out,
            "<path class=\"line {class}c{}\" d=\"{path}\"><title>{}</title></path>",
            line.colour,
            escape(&line.name)
        )?;
    }
    writeln!(out, "</svg>")
}

/// Text for the inside of an element, or of an attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_scale_ends_at_a_round_number_that_holds_all() {
        for (most, to, ticks) in [
            (97.0, 100.0, 6),
            (100.0, 100.0, 6),
            (101.0, 150.0, 4),
            (0.7, 0.8, 5),
            (0.0, 1.0, 6),
        ] {
            let scale = Scale::from_zero([most, most / 2.0].into_iter());
            let Scale::Linear { from, to: end } = scale else {
                panic!("{scale:?}");
            };
            assert!(from == 0.0 && (end - to).abs() < 1e-9, "{most}: {scale:?}");
            assert_eq!(scale.ticks().len(), ticks, "{most}: {:?}", scale.ticks());
        }
    }

    #[test]
    fn a_logarithmic_scale_has_the_same_distance_for_the_same_ratio() {
        let scale = Scale::around([3.0, 0.0, 70.0].into_iter());
        assert_eq!(
            scale,
            Scale::Logarithmic {
                from: 2.0,
                to: 100.0
            }
        );
        assert_eq!((scale.place(2.0), scale.place(100.0)), (0.0, 1.0));
        let step = scale.place(4.0) - scale.place(2.0);
        assert!((scale.place(80.0) - scale.place(40.0) - step).abs() < 1e-9);
        assert_eq!(scale.ticks(), [2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
    }

    #[test]
    fn wide_logarithmic_scales_have_a_tick_a_decade() {
        let scale = Scale::around([20.0, 900_000.0].into_iter());
        assert_eq!(
            scale.ticks(),
            [100.0, 1000.0, 10_000.0, 100_000.0, 1_000_000.0]
        );
    }

    #[test]
    fn what_lies_outside_or_is_no_number_stays_inside() {
        for scale in [
            Scale::from_zero([10.0].into_iter()),
            Scale::around([1.0, 10.0].into_iter()),
            Scale::around([].into_iter()),
            Scale::around([5.0].into_iter()),
        ] {
            for value in [-1.0, 0.0, 1e300, f64::NAN, f64::INFINITY] {
                let place = scale.place(value);
                assert!((0.0..=1.0).contains(&place), "{scale:?} {value}: {place}");
            }
        }
    }

    #[test]
    fn what_nobody_can_have_measured_makes_no_scale() {
        for absurd in [f64::INFINITY, f64::NAN, f64::MAX, 5e-324, -f64::MAX] {
            let linear = Scale::from_zero([absurd, 70.0].into_iter());
            assert_eq!(linear, Scale::from_zero([70.0].into_iter()), "{absurd}");
            let logarithmic = Scale::around([absurd, 70.0].into_iter());
            assert_eq!(logarithmic, Scale::around([70.0].into_iter()), "{absurd}");
            let few = Scale::around([absurd].into_iter()).ticks().len();
            assert!(few < 100, "{absurd}: {few} ticks");
        }
    }

    #[test]
    fn a_plot_has_its_lines_and_no_foreign_markup() {
        let axis = |label| {
            Axis::new(Scale::from_zero([1.0].into_iter()), label, |at| {
                at.to_string()
            })
        };
        let line = Line {
            name: "<script>\"&".to_string(),
            colour: 3,
            is_minor: false,
            points: vec![(0.0, 0.0), (1.0, 1.0)],
        };
        let svg = svg("a & b", &axis("x"), &axis("y"), &[line]);
        assert!(
            svg.contains("<path class=\"line c3\" d=\"M64.0 256.0L704.0 12.0\">"),
            "{svg}"
        );
        assert!(
            svg.contains("<title>&lt;script&gt;&quot;&amp;</title>"),
            "{svg}"
        );
        assert!(svg.contains("aria-label=\"a &amp; b\""), "{svg}");
    }
}
