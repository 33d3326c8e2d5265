//! The protocol of Redis, version 2: requests out of bytes, and replies into a socket.
//!
//! A request is an array of strings that say their length, or, for people with `nc`, a line of words (as they
//! are: without quotes).
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>

use netloop::Socket;
use netloop::frame::{Decoded, Decoder, Lines};
use std::io::Write;
use std::ops::Deref;

/// So much memory a client that has begun a request may cost.
pub(crate) const MAX_REQUEST_BYTES: usize = 64 << 20;
pub(crate) const MAX_STRING_BYTES: i64 = 16 << 20;
const MAX_STRINGS: i64 = 1 << 20;
const MAX_LINE_BYTES: usize = 64 << 10;
const MAX_DIGITS: usize = 20;
/// Values of this size and more are shared with the socket instead of copied.
const SHARED_BYTES: usize = 16 << 10;

/// Finds the end of a request. Bytes that are no request are a frame as well: [`parse`] says what is
/// wrong with them, so that the client can be told.
#[derive(Default)]
pub(crate) struct Requests {
    lines: Lines,
    /// How far it has looked into an array, so that no string is looked at twice.
    at: usize,
    /// Strings that are still to come.
    left: i64,
}

impl Decoder for Requests {
    fn decode(&mut self, bytes: &[u8]) -> netloop::Result<Decoded> {
        if bytes[0] != b'*' {
            return match self.lines.decode(bytes) {
                Ok(Decoded::Incomplete { .. }) if bytes.len() > MAX_LINE_BYTES => Ok(all(bytes)),
                decoded => decoded,
            };
        }
        let decoded = self.look_on(bytes).unwrap_or_else(|_| all(bytes));
        if let Decoded::Frame { .. } = decoded {
            (self.at, self.left) = (0, 0);
        }
        Ok(decoded)
    }

    fn reset(&mut self) {
        *self = Requests::default();
    }
}

impl Requests {
    fn look_on(&mut self, bytes: &[u8]) -> Result<Decoded, String> {
        if self.at == 0 {
            match count(bytes)? {
                Some((strings, at)) => (self.left, self.at) = (strings, at),
                None => return Ok(one_more(bytes)),
            }
        }
        while self.left > 0 {
            match string(bytes, self.at)? {
                Some((_, next)) if next > bytes.len() => {
                    return Ok(Decoded::Incomplete { at_least: next });
                }
                Some((_, next)) => (self.left, self.at) = (self.left - 1, next),
                None => return Ok(one_more(bytes)),
            }
        }
        let (told, end) = (0..self.at, self.at);
        Ok(Decoded::Frame { told, end })
    }
}

fn all(bytes: &[u8]) -> Decoded {
    let (told, end) = (0..bytes.len(), bytes.len());
    Decoded::Frame { told, end }
}

fn one_more(bytes: &[u8]) -> Decoded {
    let at_least = bytes.len() + 1;
    Decoded::Incomplete { at_least }
}

/// How many strings an array has, and where the first begins. `None` if that has not come yet.
fn count(bytes: &[u8]) -> Result<Option<(i64, usize)>, String> {
    match number(bytes, 1) {
        Some(Some((strings, _))) if strings > MAX_STRINGS => Err("invalid multibulk length".into()),
        Some(counted) => Ok(counted),
        None => Err("invalid multibulk length".into()),
    }
}

/// Where a string begins, and where the next one does: that may be behind the last byte yet. `None`
/// if its length has not come yet.
fn string(bytes: &[u8], at: usize) -> Result<Option<(usize, usize)>, String> {
    match bytes.get(at) {
        None => return Ok(None),
        Some(b'$') => {}
        Some(other) => return Err(format!("expected '$', got '{}'", other.escape_ascii())),
    }
    match number(bytes, at + 1) {
        Some(Some((length @ 0..=MAX_STRING_BYTES, begin))) => {
            let next = begin + length as usize + 2;
            Ok(Some((begin, next)))
        }
        Some(None) => Ok(None),
        Some(Some(_)) | None => Err("invalid bulk length".into()),
    }
}

