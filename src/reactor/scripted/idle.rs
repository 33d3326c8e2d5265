//! FAULTS group F: idle timeouts, of sockets that are quiet, that only look so, and that are gone.

use super::world::{DAY, End, HOUR, MILLI, READ, SECOND, WRITE, World, ZERO, address};
use crate::Event;
use crate::net::Limits;
use crate::sys::script::{Poll, Write};
use std::time::Duration;

const NANO: Duration = Duration::from_nanos(1);

#[test]
fn f1_no_idle_timeout_is_early_by_a_part_of_a_tick() {
    for phase in [ZERO, NANO, MILLI - NANO] {
        let mut world = World::new();
        let a = world.accept("a");
        world.socket(a).set_timeout(10 * MILLI);
        world.script.advance(5 * MILLI + phase);
        world.feed(a, b"hi");
        world.wake(&[(a.descriptor, READ)]);
        world.run_for(10 * MILLI - NANO);
        assert_eq!(world.log.take(), ["a data hi"], "{phase:?}");
        world.run_for(MILLI + NANO);
        assert_eq!(world.log.take(), ["a timeout"], "{phase:?}");
        world.finish();
    }
}

#[test]
fn f3_an_idle_timeout_is_cut_to_what_node_allows() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).set_timeout(Duration::MAX);
    let longest = Duration::from_millis((1 << 31) - 1);
    assert_eq!(world.socket(a).timeout(), Some(longest));
    world.run_for(longest);
    assert!(world.log.take().is_empty());
    world.run_for(MILLI);
    assert_eq!(world.log.take(), ["a timeout"]);
    world.finish();
}

#[test]
fn f5_an_idle_timeout_that_was_told_and_then_turned_off_stays_off() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).set_timeout(10 * MILLI);
    world.run_for(20 * MILLI);
    assert_eq!(world.log.take(), ["a timeout"]);
    world.socket(a).set_timeout(ZERO);
    world.feed(a, b"hi");
    world.wake(&[(a.descriptor, READ)]);
    world.run_for(SECOND);
    assert_eq!(world.log.take(), ["a data hi"]);
    world.finish();
}

/// So many sockets with an idle timeout of two seconds.
fn impatient(world: &mut World, sockets: usize) -> Vec<End> {
    let ends: Vec<End> = (0..sockets)
        .map(|at| world.accept(&format!("s{at}")))
        .collect();
    for &end in &ends {
        world.socket(end).set_timeout(2 * SECOND);
    }
    ends
}

#[test]
fn f6_input_that_waits_counts_before_its_absence() {
    let mut world = World::new();
    let ends = impatient(&mut world, 2);
    world.script.advance(5 * SECOND); // the process was stopped
    world.feed(ends[0], b"hi");
    world.wake(&[(ends[0].descriptor, READ)]);
    assert_eq!(world.log.take(), ["s0 data hi", "s1 timeout"]);
    world.finish();
}

