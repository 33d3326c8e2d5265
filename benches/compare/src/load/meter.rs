//! The time of a run, cut into windows: what came back in each, and what it cost the server.
//!
//! The machine's speed changes from one moment to the next, with its neighbours and its clock; the
//! quartiles of many short windows say more than one mean.

use super::histogram::Histogram;
use super::sockets::PATIENCE;
use super::{During, Plan, Rate, Result};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_millis(50);
/// Fewer say nothing about a spread: on a busy machine a run goes on until it has them.
const LEAST_WINDOWS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub messages: u64,
    pub cpu_nanos: u64,
    pub wall_nanos: u64,
}

/// The CPU clock of another process, all its threads together, exact at the moment of the call.
#[derive(Clone, Copy)]
pub struct ServerClock(ClockId);

impl ServerClock {
    pub fn of(pid: u32) -> std::result::Result<ServerClock, String> {
        Ok(ServerClock(
            clock_getcpuclockid(Pid::from_raw(pid as i32)).during("the server's CPU clock")?,
        ))
    }

    pub fn read(self) -> std::result::Result<Duration, String> {
        let time = clock_gettime(self.0).during("the server's CPU clock")?;
        Ok(time.into())
    }

    /// Returns once the server has done with what was before: closing thousands of connections takes
    /// some a while. One that never rests is measured as it is.
    pub(super) fn settle(self) -> Result<()> {
        let (mut last, mut quiet) = (self.read()?, 0);
        for _ in 0..200 {
            std::thread::sleep(Duration::from_millis(10));
            let now = self.read()?;
            quiet = if now == last { quiet + 1 } else { 0 };
            if quiet == 3 {
                break;
            }
            last = now;
        }
        Ok(())
    }
}

pub(super) struct Meter {
    clock: ServerClock,
    warm_up: Duration,
    warm_at: Instant,
    ends_at: Instant,
    /// A window has so many messages at least.
    least_messages: u64,
    /// Messages since the start.
    messages: u64,
    last_progress: (Instant, u64),
    /// Where the window began: time, server's CPU time, messages. None while it warms up.
    window: Option<(Instant, Duration, u64)>,
    windows: Vec<Window>,
    round_trips: Histogram,
}

impl Meter {
    /// A window lasts until four times as many messages came back as are under way: those that the server
    /// has answered before it began, and the generator reads in it, must not count for much.
    pub(super) fn start(plan: &Plan, under_way: usize) -> Result<Meter> {
        let now = Instant::now();
        Ok(Meter {
            clock: ServerClock::of(plan.pid)?,
            warm_up: plan.warm_up,
            warm_at: now + plan.warm_up,
            ends_at: now + plan.warm_up + plan.measured,
            least_messages: 4 * under_way as u64,
            messages: 0,
            last_progress: (now, 0),
            window: None,
            windows: Vec::new(),
            round_trips: Histogram::new(),
        })
    }

    pub(super) fn count(&mut self, messages: u64) {
        self.messages += messages;
    }

    /// Of a message, or of what was sent together.
    pub(super) fn round_trip(&mut self, sent: Instant, back: Instant) {
        if sent >= self.warm_at {
            self.round_trips.record(back - sent);
        }
    }

    /// Once for each turn of the generator. Whether it goes on.
    pub(super) fn turn(&mut self, now: Instant) -> Result<bool> {
        if self.messages == 0 {
            // The time runs from the first message that is back: some servers take a while to begin.
            let later = now + self.warm_up - self.warm_at;
            self.warm_at += later;
            self.ends_at += later;
        }
        if self.messages > self.last_progress.1 {
            self.last_progress = (now, self.messages);
        } else if now - self.last_progress.0 > PATIENCE {
            return Err(format!("nothing came back for {} s", PATIENCE.as_secs()));
        }
        match self.window {
            None if now >= self.warm_at => self.close_window(now)?,
            Some((began, _, messages))
                if now - began >= WINDOW && self.messages - messages >= self.least_messages =>
            {
                self.close_window(now)?;
            }
            None | Some(_) => {}
        }
        let enough = self.windows.len() >= LEAST_WINDOWS || now >= self.ends_at + PATIENCE;
        let goes_on = now < self.ends_at || !enough;
        if !goes_on && self.windows.is_empty() {
            self.close_window(now)?; // a machine that busy has had one, and it was long
        }
        Ok(goes_on)
    }

