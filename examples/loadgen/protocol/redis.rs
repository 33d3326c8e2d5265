//! Requests and replies of Redis, version 2 of its protocol
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

use super::{Answer, LONGEST_HEAD, Wrong};
use crate::arguments::Command;

const KEY: &[u8] = b"loadgen:key";
/// What Redis itself allows, in bytes.
const LONGEST_BULK: u64 = 512 << 20;
const MOST_ELEMENTS: u64 = 1 << 20;

pub(super) fn request(command: Command, size: usize) -> Vec<u8> {
    match command {
        Command::Get => array(&[b"GET", KEY]),
        Command::Set => array(&[b"SET", KEY, &vec![b'x'; size]]),
        Command::Ping => array(&[b"PING"]),
    }
}

fn array(words: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
    request
}

#[derive(Default)]
pub(crate) struct Replies {
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
    /// Bytes of a bulk string that are still to come, its line end included.
    bulk_left: u64,
    /// Elements of arrays that are still to come, however the arrays are nested.
    elements_left: u64,
}

impl Replies {
    pub(super) fn read(
        &mut self,
        mut data: &[u8],
        mut tell: impl FnMut(Answer),
    ) -> Result<(), Wrong> {
        while !data.is_empty() {
            if self.bulk_left > 0 {
                let length = self.bulk_left.min(data.len() as u64);
                self.bulk_left -= length;
                let bulk;
                (bulk, data) = data.split_at(length as usize);
                if self.bulk_left > 0 {
                    return Ok(());
                }
                if !bulk.ends_with(b"\n") {
                    return Err(Wrong("a bulk string without its line end"));
                }
                self.element(Answer::Good, &mut tell);
                continue;
            }
            let Some(end) = data.iter().position(|&byte| byte == b'\n') else {
                self.begun.extend_from_slice(data);
                return match self.begun.len() {
                    ..=LONGEST_HEAD => Ok(()),
                    _ => Err(Wrong("a line of more than 64 KiB")),
                };
            };
            let piece;
            (piece, data) = data.split_at(end + 1);
            if self.begun.is_empty() {
                self.line(piece, &mut tell)?;
            } else {
                let mut line = std::mem::take(&mut self.begun);
                line.extend_from_slice(piece);
                self.line(&line, &mut tell)?;
                line.clear();
                self.begun = line; // its memory is used again
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], tell: &mut impl FnMut(Answer)) -> Result<(), Wrong> {
        let Some((&kind, rest)) = line.strip_suffix(b"\r\n").and_then(<[u8]>::split_first) else {
            return Err(Wrong("no reply of Redis"));
        };
        match kind {
            b'+' | b':' => self.element(Answer::Good, tell),
            b'-' => self.element(Answer::Refusal, tell),
            b'$' => match length(rest, LONGEST_BULK)? {
                Some(length) => self.bulk_left = length + 2,
                None => self.element(Answer::Nil, tell),
            },
            b'*' => match length(rest, MOST_ELEMENTS)? {
                // The array itself is one that has come, unless it is the whole reply.
                Some(elements @ 1..) => {
                    self.elements_left = self.elements_left.saturating_sub(1) + elements;
                }
                Some(0) => self.element(Answer::Good, tell),
                None => self.element(Answer::Nil, tell),
            },
            _ => return Err(Wrong("no reply of Redis")),
        }
        Ok(())
    }

    /// One element is complete, and with the last one the reply. An error or a nil inside an array is a
    /// part of an answer that is good.
    fn element(&mut self, answer: Answer, tell: &mut impl FnMut(Answer)) {
        match self.elements_left {
            0 => tell(answer),
            1 => {
                self.elements_left = 0;
                tell(Answer::Good);
            }
            _ => self.elements_left -= 1,
        }
    }
}

/// `None` for -1, which is nil.
fn length(digits: &[u8], most: u64) -> Result<Option<u64>, Wrong> {
    if digits == b"-1" {
        return Ok(None);
    }
    let mut length = 0u64;
    for digit in digits {
        if !digit.is_ascii_digit() || length > most {
            return Err(Wrong("a length that is none"));
        }
        length = length * 10 + u64::from(digit - b'0');
    }
    if digits.is_empty() || length > most {
        return Err(Wrong("a length that is none"));
    }
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    use super::super::{Answers, tests::read_all};
    use super::*;

    fn read(text: &str) -> Result<Vec<Answer>, Wrong> {
        read_all(|| Answers::Redis(Replies::default()), text.as_bytes())
    }

    #[test]
    fn requests_are_arrays_of_bulk_strings() {
        assert_eq!(request(Command::Ping, 3), b"*1\r\n$4\r\nPING\r\n");
        assert_eq!(
            request(Command::Set, 3),
            b"*3\r\n$3\r\nSET\r\n$11\r\nloadgen:key\r\n$3\r\nxxx\r\n"
        );
    }

    #[test]
    fn every_kind_of_reply_is_one_answer() {
        for (reply, answer) in [
            ("+OK\r\n", Answer::Good),
            (":-12\r\n", Answer::Good),
            ("$5\r\nhello\r\n", Answer::Good),
            ("$0\r\n\r\n", Answer::Good),
            ("$-1\r\n", Answer::Nil),
            ("*0\r\n", Answer::Good),
            ("*-1\r\n", Answer::Nil),
            ("*2\r\n:1\r\n$-1\r\n", Answer::Good),
            (
                "*3\r\n$3\r\na\r\n\r\n*2\r\n:1\r\n*0\r\n-ERR within\r\n",
                Answer::Good,
            ),
        ] {
            assert_eq!(read(reply), Ok(vec![answer]), "{reply:?}");
            let twice = format!("{reply}-ERR no\r\n{reply}$7\r\n");
            let told = vec![answer, Answer::Refusal, answer];
            assert_eq!(read(&twice), Ok(told), "{twice:?}");
        }
    }

    #[test]
    fn what_is_no_reply_is_wrong() {
        for text in [
            "HTTP/1.1 400 Bad Request\r\n",
            "\r\n",
            "+no carriage return\n",
            "$x\r\n",
            "$\r\n",
            "$-2\r\n",
            "$99999999999999999999999999\r\n",
            "*2000000000\r\n",
            "$1\r\nabc",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_endless_line_is_wrong() {
        let mut replies = Replies::default();
        let mut pieces = 0;
        while replies.read(&[b'+'; 1000], |_| ()).is_ok() {
            pieces += 1;
            assert!(pieces < 100, "it is kept for ever");
        }
        assert!(pieces > 50);
    }
}
