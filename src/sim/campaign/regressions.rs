//! Seeds that once broke something, and a campaign over many that did not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Tally;
use super::check;
use super::op::{Act::*, Deed::*, Kind, Op, Op::*, Terms, Who::*};
use super::play::play;
use crate::sim::Call;

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
        Host,
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
        Host,
        Host,
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
fn a_write_that_is_to_answer_eagain_fails_if_the_connection_is_gone() {
    let server = Terms {
        paused: true,
        ..PLAIN
    };
    let ops = [
        Host,
        Host,
        Host,
        On(Kind::Connect, 1, 3, To(Nth(0), DestroyWith)),
        On(Kind::Connect, 0, 3, To(Me, Pause)),
        Do(0, Listen(server)),
        Do(3, Connect(0, Terms { mark: 24, ..PLAIN })),
        Advance(24),
        Steps(9),
        Do(3, To(Me, WriteBytes(82))),
        Do(3, To(Me, Write(13_772))),
        FailCalls(3, Call::Write, 11, 4),
        Do(0, Connect(0, server)),
        Advance(8),
    ];
    holds(4165, &ops);
}

#[test]
fn what_is_told_together_with_bytes_given_back_counts_against_the_budget() {
    let mark = |mark| Terms { mark, ..PLAIN };
    let paused = Terms {
        paused: true,
        ..mark(9)
    };
    let ops = [
        On(Kind::Connect, 3, 8, To(Me, Write(33_142))),
        On(Kind::Data, 0, 22, To(Me, Unread(9))),
        Do(
            0,
            Listen(Terms {
                cap: Some(40_982),
                ..PLAIN
            }),
        ),
        Do(0, Connect(0, paused)),
        Do(
            0,
            Connect(
                0,
                Terms {
                    mark: 65_536,
                    cap: Some(430),
                    ..paused
                },
            ),
        ),
        Do(0, Connect(0, mark(7))),
        Do(0, Connect(0, PLAIN)),
        Advance(134),
    ];
    holds(29_776, &ops);
}

#[test]
fn an_end_that_waits_behind_bytes_given_back_breaks_the_silence() {
    let mark = |mark, cap| Terms { mark, cap, ..PLAIN };
    let ops = [
        Host,
        On(Kind::Connection, 3, 9, To(Me, Timeout(8))),
        On(Kind::Data, 0, 9, To(Me, Unread(13))),
        On(Kind::Data, 4, 2, To(Me, Pause)),
        On(Kind::Data, 0, 65535, Later(35, Me, Resume)),
        On(Kind::Connect, 1, 5, To(Nth(1), WriteBytes(25))),
        On(Kind::Attempt, 4, 1, To(Me, Destroy)),
        Do(0, Listen(PLAIN)),
        Do(1, Connect(0, mark(73, Some(206)))),
        Do(1, Connect(0, mark(10, Some(4)))),
        Do(
            1,
            Connect(
                0,
                Terms {
                    half_open: true,
                    ..mark(1, None)
                },
            ),
        ),
        Do(
            1,
            Connect(
                0,
                Terms {
                    port: 3,
                    ..mark(1355, None)
                },
            ),
        ),
        Do(0, Connect(0, PLAIN)),
        Do(
            0,
            Connect(
                0,
                Terms {
                    paused: true,
                    ..mark(1, Some(11))
                },
            ),
        ),
        Do(1, Connect(0, mark(1004, None))),
        Do(1, Connect(0, mark(5, Some(13)))),
        Do(1, Connect(0, mark(14, Some(220)))),
        Do(1, Connect(0, PLAIN)),
        Do(1, Connect(0, mark(156, None))),
        Do(0, To(Me, WriteBytes(1544))),
        Do(1, To(Nth(2), Destroy)),
        Advance(215),
    ];
    holds(90_688, &ops);
}

#[test]
fn a_proxy_whose_first_side_cannot_be_resumed_is_not_piped_back_into() {
    let server = Terms {
        paused: true,
        ..PLAIN
    };
    let ops = [
        Do(0, Listen(server)),
        FailCalls(0, Call::Reregister, 2, 3),
        Do(0, Connect(0, PLAIN)),
        Do(0, Connect(0, PLAIN)),
        Advance(733),
        Do(0, PipeBoth(Nth(2), Me)),
    ];
    holds(11_057, &ops);
}

/// What two thousand seeds have to bring with them, in how many of them. A third more is what they
/// brought when this was written: traffic that thins out is to be noticed.
const TRAFFIC: [(&str, u64); 70] = [
    ("a byte heard", 940),
    ("a post refused", 30),
    ("a socket", 1500),
    ("a socket with a peer", 1200),
    ("bytes piped", 170),
    ("do Clear", 40),
    ("do CloseServer", 260),
    ("do Connect", 1500),
    ("do Cork", 220),
    ("do Destroy", 240),
    ("do DestroySoon", 240),
    ("do DestroyWith", 230),
    ("do End", 990),
    ("do EndWith", 220),
    ("do Every", 440),
    ("do KeepAlive", 230),
    ("do Later", 520),
    ("do Listen", 1420),
    ("do MaxConnections", 460),
    ("do NoDelay", 220),
    ("do Offload", 400),
    ("do Panic", 50),
    ("do Pause", 280),
    ("do Pipe", 240),
    ("do PipeBoth", 140),
    ("do Post", 290),
    ("do Ref", 210),
    ("do Reset", 220),
    ("do Resume", 560),
    ("do SetHandler", 210),
    ("do Soon", 420),
    ("do Stop", 430),
    ("do StopFrom", 270),
    ("do Timeout", 460),
    ("do Uncork", 130),
    ("do Unread", 120),
    ("do Unref", 320),
    ("do Write", 700),
    ("do WriteBytes", 720),
    ("do WriteThen", 720),
    ("error ECONNREFUSED", 650),
    ("error ECONNRESET", 550),
    ("error EMFILE", 120),
    ("error ENFILE", 110),
    ("error ENOBUFS", 250),
    ("error ENOMEM", 210),
    ("error EPIPE", 240),
    ("error ERR_OTHER", 230),
    ("error ERR_STREAM_WRITE_AFTER_END", 210),
    ("offload ERR_OFFLOAD_PANICKED", 120),
    ("on Attempt", 1490),
    ("on AttemptFailed", 950),
    ("on Close", 1500),
    ("on Connect", 1270),
    ("on Connection", 1200),
    ("on Data", 930),
    ("on Drain", 470),
    ("on Dropped", 200),
    ("on End", 1160),
    ("on Error", 1290),
    ("on Finish", 1150),
    ("on Listening", 1420),
    ("on Offloaded", 400),
    ("on Posted", 290),
    ("on Ready", 1250),
    ("on ServerClose", 1420),
    ("on ServerError", 280),
    ("on Timeout", 350),
    ("on Timer", 940),
    ("on Written", 750),
];

#[test]
fn two_thousand_seeds_break_nothing() {
    const SEEDS: u64 = 2_000;
    let next = AtomicU64::new(0);
    let tally = Mutex::new(Tally::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS {
                return;
            }
            match check(seed) {
                Ok(its) => tally.lock().unwrap().add(&its),
                Err(failure) => panic!("{}", failure.shrunk()),
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let tally = tally.into_inner().unwrap();
    let thin = TRAFFIC
        .iter()
        .filter(|(kind, least)| tally.seeds_with(kind) < *least);
    let thin: Vec<_> = thin.collect();
    assert!(thin.is_empty(), "too few of {thin:?} in\n{tally}");
}
