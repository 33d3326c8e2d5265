//! A line for a line: whatever stands before the newline is the answer.

use super::{Answer, Wrong};

/// No line of an answer is longer, its newline included.
const LONGEST_LINE: u64 = 1 << 20;

pub(super) fn request(size: usize) -> Vec<u8> {
    let letters = (b'a'..=b'z').cycle().take(size - 1);
    letters.chain([b'\n']).collect()
}

#[derive(Default)]
pub(crate) struct Lines {
    /// Bytes of the present line so far. They are counted and not kept.
    begun: u64,
}

impl Lines {
    pub(super) fn read(&mut self, data: &[u8], mut tell: impl FnMut(Answer)) -> Result<(), Wrong> {
        for piece in data.split_inclusive(|&byte| byte == b'\n') {
            self.begun += piece.len() as u64;
            if self.begun > LONGEST_LINE {
                return Err(Wrong("a line of more than 1 MiB"));
            }
            if piece.ends_with(b"\n") {
                self.begun = 0;
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
    fn a_request_has_its_size_and_one_newline() {
        assert_eq!(request(1), b"\n");
        assert_eq!(request(4), b"abc\n");
    }

    #[test]
    fn lines_are_counted_wherever_they_are_cut() {
        let fresh = || Answers::Lines(Lines::default());
        let told = read_all(fresh, b"one\n\ntwo\nthr");
        assert_eq!(told, Ok(vec![Answer::Good; 3]));
    }

    #[test]
    fn an_endless_line_is_wrong() {
        let mut lines = Lines::default();
        let kilobyte = [b'x'; 1024];
        for _ in 0..1024 {
            lines.read(&kilobyte, |_| ()).unwrap();
        }
        lines.read(b"x", |_| ()).unwrap_err();
    }
}
