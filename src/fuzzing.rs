//! The door through which the fuzz targets of `tests/fuzz` reach rooms that are closed to users.
//!
//! Exists only where cargo-fuzz builds (`cfg(fuzzing)`) and decides nothing: each call is handed on
//! to what it is named after, and an oracle stands in the target.

#[cfg(feature = "encoding")]
use std::borrow::Cow;
use std::net::SocketAddr;

use bytes::Bytes;

#[cfg(feature = "encoding")]
use crate::Encoding;
use crate::connection::{self, Front};
use crate::options::Bind;
use crate::{ConnectOptions, ListenOptions, Result, time};

/// A timing wheel.
#[derive(Debug)]
pub struct Wheel(time::Wheel);

/// An entry of a [`Wheel`].
#[derive(Clone, Copy, Debug)]
pub struct EntryId(time::EntryId);

#[allow(missing_docs, reason = "each is what it is in the room itself")]
impl Wheel {
    pub fn new(now: u64) -> Wheel {
        Wheel(time::Wheel::new(now))
    }

    pub fn arm(&mut self, deadline: u64, owner: u32) -> EntryId {
        EntryId(self.0.arm(deadline, owner))
    }

    pub fn move_to(&mut self, entry: EntryId, deadline: u64) {
        self.0.move_to(entry.0, deadline);
    }

    pub fn cancel(&mut self, entry: EntryId) {
        self.0.cancel(entry.0);
    }

    pub fn pop_due(&mut self, now: u64) -> Option<u32> {
        self.0.pop_due(now)
    }

    pub fn next_wake(&self) -> Option<u64> {
        self.0.next_wake()
    }
}

/// Several write queues on one pool.
pub struct WriteQueues {
    queues: Vec<connection::WriteQueue>,
    pool: connection::QueuePool,
}

#[allow(missing_docs, reason = "each is what it is in the room itself")]
impl WriteQueues {
    pub fn new(queues: usize) -> WriteQueues {
        WriteQueues {
            queues: (0..queues).map(|_| Default::default()).collect(),
            pool: connection::QueuePool::new(),
        }
    }

    pub fn len(&self, which: usize) -> usize {
        self.queues[which].len()
    }

    pub fn is_empty(&self, which: usize) -> bool {
        self.queues[which].is_empty()
    }

    pub fn push_copy(&mut self, which: usize, data: &[u8]) {
        self.queues[which].push_copy(data, &mut self.pool);
    }

    pub fn push_shared(&mut self, which: usize, data: Bytes) {
        self.queues[which].push_shared(data, &mut self.pool);
    }

    pub fn advance(&mut self, which: usize, taken: usize) {
        self.queues[which].advance(taken, &mut self.pool);
    }

    pub fn clear(&mut self, which: usize) {
        self.queues[which].clear(&mut self.pool);
    }

    /// Shows `each` the slices of the next send, in order.
    pub fn front(&self, which: usize, limit_bytes: usize, mut each: impl FnMut(&[u8])) {
        match self.queues[which].front(limit_bytes) {
            Front::Empty => {}
            Front::One(bytes) => each(bytes),
            Front::Many(many) => many.slices().as_slice().iter().for_each(|it| each(it)),
        }
    }
}

/// Bytes in pieces, read as text.
#[cfg(feature = "encoding")]
#[derive(Debug)]
pub struct Decoder(connection::Decoder);

#[cfg(feature = "encoding")]
#[allow(missing_docs, reason = "each is what it is in the room itself")]
impl Decoder {
    pub fn new(encoding: Encoding) -> Decoder {
        Decoder(connection::Decoder::new(encoding))
    }

    pub fn decode<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, str> {
        self.0.decode(bytes)
    }

    pub fn end(&mut self, bytes: &[u8]) -> String {
        self.0.end(bytes)
    }
}

/// What a text was read as.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    At(SocketAddr),
    AnyHost(u16),
    Named(String, u16),
}

/// Where these options listen.
pub fn resolve_listen(options: &ListenOptions) -> Result<Place> {
    Ok(match options.resolve()? {
        Bind::At(address) => Place::At(address),
        Bind::AnyHost(port) => Place::AnyHost(port),
        Bind::Named(host, port) => Place::Named(host.to_string(), port),
        Bind::Local(_) | Bind::Given(_) => unreachable!("a text says neither"),
    })
}

/// Whom these options connect to.
///
/// # Panics
///
/// On a local socket, which no text names.
pub fn resolve_connect(options: &ConnectOptions) -> Result<Place> {
    Ok(match options.clone().resolve()? {
        crate::options::Place::At(address) => Place::At(address.as_inet().unwrap()),
        crate::options::Place::Named(host, port) => Place::Named(host.to_string(), port),
    })
}
