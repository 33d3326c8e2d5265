//! An HTTP/1.1 server that answers every request with the same 64 bytes.
//!
//! ```text
//! cargo run --release --example http -- [ADDRESS | PORT] [--headers-timeout-ms N] \
//!     [--idle-timeout-ms N] [--busy-poll-us N]
//! ```
//!
//! A bare port means 127.0.0.1; without either it is 127.0.0.1:7000. Unless told otherwise, the head of a
//! request has to be there a minute after its first bytes, and a client that is silent for a minute is
//! closed. With `--busy-poll-us` the loop polls for so many microseconds before it sleeps, as in the
//! example `kv`, which says what for. Try it with
//! `curl -i http://127.0.0.1:7000/` and `wrk -t1 -c50 http://127.0.0.1:7000/`.
//!
//! What it shows: requests that are parsed where they were read ([`request`]), pipelined ones among
//! them, whose answers leave in one call; bodies that are dropped as they come, of a length or in
//! chunks ([`body`]); and how to refuse a request so that the client gets to know why. A GET,
//! HEAD or POST of HTTP/1.1 that comes whole from a client that stays costs no allocation; what came in pieces is
//! put together, and every other answer is made for its request.

#[path = "../common/mod.rs"]
mod common;

mod body;
mod request;
mod response;

use body::{Body, Progress};
use common::Failure;
use netloop::{Handler, Reactor, Socket, TimerId};
use request::{MAX_HEAD_BYTES, Request};
use response::Responses;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

/// A client that says nothing for so long is closed, in the middle of a request or between two, unless told
/// otherwise.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a head may take from its first bytes on, unless told otherwise: each byte renews the idle
/// timeout, so that it alone would let one byte a minute keep a connection for days. Node has the same
/// (`server.headersTimeout`), and another one for bodies (`requestTimeout`), which this server has not.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a request is not served, and its connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    BadRequest,
    ContentTooLarge,
    HeadTooLarge,
    NotImplemented,
    RequestTimeout,
    VersionNotSupported,
}

struct Client {
    responses: Rc<RefCell<Responses>>,
    /// The request whose body is being read, if there is one.
    current: Option<(Request, Body)>,
    /// What has come of a head, or of a line between chunks. An idle client has none.
    begun: Vec<u8>,
    headers_timeout: Duration,
    /// Refuses the client, as long as half a head has come. Heads that come whole never have one.
    limit: Option<TimerId>,
}

/// What became of some bytes.
enum Step {
    Took(usize),
    /// They are a beginning.
    Waits,
    /// The connection is ended.
    Over,
}

impl Handler for Client {
    fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
        if self.begun.is_empty() {
            return self.take(socket, data);
        }
        let known = self.begun.len();
        self.begun.extend_from_slice(data);
        // A head that comes byte by byte is not parsed anew with each of them.
        let waits = self.current.is_none() && !request::may_end(&self.begun, known);
        if !waits {
            let begun = std::mem::take(&mut self.begun);
            self.take(socket, &begun);
        }
    }

    fn on_drain(&mut self, socket: &mut Socket<'_>) {
        socket.resume();
    }

    /// Half a head stays one, and our side ends behind the answers that are on their way.
    fn on_end(&mut self, socket: &mut Socket<'_>) {
        self.lift_limit(socket);
    }

    fn on_timeout(&mut self, socket: &mut Socket<'_>) {
        socket.destroy();
    }

    fn on_close(&mut self, socket: &mut Socket<'_>, _had_error: bool) {
        self.lift_limit(socket);
    }
}

