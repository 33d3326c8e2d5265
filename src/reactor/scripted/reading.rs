//! FAULTS group C: what an edge may mean, reads that fail, budgets, pausing inside the read loop.
//!
//! What pausing does to the kernel's interest stands in `parking`.

use super::world::{FIN, MILLI, READ, RST, WRITE, World, ZERO, address, is_write, pattern};
use crate::net::Limits;
use crate::sys::Readiness;
use crate::sys::script::{Call, Connect, Read, Write};
use crate::{Event, ListenOptions};
use std::time::Duration;

const HANG_UP: Readiness = FIN.with(WRITE);

fn reads(world: &World) -> usize {
    let calls = world.calls(|call| matches!(call, Call::Read(..)));
    calls.len()
}

#[test]
fn c1_a_fin_announced_with_data_is_found_behind_a_short_read() {
    let mut world = World::new();
    let a = world.accept("a");
    world.feed(a, b"hello");
    world.feed_end(a);
    world.wake(&[(a.descriptor, FIN)]); // the only edge there will ever be (P6)
    assert_eq!(
        world.log.take(),
        ["a data hello", "a end", "a finish", "a close false"]
    );
    world.finish();
}

#[test]
fn a_short_read_without_a_fin_is_not_followed_by_another() {
    let mut world = World::new();
    let a = world.accept("a");
    world.feed(a, b"hello");
    world.wake(&[(a.descriptor, READ)]);
    assert_eq!(reads(&world), 1);
    assert_eq!(world.settle(), 0);
    // The end comes with an edge of its own then.
    world.feed_end(a);
    world.wake(&[(a.descriptor, FIN)]);
    assert_eq!(
        world.log.take(),
        ["a data hello", "a end", "a finish", "a close false"]
    );
    world.finish();
}

#[test]
fn a_read_that_fills_the_buffer_is_followed_by_another() {
    let limits = Limits {
        read_buffer_bytes: 4,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let a = world.accept("a");
    world.feed(a, b"12345678");
    world.wake(&[(a.descriptor, READ)]);
    assert_eq!(world.log.take(), ["a data 1234", "a data 5678"]);
    assert_eq!(reads(&world), 3, "the third says that there is no more");
    assert_eq!(world.settle(), 0);
    world.finish();
}

#[test]
fn c2_data_and_fin_that_came_while_paused_are_told_on_resume_without_the_peer() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).pause();
    world.feed(a, b"hello");
    world.feed_end(a);
    world.wake(&[(a.descriptor, FIN)]);
    world.run_for(Duration::from_secs(1));
    assert!(world.log.take().is_empty());
    world.socket(a).resume();
    assert!(world.log.take().is_empty(), "nothing inside the call");
    world.turn();
    assert_eq!(
        world.log.take(),
        ["a data hello", "a end", "a finish", "a close false"]
    );
    world.finish();
}

#[test]
fn c4_pausing_in_data_stops_the_read_loop_and_resuming_needs_no_edge() {
    let mut world = World::new();
    let a = world.accept_with("a", |socket, event| {
        if let Event::Data(_) = event {
            socket.pause();
        }
    });
    let chunk = 64 * 1024;
    let bytes = pattern(3 * chunk);
    world.feed(a, &bytes);
    world.wake(&[(a.descriptor, READ)]);
    assert_eq!(world.log.take(), ["a data of 65536"]);
    assert_eq!(reads(&world), 1, "the loop stops at once");
    assert_eq!(world.settle(), 0, "and nobody spins meanwhile");
    for _ in 0..2 {
        world.socket(a).resume();
        assert_eq!(world.settle(), 1);
        assert_eq!(world.log.take(), ["a data of 65536"]);
    }
    world.socket(a).resume();
    world.settle();
    assert!(world.log.take().is_empty(), "all 192 KiB were told");
    world.finish();
}

