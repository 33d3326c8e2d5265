//! What does it cost to count, and to ask for the counts in each turn?
//!
//! Load: 1,024 connections on a stand-in kernel, of which 1 or all have a message of 64 B in a turn,
//! which is echoed; `net.stats()` is asked for after each turn (`asked`) or never (`never_asked`).
//! Unit: time for one turn; the throughput line counts events. No system call is in it.
//!
//! Counting has no switch, so there is no "off" to measure. A count is one instruction, an addition to
//! memory that is in the cache; a switch would be a load, a comparison and a branch in its place.
//!
//! What counting takes was measured by taking it out by hand, every `calls.… += …` and `counters.… +=
//! …` in `src`, and counting the user instructions of the loop on the stand-in with cachegrind, as the
//! slope between 20 and 120 turns of 1,000 messages each: 666.6 without, 668.6 with it. So an echoed
//! message pays two instructions, one for its read and one for its write, and a turn seven more.
//! Asking for all of it by `net.stats()` takes 47. (rustc 1.95, release profile, x86-64.)

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use netloop::inside::StandIn;
use netloop::{Event, handler_fn};
use std::hint::black_box;
use std::time::Duration;

const CONNECTIONS: u32 = 1_024;

fn stats(c: &mut Criterion) {
    let mut group = c.benchmark_group("stats");
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
    stand_in.peers_connect(CONNECTIONS);
    while stand_in.open_connections() < CONNECTIONS as usize {
        reactor.turn(Some(Duration::ZERO)).expect("a turn");
    }
    let everybody: Vec<u32> = (0..CONNECTIONS).collect();
    for busy in [1, CONNECTIONS as usize] {
        group.throughput(Throughput::Elements(busy as u64));
        for (name, asks) in [("never_asked", false), ("asked", true)] {
            group.bench_function(BenchmarkId::new(name, busy), |bencher| {
                bencher.iter(|| {
                    stand_in.peers_send(&everybody[..busy]);
                    reactor.turn(Some(Duration::ZERO)).expect("a turn");
                    // Both ask the clock for `net`, so that only the counts differ.
                    let net = reactor.net();
                    if asks {
                        black_box(net.stats());
                    }
                });
            });
        }
    }
    group.finish();
    assert_eq!(stand_in.echoes(), stand_in.reads());
}

criterion_group!(benches, stats);
criterion_main!(benches);
