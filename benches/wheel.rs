//! What does the timing wheel cost, with how many entries in it?
//!
//! Load: 1, 1,000, 100,000 or 1,000,000 entries, their deadlines spread over the next minute in no
//! order (ticks of a millisecond), and as many left after each deed: a cancelled or expired entry is
//! armed anew. Unit: nanoseconds for one deed.
//!
//! - `arm`: an empty wheel gets all of them; the figure is for all, the throughput line counts entries
//! - `move`: one of them, at random, gets another deadline
//! - `cancel_and_arm`: one of them, at random, goes and another comes
//! - `expire_and_arm`: the clock moves to the next that is due, which comes out and is armed a minute
//!   on, as a socket that was not silent after all; the cascades on the way are in the figure

#[path = "support/spread.rs"]
mod spread;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use netloop::inside::{EntryId, Wheel};
use spread::spread;
use std::hint::black_box;

const ENTRIES: [u32; 4] = [1, 1_000, 100_000, 1_000_000];
const MINUTE: u64 = 60_000;

/// A tick of the next minute.
fn soon(nth: u64) -> u64 {
    1 + spread(nth) % MINUTE
}

fn full(entries: u32) -> (Wheel, Vec<EntryId>) {
    let mut wheel = Wheel::new(0);
    let ids = (0..entries).map(|owner| wheel.arm(soon(owner.into()), owner));
    let ids = ids.collect();
    (wheel, ids)
}

fn arm(c: &mut Criterion) {
    let mut group = c.benchmark_group("wheel/arm");
    group.sample_size(10);
    for entries in ENTRIES {
        group.throughput(Throughput::Elements(entries.into()));
        group.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
            let fill = |mut wheel: Wheel| {
                for owner in 0..entries {
                    wheel.arm(soon(owner.into()), owner);
                }
                wheel
            };
            bencher.iter_batched(|| Wheel::new(0), fill, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn move_one(c: &mut Criterion) {
    let mut group = c.benchmark_group("wheel/move");
    for entries in ENTRIES {
        let (mut wheel, ids) = full(entries);
        let mut nth = 0;
        group.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
            bencher.iter(|| {
                nth += 1;
                let entry = ids[(spread(nth) % u64::from(entries)) as usize];
                wheel.move_to(entry, black_box(soon(nth)));
            });
        });
    }
    group.finish();
}

fn cancel_and_arm(c: &mut Criterion) {
    let mut group = c.benchmark_group("wheel/cancel_and_arm");
    for entries in ENTRIES {
        let (mut wheel, mut ids) = full(entries);
        let mut nth = 0;
        group.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
            bencher.iter(|| {
                nth += 1;
                let owner = spread(nth) % u64::from(entries);
                let entry = &mut ids[owner as usize];
                wheel.cancel(*entry);
                *entry = wheel.arm(black_box(soon(nth)), owner as u32);
            });
        });
    }
    group.finish();
}

fn expire_and_arm(c: &mut Criterion) {
    let mut group = c.benchmark_group("wheel/expire_and_arm");
    for entries in ENTRIES {
        let (mut wheel, _) = full(entries);
        let mut now = 0;
        group.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
            bencher.iter(|| {
                let owner = loop {
                    match wheel.pop_due(now) {
                        Some(owner) => break owner,
                        None => now = wheel.next_wake().expect("an entry"),
                    }
                };
                wheel.arm(now + MINUTE, owner);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, arm, move_one, cancel_and_arm, expire_and_arm);
criterion_main!(benches);