impl Client {
    /// Serves the requests in `bytes` and keeps the beginning of one more.
    fn take(&mut self, socket: &mut Socket<'_>, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.step(socket, bytes) {
                Ok(Step::Took(taken)) => bytes = &bytes[taken..],
                Ok(Step::Waits) => {
                    self.begun = bytes.to_vec();
                    if self.current.is_none() {
                        self.limit_head(socket);
                    }
                    return;
                }
                Ok(Step::Over) => return,
                Err(refusal) => {
                    self.lift_limit(socket);
                    return refuse(socket, refusal, &self.responses);
                }
            }
            if socket.is_paused() {
                return socket.unread(bytes); // told again after `resume`
            }
        }
    }

    fn step(&mut self, socket: &mut Socket<'_>, bytes: &[u8]) -> Result<Step, Refusal> {
        if let Some((request, body)) = &mut self.current {
            let request = *request;
            return match body.read(bytes)? {
                Progress::Took(taken) => Ok(Step::Took(taken)),
                Progress::Waits => Ok(Step::Waits),
                Progress::Ended(taken) => {
                    self.current = None;
                    Ok(self.answer(socket, request, taken))
                }
            };
        }
        let Some((request, body, end)) = request::parse(bytes)? else {
            return match bytes.len() < MAX_HEAD_BYTES {
                true => Ok(Step::Waits),
                false => Err(Refusal::HeadTooLarge),
            };
        };
        self.lift_limit(socket);
        if body.is_empty() {
            return Ok(self.answer(socket, request, end));
        }
        if request.expects_continue {
            socket.write(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.current = Some((request, body));
        Ok(Step::Took(end))
    }

    /// Half a head has come. If it was less before, its time goes on.
    fn limit_head(&mut self, socket: &mut Socket<'_>) {
        if self.limit.is_some() {
            return;
        }
        let (id, responses) = (socket.id(), Rc::clone(&self.responses));
        let limit = socket.net().set_timeout(self.headers_timeout, move |net| {
            if let Some(mut socket) = net.socket(id) {
                refuse(&mut socket, Refusal::RequestTimeout, &responses);
            }
        });
        self.limit = Some(limit);
    }

    fn lift_limit(&mut self, socket: &mut Socket<'_>) {
        if let Some(limit) = self.limit.take() {
            socket.net().clear_timer(limit);
        }
    }

    /// Answers a request whose last byte is taken.
    fn answer(&mut self, socket: &mut Socket<'_>, request: Request, taken: usize) -> Step {
        let now = socket.net().now();
        let welcome = self.responses.borrow_mut().answer(socket, &request, now);
        if !request.keep_alive {
            common::take_leave(socket);
            return Step::Over;
        }
        if !welcome {
            socket.pause(); // it asks faster than it reads
        }
        Step::Took(taken)
    }
}

/// Says why, and ends: nobody knows where the next request begins.
fn refuse(socket: &mut Socket<'_>, refusal: Refusal, responses: &RefCell<Responses>) {
    let now = socket.net().now();
    responses.borrow_mut().refuse(socket, refusal, now);
    common::take_leave(socket);
}

/// The value of a timeout that cannot be turned off.
fn timeout(option: &str, word: Option<String>) -> Result<Duration, String> {
    match common::number(option, word)? {
        0 => Err(format!("{option} takes a number above 0")),
        millis => Ok(Duration::from_millis(millis)),
    }
}

const USAGE: &str = "usage: http [ADDRESS | PORT] [--headers-timeout-ms N] [--idle-timeout-ms N] \
                     [--busy-poll-us N]";

fn serve(address: SocketAddr, words: Vec<String>) -> Result<(), Failure> {
    let (mut headers_timeout, mut idle_timeout) = (HEADERS_TIMEOUT, IDLE_TIMEOUT);
    let mut busy_poll = Duration::ZERO;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--headers-timeout-ms" => headers_timeout = timeout(&word, words.next())?,
            "--idle-timeout-ms" => idle_timeout = timeout(&word, words.next())?,
            "--busy-poll-us" => {
                busy_poll = Duration::from_micros(common::number(&word, words.next())?)
            }
            _ => return Err(format!("what is {word}?").into()),
        }
    }
    let mut reactor = Reactor::new()?;
    reactor.net().set_busy_poll(busy_poll);
    // Who has vanished is found by the idle timeout.
    let options = common::listen_options(address).keep_alive(false);
    let responses = Rc::new(RefCell::new(Responses::new(reactor.net().now())));
    let server = reactor.net().listen(options, move |socket| {
        socket.set_timeout(idle_timeout);
        Client {
            responses: Rc::clone(&responses),
            current: None,
            begun: Vec::new(),
            headers_timeout,
            limit: None,
        }
    })?;
    common::announce(&server);
    Ok(reactor.run()?)
}

fn main() -> ExitCode {
    common::run(USAGE, serve)
}
