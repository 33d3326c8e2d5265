//! Deadlines in order.

use crate::time;

/// A timing wheel.
#[derive(Debug)]
pub struct Wheel(time::Wheel);

/// An entry of a [`Wheel`].
#[derive(Clone, Copy, Debug)]
pub struct EntryId(time::EntryId);

#[allow(missing_docs, reason = "each is what it is in the room itself")]
impl Wheel {
    pub fn new(now: u64) -> Wheel {
        Wheel(time::Wheel::new(now))
    }

    pub fn arm(&mut self, deadline: u64, owner: u32) -> EntryId {
        EntryId(self.0.arm(deadline, owner))
    }

    pub fn move_to(&mut self, entry: EntryId, deadline: u64) {
        self.0.move_to(entry.0, deadline);
    }

    pub fn cancel(&mut self, entry: EntryId) {
        self.0.cancel(entry.0);
    }

    pub fn pop_due(&mut self, now: u64) -> Option<u32> {
        self.0.pop_due(now)
    }

    pub fn next_wake(&self) -> Option<u64> {
        self.0.next_wake()
    }
}