#[test]
fn f6_after_a_full_batch_idle_timeouts_wait_for_the_next_poll() {
    let limits = Limits {
        events: 2,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let ends = impatient(&mut world, 4);
    world.script.advance(5 * SECOND);
    for &end in &ends[..3] {
        world.feed(end, b"hi");
    }
    world.wake(&[(ends[0].descriptor, READ), (ends[1].descriptor, READ)]);
    assert_eq!(world.log.take(), ["s0 data hi", "s1 data hi"]);
    assert_eq!(world.reactor.next_timeout(), Some(ZERO));
    world.wake(&[(ends[2].descriptor, READ)]);
    assert_eq!(world.log.take(), ["s2 data hi", "s3 timeout"]);
    assert_ne!(world.reactor.next_timeout(), Some(ZERO));
    world.finish();
}

#[test]
fn f6_a_poll_cut_short_by_a_signal_has_not_looked_at_what_waits() {
    let mut world = World::new();
    let ends = impatient(&mut world, 2);
    // SIGCONT ends the sleep that SIGSTOP began, and what came meanwhile is not reported with it.
    world.script.advance(5 * SECOND);
    world.script.on_poll(Poll::Err(libc::EINTR));
    world.feed(ends[0], b"hi");
    world.wake(&[(ends[0].descriptor, READ)]);
    assert_eq!(world.log.take(), ["s0 data hi", "s1 timeout"]);
    world.finish();
}

#[test]
fn f6_but_full_batches_do_not_put_them_off_for_ever() {
    let limits = Limits {
        events: 1,
        full_batches: 3,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let ends = impatient(&mut world, 2);
    world.turn(); // a poll that is not full, so that those of the accepts do not count
    world.script.advance(5 * SECOND);
    let mut turns = 0;
    while world.log.count("s1 timeout") == 0 {
        world.feed(ends[0], b"hi");
        world.wake(&[(ends[0].descriptor, READ)]);
        turns += 1;
        assert!(turns <= 10);
    }
    assert_eq!(turns, limits.full_batches + 1);
    world.finish();
}

#[test]
fn f6_input_that_a_resume_is_about_to_bring_counts_too() {
    let mut world = World::new();
    let b = impatient(&mut world, 1)[0];
    let a = world.accept_with("a", move |socket, event| {
        if let Event::Data(_) = event {
            socket.net().socket(b.id).unwrap().resume();
        }
    });
    world.socket(b).pause();
    world.feed(b, b"early");
    world.wake(&[(b.descriptor, READ)]);
    world.script.advance(5 * SECOND);
    world.feed(a, b"hi");
    world.wake(&[(a.descriptor, READ)]);
    world.turn();
    assert_eq!(world.log.take(), ["a data hi", "s0 data early"]);
    world.finish();
}

#[test]
fn f6_time_that_a_handler_took_is_not_held_against_input_that_nobody_polled_for() {
    let mut world = World::new();
    let script = world.script.clone();
    let slow = world.accept_with("slow", move |_, event| {
        if let Event::Data(_) = event {
            script.advance(5 * SECOND);
        }
    });
    let ends = impatient(&mut world, 1);
    world.socket(slow).set_timeout(2 * SECOND);
    // Timers look at the clock again before they run; idle timeouts must not.
    let timer = world.ring("much later", DAY);
    world.feed(slow, b"hi");
    world.wake(&[(slow.descriptor, READ)]);
    assert_eq!(world.log.take(), ["slow data hi"]);
    world.feed(ends[0], b"hi"); // sent in time, as far as anybody can tell
    world.wake(&[(ends[0].descriptor, READ)]);
    // The slow one, of which nothing has come, has been idle all that time.
    assert_eq!(world.log.take(), ["s0 data hi", "slow timeout"]);
    world.net().clear_timer(timer);
    world.finish();
}

#[test]
fn f7_idle_timeouts_that_are_due_together_are_told_once_each_in_bounded_turns() {
    const SOCKETS: usize = 500;
    let limits = Limits {
        idle_timeouts: 100,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    impatient(&mut world, SOCKETS);
    world.script.advance(5 * SECOND);
    for turn in 1..=SOCKETS / limits.idle_timeouts {
        world.turn();
        assert_eq!(world.log.count("s"), turn * limits.idle_timeouts);
    }
    let expected: Vec<String> = (0..SOCKETS).map(|at| format!("s{at} timeout")).collect();
    assert_eq!(
        world.log.take(),
        expected,
        "in the order of their deadlines"
    );
    world.settle();
    world.run_for(HOUR);
    assert!(world.log.take().is_empty(), "not again before a byte moves");
    world.finish();
}

#[test]
fn f10_an_idle_timeout_never_fires_on_who_has_the_slot_now() {
    let mut world = World::new();
    let old = world.accept("old");
    world.socket(old).set_timeout(10 * MILLI);
    world.socket(old).destroy();
    world.turn();
    let new = world.accept("new");
    assert_eq!(new.id.key.index, old.id.key.index);
    world.run_for(SECOND);
    assert!(world.log.take().is_empty());
    assert_eq!(world.reactor.next_timeout(), None, "its entry went with it");
    world.finish();
}

#[test]
fn f10_nor_does_one_that_was_told_come_back_with_a_byte_for_the_newcomer() {
    let mut world = World::new();
    let old = world.accept("old");
    world.socket(old).set_timeout(10 * MILLI);
    world.run_for(20 * MILLI);
    assert_eq!(world.log.take(), ["old timeout"]);
    world.socket(old).destroy();
    world.turn();
    let new = world.accept("new");
    world.feed(new, b"hi");
    world.wake(&[(new.descriptor, READ)]);
    world.run_for(SECOND);
    assert_eq!(world.log.take(), ["new data hi"]);
    world.finish();
}

#[test]
fn f11_activity_leaves_no_dead_entries_behind() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).set_timeout(SECOND);
    for _ in 0..10_000 {
        world.feed(a, b"x");
        world.script.advance(MILLI / 10);
        world.wake(&[(a.descriptor, READ)]);
    }
    world.forget();
    let polls = world.run_for(10 * SECOND);
    assert_eq!(world.log.take(), ["a timeout"]);
    // The entry at its old deadline, its move, the cascades on its way, and the end of the run.
    assert!(polls <= 6, "{polls} polls for one timeout");
    world.finish();
}

/// F12 is this rule.
#[test]
fn r70_a_queue_that_gets_shorter_is_no_idle_one_and_a_stuck_one_is() {
    let mut world = World::new();
    let a = world.accept("a");
    world.script.on_write(a.descriptor, Write::Takes(1));
    world.socket(a).write(b"0123456789");
    world.socket(a).set_timeout(100 * MILLI);
    world.turn();
    for _ in 0..8 {
        world.run_for(90 * MILLI);
        world.script.on_write(a.descriptor, Write::Takes(1));
        world.wake(&[(a.descriptor, WRITE)]);
    }
    assert!(world.log.take().is_empty());
    world.run_for(90 * MILLI);
    world.socket(a).write(b"more"); // queued, and no byte of it moves (R69)
    world.run_for(12 * MILLI);
    assert_eq!(world.log.take(), ["a timeout"]);
    // Once told, it is told again only after a byte has moved: until then nothing wakes the loop.
    assert_eq!(world.reactor.next_timeout(), None);
    world.run_for(SECOND);
    assert!(world.log.take().is_empty());
    world.wake(&[(a.descriptor, WRITE)]);
    world.run_for(102 * MILLI);
    assert_eq!(world.log.take(), ["a timeout"]);
    world.finish();
}

#[test]
fn r72_connecting_goes_on_after_a_timeout_and_its_success_is_activity() {
    let mut world = World::new();
    let id = world.connect("a", |_, _| ());
    let mut socket = world.net().socket(id).unwrap();
    socket.set_timeout(10 * MILLI);
    world.run_for(HOUR);
    assert_eq!(world.log.take(), ["a attempt", "a timeout"]);
    let descriptor = *world.script.open_descriptors().last().unwrap();
    world.wake(&[(descriptor, WRITE)]);
    assert_eq!(world.log.take(), ["a connect", "a ready"]);
    world.run_for(10 * MILLI - NANO);
    assert!(world.log.take().is_empty());
    world.run_for(2 * MILLI);
    assert_eq!(world.log.take(), ["a timeout"]);
    world.finish();
}

#[test]
fn a_write_that_leaves_at_the_end_of_the_turn_comes_before_the_timeout() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).set_timeout(10 * MILLI);
    // A heartbeat in the very tick in which the socket has been idle for its timeout.
    world.net().set_timeout(10 * MILLI, move |net| {
        net.socket(a.id).unwrap().write(b"beat");
    });
    world.script.advance(12 * MILLI);
    world.turn();
    assert_eq!(world.script.written(a.descriptor), b"beat");
    world.run_for(10 * MILLI - NANO);
    assert!(world.log.take().is_empty());
    world.run_for(2 * MILLI);
    assert_eq!(world.log.take(), ["a timeout"]);
    world.finish();
}
