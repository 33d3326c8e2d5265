//! FAULTS group D: a kernel that takes little, nothing, or fails, and when its word is waited for.

use super::world::{End, FIN, LISTENER, READ, RST, WRITE, World, ZERO, address, is_reregister};
use super::world::{is_write, pattern};
use crate::net::Limits;
use crate::sys::Interest;
use crate::sys::script::{Call, Kind, Read, Write};
use crate::{Event, ListenOptions, Net, Socket, SocketId};
use bytes::Bytes;
use std::cell::Cell;
use std::rc::Rc;

/// Writes with a completion that is logged as `NAME Ok` or `NAME CODE`.
fn write_logged(world: &mut World, end: End, name: &'static str, bytes: &[u8]) {
    let log = world.log.clone();
    world.socket(end).write_then(bytes, move |_, outcome| {
        let outcome = outcome.map_or_else(|error| error.code().to_owned(), |()| "Ok".to_owned());
        log.push(format!("{name} {outcome}"));
    });
}

#[test]
fn d1_a_kernel_that_takes_one_byte_at_a_time_gets_them_all_in_order() {
    const BYTES: usize = 300;
    let mut world = World::new();
    let a = world.accept("a");
    for _ in 0..BYTES {
        world.script.on_write(a.descriptor, Write::Takes(1));
    }
    let bytes = pattern(BYTES);
    world.socket(a).write(&bytes[..100]);
    world
        .socket(a)
        .write_bytes(Bytes::copy_from_slice(&bytes[100..]));
    world.socket(a).end();
    world.turn();
    for sent in 1..BYTES {
        assert_eq!(world.script.written(a.descriptor), bytes[..sent]);
        assert_eq!(world.settle(), 0, "the edge is waited for");
        world.wake(&[(a.descriptor, WRITE)]);
    }
    assert_eq!(world.script.written(a.descriptor), bytes);
    assert_eq!(world.log.take(), ["a finish"]);
    let asked = Call::Reregister(a.descriptor, Interest::ReadWrite);
    let calls = world.calls(|call| !matches!(call, Call::Poll(_) | Call::Write(..)));
    assert_eq!(calls, [asked, Call::ShutdownWrite(a.descriptor)]);
    world.finish();
}

#[test]
fn d1_a_storm_of_refusals_loses_nothing() {
    let mut world = World::new();
    let a = world.accept("a");
    for _ in 0..50 {
        world
            .script
            .on_write(a.descriptor, Write::Err(libc::EAGAIN));
    }
    let bytes = pattern(100_000);
    assert!(!world.socket(a).write(&bytes));
    for _ in 0..49 {
        world.wake(&[(a.descriptor, WRITE)]);
        assert_eq!(world.settle(), 0);
        assert_eq!(world.script.written(a.descriptor), b"");
    }
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.script.written(a.descriptor), bytes);
    assert_eq!(world.log.take(), ["a drain"]);
    world.finish();
}

#[test]
fn d1_an_interrupted_write_is_made_again() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_write(a.descriptor, Write::Err(libc::EINTR));
    world.socket(a).write(b"hello");
    world.turn();
    assert_eq!(world.script.written(a.descriptor), b"hello");
    world.finish();
}

#[test]
fn d2_after_a_write_that_was_taken_whole_no_edge_is_waited_for() {
    let mut world = World::new();
    let a = world.accept("a");
    let bytes = pattern(3_000_000);
    for part in bytes.chunks(100_000) {
        world.script.on_write(a.descriptor, Write::All);
        assert!(world.socket(a).write(part), "the kernel has all of it");
    }
    assert_eq!(world.script.written(a.descriptor), bytes);
    assert_eq!(world.calls(is_reregister), []);
    assert_eq!(world.settle(), 0);
    world.finish();
}

