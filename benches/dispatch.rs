//! What does the loop take for one event, with how many connections, and where do caches end?
//!
//! Load: 1,000, 100,000, 1,000,000 or 10,000,000 connections on a stand-in kernel; in each turn 1,024
//! of them (all, if there are fewer) have a message of 64 B, in an order that jumps about and is the
//! same in each run. The handler echoes. Unit: nanoseconds for one event, from the poll that reports
//! it to the write that takes the echo.
//!
//! - `loop`: through the whole of netloop
//! - `bare`: the same poll, reads and writes asked of the stand-in by hand, to be subtracted. It is
//!   more than it looks: the stand-in makes 64 bytes up, compares 64, and looks up a token at random.
//!
//! No system call is in the figures, and none is free: on a real kernel a message costs microseconds.
//! A build for use has no second backend, so it does without a branch and a virtual call for each of
//! the calls; the bare run makes the same ones. Ten million connections take 1.5 GB; with less to
//! spare, and where benches are only tried (`cargo test --benches`), large armies are left out, which
//! is said on stderr.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use netloop::inside::StandIn;
use netloop::{Event, Reactor, handler_fn};
use std::time::{Duration, Instant};

const CONNECTIONS: [u32; 4] = [1_000, 100_000, 1_000_000, 10_000_000];
/// As many as a poll reports.
const BATCH: usize = 1_024;
/// More than a connection takes anywhere here, with the order in which it has its turns.
const CONNECTION_BYTES: u64 = 256;

/// Everybody, in an order that no cache can guess, for ever.
struct Order {
    peers: Vec<u32>,
    next: usize,
}

impl Order {
    fn new(connections: u32) -> Order {
        let mut peers: Vec<u32> = (0..connections).collect();
        let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
        for last in (1..peers.len()).rev() {
            // xorshift64 (G. Marsaglia, 2003).
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            peers.swap(last, (dice % (last as u64 + 1)) as usize);
        }
        Order { peers, next: 0 }
    }

    /// Those who have the next turn; nobody twice in it.
    fn batch(&mut self) -> &[u32] {
        let batch = BATCH.min(self.peers.len());
        if self.next + batch > self.peers.len() {
            self.next = 0;
        }
        self.next += batch;
        &self.peers[self.next - batch..self.next]
    }
}

/// A loop that echoes to everybody.
fn crowded(connections: u32) -> (StandIn, Reactor) {
    let stand_in = StandIn::new();
    let mut reactor = stand_in.reactor();
    let listening = reactor.net().listen(7000, |_socket| {
        handler_fn(|socket, event| {
            if let Event::Data(bytes) = event {
                socket.write(bytes);
            }
        })
    });
    listening.expect("a stand-in listens");
    stand_in.peers_connect(connections);
    while stand_in.open_connections() < connections as usize {
        reactor.turn(Some(Duration::ZERO)).expect("a turn");
    }
    (stand_in, reactor)
}

fn dispatch(c: &mut Criterion) {
    let mut group = c.benchmark_group("dispatch");
    group.throughput(Throughput::Elements(1));
    for connections in CONNECTIONS {
        if let Some(reason) = left_out(connections) {
            eprintln!("dispatch: {connections} connections are left out: {reason}");
            continue;
        }
        let mut order = Order::new(connections);

        let (stand_in, mut reactor) = crowded(connections);
        group.bench_function(BenchmarkId::new("loop", connections), |bencher| {
            bencher.iter_custom(|events| {
                per_event(events, &mut order, |peers| {
                    let echoes = stand_in.echoes();
                    stand_in.peers_send(peers);
                    let began = Instant::now();
                    reactor.turn(Some(Duration::ZERO)).expect("a turn");
                    let took = began.elapsed();
                    assert_eq!(stand_in.echoes() - echoes, peers.len() as u64);
                    took
                })
            });
        });
        drop((stand_in, reactor));

        let mut bare = StandIn::bare(connections);
        group.bench_function(BenchmarkId::new("bare", connections), |bencher| {
            bencher.iter_custom(|events| {
                per_event(events, &mut order, |peers| {
                    let echoes = bare.echoes();
                    bare.peers_send(peers);
                    let began = Instant::now();
                    bare.turn();
                    let took = began.elapsed();
                    assert_eq!(bare.echoes() - echoes, peers.len() as u64);
                    took
                })
            });
        });
    }
    group.finish();
}

/// How long `events` take, measured in whole batches: one event for itself would mostly be a turn.
fn per_event(events: u64, order: &mut Order, mut turn: impl FnMut(&[u32]) -> Duration) -> Duration {
    let (mut told, mut took) = (0, Duration::ZERO);
    while told < events {
        let peers = order.batch();
        told += peers.len() as u64;
        took += turn(peers);
    }
    took.mul_f64(events as f64 / told as f64)
}

/// Why so many connections are not tried.
fn left_out(connections: u32) -> Option<String> {
    // As criterion has it: `cargo bench` says so, everybody else only wants to see that it runs.
    let measures = std::env::args().any(|it| it == "--bench");
    let tries = !measures || std::env::args().any(|it| it == "--test");
    if tries && connections > 100_000 {
        return Some("this run measures nothing".to_owned());
    }
    let needed_kib = u64::from(connections) * CONNECTION_BYTES / 1024;
    // Where nothing says how much there is, the small ones are tried.
    let available_kib = available_kib().unwrap_or(1024 * 1024);
    (needed_kib > available_kib)
        .then(|| format!("they need {needed_kib} KiB, there are {available_kib}"))
}

fn available_kib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|it| it.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
