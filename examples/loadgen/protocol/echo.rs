//! Bytes that come back as they went.
//!
//! The bytes of a request tell their place in it, so that one that was lost or doubled shows in the
//! very next answer. Small answers are all compared; of large ones every sixteenth, and of the rest the
//! first byte of each piece.

use super::{Answer, Wrong};
use bytes::Bytes;

/// A prime, so that no power of two hides a shift.
const PATTERN: usize = 251;
const ALWAYS_COMPARED: usize = 1024;
const SAMPLED: u64 = 16;

pub(super) fn request(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % PATTERN) as u8).collect()
}

pub(crate) struct Echo {
    expected: Bytes,
    /// Where in `expected` the next byte belongs.
    at: usize,
    answers: u64,
}

impl Echo {
    pub(super) fn new(expected: Bytes) -> Echo {
        Echo {
            expected,
            at: 0,
            answers: 0,
        }
    }

    pub(super) fn read(
        &mut self,
        mut data: &[u8],
        mut tell: impl FnMut(Answer),
    ) -> Result<(), Wrong> {
        while !data.is_empty() {
            let rest = &self.expected[self.at..];
            let piece;
            (piece, data) = data.split_at(rest.len().min(data.len()));
            let compared = match self.answers % SAMPLED {
                0 => piece.len(),
                _ if self.expected.len() <= ALWAYS_COMPARED => piece.len(),
                _ => 1,
            };
            if piece[..compared] != rest[..compared] {
                return Err(Wrong("bytes came back that were not sent"));
            }
            self.at += piece.len();
            if self.at == self.expected.len() {
                self.at = 0;
                self.answers += 1;
                tell(Answer::Good);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Answers, tests::read_all};
    use super::*;

    #[test]
    fn an_answer_is_complete_with_its_last_byte() {
        let fresh = || Answers::Echo(Echo::new(request(300).into()));
        let two_and_a_half = [request(300), request(300), request(150)].concat();
        assert_eq!(read_all(fresh, &two_and_a_half), Ok(vec![Answer::Good; 2]));
    }

    #[test]
    fn a_byte_that_is_lost_doubled_or_changed_is_found() {
        let sent = request(600).repeat(3);
        for at in [0, 1, 599, 600, 1234, 1799] {
            let mut lost = sent.clone();
            lost.remove(at);
            lost.push(0);
            let mut doubled = sent.clone();
            doubled.insert(at, sent[at]);
            let mut changed = sent.clone();
            changed[at] ^= 1;
            for bytes in [lost, doubled, changed] {
                let mut echo = Echo::new(request(600).into());
                let outcome = echo.read(&bytes, |_| ());
                assert!(outcome.is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn in_large_answers_a_shift_is_found_at_once_and_a_changed_byte_in_one_of_sixteen() {
        let size = 10_000;
        let sent = request(size);
        let mut echo = Echo::new(sent.clone().into());
        echo.read(&sent, |_| ()).unwrap();
        echo.read(&sent[1..], |_| ()).unwrap_err();

        let mut changed = sent.clone();
        changed[5000] ^= 1;
        let mut echo = Echo::new(sent.clone().into());
        let mut outcomes = (0..17).map(|nth| match nth {
            0 => echo.read(&sent, |_| ()),
            _ => echo.read(&changed, |_| ()),
        });
        assert_eq!(outcomes.position(|it| it.is_err()), Some(16));
    }
}
