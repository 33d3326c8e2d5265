//! What the kernel said of one connection and nobody has used up yet, and the pause mask over it.
//!
//! Edge-triggered readiness is told once, so it is kept here until a read or a write shows that it
//! is used up. Knows no descriptor: it answers which interest the kernel should be given, `net`
//! compares it with the present one and makes the call.

use crate::sys::{Interest, Readiness};

/// Latched readiness, the pause mask, and the interest that the kernel has now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latch {
    ready: Readiness,
    interest: Interest,
    /// Why nothing is told: none, one or both of the two below.
    pause: u8,
}

/// The user has paused it.
const BY_USER: u8 = 1;
/// The socket that it is piped to has no room.
const BY_PIPE: u8 = 2;

impl Latch {
    /// A fresh connection takes bytes: the first write tries and finds out.
    pub(crate) fn accepted(interest: Interest, paused: bool) -> Latch {
        Latch {
            ready: Readiness::WRITE,
            interest,
            pause: if paused { BY_USER } else { 0 },
        }
    }

    /// Nothing is known before the connection stands.
    pub(crate) fn connecting() -> Latch {
        Latch {
            ready: Readiness::empty(),
            interest: Interest::ReadWrite,
            pause: 0,
        }
    }

    /// Adds what an event said.
    pub(crate) fn latch(&mut self, said: Readiness) {
        if planted!(LatchOverwritten) {
            self.ready = Readiness::empty();
        }
        self.ready.insert(said);
    }

    /// A read would find bytes, the end, or an error, as far as is known.
    pub(crate) fn is_readable(&self) -> bool {
        self.ready.contains(Readiness::READ)
    }

    /// A read would find something and may be made.
    pub(crate) fn may_read(&self) -> bool {
        (!self.is_paused() || planted!(PauseIgnoredInReadLoop)) && self.is_readable()
    }

    /// The kernel takes bytes, as far as is known.
    pub(crate) fn is_writable(&self) -> bool {
        self.ready.contains(Readiness::WRITE)
    }

    /// There is something to read and room to write, and nothing else is known.
    pub(crate) fn is_plain(&self) -> bool {
        self.pause == 0 && self.ready == Readiness::READ.with(Readiness::WRITE)
    }

    /// The connection failed; a read or a write tells how.
    pub(crate) fn has_error(&self) -> bool {
        self.ready.contains(Readiness::ERROR)
    }

    /// A read that did not fill its buffer: the kernel has nothing more, unless the end or an
    /// error was announced, which no further event will repeat (P6).
    pub(crate) fn short_read(&mut self) {
        let announced = self.ready.contains(Readiness::READ_CLOSED) || self.has_error();
        if !announced || planted!(ShortReadEndsLoop) {
            self.ready.remove(Readiness::READ);
        }
    }

    /// As [`short_read`](Latch::short_read), of a socket that [is plain](Latch::is_plain).
    pub(crate) fn plain_read(&mut self) {
        self.ready = Readiness::WRITE;
    }

    /// A read found nothing, whatever was announced: the next edge tells of more.
    pub(crate) fn blocked_read(&mut self) {
        self.ready.remove(
            Readiness::READ
                .with(Readiness::READ_CLOSED)
                .with(Readiness::ERROR),
        );
    }

    /// The kernel took less than it was given: the next edge tells of room.
    pub(crate) fn blocked_write(&mut self) {
        self.ready.remove(Readiness::WRITE);
    }

    /// An error was looked at and told nothing.
    pub(crate) fn error_seen(&mut self) {
        self.ready.remove(Readiness::ERROR);
    }

    /// Nothing may be told of the peer, for one reason or the other.
    pub(crate) fn is_paused(&self) -> bool {
        self.pause != 0
    }

    /// The user has paused it.
    pub(crate) fn is_paused_by_user(&self) -> bool {
        self.pause & BY_USER != 0
    }

    pub(crate) fn set_paused(&mut self, paused: bool) {
        self.mask(BY_USER, paused);
    }

    /// It is piped to a socket that has no room. Not needed by the loop itself.
    #[cfg(feature = "sim")]
    pub(crate) fn is_held_back(&self) -> bool {
        self.pause & BY_PIPE != 0
    }

    pub(crate) fn set_held_back(&mut self, held_back: bool) {
        self.mask(BY_PIPE, held_back);
    }

    fn mask(&mut self, reason: u8, on: bool) {
        if on {
            self.pause |= reason;
        } else {
            self.pause &= !reason;
        }
    }

    /// The interest that the kernel has now.
    pub(crate) fn interest(&self) -> Interest {
        self.interest
    }

    pub(crate) fn set_interest(&mut self, interest: Interest) {
        self.interest = interest;
    }

