//! Who is waited for too long is cut off.
//!
//! An idle timeout of the socket would not do: a server that sends a byte now and then is not idle, and
//! one that nobody has asked anything is.
//!
//! Each connection has a timer of the loop, which comes round when the oldest request that it knew of would
//! have been overdue. As a rule that one is answered, and the timer is set anew for the oldest of those under
//! way by then. So sending and answering know nothing of it, and no more than one connection is looked at
//! in a row: to look at a million at once would hold up what is measured.

use crate::arguments::Mode;
use crate::pace::Nanos;
use crate::run::{Run, Shared};
use netloop::Net;
use std::time::Duration;

/// Watches over the new connection of `slot`, until [`unwatch`].
pub(crate) fn watch(net: &mut Net, run: &Shared, slot: usize) {
    let timeout = {
        let run = run.borrow();
        if run.arguments.mode == Mode::Idle && !run.is_paced() {
            return; // it is asked nothing
        }
        run.arguments.timeout
    };
    look_after(net, run, slot, timeout);
}

/// Its connection has closed.
pub(crate) fn unwatch(net: &mut Net, run: &mut Run, slot: usize) {
    if let Some(timer) = run.slots[slot].watch.take() {
        net.clear_timer(timer);
    }
}

fn look_after(net: &mut Net, run: &Shared, slot: usize, time: Duration) {
    let again = run.clone();
    let timer = net.set_timeout(time, move |net| look(net, &again, slot));
    run.borrow_mut().slots[slot].watch = Some(timer);
}

/// Cuts `slot` off if it owes an answer for longer than the timeout: answers come in order, so that what
/// stands behind it is lost as well.
fn look(net: &mut Net, run: &Shared, slot: usize) {
    let (left, socket) = {
        let mut run = run.borrow_mut();
        let now = run.clock.now();
        let left = run.time_left(slot, now);
        if left.is_none() {
            run.give_up(slot, now);
            run.leave(slot, now);
        }
        (left, run.slots[slot].socket)
    };
    match left {
        Some(left) => look_after(net, run, slot, Duration::from_nanos(left)),
        None => {
            if let Some(mut socket) = socket.and_then(|id| net.socket(id)) {
                socket.destroy();
            }
        }
    }
}

impl Run {
    /// How long the oldest request of `slot` may still take, or one that is sent now; `None` if it is
    /// overdue.
    fn time_left(&self, slot: usize, now: Nanos) -> Option<Nanos> {
        let oldest = self.slots[slot].under_way.front();
        let waited = now.saturating_sub(oldest.map_or(now, |oldest| oldest.sent));
        self.timeout().checked_sub(waited)
    }
}
