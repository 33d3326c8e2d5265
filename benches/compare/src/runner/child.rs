//! Processes of the runner's: started on a CPU, listened to line by line, and ended by their own id
//! when their owner drops them, be it at the end, after a failure or at Ctrl-C.

use super::Stop;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Whether the user wants it to end.
#[derive(Clone)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on SIGINT, SIGTERM and SIGHUP end the runner in an orderly way.
    pub(super) fn listen() -> Result<Interrupt, String> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let came = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&came))
                .map_err(|error| error.to_string())?;
        }
        Ok(Interrupt(came))
    }

    pub(super) fn check(&self) -> Result<(), Stop> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(Stop::Interrupted),
            false => Ok(()),
        }
    }
}

pub(super) struct Child {
    process: std::process::Child,
    name: String,
    lines: Receiver<String>,
    interrupt: Interrupt,
}

impl Child {
    /// Starts it on that CPU, with all the threads it may make; on any without one.
    pub(super) fn start(
        command: &mut Command,
        cpu: Option<usize>,
        interrupt: &Interrupt,
    ) -> Result<Child, Stop> {
        interrupt.check()?;
        let name = command.get_program().display().to_string();
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let spawned =
            on_cpu(cpu, || command.spawn()).map_err(|error| format!("CPU {cpu:?}: {error}"))?;
        let mut process = spawned.map_err(|error| format!("{name}: {error}"))?;
        let stdout = process.stdout.take().expect("stdout was piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            // It ends with the child, or with whoever listened.
            let _ = BufReader::new(stdout)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line));
        });
        Ok(Child {
            process,
            name,
            lines,
            interrupt: interrupt.clone(),
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next line that it prints; None at its end.
    pub(super) fn next_line(&self, limit: Duration) -> Result<Option<String>, Stop> {
        let start = Instant::now();
        loop {
            self.interrupt.check()?;
            match self.lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => return Ok(Some(line)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if start.elapsed() > limit => {
                    return Err(Stop::Failed(format!(
                        "{}: nothing for {limit:?}",
                        self.name
                    )));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Waits for its end; for one that has closed its output.
    pub(super) fn status(mut self) -> Result<ExitStatus, Stop> {
        let status = self.process.wait();
        Ok(status.map_err(|error| format!("{}: {error}", self.name))?)
    }

    /// Whether it is still there.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Does that on one CPU: a child inherits it before its first instruction.
fn on_cpu<T>(cpu: Option<usize>, work: impl FnOnce() -> T) -> rustix::io::Result<T> {
    let Some(cpu) = cpu else { return Ok(work()) };
    let before = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    one.set(cpu);
    sched_setaffinity(None, &one)?;
    let done = work();
    sched_setaffinity(None, &before)?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn never() -> Interrupt {
        Interrupt(Arc::new(AtomicBool::new(false)))
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_come_one_by_one_and_then_the_end() {
        let child = Child::start(&mut shell("echo one; echo two; exit 3"), None, &never()).unwrap();
        let next = || child.next_line(Duration::from_secs(10)).unwrap();
        assert_eq!(
            [next(), next(), next()],
            [Some("one".into()), Some("two".into()), None]
        );
        assert_eq!(child.status().unwrap().code(), Some(3));
    }

    #[test]
    fn a_child_starts_on_its_cpu_and_its_parent_stays_where_it_was() {
        let before = sched_getaffinity(None).unwrap();
        let cpu = (0..CpuSet::MAX_CPU)
            .rfind(|&cpu| before.is_set(cpu))
            .unwrap();
        let script = "grep Cpus_allowed_list /proc/self/status";
        let child = Child::start(&mut shell(script), Some(cpu), &never()).unwrap();
        let line = child.next_line(Duration::from_secs(10)).unwrap().unwrap();
        assert_eq!(
            line.split_whitespace().last(),
            Some(cpu.to_string().as_str())
        );
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }

    #[test]
    fn whoever_is_dropped_is_ended() {
        let mut child =
            Child::start(&mut shell("echo up; exec sleep 1000"), None, &never()).unwrap();
        child.next_line(Duration::from_secs(10)).unwrap();
        assert!(child.runs());
        let entry = format!("/proc/{}", child.id());
        assert!(Path::new(&entry).exists());
        drop(child);
        assert!(!Path::new(&entry).exists());
    }

    #[test]
    fn an_interrupt_and_a_limit_end_the_waiting() {
        let interrupt = never();
        let child = Child::start(&mut shell("exec sleep 1000"), None, &interrupt).unwrap();
        assert!(matches!(
            child.next_line(Duration::ZERO),
            Err(Stop::Failed(_))
        ));
        interrupt.0.store(true, Ordering::Relaxed);
        assert!(matches!(
            child.next_line(Duration::from_secs(1000)),
            Err(Stop::Interrupted)
        ));
        assert!(matches!(
            Child::start(&mut shell("true"), None, &interrupt),
            Err(Stop::Interrupted)
        ));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        match Child::start(&mut Command::new("/no/such/program"), None, &never()) {
            Err(Stop::Failed(told)) => assert!(told.starts_with("/no/such/program: "), "{told}"),
            _ => panic!("it started"),
        }
    }
}
