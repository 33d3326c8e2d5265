//! Timers and immediates, on the real clock.
//!
//! Never early is asserted, lateness is not: a machine may be slow. Where several timers have to be
//! due at once, the loop stands still until they are.

mod support;

use netloop::{Net, Reactor, TimerId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::*;

const MS: Duration = Duration::from_millis(1);

/// A callback that logs a word.
fn says(log: &Log, word: &str) -> impl FnMut(&mut Net) + use<> {
    let (log, word) = (log.clone(), word.to_owned());
    move |_| log.push(&*word)
}

/// One turn that does not sleep.
fn turn(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_timeout_is_called_once_and_never_early() {
    let mut reactor = Reactor::new().unwrap();
    for micros in [0, 1, 400, 999, 1_000, 1_001, 2_600, 7_000] {
        let delay = Duration::from_micros(micros);
        let log = Log::new();
        let armed = Instant::now();
        reactor.net().set_timeout(delay, says(&log, "called"));
        // Without sleeping, so that no rounding of the poller's covers for ours.
        while !log.has("called") {
            assert!(armed.elapsed() < PATIENCE);
            turn(&mut reactor);
        }
        let waited = armed.elapsed();
        // Less than a millisecond, and nothing at all, count as one: Node's rule.
        let least = delay.max(MS);
        assert!(waited >= least, "{delay:?} were over after {waited:?}");
        assert!(!reactor.is_alive());
        assert_eq!(reactor.next_timeout(), None);
    }
}

#[test]
fn run_sleeps_until_a_timeout_and_then_ends() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let armed = Instant::now();
    reactor.net().set_timeout(5 * MS, says(&log, "called"));
    reactor.run().unwrap();
    assert!(armed.elapsed() >= 5 * MS);
    assert_eq!(log.lines(), ["called"]);
    // One to sleep and one for each level of the wheel that the timer passes, not one a millisecond.
    let turns = reactor.net().stats().turns;
    assert!(turns <= 4, "{turns} turns for one timer");
}

#[test]
fn timeouts_due_in_one_turn_come_in_the_order_of_their_deadlines_then_of_arming() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    // Far apart, since they can't be armed all at the same time.
    for (delay, name) in [(60, "third"), (0, "zeroth"), (40, "second"), (20, "first")] {
        reactor.net().set_timeout(delay * MS, says(&log, name));
    }
    let_pass(62 * MS);
    turn(&mut reactor);
    assert_eq!(log.lines(), ["zeroth", "first", "second", "third"]);

    log.clear();
    for name in ["first", "second", "third"] {
        reactor.net().set_timeout(5 * MS, says(&log, name));
    }
    let_pass(12 * MS);
    turn(&mut reactor);
    assert_eq!(log.lines(), ["first", "second", "third"]);
}

#[test]
fn more_timers_than_a_turn_may_run_lose_none_and_keep_their_order() {
    const TIMERS: usize = 3_000;
    let mut reactor = Reactor::new().unwrap();
    let called = Rc::new(RefCell::new(Vec::new()));
    for at in 0..TIMERS {
        let called = called.clone();
        reactor
            .net()
            .set_timeout(MS, move |_| called.borrow_mut().push(at));
    }
    let_pass(3 * MS);
    turn(&mut reactor);
    let after_one = called.borrow().len();
    assert!(after_one < TIMERS, "a turn has no bound");
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
    reactor.run().unwrap();
    assert!(called.borrow().iter().copied().eq(0..TIMERS));
}

#[test]
fn a_timer_armed_late_in_a_long_turn_does_not_fire_early() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (armed, late) = (Rc::new(Cell::new(None)), says(&log, "late"));
    let at = armed.clone();
    reactor.net().set_immediate(move |net| {
        let_pass(20 * MS); // a callback that takes a while
        at.set(Some(Instant::now()));
        net.set_timeout(10 * MS, late);
    });
    turn(&mut reactor);
    assert_eq!(log.lines(), [""; 0], "ten milliseconds in no time");
    turn_until_line(&mut reactor, &log, "late");
    assert!(armed.take().unwrap().elapsed() >= 10 * MS);
}

#[test]
fn a_timer_set_by_a_timer_waits_for_a_later_turn_and_sockets_get_theirs_in_between() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    /// Arms itself again and again with nothing.
    fn again(net: &mut Net, turns: Rc<RefCell<Vec<u64>>>) {
        turns.borrow_mut().push(net.stats().turns);
        net.set_timeout(Duration::ZERO, |net| again(net, turns));
    }
    let turns = Rc::new(RefCell::new(Vec::new()));
    again(reactor.net(), turns.clone());
    std::io::Write::write_all(&mut peer, b"x").unwrap();
    turn_until(&mut reactor, |_| {
        turns.borrow().len() > 5 && log.has("socket data 1")
    });
    let turns = turns.borrow();
    assert!(turns.windows(2).all(|pair| pair[0] < pair[1]), "{turns:?}");
}

