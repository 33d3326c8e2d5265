//! What the head of a request says, as far as this server wants to know it.
//!
//! By RFC 9112. Where a head could be read in two ways it is refused: a proxy before this server may
//! have read it in the other one. A bare LF is such a case: some take
//! it for the end of a line, and some do not.

use crate::Refusal;
use crate::body::Body;
use httparse::{Header, Status};
use std::mem::MaybeUninit;

/// How long the request line and all header fields may be together.
pub(crate) const MAX_HEAD_BYTES: usize = 8 * 1024;
const MAX_FIELDS: usize = 64;

#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// False for HTTP/1.0.
    pub(crate) is_1_1: bool,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    /// One that is not allowed here.
    Other,
}

/// Reads the head that `bytes` begin with; answers with where it ends and what body follows, or `None` if
/// it goes on.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Request, Body, usize)>, Refusal> {
    let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
    let mut head = httparse::Request::new(&mut []);
    let end = match head.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(Status::Complete(end)) if has_bare_lf(&bytes[..end]) => {
            return Err(Refusal::BadRequest);
        }
        Ok(Status::Complete(end)) if end <= MAX_HEAD_BYTES => end,
        Ok(Status::Partial) => return Ok(None),
        Ok(Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Refusal::HeadTooLarge);
        }
        Err(httparse::Error::Version) => return Err(Refusal::VersionNotSupported),
        Err(_) => return Err(Refusal::BadRequest),
    };
    let method = match head.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        _ => Method::Other,
    };
    let is_1_1 = head.version == Some(1);
    let (request, body) = read_fields(method, is_1_1, head.headers)?;
    Ok(Some((request, body, end)))
}

fn read_fields(
    method: Method,
    is_1_1: bool,
    fields: &[Header<'_>],
) -> Result<(Request, Body), Refusal> {
    let mut hosts = 0;
    let mut length = None;
    let mut chunked = false;
    let (mut closes, mut stays) = (false, is_1_1);
    let mut request = Request {
        method,
        is_1_1,
        keep_alive: false,
        expects_continue: false,
    };
    for field in fields {
        // By their length first: most fields are none of these.
        match field.name.len() {
            4 if is(field, "host") => hosts += 1,
            6 if is(field, "expect") => {
                request.expects_continue |= is_1_1 && lists(field, "100-continue");
            }
            10 if is(field, "connection") => {
                closes |= lists(field, "close");
                stays |= lists(field, "keep-alive");
            }
            14 if is(field, "content-length") => {
                let bytes = number(field.value).ok_or(Refusal::BadRequest)?;
                if length.is_some_and(|other| other != bytes) {
                    return Err(Refusal::BadRequest);
                }
                length = Some(bytes);
            }
            17 if is(field, "transfer-encoding") => {
                if !field.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::NotImplemented);
                }
                if chunked {
                    return Err(Refusal::BadRequest);
                }
                chunked = true;
            }
            _ => {}
        }
    }
    if is_1_1 && hosts != 1 || hosts > 1 {
        return Err(Refusal::BadRequest);
    }
    request.keep_alive = stays && !closes;
    let body = match (chunked, length) {
        (false, length) => Body::of_length(length.unwrap_or(0))?,
        (true, None) if is_1_1 => Body::chunked(),
        (true, _) => return Err(Refusal::BadRequest),
    };
    Ok((request, body))
}

/// Whether a head that was incomplete may end in the bytes behind the first `known`.
pub(crate) fn may_end(bytes: &[u8], known: usize) -> bool {
    let new = &bytes[known.saturating_sub(2)..];
    let blank_line = new.windows(2).any(|two| two == b"\n\n");
    blank_line || new.windows(3).any(|three| three == b"\n\r\n") || bytes.len() >= MAX_HEAD_BYTES
}

/// Whether there is an LF without a CR before it, which the parser is content with. Without an early
/// answer, so that many bytes are looked at at once.
pub(crate) fn has_bare_lf(bytes: &[u8]) -> bool {
    let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
    let among = pairs.fold(false, |found, (before, byte)| {
        found | ((*byte == b'\n') & (*before != b'\r'))
    });
    among || bytes.first() == Some(&b'\n')
}

fn is(field: &Header<'_>, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name)
}

/// Whether a field's value is a list that has `word` in it.
fn lists(field: &Header<'_>, word: &str) -> bool {
    let mut words = field.value.split(|&byte| byte == b',');
    words.any(|it| it.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// A number of bytes: digits and nothing else, where `str::parse` would take a plus.
fn number(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}
