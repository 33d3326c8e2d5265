//! Where a body ends. What is in it is dropped as it comes, so a large one costs no memory.

use crate::Refusal;
use crate::request::has_bare_lf;
use httparse::Status;

/// A client that wants to send more is told not to.
const MAX_BODY_BYTES: u64 = 16 << 20;
/// The line before a chunk, with its extensions, and one of the fields behind the last.
const MAX_LINE_BYTES: usize = 256;
const MAX_TRAILERS: u8 = 16;

pub(crate) enum Body {
    /// So many bytes are still to come.
    Length(u64),
    Chunked {
        /// So many more bytes may come in all.
        budget: u64,
        next: Next,
    },
}

/// What comes next in a chunked body.
pub(crate) enum Next {
    Size,
    /// So many bytes of a chunk.
    Data(u64),
    /// The line ending behind a chunk.
    LineEnding,
    /// A field behind the last chunk, after so many, or the empty line that ends the body.
    Trailer(u8),
}

pub(crate) enum Progress {
    Took(usize),
    /// The bytes are the beginning of a line.
    Waits,
    /// The body ends after so many of the bytes.
    Ended(usize),
}

impl Body {
    pub(crate) fn of_length(bytes: u64) -> Result<Body, Refusal> {
        match bytes <= MAX_BODY_BYTES {
            true => Ok(Body::Length(bytes)),
            false => Err(Refusal::ContentTooLarge),
        }
    }

    pub(crate) fn chunked() -> Body {
        Body::Chunked {
            budget: MAX_BODY_BYTES,
            next: Next::Size,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Body::Length(0))
    }

    /// Goes on with the next bytes, which are never none.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Progress, Refusal> {
        match self {
            Body::Length(left) => {
                let taken = take(left, bytes);
                Ok(match *left {
                    0 => Progress::Ended(taken),
                    _ => Progress::Took(taken),
                })
            }
            Body::Chunked { budget, next } => read_chunked(budget, next, bytes),
        }
    }
}

fn read_chunked(budget: &mut u64, next: &mut Next, bytes: &[u8]) -> Result<Progress, Refusal> {
    match next {
        Next::Size => match httparse::parse_chunk_size(bytes) {
            Ok(Status::Complete((taken, size))) => {
                if !is_size_line(&bytes[..taken]) {
                    return Err(Refusal::BadRequest);
                }
                *budget = budget.checked_sub(size).ok_or(Refusal::ContentTooLarge)?;
                *next = match size {
                    0 => Next::Trailer(0),
                    _ => Next::Data(size),
                };
                Ok(Progress::Took(taken))
            }
            Ok(Status::Partial) if bytes.len() < MAX_LINE_BYTES => Ok(Progress::Waits),
            Ok(Status::Partial) | Err(_) => Err(Refusal::BadRequest),
        },
        Next::Data(left) => {
            let taken = take(left, bytes);
            if *left == 0 {
                *next = Next::LineEnding;
            }
            Ok(Progress::Took(taken))
        }
        Next::LineEnding => match bytes {
            [b'\r', b'\n', ..] => {
                *next = Next::Size;
                Ok(Progress::Took(2))
            }
            [b'\r'] => Ok(Progress::Waits),
            _ => Err(Refusal::BadRequest),
        },
        Next::Trailer(fields) => {
            let within = &bytes[..bytes.len().min(MAX_LINE_BYTES)];
            let Some(end) = within.windows(2).position(|two| two == b"\r\n") else {
                return match bytes.len() < MAX_LINE_BYTES {
                    true => Ok(Progress::Waits),
                    false => Err(Refusal::HeadTooLarge),
                };
            };
            if end == 0 {
                return Ok(Progress::Ended(2));
            }
            if *fields == MAX_TRAILERS {
                return Err(Refusal::HeadTooLarge);
            }
            if has_bare_lf(&bytes[..end]) {
                return Err(Refusal::BadRequest); // to others, the body may have ended in there
            }
            *fields += 1;
            Ok(Progress::Took(end + 2))
        }
    }
}

/// Whether a line that the parser took, its CRLF included, is one before a chunk: the parser is content
/// without a digit, with any byte in an extension, and with any length.
fn is_size_line(line: &[u8]) -> bool {
    let within = line.len() <= MAX_LINE_BYTES && line[0].is_ascii_hexdigit();
    within && !line[..line.len() - 2].contains(&b'\n')
}

/// Counts as many of `bytes` off as there are, or as are left.
fn take(left: &mut u64, bytes: &[u8]) -> usize {
    let taken = (bytes.len() as u64).min(*left);
    *left -= taken;
    taken as usize
}