#[test]
fn a_timeout_beyond_the_end_of_the_clock_never_comes_and_harms_nobody() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let never: Vec<TimerId> = [
        Duration::MAX,
        Duration::from_nanos(u64::MAX),
        Duration::from_secs(u64::MAX),
        Duration::from_millis(u64::MAX),
        Duration::from_nanos(u64::MAX) + 2 * Duration::from_nanos(1), // 2^64 + 1
    ]
    .map(|delay| reactor.net().set_timeout(delay, says(&log, "never")))
    .to_vec();
    let every = reactor
        .net()
        .set_interval(Duration::MAX, says(&log, "never"));
    reactor.net().set_timeout(2 * MS, says(&log, "soon"));
    turn_until_line(&mut reactor, &log, "soon");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["soon"]);
    assert!(reactor.is_alive(), "one that never comes is one to come");
    assert!(reactor.next_timeout() > Some(Duration::from_secs(3600)));
    for id in never.into_iter().chain([every]) {
        reactor.net().clear_timer(id);
    }
    assert!(!reactor.is_alive());
    assert_eq!(reactor.next_timeout(), None);
}

#[test]
fn an_interval_is_called_again_and_again_never_early_until_it_clears_itself() {
    let mut reactor = Reactor::new().unwrap();
    let times = Rc::new(RefCell::new(vec![Instant::now()]));
    let own = Rc::new(Cell::new(None));
    let (seen, id) = (times.clone(), own.clone());
    let interval = reactor.net().set_interval(3 * MS, move |net| {
        seen.borrow_mut().push(Instant::now());
        if seen.borrow().len() == 5 {
            net.clear_timer(id.get().unwrap());
        }
    });
    own.set(Some(interval));
    run_to_its_end(&mut reactor);
    let times = times.borrow();
    assert_eq!(times.len(), 5);
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= 3 * MS, "{times:?}");
    }
    assert_eq!(reactor.next_timeout(), None, "the wheel still has it");
}

#[test]
fn an_interval_whose_callback_takes_longer_than_its_period_does_not_bunch_up() {
    let mut reactor = Reactor::new().unwrap();
    let spans = Rc::new(RefCell::new(Vec::new()));
    let seen = spans.clone();
    reactor.net().set_interval(2 * MS, move |_| {
        let began = Instant::now();
        let_pass(5 * MS);
        seen.borrow_mut().push((began, Instant::now()));
    });
    let_pass(10 * MS); // five periods
    turn(&mut reactor);
    assert_eq!(spans.borrow().len(), 1);
    turn_until(&mut reactor, |_| spans.borrow().len() == 4);
    for pair in spans.borrow().windows(2) {
        let between = pair[1].0 - pair[0].1;
        assert!(between >= 2 * MS, "called again after {between:?}");
    }
}

#[test]
fn an_interval_of_nothing_counts_as_a_millisecond() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let armed = Instant::now();
    let id = reactor
        .net()
        .set_interval(Duration::ZERO, says(&log, "called"));
    while log.count("called") < 5 {
        assert!(armed.elapsed() < PATIENCE);
        turn(&mut reactor);
    }
    assert!(armed.elapsed() >= 5 * MS);
    reactor.net().clear_timer(id);
    assert!(!reactor.is_alive());
}

#[test]
fn a_timer_may_clear_siblings_that_are_due_in_the_same_tick() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let siblings = Rc::new(RefCell::new(Vec::new()));
    let (ids, said) = (siblings.clone(), log.clone());
    reactor.net().set_timeout(MS, move |net| {
        said.push("first");
        for id in ids.take() {
            net.clear_timer(id);
        }
    });
    let net = reactor.net();
    siblings.borrow_mut().extend([
        net.set_timeout(MS, says(&log, "timeout")),
        net.set_interval(MS, says(&log, "interval")),
    ]);
    net.set_timeout(MS, says(&log, "last"));
    let_pass(4 * MS);
    turn(&mut reactor);
    assert_eq!(log.lines(), ["first", "last"]);
    assert!(!reactor.is_alive());
}

#[test]
fn an_id_is_good_for_its_own_timer_only() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let first = reactor.net().set_timeout(MS, says(&log, "first"));
    // Another reactor numbers its own in the same way.
    let mut other = Reactor::new().unwrap();
    let elsewhere = other.net().set_timeout(MS, |_| ());
    assert_ne!(first, elsewhere);
    reactor.net().clear_timer(elsewhere);
    reactor.net().unref_timer(elsewhere);
    assert!(reactor.is_alive());
    turn_until_line(&mut reactor, &log, "first");
    // The newcomer stands in the slot of the first.
    let second = reactor.net().set_timeout(MS, says(&log, "second"));
    assert_ne!(first, second);
    reactor.net().clear_timer(first);
    reactor.net().unref_timer(first);
    assert!(reactor.is_alive());
    turn_until_line(&mut reactor, &log, "second");
    // Clearing twice, and after the end, is nothing.
    reactor.net().clear_timer(second);
    reactor.net().clear_timer(second);
    assert!(!reactor.is_alive());
}