#[test]
fn c7_a_flooder_is_read_within_its_budget_and_then_stands_behind_the_others() {
    let limits = Limits {
        read_buffer_bytes: 4,
        reads: 3,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let flood = world.accept("flood");
    let meek = [world.accept("b"), world.accept("c")];
    world.feed(flood, b"aaaabbbbccccddddeeee");
    for end in meek {
        world.feed(end, b"hi");
    }
    let ready = [flood, meek[0], meek[1]].map(|end| (end.descriptor, READ));
    world.wake(&ready);
    assert_eq!(
        world.log.take(),
        [
            "flood data aaaa",
            "flood data bbbb",
            "flood data cccc",
            "b data hi",
            "c data hi"
        ]
    );
    // The rest needs no edge, and who comes now still gets its turn right behind.
    assert_eq!(world.reactor.next_timeout(), Some(ZERO));
    world.feed(meek[0], b"more");
    world.wake(&[(meek[0].descriptor, READ)]);
    assert_eq!(
        world.log.take(),
        ["flood data dddd", "flood data eeee", "b data more"]
    );
    assert_eq!(world.settle(), 0);
    world.finish();
}

#[test]
fn c7_the_budget_in_bytes_holds_too() {
    let limits = Limits {
        read_buffer_bytes: 4,
        read_bytes: 8,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let a = world.accept("a");
    world.feed(a, b"aaaabbbbcccc");
    world.wake(&[(a.descriptor, READ)]);
    assert_eq!(world.log.take(), ["a data aaaa", "a data bbbb"]);
    assert_eq!(world.settle(), 1);
    assert_eq!(world.log.take(), ["a data cccc"]);
    world.finish();
}

#[test]
fn c7_hot_sockets_take_turns() {
    let limits = Limits {
        read_buffer_bytes: 1,
        reads: 1,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let ends = [world.accept("a"), world.accept("b"), world.accept("c")];
    for end in ends {
        world.feed(end, b"xyz");
    }
    world.wake(&ends.map(|end| (end.descriptor, READ)));
    world.settle();
    let rounds =
        ["x", "y", "z"].map(|byte| ["a", "b", "c"].map(|who| format!("{who} data {byte}")));
    assert_eq!(world.log.take(), rounds.concat());
    world.finish();
}

#[test]
fn c10_a_peer_that_ends_while_our_queue_is_full_gets_all_of_it_and_then_the_fin() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_write(a.descriptor, Write::Takes(1000));
    let bytes = pattern(100_000);
    assert!(!world.socket(a).write(&bytes));
    world.feed_end(a);
    world.wake(&[(a.descriptor, FIN)]);
    assert_eq!(world.log.take(), ["a end"]);
    world.script.take_calls();
    world.script.on_write(a.descriptor, Write::Takes(50_000));
    world.wake(&[(a.descriptor, WRITE)]);
    assert!(world.log.take().is_empty());
    world.wake(&[(a.descriptor, WRITE)]);
    // No `drain`: the socket has ended (R42).
    assert_eq!(world.log.take(), ["a finish", "a close false"]);
    assert_eq!(world.script.written(a.descriptor), bytes);
    let calls = world.calls(|call| is_write(call) || matches!(call, Call::ShutdownWrite(_)));
    assert_eq!(
        calls,
        [
            Call::Write(a.descriptor, 99_000),
            Call::Write(a.descriptor, 49_000),
            Call::ShutdownWrite(a.descriptor)
        ]
    );
    world.finish();
}

#[test]
fn c11_readable_for_nothing_is_nothing() {
    let mut world = World::new();
    let a = world.accept("a");
    for said in [READ, FIN, READ.with(Readiness::ERROR)] {
        world.wake(&[(a.descriptor, said)]);
        assert_eq!(world.settle(), 0);
        assert_eq!(reads(&world), 1);
    }
    assert!(world.log.take().is_empty());
    // And it hears of what comes then.
    world.feed(a, b"hello");
    world.wake(&[(a.descriptor, READ)]);
    assert_eq!(world.log.take(), ["a data hello"]);
    assert_eq!(reads(&world), 1, "the end that was no end is forgotten");
    world.finish();
}

#[test]
fn c12_a_read_that_fails_is_told_once_whatever_the_errno() {
    for (errno, code) in [
        (libc::ECONNRESET, "ECONNRESET"),
        (libc::ETIMEDOUT, "ETIMEDOUT"),
        (libc::EHOSTUNREACH, "EHOSTUNREACH"),
        (libc::ENETDOWN, "ENETDOWN"),
        (libc::EPIPE, "EPIPE"),
        (libc::ECONNABORTED, "ECONNABORTED"),
    ] {
        let mut world = World::new();
        let a = world.accept("a");
        world.feed(a, b"last");
        world.script.on_read(a.descriptor, Read::Err(errno));
        world.wake(&[(a.descriptor, RST)]);
        assert_eq!(
            world.log.take(),
            [
                "a data last".to_owned(),
                format!("a error read {code}"),
                "a close true".to_owned()
            ]
        );
        world.finish();
    }
}

#[test]
fn c12_an_interrupted_read_is_made_again() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_read(a.descriptor, Read::Err(libc::EINTR));
    world.feed(a, b"hello");
    world.wake(&[(a.descriptor, READ)]);
    assert_eq!(world.log.take(), ["a data hello"]);
    world.finish();
}

#[test]
fn c13_a_buffer_without_room_is_no_end_of_input() {
    let limits = Limits {
        read_buffer_bytes: 0,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let a = world.accept("a");
    world.feed(a, b"hello");
    world.wake(&[(a.descriptor, FIN)]);
    assert_eq!(world.settle(), 0);
    assert!(world.log.take().is_empty());
    assert_eq!(reads(&world), 0);
    world.finish();
}

#[test]
fn c14_a_hang_up_ends_the_input_only_behind_its_last_byte() {
    let limits = Limits {
        read_buffer_bytes: 4,
        reads: 2,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let a = world.accept("a");
    world.feed(a, b"aaaabbbbccccdd");
    world.feed_end(a);
    world.wake(&[(a.descriptor, HANG_UP)]);
    world.settle();
    assert_eq!(
        world.log.take(),
        [
            "a data aaaa",
            "a data bbbb",
            "a data cccc",
            "a data dd",
            "a end",
            "a finish",
            "a close false"
        ]
    );
    world.finish();
}

#[test]
fn c17_input_is_told_before_the_write_that_finds_the_peer_gone() {
    let mut world = World::new();
    let a = world.accept("a");
    world
        .script
        .on_write(a.descriptor, Write::Err(libc::EAGAIN));
    world.socket(a).write(b"queued");
    world.turn();
    world.feed(a, b"last words");
    world.script.on_write(a.descriptor, Write::Err(libc::EPIPE));
    world.wake(&[(a.descriptor, READ.with(WRITE))]);
    assert_eq!(
        world.log.take(),
        ["a data last words", "a error write EPIPE", "a close true"]
    );
    world.finish();
}

#[test]
fn a_reset_behind_a_fin_is_told_to_a_socket_that_reads_no_more() {
    let options = ListenOptions::from(address()).allow_half_open(true);
    let mut world = World::with(options, Limits::default());
    let a = world.accept("a");
    world.feed_end(a);
    world.wake(&[(a.descriptor, FIN)]);
    assert_eq!(world.log.take(), ["a end"]);
    // An error that is none when it is asked for is no reason to fail.
    world.wake(&[(a.descriptor, RST)]);
    assert!(world.log.take().is_empty());
    // SO_ERROR has the answer: a read behind a FIN says 0 for ever.
    let error = Connect::Err(libc::EPIPE);
    world.script.on_finish_connect(a.descriptor, error);
    world.wake(&[(a.descriptor, RST)]);
    assert_eq!(world.log.take(), ["a error read EPIPE", "a close true"]);
    world.finish();
}

#[test]
fn nothing_is_read_for_a_socket_that_was_destroyed_in_its_own_data() {
    let limits = Limits {
        read_buffer_bytes: 4,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let a = world.accept_with("a", |socket, event| {
        if let Event::Data(_) = event {
            socket.destroy();
        }
    });
    world.feed(a, b"aaaabbbb");
    world.feed_end(a);
    world.wake(&[(a.descriptor, FIN)]);
    assert_eq!(world.log.take(), ["a data aaaa", "a close false"]);
    assert_eq!(reads(&world), 1);
    world.finish();
}

#[test]
fn c9_our_fin_goes_behind_what_the_end_handler_writes() {
    let mut world = World::new();
    let a = world.accept_with("a", |socket, event| {
        if let Event::End = event {
            assert!(socket.write(b"goodbye"));
        }
    });
    world.feed_end(a);
    world.wake(&[(a.descriptor, FIN)]);
    assert_eq!(world.log.take(), ["a end", "a finish", "a close false"]);
    assert_eq!(world.script.written(a.descriptor), b"goodbye");
    world.run_for(MILLI);
    world.finish();
}
