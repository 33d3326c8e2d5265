//! What does it cost to ask a block list, among how many rules, and to make and change one?
//!
//! Load: 1, 1,000 or 100,000 rules spread over IPv4 and IPv6, half of them addresses, the others
//! subnets and ranges. Unit: nanoseconds for one question (`check`, addresses that are blocked and
//! that are not by turns), for one address added and removed again (`change`), and for all of the
//! list (`build`).
//!
//! Of the addresses that are asked, every other one is that of a rule, and rules of each kind and of
//! both families have their turn. At one rule every other question is about that same one.

#[path = "support/spread.rs"]
mod spread;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use netloop::BlockList;
use spread::spread;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const RULES: [u64; 3] = [1, 1_000, 100_000];

/// IPv4 and IPv6 by turns, below 2000::/3 as on the internet.
fn ip(number: u64) -> IpAddr {
    let bits = spread(number);
    if number.is_multiple_of(2) {
        Ipv4Addr::from_bits(bits as u32).into()
    } else {
        Ipv6Addr::from_bits(1 << 125 | u128::from(bits >> 3) << 64).into()
    }
}

fn add(list: &BlockList, nth: u64) {
    let ip = ip(nth);
    let bits = if ip.is_ipv4() { 32 } else { 128 };
    match (nth / 2) % 4 {
        0 | 1 => list.add_address(ip),
        2 => (list.add_subnet(ip, bits - 8)).expect("a prefix that fits"),
        _ => match ip {
            IpAddr::V4(v4) => list.add_range(v4, Ipv4Addr::from_bits(v4.to_bits() | 0xff)),
            IpAddr::V6(v6) => list.add_range(v6, Ipv6Addr::from_bits(v6.to_bits() | 0xff)),
        }
        .expect("upwards"),
    }
}

fn build(rules: u64) -> BlockList {
    let list = BlockList::new();
    (0..rules).for_each(|nth| add(&list, nth));
    list
}

/// A rule's address, or one of as many (and a thousand at least) that no rule was made of; from
/// anywhere among them, so that no cache learns where the next one is.
fn question(nth: u64, rules: u64) -> IpAddr {
    let anywhere = spread(!nth);
    if nth.is_multiple_of(2) {
        ip(anywhere % rules)
    } else {
        ip(rules + anywhere % rules.max(1_000))
    }
}

fn check(c: &mut Criterion) {
    let mut group = c.benchmark_group("block_list/check");
    for rules in RULES {
        let list = build(rules);
        let asked: Vec<IpAddr> = (0..8_192).map(|nth| question(nth, rules)).collect();
        let mut next = asked.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(rules), |bencher| {
            bencher.iter(|| next.next().map(|ip| list.check(black_box(*ip))));
        });
    }
    group.finish();
}

fn change(c: &mut Criterion) {
    let mut group = c.benchmark_group("block_list/change");
    for rules in RULES {
        let list = build(rules);
        let mut nth = rules;
        group.bench_function(BenchmarkId::from_parameter(rules), |bencher| {
            bencher.iter(|| {
                nth += 1;
                list.add_address(ip(nth));
                list.remove_address(ip(nth))
            });
        });
    }
    group.finish();
}

fn build_all(c: &mut Criterion) {
    let mut group = c.benchmark_group("block_list/build");
    group.sample_size(10);
    for rules in RULES {
        group.throughput(Throughput::Elements(rules));
        group.bench_function(BenchmarkId::from_parameter(rules), |bencher| {
            bencher.iter_batched(|| (), |()| build(rules), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, check, change, build_all);
criterion_main!(benches);
