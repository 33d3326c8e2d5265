//! FAULTS group E: events of one batch that meet in any order, stale names, and stopping half-way.

use super::log::{Log, reacting};
use super::world::is_reregister;
use super::world::{End, FIN, LISTENER, MILLI, READ, RST, WRITE, World, ZERO, address};
use crate::net::{Key, Limits, Target};
use crate::sys::Readiness;
use crate::sys::script::{Accept, Call, Event as Told, Kind, Poll, Read, Write};
use crate::{Event, Socket};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Two sockets with bytes to read, each of which destroys the other when it gets them.
fn rivals(world: &mut World) -> [End; 2] {
    let ends = Rc::new(RefCell::new(Vec::<End>::new()));
    for name in ["a", "b"] {
        let all = ends.clone();
        let end = world.accept_with(name, move |socket, event| {
            if let Event::Data(_) = event {
                let own = socket.id();
                for other in all.borrow().iter().filter(|end| end.id != own) {
                    socket.net().socket(other.id).unwrap().destroy();
                }
            }
        });
        ends.borrow_mut().push(end);
    }
    let ends = ends.borrow();
    for &end in ends.iter() {
        world.feed(end, b"hi");
        world.feed_end(end);
    }
    [ends[0], ends[1]]
}

#[test]
fn e1_an_event_for_a_socket_destroyed_earlier_in_its_batch_is_dropped() {
    for first in [0, 1] {
        let mut world = World::new();
        let ends = rivals(&mut world);
        let [winner, loser] = [ends[first], ends[1 - first]];
        let events = [winner, loser].map(|end| (end.descriptor, READ));
        world.script.take_calls();
        world.wake(&events);
        let names = [["a", "b"], ["b", "a"]][first];
        let expected = [
            format!("{} data hi", names[0]),
            format!("{} close false", names[1]),
        ];
        assert_eq!(world.log.take(), expected);
        let touches_loser =
            |call: &Call| matches!(call, Call::Read(on, _) if *on == loser.descriptor);
        assert_eq!(world.calls(touches_loser), [], "and nothing is read for it");
        world.finish();
    }
}

#[test]
fn e2_a_newcomer_of_the_same_batch_gets_neither_the_slot_nor_the_descriptor() {
    let mut world = World::new();
    let [a, b] = rivals(&mut world);
    world.expect_peer("newcomer", |_, _| ());
    world.wake(&[(a.descriptor, READ), (LISTENER, READ), (b.descriptor, FIN)]);
    assert_eq!(
        world.log.take(),
        ["a data hi", "server connection", "b close false"]
    );
    let newcomer = world.end_on(6);
    assert_ne!(newcomer.id.key.index, b.id.key.index);
    world.finish();
}

#[test]
fn e2_a_stale_event_never_reaches_who_has_its_slot_and_descriptor_now() {
    let mut world = World::new();
    let old = world.accept("old");
    let stale = world.script.token(old.descriptor).unwrap();
    world.socket(old).destroy();
    world.turn();
    let new = world.accept("new");
    assert_eq!(new.descriptor, old.descriptor);
    assert_eq!(new.id.key.index, old.id.key.index);
    world.feed(new, b"for the new one");
    let before = world.net().stats().stale_events;
    let events = vec![Told::Token(stale, FIN.with(WRITE))];
    world.script.on_poll(Poll::Events(events));
    world.turn();
    assert!(world.log.take().is_empty());
    assert_eq!(world.net().stats().stale_events, before + 1);
    assert!(world.net().socket(old.id).is_none());
    world.wake(&[(new.descriptor, READ)]);
    assert_eq!(world.log.take(), ["new data for the new one"]);
    world.finish();
}

#[test]
fn e3_generations_that_wrap_still_tell_two_tenants_apart() {
    let mut world = World::new();
    world.net().sockets.set_generation(u32::MAX - 1);
    let last = world.accept("last");
    assert_eq!(last.id.key.generation, u32::MAX);
    let stale = world.script.token(last.descriptor).unwrap();
    world.socket(last).destroy();
    world.turn();
    let first = world.accept("first");
    assert_eq!(first.id.key.generation, 1, "0 names nothing");
    assert_eq!(first.id.key.index, last.id.key.index);
    world.feed(first, b"hi");
    let zero = Target::Socket(Key {
        index: first.id.key.index,
        generation: 0,
    });
    world.script.on_poll(Poll::Events(vec![
        Told::Token(stale, READ),
        Told::Token(zero.to_token(), READ),
    ]));
    world.turn();
    assert!(world.log.take().is_empty());
    assert_eq!(world.net().stats().stale_events, 2);
    world.wake(&[(first.descriptor, READ)]);
    assert_eq!(world.log.take(), ["first data hi"]);
    world.finish();
}

