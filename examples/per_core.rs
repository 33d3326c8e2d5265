//! One reactor on each of several threads, all on one port: an echo that uses more than one core.
//!
//! ```text
//! cargo run --release --example per_core -- [ADDRESS | PORT] [--threads N]
//! ```
//!
//! A bare port means 127.0.0.1; without either it is 127.0.0.1:7000. There are as many threads as
//! cores unless told otherwise. After Enter or, with `--features signal`, Ctrl-C it ends and prints
//! what each thread has done. Try it with `nc 127.0.0.1 7000` several times, and see which thread each
//! of them met.
//!
//! It reads the keyboard, which a terminal forbids what runs in its background (`&`): there it needs
//! `</dev/null`, and only Ctrl-C or an end by force ends it.
//!
//! What it shows: the kernel spreads connections over sockets that share a port (`SO_REUSEPORT`), so
//! that the loops share nothing at all. Each leaves a [`Remote`] behind, by which it is stopped.

#[path = "common/mod.rs"]
mod common;

use common::Failure;
use common::output::say;
use netloop::{Handler, Net, Reactor, Remote, Socket, Stats};
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread::{self, JoinHandle};

struct Echo;

impl Handler for Echo {
    fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
        if !socket.write(data) {
            socket.pause();
        }
    }

    fn on_drain(&mut self, socket: &mut Socket<'_>) {
        socket.resume();
    }
}

/// Listens beside the others; answers where.
fn listen(net: &mut Net, address: SocketAddr) -> netloop::Result<Option<SocketAddr>> {
    let options = common::listen_options(address).reuse_port(true);
    let server = net.listen(options, |_socket| Echo)?;
    Ok(server.address().and_then(|address| address.as_inet()))
}

/// A loop on a thread of its own, which answers with its counters once it is stopped.
struct Worker {
    remote: Remote,
    thread: JoinHandle<netloop::Result<Stats>>,
}

/// A reactor belongs to the thread that made it, so each is made over there, and only what may cross
/// threads comes back.
fn start(address: SocketAddr) -> Result<Worker, Failure> {
    let (ready, wait) = std::sync::mpsc::channel();
    let thread = spawn(move || {
        let mut reactor = Reactor::new()?;
        listen(reactor.net(), address)?;
        let _ = ready.send(reactor.net().remote()?);
        reactor.run()?;
        Ok(reactor.net().stats())
    })?;
    match wait.recv() {
        Ok(remote) => Ok(Worker { remote, thread }),
        Err(_) => Err(join(thread).err().unwrap_or_else(ended_by_itself)),
    }
}

/// Runs on a thread of its own, if the system has one: `thread::spawn` would panic.
fn spawn<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    let spawned = thread::Builder::new().spawn(run);
    spawned.map_err(|error| Failure::Unable(format!("no thread could be started: {error}")))
}

fn join(thread: JoinHandle<netloop::Result<Stats>>) -> Result<Stats, Failure> {
    Ok(thread.join().map_err(|_| ended_by_itself())??)
}

fn ended_by_itself() -> Failure {
    Failure::Unable("a thread has ended by itself".to_string())
}

/// At Enter the first loop stops, and then stops the others. Without a keyboard there is no Enter.
fn stop_at_enter(first: Remote) -> Result<(), Failure> {
    spawn(move || {
        if io::stdin()
            .read_line(&mut String::new())
            .is_ok_and(|bytes| bytes > 0)
        {
            first.stop();
        }
    })?;
    Ok(())
}

/// At Ctrl-C as well.
#[cfg(feature = "signal")]
fn stop_at_signal(net: &mut Net) -> netloop::Result<()> {
    net.on_signal(netloop::signal::SIGINT, Net::stop)?;
    Ok(())
}

#[cfg(not(feature = "signal"))]
fn stop_at_signal(_net: &mut Net) -> netloop::Result<()> {
    Ok(())
}

fn serve(address: SocketAddr, words: Vec<String>) -> Result<(), Failure> {
    let mut threads = thread::available_parallelism().map_or(1, usize::from);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--threads" => threads = common::number(&word, words.next())?,
            _ => return Err(format!("what is {word}?").into()),
        }
    }
    if !(1..=1024).contains(&threads) {
        return Err("--threads takes a number from 1 to 1024".to_string().into());
    }

    // The first runs here, and is first: port 0 becomes a port that the others can share.
    let mut reactor = Reactor::new()?;
    let net = reactor.net();
    let address = listen(net, address)?.unwrap_or(address);
    let others = (1..threads).map(|_| start(address));
    let others = others.collect::<Result<Vec<Worker>, Failure>>()?;
    stop_at_signal(net)?;
    stop_at_enter(net.remote()?)?;
    say(format_args!("listening on {address}"));
    reactor.run()?;

    others.iter().for_each(|worker| worker.remote.stop());
    print(0, &reactor.net().stats());
    for (number, worker) in others.into_iter().enumerate() {
        print(number + 1, &join(worker.thread)?);
    }
    Ok(())
}

fn print(thread: usize, stats: &Stats) {
    say(format_args!(
        "thread {thread}: {} connections, {} turns, {} system calls",
        stats.accepted,
        stats.turns,
        stats.syscalls.total()
    ));
}

const USAGE: &str = "usage: per_core [ADDRESS | PORT] [--threads N]
Enter ends it; in the background of a terminal (&) it needs </dev/null, or the terminal stops it";

fn main() -> ExitCode {
    common::run(USAGE, serve)
}
