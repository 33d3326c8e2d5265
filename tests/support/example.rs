//! An example as a child process, and what the system says of it.

use super::{Process, plain_peer};
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::Once;

/// A running example that has printed where it listens.
pub struct Example {
    process: Process,
    stdout: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

impl Example {
    pub fn start(name: &str, arguments: &[&str]) -> Example {
        Example::listening(&mut example_command(None, name, arguments))
    }

    /// As [`start`](Example::start), with room for so many descriptors.
    pub fn start_with_descriptors(most: u32, name: &str, arguments: &[&str]) -> Example {
        Example::listening(&mut example_command(Some(most), name, arguments))
    }

    fn listening(command: &mut Command) -> Example {
        let (process, mut stdout) = spawn(command, Stdio::inherit());
        let line = next_line(&mut stdout);
        let address = line.strip_prefix("listening on ").map(str::trim_end);
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        Example {
            process,
            stdout,
            address,
        }
    }

    /// Starts one that should refuse its arguments; answers with its exit code and its last words.
    pub fn refused(name: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = example_command(None, name, arguments);
        let (mut process, mut stdout) = spawn(&mut command, Stdio::piped());
        let line = next_line(&mut stdout);
        assert_eq!(line, "", "{arguments:?} were not refused");
        let mut words = String::new();
        let mut stderr = process.0.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut words).unwrap();
        (process.0.wait().unwrap().code(), words)
    }

    /// What it prints next. Waits for it, and is empty if the process has ended.
    pub fn next_line(&mut self) -> String {
        next_line(&mut self.stdout)
    }

    pub fn connect(&self) -> TcpStream {
        plain_peer(self.address)
    }

    /// Memory of the process in KiB, nearly: `VmRSS` now, `VmHWM` at its highest.
    #[cfg(target_os = "linux")]
    pub fn memory_kib(&self, field: &str) -> u64 {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Processor time of the process so far, in ticks, which are hundredths of a second.
    #[cfg(target_os = "linux")]
    pub fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(self.proc("stat")).unwrap();
        let (_name, fields) = stat.rsplit_once(") ").unwrap();
        let times = fields.split_whitespace().skip(11).take(2); // user's and system's (proc(5))
        times.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    /// Descriptors that the process has open.
    #[cfg(target_os = "linux")]
    pub fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).unwrap().count()
    }

    #[cfg(target_os = "linux")]
    fn proc(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.process.0.id()).into()
    }
}

/// Runs one to its end, which it has to come to by itself.
pub fn run(name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(path_of(name));
    let command = command.args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

/// Starts one whose output is to be read once it has ended.
pub fn start(name: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(path_of(name));
    let command = command.args(arguments).stdin(Stdio::null());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// What starts an example, with room for no more than so many descriptors if that is said.
pub fn example_command(most: Option<u32>, name: &str, arguments: &[&str]) -> Command {
    let mut command = match most {
        None => Command::new(path_of(name)),
        Some(most) => {
            let mut shell = Command::new("sh");
            let limited = format!("ulimit -n {most} && exec \"$0\" \"$@\"");
            shell.arg("-c").arg(limited).arg(path_of(name));
            shell
        }
    };
    command.args(arguments);
    command
}

fn spawn(command: &mut Command, stderr: Stdio) -> (Process, BufReader<ChildStdout>) {
    let command = command.stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(stderr).spawn();
    let mut process = Process(child.unwrap());
    let stdout = process.0.stdout.take().expect("a pipe");
    (process, BufReader::new(stdout))
}

fn next_line(stdout: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    line
}

/// Whether a program that others wrote is there: it answers `question` with something that holds
/// `answer`. If not, says so, and fails with `CI=true` in the environment, so that a green run has
/// tried all of them.
pub fn installed(program: &str, question: &str, answer: &str) -> bool {
    let output = Command::new(program).arg(question).output();
    let known = output.is_ok_and(|output| {
        let words = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&words).contains(answer)
    });
    if !known {
        let missing = format!("{program} is not installed ({question} should say {answer:?})");
        assert!(!env::var("CI").is_ok_and(|ci| ci == "true"), "{missing}");
        // Not by the macro, whose words are kept back while a test passes.
        let _ = writeln!(io::stderr(), "skipped: {missing}");
    }
    known
}

/// For the output of a child: every write fails.
#[cfg(target_os = "linux")] // which has /dev/full
pub fn deaf() -> Stdio {
    let full = fs::File::options().write(true).open("/dev/full");
    full.unwrap().into()
}

/// Where Cargo puts examples: beside the directory of this test binary.
fn path_of(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let example = profile.join("examples").join(name);
    assert!(
        example.exists(),
        "{} is missing: `cargo test` builds it, `cargo test --test` with one name does not; \
         run `cargo build --example {name}`, with --release if the tests are",
        example.display()
    );
    tell_if_stale(&example);
    example
}

/// Says once if an example is older than a file that it was made of: `cargo test --test` with one name does
/// not build it anew. No failure, since somebody may save a file while all the tests run.
fn tell_if_stale(example: &Path) {
    static TOLD: Once = Once::new();

    // Cargo leaves a rule beside it, as make would read it: the example, a colon, and the files. A path
    // with a space in it falls apart into what is no file, and is passed over.
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
    let rule = fs::read_to_string(example.with_extension("d"));
    let (Ok(built), Ok(rule)) = (changed(example), rule) else {
        return;
    };
    let newer = |file: &&str| changed(Path::new(file)).is_ok_and(|changed| changed > built);
    if let Some(file) = rule.split_whitespace().skip(1).find(newer) {
        let example = example.display();
        let stale = format!("stale: {example} is older than {file}; run `cargo build --examples`");
        // Not by the macro, whose words are kept back while a test passes.
        TOLD.call_once(|| drop(writeln!(io::stderr(), "{stale}")));
    }
}
