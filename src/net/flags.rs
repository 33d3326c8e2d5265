//! Facts about a socket that its lifecycle does not tell.

/// Facts about a socket that are true or not, whatever its lifecycle.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flags(u16);

impl Flags {
    /// Stands in the ready queue.
    pub(crate) const IN_READY: Flags = Flags(1);
    /// Stands in the queue of notes.
    pub(crate) const IN_NOTES: Flags = Flags(1 << 1);
    /// Written to, and not flushed since.
    pub(crate) const DIRTY: Flags = Flags(1 << 2);
    /// A write answered `false` and `drain` has not been told since.
    pub(crate) const NEED_DRAIN: Flags = Flags(1 << 3);
    /// The option of that name.
    pub(crate) const HALF_OPEN: Flags = Flags(1 << 4);
    /// `unref` was called.
    pub(crate) const UNREF: Flags = Flags(1 << 5);
    /// Counted among those that keep the loop alive.
    pub(crate) const COUNTED: Flags = Flags(1 << 6);
    /// The idle timeout was told and no byte has moved since: the wheel has no entry (R68).
    pub(crate) const IDLE_TOLD: Flags = Flags(1 << 7);
    /// `cork` calls outnumber `uncork` calls.
    pub(crate) const CORKED: Flags = Flags(1 << 8);
    /// TCP_NODELAY is set.
    pub(crate) const NO_DELAY: Flags = Flags(1 << 9);
    /// `end` was told; stays true after destruction.
    pub(crate) const END_TOLD: Flags = Flags(1 << 10);
    /// `end()` was called; stays true after destruction.
    pub(crate) const ENDED: Flags = Flags(1 << 11);
    /// Our FIN was sent behind the last byte; stays true after destruction.
    pub(crate) const FINISHED: Flags = Flags(1 << 12);
    /// What is read is not told as `data`: the cold part says what becomes of it.
    pub(crate) const DIVERTED: Flags = Flags(1 << 13);
    /// Everybody is to end, and this one is not through yet: looked at again when its queue is empty.
    pub(crate) const LEAVING: Flags = Flags(1 << 14);
    /// Somebody waits for the queue to be empty.
    pub(crate) const AWAITS_EMPTY: Flags = Flags::NEED_DRAIN.or(Flags::LEAVING);

    /// A write leads to more than bytes that leave, or a read to more than a call of the handler.
    pub(crate) const NOT_PLAIN: Flags = Flags::AWAITS_EMPTY
        .or(Flags::DIRTY)
        .or(Flags::CORKED)
        .or(Flags::DIVERTED);

    /// Whether `flag` is there, or one of several.
    pub(crate) fn contains(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    pub(crate) fn insert(&mut self, flag: Flags) {
        self.0 |= flag.0;
    }

    pub(crate) fn remove(&mut self, flag: Flags) {
        self.0 &= !flag.0;
    }

    pub(crate) const fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Inserts `flag`; true if it was not there.
    pub(crate) fn raise(&mut self, flag: Flags) -> bool {
        let new = !self.contains(flag);
        self.insert(flag);
        new
    }
}