/// A number and where its CRLF ends. `Some(None)` if that has not come yet; `None` if there is no
/// number.
fn number(bytes: &[u8], at: usize) -> Option<Option<(i64, usize)>> {
    let negative = bytes.get(at) == Some(&b'-');
    let begin = at + usize::from(negative);
    let mut value: i64 = 0;
    for (place, &byte) in bytes.iter().enumerate().skip(begin) {
        if place - begin > MAX_DIGITS {
            return None; // zeros without end
        }
        match byte {
            b'0'..=b'9' => {
                value = value.checked_mul(10)?.checked_add((byte - b'0').into())?;
            }
            b'\r' if place > begin => {
                return match bytes.get(place + 1) {
                    Some(b'\n') => Some(Some((if negative { -value } else { value }, place + 2))),
                    Some(_) => None,
                    None => Some(None),
                };
            }
            _ => return None,
        }
    }
    Some(None)
}

/// The words of a request. Up to eight of them are found without allocation.
#[derive(Default)]
pub(crate) struct Request<'a> {
    few: [&'a [u8]; 8],
    count: usize,
    many: Vec<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn push(&mut self, word: &'a [u8]) {
        match self.few.get_mut(self.count) {
            Some(place) => *place = word,
            None if self.many.is_empty() => {
                self.many.extend(self.few);
                self.many.push(word);
            }
            None => self.many.push(word),
        }
        self.count += 1;
    }
}

impl<'a> Deref for Request<'a> {
    type Target = [&'a [u8]];

    fn deref(&self) -> &[&'a [u8]] {
        match self.many.is_empty() {
            true => &self.few[..self.count],
            false => &self.many,
        }
    }
}

/// Takes a frame of [`Requests`] apart, or says what is wrong with it.
pub(crate) fn parse(frame: &[u8]) -> Result<Request<'_>, String> {
    let mut request = Request::default();
    if frame.first() != Some(&b'*') {
        if frame.len() > MAX_LINE_BYTES {
            return Err("too big inline request".into());
        }
        let words = frame.split(u8::is_ascii_whitespace);
        words
            .filter(|word| !word.is_empty())
            .for_each(|word| request.push(word));
        return Ok(request);
    }
    let incomplete = || "unexpected end of request".to_string();
    let (strings, mut at) = count(frame)?.ok_or_else(incomplete)?;
    for _ in 0..strings {
        let (begin, next) = string(frame, at)?.ok_or_else(incomplete)?;
        request.push(frame.get(begin..next - 2).ok_or_else(incomplete)?);
        at = next;
    }
    Ok(request)
}

/// `+OK` and its like.
pub(crate) fn simple(socket: &mut Socket<'_>, word: &str) {
    socket.write(b"+");
    socket.write(word.as_bytes());
    socket.write(b"\r\n");
}

/// An error; its first word is the code.
pub(crate) fn error(socket: &mut Socket<'_>, text: &str) {
    let line = format!("-{}\r\n", text.replace(['\r', '\n'], " "));
    socket.write(line.as_bytes());
}

pub(crate) fn integer(socket: &mut Socket<'_>, value: i64) {
    numbered(socket, b':', value);
}

/// The beginning of an array of so many replies.
pub(crate) fn array(socket: &mut Socket<'_>, replies: i64) {
    numbered(socket, b'*', replies);
}

pub(crate) fn nil(socket: &mut Socket<'_>) {
    socket.write(b"$-1\r\n");
}

pub(crate) fn bulk(socket: &mut Socket<'_>, value: &[u8]) {
    numbered(socket, b'$', value.len() as i64);
    socket.write(value);
    socket.write(b"\r\n");
}

/// As [`bulk`]; a large value is not copied.
pub(crate) fn shared(socket: &mut Socket<'_>, value: &bytes::Bytes) {
    if value.len() < SHARED_BYTES {
        return bulk(socket, value);
    }
    numbered(socket, b'$', value.len() as i64);
    socket.write_bytes(value.clone());
    socket.write(b"\r\n");
}

fn numbered(socket: &mut Socket<'_>, kind: u8, value: i64) {
    let mut text = [kind; 24]; // the kind, twenty digits at most, and CRLF
    let mut rest = &mut text[1..];
    if write!(rest, "{value}\r\n").is_ok() {
        let unused = rest.len();
        socket.write(&text[..text.len() - unused]);
    }
}
