//! Ten thousand idle connections: once their last edge was seen, nothing wakes the loop.
//!
//! Each half needs that many descriptors, so they are processes of their own, started with as many
//! as the hard limit allows: the test starts this binary again as the server half, which has the
//! reactor, and that one as the peers, which do as they are told on their standard input.

// Elsewhere a paused socket can't be parked, and limits stand in another place.
#![cfg(target_os = "linux")]

#[path = "support/mod.rs"]
mod support;

use netloop::{Handler, ListenOptions, Reactor, SocketId};
use std::cell::RefCell;
use std::env;
use std::io::{BufRead, BufReader, Write, stdin};
use std::net::{Shutdown, TcpStream};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::*;

const CONNECTIONS: usize = 10_000;
/// For everything that is no connection: listeners, pipes, the poller.
const OTHER_DESCRIPTORS: usize = 64;
/// Fewer than a listener's backlog, so that no peer has to knock twice.
const BATCH: usize = 400;
/// Tells a process of this binary which half it is.
const HALF: &str = "NETLOOP_TEST_HALF";

#[test]
fn ten_thousand_idle_connections_wake_nobody() {
    match env::var(HALF).as_deref() {
        Ok("server") => serve(),
        Ok(_) => follow_orders(),
        Err(_) => {
            let mut server = start("server", Stdio::null(), Stdio::null());
            let outcome = server.0.wait().unwrap();
            assert!(outcome.success(), "the server half: {outcome}");
        }
    }
}

/// Starts this test again as one of the halves. Its panic, if any, stands on standard error.
fn start(half: &str, input: Stdio, output: Stdio) -> Process {
    let raise = "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\"";
    let this = env::current_exe().unwrap();
    Process(
        Command::new("sh")
            .args(["-c", raise])
            .arg(this)
            .args(["--exact", "ten_thousand_idle_connections_wake_nobody"])
            .args(["--quiet", "--nocapture"])
            .env(HALF, half)
            .stdin(input)
            .stdout(output)
            .spawn()
            .unwrap(),
    )
}

/// What a connection went through before it fell idle. Each way has a listener of its own, so that
/// both halves know which is which.
const WAYS: [&str; 8] = [
    "silent",
    "echoed",
    "ended by us",
    "ended by peer",
    "paused, silent",
    "paused, data waits",
    "paused, end waits",
    "paused, reset waits",
];

fn is_paused(way: &str) -> bool {
    way.starts_with("paused")
}

/// The server half: brings the army up, sees that it sleeps, and that it can be woken.
fn serve() {
    let room = descriptors().checked_sub(OTHER_DESCRIPTORS);
    let each = CONNECTIONS.min(room.expect("descriptors")) / WAYS.len();
    if each * WAYS.len() < CONNECTIONS {
        eprintln!("only {} connections: descriptors", each * WAYS.len());
    }
    let mut reactor = Reactor::new().unwrap();
    let mut peers = Peers::start();
    let log = Log::new();
    let paused = Rc::new(RefCell::new(Vec::new()));
    for way in WAYS {
        let port = listen_for(&mut reactor, way, &log, &paused);
        peers.connect(&mut reactor, way, port, each);
    }

    // The last edges of those that read.
    peers.order("send", "echoed");
    turn_until_lines(&mut reactor, &log, "echoed data 5", each);
    peers.order("end", "ended by peer");
    turn_until_lines(&mut reactor, &log, "ended by peer end", each);
    turn_until_lines(&mut reactor, &log, "ended by us finish", each);
    turn_until_quiet(&mut reactor);

    // A paused one is woken by its first bytes, and parked then: by nothing more but a reset.
    let before = events(&mut reactor);
    for way in &WAYS[5..] {
        peers.order("send", way);
    }
    turn_until(&mut reactor, |net| {
        net.stats().events >= before + 3 * each as u64
    });
    for way in &WAYS[5..] {
        peers.order("send", way);
    }
    peers.order("end", "paused, end waits");
    turn_until_quiet(&mut reactor);
    assert_eq!(events(&mut reactor), before + 3 * each as u64);
    peers.order("reset", "paused, reset waits");
    turn_until(&mut reactor, |net| {
        net.stats().events >= before + 4 * each as u64
    });
    turn_until_quiet(&mut reactor);
    assert_eq!(events(&mut reactor), before + 4 * each as u64);

    assert_sleeps(&mut reactor);

    // Nothing was told of what came while they were paused, and nothing of it is lost.
    for way in WAYS.into_iter().filter(|way| is_paused(way)) {
        assert_eq!(log.of(way).len(), 0, "{way}");
    }
    log.clear();
    assert_eq!(paused.borrow().len(), 4 * each);
    for id in paused.take() {
        reactor.net().socket(id).unwrap().resume();
    }
    turn_until_lines(&mut reactor, &log, "paused, reset waits close true", each);
    turn_until_lines(&mut reactor, &log, "paused, end waits end", each);
    turn_until_lines(&mut reactor, &log, "paused, data waits data 10", each);
    for (line, count) in [
        ("paused, end waits data 10", each),
        ("paused, reset waits data 10", each),
        ("paused, reset waits error ECONNRESET", each),
    ] {
        assert_eq!(log.count(line), count, "{line}");
    }
    assert_eq!(log.lines().len(), 6 * each);
}

