//! What is sent, and where each answer ends in what comes back.
//!
//! Requests are all the same, made once and shared. Answers are read in place, from the slices that the
//! loop hands out: bytes of a body are counted and passed over, and only the beginning of a head or a
//! line that a read has cut in two is kept. Knows nothing of sockets and time.

mod echo;
mod http;
mod lines;
mod redis;

use crate::arguments::{Arguments, Protocol};
use bytes::Bytes;

/// One answer is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Good,
    /// Well-formed, and it says that there is nothing: Redis, of a key that nobody has set.
    Nil,
    /// Well-formed, and it says no: a status of 400 and above, an error reply.
    Refusal,
}

/// What came is no answer to what was sent; nothing after it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrong(pub(crate) &'static str);

pub(crate) fn request(arguments: &Arguments) -> Bytes {
    match arguments.protocol {
        Protocol::Echo => echo::request(arguments.size),
        Protocol::Lines => lines::request(arguments.size),
        Protocol::Http => http::request(&arguments.address, &arguments.path),
        Protocol::Redis => redis::request(arguments.command, arguments.size),
    }
    .into()
}

/// How far one connection's answers have been read.
pub(crate) enum Answers {
    Echo(echo::Echo),
    Lines(lines::Lines),
    Http(http::Http),
    Redis(redis::Replies),
}

impl Answers {
    pub(crate) fn new(protocol: Protocol, request: &Bytes) -> Answers {
        match protocol {
            Protocol::Echo => Answers::Echo(echo::Echo::new(request.clone())),
            Protocol::Lines => Answers::Lines(lines::Lines::default()),
            Protocol::Http => Answers::Http(http::Http::default()),
            Protocol::Redis => Answers::Redis(redis::Replies::default()),
        }
    }

    /// Reads on in `data` and tells each answer that ends in it.
    pub(crate) fn read(&mut self, data: &[u8], tell: impl FnMut(Answer)) -> Result<(), Wrong> {
        match self {
            Answers::Echo(echo) => echo.read(data, tell),
            Answers::Lines(lines) => lines.read(data, tell),
            Answers::Http(http) => http.read(data, tell),
            Answers::Redis(replies) => replies.read(data, tell),
        }
    }

    /// Whether the server has said that no answer follows the last one.
    pub(crate) fn are_over(&self) -> bool {
        match self {
            Answers::Http(http) => http.is_over,
            Answers::Echo(_) | Answers::Lines(_) | Answers::Redis(_) => false,
        }
    }
}

/// A head or a line of more than this, in bytes, is none.
const LONGEST_HEAD: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `bytes` whole, then cut in two at every place, then byte by byte: the answers have to be
    /// the same.
    pub(super) fn read_all(
        fresh: impl Fn() -> Answers,
        bytes: &[u8],
    ) -> Result<Vec<Answer>, Wrong> {
        let read = |pieces: &[&[u8]]| {
            let (mut answers, mut told) = (fresh(), Vec::new());
            for piece in pieces {
                answers.read(piece, |answer| told.push(answer))?;
            }
            Ok(told)
        };
        let whole = read(&[bytes]);
        for cut in 0..=bytes.len() {
            let (one, two) = bytes.split_at(cut);
            assert_eq!(read(&[one, two]), whole, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), whole, "byte by byte");
        whole
    }
}
