//! At most one line a second of each kind that a peer can cause.

/// Lines that peers can cause in any number.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A peer was turned away by `max_connections`.
    MaxConnections,
    /// A connection could not be accepted.
    Accept,
}

const KINDS: usize = 2;
const SECOND_NANOS: u64 = 1_000_000_000;

/// When each kind was last logged.
#[derive(Default)]
pub(crate) struct LogLimit {
    last: [Option<u64>; KINDS],
}

impl LogLimit {
    /// Whether a line of this kind may be written at `now`; if so, the next one waits a second.
    pub(crate) fn allows(&mut self, kind: Kind, now: u64) -> bool {
        let last = &mut self.last[kind as usize];
        if last.is_some_and(|last| now < last.saturating_add(SECOND_NANOS)) {
            return false;
        }
        *last = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_gets_one_line_a_second() {
        let mut limit = LogLimit::default();
        assert!(limit.allows(Kind::Accept, 0));
        assert!(!limit.allows(Kind::Accept, SECOND_NANOS - 1));
        assert!(limit.allows(Kind::MaxConnections, 1));
        assert!(limit.allows(Kind::Accept, SECOND_NANOS));
        assert!(!limit.allows(Kind::Accept, SECOND_NANOS + 1));
    }
}