#[test]
fn d2_a_flush_that_ends_with_its_budget_goes_on_by_itself() {
    let limits = Limits {
        write_bytes: 1000,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let a = world.accept("a");
    let b = world.accept("b");
    world.script.on_write(a.descriptor, Write::Takes(1));
    let bytes = pattern(5001);
    world.socket(a).write(&bytes);
    world.script.take_calls();
    world.feed(b, b"hi");
    world.wake(&[(a.descriptor, WRITE), (b.descriptor, READ)]);
    assert_eq!(world.script.written(a.descriptor).len(), 1001);
    assert_eq!(world.log.take(), ["b data hi"], "others get their turn");
    assert_eq!(world.reactor.next_timeout(), Some(ZERO));
    assert_eq!(world.settle(), 4);
    assert_eq!(world.script.written(a.descriptor), bytes);
    assert_eq!(
        world.calls(is_write),
        vec![Call::Write(a.descriptor, 1000); 5]
    );
    world.finish();
}

#[test]
fn d3_writes_of_nothing_complete_in_their_place_and_ask_nobody() {
    let mut world = World::new();
    let a = world.accept("a");
    write_logged(&mut world, a, "first", b"");
    assert!(world.log.take().is_empty(), "not inside the call");
    write_logged(&mut world, a, "second", b"x");
    write_logged(&mut world, a, "third", b"");
    world.socket(a).write_bytes(Bytes::new());
    world.turn();
    assert_eq!(world.log.take(), ["first Ok", "second Ok", "third Ok"]);
    assert_eq!(world.calls(is_write), [Call::Write(a.descriptor, 1)]);
    world.finish();
}

#[test]
fn d3_a_write_of_nothing_waits_for_those_before_it() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_write(a.descriptor, Write::Takes(1));
    write_logged(&mut world, a, "hello", b"hello");
    write_logged(&mut world, a, "nothing", b"");
    world.turn();
    assert!(world.log.take().is_empty());
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.log.take(), ["hello Ok", "nothing Ok"]);
    world.finish();
}

#[test]
fn d3_a_kernel_that_takes_no_byte_is_a_kernel_without_room() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_write(a.descriptor, Write::Takes(0));
    world.socket(a).write(b"hello");
    world.turn();
    assert_eq!(world.settle(), 0, "it is not asked again and again");
    assert!(world.log.take().is_empty(), "and it is no error");
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.script.written(a.descriptor), b"hello");
    world.finish();
}

#[test]
fn d4_many_chunks_leave_in_vectors_of_bounded_length() {
    let mut world = World::new();
    let a = world.accept("a");
    let bytes = pattern(200 * 600);
    world
        .script
        .on_write(a.descriptor, Write::Err(libc::EAGAIN));
    world.socket(a).write(&bytes[..600]);
    world.turn();
    for chunk in bytes[600..].chunks(600) {
        // Long enough to be shared: each is a chunk of its own.
        world.socket(a).write_bytes(Bytes::copy_from_slice(chunk));
    }
    world.script.take_calls();
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.script.written(a.descriptor), bytes);
    let lengths: Vec<usize> = world
        .calls(is_write)
        .into_iter()
        .map(|call| match call {
            Call::WriteVectored(_, pieces) => pieces.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(lengths, [64, 64, 64, 8]);
    world.finish();
}

#[test]
fn d4_a_vector_cut_short_inside_a_chunk_goes_on_where_it_was_cut() {
    let mut world = World::new();
    let a = world.accept("a");
    world
        .script
        .on_write(a.descriptor, Write::Err(libc::EAGAIN));
    let bytes = pattern(10 * 600);
    for chunk in bytes.chunks(600) {
        world.socket(a).write_bytes(Bytes::copy_from_slice(chunk));
    }
    world.turn();
    for taken in [599, 1, 601, 1800] {
        world.script.on_write(a.descriptor, Write::Takes(taken));
        world.wake(&[(a.descriptor, WRITE)]);
    }
    assert_eq!(world.script.written(a.descriptor), bytes[..3001]);
    assert_eq!(world.socket(a).buffer_size(), 2999);
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.script.written(a.descriptor), bytes);
    world.finish();
}

