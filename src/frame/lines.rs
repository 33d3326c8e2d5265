//! Frames that end in a newline.

use super::{Decoded, Decoder};
use crate::Result;
use std::io::BufRead;

/// Lines of text, or of any bytes, that end in LF or in CRLF. Neither is told.
///
/// A CR anywhere else is a byte like any other. An empty line is an empty frame. A last line without
/// its LF is half a frame: `ERR_FRAME_INCOMPLETE`.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// So many bytes of the present line have no LF among them.
    searched: usize,
}

impl Lines {
    /// A decoder for the beginning of a line.
    pub fn new() -> Lines {
        Lines::default()
    }
}

impl Decoder for Lines {
    fn decode(&mut self, bytes: &[u8]) -> Result<Decoded> {
        let end = match newline(&bytes[self.searched..]) {
            Some(at) => self.searched + at,
            None => {
                self.searched = bytes.len();
                let at_least = bytes.len() + 1;
                return Ok(Decoded::Incomplete { at_least });
            }
        };
        self.searched = 0;
        let line = &bytes[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(Decoded::Frame {
            told: 0..line.len(),
            end: end + 1,
        })
    }

    fn reset(&mut self) {
        self.searched = 0;
    }
}

/// Where the first LF stands. By way of `BufRead`, which looks at many bytes at once.
fn newline(mut bytes: &[u8]) -> Option<usize> {
    let all = bytes;
    let skipped = bytes.skip_until(b'\n').unwrap_or(0); // memory is never an error
    let last = skipped.checked_sub(1)?;
    (all[last] == b'\n').then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(told: usize, end: usize) -> Decoded {
        let told = 0..told;
        Decoded::Frame { told, end }
    }

    #[test]
    fn a_line_ends_in_lf_or_crlf_and_neither_is_told() {
        for (bytes, expected) in [
            (&b"ab\ncd"[..], frame(2, 3)),
            (b"ab\r\ncd", frame(2, 4)),
            (b"\n", frame(0, 1)),
            (b"\r\n", frame(0, 2)),
            (b"a\rb\n", frame(3, 4)),
            (b"a\r\r\n", frame(2, 4)),
            (b"ab", Decoded::Incomplete { at_least: 3 }),
            (b"ab\r", Decoded::Incomplete { at_least: 4 }),
        ] {
            assert_eq!(Lines::new().decode(bytes).unwrap(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn no_byte_of_a_line_is_looked_at_twice() {
        let mut lines = Lines::new();
        let incomplete = Decoded::Incomplete { at_least: 4 };
        assert_eq!(lines.decode(b"abc").unwrap(), incomplete);
        // A newline among what was looked at before would be found by who looks again.
        assert_eq!(lines.decode(b"\n\n\nd\n").unwrap(), frame(4, 5));
        assert_eq!(lines.decode(b"\n").unwrap(), frame(0, 1), "the next line");
    }
}
