//! Carries TCP connections to one of several servers, both ways.
//!
//! ```text
//! cargo run --release --example proxy -- ADDRESS | PORT UPSTREAM... [--connect-timeout-ms N]
//! ```
//!
//! An address is an IP address with a port; a bare port means 127.0.0.1. Try it with two echoes,
//! `--example echo -- 7001` and `--example echo -- 7002`, and then
//! `--example proxy -- 7000 7001 7002` and `nc 127.0.0.1 7000`.
//!
//! What it shows: [`pipe_both`](netloop::Net::pipe_both), which brings back-pressure, half-close and
//! resets from one side to the other. Clients take turns at the upstreams; where one cannot be
//! reached, or not in time (a second unless told otherwise), the next is tried, and a client that
//! none takes is reset. A client costs two descriptors: when there is none left for an upstream, its
//! client is reset as well, and those that are connected go on.

#[path = "common/mod.rs"]
mod common;

use common::Failure;
use common::output::complain;
use netloop::{ConnectOptions, Error, Handler, Net, Reactor, Socket, SocketId};
use std::cell::Cell;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

struct Route {
    upstreams: Vec<SocketAddr>,
    connect_timeout: Duration,
    /// Whose turn it is.
    turn: Cell<usize>,
}

impl Route {
    /// Connects `client`, which is paused, to the first upstream behind those tried that can be
    /// reached, in the order that begins with `first`.
    fn connect(self: &Rc<Self>, net: &mut Net, client: SocketId, first: usize, tried: usize) {
        for tried in tried..self.upstreams.len() {
            let to = self.upstreams[(first + tried) % self.upstreams.len()];
            // On this side as on the clients': no delay is added, and nobody who vanished is kept.
            let options = ConnectOptions::from(to)
                .connect_timeout(self.connect_timeout)
                .no_delay(true)
                .keep_alive(true)
                .keep_alive_initial_delay(common::KEEP_ALIVE);
            let upstream = Upstream {
                client,
                connected: false,
                route: Rc::clone(self),
                first,
                tried,
            };
            match net.connect(options, upstream) {
                Ok(_) => return,
                Err(error) => complain(error),
            }
        }
        if let Some(mut client) = net.socket(client) {
            client.reset_and_destroy(); // an end would look like an answer
        }
    }
}

/// Waits, without reading, until its upstream is there; then everything goes through the pipe.
struct Client;

impl Handler for Client {
    fn on_data(&mut self, _socket: &mut Socket<'_>, _data: &[u8]) {}
}

struct Upstream {
    client: SocketId,
    connected: bool,
    route: Rc<Route>,
    first: usize,
    tried: usize,
}

impl Handler for Upstream {
    fn on_connect(&mut self, socket: &mut Socket<'_>) {
        self.connected = true;
        let (upstream, net) = (socket.id(), socket.net());
        if net.pipe_both(self.client, upstream).is_err() {
            return socket.destroy(); // the client has gone meanwhile
        }
        if let Some(mut client) = net.socket(self.client) {
            client.resume();
        }
    }

    fn on_data(&mut self, _socket: &mut Socket<'_>, _data: &[u8]) {}

    fn on_error(&mut self, socket: &mut Socket<'_>, error: &Error) {
        if !self.connected {
            complain(error);
            let (net, tried) = (socket.net(), self.tried + 1);
            self.route.connect(net, self.client, self.first, tried);
        }
    }
}

const USAGE: &str = "usage: proxy ADDRESS | PORT UPSTREAM... [--connect-timeout-ms N]";

fn serve(address: SocketAddr, words: Vec<String>) -> Result<(), Failure> {
    let mut upstreams = Vec::new();
    let mut connect_timeout = Duration::from_secs(1);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--connect-timeout-ms" => {
                let millis: u64 = common::number(&word, words.next())?;
                connect_timeout = Duration::from_millis(millis);
            }
            _ if word.starts_with('-') => return Err(format!("unknown option {word}").into()),
            _ => upstreams.push(common::address(&word)?),
        }
    }
    if upstreams.is_empty() || connect_timeout.is_zero() {
        return Err("there has to be an upstream, and time to connect to it"
            .to_string()
            .into());
    }
    let route = Rc::new(Route {
        upstreams,
        connect_timeout,
        turn: Cell::new(0),
    });
    let mut reactor = Reactor::new()?;
    let server = reactor
        .net()
        .listen(common::listen_options(address), move |client| {
            client.pause(); // what it sends waits in the kernel
            let (id, first) = (client.id(), route.turn.get());
            route.turn.set((first + 1) % route.upstreams.len());
            route.connect(client.net(), id, first, 0);
            Client
        })?;
    common::announce(&server);
    Ok(reactor.run()?)
}

fn main() -> ExitCode {
    common::run(USAGE, serve)
}
