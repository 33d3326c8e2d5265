//! The results as a picture: a panel for each scenario, a bar for each server, as long as its ratio to
//! raw epoll. All of it is shapes and text of the system's own fonts.

use super::results::Results;
use super::table::number;
use crate::scenario::{self, Scenario};
use std::fmt::Write;

/// Colours that are legible on the page that they are for.
pub(super) struct Palette {
    background: &'static str,
    text: &'static str,
    faint: &'static str,
    bar: &'static str,
    accent: &'static str,
}

pub(super) const LIGHT: Palette = Palette {
    background: "#ffffff",
    text: "#1f2328",
    faint: "#59636e",
    bar: "#b7c0ca",
    accent: "#0969da",
};

pub(super) const DARK: Palette = Palette {
    background: "#0d1117",
    text: "#e6edf3",
    faint: "#9198a1",
    bar: "#4b5561",
    accent: "#4493f8",
};

/// Whose bars are drawn. Raw epoll is the line at 1.
const SERVERS: [&str; 5] = ["netloop", "mio", "tokio", "libuv", "node"];

const COLUMNS: usize = 4;
const NAMES_WIDTH: f64 = 66.0;
const PANEL_WIDTH: f64 = 196.0;
const PANEL_HEIGHT: f64 = 132.0;
const HEADER: f64 = 98.0;
const FOOTER: f64 = 44.0;
const ROW: f64 = 18.0;
/// Where the bars of a panel begin, below its top.
const BARS_TOP: f64 = 22.0;
/// The length of a ratio of 1, and the longest bar that is drawn.
const ONE: f64 = 70.0;
const LONGEST: f64 = 2.0 * ONE;

pub(super) fn render(results: &Results, palette: &Palette) -> String {
    let shown: Vec<&Scenario> = scenario::ALL
        .iter()
        .filter(|scenario| results.rows.iter().any(|row| row.scenario == scenario.name))
        .collect();
    let rows = shown.len().div_ceil(COLUMNS).max(1);
    let width = NAMES_WIDTH + COLUMNS as f64 * PANEL_WIDTH + 14.0;
    let height = HEADER + rows as f64 * PANEL_HEIGHT + FOOTER;
    let mut drawing = Drawing {
        svg: format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\" font-family=\"-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif\">\n"
        ),
    };
    let title =
        "What a message costs the server, relative to an epoll loop by hand: less is better";
    let _ = writeln!(drawing.svg, "<title>{title}</title>");
    drawing.rectangle(0.0, 0.0, width, height, palette.background);
    drawing.text(14.0, 30.0, Ink::new(17, palette.text).bold(), title);
    for (line, y) in [
        (
            "CPU time for each message (for each connection, for each 64 KiB of bulk), and memory for each idle connection.",
            52.0,
        ),
        (
            "The line at 1 is raw epoll; for 16 lines it is one that gathers its replies. Bars that are cut go on.",
            69.0,
        ),
    ] {
        drawing.text(14.0, y, Ink::new(12, palette.faint), line);
    }
    for (index, scenario) in shown.into_iter().enumerate() {
        let (column, row) = (index % COLUMNS, index / COLUMNS);
        let left = NAMES_WIDTH + column as f64 * PANEL_WIDTH;
        let top = HEADER + row as f64 * PANEL_HEIGHT;
        if column == 0 {
            drawing.names(top, palette);
        }
        drawing.panel(results, scenario, left, top, palette);
    }
    let footer = format!("{}; {}", results.machine, results.extent());
    drawing.text(14.0, height - 16.0, Ink::new(11, palette.faint), &footer);
    drawing.svg + "</svg>\n"
}

struct Drawing {
    svg: String,
}

impl Drawing {
    fn names(&mut self, top: f64, palette: &Palette) {
        for (index, server) in SERVERS.into_iter().enumerate() {
            let baseline = top + BARS_TOP + index as f64 * ROW + 12.0;
            let ink = match server {
                "netloop" => Ink::new(12, palette.accent).bold(),
                _ => Ink::new(12, palette.text),
            };
            self.text(NAMES_WIDTH - 8.0, baseline, ink.up_to_here(), server);
        }
    }

