//! What does one message to very many sockets cost, shared or copied?
//!
//! Load: 400 connections over loopback, whose ends fit into the 1,024 descriptors that a process has as a
//! rule; a message of 64 B, 1 KiB or 16 KiB to each of them, shared by `write_bytes` or copied by `write`.
//! The other ends read it outside of the time that is measured.
//! Unit: time until the kernel has it for all; the throughput line counts sockets. Most of it is the
//! kernel's: on loopback a send delivers, too. What differs between the two is ours.
//!
//! With the feature `bench` also the loop's part alone: 1 KiB to 10,000 connections on a stand-in
//! kernel, from inside of a handler. That a shared buffer is neither copied nor allocated for is not
//! measured but tested, in `tests/broadcast.rs`.

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use netloop::{Reactor, Socket, SocketId, handler_fn};
use std::cell::RefCell;
use std::io::Read;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

const SOCKETS: usize = 400;

struct Army {
    reactor: Reactor,
    sockets: Vec<SocketId>,
    peers: Vec<TcpStream>,
}

impl Army {
    fn new() -> netloop::Result<Army> {
        let mut reactor = Reactor::new()?;
        let accepted = Rc::new(RefCell::new(Vec::new()));
        let ids = accepted.clone();
        let server = reactor.net().listen("127.0.0.1:0", move |socket| {
            ids.borrow_mut().push(socket.id());
            handler_fn(|_, _| ())
        })?;
        let port = server.address().and_then(|address| address.port());
        let port = port.expect("a server that listens");
        let mut peers = Vec::new();
        while peers.len() < SOCKETS {
            peers.push(TcpStream::connect(("127.0.0.1", port))?);
        }
        while accepted.borrow().len() < SOCKETS {
            reactor.turn(None)?;
        }
        let sockets = accepted.take();
        Ok(Army {
            reactor,
            sockets,
            peers,
        })
    }

    /// How long it takes until `write` was done to all and a turn has flushed what it left.
    fn broadcast(
        &mut self,
        bytes: usize,
        write: impl Fn(&mut Socket<'_>) -> bool,
    ) -> netloop::Result<Duration> {
        let began = Instant::now();
        let net = self.reactor.net();
        for &id in &self.sockets {
            write(&mut net.socket(id).expect("an open socket"));
        }
        self.reactor.turn(Some(Duration::ZERO))?;
        let took = began.elapsed();
        let mut news = vec![0; bytes];
        for peer in &mut self.peers {
            peer.read_exact(&mut news)?;
        }
        Ok(took)
    }
}

fn broadcast(c: &mut Criterion) {
    let mut group = c.benchmark_group("broadcast");
    group.throughput(Throughput::Elements(SOCKETS as u64));
    let mut army = Army::new().expect("descriptors for both ends: ulimit -n");
    for bytes in [64, 1024, 16 * 1024] {
        let news = Bytes::from(vec![b'x'; bytes]);
        group.bench_function(BenchmarkId::new("shared", bytes), |bencher| {
            bencher.iter_custom(|times| {
                let share = |socket: &mut Socket<'_>| socket.write_bytes(news.clone());
                let once = |_| army.broadcast(bytes, share).expect("a loop that turns");
                (0..times).map(once).sum()
            });
        });
        group.bench_function(BenchmarkId::new("copied", bytes), |bencher| {
            bencher.iter_custom(|times| {
                let copy = |socket: &mut Socket<'_>| socket.write(&news);
                let once = |_| army.broadcast(bytes, copy).expect("a loop that turns");
                (0..times).map(once).sum()
            });
        });
    }
    group.finish();
}

/// The loop's part: no system call is in it.
#[cfg(feature = "bench")]
fn stand_in(c: &mut Criterion) {
    use netloop::Event;
    use netloop::inside::StandIn;
    const CROWD: u32 = 10_000;

    let mut group = c.benchmark_group("broadcast/stand_in");
    group.throughput(Throughput::Elements(CROWD.into()));
    for (name, shares) in [("shared", true), ("copied", false)] {
        let stand_in = StandIn::new();
        let mut reactor = stand_in.reactor();
        let crowd: Rc<RefCell<Vec<SocketId>>> = Rc::default();
        let members = crowd.clone();
        let news = Bytes::from(vec![b'x'; 1024]);
        let listening = reactor.net().listen(7000, move |socket| {
            members.borrow_mut().push(socket.id());
            let (members, news) = (members.clone(), news.clone());
            handler_fn(move |socket, event| {
                if let Event::Data(_) = event {
                    for &member in members.borrow().iter() {
                        let mut member = socket.net().socket(member).expect("an open socket");
                        match shares {
                            true => member.write_bytes(news.clone()),
                            false => member.write(&news),
                        };
                    }
                }
            })
        });
        listening.expect("a stand-in listens");
        stand_in.peers_connect(CROWD);
        while stand_in.open_connections() < CROWD as usize {
            reactor.turn(Some(Duration::ZERO)).expect("a turn");
        }
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                stand_in.peers_send(&[0]);
                reactor.turn(Some(Duration::ZERO)).expect("a turn");
            });
        });
    }
    group.finish();
}

#[cfg(feature = "bench")]
criterion_group!(benches, broadcast, stand_in);
#[cfg(not(feature = "bench"))]
criterion_group!(benches, broadcast);
criterion_main!(benches);
