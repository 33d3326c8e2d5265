//! What happened, as one number: two runs with the same number did the same.

use std::fmt;

/// FNV-1a over 64-bit words, in the order in which they are noted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace(u64);

/// What a line of the trace is about.
///
/// The numbers go into the hash, so a new kind is added at the end.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    Poll,
    Event,
    Register,
    Reregister,
    Deregister,
    Listen,
    Accept,
    Connect,
    Read,
    Write,
    Shutdown,
    TakeError,
    PeerAddress,
    SetOption,
    Close,
    HoldSpare,
    ReleaseSpare,
    Turn,
    Time,
    Waker,
    RunJob,
    Job,
    Bind,
    #[cfg(feature = "signal")]
    Signal,
    GrowTable,
}

impl Trace {
    pub(super) fn new() -> Trace {
        Trace(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn hash(self) -> u64 {
        self.0
    }

    /// Notes one line: what, on which host, about what, with which outcome.
    pub(super) fn note(&mut self, kind: Kind, host: usize, about: u64, outcome: u64) {
        log::trace!("sim: host {host} {kind:?} {about} -> {}", Outcome(outcome));
        for word in [kind as u64 | (host as u64) << 8, about, outcome] {
            self.word(word);
        }
    }

    /// Notes bytes that moved.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.word((*byte).into());
        }
    }

    fn word(&mut self, word: u64) {
        // Folded, since a multiplication alone carries nothing down to the lower bits.
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 ^= self.0 >> 32;
    }
}

/// An errno as an outcome: the numbers from the top down, where no length comes.
pub(super) fn errno_outcome(errno: i32) -> u64 {
    !u64::from(errno.unsigned_abs())
}

struct Outcome(u64);

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match !self.0 {
            errno @ 1..4096 => write!(f, "errno {errno}"),
            _ => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_content_both_count() {
        let hash = |lines: &[(Kind, u64)]| {
            let mut trace = Trace::new();
            for &(kind, outcome) in lines {
                trace.note(kind, 0, 3, outcome);
            }
            trace.hash()
        };
        let base = hash(&[(Kind::Read, 1), (Kind::Write, 2)]);
        assert_eq!(base, hash(&[(Kind::Read, 1), (Kind::Write, 2)]));
        assert_ne!(base, hash(&[(Kind::Write, 2), (Kind::Read, 1)]));
        assert_ne!(base, hash(&[(Kind::Read, 1), (Kind::Write, 3)]));
    }
}
