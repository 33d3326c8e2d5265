//! The time of a run, cut into windows: what came back in each, and what it cost the server.
//!
//! A window begins and ends while nothing is under way and the server sleeps. What it cost is then
//! exactly that of its messages: none of them is in two windows, and the kernel, which adds up the time
//! of a running process at its ticks only, has added up all of it when the process went to sleep.
//!
//! The machine's speed changes from one moment to the next, with its neighbours and its clock; the
//! quartiles of many short windows say more than one mean.

use super::histogram::Histogram;
use super::sockets::PATIENCE;
use super::{During, Plan, Rate, Result};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
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

/// The CPU clock of another process, all its threads together. It is exact while they sleep; of one that
/// runs, it may lack what came since the kernel's last tick, which is milliseconds.
#[derive(Clone, Copy)]
pub struct ServerClock {
    pid: u32,
    id: ClockId,
}

impl ServerClock {
    pub fn of(pid: u32) -> std::result::Result<ServerClock, String> {
        let id = clock_getcpuclockid(Pid::from_raw(pid as i32)).during("the server's CPU clock")?;
        Ok(ServerClock { pid, id })
    }

    pub fn read(self) -> std::result::Result<Duration, String> {
        let time = clock_gettime(self.id).during("the server's CPU clock")?;
        Ok(time.into())
    }