#[test]
fn e8_a_run_stopped_in_the_middle_of_a_batch_still_serves_the_rest_of_it() {
    let limits = Limits {
        read_buffer_bytes: 4,
        reads: 1,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let a = world.accept_with("a", |socket, event| {
        if let Event::Data(b"stop") = event {
            socket.net().stop();
        }
    });
    let b = world.accept("b");
    world.feed(a, b"stop");
    world.feed(b, b"1111222233");
    world.on_poll(&[(a.descriptor, READ), (b.descriptor, READ)]);
    world.reactor.run().unwrap();
    assert_eq!(world.log.take(), ["a data stop", "b data 1111"]);

    // What was left is latched, no edge will tell of it again (ET), and the next run goes on there.
    let stop = world.net().set_timeout(MILLI, |net| net.stop());
    world.reactor.run().unwrap();
    assert_eq!(world.log.take(), ["b data 2222", "b data 33"]);
    world.net().clear_timer(stop);
    world.finish();
}

#[test]
fn e8_a_stop_from_outside_ends_the_next_run_at_once() {
    let mut world = World::new();
    let a = world.accept("a");
    world.feed(a, b"hi");
    world.on_poll(&[(a.descriptor, READ)]);
    world.reactor.stop();
    world.reactor.run().unwrap();
    assert_eq!(world.calls(|_| true), []);
    world.turn();
    assert_eq!(world.log.take(), ["a data hi"]);
    world.finish();
}

#[test]
fn e9_tokens_of_nobody_are_counted_and_ignored() {
    let mut world = World::new();
    let former = world.accept("former"); // so that `a` and the listener differ in generation
    world.socket(former).destroy();
    world.turn();
    let a = world.accept("a");
    world.feed(a, b"hi");
    let own = world.script.token(a.descriptor).unwrap();
    let listener = world.script.token(LISTENER).unwrap();
    let strangers = [
        0,
        u64::MAX,
        usize::MAX as u64,
        own ^ 1 << 32,      // the slot of `a`, another generation
        own ^ 1,            // a vacant slot
        own ^ 1 << 31,      // a server's token made of it
        listener ^ 1 << 31, // and the other way round
    ];
    let everything = FIN.with(WRITE).with(Readiness::ERROR);
    let events = strangers.map(|token| Told::Token(token, everything));
    world.script.on_poll(Poll::Events(events.to_vec()));
    world.turn();
    assert!(world.log.take().is_empty());
    assert_eq!(world.net().stats().stale_events, strangers.len() as u64);
    assert_eq!(world.settle(), 0);
    world.finish();
}

#[test]
fn e10_more_ready_sockets_than_a_batch_holds_are_all_served_and_none_twice() {
    const SOCKETS: usize = 300;
    for batch in [1, 100] {
        let limits = Limits {
            events: batch,
            ..Limits::default()
        };
        let mut world = World::with(address(), limits);
        let ends: Vec<End> = (0..SOCKETS)
            .map(|at| world.accept(&format!("s{at}")))
            .collect();
        for &end in &ends {
            world.feed(end, b"hi");
        }
        for some in ends.chunks(batch) {
            let events: Vec<_> = some.iter().map(|end| (end.descriptor, READ)).collect();
            world.wake(&events);
        }
        let expected: Vec<String> = (0..SOCKETS).map(|at| format!("s{at} data hi")).collect();
        assert_eq!(world.log.take(), expected);
        assert_eq!(world.settle(), 1, "one more look behind a full batch");
        world.finish();
    }
}

#[test]
fn e10_two_events_for_one_socket_are_one_visit() {
    let limits = Limits {
        read_buffer_bytes: 4,
        reads: 1,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let a = world.accept("a");
    world.feed(a, b"1111222233334444");
    world.wake(&[(a.descriptor, READ), (a.descriptor, WRITE)]);
    assert_eq!(world.log.take(), ["a data 1111"], "one budget");
    // Nor does an event add to what stands in the queue already.
    world.wake(&[(a.descriptor, READ), (a.descriptor, READ)]);
    assert_eq!(world.log.take(), ["a data 2222"]);
    world.finish();
}

#[test]
fn e11_many_resets_at_once_cost_the_same_each() {
    const SOCKETS: usize = 300;
    let mut world = World::new();
    let ends: Vec<End> = (0..SOCKETS).map(|_| world.accept("a")).collect();
    for end in &ends {
        let reset = Read::Err(libc::ECONNRESET);
        world.script.on_read(end.descriptor, reset);
    }
    let events: Vec<_> = ends.iter().map(|end| (end.descriptor, RST)).collect();
    world.script.take_calls();
    world.wake(&events);
    assert_eq!(world.log.count("a error read ECONNRESET"), SOCKETS);
    assert_eq!(world.log.count("a close true"), SOCKETS);
    assert_eq!(world.settle(), 0, "in that one turn");
    let calls = world.calls(|call| !matches!(call, Call::Poll(_)));
    assert_eq!(calls.len(), 3 * SOCKETS, "a read, a deregister, a close");
    world.finish();
}

#[test]
fn e13_a_socket_whose_interest_cannot_be_changed_fails_alone() {
    for (errno, code) in [
        (libc::EBADF, "EBADF"),
        (libc::ENOENT, "ENOENT"),
        (libc::EEXIST, "EEXIST"),
    ] {
        let mut world = World::new();
        let a = world.accept("a");
        let b = world.accept("b");
        world.script.on_write(a.descriptor, Write::Takes(1));
        world.script.on_write(b.descriptor, Write::Takes(1));
        world.script.answer(Kind::Reregister, Err(errno));
        for end in [a, b] {
            // Gathered, then cut short: what the kernel took is no longer in the queue by then.
            world.socket(end).write(b"hello");
        }
        world.turn();
        assert_eq!(
            world.log.take(),
            [
                format!("a error epoll_ctl {code}"),
                "a close true".to_owned()
            ]
        );
        world.wake(&[(b.descriptor, WRITE)]);
        assert_eq!(world.script.written(b.descriptor), b"hello");
        world.finish();
    }
}

#[test]
fn e13_a_failure_to_watch_a_large_write_fails_the_socket_and_its_completion() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_write(a.descriptor, Write::Takes(1000));
    world.script.answer(Kind::Reregister, Err(libc::ENOENT));
    let log = world.log.clone();
    world.socket(a).write_then(&[0; 10_000], move |_, outcome| {
        log.push(format!("written {}", outcome.unwrap_err().code()));
    });
    world.turn();
    assert_eq!(
        world.log.take(),
        ["written ENOENT", "a error epoll_ctl ENOENT", "a close true"]
    );
    world.finish();
}

#[test]
fn e13_a_resume_that_cannot_be_carried_out_fails_the_socket() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).pause();
    world.wake(&[(a.descriptor, READ)]);
    world.script.answer(Kind::Reregister, Err(libc::EBADF));
    world.socket(a).resume();
    world.turn();
    assert_eq!(
        world.log.take(),
        ["a error epoll_ctl EBADF", "a close true"]
    );
    world.finish();
}

