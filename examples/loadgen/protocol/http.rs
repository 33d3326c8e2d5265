//! `GET` with keep-alive; answers end where their Content-Length says (RFC 9112, section 6).
//!
//! A connection ends with the answer that says so, or that is of HTTP/1.0 and does not say otherwise
//! (section 9.3).

use super::{Answer, LONGEST_HEAD, Wrong};
use httparse::{ParserConfig, Response, Status};
use std::mem::MaybeUninit;

const MOST_HEADERS: usize = 64;

pub(super) fn request(host: &str, path: &str) -> Vec<u8> {
    let host = if host.contains('/') {
        "localhost"
    } else {
        host
    };
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes()
}

#[derive(Default)]
pub(crate) struct Http {
    /// The beginning of a head whose end has not come yet.
    begun: Vec<u8>,
    /// What is still to come of the present answer's body.
    body: Option<Body>,
    /// The last answer of this connection has been read. What follows is nobody's.
    pub(super) is_over: bool,
}

#[derive(Clone, Copy)]
struct Body {
    bytes_left: u64,
    answer: Answer,
    is_last: bool,
}

impl Http {
    pub(super) fn read(
        &mut self,
        mut data: &[u8],
        mut tell: impl FnMut(Answer),
    ) -> Result<(), Wrong> {
        while !self.is_over {
            if let Some(body) = &mut self.body {
                let length = body.bytes_left.min(data.len() as u64);
                body.bytes_left -= length;
                data = &data[length as usize..];
                if body.bytes_left > 0 {
                    return Ok(());
                }
                tell(body.answer);
                self.is_over = body.is_last;
                self.body = None;
                continue;
            }
            if data.is_empty() {
                return Ok(());
            }
            let Some(head) = self.head(&mut data)? else {
                return Ok(());
            };
            self.body = head;
        }
        Ok(())
    }

    /// Takes a head off the front of `data`: `None` if its end is still to come, `Some(None)` for
    /// one that only announces another.
    fn head(&mut self, data: &mut &[u8]) -> Result<Option<Option<Body>>, Wrong> {
        if self.begun.is_empty() {
            let Some((length, head)) = parse(data)? else {
                self.begun.extend_from_slice(data);
                return Ok(None);
            };
            *data = &data[length..];
            return Ok(Some(head));
        }
        let before = self.begun.len();
        self.begun.extend_from_slice(data);
        let Some((length, head)) = parse(&self.begun)? else {
            return Ok(None);
        };
        *data = &data[length - before..];
        self.begun.clear();
        Ok(Some(head))
    }
}

/// The length of the head that `bytes` begin with, and what body follows.
fn parse(bytes: &[u8]) -> Result<Option<(usize, Option<Body>)>, Wrong> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut response = Response::new(&mut []);
    let parser = ParserConfig::default();
    let parsed = parser.parse_response_with_uninit_headers(&mut response, bytes, &mut headers);
    let length = match parsed {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() < LONGEST_HEAD => return Ok(None),
        Ok(Status::Partial) => return Err(Wrong("a head of more than 64 KiB")),
        Err(_) => return Err(Wrong("no answer of HTTP/1.1")),
    };
    let status = response.code.unwrap_or(0);
    let answer = if status < 400 {
        Answer::Good
    } else {
        Answer::Refusal
    };
    let bytes_left = match status {
        101 => return Err(Wrong("another protocol, which was not asked for")),
        100..200 => return Ok(Some((length, None))), // the real one follows
        204 | 304 => 0,
        _ => content_length(response.headers)?,
    };
    let body = Body {
        bytes_left,
        answer,
        is_last: !persists(response.version, response.headers),
    };
    Ok(Some((length, Some(body))))
}

/// Whether the connection stays behind this answer: what its Connection says, or else its version.
fn persists(version: Option<u8>, headers: &[httparse::Header<'_>]) -> bool {
    let connection = (headers.iter()).filter(|it| it.name.eq_ignore_ascii_case("connection"));
    let says = |option: &[u8]| {
        let mut options = (connection.clone()).flat_map(|it| it.value.split(|&byte| byte == b','));
        options.any(|it| it.trim_ascii().eq_ignore_ascii_case(option))
    };
    !says(b"close") && (version != Some(0) || says(b"keep-alive"))
}

fn content_length(headers: &[httparse::Header<'_>]) -> Result<u64, Wrong> {
    let mut length = None;
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).unwrap_or_default();
            // Digits only: `parse` would take a sign.
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            length = text.parse().ok().filter(|_| digits);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Wrong(
                "an answer in chunks: only Content-Length is understood",
            ));
        }
    }
    length.ok_or(Wrong("an answer without a Content-Length"))
}

#[cfg(test)]
mod tests {
    use super::super::{Answers, tests::read_all};
    use super::*;

    fn read(text: &str) -> Result<Vec<Answer>, Wrong> {
        read_all(|| Answers::Http(Http::default()), text.as_bytes())
    }

    #[test]
    fn answers_end_where_their_length_says() {
        let told = read(concat!(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nnot y",
        ));
        assert_eq!(told, Ok(vec![Answer::Good, Answer::Refusal, Answer::Good]));
    }

    #[test]
    fn what_has_no_length_or_is_no_http_is_wrong() {
        for text in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ] {
            read(text).unwrap_err();
        }
    }

    #[test]
    fn the_connection_ends_behind_an_answer_that_says_so_or_is_of_http_1_0() {
        for (version, connection, persists) in [
            ("1.1", "", true),
            ("1.1", "Connection: keep-alive\r\n", true),
            ("1.1", "Connection: closed\r\n", true),
            ("1.1", "connection: Close\r\n", false),
            ("1.1", "Connection: keep-alive , close\r\n", false),
            ("1.1", "Connection: x\r\nConnection:\tclose\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false),
        ] {
            for (status, length, body) in [("200", 5, "hello"), ("404", 0, ""), ("204", 0, "")] {
                let head = format!("HTTP/{version} {status} X\r\nContent-Length: {length}\r\n");
                let answer = format!("{head}{connection}\r\n{body}");
                let mut http = Http::default();
                http.read(answer.as_bytes(), |_| ()).unwrap();
                assert_eq!(http.is_over, !persists, "{answer:?}");
                // Wherever it is cut: with its last byte, and not before.
                let mut http = Http::default();
                for byte in answer.as_bytes().chunks(1) {
                    assert!(!http.is_over, "{answer:?}");
                    http.read(byte, |_| ()).unwrap();
                }
                assert_eq!(http.is_over, !persists, "{answer:?}");
                // Behind the last one there is no other.
                let told = read(&answer.repeat(2)).unwrap();
                assert_eq!(told.len(), if persists { 2 } else { 1 }, "{answer:?}");
            }
        }
    }

    #[test]
    fn an_endless_head_is_wrong() {
        let mut http = Http::default();
        http.read(b"HTTP/1.1 200 OK\r\nX: ", |_| ()).unwrap();
        let mut pieces = 0;
        while http.read(&[b'x'; 1000], |_| ()).is_ok() {
            pieces += 1;
            assert!(pieces < 100, "it is kept for ever");
        }
        assert!(pieces > 50);
    }
}
