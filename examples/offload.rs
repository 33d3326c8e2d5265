//! Answers questions that take a while, without keeping anybody else waiting.
//!
//! ```text
//! cargo run --release --example offload -- [ADDRESS | PORT]
//! ```
//!
//! A bare port means 127.0.0.1; without either it is 127.0.0.1:7000. A question is a line: a number of
//! milliseconds, for how slow the business is, and words. The answer is the words backwards. Try it with
//! `nc 127.0.0.1 7000` and `2000 hello`, and leave before the two seconds are over. A client that ends
//! its side (`nc -N` at the end of its input) has left too: sockets are not half-open by default.
//!
//! One question of a client is under way at a time, so that nobody fills the queue of work. But its four
//! threads are everybody's: four slow questions keep all other answers waiting (never the loop), and they
//! go on when who asked has left.

#[path = "common/mod.rs"]
mod common;

use common::Failure;
use common::output::say;
use netloop::frame::{Framed, Lines};
use netloop::{Handler, Reactor, Socket};
use std::cell::Cell;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

/// A line that is longer than this, its end included, is no question.
const LONGEST_LINE_BYTES: usize = 4096;

/// No question takes longer: four that took for ever would be all that is ever answered.
const LONGEST_BUSINESS: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Client {
    /// Whether a question is under way.
    asked: Rc<Cell<bool>>,
}

impl Handler for Client {
    fn on_data(&mut self, socket: &mut Socket<'_>, line: &[u8]) {
        if self.asked.get() || socket.writable_need_drain() {
            // Not paused any earlier: nobody tells a paused socket that its peer has left.
            socket.unread(&[line, b"\n"].concat()); // told again after `resume`
            return socket.pause();
        }
        self.ask(socket, String::from_utf8_lossy(line).into_owned());
    }

    fn on_drain(&mut self, socket: &mut Socket<'_>) {
        socket.resume();
    }
}

impl Client {
    fn ask(&self, socket: &mut Socket<'_>, question: String) {
        self.asked.set(true);
        let asked = Rc::clone(&self.asked);
        let (id, peer) = (socket.id(), socket.peer_address());
        let work = move || business(&question); // on a thread of its own
        socket.net().offload(work, move |net, answer| {
            asked.set(false);
            // Back on the loop. The client may have gone, and its slot may hold another: the id knows.
            let Some(mut socket) = net.socket(id).filter(|socket| socket.writable()) else {
                return match peer {
                    Some(peer) => say(format_args!("too late for {peer}")),
                    None => say("too late"),
                };
            };
            let answer = answer.unwrap_or_else(|error| format!("{error}\n"));
            if socket.write(answer.as_bytes()) {
                socket.resume(); // else at `drain`: it asks more than it reads
            }
        });
    }
}

/// Stands for a query, a file, a sum that takes long. Knows nothing of sockets.
fn business(question: &str) -> String {
    let (millis, words) = question.trim().split_once(' ').unwrap_or(("0", question));
    let time = Duration::from_millis(millis.parse().unwrap_or(0));
    std::thread::sleep(time.min(LONGEST_BUSINESS));
    let mut answer: String = words.trim().chars().rev().collect();
    answer.push('\n');
    answer
}

fn serve(address: SocketAddr, words: Vec<String>) -> Result<(), Failure> {
    common::no_more(&words)?;
    let mut reactor = Reactor::new()?;
    // The threads' way back costs a descriptor once. The first question may come when clients have them all.
    reactor.net().remote()?;
    let options = common::listen_options(address);
    let server = reactor.net().listen(options, |_socket| {
        Framed::new(Lines::new(), Client::default()).max_frame_bytes(LONGEST_LINE_BYTES)
    })?;
    common::announce(&server);
    Ok(reactor.run()?)
}

fn main() -> ExitCode {
    common::run("usage: offload [ADDRESS | PORT]", serve)
}