#[test]
fn e13_a_descriptor_that_cannot_be_deregistered_is_closed_all_the_same() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.answer(Kind::Deregister, Err(libc::EBADF));
    world.socket(a).destroy();
    world.turn();
    assert_eq!(world.log.take(), ["a close false"]);
    assert_eq!(world.script.open_descriptors(), [LISTENER]);
    world.finish();
}

#[test]
fn e15_a_close_that_leads_to_more_and_more_of_them_is_bounded_in_each_turn() {
    /// At each close two new sockets, destroyed at once, as long as there were few.
    fn breed(log: Log, left: Rc<Cell<usize>>) -> impl FnMut(&mut Socket<'_>, Event<'_>) {
        move |socket, event| match event {
            Event::Close { .. } if left.get() > 0 => {
                for _ in 0..2 {
                    left.set(left.get() - 1);
                    let handler = reacting("s", &log, breed(log.clone(), left.clone()));
                    let mut other = socket.net().connect(address(), handler).unwrap();
                    other.destroy();
                }
            }
            _ => {}
        }
    }
    let mut world = World::new();
    let left = Rc::new(Cell::new(62));
    let first = world.connect("s", breed(world.log.clone(), left));
    world.net().socket(first).unwrap().destroy();
    for generation in 0..6 {
        assert_eq!(world.reactor.next_timeout(), Some(ZERO));
        world.turn();
        assert_eq!(world.log.take(), vec!["s close false"; 1 << generation]);
    }
    assert_eq!(world.reactor.next_timeout(), None);
    world.finish();
}

#[test]
fn a_server_and_its_socket_ready_at_once_are_served_in_the_order_of_the_batch() {
    let mut world = World::new();
    let a = world.accept("a");
    for order in [
        [(a.descriptor, READ), (LISTENER, READ)],
        [(LISTENER, READ), (a.descriptor, READ)],
    ] {
        world.feed(a, b"hi");
        world.script.on_accept(LISTENER, Accept::Peer(address()));
        world.wake(&order);
        let mut expected = ["a data hi", "server connection"];
        if order[0].0 == LISTENER {
            expected.reverse();
        }
        assert_eq!(world.log.take(), expected);
    }
    assert_eq!(world.calls(is_reregister), []);
    world.finish();
}
