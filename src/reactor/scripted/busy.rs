//! Busy polling, where it can be counted: on a clock that moves by what a poll takes.

use super::world::{LISTENER, MILLI, READ, SECOND, WRITE, World, ZERO};
use crate::sys::script::{Accept, Call, Event as Told, Poll};
use crate::{Event, Net};
use std::time::Duration;

const MICRO: Duration = Duration::from_micros(1);

/// A world whose loop polls for so long before it sleeps, and whose polls take a microsecond each.
fn busy(budget: Duration) -> World {
    let mut world = World::new();
    world.net().set_busy_poll(budget);
    world.turn(); // what made the world is no work any more
    world.script.polls_take(MICRO);
    world.forget();
    world
}

/// A loop that has just had something to do.
fn worked(world: &mut World) {
    world.net().set_immediate(|_| ());
    world.turn();
    world.forget();
}

fn turn(world: &mut World, most: impl Into<Option<Duration>>) {
    world.reactor.turn(most.into()).unwrap();
}

/// The timeouts of the polls since the last look.
fn polls(world: &World) -> Vec<Option<Duration>> {
    let calls = world.script.take_calls();
    let timeout = |call: &Call| match call {
        Call::Poll(timeout) => Some(*timeout),
        _ => None,
    };
    calls.iter().filter_map(timeout).collect()
}

/// So many polls that did not sleep, then those.
fn looks(times: usize, then: &[Option<Duration>]) -> Vec<Option<Duration>> {
    [vec![Some(ZERO); times].as_slice(), then].concat()
}

#[test]
fn what_comes_within_the_budget_is_found_without_a_sleep() {
    let mut world = busy(50 * MICRO);
    let a = world.accept("a");
    worked(&mut world);
    for _ in 0..9 {
        world.on_poll(&[]);
    }
    world.on_poll(&[(a.descriptor, READ)]);
    world.feed(a, b"hi");
    turn(&mut world, None);
    assert_eq!(polls(&world), looks(10, &[]));
    assert_eq!(world.log.take(), ["a data hi"]);
    world.finish();
}

#[test]
fn when_the_budget_is_over_it_sleeps_for_the_rest_and_not_a_moment_longer() {
    let mut world = busy(50 * MICRO);
    worked(&mut world);
    turn(&mut world, MILLI);
    let rest = MILLI - 50 * MICRO;
    assert_eq!(polls(&world), looks(50, &[Some(rest)]));
    worked(&mut world);
    turn(&mut world, None);
    assert_eq!(polls(&world), looks(50, &[None]));
    world.finish();
}

#[test]
fn without_work_in_between_there_is_no_second_budget() {
    let mut world = busy(50 * MICRO);
    let a = world.accept("a");
    worked(&mut world);
    turn(&mut world, 20 * MICRO);
    assert_eq!(
        polls(&world),
        looks(21, &[]),
        "no longer than it may, and a last look"
    );
    turn(&mut world, 40 * MICRO);
    assert_eq!(polls(&world), looks(29, &[Some(11 * MICRO)]));
    for _ in 0..3 {
        turn(&mut world, MILLI);
        assert_eq!(polls(&world), [Some(MILLI)], "it goes to sleep at once");
    }
    // Bytes are work, and so is a timer.
    world.feed(a, b"hi");
    world.on_poll(&[(a.descriptor, READ)]);
    turn(&mut world, MILLI);
    world.forget();
    turn(&mut world, MILLI);
    assert_eq!(polls(&world), looks(50, &[Some(MILLI - 50 * MICRO)]));
    world.ring("timer", MILLI);
    turn(&mut world, None); // sleeps for what is left of the budget's end until then
    assert_eq!(world.log.take(), ["timer timer"]);
    world.forget();
    turn(&mut world, MILLI);
    assert_eq!(polls(&world), looks(50, &[Some(MILLI - 50 * MICRO)]));
    world.finish();
}

#[test]
fn f6_a_stop_while_it_polls_cuts_off_nobody_whose_bytes_wait() {
    let mut world = busy(MILLI);
    let a = world.accept("a");
    world.socket(a).set_timeout(2 * SECOND);
    worked(&mut world);
    world.feed(a, b"alive");
    let script = world.script.clone();
    world.script.at(world.now() + 10 * MICRO, move || {
        script.advance(10 * SECOND); // as that poll finds nothing
        script.on_poll(Poll::Events(vec![Told::Ready(a.descriptor, READ)]));
    });
    turn(&mut world, None);
    assert_eq!(world.log.take(), ["a data alive"]);
    world.finish();
}

#[test]
fn timers_fire_in_time_meanwhile() {
    let mut world = busy(SECOND);
    worked(&mut world);
    world.ring("first", MILLI);
    world.ring("second", 3 * MILLI);
    let mut fired = Vec::new();
    while fired.len() < 2 {
        turn(&mut world, None);
        let now = world.now();
        fired.extend(world.log.take().into_iter().map(|line| (line, now)));
    }
    let late = |(_, at): &(String, Duration), due: Duration| at.saturating_sub(due);
    assert_eq!(fired[0].0, "timer first");
    assert_eq!(fired[1].0, "timer second");
    // Ticks are milliseconds, and nothing is early.
    assert!(late(&fired[0], MILLI) <= MILLI + MICRO, "{fired:?}");
    assert!(late(&fired[1], 3 * MILLI) <= MILLI + MICRO, "{fired:?}");
    assert!(polls(&world).iter().all(|it| *it == Some(ZERO)), "no sleep");
    world.finish();
}

