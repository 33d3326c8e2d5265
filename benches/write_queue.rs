//! What does it cost to queue bytes for the kernel, and to take them out again?
//!
//! Load: one queue, or as many as it says, on one pool; nothing is sent, what a send would be given is
//! looked at. Unit: nanoseconds for what it says; the throughput line counts bytes or queues.
//!
//! - `copies`: so many copies of 64 B, then all of it sent: the replies to one batch of requests
//! - `shared`: one 1 KiB of the caller's, then sent: a broadcast to a socket that cannot take it at once
//! - `header_and_body`: a copy of 16 B before 1 KiB of the caller's, eight times, then sent in one go
//! - `partial`: 256 KiB of copies, sent by 1,448 B at a time, a segment's worth: a slow reader
//! - `lending`: so many queues hold a byte at the same time; the pool has 48 to lend, and beyond that
//!   each is made and dropped

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use netloop::inside::WriteQueues;
use std::hint::black_box;

/// The most that one send is given, as in the loop.
const SEND_BYTES: usize = 256 * 1024;

/// Sends all of a queue, at most `segment` bytes of it at a time.
fn send(queues: &mut WriteQueues, which: usize, segment: usize) {
    while !queues.is_empty(which) {
        let mut offered = 0;
        queues.front(which, SEND_BYTES, |slice| offered += black_box(slice).len());
        queues.advance(which, offered.min(segment));
    }
}

fn copies(c: &mut Criterion) {
    let mut group = c.benchmark_group("write_queue/copies");
    for copies in [1, 16, 1_000] {
        let mut queues = WriteQueues::new(1);
        let reply = [b'x'; 64];
        group.throughput(Throughput::Bytes(copies * reply.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(copies), |bencher| {
            bencher.iter(|| {
                for _ in 0..copies {
                    queues.push_copy(0, black_box(&reply));
                }
                send(&mut queues, 0, usize::MAX);
            });
        });
    }
    group.finish();
}

fn shared(c: &mut Criterion) {
    let mut group = c.benchmark_group("write_queue");
    let mut queues = WriteQueues::new(1);
    let (header, body) = ([b'h'; 16], Bytes::from(vec![b'b'; 1024]));
    group.throughput(Throughput::Bytes(1024));
    group.bench_function("shared", |bencher| {
        bencher.iter(|| {
            queues.push_shared(0, black_box(&body).clone());
            send(&mut queues, 0, usize::MAX);
        });
    });
    group.throughput(Throughput::Bytes(8 * (16 + 1024)));
    group.bench_function("header_and_body", |bencher| {
        bencher.iter(|| {
            for _ in 0..8 {
                queues.push_copy(0, black_box(&header));
                queues.push_shared(0, black_box(&body).clone());
            }
            send(&mut queues, 0, usize::MAX);
        });
    });
    group.finish();
}

fn partial(c: &mut Criterion) {
    let mut group = c.benchmark_group("write_queue");
    let mut queues = WriteQueues::new(1);
    let chunk = [b'x'; 16 * 1024];
    group.throughput(Throughput::Bytes(256 * 1024));
    group.bench_function("partial", |bencher| {
        bencher.iter(|| {
            for _ in 0..16 {
                queues.push_copy(0, black_box(&chunk));
            }
            send(&mut queues, 0, 1_448);
        });
    });
    group.finish();
}

fn lending(c: &mut Criterion) {
    let mut group = c.benchmark_group("write_queue/lending");
    for waiting in [1, 48, 1_000] {
        let mut queues = WriteQueues::new(waiting);
        group.throughput(Throughput::Elements(waiting as u64));
        group.bench_function(BenchmarkId::from_parameter(waiting), |bencher| {
            bencher.iter(|| {
                for which in 0..waiting {
                    queues.push_copy(which, black_box(b"x"));
                }
                for which in 0..waiting {
                    send(&mut queues, which, usize::MAX);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, copies, shared, partial, lending);
criterion_main!(benches);
