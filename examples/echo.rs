//! Sends back whatever it gets.
//!
//! ```text
//! cargo run --release --example echo -- [ADDRESS | PORT] [--idle-timeout-ms N] [--lines]
//! ```
//!
//! With `--lines` it waits for whole lines and answers each with a `write` of its own, as a protocol of
//! requests would; the replies to what came together leave together all the same. A line must be shorter
//! than 64 KiB.
//!
//! A bare port means 127.0.0.1; without either it is 127.0.0.1:7000. Port 0 lets the system choose,
//! and the line that is printed says what it chose. Try it with `nc 127.0.0.1 7000`.

#[path = "common/output.rs"]
mod output;
#[path = "common/words.rs"]
mod words;

use netloop::{Acceptor, Error, Handler, ListenOptions, Reactor, Server, Socket};
use output::{complain, say};
use std::cell::OnceCell;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

struct Echo;

impl Handler for Echo {
    fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
        if !socket.write(data) {
            socket.pause(); // the peer sends faster than it reads
        }
    }

    fn on_drain(&mut self, socket: &mut Socket<'_>) {
        socket.resume();
    }

    fn on_timeout(&mut self, socket: &mut Socket<'_>) {
        socket.destroy(); // end() would wait for a peer that may never close
    }
}

/// Sends back line by line.
///
/// By hand, where `netloop::frame` would do: it is measured beside servers of other libraries, which cut
/// their lines by hand as well (`benches/compare`).
#[derive(Default)]
struct Lines {
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
}

/// A peer that sends so much without a newline would be kept in memory for ever.
const LONGEST_LINE: usize = 64 * 1024;

impl Handler for Lines {
    fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
        let mut welcome = true;
        for piece in data.split_inclusive(|&byte| byte == b'\n') {
            if self.begun.len() + piece.len() > LONGEST_LINE {
                let error = io::Error::new(io::ErrorKind::InvalidData, "the line is too long");
                return socket.destroy_with(error);
            }
            if !piece.ends_with(b"\n") {
                self.begun.extend_from_slice(piece);
            } else if self.begun.is_empty() {
                welcome = socket.write(piece);
            } else {
                self.begun.extend_from_slice(piece);
                welcome = socket.write(&self.begun);
                self.begun = Vec::new(); // an idle peer costs nothing
            }
        }
        if !welcome {
            socket.pause(); // the peer sends faster than it reads
        }
    }

    fn on_drain(&mut self, socket: &mut Socket<'_>) {
        socket.resume();
    }

    fn on_timeout(&mut self, socket: &mut Socket<'_>) {
        socket.destroy();
    }
}

/// Says where the server listens, once it does: a host by name is looked up first.
struct Door {
    idle_timeout: Duration,
    lines: bool,
    /// Why it never did.
    failed: Rc<OnceCell<Error>>,
}

impl Acceptor for Door {
    fn on_listening(&mut self, server: &mut Server<'_>) {
        if let Some(address) = server.address() {
            say(format_args!("listening on {address}"));
        }
    }

    fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler> {
        socket.set_timeout(self.idle_timeout);
        match self.lines {
            true => Box::new(Lines::default()),
            false => Box::new(Echo),
        }
    }

    fn on_error(&mut self, server: &mut Server<'_>, error: &Error) {
        if !server.listening() {
            let _ = self.failed.set(error.clone()); // the only one: the server is over
        }
    }
}

const USAGE: &str = "usage: echo [ADDRESS | PORT] [--idle-timeout-ms N] [--lines]";

struct Arguments {
    address: String,
    idle_timeout: Duration,
    lines: bool,
}

fn main() -> ExitCode {
    let words = words::words();
    let asks = |words: &Vec<String>| words.iter().any(|word| word == "--help" || word == "-h");
    if words.as_ref().is_ok_and(asks) {
        say(USAGE);
        return ExitCode::SUCCESS;
    }
    let arguments = match words.and_then(|words| parse(words.into_iter())) {
        Ok(arguments) => arguments,
        Err(mistake) => {
            complain(format_args!("{mistake}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: Arguments) -> netloop::Result<()> {
    let failed = Rc::default();
    let door = Door {
        idle_timeout: arguments.idle_timeout,
        lines: arguments.lines,
        failed: Rc::clone(&failed),
    };
    let mut reactor = Reactor::new()?;
    // What is echoed shall not wait until the peer has acknowledged what was echoed before.
    let options = ListenOptions::from(&arguments.address).no_delay(true);
    reactor.net().listen_with(options, door)?;
    reactor.run()?;
    match failed.get() {
        Some(error) => Err(error.clone()),
        None => Ok(()),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut address = None;
    let mut idle_timeout = Duration::ZERO; // none
    let mut lines = false;
    while let Some(word) = words.next() {
        if word == "--idle-timeout-ms" {
            let millis = words.next().and_then(|word| word.parse().ok());
            let millis = millis.ok_or("--idle-timeout-ms takes a number of milliseconds")?;
            idle_timeout = Duration::from_millis(millis);
        } else if word == "--lines" {
            lines = true;
        } else if word.starts_with('-') {
            return Err(format!("unknown option {word}"));
        } else if address.is_some() {
            return Err(format!("one address is enough, what is {word}?"));
        } else if word.parse::<u16>().is_ok() {
            address = Some(format!("127.0.0.1:{word}"));
        } else {
            address = Some(word);
        }
    }
    Ok(Arguments {
        address: address.unwrap_or_else(|| "127.0.0.1:7000".to_string()),
        idle_timeout,
        lines,
    })
}