    /// The interest to have after an event came, a write was blocked, or the pause mask changed.
    ///
    /// A paused socket that waits for room is asked about room only; one that does not is parked,
    /// so that neither data nor a FIN wakes the loop (P2, P3).
    pub(crate) fn wanted_interest(&self) -> Interest {
        match (self.is_paused(), !self.is_writable()) {
            (true, true) => Interest::ParkedWrite,
            (true, false) => Interest::Parked,
            (false, true) => Interest::ReadWrite,
            // Room that nobody waits for costs no event in edge-triggered mode, so an interest in
            // it that was once needed is left standing.
            (false, false) if self.interest == Interest::ReadWrite => Interest::ReadWrite,
            (false, false) => Interest::Read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Readiness = Readiness::READ;
    const WRITE: Readiness = Readiness::WRITE;
    const FIN: Readiness = READ.with(Readiness::READ_CLOSED);
    const ERROR: Readiness = READ.with(WRITE).with(Readiness::ERROR);

    fn accepted() -> Latch {
        Latch::accepted(Interest::Read, false)
    }

    /// An accepted connection with these bits latched.
    fn told(said: Readiness) -> Latch {
        let mut latch = accepted();
        latch.latch(said);
        latch
    }

    #[test]
    fn an_accepted_connection_takes_bytes_before_any_event_says_so() {
        let latch = accepted();
        assert!(latch.is_writable());
        assert!(!latch.is_readable() && !latch.has_error() && !latch.is_paused());
        assert_eq!(latch.interest(), Interest::Read);

        let parked = Latch::accepted(Interest::Parked, true);
        assert!(parked.is_paused() && parked.is_writable());
        assert_eq!(parked.interest(), Interest::Parked);
    }

    #[test]
    fn of_a_connecting_one_nothing_is_known() {
        let latch = Latch::connecting();
        assert!(!latch.is_writable() && !latch.is_readable());
        assert!(!latch.has_error() && !latch.is_paused());
        assert_eq!(latch.interest(), Interest::ReadWrite);
    }

    #[test]
    fn what_events_say_adds_up() {
        let mut latch = Latch::connecting();
        latch.latch(WRITE);
        assert!(latch.is_writable() && !latch.is_readable());
        latch.latch(READ);
        assert!(latch.is_writable() && latch.is_readable());
        latch.latch(Readiness::empty());
        assert!(latch.is_writable() && latch.is_readable());
        assert!(!latch.has_error());
        latch.latch(ERROR);
        assert!(latch.has_error());
    }

    #[test]
    fn a_pause_hides_what_is_readable_and_loses_none_of_it() {
        let mut latch = told(FIN);
        assert!(latch.may_read());
        latch.set_paused(true);
        assert!(!latch.may_read() && latch.is_readable() && latch.is_paused());
        latch.latch(ERROR);
        latch.set_paused(false);
        assert!(latch.may_read() && latch.has_error() && !latch.is_paused());
        // Nor does it let through what is not there.
        assert!(!accepted().may_read());
    }

    #[test]
    fn a_short_read_uses_readability_up_unless_an_end_or_an_error_was_announced() {
        for (said, readable_after) in [(READ, false), (FIN, true), (ERROR, true)] {
            let mut latch = told(said);
            latch.short_read();
            assert_eq!(latch.is_readable(), readable_after, "{said:?}");
            assert!(latch.is_writable(), "{said:?}: the other direction stays");
        }
    }

    #[test]
    fn a_blocked_read_uses_up_all_that_is_about_reading() {
        for said in [READ, FIN, ERROR, FIN.with(ERROR)] {
            let mut latch = told(said);
            latch.blocked_read();
            assert!(!latch.is_readable() && !latch.has_error(), "{said:?}");
            assert!(latch.is_writable(), "{said:?}: the other direction stays");
            // The announced end is forgotten too: the next short read is an ordinary one.
            latch.latch(READ);
            latch.short_read();
            assert!(!latch.is_readable(), "{said:?}");
        }
    }

    #[test]
    fn a_blocked_write_uses_up_room_alone() {
        let mut latch = told(FIN.with(ERROR));
        latch.blocked_write();
        assert!(!latch.is_writable());
        assert!(latch.is_readable() && latch.has_error());
        latch.latch(WRITE);
        assert!(latch.is_writable());
    }

    #[test]
    fn an_error_that_was_seen_leaves_what_came_with_it() {
        let mut latch = told(FIN.with(ERROR));
        latch.error_seen();
        assert!(!latch.has_error());
        assert!(latch.is_readable() && latch.is_writable());
        latch.short_read();
        assert!(latch.is_readable(), "the end is still announced");
    }

    #[test]
    fn every_situation_has_one_interest() {
        use Interest::*;
        let before = [Read, ReadWrite, Parked, ParkedWrite];
        for (paused, blocked, wanted) in [
            (false, false, [Read, ReadWrite, Read, Read]), // ReadWrite is left standing
            (false, true, [ReadWrite; 4]),
            (true, false, [Parked; 4]),
            (true, true, [ParkedWrite; 4]),
        ] {
            for (interest, wanted) in before.into_iter().zip(wanted) {
                let mut latch = accepted();
                latch.set_paused(paused);
                latch.set_interest(interest);
                assert_eq!(latch.interest(), interest);
                if blocked {
                    latch.blocked_write();
                }
                assert_eq!(
                    latch.wanted_interest(),
                    wanted,
                    "paused: {paused}, blocked: {blocked}, before: {interest:?}"
                );
            }
        }
    }
}
