//! Answers, ready to be written: they change once a second, with the date.

use crate::Refusal;
use crate::request::{Method, Request};
use netloop::Socket;
use std::time::{Duration, SystemTime};

/// What every request gets: 64 bytes.
const CONTENT: &str = "netloop: one thread, one poller, a slab of connections. Hello.\r\n";
const _: () = assert!(CONTENT.len() == 64);

pub(crate) struct Responses {
    /// When they were made, by the loop's clock.
    made: Duration,
    /// For a client that stays: the head, and the content behind it.
    usual: Vec<u8>,
    head_bytes: usize,
    date: String,
}

impl Responses {
    pub(crate) fn new(now: Duration) -> Responses {
        let date = httpdate::fmt_http_date(SystemTime::now());
        let head = head("200 OK", &date, "", CONTENT.len());
        Responses {
            made: now,
            head_bytes: head.len(),
            usual: (head + CONTENT).into_bytes(),
            date,
        }
    }

    /// Answers a request; whether more is welcome.
    pub(crate) fn answer(&mut self, socket: &mut Socket<'_>, to: &Request, now: Duration) -> bool {
        self.renew(now);
        match to.method {
            Method::Get | Method::Post if to.is_1_1 && to.keep_alive => socket.write(&self.usual),
            Method::Head if to.is_1_1 && to.keep_alive => {
                socket.write(&self.usual[..self.head_bytes])
            }
            Method::Other => {
                let allow = "Allow: GET, HEAD, POST\r\n";
                self.write(socket, to, "405 Method Not Allowed", allow)
            }
            Method::Get | Method::Head | Method::Post => self.write(socket, to, "200 OK", ""),
        }
    }

    /// Only when somebody asks: a server that is idle sleeps.
    fn renew(&mut self, now: Duration) {
        if now - self.made >= Duration::from_secs(1) {
            *self = Responses::new(now);
        }
    }

    /// An answer that is made for one request.
    fn write(&self, socket: &mut Socket<'_>, to: &Request, status: &str, more: &str) -> bool {
        let connection = match (to.keep_alive, to.is_1_1) {
            (false, _) => "Connection: close\r\n",
            (true, false) => "Connection: keep-alive\r\n",
            (true, true) => "",
        };
        let fields = format!("{more}{connection}");
        let content = if to.method == Method::Other {
            ""
        } else {
            CONTENT
        };
        let mut answer = head(status, &self.date, &fields, content.len());
        if to.method != Method::Head {
            answer += content;
        }
        socket.write(answer.as_bytes())
    }

    /// Says why a request is not served, and that it was the last.
    pub(crate) fn refuse(&mut self, socket: &mut Socket<'_>, refusal: Refusal, now: Duration) {
        self.renew(now);
        let status = match refusal {
            Refusal::BadRequest => "400 Bad Request",
            Refusal::ContentTooLarge => "413 Content Too Large",
            Refusal::HeadTooLarge => "431 Request Header Fields Too Large",
            Refusal::NotImplemented => "501 Not Implemented",
            Refusal::RequestTimeout => "408 Request Timeout",
            Refusal::VersionNotSupported => "505 HTTP Version Not Supported",
        };
        socket.write(head(status, &self.date, "Connection: close\r\n", 0).as_bytes());
    }
}

fn head(status: &str, date: &str, fields: &str, content_bytes: usize) -> String {
    format!(
        "HTTP/1.1 {status}\r\nServer: netloop\r\nDate: {date}\r\nContent-Type: text/plain\r\n\
         Content-Length: {content_bytes}\r\n{fields}\r\n"
    )
}
