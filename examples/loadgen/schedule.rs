//! The phases of a run, one after the other, each begun by a timer of the loop.
//!
//! Says when connections are opened, when the load begins, when it counts and when it is over. Who sends
//! what is decided in `run.rs`.

use crate::arguments::Mode;
use crate::bulk;
use crate::clock::nanos;
use crate::connection;
use crate::pace::{Nanos, Pace};
use crate::pacer;
use crate::run::{Phase, Shared, Slot, State};
use netloop::Net;
use std::time::Duration;

/// The shortest that a timer takes.
const TICK: Duration = Duration::from_millis(1);
/// Connects begun in one go, so that a backlog of the usual 128 holds them.
const CONNECTS: usize = 64;

/// Opens the connections at their rate, then begins with the load.
pub(crate) fn begin(net: &mut Net, run: &Shared) {
    if run.borrow().is_churn() {
        return begin_load(net, run); // every visit connects for itself
    }
    let (now, per_second) = {
        let run = run.borrow();
        (run.clock.now(), run.arguments.ramp)
    };
    ramp(net, run.clone(), Pace::new(now, per_second));
}

fn ramp(net: &mut Net, run: Shared, mut pace: Pace) {
    for _ in 0..CONNECTS {
        let slot = {
            let mut run = run.borrow_mut();
            let now = run.clock.now();
            let wanted = run.phase == Phase::Ramp && run.slots.len() < run.arguments.connections;
            match wanted && pace.take(now).is_some() {
                true => run.add_slot(),
                false => break,
            }
        };
        connection::connect(net, &run, slot);
    }
    let (phase, settled) = {
        let run = run.borrow();
        let all = run.slots.len() == run.arguments.connections;
        (run.phase, all && run.connecting == 0)
    };
    match phase {
        Phase::Ramp if settled => begin_load(net, &run),
        Phase::Ramp => drop(net.set_timeout(TICK, move |net| ramp(net, run, pace))),
        _ => {} // it was interrupted
    }
}

pub(crate) fn begin_load(net: &mut Net, run: &Shared) {
    let warmup = {
        let mut run = run.borrow_mut();
        run.phase = Phase::WarmUp;
        if run.is_churn() {
            for _ in 0..run.arguments.connections {
                let slot = run.add_slot();
                run.list_if_paced(slot);
            }
        }
        run.arguments.warmup
    };
    match warmup.is_zero() {
        true => begin_window(net, run), // before anything is sent, so that everything counts
        false => {
            let run = run.clone();
            net.set_timeout(warmup, move |net| begin_window(net, &run));
        }
    }
    let slots = run.borrow().slots.len();
    for slot in 0..slots {
        begin_slot(net, run, slot);
    }
    if run.borrow().is_paced() {
        pacer::begin(net, run);
    }
}

/// The first thing that a slot does once the load begins.
fn begin_slot(net: &mut Net, run: &Shared, slot: usize) {
    let (state, socket, mode, paced, now) = {
        let run = run.borrow();
        let Slot { state, socket, .. } = run.slots[slot];
        if run.slots[slot].is_given_up() {
            return;
        }
        let (mode, paced) = (run.arguments.mode, run.is_paced());
        (state, socket, mode, paced, run.clock.now())
    };
    match (state, mode) {
        (State::Vacant, Mode::Churn) if !paced => connection::visit(net, run, slot, now),
        // A socket that was lost in this very turn has not told its close yet, and connects again then.
        (State::Gone, Mode::Closed | Mode::Open | Mode::Bulk) if socket.is_none() => {
            connection::connect(net, run, slot);
        }
        (State::Connected, _) => {
            if let Some(mut socket) = socket.and_then(|id| net.socket(id)) {
                match mode {
                    Mode::Bulk => bulk::pump(&mut socket, run, slot),
                    _ => run.borrow_mut().refill(&mut socket, slot, now),
                }
            }
        }
        _ => {}
    }
}

fn begin_window(net: &mut Net, run: &Shared) {
    let duration = {
        let mut run = run.borrow_mut();
        if run.phase != Phase::WarmUp {
            return; // interrupted
        }
        run.phase = Phase::Measure;
        run.cost = run.cost_so_far(net);
        let (now, interval) = (run.clock.now(), interval(run.arguments.duration));
        run.measure.begin(now, interval);
        run.arguments.duration
    };
    let run = run.clone();
    net.set_timeout(duration, move |net| end_window(net, &run));
}

/// Ends the window, and what was due in it may still be answered. An interrupt calls it early.
pub(crate) fn end_window(net: &mut Net, run: &Shared) {
    {
        let mut run = run.borrow_mut();
        if run.phase >= Phase::Drain {
            return;
        }
        let now = run.clock.now();
        if run.phase == Phase::Measure {
            run.measure.end(now);
            run.cost = run.cost_so_far(net).since(&run.cost);
        }
        run.phase = Phase::Drain;
        run.stop_pace(now);
    }
    drain(net, run.clone());
}

/// Waits until everything is answered, or for the timeout.
fn drain(net: &mut Net, run: Shared) {
    let over = {
        let run = run.borrow();
        let waited = run.clock.now().saturating_sub(run.measure.ended());
        run.is_through() || waited > run.timeout() || !run.measure.has_window()
    };
    match over {
        true => finish(net, &run),
        false => drop(net.set_timeout(TICK, move |net| drain(net, run))),
    }
}

/// Ends the run. Who has still not answered is not waited for any longer.
pub(crate) fn finish(net: &mut Net, run: &Shared) {
    let mut run = run.borrow_mut();
    let now = run.clock.now();
    for slot in 0..run.slots.len() {
        run.give_up(slot, now);
    }
    run.drop_due(now);
    run.phase = Phase::Over;
    net.stop();
}

/// Intervals for the course of time: some hundred of them, of a length that one can say.
fn interval(duration: Duration) -> Nanos {
    let seconds = match duration.as_secs() {
        0..=30 => return nanos(Duration::from_millis(100)),
        31..=300 => 1,
        longer => longer.div_ceil(300),
    };
    nanos(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_some_hundred_intervals() {
        for (seconds, millis) in [(1, 100), (30, 100), (31, 1000), (300, 1000), (3600, 12_000)] {
            let interval = interval(Duration::from_secs(seconds));
            assert_eq!(interval, millis * 1_000_000, "{seconds} s");
        }
    }
}