    /// Ends the window, if there is one, and begins the next.
    fn close_window(&mut self, now: Instant) -> Result<()> {
        let cpu_now = self.clock.read()?;
        if let Some((began, cpu, messages)) = self.window {
            self.windows.push(Window {
                messages: self.messages - messages,
                cpu_nanos: cpu_now.saturating_sub(cpu).as_nanos() as u64,
                wall_nanos: (now - began).as_nanos() as u64,
            });
        }
        self.window = Some((now, cpu_now, self.messages));
        Ok(())
    }

    pub(super) fn report(self) -> Result<Rate> {
        if self.windows.iter().all(|window| window.messages == 0) {
            return Err("too little came back while it was measured".into());
        }
        Ok(Rate {
            windows: self.windows,
            p50_micros: self.round_trips.quantile(0.5),
            p99_micros: self.round_trips.quantile(0.99),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With this very process in the place of the server.
    fn plan(warm_up_millis: u64, measured_millis: u64) -> Plan {
        Plan {
            server: "127.0.0.1:1".parse().unwrap(),
            pid: std::process::id(),
            warm_up: Duration::from_millis(warm_up_millis),
            measured: Duration::from_millis(measured_millis),
            own_cpu: false,
            most_connections: 0,
        }
    }

    #[test]
    fn a_clock_of_a_process_runs_with_it_and_one_of_nobody_is_an_error() {
        let clock = ServerClock::of(std::process::id()).unwrap();
        let before = clock.read().unwrap();
        while clock.read().unwrap() == before {}
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let clock = ServerClock::of(gone.id());
        assert!(clock.and_then(ServerClock::read).is_err());
    }

    #[test]
    fn windows_count_what_came_back_after_the_warm_up_until_there_are_enough() {
        let mut meter = Meter::start(&plan(1000, 120), 1).unwrap();
        let start = meter.warm_at - Duration::from_secs(1);
        let at = |millis| start + Duration::from_millis(millis);
        // Counted at that time. At 1050 too few are back, so the first window lasts until 1060.
        for (millis, messages, goes_on) in [
            (10, 1000, true),
            (1000, 5, true),
            (1049, 2, true),
            (1050, 1, true),
            (1060, 20, true),
            (1105, 1, true),
            (1110, 9, true),
            (1120, 1, true), // the time is over, with two windows
            (1160, 3, true),
            (1210, 4, false),
        ] {
            meter.count(messages);
            assert_eq!(meter.turn(at(millis)).unwrap(), goes_on, "{millis}");
        }
        meter.round_trip(at(900), at(1100)); // began too early
        meter.round_trip(at(1050), at(1052));
        let rate = meter.report().unwrap();
        let millis = |window: &Window| window.wall_nanos / 1_000_000;
        let seen: Vec<_> = rate
            .windows
            .iter()
            .map(|window| (window.messages, millis(window)))
            .collect();
        assert_eq!(seen, [(23, 60), (10, 50), (4, 50), (4, 50)]);
        assert!((rate.p50_micros.unwrap() - 2000.0).abs() < 64.0);
    }

    #[test]
    fn a_server_that_begins_late_is_measured_as_long_as_the_others() {
        let mut meter = Meter::start(&plan(1000, 200), 1).unwrap();
        let start = meter.warm_at - Duration::from_secs(1);
        let at = |millis| start + Duration::from_millis(millis);
        assert!(meter.turn(at(3000)).unwrap());
        for (millis, goes_on) in [
            (3000, true),
            (4000, true),
            (4050, true),
            (4100, true),
            (4150, true),
            (4199, true),
            (4200, false),
        ] {
            meter.count(4);
            assert_eq!(meter.turn(at(millis)).unwrap(), goes_on, "{millis}");
        }
        assert_eq!(meter.windows.len(), 4);
    }

    #[test]
    fn a_run_that_is_too_slow_for_a_window_is_one() {
        let mut meter = Meter::start(&plan(0, 1000), 100).unwrap();
        let start = meter.warm_at;
        for (seconds, goes_on) in [(0, true), (3, true), (6, false)] {
            meter.count(90);
            let now = start + Duration::from_secs(seconds);
            assert_eq!(meter.turn(now).unwrap(), goes_on, "{seconds}");
        }
        let windows = meter.report().unwrap().windows;
        assert_eq!((windows.len(), windows[0].messages), (1, 180));
    }

    #[test]
    fn a_server_that_stalls_is_an_error() {
        let mut meter = Meter::start(&plan(0, 60_000), 1).unwrap();
        let start = meter.warm_at;
        meter.count(1);
        assert!(meter.turn(start + Duration::from_secs(1)).is_ok());
        assert!(meter.turn(start + Duration::from_secs(6)).is_ok());
        assert!(meter.turn(start + Duration::from_millis(6001)).is_err());
    }
}