#[test]
fn an_idle_timeout_and_a_server_without_descriptors_are_not_forgotten() {
    let mut world = busy(SECOND);
    let a = world.accept("a");
    world.socket(a).set_timeout(5 * MILLI);
    world.script.on_accept(LISTENER, Accept::Err(libc::EMFILE));
    world.wake(&[(LISTENER, READ)]);
    assert_eq!(world.log.take(), ["server error accept EMFILE"]);
    let start = world.now();
    while world.log.take() != ["a timeout"] {
        turn(&mut world, None);
        assert!(world.now() < start + 10 * MILLI);
    }
    world.expect_peer("late", |_, _| ()); // it is found when the server tries again by itself
    while world.log.take() != ["server connection"] {
        turn(&mut world, None);
        assert!(world.now() < start + SECOND);
    }
    world.finish();
}

#[test]
fn what_another_thread_posts_is_found_without_a_ring_and_a_sleeping_loop_is_rung() {
    let mut world = busy(50 * MICRO);
    let remote = world.net().remote().unwrap();
    let bell = world.script.bell().unwrap();
    let post = move || remote.post(|_: &mut Net| ()).unwrap();
    // While it polls.
    worked(&mut world);
    let (mine, now) = (post.clone(), world.now());
    world.script.at(now + 10 * MICRO, mine);
    turn(&mut world, None);
    assert_eq!(polls(&world), looks(10, &[]));
    assert!(!bell.hear());
    assert_eq!(
        (world.net().stats().posts, world.net().stats().wakes),
        (1, 0)
    );
    // In its last poll before it would sleep.
    worked(&mut world);
    let (mine, now) = (post.clone(), world.now());
    world.script.at(now + 50 * MICRO, mine);
    turn(&mut world, None);
    assert_eq!(polls(&world), looks(50, &[]));
    assert_eq!(
        (world.net().stats().posts, world.net().stats().wakes),
        (2, 0)
    );
    // While it sleeps.
    worked(&mut world);
    let now = world.now();
    world.script.at(now + MILLI, post);
    turn(&mut world, 2 * MILLI);
    assert!(bell.hear());
    assert_eq!(
        (world.net().stats().posts, world.net().stats().wakes),
        (3, 1)
    );
    world.finish();
}

#[test]
fn a_stop_from_another_thread_ends_it() {
    let mut world = busy(SECOND);
    let remote = world.net().remote().unwrap();
    let now = world.now();
    world.script.at(now + 10 * MICRO, move || remote.stop());
    worked(&mut world);
    world.reactor.run().unwrap(); // the server keeps it going
    assert!(world.now() < now + MILLI);
    world.finish();
}

#[test]
fn inside_another_loop_it_never_polls_twice_in_a_turn() {
    let mut world = busy(SECOND);
    worked(&mut world);
    for _ in 0..3 {
        assert_eq!(world.reactor.next_timeout(), None, "the host may sleep");
        turn(&mut world, ZERO);
        assert_eq!(polls(&world), [Some(ZERO)]);
    }
    world.finish();
}

#[test]
fn work_that_waits_is_done_before_anything_is_polled_twice() {
    let mut world = busy(SECOND);
    let log = world.log.clone();
    world.net().set_immediate(move |net: &mut Net| {
        log.push("first");
        net.set_immediate(move |_| log.push("second"));
    });
    turn(&mut world, None);
    turn(&mut world, None);
    assert_eq!(polls(&world), looks(2, &[]));
    assert_eq!(world.log.take(), ["first", "second"]);
    world.finish();
}

#[test]
fn f8_a_clock_that_stands_still_or_goes_back_ends_it_too() {
    for back in [ZERO, MILLI] {
        let mut world = busy(50 * MICRO);
        worked(&mut world);
        world.script.polls_take(ZERO);
        let script = world.script.clone();
        let now = world.now();
        world.script.at(now, move || script.rewind(back.min(now)));
        turn(&mut world, None);
        let polls = polls(&world);
        assert!(polls.len() <= 1002, "{} polls", polls.len());
        assert_eq!(polls.last(), Some(&None), "it went to sleep");
        world.finish();
    }
}

#[test]
fn a_poll_that_fails_is_told_and_the_loop_may_go_on() {
    let mut world = busy(50 * MICRO);
    let a = world.accept("a");
    worked(&mut world);
    world.on_poll(&[]);
    world.script.on_poll(Poll::Err(libc::EBADF));
    assert!(world.reactor.turn(None).is_err());
    world.feed(a, b"hi");
    world.on_poll(&[(a.descriptor, READ)]);
    turn(&mut world, None);
    assert_eq!(world.log.take(), ["a data hi"]);
    world.finish();
}

#[test]
fn turned_off_in_a_handler_it_is_off_from_the_next_sleep_on() {
    let mut world = busy(SECOND);
    let a = world.accept_with("a", |socket, event| {
        if let Event::Data(_) = event {
            socket.net().set_busy_poll(ZERO);
        }
    });
    world.feed(a, b"hi");
    world.on_poll(&[]);
    world.on_poll(&[(a.descriptor, READ.with(WRITE))]);
    turn(&mut world, None);
    world.forget();
    turn(&mut world, None);
    assert_eq!(polls(&world), [None]);
    world.finish();
}