    fn panel(
        &mut self,
        results: &Results,
        scenario: &Scenario,
        left: f64,
        top: f64,
        palette: &Palette,
    ) {
        self.text(
            left,
            top + 12.0,
            Ink::new(12, palette.text).bold(),
            scenario.title,
        );
        for (index, server) in SERVERS.into_iter().enumerate() {
            let top = top + BARS_TOP + index as f64 * ROW;
            let row = results.row(scenario.name, server);
            let ratio = row.and_then(|row| row.ratio);
            match ratio.filter(|ratio| ratio.is_finite()) {
                Some(ratio) => self.bar(left, top, ratio, server == "netloop", palette),
                None => {
                    let failed = row.is_some_and(|row| row.failed.is_some());
                    let why = if failed { "failed" } else { "not measured" };
                    self.text(left + 4.0, top + 12.0, Ink::new(11, palette.faint), why);
                }
            }
        }
        let (x, bottom) = (left + ONE, top + BARS_TOP + SERVERS.len() as f64 * ROW);
        let _ = writeln!(
            self.svg,
            "<line x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"{}\" stroke-width=\"1\"/>",
            top + BARS_TOP - 2.0,
            palette.text
        );
    }

    fn bar(&mut self, left: f64, top: f64, ratio: f64, ours: bool, palette: &Palette) {
        let ink = Ink::new(11, palette.text);
        let (colour, ink) = match ours {
            true => (palette.accent, ink.bold()),
            false => (palette.bar, ink),
        };
        let length = (ratio * ONE).clamp(1.0, LONGEST);
        self.rectangle(left, top + 2.0, length, ROW - 5.0, colour);
        if ratio * ONE > LONGEST {
            self.cut(left + length - 16.0, top + 2.0, ROW - 5.0, palette);
        }
        // A number beside a bar that ends just before the line would stand on the line.
        let near_line = length > ONE - 34.0;
        let label = if near_line { length.max(ONE) } else { length };
        self.text(left + label + 4.0, top + 12.0, ink, &number(Some(ratio)));
    }

    /// Shows that a bar is longer than it is drawn.
    fn cut(&mut self, x: f64, top: f64, height: f64, palette: &Palette) {
        let bottom = top + height;
        let _ = writeln!(
            self.svg,
            "<polygon points=\"{},{} {},{} {},{} {},{}\" fill=\"{}\"/>",
            x + 5.0,
            top,
            x + 9.0,
            top,
            x + 4.0,
            bottom,
            x,
            bottom,
            palette.background
        );
    }

    fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        let _ = writeln!(
            self.svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{colour}\"/>"
        );
    }

    fn text(&mut self, x: f64, y: f64, ink: Ink, text: &str) {
        let Ink {
            size,
            anchor,
            colour,
            weight,
        } = ink;
        let _ = writeln!(
            self.svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" \
             fill=\"{colour}\" font-weight=\"{weight}\">{}</text>",
            escaped(text)
        );
    }
}

/// How a text is written.
struct Ink {
    size: u32,
    anchor: &'static str,
    colour: &'static str,
    weight: u32,
}

impl Ink {
    fn new(size: u32, colour: &'static str) -> Ink {
        Ink {
            size,
            anchor: "start",
            colour,
            weight: 400,
        }
    }

    fn bold(self) -> Ink {
        Ink {
            weight: 600,
            ..self
        }
    }

    /// It ends where it would begin.
    fn up_to_here(self) -> Ink {
        Ink {
            anchor: "end",
            ..self
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::example;
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_ratios_and_cut_off_where_the_panel_ends() {
        let svg = render(&example(), &LIGHT);
        let bars = |colour: &str| -> Vec<&str> {
            let bars = svg.lines().filter(|line| {
                line.starts_with("<rect") && line.ends_with(&format!("fill=\"{colour}\"/>"))
            });
            bars.filter_map(|line| line.split("width=\"").nth(1)?.split('"').next())
                .collect()
        };
        assert_eq!(bars(LIGHT.accent), ["105.0", "140.0"]); // 1.5, and 2.01 cut off
        assert_eq!(bars(LIGHT.bar), ["140.0"]); // Node
        assert_eq!(svg.matches("<polygon").count(), 2);
        for text in [
            ">1.50<",
            ">2.01<",
            ">13.8<",
            ">failed<",
            ">not measured<",
            "a &lt;machine&gt;",
            ">memory, idle connection<",
        ] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert!(
            !svg.contains("1 connection"),
            "no panel for what was not measured"
        );
    }

    #[test]
    fn the_dark_plot_is_the_light_one_in_other_colours() {
        let (light, mut dark) = (render(&example(), &LIGHT), render(&example(), &DARK));
        assert_ne!(light, dark);
        for (from, to) in [
            (DARK.background, LIGHT.background),
            (DARK.text, LIGHT.text),
            (DARK.faint, LIGHT.faint),
            (DARK.bar, LIGHT.bar),
            (DARK.accent, LIGHT.accent),
        ] {
            dark = dark.replace(from, to);
        }
        assert_eq!(light, dark);
    }
}
