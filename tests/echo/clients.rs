//! The example among clients that others wrote: a stream of known bytes goes through each, ends on
//! their side first, and comes back whole.
//!
//! A client that is not installed is skipped, and said so: only Rust is needed to run the tests.
//! With `CI=true` in the environment it fails instead, so that a green run has tried all of them.

use crate::example;
use crate::support::example::installed;
use crate::support::{PATIENCE, Process};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;

/// A debug build is too slow for a gibibyte through every client in every run.
const BYTES: usize = if cfg!(debug_assertions) {
    64 << 20
} else {
    1 << 30
};

/// Bytes that tell their place repeat after so many: a prime, so that no lost block goes unseen.
const PERIOD: usize = 251;

#[test]
fn netcat_gets_every_byte_back() {
    if !installed("nc", "-h", "OpenBSD netcat") {
        return;
    }
    let echo = example::start();
    let (host, port) = (echo.address.ip().to_string(), echo.address.port());
    let patience = PATIENCE.as_secs().to_string();
    let mut netcat = Process(
        Command::new("nc")
            .args(["-N", "-w", &patience, &host, &port.to_string()]) // -N: a FIN behind its input
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut input = netcat.0.stdin.take().expect("a pipe");
    let mut output = netcat.0.stdout.take().expect("a pipe");
    let known: Vec<u8> = (0..PERIOD + 65_536).map(|at| (at % PERIOD) as u8).collect();
    let block = &known[..PERIOD * 256];
    let mut back = 0;
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut left = BYTES;
            while left > 0 {
                let bytes = left.min(block.len());
                input.write_all(&block[..bytes]).unwrap();
                left -= bytes;
            }
        });
        let mut buffer = vec![0; 65_536];
        loop {
            let bytes = output.read(&mut buffer).unwrap();
            if bytes == 0 {
                break;
            }
            let due = &known[back % PERIOD..][..bytes];
            assert!(buffer[..bytes] == *due, "wrong bytes after {back}");
            back += bytes;
        }
    });
    assert_eq!(back, BYTES);
    assert!(netcat.0.wait().unwrap().success());
}

#[test]
fn a_client_on_nodes_net_gets_every_byte_back() {
    if installed("node", "--version", "v") {
        run("node", "tests/echo/client.js");
    }
}

#[test]
fn a_python_client_gets_every_byte_back() {
    if installed("python3", "--version", "Python 3") {
        run("python3", "tests/echo/client.py");
    }
}

/// Runs a script that is a client: `HOST PORT BYTES` are its arguments, and it exits 0 if all is
/// well.
fn run(interpreter: &str, script: &str) {
    let echo = example::start();
    let output = Command::new(interpreter)
        .arg(script)
        .arg(echo.address.ip().to_string())
        .arg(echo.address.port().to_string())
        .arg(BYTES.to_string())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {words}", output.status);
}