/// Two turns that might sleep a second each, and do.
#[track_caller]
fn assert_sleeps(reactor: &mut Reactor) {
    const NAP: Duration = Duration::from_secs(1);
    assert_eq!(reactor.next_timeout(), None);
    for _ in 0..2 {
        let before = reactor.net().stats();
        let began = Instant::now();
        reactor.turn(Some(NAP)).unwrap();
        assert!(began.elapsed() >= NAP, "woken after {:?}", began.elapsed());
        let after = reactor.net().stats();
        assert_eq!(after.events, before.events);
        assert_eq!(after.turns, before.turns + 1);
        // Nothing but the sleep itself entered the kernel.
        assert_eq!(after.syscalls.poll, before.syscalls.poll + 1);
        assert_eq!(after.syscalls.total(), before.syscalls.total() + 1);
    }
}

fn events(reactor: &mut Reactor) -> u64 {
    reactor.net().stats().events
}

/// A listener whose sockets go one way; the ids of paused ones go to `paused`.
fn listen_for(
    reactor: &mut Reactor,
    way: &'static str,
    log: &Log,
    paused: &Rc<RefCell<Vec<SocketId>>>,
) -> u16 {
    let options = ListenOptions::from("127.0.0.1:0").allow_half_open(true);
    let (log, paused) = (log.clone(), paused.clone());
    let server = reactor.net().listen(options, move |socket| {
        if is_paused(way) {
            socket.pause();
            paused.borrow_mut().push(socket.id());
        }
        if way == "ended by us" {
            socket.end();
        }
        Box::new(recorder(way, &log)) as Box<dyn Handler>
    });
    inet(server.unwrap().address().unwrap()).port()
}

/// The soft limit, which is as high as it may be.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|it| it.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3));
    soft.and_then(|soft| soft.parse().ok())
        .unwrap_or(usize::MAX) // "unlimited"
}

/// The other half, as the server half sees it.
struct Peers {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    _process: Process,
}

impl Peers {
    fn start() -> Peers {
        let mut process = start("peers", Stdio::piped(), Stdio::piped());
        Peers {
            orders: process.0.stdin.take().expect("a pipe"),
            answers: BufReader::new(process.0.stdout.take().expect("a pipe")),
            _process: process,
        }
    }

    /// Has `each` peers connect, no more at a time than the backlog takes.
    fn connect(&mut self, reactor: &mut Reactor, way: &str, port: u16, each: usize) {
        let mut left = each;
        while left > 0 {
            let batch = left.min(BATCH);
            let accepted = reactor.net().stats().accepted + batch as u64;
            self.order(&format!("connect {port} {batch}"), way);
            turn_until(reactor, |net| net.stats().accepted == accepted);
            left -= batch;
        }
    }

    /// Has all peers of one way do something, and comes back when they have.
    fn order(&mut self, order: &str, way: &str) {
        let at = WAYS.iter().position(|it| *it == way).expect("a way");
        writeln!(self.orders, "{at} {order}").unwrap();
        let mut answer = String::new();
        while answer != "done\n" {
            answer.clear(); // what the test runner says in between
            let bytes = self.answers.read_line(&mut answer).unwrap();
            assert!(bytes > 0, "the peers are gone");
        }
    }
}

/// The other half itself: ends when its orders do.
fn follow_orders() {
    let mut peers: [Vec<TcpStream>; WAYS.len()] = Default::default();
    for order in stdin().lines() {
        let order = order.unwrap();
        let words: Vec<&str> = order.split(' ').collect();
        let peers = &mut peers[words[0].parse::<usize>().unwrap()];
        match words[1..] {
            ["connect", port, count] => {
                let port: u16 = port.parse().unwrap();
                for _ in 0..count.parse().unwrap() {
                    peers.push(TcpStream::connect(("127.0.0.1", port)).unwrap());
                }
            }
            ["send"] => {
                for peer in peers {
                    peer.write_all(b"hello").unwrap();
                }
            }
            ["end"] => {
                for peer in peers {
                    peer.shutdown(Shutdown::Write).unwrap();
                }
            }
            ["reset"] => peers.drain(..).for_each(reset),
            _ => panic!("what is {order:?}?"),
        }
        println!("done");
    }
}