    /// Returns once the server sleeps at two looks, a millisecond apart: at one look it may be about
    /// to. One that never rests is measured as it is.
    pub(super) fn rest(self) -> Result<()> {
        let mut quiet = 0;
        for _ in 0..1000 {
            quiet = if self.sleeps()? { quiet + 1 } else { 0 };
            if quiet == 2 {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Whether all of its threads do.
    fn sleeps(self) -> Result<bool> {
        let folder = format!("/proc/{}/task", self.pid);
        for thread in fs::read_dir(&folder).during(&folder)? {
            let file = thread.during(&folder)?.path().join("stat");
            match fs::read_to_string(&file) {
                // The name before the state may have any characters in it.
                Ok(stat)
                    if stat
                        .rsplit_once(") ")
                        .is_some_and(|(_, it)| it.starts_with('S')) => {}
                Ok(_) => return Ok(false),
                // A thread that has ended meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
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

/// For a load of this shape:
///
/// ```text
/// while meter.next_window()? {
///     send
///     while meter.turn(Instant::now(), under_way)? {
///         read, and while meter.sends(), send more
///     }
/// }
/// ```
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
    /// None before the first.
    window: Option<Open>,
    windows: Vec<Window>,
    round_trips: Histogram,
}

/// The window that goes on. Those that began before `warm_at` are not kept.
struct Open {
    began: Instant,
    /// The server's time and the messages until then.
    cpu: Duration,
    messages: u64,
    /// No more is sent in it.
    full: bool,
    /// When all that was sent had come back.
    drained: Instant,
}

impl Meter {
    /// A window lasts until four times as many messages came back as are under way: filling and draining
    /// must not count for much.
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

    /// Lets the server go to sleep, ends the window that was, if there was one, and begins the next.
    /// Whether there is a next one.
    pub(super) fn next_window(&mut self) -> Result<bool> {
        self.clock.rest()?;
        self.next_window_at(Instant::now())
    }

    fn next_window_at(&mut self, now: Instant) -> Result<bool> {
        let cpu = self.clock.read()?;
        if let Some(last) = self.window.take()
            && last.began >= self.warm_at
        {
            self.windows.push(Window {
                messages: self.messages - last.messages,
                cpu_nanos: cpu.saturating_sub(last.cpu).as_nanos() as u64,
                wall_nanos: (last.drained - last.began).as_nanos() as u64,
            });
        }
        let late = now >= self.ends_at + PATIENCE;
        let enough = self.windows.len() >= if late { 1 } else { LEAST_WINDOWS };
        if enough && now >= self.ends_at {
            return Ok(false);
        }
        self.window = Some(Open {
            began: now,
            cpu,
            messages: self.messages,
            full: false,
            drained: now,
        });
        self.last_progress = (now, self.messages);
        Ok(true)
    }

    /// Once for each turn of the generator, with how much is under way. Whether the window goes on.
    pub(super) fn turn(&mut self, now: Instant, under_way: usize) -> Result<bool> {
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
        let Some(window) = &mut self.window else {
            return Ok(false);
        };
        let whole =
            now - window.began >= WINDOW && self.messages - window.messages >= self.least_messages;
        window.full |= match window.began < self.warm_at {
            true => self.messages > 0 && now >= self.warm_at,
            false => whole || now >= self.ends_at + PATIENCE,
        };
        window.drained = now;
        Ok(!window.full || under_way > 0)
    }

    /// Whether what has come back is followed by more.
    pub(super) fn sends(&self) -> bool {
        self.window.as_ref().is_some_and(|window| !window.full)
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
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

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
        assert!(!clock.sleeps().unwrap());
        let mut gone = Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let clock = ServerClock::of(gone.id());
        assert!(clock.and_then(ServerClock::read).is_err());
    }

    /// Without the rest, what a process has done since the last tick is missing here, and turns up later.
    #[test]
    fn the_clock_of_another_process_is_exact_once_it_rests() {
        let work =
            "while read line; do i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done; echo; done";
        let mut child = Command::new("sh")
            .args(["-c", work])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut tell = child.stdin.take().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let clock = ServerClock::of(child.id()).unwrap();
        let mut last = Duration::ZERO;
        for round in 0..30 {
            tell.write_all(b"\n").unwrap();
            said.next().unwrap().unwrap();
            clock.rest().unwrap();
            let told = clock.read().unwrap();
            assert!(clock.sleeps().unwrap());
            std::thread::sleep(Duration::from_millis(10));
            assert_eq!(clock.read().unwrap(), told, "{round}");
            assert!(told > last, "{round}");
            last = told;
        }
        drop(tell); // which ends it
        child.wait().unwrap();
    }

    /// Nothing is under way whenever a window is full.
    fn turn(meter: &mut Meter, now: Instant) -> bool {
        meter.turn(now, 0).unwrap() || meter.next_window_at(now).unwrap()
    }

    fn begin(plan: &Plan, under_way: usize) -> (Meter, Instant) {
        let mut meter = Meter::start(plan, under_way).unwrap();
        let start = meter.warm_at - plan.warm_up;
        assert!(meter.next_window_at(start).unwrap());
        (meter, start)
    }

    #[test]
    fn windows_count_what_came_back_after_the_warm_up_until_there_are_enough() {
        let (mut meter, start) = begin(&plan(1000, 120), 1);
        let at = |millis| start + Duration::from_millis(millis);
        // Counted at that time. At 1050 too few are back, so the first window lasts until 1060.
        for (millis, messages, goes_on) in [
            (0, 1000, true),
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
            assert_eq!(turn(&mut meter, at(millis)), goes_on, "{millis}");
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
    fn a_full_window_sends_no_more_and_ends_when_all_is_back() {
        let (mut meter, start) = begin(&plan(0, 1000), 2);
        let at = |millis| start + Duration::from_millis(millis);
        meter.count(2);
        assert!(meter.turn(at(49), 2).unwrap() && meter.sends());
        meter.count(6);
        assert!(meter.turn(at(50), 2).unwrap() && !meter.sends());
        assert!(meter.turn(at(51), 1).unwrap() && !meter.sends());
        meter.count(2);
        assert!(!meter.turn(at(52), 0).unwrap());
        assert!(meter.next_window_at(at(60)).unwrap() && meter.sends());
        let window = meter.windows[0];
        // The rest is in no window.
        assert_eq!((window.messages, window.wall_nanos), (10, 52_000_000));
    }

    #[test]
    fn a_server_that_begins_late_is_measured_as_long_as_the_others() {
        let (mut meter, start) = begin(&plan(1000, 200), 1);
        let at = |millis| start + Duration::from_millis(millis);
        assert!(turn(&mut meter, at(3000)));
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
            assert_eq!(turn(&mut meter, at(millis)), goes_on, "{millis}");
        }
        assert_eq!(meter.windows.len(), 4);
    }

    #[test]
    fn a_run_that_is_too_slow_for_a_window_is_one() {
        let (mut meter, start) = begin(&plan(0, 1000), 100);
        for (seconds, goes_on) in [(0, true), (3, true), (6, false)] {
            meter.count(90);
            let now = start + Duration::from_secs(seconds);
            assert_eq!(turn(&mut meter, now), goes_on, "{seconds}");
        }
        let windows = meter.report().unwrap().windows;
        assert_eq!((windows.len(), windows[0].messages), (1, 270));
    }

    #[test]
    fn a_server_that_stalls_is_an_error() {
        let (mut meter, start) = begin(&plan(0, 60_000), 1);
        meter.count(1);
        assert!(meter.turn(start + Duration::from_secs(1), 1).is_ok());
        assert!(meter.turn(start + Duration::from_secs(6), 1).is_ok());
        let late = start + Duration::from_millis(6001);
        assert!(meter.turn(late, 1).is_err());
    }
}