#[test]
fn an_interval_that_clears_itself_leaves_the_timer_it_sets_in_its_place_alone() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let own = Rc::new(Cell::new(None));
    let (id, mut next) = (own.clone(), Some(says(&log, "next")));
    let interval = reactor.net().set_interval(MS, move |net| {
        net.clear_timer(id.get().unwrap());
        // It gets the slot that has just come free.
        net.set_timeout(MS, next.take().expect("cleared, and called again"));
    });
    own.set(Some(interval));
    run_to_its_end(&mut reactor);
    assert_eq!(log.lines(), ["next"]);
}

#[test]
fn a_timer_keeps_the_loop_going_unless_it_was_unrefd() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let net = reactor.net();
    let kept = net.set_timeout(2 * MS, says(&log, "kept"));
    let hour = net.set_timeout(Duration::from_secs(3600), says(&log, "never"));
    let every = net.set_interval(Duration::from_secs(3600), says(&log, "never"));
    for id in [hour, every, every] {
        net.unref_timer(id); // twice is once
    }
    run_to_its_end(&mut reactor);
    assert_eq!(log.lines(), ["kept"]);

    let net = reactor.net();
    net.unref_timer(kept); // it has run: nothing to count
    net.ref_timer(hour);
    net.ref_timer(hour);
    assert!(reactor.is_alive());
    reactor.net().unref_timer(hour);
    assert!(!reactor.is_alive());
    reactor.net().ref_timer(every);
    reactor.net().clear_timer(every);
    assert!(!reactor.is_alive());
}

#[test]
fn an_unrefd_timer_runs_while_something_else_keeps_the_loop_going() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let net = reactor.net();
    let aside = net.set_timeout(MS, says(&log, "aside"));
    net.unref_timer(aside);
    net.set_timeout(3 * MS, says(&log, "kept"));
    run_to_its_end(&mut reactor);
    assert_eq!(log.lines(), ["aside", "kept"]);
}

#[test]
fn an_interval_unrefd_in_its_own_callback_lets_the_loop_end() {
    let mut reactor = Reactor::new().unwrap();
    let (log, own) = (Log::new(), Rc::new(Cell::new(None)));
    let (said, id) = (log.clone(), own.clone());
    let interval = reactor.net().set_interval(MS, move |net| {
        said.push("called");
        net.unref_timer(id.get().unwrap());
    });
    own.set(Some(interval));
    run_to_its_end(&mut reactor);
    assert_eq!(log.lines(), ["called"]);
    assert!(
        reactor.next_timeout().is_some(),
        "it is unref'd, not cleared"
    );
}

#[test]
fn immediates_run_in_order_before_any_sleep_and_those_they_set_a_turn_later() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (said, third) = (log.clone(), says(&log, "third"));
    reactor.net().set_immediate(move |net| {
        said.push("first");
        net.set_immediate(third);
    });
    reactor.net().set_immediate(says(&log, "second"));
    assert_eq!(log.lines(), [""; 0], "not inside the call");
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
    assert!(reactor.is_alive());

    reactor.turn(Some(PATIENCE)).unwrap(); // does not sleep
    assert_eq!(log.lines(), ["first", "second"]);
    reactor.turn(Some(PATIENCE)).unwrap();
    assert_eq!(log.lines(), ["first", "second", "third"]);
    assert!(!reactor.is_alive());
}

#[test]
fn immediates_without_end_starve_neither_timers_nor_sockets() {
    fn again(net: &mut Net, calls: Rc<Cell<u64>>) {
        calls.set(calls.get() + 1);
        net.set_immediate(|net| again(net, calls));
    }
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let calls = Rc::new(Cell::new(0));
    again(reactor.net(), calls.clone());
    let before = reactor.net().stats().turns;
    reactor.net().set_timeout(MS, says(&log, "timer"));
    std::io::Write::write_all(&mut peer, b"x").unwrap();
    turn_until(&mut reactor, |_| {
        log.has("timer") && log.has("socket data 1")
    });
    let turns = reactor.net().stats().turns - before;
    assert_eq!(calls.get(), turns + 1, "one a turn, and the first");
}

#[test]
fn an_immediate_set_by_a_handler_runs_in_the_same_turn() {
    // The queue is run after the sockets, as Node's check phase is after its poll phase.
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let said = log.clone();
    let handler = reacting("socket", &log, move |socket, _| {
        let (said, turns) = (said.clone(), socket.net().stats().turns);
        socket.net().set_immediate(move |net| {
            assert_eq!(net.stats().turns, turns);
            said.push("immediate");
        });
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    std::io::Write::write_all(&mut peer, b"x").unwrap();
    turn_until_line(&mut reactor, &log, "immediate");
    assert_eq!(log.lines(), ["socket data 1", "immediate"]);
}

#[test]
fn stop_ends_run_after_the_turn_and_what_is_left_runs_with_the_next_one() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let said = log.clone();
    let (same, next) = (says(&log, "same turn"), says(&log, "next turn"));
    reactor.net().set_immediate(move |net| {
        said.push("stop");
        net.stop();
        net.set_immediate(next);
    });
    reactor.net().set_immediate(same);
    run_to_its_end(&mut reactor);
    assert_eq!(log.lines(), ["stop", "same turn"]);
    assert!(reactor.is_alive());
    run_to_its_end(&mut reactor);
    assert_eq!(log.lines(), ["stop", "same turn", "next turn"]);
}
