//! How long is the longest turn of an accept storm, with tables that grow and with tables that have?
//!
//! Load: 16,000 connections, one after the other as fast as they are made, to a server in a process of
//! its own, which gives each an idle timeout; five storms each. The process has one thread, or a
//! second one that sleeps: with two, the kernel has to be careful when it grows the table of
//! descriptors. Unit: milliseconds of the longest turn of a storm, its sleep not counted; the least, the
//! median and the greatest of the five, and seconds for a storm. A turn in which the scheduler
//! gave the core to somebody else is long, too: the least is the figure to compare.

use super::measure::{LOOPS, Times, measures, stay_on};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use netloop::{ListenOptions, Reactor, handler_fn};
use socket2::{Domain, Socket, Type};
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The role in which this program is the server.
pub(crate) const SERVER: &str = "--storm-server";

const SOCKETS: usize = 16_000;
const STORMS: usize = 5;
/// What a storm may take: no run is longer.
const MOST: Duration = Duration::from_secs(60);

pub(crate) fn run() {
    println!("reserve: the longest turn of a storm   least    median  greatest     storm");
    println!("                                          ms        ms        ms         s");
    for threads in ["1", "2"] {
        for reserved in ["grown", "reserved"] {
            let (storms, sockets) = if measures() {
                (STORMS, SOCKETS)
            } else {
                (1, 16)
            };
            let storms: io::Result<Vec<_>> = (0..storms)
                .map(|_| storm(reserved, threads, sockets))
                .collect();
            let what = format!("{reserved}, threads: {threads}");
            match storms {
                Ok(storms) => {
                    let (longest, all) = storms.into_iter().unzip();
                    let (longest, all) = (Times::of(longest), Times::of(all));
                    let millis = |share| longest.at(share).as_secs_f64() * 1e3;
                    let columns = [0.0, 0.5, 1.0].map(|share| format!("{:>9.2}", millis(share)));
                    let all = all.at(0.5).as_secs_f64();
                    println!("  {what:<30} {} {all:>9.2}", columns.join(" "));
                }
                Err(error) => println!("  {what:<30} {error}"),
            }
        }
    }
}

/// Lets a server of its own take a storm; how long its longest turn was, and all of it.
fn storm(reserved: &str, threads: &str, sockets: usize) -> io::Result<(Duration, Duration)> {
    let mut server = Command::new(std::env::current_exe()?)
        .args([SERVER, reserved, threads, &sockets.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(server.stdout.take().expect("a pipe")).lines();
    let mut next = || said.next().unwrap_or_else(|| Ok(String::new()));
    let outcome = (|| {
        let address: SocketAddr = next()?.parse().map_err(io::Error::other)?;
        let begun = Instant::now();
        let mut peers = Vec::new();
        for peer in 0..sockets {
            peers.push(connect(peer, address)?);
        }
        let longest = next()?.parse().map_err(io::Error::other)?;
        Ok((Duration::from_nanos(longest), begun.elapsed()))
    })();
    if outcome.is_err() {
        let _ = server.kill();
    }
    server.wait()?; // which closes its input first
    outcome
}

/// A connection that takes no port from anybody: it ends with a reset, since after a FIN its port would be
/// kept for a minute, and comes from one of many addresses of loopback.
fn connect(peer: usize, address: SocketAddr) -> io::Result<TcpStream> {
    let from = Ipv4Addr::new(127, 1, (peer % 8) as u8, (peer / 8 % 250) as u8 + 1);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&address.into())?;
    Ok(socket.into())
}

/// The server's side: prints where it listens, then the nanoseconds of the longest turn.
pub(crate) fn serve(arguments: &[String]) -> ExitCode {
    let asked = match arguments {
        [reserved, threads, sockets] => sockets.parse().ok().map(|it| (reserved, threads, it)),
        _ => None,
    };
    let Some((reserved, threads, sockets)) = asked else {
        eprintln!("usage: latency {SERVER} grown|reserved 1|2 SOCKETS");
        return ExitCode::from(2);
    };
    match take_storm(reserved == "reserved", threads == "2", sockets) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn take_storm(reserved: bool, second_thread: bool, sockets: usize) -> io::Result<()> {
    stay_on(LOOPS);
    let (stop, stopped) = mpsc::channel::<()>();
    let sleeper = second_thread.then(|| thread::spawn(move || stopped.recv()));
    let mut reactor = Reactor::new()?;
    if reserved {
        reactor.net().reserve(sockets)?;
    }
    let options = ListenOptions::from("127.0.0.1:0").backlog(4096);
    let accept = |socket: &mut netloop::Socket<'_>| {
        socket.set_timeout(Duration::from_secs(60));
        handler_fn(|_, _| ())
    };
    let server = reactor.net().listen(options, accept)?;
    println!("{}", server.address().expect("an address"));
    // The sleep is a host's, and so not in the turn.
    let mut host = Poll::new()?;
    let fd = reactor.as_raw_fd();
    host.registry()
        .register(&mut SourceFd(&fd), Token(0), Interest::READABLE)?;
    let mut events = Events::with_capacity(1);
    let (mut longest, given_up) = (Duration::ZERO, Instant::now() + MOST);
    while reactor.net().stats().accepted < sockets as u64 && Instant::now() < given_up {
        let most = Duration::from_millis(100);
        let sleep = reactor.next_timeout().map_or(most, |it| it.min(most));
        host.poll(&mut events, Some(sleep))?;
        let begun = Instant::now();
        reactor.turn(Some(Duration::ZERO))?;
        longest = longest.max(begun.elapsed());
    }
    println!("{}", longest.as_nanos());
    io::stdin().read_to_end(&mut Vec::new())?; // its peers are the first to go
    drop(stop);
    drop(sleeper.map(|it| it.join()));
    Ok(())
}
