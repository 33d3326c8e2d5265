//! Timers that do what the list says, and their place in the book.

use std::time::Duration;

use super::actor::react;
use super::book::{Book, Shared, TimerBook};
use super::deeds::perform;
use super::op::{Act, Deed, Kind, Who};
use crate::Net;

pub(super) fn later(
    shared: &Shared,
    net: &mut Net,
    host: usize,
    me: Option<usize>,
    (millis, who, deed): (u64, Who, Act),
) {
    let timer = arm(shared, host);
    let theirs = shared.clone();
    let id = net.set_timeout(Duration::from_millis(millis), move |net| {
        let _inside = theirs.enter(Kind::Timer);
        theirs.check(|book| {
            let verdict = book.timer_fired(timer, net);
            book.timers[timer].is_set = false;
            verdict
        });
        unless_calm(&theirs, net, host, me, who, deed);
        react(&theirs, net, host, Kind::Timer, me);
    });
    shared.with(|book| {
        book.timers[timer].id = Some(id);
        book.timers[timer].due = due(book, net, millis);
    });
}

pub(super) fn soon(
    shared: &Shared,
    net: &mut Net,
    host: usize,
    me: Option<usize>,
    who: Who,
    deed: Act,
) {
    shared.with(|book| book.immediates += 1);
    let shared = shared.clone();
    net.set_immediate(move |net| {
        let _inside = shared.enter(Kind::Timer);
        shared.with(|book| book.immediates -= 1);
        unless_calm(&shared, net, host, me, who, deed);
        react(&shared, net, host, Kind::Timer, me);
    });
}

pub(super) fn every(shared: &Shared, net: &mut Net, host: usize, millis: u64, times: u8) {
    let timer = arm(shared, host);
    let theirs = shared.clone();
    let mut left = times.max(1);
    let id = net.set_interval(Duration::from_millis(millis), move |net| {
        let _inside = theirs.enter(Kind::Timer);
        theirs.check(|book| book.timer_fired(timer, net));
        left -= 1;
        if left == 0 {
            clear(&theirs, net, timer);
        }
        // Set again below unless it panics, which ends an interval.
        let is_set = theirs.with(|book| std::mem::replace(&mut book.timers[timer].is_set, false));
        react(&theirs, net, host, Kind::Timer, None);
        theirs.with(|book| {
            book.timers[timer].is_set = is_set && book.timers[timer].id.is_some();
            book.timers[timer].due = due(book, net, millis);
        });
    });
    shared.with(|book| {
        book.timers[timer].id = Some(id);
        book.timers[timer].due = due(book, net, millis);
    });
}

/// Writes a timer down that is armed now.
fn arm(shared: &Shared, host: usize) -> usize {
    shared.with(|book| {
        book.timers.push(TimerBook {
            host,
            id: None,
            due: (0, 0),
            is_set: true,
        });
        book.timers.len() - 1
    })
}

fn due(book: &mut Book, net: &Net, millis: u64) -> (u64, u64) {
    let nanos = net.now().as_nanos() + u128::from(millis.max(1)) * 1_000_000;
    book.armed += 1;
    (nanos.div_ceil(1_000_000) as u64, book.armed)
}

/// False if it has run or was cleared before.
pub(super) fn clear(shared: &Shared, net: &mut Net, timer: usize) -> bool {
    let (was_set, id) = shared.with(|book| {
        let timer = &mut book.timers[timer];
        (std::mem::replace(&mut timer.is_set, false), timer.id.take())
    });
    if let Some(id) = id {
        net.clear_timer(id);
    }
    was_set
}

pub(super) fn unless_calm(
    shared: &Shared,
    net: &mut Net,
    host: usize,
    me: Option<usize>,
    who: Who,
    act: Act,
) {
    if !shared.with(|book| book.calm) {
        perform(shared, net, host, me, Deed::To(who, act));
    }
}
