//! Opens many connections and holds them: what a server costs whose clients are silent.
//!
//! ```text
//! cargo run --release --example idle_army -- [ADDRESS | PORT] [--connections N] [--seconds N]
//! ```
//!
//! It connects to the address; a bare port means 127.0.0.1; without either it is 127.0.0.1:7000. It
//! opens 1,000 connections unless told otherwise, holds them for 60 seconds, and ends. Try it with
//! `ulimit -n 100000` in two terminals, `--example echo` in the one and
//! `--example idle_army -- --connections 90000` in the other, and look at the memory of the echo.
//!
//! What it shows: connecting at a pace that a backlog can bear, sources that are spread over 127.1.x.y
//! (one address has some 28,000 ports), and an end of descriptors that is no end of the program.

#[path = "common/mod.rs"]
mod common;

use common::Failure;
use common::output::{complain, say};
use netloop::{ConnectOptions, Error, Handler, Net, Reactor, Socket};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

/// So many are on their way at a time; a server's backlog has room for more.
const MOST_CONNECTING: usize = 100;
/// So many go out from one source address.
const PER_SOURCE: usize = 10_000;
const PROGRESS: Duration = Duration::from_secs(1);

struct Army {
    target: SocketAddr,
    wanted: usize,
    /// How many were sent out.
    begun: usize,
    connecting: usize,
    open: usize,
    lost: usize,
    /// Nobody is sent out any more.
    complete: bool,
    hold: Duration,
}

type Shared = Rc<RefCell<Army>>;

impl Army {
    fn report(&self, what: &str) {
        let Army { open, lost, .. } = self;
        say(format_args!("{what}: {open} open, {lost} lost"));
    }

    /// Where the next one comes from. Only on loopback are there addresses to choose from.
    fn options(&self) -> ConnectOptions {
        let options = ConnectOptions::from(self.target);
        match self.target.ip() {
            IpAddr::V4(ip) if ip.is_loopback() && cfg!(target_os = "linux") => {
                let source = (self.begun / PER_SOURCE) as u16;
                let [high, low] = source.to_be_bytes();
                options.local_address(Ipv4Addr::new(127, 1, high, low.wrapping_add(1)))
            }
            _ => options,
        }
    }
}

/// Sends out as many as may be on their way at a time. Once nobody is on the way any more, all of them
/// wait for the end.
fn go_on(net: &mut Net, army: &Shared) {
    while let Some(options) = next(army) {
        let soldier = Soldier {
            army: Rc::clone(army),
            connected: false,
        };
        if let Err(error) = net.connect(options, soldier) {
            failed(army, &error);
        }
    }
    let mut army = army.borrow_mut();
    if army.connecting == 0 && !army.complete {
        army.complete = true;
        army.report("all are there");
        net.set_timeout(army.hold, Net::stop);
    }
}

/// The next one to be sent out, unless enough are on their way, or all.
fn next(army: &Shared) -> Option<ConnectOptions> {
    let mut army = army.borrow_mut();
    if army.connecting == MOST_CONNECTING || army.begun == army.wanted {
        return None;
    }
    army.begun += 1;
    army.connecting += 1;
    Some(army.options())
}

/// One did not get through. Without descriptors no other will, either.
fn failed(army: &Shared, error: &Error) {
    let mut army = army.borrow_mut();
    army.connecting -= 1;
    army.lost += 1;
    if matches!(error.code(), "EMFILE" | "ENFILE") {
        army.wanted = army.begun;
    }
    if army.lost == 1 {
        complain(error); // the first tells enough
    }
}

struct Soldier {
    army: Shared,
    connected: bool,
}

impl Handler for Soldier {
    fn on_connect(&mut self, socket: &mut Socket<'_>) {
        self.connected = true;
        let mut army = self.army.borrow_mut();
        army.connecting -= 1;
        army.open += 1;
        drop(army);
        go_on(socket.net(), &self.army);
    }

    fn on_data(&mut self, _socket: &mut Socket<'_>, _data: &[u8]) {}

    fn on_error(&mut self, _socket: &mut Socket<'_>, error: &Error) {
        if !self.connected {
            failed(&self.army, error);
        }
    }

    fn on_close(&mut self, socket: &mut Socket<'_>, _had_error: bool) {
        if !self.connected {
            return go_on(socket.net(), &self.army); // it made room for another
        }
        let mut army = self.army.borrow_mut();
        army.open -= 1;
        army.lost += 1;
    }
}

fn hold(target: SocketAddr, words: Vec<String>) -> Result<(), Failure> {
    let (mut wanted, mut seconds) = (1000, 60);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--connections" => wanted = common::number(&word, words.next())?,
            "--seconds" => seconds = common::number(&word, words.next())?,
            _ => return Err(format!("what is {word}?").into()),
        }
    }
    let army = Rc::new(RefCell::new(Army {
        target,
        wanted,
        begun: 0,
        connecting: 0,
        open: 0,
        lost: 0,
        complete: false,
        hold: Duration::from_secs(seconds),
    }));
    let mut reactor = Reactor::new()?;
    let counted = Rc::clone(&army);
    let net = reactor.net();
    net.set_interval(PROGRESS, move |_net| counted.borrow().report("so far"));
    go_on(net, &army);
    reactor.run()?;
    army.borrow().report("at the end");
    Ok(())
}

fn main() -> ExitCode {
    common::run(
        "usage: idle_army [ADDRESS | PORT] [--connections N] [--seconds N]",
        hold,
    )
}