#[test]
fn d5_a_drain_handler_that_fills_up_again_for_ever_leaves_others_their_turn() {
    let mut world = World::new();
    // Each write meets a full kernel, which has room at once when it is asked again.
    let fill = |socket: &mut Socket<'_>| assert!(!socket.write(&[b'x'; 70_000]));
    let a = world.accept_with("a", move |socket, event| {
        if let Event::Drain = event {
            fill(socket);
        }
    });
    let b = world.accept("b");
    for _ in 0..10 {
        world
            .script
            .on_write(a.descriptor, Write::Err(libc::EAGAIN));
        world.script.on_write(a.descriptor, Write::All);
    }
    fill(&mut world.socket(a));
    for _ in 0..9 {
        world.feed(b, b"hi");
        world.wake(&[(a.descriptor, WRITE), (b.descriptor, READ)]);
        assert_eq!(world.log.take(), ["b data hi", "a drain"]);
        assert_eq!(world.settle(), 0);
    }
    world.finish();
}

#[test]
fn d6_the_fin_goes_behind_the_last_byte_and_finish_behind_the_fin() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_write(a.descriptor, Write::Takes(3));
    world.script.on_write(a.descriptor, Write::Takes(3));
    write_logged(&mut world, a, "hello", b"hello");
    world.socket(a).end();
    world.turn();
    assert!(world.log.take().is_empty());
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.log.take(), ["hello Ok", "a finish"]);
    let expected = [
        Call::Write(a.descriptor, 5),
        Call::Write(a.descriptor, 2),
        Call::ShutdownWrite(a.descriptor),
    ];
    let calls = world.calls(|call| is_write(call) || matches!(call, Call::ShutdownWrite(_)));
    assert_eq!(calls, expected);
    world.finish();
}

#[test]
fn d8_destroying_a_full_socket_fails_its_writes_in_order_and_closes_once() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_write(a.descriptor, Write::All);
    world.script.on_write(a.descriptor, Write::Takes(1_000_000));
    write_logged(&mut world, a, "sent", &pattern(5_000)); // and not told yet
    write_logged(&mut world, a, "begun", &pattern(5_000_000));
    write_logged(&mut world, a, "queued", &pattern(5_000_000));
    world.socket(a).destroy();
    assert_eq!(world.socket(a).buffer_size(), 0);
    world.turn();
    assert_eq!(
        world.log.take(),
        [
            "sent Ok",
            "begun ECANCELED",
            "queued ECANCELED",
            "a close false"
        ]
    );
    world.finish();
}

#[test]
fn d10_a_producer_that_ignores_the_answer_is_stopped_at_the_cap() {
    let options = ListenOptions::from(address()).write_cap(Some(100_000));
    let mut world = World::with(options, Limits::default());
    let a = world.accept("a");
    let b = world.accept("b");
    world
        .script
        .on_write(a.descriptor, Write::Err(libc::EAGAIN));
    let mut accepted = 0;
    while !world.socket(a).destroyed() {
        assert!(accepted <= 110_000, "the queue has a bound");
        world.socket(a).write(&[0; 10_000]);
        accepted += 10_000;
    }
    world.feed(b, b"hi");
    world.wake(&[(b.descriptor, READ)]);
    assert_eq!(
        world.log.take(),
        ["b data hi", "a error - ENOBUFS", "a close true"]
    );
    world.finish();
}

