//! FAULTS group F: a clock that jumps, stands still and goes back, and the sleep that goes by it.

use super::world::{DAY, HOUR, MILLI, READ, SECOND, World, ZERO};
use crate::Event;
use crate::sys::script::Call;
use std::cell::RefCell;
use std::rc::Rc;

fn polls(world: &World) -> Vec<Call> {
    world.calls(|call| matches!(call, Call::Poll(_)))
}

#[test]
fn f8_a_clock_that_goes_back_makes_nothing_early_and_loses_nothing() {
    let mut world = World::new();
    let a = world.accept("a");
    world.run_for(SECOND);
    world.ring("timer", 50 * MILLI);
    world.socket(a).set_timeout(100 * MILLI);
    let before = world.net().now();
    world.script.rewind(500 * MILLI);
    world.turn();
    assert!(world.net().now() >= before, "the loop's time is monotone");
    world.run_for(500 * MILLI); // the clock is where it was
    world.run_for(49 * MILLI);
    assert!(world.log.take().is_empty());
    world.run_for(MILLI);
    assert_eq!(world.log.take(), ["timer timer"]);
    world.run_for(52 * MILLI);
    assert_eq!(world.log.take(), ["a timeout"]);
    world.finish();
}

#[test]
fn f8_a_leap_of_a_year_runs_everything_that_is_due_once() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).set_timeout(SECOND);
    world.ring("day", DAY);
    world.ring("second", SECOND);
    world.ring("minute", 60 * SECOND);
    let log = world.log.clone();
    let every = world.net().set_interval(MILLI, move |_| log.push("every"));
    world.script.advance(365 * DAY);
    world.turn();
    assert_eq!(
        world.log.take(),
        [
            "every",
            "timer second",
            "timer minute",
            "timer day",
            "a timeout"
        ]
    );
    // An interval that missed a year does not make up for it.
    assert_eq!(world.reactor.next_timeout(), Some(MILLI));
    world.net().clear_timer(every);
    world.finish();
}

#[test]
fn f13_no_sleep_is_longer_than_an_hour_nor_shorter_than_nothing() {
    let mut world = World::new();
    world.reactor.turn(None).unwrap();
    assert_eq!(polls(&world), [Call::Poll(None)], "nothing to wake for");
    assert_eq!(world.script.sleeps_for_ever(), 1);
    let timer = world.ring("late", 60 * DAY); // past 2^32 ms, where pollers overflowed
    world.reactor.turn(None).unwrap();
    assert_eq!(polls(&world), [Call::Poll(Some(HOUR))]);
    world.net().clear_timer(timer);
    world.ring("past", MILLI);
    world.script.advance(SECOND);
    world.reactor.turn(None).unwrap();
    assert_eq!(polls(&world), [Call::Poll(Some(ZERO))]);
    assert_eq!(world.log.take(), ["timer past"]);
    world.finish();
}

#[test]
fn f13_a_turn_sleeps_for_the_shorter_of_its_limit_and_the_next_timer() {
    let mut world = World::new();
    world.ring("soon", 10 * MILLI);
    world.reactor.turn(Some(4 * MILLI)).unwrap();
    world.reactor.turn(Some(HOUR)).unwrap();
    let slept = [4, 6].map(|millis| Call::Poll(Some(millis * MILLI)));
    assert_eq!(polls(&world), slept);
    assert_eq!(world.log.take(), ["timer soon"]);
    world.finish();
}

#[test]
fn f14_a_handler_that_blocks_makes_timers_late_and_loses_none() {
    let mut world = World::new();
    let script = world.script.clone();
    let a = world.accept_with("a", move |_, event| {
        if let Event::Data(_) = event {
            script.advance(500 * MILLI);
        }
    });
    world.ring("second", 20 * MILLI);
    world.ring("first", 10 * MILLI);
    world.feed(a, b"hi");
    world.wake(&[(a.descriptor, READ)]);
    // In order, and in the same turn: the clock is read again before timers run.
    assert_eq!(
        world.log.take(),
        ["a data hi", "timer first", "timer second"]
    );
    world.finish();
}

#[test]
fn f14_a_timer_set_late_in_a_turn_counts_from_when_it_was_set() {
    let mut world = World::new();
    let (script, log) = (world.script.clone(), world.log.clone());
    let a = world.accept_with("a", move |socket, event| {
        if let Event::Data(_) = event {
            script.advance(500 * MILLI);
            let log = log.clone();
            let net = socket.net();
            net.set_timeout(10 * MILLI, move |_| log.push("timer"));
        }
    });
    world.feed(a, b"hi");
    world.wake(&[(a.descriptor, READ)]);
    world.run_for(9 * MILLI);
    assert_eq!(world.log.take(), ["a data hi"]);
    world.run_for(MILLI);
    assert_eq!(world.log.take(), ["timer"]);
    world.finish();
}

#[test]
fn f14_an_interval_that_blocks_counts_from_its_end() {
    let mut world = World::new();
    let (script, times) = (world.script.clone(), Rc::new(RefCell::new(Vec::new())));
    let seen = times.clone();
    let timer = world.net().set_interval(10 * MILLI, move |_| {
        seen.borrow_mut().push(script.sys().now() / 1_000_000);
        script.advance(100 * MILLI);
    });
    while times.borrow().len() < 3 {
        world.reactor.turn(None).unwrap();
    }
    assert_eq!(*times.borrow(), [10, 120, 230]);
    world.net().clear_timer(timer);
    world.finish();
}
