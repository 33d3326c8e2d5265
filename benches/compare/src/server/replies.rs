//! What is sent back for what was read, and what is kept meanwhile. Knows no poller.

use std::io::{self, ErrorKind};

/// How input is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// All at once, as it came.
    Bytes,
    /// Each line with a send of its own.
    LineByLine,
    /// All whole lines of one read with one send.
    LinesTogether,
}

/// Bytes that a connection owns: those that the kernel would not take yet, then the beginning of a
/// line. An idle connection has none.
#[derive(Default)]
pub struct Kept {
    bytes: Vec<u8>,
    /// So many of `bytes` are to be sent, and nothing is read until they are.
    unsent: u32,
}

impl Kept {
    pub fn must_send(&self) -> bool {
        self.unsent > 0
    }

    /// Answers `input`. If the kernel does not take it all, `must_send` says so afterwards.
    pub fn answer(
        &mut self,
        input: &[u8],
        replies: Replies,
        longest_line: usize,
        send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        debug_assert!(
            !self.must_send(),
            "nothing is read while something must be sent"
        );
        if self.bytes.is_empty() {
            return self.answer_whole(input, replies, send);
        }
        let mut begun = std::mem::take(&mut self.bytes);
        begun.extend_from_slice(input);
        self.answer_whole(&begun, replies, send)?;
        match !self.must_send() && self.bytes.len() > longest_line {
            true => Err(io::Error::new(
                ErrorKind::InvalidData,
                "the line is too long",
            )),
            false => Ok(()),
        }
    }

    fn answer_whole(
        &mut self,
        input: &[u8],
        replies: Replies,
        mut send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let lines_end = || {
            input
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |at| at + 1)
        };
        let end = match replies {
            Replies::Bytes => input.len(),
            Replies::LineByLine | Replies::LinesTogether => lines_end(),
        };
        let mut sent = 0;
        match replies {
            Replies::LineByLine => {
                for line in input[..end].split_inclusive(|&byte| byte == b'\n') {
                    let taken = or_none(send(line))?;
                    sent += taken;
                    if taken < line.len() {
                        break;
                    }
                }
            }
            Replies::Bytes | Replies::LinesTogether if end > 0 => {
                sent = or_none(send(&input[..end]))?
            }
            Replies::Bytes | Replies::LinesTogether => {}
        }
        if sent < input.len() {
            self.bytes = input[sent..].to_vec();
            self.unsent = (end - sent) as u32;
        }
        Ok(())
    }

    /// Sends more of what must be sent.
    pub fn send_rest(
        &mut self,
        mut send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let taken = or_none(send(&self.bytes[..self.unsent as usize]))?;
        self.unsent -= taken as u32;
        self.bytes.drain(..taken);
        if self.bytes.is_empty() {
            self.bytes = Vec::new(); // an idle peer costs nothing
        }
        Ok(())
    }
}

/// A kernel that takes nothing now is no error.
fn or_none(taken: io::Result<usize>) -> io::Result<usize> {
    match taken {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(0)
        }
        taken => taken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `room` bytes in all, and notes each send.
    fn kernel(mut room: usize, sends: &mut Vec<String>) -> impl FnMut(&[u8]) -> io::Result<usize> {
        move |bytes| {
            let taken = bytes.len().min(room);
            room -= taken;
            sends.push(String::from_utf8_lossy(&bytes[..taken]).into());
            match taken {
                0 => Err(ErrorKind::WouldBlock.into()),
                taken => Ok(taken),
            }
        }
    }

    fn answered(replies: Replies, pieces: &[&str]) -> Vec<String> {
        let (mut kept, mut sends) = (Kept::default(), Vec::new());
        for piece in pieces {
            kept.answer(piece.as_bytes(), replies, 100, kernel(1000, &mut sends))
                .unwrap();
        }
        sends
    }

    #[test]
    fn lines_are_answered_one_by_one_or_together_and_never_before_their_end() {
        let pieces = ["a", "b\nc\n\nd", "e", "\n"];
        assert_eq!(answered(Replies::Bytes, &pieces), pieces);
        assert_eq!(
            answered(Replies::LineByLine, &pieces),
            ["ab\n", "c\n", "\n", "de\n"]
        );
        assert_eq!(
            answered(Replies::LinesTogether, &pieces),
            ["ab\nc\n\n", "de\n"]
        );
    }

    #[test]
    fn what_the_kernel_does_not_take_is_sent_later_and_a_begun_line_still_waits() {
        for replies in [Replies::LineByLine, Replies::LinesTogether] {
            let (mut kept, mut sends) = (Kept::default(), Vec::new());
            kept.answer(b"one\ntwo\nthree\nfo", replies, 100, kernel(5, &mut sends))
                .unwrap();
            assert!(kept.must_send());
            while kept.must_send() {
                kept.send_rest(kernel(2, &mut sends)).unwrap();
            }
            assert_eq!(sends.concat(), "one\ntwo\nthree\n");
            kept.answer(b"ur\n", replies, 100, kernel(100, &mut sends))
                .unwrap();
            assert_eq!(sends.concat(), "one\ntwo\nthree\nfour\n");
            assert_eq!(kept.bytes.capacity(), 0);
        }
    }

    #[test]
    fn errors_and_endless_lines_end_the_connection() {
        let mut kept = Kept::default();
        let broken = |_: &[u8]| Err(ErrorKind::BrokenPipe.into());
        assert!(kept.answer(b"x", Replies::Bytes, 100, broken).is_err());
        let mut longer = || {
            kept.answer(&[b'x'; 60], Replies::LineByLine, 100, |bytes| {
                Ok(bytes.len())
            })
        };
        assert!(longer().is_ok());
        assert!(longer().is_err());
    }
}
