//! What a scripted kernel can be told to answer. An `Err` holds an errno.

use std::net::SocketAddr;

use crate::sys::Readiness;

/// What one poll answers.
#[derive(Clone, Debug)]
pub(crate) enum Poll {
    /// These events, at once.
    Events(Vec<Event>),
    Err(i32),
}

/// One event of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// For whatever token the descriptor is registered under when the poll comes.
    Ready(u32, Readiness),
    /// For this token, whether anybody has it or not: what a stale event is.
    Token(u64, Readiness),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Accept {
    Peer(SocketAddr),
    Err(i32),
}

#[derive(Clone, Debug)]
pub(crate) enum Read {
    /// These bytes, by as many reads as it takes. Not empty: that would be `Eof`.
    Data(Vec<u8>),
    /// The end of input, now and ever after.
    Eof,
    /// The errno, once. After a fatal one input is at its end, as on the real system.
    Err(i32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Write {
    /// So many bytes, or what is offered if that is less.
    Takes(usize),
    All,
    Err(i32),
}

/// How a connect stands when it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Connect {
    Connected,
    /// Not yet: no error, but no peer either.
    UnderWay,
    Err(i32),
}
