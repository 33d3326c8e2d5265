//! Pausing against the kernel: when its interest changes, and that nothing is lost meanwhile (P2,
//! P3, C3, C5, C6).

use super::world::{FIN, LISTENER, MILLI, READ, RST, WRITE, World, address, is_reregister};
use crate::net::Limits;
use crate::sys::Interest;
use crate::sys::script::{Accept, Call, Read, Write};
use crate::{Event, ListenOptions};

#[test]
fn pausing_and_resuming_without_an_event_between_costs_no_call() {
    let mut world = World::new();
    let a = world.accept("a");
    for _ in 0..100_000 {
        world.socket(a).pause();
        world.socket(a).resume();
    }
    world.socket(a).pause();
    world.settle();
    for _ in 0..100 {
        world.turn();
        world.socket(a).resume();
        world.socket(a).pause();
    }
    assert_eq!(world.calls(|call| !matches!(call, Call::Poll(_))), []);
    assert!(world.log.take().is_empty());
    world.finish();
}

#[test]
fn a_paused_socket_is_parked_at_its_first_event_and_once() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).pause();
    assert_eq!(world.calls(is_reregister), []);
    for _ in 0..3 {
        // A real kernel would report one of them; others may be on their way already.
        world.wake(&[(a.descriptor, READ)]);
    }
    let parked = Call::Reregister(a.descriptor, Interest::Parked);
    let calls = world.calls(|call| !matches!(call, Call::Poll(_)));
    assert_eq!(calls, [parked], "and nothing was read");
    world.feed(a, b"hello");
    world.socket(a).resume();
    world.turn();
    let unparked = Call::Reregister(a.descriptor, Interest::Read);
    assert_eq!(world.calls(is_reregister), [unparked]);
    assert_eq!(world.log.take(), ["a data hello"]);
    world.finish();
}

#[test]
fn a_socket_that_pauses_in_its_own_data_is_parked_by_the_next_event_only() {
    let mut world = World::new();
    let a = world.accept_with("a", |socket, event| {
        if let Event::Data(_) = event {
            socket.pause();
        }
    });
    world.feed(a, b"hello");
    world.wake(&[(a.descriptor, READ)]);
    assert_eq!(world.calls(is_reregister), []);
    world.wake(&[(a.descriptor, READ)]);
    let parked = Call::Reregister(a.descriptor, Interest::Parked);
    assert_eq!(world.calls(is_reregister), [parked]);
    world.finish();
}

#[test]
fn a_pause_that_another_socket_takes_back_in_the_same_turn_costs_no_call() {
    let mut world = World::new();
    let a = world.accept_with("a", |socket, event| {
        if let Event::Data(_) = event {
            socket.pause();
        }
    });
    let b = world.accept_with("b", move |socket, event| {
        if let Event::Data(_) = event {
            socket.net().socket(a.id).unwrap().resume();
        }
    });
    world.feed(a, b"request");
    world.feed(b, b"answer");
    world.wake(&[(a.descriptor, READ), (b.descriptor, READ)]);
    assert_eq!(world.log.take(), ["a data request", "b data answer"]);
    assert_eq!(world.calls(is_reregister), []);
    assert!(!world.socket(a).is_paused());
    world.finish();
}

#[test]
fn c3_a_reset_while_paused_is_told_after_resume_with_the_data_first() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).pause();
    world.feed(a, b"last words");
    world.wake(&[(a.descriptor, READ)]);
    world
        .script
        .on_read(a.descriptor, Read::Err(libc::ECONNRESET));
    world.wake(&[(a.descriptor, RST)]);
    assert_eq!(world.settle(), 0, "and nobody spins meanwhile");
    assert!(world.log.take().is_empty());
    world.socket(a).resume();
    world.turn();
    assert_eq!(
        world.log.take(),
        [
            "a data last words",
            "a error read ECONNRESET",
            "a close true"
        ]
    );
    world.finish();
}

#[test]
fn c3_a_reset_socket_that_stays_paused_still_times_out_and_can_be_destroyed() {
    let mut world = World::new();
    let a = world.accept_with("a", |socket, event| {
        if let Event::Timeout = event {
            socket.destroy();
        }
    });
    world.socket(a).set_timeout(10 * MILLI);
    world.socket(a).pause();
    world
        .script
        .on_read(a.descriptor, Read::Err(libc::ECONNRESET));
    world.wake(&[(a.descriptor, RST)]);
    world.run_for(20 * MILLI);
    assert_eq!(world.log.take(), ["a timeout", "a close false"]);
    world.finish();
}

#[test]
fn c6_a_dribble_into_paused_sockets_wakes_the_loop_once_for_each() {
    let mut world = World::new();
    let ends: Vec<_> = (0..100).map(|_| world.accept("a")).collect();
    for &end in &ends {
        world.socket(end).pause();
    }
    for &end in &ends {
        world.wake(&[(end.descriptor, READ)]);
    }
    // Parked, the kernel says no more of bytes: one change of interest for each is all it costs.
    let calls = world.calls(|call| !matches!(call, Call::Poll(_)));
    let parked = ends
        .iter()
        .map(|end| Call::Reregister(end.descriptor, Interest::Parked));
    assert_eq!(calls, parked.collect::<Vec<_>>());
    world.finish();
}

#[test]
fn a_paused_socket_whose_queue_waits_is_asked_about_room_only() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_write(a.descriptor, Write::Takes(1));
    world.socket(a).pause();
    world.socket(a).write(b"hello");
    world.turn();
    let park = |interest| Call::Reregister(a.descriptor, interest);
    assert_eq!(world.calls(is_reregister), [park(Interest::ParkedWrite)]);
    // A FIN shows as room to write there (P3); the queue leaves, and then less is asked for.
    world.feed_end(a);
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.script.written(a.descriptor), b"hello");
    assert_eq!(world.calls(is_reregister), [park(Interest::Parked)]);
    assert!(world.log.take().is_empty(), "nobody reads yet");
    world.socket(a).resume();
    world.turn();
    assert_eq!(world.calls(is_reregister), [park(Interest::Read)]);
    world.wake(&[(a.descriptor, FIN)]); // what the change itself reports
    assert_eq!(world.log.take(), ["a end", "a finish", "a close false"]);
    world.finish();
}

#[test]
fn a_queue_that_waits_while_its_socket_resumes_is_still_asked_about() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_write(a.descriptor, Write::Takes(1));
    world.socket(a).pause();
    world.socket(a).write(b"hello");
    world.turn();
    world.script.take_calls();
    world.socket(a).resume();
    let expected = [Call::Reregister(a.descriptor, Interest::ReadWrite)];
    assert_eq!(world.calls(is_reregister), expected);
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.script.written(a.descriptor), b"hello");
    world.finish();
}

#[test]
fn a_socket_accepted_paused_is_parked_from_the_start() {
    let options = ListenOptions::from(address()).pause_on_connect(true);
    let mut world = World::with(options, Limits::default());
    world.script.on_accept(LISTENER, Accept::Peer(address()));
    world.wake(&[(LISTENER, READ)]);
    let a = world.end_on(4);
    let is_interest = |call: &Call| matches!(call, Call::Register(..) | Call::Reregister(..));
    let expected = [Call::Register(4, Interest::Parked)];
    assert_eq!(world.calls(is_interest), expected);
    world.socket(a).resume();
    let expected = [Call::Reregister(4, Interest::Read)];
    assert_eq!(world.calls(is_interest), expected);
    world.feed(a, b"hello");
    world.wake(&[(4, READ)]);
    assert_eq!(
        world.log.take(),
        ["server connection", "unnamed data hello"]
    );
    world.finish();
}