#[test]
fn d11_a_write_that_fails_is_told_once_behind_its_completions() {
    for (errno, code) in [(libc::EPIPE, "EPIPE"), (libc::ECONNRESET, "ECONNRESET")] {
        let mut world = World::new();
        let a = world.accept("a");
        world.script.on_write(a.descriptor, Write::Takes(1));
        write_logged(&mut world, a, "one", &pattern(1000));
        write_logged(&mut world, a, "two", &pattern(1000));
        world.turn();
        world.script.on_write(a.descriptor, Write::Takes(1000));
        world.wake(&[(a.descriptor, WRITE)]);
        world.script.on_write(a.descriptor, Write::Err(errno));
        world.wake(&[(a.descriptor, WRITE)]);
        assert_eq!(
            world.log.take(),
            [
                "one Ok".to_owned(),
                format!("two {code}"),
                format!("a error write {code}"),
                "a close true".to_owned()
            ]
        );
        world.finish();
    }
}

#[test]
fn d11_a_large_write_that_fails_at_once_says_so_to_its_completion() {
    let mut world = World::new();
    let a = world.accept("a");
    write_logged(&mut world, a, "small", b"small");
    world.turn();
    world.script.on_write(a.descriptor, Write::Err(libc::EPIPE));
    write_logged(&mut world, a, "large", &pattern(100_000));
    world.turn();
    assert_eq!(
        world.log.take(),
        [
            "small Ok",
            "large EPIPE",
            "a error write EPIPE",
            "a close true"
        ]
    );
    world.finish();
}

#[test]
fn d11_a_vectored_write_that_fails_drops_the_queue() {
    let mut world = World::new();
    let a = world.accept("a");
    world
        .script
        .on_write(a.descriptor, Write::Err(libc::EAGAIN));
    for _ in 0..3 {
        world.socket(a).write_bytes(Bytes::from(vec![0; 1000]));
    }
    world.turn();
    world
        .script
        .on_write(a.descriptor, Write::Err(libc::ECONNRESET));
    world.script.take_calls();
    world.wake(&[(a.descriptor, WRITE)]);
    let asked = Call::WriteVectored(a.descriptor, vec![1000; 3]);
    assert_eq!(world.calls(is_write), [asked]);
    assert_eq!(
        world.log.take(),
        ["a error write ECONNRESET", "a close true"]
    );
    world.finish();
}

#[test]
fn d11_a_reset_with_the_queue_full_is_told_by_the_read_that_finds_it() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_write(a.descriptor, Write::Takes(1));
    write_logged(&mut world, a, "queued", &pattern(1000));
    world.turn();
    world
        .script
        .on_read(a.descriptor, Read::Err(libc::ECONNRESET));
    world.wake(&[(a.descriptor, RST)]);
    assert_eq!(
        world.log.take(),
        [
            "queued ECONNRESET",
            "a error read ECONNRESET",
            "a close true"
        ]
    );
    world.finish();
}

#[test]
fn d13_room_for_an_empty_queue_is_no_work() {
    let mut world = World::new();
    let a = world.accept("a");
    // Once it had to wait, so the kernel goes on telling of room.
    world.script.on_write(a.descriptor, Write::Takes(1));
    world.socket(a).write(b"hello");
    world.turn();
    world.wake(&[(a.descriptor, WRITE)]);
    world.script.take_calls();
    for _ in 0..3 {
        world.wake(&[(a.descriptor, WRITE)]);
        assert_eq!(world.settle(), 0);
    }
    assert_eq!(world.calls(|call| !matches!(call, Call::Poll(_))), []);
    assert!(world.log.take().is_empty());
    world.finish();
}

#[test]
fn d15_a_send_that_no_edge_would_follow_fails_instead_of_hanging() {
    for (errno, code) in [(libc::ENOBUFS, "ENOBUFS"), (libc::ENOMEM, "ENOMEM")] {
        let mut world = World::new();
        let a = world.accept("a");
        world.script.on_write(a.descriptor, Write::Err(errno));
        world.socket(a).write(b"hello");
        world.turn();
        assert_eq!(
            world.log.take(),
            [format!("a error write {code}"), "a close true".into()]
        );
        world.finish();
    }
}

