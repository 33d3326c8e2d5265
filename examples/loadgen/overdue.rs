//! Who is waited for too long is cut off.
//!
//! An idle timeout of the socket would not do: a server that sends a byte now and then is not idle, and
//! one that nobody has asked anything is.

use crate::pace::Nanos;
use crate::run::{Run, Shared};
use netloop::{Net, SocketId};
use std::time::Duration;

/// How exact a timeout is: to a twentieth of it, within these bounds.
const FINEST: Duration = Duration::from_millis(1);
const COARSEST: Duration = Duration::from_millis(100);

/// Cuts off whoever owes an answer for longer than the timeout: answers come in order, so that what
/// stands behind it is lost as well.
pub(crate) fn watch(net: &mut Net, run: &Shared) {
    let timeout = run.borrow().arguments.timeout;
    let period = (timeout / 20).clamp(FINEST, COARSEST);
    let run = run.clone();
    net.set_interval(period, move |net| {
        let (slots, now) = {
            let run = run.borrow();
            (run.slots.len(), run.clock.now()) // one reading for all of a million
        };
        for slot in 0..slots {
            let overdue = run.borrow_mut().cut_off(slot, now);
            if let Some(mut socket) = overdue.and_then(|id| net.socket(id)) {
                socket.destroy();
            }
        }
    });
}

impl Run {
    /// Gives up what `slot` has under way if the oldest of it is overdue; answers with the socket
    /// to close.
    fn cut_off(&mut self, slot: usize, now: Nanos) -> Option<SocketId> {
        let oldest = self.slots[slot].under_way.front()?;
        if now.saturating_sub(oldest.sent) <= self.timeout() {
            return None;
        }
        self.give_up(slot, now);
        self.leave(slot, now);
        self.slots[slot].socket
    }
}
