//! What a socket was reported ready for, as a set of four bits.
//!
//! A set of facts to be kept until they are used up; who keeps them, and who uses them up, is not
//! known here.

use std::fmt;

/// A set of readiness bits. The default is the empty set.
///
/// The bits are hints, never promises: the call that follows may still answer `WouldBlock`. What is
/// certain is the other way round: as the poller is edge triggered, a bit that is lost is not told
/// again.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Readiness(u8);

impl Readiness {
    /// A read would not block: bytes, the end of input, an error, or a connection to accept.
    pub(crate) const READ: Readiness = Readiness(1);
    /// A write would not block: there is room, a connect has an answer, or the write would fail at
    /// once.
    pub(crate) const WRITE: Readiness = Readiness(1 << 1);
    /// The peer sends nothing more (FIN, or the connection is gone): read until 0 or an error, for
    /// a short read does not mean that the rest will be announced. Comes with `READ`.
    pub(crate) const READ_CLOSED: Readiness = Readiness(1 << 2);
    /// The socket holds an error: the next call on it has the errno, once. Comes with `READ` and
    /// `WRITE`.
    pub(crate) const ERROR: Readiness = Readiness(1 << 3);

    const NAMES: [(Readiness, &str); 4] = [
        (Readiness::READ, "READ"),
        (Readiness::WRITE, "WRITE"),
        (Readiness::READ_CLOSED, "READ_CLOSED"),
        (Readiness::ERROR, "ERROR"),
    ];

    /// The empty set.
    pub(crate) const fn empty() -> Readiness {
        Readiness(0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every bit of `bits` is in the set.
    pub(crate) const fn contains(self, bits: Readiness) -> bool {
        self.0 & bits.0 == bits.0
    }

    pub(crate) const fn insert(&mut self, bits: Readiness) {
        self.0 |= bits.0;
    }

    pub(crate) const fn remove(&mut self, bits: Readiness) {
        self.0 &= !bits.0;
    }

    /// The set as a number, for a trace.
    #[cfg(feature = "sim")]
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// What of the set is in `bits` too.
    #[cfg(feature = "sim")]
    pub(crate) const fn only(self, bits: Readiness) -> Readiness {
        Readiness(self.0 & bits.0)
    }

    /// The set with `bits` added, for constants and tests.
    pub(crate) const fn with(self, bits: Readiness) -> Readiness {
        Readiness(self.0 | bits.0)
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Readiness::NAMES
            .iter()
            .filter(|(bit, _)| self.contains(*bit));
        let Some((_, first)) = names.next() else {
            return f.write_str("(nothing)");
        };
        f.write_str(first)?;
        names.try_for_each(|(_, name)| write!(f, " | {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insert_and_remove_touch_only_their_bits() {
        let mut ready = Readiness::empty();
        assert!(ready.is_empty());
        ready.insert(Readiness::READ.with(Readiness::READ_CLOSED));
        ready.insert(Readiness::WRITE);
        ready.remove(Readiness::READ);
        assert!(!ready.contains(Readiness::READ));
        assert!(ready.contains(Readiness::WRITE.with(Readiness::READ_CLOSED)));
        assert!(
            !ready.contains(Readiness::WRITE.with(Readiness::ERROR)),
            "one of two is not both"
        );
    }

    #[test]
    fn debug_names_the_bits() {
        assert_eq!(format!("{:?}", Readiness::empty()), "(nothing)");
        assert_eq!(
            format!("{:?}", Readiness::READ.with(Readiness::ERROR)),
            "READ | ERROR"
        );
    }
}
