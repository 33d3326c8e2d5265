//! FAULTS group F: the user's timers, at the edges of ticks, of the wheel and of the turn.
//!
//! The wheel itself is compared with a model in `time`; here it is the loop that sleeps by it.

use super::world::{DAY, LISTENER, MILLI, READ, SECOND, World, ZERO, address};
use crate::Net;
use crate::net::Limits;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const NANO: Duration = Duration::from_nanos(1);

/// When a timer of this delay rings, counted from now.
fn rings_after(world: &mut World, delay: Duration) -> Duration {
    let (script, rang) = (world.script.clone(), Rc::new(Cell::new(None)));
    let (at, from) = (rang.clone(), world.now());
    world.net().set_timeout(delay, move |_| {
        at.set(Some(script.sys().now()));
    });
    while rang.get().is_none() {
        world.reactor.turn(None).unwrap();
    }
    Duration::from_nanos(rang.get().unwrap()) - from
}

#[test]
fn f1_no_timer_is_early_by_a_part_of_a_tick() {
    let mut world = World::new();
    for phase in [ZERO, NANO, 500_000 * NANO, MILLI - NANO] {
        for delay in [
            MILLI,
            2 * MILLI - NANO,
            2 * MILLI,
            2 * MILLI + NANO,
            1_500_000 * NANO,
            63 * MILLI + NANO,
        ] {
            // Off the tick by the phase.
            let now = world.now().as_nanos() as u64 % 1_000_000;
            world.script.advance(MILLI - now as u32 * NANO + phase);
            let after = rings_after(&mut world, delay);
            assert!(after >= delay, "{delay:?} at {phase:?}: {after:?} is early");
            assert!(after < delay + MILLI, "{delay:?} at {phase:?}: {after:?}");
        }
    }
    world.finish();
}

#[test]
fn f2_deadlines_at_the_edges_of_the_wheel_are_met_to_the_tick() {
    let edges = (1..=5).map(|level| 64_u64.pow(level));
    let delays: Vec<u64> = edges.flat_map(|it| [it - 1, it, it + 1]).collect();
    let years = 1000 * 3600 * 24 * 365;
    for phase in [0, 63, 64, 4095, (1 << 32) - 2, 200 * years] {
        let mut world = World::new();
        world.script.advance(Duration::from_millis(phase));
        for &delay in &delays {
            let delay = Duration::from_millis(delay);
            assert_eq!(rings_after(&mut world, delay), delay, "from {phase}");
        }
        world.finish();
    }
}

#[test]
fn f3_timers_beyond_the_clock_never_ring_and_harm_nobody() {
    let mut world = World::new();
    let never = [
        Duration::MAX,
        Duration::from_millis(u64::MAX),
        Duration::from_secs(u64::MAX),
    ];
    let never = never.map(|delay| world.ring("never", delay));
    world.ring("soon", MILLI);
    world.run_for(10 * MILLI);
    assert_eq!(world.log.take(), ["timer soon"]);
    world.script.advance(500 * 365 * DAY);
    world.turn();
    assert!(world.log.take().is_empty());
    for timer in never {
        world.net().clear_timer(timer);
    }
    world.finish();
}

#[test]
fn f4_a_timer_that_sets_itself_at_zero_for_ever_lets_sockets_be_served() {
    fn again(net: &mut Net, count: Rc<Cell<u32>>) {
        net.set_timeout(ZERO, move |net| {
            count.set(count.get() + 1);
            again(net, count);
        });
    }
    let mut world = World::new();
    let a = world.accept("a");
    let (once, every) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    again(world.net(), once.clone());
    let count = every.clone();
    world
        .net()
        .set_interval(ZERO, move |_| count.set(count.get() + 1));
    for millis in 1..=20 {
        world.feed(a, b"hi");
        world.script.advance(MILLI);
        world.wake(&[(a.descriptor, READ)]);
        assert_eq!(world.log.take(), ["a data hi"]);
        // No delay counts as one millisecond: once in each, never twice in a turn.
        assert_eq!((once.get(), every.get()), (millis, millis));
    }
}

#[test]
fn f4_an_immediate_that_sets_itself_for_ever_runs_once_a_turn() {
    fn again(net: &mut Net, count: Rc<Cell<u32>>) {
        net.set_immediate(move |net| {
            count.set(count.get() + 1);
            again(net, count);
        });
    }
    let mut world = World::new();
    let a = world.accept("a");
    let count = Rc::new(Cell::new(0));
    again(world.net(), count.clone());
    for turn in 1..=20 {
        world.feed(a, b"hi");
        world.wake(&[(a.descriptor, READ)]);
        assert_eq!(world.log.take(), ["a data hi"]);
        assert_eq!(count.get(), turn);
    }
}

#[test]
fn f5_a_timer_cleared_in_the_tick_that_it_is_due_in_never_rings() {
    let mut world = World::new();
    let sibling = Rc::new(Cell::new(None));
    let (log, other) = (world.log.clone(), sibling.clone());
    world.net().set_timeout(MILLI, move |net| {
        log.push("timer first");
        net.clear_timer(other.get().unwrap());
    });
    sibling.set(Some(world.ring("sibling", MILLI)));
    world.ring("last", MILLI);
    world.run_for(2 * MILLI);
    assert_eq!(world.log.take(), ["timer first", "timer last"]);
    world.finish();
}

#[test]
fn f5_a_name_that_has_rung_clears_nothing_least_of_all_its_slots_next_tenant() {
    let mut world = World::new();
    let old = world.ring("old", MILLI);
    world.run_for(2 * MILLI);
    let new = world.ring("new", MILLI);
    assert_eq!(new.key.index, old.key.index);
    world.net().clear_timer(old);
    world.run_for(2 * MILLI);
    assert_eq!(world.log.take(), ["timer old", "timer new"]);
    world.finish();
}

#[test]
fn f5_an_interval_that_clears_itself_is_gone() {
    let mut world = World::new();
    let own = Rc::new(Cell::new(None));
    let (log, id) = (world.log.clone(), own.clone());
    let timer = world.net().set_interval(MILLI, move |net| {
        log.push("tick");
        net.clear_timer(id.get().unwrap());
    });
    own.set(Some(timer));
    world.run_for(10 * MILLI);
    assert_eq!(world.log.take(), ["tick"]);
    world.finish();
}

#[test]
fn f15_many_timers_of_one_tick_run_in_order_and_in_slices() {
    const TIMERS: usize = 1000;
    let limits = Limits {
        timers: 300,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let a = world.accept("a");
    let rung = Rc::new(RefCell::new(Vec::new()));
    for at in 0..TIMERS {
        let rung = rung.clone();
        // Those set later are due earlier in one half.
        let delay = if at % 2 == 0 { 2 * MILLI } else { MILLI };
        world
            .net()
            .set_timeout(delay, move |_| rung.borrow_mut().push(at));
    }
    world.script.advance(SECOND);
    for turn in 1..=TIMERS.div_ceil(limits.timers) {
        world.feed(a, b"hi");
        world.wake(&[(a.descriptor, READ)]);
        assert_eq!(world.log.take(), ["a data hi"], "sockets in between");
        assert_eq!(rung.borrow().len(), TIMERS.min(turn * limits.timers));
    }
    let odd = (0..TIMERS).filter(|at| at % 2 == 1);
    let even = (0..TIMERS).filter(|at| at % 2 == 0);
    assert_eq!(*rung.borrow(), odd.chain(even).collect::<Vec<_>>());
    assert_eq!(world.script.open_descriptors(), [LISTENER, a.descriptor]);
    world.finish();
}
