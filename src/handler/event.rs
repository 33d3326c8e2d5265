//! The events of a socket as values.

use super::Handler;
use crate::{Address, Error, Socket};
use std::net::IpAddr;

/// One event of a socket, as [`Handler::on_event`] gets it. More may be added.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// See [`Handler::on_lookup`].
    Lookup {
        /// The name that was looked up.
        host: &'a str,
        /// One of its addresses, or why there are none.
        answer: Result<IpAddr, &'a Error>,
    },
    /// See [`Handler::on_connection_attempt`].
    ConnectionAttempt(&'a Address),
    /// See [`Handler::on_connection_attempt_failed`].
    ConnectionAttemptFailed {
        /// Where it went to.
        address: &'a Address,
        /// Why it failed.
        error: &'a Error,
    },
    /// See [`Handler::on_connection_attempt_timeout`].
    ConnectionAttemptTimeout(&'a Address),
    /// See [`Handler::on_connect`].
    Connect,
    /// See [`Handler::on_ready`].
    Ready,
    /// See [`Handler::on_data`].
    Data(&'a [u8]),
    /// See [`Handler::on_text`].
    #[cfg(feature = "encoding")]
    Text(&'a str),
    /// See [`Handler::on_end`].
    End,
    /// See [`Handler::on_drain`].
    Drain,
    /// See [`Handler::on_finish`].
    Finish,
    /// See [`Handler::on_timeout`].
    Timeout,
    /// See [`Handler::on_error`].
    Error(&'a Error),
    /// See [`Handler::on_close`].
    Close {
        /// Whether an error was told before.
        had_error: bool,
    },
}

impl Event<'_> {
    /// Calls the method of `handler` that is named after this event.
    ///
    /// For adaptors: what [`Handler::on_event`] does unless it is overridden.
    #[inline]
    pub fn hand_on<H: Handler + ?Sized>(self, handler: &mut H, socket: &mut Socket<'_>) {
        match self {
            Event::Data(bytes) => handler.on_data(socket, bytes),
            other => other.hand_on_rare(handler, socket),
        }
    }

    /// As [`hand_on`](Event::hand_on), apart: nearly every event is `data`, which should not pay for a
    /// table of jumps and for what the others need.
    #[inline(never)]
    fn hand_on_rare<H: Handler + ?Sized>(self, handler: &mut H, socket: &mut Socket<'_>) {
        match self {
            Event::Lookup { host, answer } => handler.on_lookup(socket, host, answer),
            Event::ConnectionAttempt(address) => handler.on_connection_attempt(socket, address),
            Event::ConnectionAttemptFailed { address, error } => {
                handler.on_connection_attempt_failed(socket, address, error);
            }
            Event::ConnectionAttemptTimeout(address) => {
                handler.on_connection_attempt_timeout(socket, address);
            }
            Event::Connect => handler.on_connect(socket),
            Event::Ready => handler.on_ready(socket),
            Event::Data(bytes) => handler.on_data(socket, bytes),
            #[cfg(feature = "encoding")]
            Event::Text(text) => handler.on_text(socket, text),
            Event::End => handler.on_end(socket),
            Event::Drain => handler.on_drain(socket),
            Event::Finish => handler.on_finish(socket),
            Event::Timeout => handler.on_timeout(socket),
            Event::Error(error) => handler.on_error(socket, error),
            Event::Close { had_error } => handler.on_close(socket, had_error),
        }
    }
}
