//! What is measured: which load meets a server that was started in which mode.
//!
//! Runner and generator are two programs and read the same list.

use std::time::Duration;

/// Long enough that nobody is cut off while it is measured: what counts is what it costs to know.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Those that are no connections, and more.
pub const SPARE_DESCRIPTORS: usize = 200;

/// How a server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    Plain,
    /// With an idle timeout on every connection.
    Idle,
    /// Answers each line with a write call of its own.
    Lines,
}

impl Mode {
    pub const ALL: [Mode; 3] = [Mode::Plain, Mode::Idle, Mode::Lines];

    pub fn name(self) -> &'static str {
        match self {
            Mode::Plain => "plain",
            Mode::Idle => "idle",
            Mode::Lines => "lines",
        }
    }

    pub fn from_name(name: &str) -> Result<Mode, String> {
        let mode = Mode::ALL.into_iter().find(|mode| mode.name() == name);
        mode.ok_or_else(|| format!("unknown mode {name}"))
    }
}

/// What the generator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Every connection sends `pipelined` messages at once, and the next ones when all are back.
    Echo {
        connections: usize,
        pipelined: usize,
        bytes: usize,
    },
    /// That many connections at a time, each for one message.
    Churn { connections: usize, bytes: usize },
    /// One connection, as much as goes through.
    Bulk,
    /// Opens many connections that say something once, and looks at the server's memory.
    Memory,
}

#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// What the plot and the table call it.
    pub title: &'static str,
    pub load: Load,
    pub mode: Mode,
    /// The server that counts as 1.
    pub reference: &'static str,
}

const fn echo(connections: usize, pipelined: usize, bytes: usize) -> Load {
    Load::Echo {
        connections,
        pipelined,
        bytes,
    }
}

const fn scenario(name: &'static str, title: &'static str, load: Load, mode: Mode) -> Scenario {
    Scenario {
        name,
        title,
        load,
        mode,
        reference: "epoll",
    }
}

/// In the order in which they are measured and shown.
pub const ALL: [Scenario; 12] = [
    scenario("c1", "1 connection", echo(1, 1, 64), Mode::Plain),
    scenario("c50", "50 connections", echo(50, 1, 64), Mode::Plain),
    scenario("c50_idle", "50, idle timeouts", echo(50, 1, 64), Mode::Idle),
    scenario(
        "c1000_idle",
        "1,000, idle timeouts",
        echo(1000, 1, 64),
        Mode::Idle,
    ),
    scenario(
        "c10000",
        "10,000 connections",
        echo(10_000, 1, 64),
        Mode::Plain,
    ),
    scenario("p16", "16 x 64 B at once", echo(50, 16, 64), Mode::Plain),
    scenario("4k", "4 KiB messages", echo(50, 1, 4096), Mode::Plain),
    scenario(
        "churn",
        "connect, 1 message, close",
        Load::Churn {
            connections: 50,
            bytes: 64,
        },
        Mode::Plain,
    ),
    scenario("bulk", "bulk, 1 connection", Load::Bulk, Mode::Plain),
    scenario(
        "lines_p1",
        "1 line, a write each",
        echo(50, 1, 64),
        Mode::Lines,
    ),
    Scenario {
        name: "lines_p16",
        title: "16 lines, a write each",
        load: echo(50, 16, 64),
        mode: Mode::Lines,
        reference: "epoll-gather",
    },
    scenario(
        "memory",
        "memory, idle connection",
        Load::Memory,
        Mode::Idle,
    ),
];

impl Scenario {
    pub fn by_name(name: &str) -> Option<&'static Scenario> {
        ALL.iter().find(|scenario| scenario.name == name)
    }

    /// What one of the counted things is.
    pub fn unit(&self) -> &'static str {
        match self.load {
            Load::Echo { .. } if self.mode == Mode::Lines => "line",
            Load::Echo { .. } => "message",
            Load::Churn { .. } => "connection",
            Load::Bulk => "64 KiB",
            Load::Memory => "connection",
        }
    }

    /// Descriptors that the generator and the server each need, with some to spare.
    pub fn descriptors(&self) -> usize {
        SPARE_DESCRIPTORS
            + match self.load {
                Load::Echo { connections, .. } | Load::Churn { connections, .. } => connections,
                Load::Bulk => 1,
                Load::Memory => 2_000,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_no_two_are_the_same() {
        for (i, scenario) in ALL.iter().enumerate() {
            assert_eq!(
                Scenario::by_name(scenario.name).unwrap().title,
                scenario.title
            );
            assert!(ALL[..i].iter().all(|other| other.name != scenario.name));
        }
        assert!(Scenario::by_name("c2").is_none());
    }
}
