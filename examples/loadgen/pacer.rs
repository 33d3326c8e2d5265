//! What makes an open loop send in time.
//!
//! A timer of the loop is exact to a millisecond, which is an age for a request that takes twenty
//! microseconds. So the pacer sleeps until two milliseconds before the next request is due, and then
//! has the loop turn without sleeping: an immediate that asks for another one. Sockets are served in
//! these turns as in any other. Turns in which nothing happened are known as spinning, and are not held
//! against the generator.

use crate::connection;
use crate::pace::Nanos;
use crate::run::Shared;
use netloop::Net;
use std::time::Duration;

/// How long before a request is due the loop stops to sleep.
const ALERT: Nanos = 2_000_000;
/// How late a timer may be.
const TICK: Nanos = 1_000_000;
/// Requests sent between two looks at the sockets.
const BURST: usize = 256;

/// Starts the schedule, and sends what it says until it is over.
pub(crate) fn begin(net: &mut Net, run: &Shared) {
    run.borrow_mut().start_pace();
    pace(net, run);
}

/// Sends what is due, each from the slot that has been idle for longest, and comes back in time for
/// what is due next.
fn pace(net: &mut Net, run: &Shared) {
    for _ in 0..BURST {
        let (slot, due, churn) = {
            let mut run = run.borrow_mut();
            let now = run.clock.now();
            match run.next_assignment(now) {
                Some((slot, due)) => (slot, due, run.is_churn()),
                None => break,
            }
        };
        match churn {
            true => connection::visit(net, run, slot, due),
            false => send(net, run, slot, due),
        }
    }
    come_back(net, run);
}

fn send(net: &mut Net, run: &Shared, slot: usize, due: Nanos) {
    let id = run.borrow().slots[slot].socket;
    let Some(mut socket) = id.and_then(|id| net.socket(id)) else {
        return; // never: a slot is listed as long as its socket is there
    };
    let mut run = run.borrow_mut();
    let now = run.clock.now();
    run.send(&mut socket, slot, due, now);
    run.list_if_paced(slot);
}

fn come_back(net: &mut Net, run: &Shared) {
    let again = run.clone();
    let mut run = run.borrow_mut();
    let now = run.clock.now();
    run.spin.turned(now);
    let Some(due) = run.next_due() else {
        return; // the schedule is over
    };
    if !run.has_free() {
        run.pacer_waits = true; // whoever frees a slot sends what is due, and wakes the pacer
        run.spin.sleeps();
    } else if due < now + ALERT + TICK {
        net.set_immediate(move |net| pace(net, &again));
    } else {
        run.spin.sleeps();
        let sleep = Duration::from_nanos(due - now - ALERT);
        net.set_timeout(sleep, move |net| pace(net, &again));
    }
}

/// Has the pacer come round in this turn's end or the next turn, before the loop sleeps.
pub(crate) fn wake(net: &mut Net, run: &Shared) {
    let run = run.clone();
    net.set_immediate(move |net| pace(net, &run));
}
