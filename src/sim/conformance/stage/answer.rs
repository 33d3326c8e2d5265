//! What calls answer, as far as two kernels can be compared in it.

use std::collections::BTreeMap;
use std::{fmt, io};

use super::End;
use crate::sys::Readiness;

/// What a call answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim::conformance) enum Answer {
    Done,
    Bytes(usize),
    WouldBlock,
    Errno(i32),
    NoError,
    /// Of calls that the poller may refuse before the kernel is asked.
    Refused(io::ErrorKind),
    /// All that could be read: how many bytes, and what came behind them.
    All(Option<usize>, Box<Answer>),
    Accepted(Shown),
    Address(Shown),
    /// What was told since the last look, by the socket.
    Told(BTreeMap<End, Readiness>),
}

/// An address, as far as it can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim::conformance) struct Shown {
    pub(super) is_ipv6: bool,
    pub(super) is_mapped_ipv4: bool,
    /// It is that of the other end.
    pub(super) fits: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) call: String,
    pub(super) answer: Answer,
}

/// Whether it is too early to say that this answer is another one than expected.
pub(super) fn may_change(answer: &Answer) -> bool {
    match answer {
        Answer::WouldBlock | Answer::NoError | Answer::Bytes(0) => true,
        Answer::All(_, last) => **last == Answer::WouldBlock,
        _ => false,
    }
}

/// Whether some of what was expected is not told yet, and nothing else was.
pub(super) fn is_part(
    told: &BTreeMap<End, Readiness>,
    expected: &BTreeMap<End, Readiness>,
) -> bool {
    let fits = |(end, ready): (&End, &Readiness)| {
        let expected = expected.get(end);
        expected.is_some_and(|it| it.contains(*ready))
    };
    told != expected && told.iter().all(fits)
}

pub(super) fn failed(error: io::Error) -> Answer {
    match error.raw_os_error() {
        Some(libc::EAGAIN) => Answer::WouldBlock,
        Some(errno) => Answer::Errno(errno),
        None => Answer::Refused(error.kind()),
    }
}

pub(super) struct Story<'a>(pub(super) &'a [Line]);

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.0 {
            writeln!(f, "  {}: {:?}", line.call, line.answer)?;
        }
        Ok(())
    }
}
