//! The example as a child process, and what the system says of it.

use crate::support::{Process, plain_peer};
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A running echo server.
pub(crate) struct Echo {
    process: Process,
    pub(crate) address: SocketAddr,
}

impl Echo {
    /// Starts it on a free port of 127.0.0.1.
    pub(crate) fn start() -> Echo {
        Echo::start_with(&["0"])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Echo {
        let mut process = spawn(arguments, Stdio::inherit());
        let line = first_line(&mut process);
        let address = line.strip_prefix("listening on ").map(str::trim_end);
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        Echo { process, address }
    }

    /// Starts one that should refuse its arguments; answers with its exit code and its last words.
    pub(crate) fn refused(arguments: &[&str]) -> (Option<i32>, String) {
        let mut process = spawn(arguments, Stdio::piped());
        let line = first_line(&mut process);
        assert_eq!(line, "", "{arguments:?} were not refused");
        let mut words = String::new();
        let mut stderr = process.0.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut words).unwrap();
        (process.0.wait().unwrap().code(), words)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        plain_peer(self.address)
    }

    /// Memory of the process in KiB: `VmRSS` now, `VmHWM` at its highest.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory_kib(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Descriptors that the process has open.
    #[cfg(target_os = "linux")]
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(self.proc("fd")).unwrap().count()
    }

    #[cfg(target_os = "linux")]
    fn proc(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.process.0.id()).into()
    }
}

fn spawn(arguments: &[&str], stderr: Stdio) -> Process {
    let mut command = Command::new(example());
    let command = command.args(arguments).stdin(Stdio::null());
    Process(
        command
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap(),
    )
}

/// Empty if the process ends without a word.
fn first_line(process: &mut Process) -> String {
    let stdout = process.0.stdout.take().expect("a pipe");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    line
}

/// Where Cargo puts examples: beside the directory of this test binary.
fn example() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let example = profile.join("examples").join("echo");
    assert!(
        example.exists(),
        "{} is missing: `cargo test` builds it, `cargo test --test echo` does not; \
         run `cargo build --example echo`, with --release if the tests are",
        example.display()
    );
    example
}
