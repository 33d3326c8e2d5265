//! Seeds that once broke something, and a campaign over many that did not.

use std::sync::atomic::{AtomicU64, Ordering};

use super::check;
use super::op::{Act::*, Deed::*, Kind, Op, Op::*, Terms, Who::*};
use super::play::play;

const PLAIN: Terms = Terms {
    port: 1,
    half_open: false,
    paused: false,
    mark: 64 * 1024,
    cap: None,
    shed: false,
};

#[track_caller]
fn holds(seed: u64, ops: &[Op]) {
    if let Err(what) = play(seed, ops) {
        panic!("seed {seed}: {what}");
    }
}

#[test]
fn a_second_completion_that_panics_loses_none_of_those_behind_it() {
    let server = Terms {
        cap: Some(0),
        shed: true,
        ..PLAIN
    };
    let ops = [
        Do(0, Listen(server)),
        On(Kind::Data, 10, 6, To(Me, WriteThen(37))),
        On(Kind::Written, 5, 2, To(Nth(5), WriteThen(1))),
        On(Kind::Written, 6, 3, Panic),
        On(Kind::Written, 1, 5, To(Nth(7), WriteThen(14))),
        On(Kind::Data, 7, 1, To(Nth(6), WriteThen(32))),
        Steps(6),
        Do(1, Listen(PLAIN)),
        Steps(19),
        Do(1, Connect(0, Terms { mark: 1, ..PLAIN })),
        Advance(1366),
        Do(0, To(Nth(3), Write(1))),
        Do(1, To(Me, Write(44))),
        Do(1, To(Nth(3), Write(22))),
        Advance(469),
    ];
    holds(2611, &ops);
}

#[test]
fn a_close_that_panics_lets_nobody_write_to_the_socket_any_more() {
    let other = Terms {
        port: 2,
        cap: Some(196),
        ..PLAIN
    };
    let ops = [
        On(Kind::Written, 4, 8, To(Me, WriteThen(3231))),
        On(Kind::Error, 3, 8, To(Nth(2), WriteThen(78))),
        On(Kind::Close, 6, 2, Panic),
        On(Kind::Attempt, 1, 6, Connect(0, other)),
        Do(0, Connect(0, PLAIN)),
        Do(
            0,
            Connect(
                0,
                Terms {
                    mark: 131,
                    shed: true,
                    ..PLAIN
                },
            ),
        ),
        Do(
            2,
            Connect(
                0,
                Terms {
                    cap: Some(114),
                    ..PLAIN
                },
            ),
        ),
        Do(
            2,
            Connect(
                0,
                Terms {
                    cap: Some(0),
                    ..PLAIN
                },
            ),
        ),
        Advance(232),
    ];
    holds(34_715, &ops);
}

#[test]
fn two_thousand_seeds_break_nothing() {
    const SEEDS: u64 = 2_000;
    let next = AtomicU64::new(0);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS {
                return;
            }
            if let Err(failure) = check(seed) {
                panic!("{}", failure.shrunk());
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
}