#[test]
fn d16_a_fin_that_finds_nobody_is_as_good_as_sent_and_reading_tells_the_rest() {
    let mut world = World::new();
    let a = world.accept("a");
    world
        .script
        .answer(Kind::ShutdownWrite, Err(libc::ENOTCONN));
    world.socket(a).end();
    world.turn();
    assert_eq!(world.log.take(), ["a finish"]);
    world
        .script
        .on_read(a.descriptor, Read::Err(libc::ECONNRESET));
    world.wake(&[(a.descriptor, RST)]);
    assert_eq!(
        world.log.take(),
        ["a error read ECONNRESET", "a close true"]
    );
    world.finish();
}

#[test]
fn d16_a_fin_that_fails_otherwise_fails_the_socket() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.answer(Kind::ShutdownWrite, Err(libc::ENOBUFS));
    world.socket(a).end();
    world.turn();
    assert_eq!(
        world.log.take(),
        ["a error shutdown ENOBUFS", "a close true"]
    );
    assert_eq!(world.script.open_descriptors(), [LISTENER]);
    world.finish();
}

#[test]
fn d17_a_completion_may_write_end_or_destroy() {
    let mut world = World::new();
    let a = world.accept("a");
    let b = world.accept("b");
    let id = b.id;
    world.socket(a).write_then(b"one", move |net, _| {
        net.socket(a.id).unwrap().write(b"two");
        net.socket(id).unwrap().end();
    });
    world.socket(b).write_then(b"x", move |net, _| {
        net.socket(a.id).unwrap().destroy();
    });
    world.turn();
    world.settle();
    assert_eq!(world.script.written(a.descriptor), b"onetwo");
    assert_eq!(world.log.of("a"), ["close false"]);
    assert_eq!(world.log.of("b"), ["finish"]);
    world.finish();
}

#[test]
fn d17_a_completion_that_writes_again_for_ever_is_told_once_a_turn() {
    fn again(net: &mut Net, id: SocketId, told: Rc<Cell<usize>>) {
        let mut socket = net.socket(id).unwrap();
        socket.write_then(b"x", move |net, _| {
            told.set(told.get() + 1);
            if told.get() < 100 {
                again(net, id, told);
            }
        });
    }
    let mut world = World::new();
    let a = world.accept("a");
    let told = Rc::new(Cell::new(0));
    again(world.net(), a.id, told.clone());
    for turn in 1..=10 {
        world.turn();
        assert_eq!(told.get(), turn);
        assert_eq!(world.reactor.next_timeout(), Some(ZERO));
    }
    world.finish();
}

#[test]
fn d19_ending_uncorks_and_sends_everything_in_one_call() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).cork();
    world.socket(a).cork();
    world.socket(a).write(b"one");
    world.socket(a).write(b"two");
    world.socket(a).uncork();
    world.turn();
    assert_eq!(world.calls(is_write), []);
    world.socket(a).end();
    world.turn();
    let expected = [
        Call::Write(a.descriptor, 6),
        Call::ShutdownWrite(a.descriptor),
    ];
    assert_eq!(world.calls(|call| !matches!(call, Call::Poll(_))), expected);
    world.feed_end(a);
    world.wake(&[(a.descriptor, FIN)]);
    assert_eq!(world.log.take(), ["a finish", "a end", "a close false"]);
    world.finish();
}

#[test]
fn p19_only_a_write_cut_short_asks_for_an_edge() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).write(b"whole");
    world.turn();
    assert_eq!(world.calls(is_reregister), []);
    world.script.on_write(a.descriptor, Write::Takes(2));
    world.socket(a).write(b"short");
    world.turn();
    let expected = [Call::Reregister(a.descriptor, Interest::ReadWrite)];
    assert_eq!(world.calls(is_reregister), expected);
    // While it waits, nobody asks the kernel: it has said no.
    world.socket(a).write(&pattern(100_000));
    world.turn();
    assert_eq!(world.calls(is_write), []);
    // The interest stays when the queue is empty: room that nobody waits for is no event.
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.calls(is_reregister), []);
    world.finish();
}
