//! What the examples have in common: where and how to listen, how to end, and how to take leave.
#![allow(dead_code)] // each example uses its own part

pub(crate) mod output;
mod words;

use netloop::{Error, Handler, ListenOptions, Server, Socket, TimerId};
use output::{complain, say};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// Why an example ends early.
pub(crate) enum Failure {
    /// Its arguments cannot be used, for the reason that is given.
    Usage(String),
    Failed(Error),
    /// Something else is in the way, which the words tell.
    Unable(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Failed(error)
    }
}

impl From<String> for Failure {
    fn from(mistake: String) -> Failure {
        Failure::Usage(mistake)
    }
}

/// Runs an example with the address that its first argument names, and with its other arguments.
/// Exits with 2 if they cannot be used, with 1 if anything else is in the way.
pub(crate) fn run(
    usage: &str,
    example: impl FnOnce(SocketAddr, Vec<String>) -> Result<(), Failure>,
) -> ExitCode {
    match with_arguments(usage, example) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(mistake)) => {
            complain(format_args!("{mistake}\n{usage}"));
            ExitCode::from(2)
        }
        Err(Failure::Failed(error)) => {
            complain(error);
            ExitCode::FAILURE
        }
        Err(Failure::Unable(reason)) => {
            complain(reason);
            ExitCode::FAILURE
        }
    }
}

fn with_arguments(
    usage: &str,
    example: impl FnOnce(SocketAddr, Vec<String>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut words = words::words()?;
    if words.iter().any(|word| word == "--help" || word == "-h") {
        say(usage);
        return Ok(());
    }
    let first = words.first().filter(|word| !word.starts_with('-'));
    let listen = match first {
        Some(_) => address(&words.remove(0))?,
        None => SocketAddr::from(([127, 0, 0, 1], 7000)),
    };
    example(listen, words)
}

/// An IP address with a port, or a port of 127.0.0.1.
pub(crate) fn address(word: &str) -> Result<SocketAddr, String> {
    match word.parse() {
        Ok(port) => Ok(SocketAddr::from(([127, 0, 0, 1], port))),
        Err(_) => word
            .parse()
            .map_err(|_| format!("{word} is neither an IP address with a port nor a port")),
    }
}

/// For an example that takes no more arguments.
pub(crate) fn no_more(words: &[String]) -> Result<(), String> {
    match words.first() {
        Some(word) => Err(format!("one address is enough, what is {word}?")),
        None => Ok(()),
    }
}

/// The value of an option, which is a number.
pub(crate) fn number<T: std::str::FromStr>(
    option: &str,
    word: Option<String>,
) -> Result<T, String> {
    let number = word.and_then(|word| word.parse().ok());
    number.ok_or_else(|| format!("{option} takes a number"))
}

/// A peer that is silent for so long is asked whether it is still there, ten times at most and a second
/// apart; without an answer its connection is over.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// How a server listens whose clients wait for what it says, and may be silent as long as they like.
///
/// Without a delay: TCP would keep a small piece until the peer has acknowledged the one before (Nagle's
/// algorithm), and the peer may take 40 ms for that, in the hope of something to send along.
///
/// With keep-alive: a peer whose cable was pulled sends neither an end nor a reset, and would have its
/// place for ever.
pub(crate) fn listen_options(address: SocketAddr) -> ListenOptions {
    ListenOptions::from(address)
        .no_delay(true)
        .keep_alive(true)
        .keep_alive_initial_delay(KEEP_ALIVE)
}

/// Says where a server listens: the port may be the system's choice.
pub(crate) fn announce(server: &Server<'_>) {
    if let Some(address) = server.address() {
        say(format_args!("listening on {address}"));
    }
}

/// What takes over when all is said: our side is ended, and what the peer still sends is dropped. Who
/// closes with bytes unread sends a reset, which may overtake the last reply.
struct Leaving {
    /// Destroys the socket. No idle timeout would do: each byte that the peer sends renews it.
    limit: TimerId,
}

/// So long a peer may take to read what was written last.
const LAST_WORDS: Duration = Duration::from_secs(60);
/// A peer that does not end its side behind ours is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends `socket` behind what was written.
pub(crate) fn take_leave(socket: &mut Socket<'_>) {
    socket.end();
    socket.set_timeout(Duration::ZERO);
    socket.resume(); // to see its end
    let limit = destroy_after(socket, LAST_WORDS);
    socket.set_handler(Leaving { limit });
}

fn destroy_after(socket: &mut Socket<'_>, time: Duration) -> TimerId {
    let id = socket.id();
    socket.net().set_timeout(time, move |net| {
        if let Some(mut socket) = net.socket(id) {
            socket.destroy();
        }
    })
}

impl Handler for Leaving {
    fn on_data(&mut self, _socket: &mut Socket<'_>, _data: &[u8]) {}

    fn on_finish(&mut self, socket: &mut Socket<'_>) {
        socket.net().clear_timer(self.limit);
        self.limit = destroy_after(socket, PATIENCE);
    }

    fn on_close(&mut self, socket: &mut Socket<'_>, _had_error: bool) {
        socket.net().clear_timer(self.limit);
    }
}
