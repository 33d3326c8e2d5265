//! Keys and values in memory, for clients of Redis.
//!
//! ```text
//! cargo run --release --example kv -- [ADDRESS | PORT] [--busy-poll-us N]
//! ```
//!
//! A bare port means 127.0.0.1; without either it is 127.0.0.1:7000. Try it with
//! `redis-cli -p 7000 set greeting hello` and `redis-benchmark -p 7000 -t get,set -P 16`.
//!
//! With `--busy-poll-us` the loop polls for so many microseconds before it sleeps (none, unless told
//! otherwise). That takes processor time, and spares a client the cost of waking a server that sleeps,
//! which its send has to pay: with a load generator that is at its limit the rate rises.
//!
//! What it shows: a protocol with frames of its own ([`resp`]), replies that gather until the handler
//! returns, one state for all connections without a lock ([`store`]), and a timer of the loop for
//! each key that expires. It knows seventeen commands ([`commands`]), keeps no more than the
//! process lives, and has no limit for all values together: it is not for strangers.

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod resp;
mod store;

use common::Failure;
use netloop::frame::Framed;
use netloop::{Handler, Reactor, Socket};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use store::Store;

struct Client {
    store: Store,
}

impl Handler for Client {
    fn on_data(&mut self, socket: &mut Socket<'_>, frame: &[u8]) {
        match resp::parse(frame) {
            Ok(request) => commands::run(&self.store, socket, &request),
            Err(mistake) => {
                resp::error(socket, &format!("ERR Protocol error: {mistake}"));
                common::take_leave(socket); // nobody knows where the next request begins
            }
        }
        // Not once leave was taken: behind an end no drain comes, and none is needed.
        if socket.writable_need_drain() {
            socket.pause(); // it asks faster than it reads: the next request waits
        }
    }

    fn on_drain(&mut self, socket: &mut Socket<'_>) {
        socket.resume();
    }
}

fn serve(address: SocketAddr, words: Vec<String>) -> Result<(), Failure> {
    let mut busy_poll = Duration::ZERO;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--busy-poll-us" => {
                busy_poll = Duration::from_micros(common::number(&word, words.next())?)
            }
            _ => return Err(format!("what is {word}?").into()),
        }
    }
    let mut reactor = Reactor::new()?;
    reactor.net().set_busy_poll(busy_poll);
    // A reply is written in pieces, and the one behind the largest value may not find the cap reached.
    let options =
        common::listen_options(address).write_cap(Some(2 * resp::MAX_STRING_BYTES as usize));
    let store = Store::default();
    let server = reactor.net().listen(options, move |_socket| {
        let store = store.clone();
        Framed::new(resp::Requests::default(), Client { store })
            .max_frame_bytes(resp::MAX_REQUEST_BYTES)
    })?;
    common::announce(&server);
    Ok(reactor.run()?)
}

fn main() -> ExitCode {
    common::run("usage: kv [ADDRESS | PORT] [--busy-poll-us N]", serve)
}
