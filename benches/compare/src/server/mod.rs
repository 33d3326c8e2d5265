//! What the servers written in Rust share: their arguments, how they say where they listen, and the
//! two pieces that raw epoll and mio leave to whoever writes the loop.

mod idle;
mod replies;

pub use idle::{IdleList, Links};
pub use replies::{Kept, Replies};

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

/// Peers that wait to be accepted. The kernel's own limit is smaller on most machines.
pub const BACKLOG: i32 = 4096;

/// One read takes that much at most; a line must be shorter.
pub const READ_BYTES: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub port: u16,
    pub idle_timeout: Option<Duration>,
    pub replies: Replies,
}

impl Arguments {
    /// On loopback only.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}

/// Reads the arguments and runs the server until it fails.
pub fn main(serve: impl FnOnce(Arguments) -> std::io::Result<()>) -> ExitCode {
    let arguments = match parse(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(mistake) => {
            eprintln!("{mistake}\nusage: PORT [--idle-timeout-ms N] [--lines [--gather]]");
            return ExitCode::from(2);
        }
    };
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Tells the runner that it may connect, and where: port 0 lets the system choose.
pub fn announce(address: SocketAddr) {
    println!("listening on {address}");
}

fn parse(words: impl Iterator<Item = OsString>) -> Result<Arguments, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut port, mut idle_timeout) = (None, None);
    let (mut lines, mut gather) = (false, false);
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("idle-timeout-ms") => {
                let millis: u64 = parser.value()?.parse()?;
                idle_timeout = (millis > 0).then(|| Duration::from_millis(millis));
            }
            Long("lines") => lines = true,
            Long("gather") => gather = true,
            Value(word) if port.is_none() => port = Some(word.parse()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let replies = match (lines, gather) {
        (false, false) => Replies::Bytes,
        (true, false) => Replies::LineByLine,
        (true, true) => Replies::LinesTogether,
        (false, true) => return Err("--gather is about lines, and wants --lines".into()),
    };
    Ok(Arguments {
        port: port.ok_or("which PORT?")?,
        idle_timeout,
        replies,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Arguments, String> {
        parse(words.split_whitespace().map(OsString::from)).map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn arguments_are_read() {
        let arguments = parsed("7000 --idle-timeout-ms 1500 --lines").unwrap();
        assert_eq!(arguments.address().to_string(), "127.0.0.1:7000");
        assert_eq!(arguments.idle_timeout, Some(Duration::from_millis(1500)));
        assert_eq!(arguments.replies, Replies::LineByLine);
        assert_eq!(
            parsed("0 --lines --gather").unwrap().replies,
            Replies::LinesTogether
        );
        assert_eq!(parsed("0 --idle-timeout-ms 0").unwrap().idle_timeout, None);
    }

    #[test]
    fn mistakes_are_told() {
        for words in [
            "",
            "70000",
            "0 1",
            "0 --gather",
            "0 --idle-timeout-ms",
            "0 --idle-timeout-ms x",
            "0 --fast",
        ] {
            assert!(parsed(words).is_err(), "{words}");
        }
    }
}
