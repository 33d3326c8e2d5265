//! FAULTS group F: timers and idle timeouts on a clock that jumps, stands still and goes back.
//!
//! The wheel itself is compared with a model in `time`; here it is the loop that sleeps by it.

use super::world::{End, LISTENER, MILLI, READ, WRITE, World, ZERO, address};
use crate::net::Limits;
use crate::sys::script::{Call, Poll, Write};
use crate::{Event, Net, TimerId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const NANO: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A timer that logs `timer NAME`.
fn ring(world: &mut World, name: &'static str, delay: Duration) -> TimerId {
    let log = world.log.clone();
    world
        .net()
        .set_timeout(delay, move |_| log.push(format!("timer {name}")))
}

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

fn polls(world: &World) -> Vec<Call> {
    world.calls(|call| matches!(call, Call::Poll(_)))
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
    let never = never.map(|delay| ring(&mut world, "never", delay));
    ring(&mut world, "soon", MILLI);
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
    sibling.set(Some(ring(&mut world, "sibling", MILLI)));
    ring(&mut world, "last", MILLI);
    world.run_for(2 * MILLI);
    assert_eq!(world.log.take(), ["timer first", "timer last"]);
    world.finish();
}

#[test]
fn f5_a_name_that_has_rung_clears_nothing_least_of_all_its_slots_next_tenant() {
    let mut world = World::new();
    let old = ring(&mut world, "old", MILLI);
    world.run_for(2 * MILLI);
    let new = ring(&mut world, "new", MILLI);
    assert_eq!(new.key.index, old.key.index);
    world.net().clear_timer(old);
    world.run_for(2 * MILLI);
    assert_eq!(world.log.take(), ["timer old", "timer new"]);
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
    // Timers look at the clock again before they run; idle timeouts must not.
    let timer = ring(&mut world, "much later", DAY);
    world.feed(slow, b"hi");
    world.wake(&[(slow.descriptor, READ)]);
    assert_eq!(world.log.take(), ["slow data hi"]);
    world.feed(ends[0], b"hi"); // sent in time, as far as anybody can tell
    world.wake(&[(ends[0].descriptor, READ)]);
    assert_eq!(world.log.take(), ["s0 data hi"]);
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
fn f8_a_clock_that_goes_back_makes_nothing_early_and_loses_nothing() {
    let mut world = World::new();
    let a = world.accept("a");
    world.run_for(SECOND);
    ring(&mut world, "timer", 50 * MILLI);
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
    ring(&mut world, "day", DAY);
    ring(&mut world, "second", SECOND);
    ring(&mut world, "minute", 60 * SECOND);
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

#[test]
fn f12_a_write_that_leaves_slowly_is_activity_and_one_that_waits_is_not() {
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
    // Once told, it is told again only after a byte has moved.
    world.run_for(SECOND);
    assert!(world.log.take().is_empty());
    world.wake(&[(a.descriptor, WRITE)]);
    world.run_for(102 * MILLI);
    assert_eq!(world.log.take(), ["a timeout"]);
    world.finish();
}

#[test]
fn f13_no_sleep_is_longer_than_an_hour_nor_shorter_than_nothing() {
    let mut world = World::new();
    world.reactor.turn(None).unwrap();
    assert_eq!(polls(&world), [Call::Poll(None)], "nothing to wake for");
    assert_eq!(world.script.sleeps_for_ever(), 1);
    let timer = ring(&mut world, "late", 60 * DAY); // past 2^32 ms, where pollers overflowed
    world.reactor.turn(None).unwrap();
    assert_eq!(polls(&world), [Call::Poll(Some(HOUR))]);
    world.net().clear_timer(timer);
    ring(&mut world, "past", MILLI);
    world.script.advance(SECOND);
    world.reactor.turn(None).unwrap();
    assert_eq!(polls(&world), [Call::Poll(Some(ZERO))]);
    assert_eq!(world.log.take(), ["timer past"]);
    world.finish();
}

#[test]
fn f13_a_turn_sleeps_for_the_shorter_of_its_limit_and_the_next_timer() {
    let mut world = World::new();
    ring(&mut world, "soon", 10 * MILLI);
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
    ring(&mut world, "second", 20 * MILLI);
    ring(&mut world, "first", 10 * MILLI);
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
