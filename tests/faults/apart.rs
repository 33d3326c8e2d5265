//! Tests in a process of their own: for limits, signal masks, descriptors that are counted, and
//! being stopped.

use std::fs::{self, File};
use std::io::{self, Write};
use std::process::{Child, Command};

const ROLE: &str = "NETLOOP_FAULT";

/// Runs `body` in a fresh process of this binary that runs nothing else. `shell` is what the process
/// is started behind: `ulimit -S -n 64 && exec`. `name` is the test's own, with its module.
#[track_caller]
pub(crate) fn apart(name: &str, shell: &str, body: impl FnOnce()) {
    if std::env::var(ROLE).as_deref() == Ok(name) {
        return body();
    }
    let output = command(name, name, shell).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{name}: {}\n{said}\n{complained}",
        output.status
    );
}

/// As [`apart`], in a network of its own, which has its own loopback device and what `setup`, a
/// command of the shell as root, makes of it; mounts are its own too. Where no such network may be
/// made, or `ip` is missing, that is said, and nothing is tested.
#[track_caller]
pub(crate) fn in_own_network(name: &str, setup: &str, body: impl FnOnce()) {
    let inside = format!("ip link set lo up && {setup}");
    if role().is_none() && !succeeds(&format!("unshare -rnm sh -c '{inside}'")) {
        return not_run(name, "no network of its own may be made");
    }
    let inside = format!("{inside} && exec \"$0\" \"$@\"");
    apart(name, &format!("exec unshare -rnm sh -c '{inside}'"), body);
}

/// Says that a test passes without having tried anything, since the machine does not permit it.
pub(crate) fn not_run(name: &str, why: &str) {
    // Not by the macro, whose words are kept back while a test passes.
    let _ = writeln!(io::stderr(), "{name} was not run: {why}");
}

/// Whether the shell can do this here.
pub(crate) fn succeeds(script: &str) -> bool {
    let output = Command::new("sh").args(["-c", script]).output();
    output.unwrap().status.success()
}

/// The command that runs the test `name` of this binary alone, in `role`.
pub(crate) fn command(name: &str, role: &str, shell: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{shell} \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(ROLE, role);
    command
}

/// What this process was started for by [`command`].
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A child process that does not outlive the test, whatever state it is in.
pub(crate) struct Kept(pub(crate) Child);

impl Kept {
    pub(crate) fn signal(&self, name: &str) {
        let script = format!("kill -{name} {}", self.0.id());
        assert!(
            Command::new("sh")
                .args(["-c", &script])
                .status()
                .unwrap()
                .success()
        );
    }

    /// The state in a letter, as proc(5) has it: `S` sleeping, `T` stopped.
    pub(crate) fn state(&self) -> char {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let (_, after_name) = stat.rsplit_once(") ").unwrap();
        after_name.chars().next().unwrap()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many descriptors this process has open.
pub(crate) fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count() - 1 // one is for reading the directory
}

/// Takes all descriptors but `spare` that the process may still have.
pub(crate) fn take_all_descriptors_but(spare: usize) -> Vec<File> {
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken.truncate(taken.len() - spare);
    taken
}
