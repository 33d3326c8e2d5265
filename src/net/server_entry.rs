//! What the loop keeps for one server.

use super::ids::Key;
use super::slots::Tenant;
use crate::handler::BoxedAcceptor;
use crate::options::ListenOptions;
use crate::resolver::Question;
use crate::sys::Listener;
use crate::{Address, Error};
use std::net::IpAddr;

/// One server.
pub(crate) struct ServerEntry {
    pub(crate) generation: u32,
    /// `None` before it listens, and once it was closed.
    pub(crate) listener: Option<Listener>,
    /// Taken out while it runs.
    pub(crate) acceptor: Option<BoxedAcceptor>,
    /// `None` before it listens, and once it was closed.
    pub(crate) address: Option<Address>,
    pub(crate) options: ListenOptions,
    /// What it waits for before it listens, if its host is to be looked up.
    pub(crate) opening: Option<Box<Opening>>,
    /// Accepted sockets that are not destroyed yet.
    pub(crate) connections: usize,
    pub(crate) unref: bool,
    pub(crate) in_ready: bool,
    /// Accepts in a row that brought nothing but the loss of a connection.
    pub(crate) lost_in_a_row: u32,
    /// Waits for a descriptor; the one error of the episode has been noted.
    pub(crate) starved: bool,
    /// `listening` is still to be told.
    pub(crate) announce: bool,
    /// `error` is still to be told.
    pub(crate) error: Option<Error>,
    /// Stands in the queue of notes.
    pub(crate) in_notes: bool,
    /// `close` has been noted.
    pub(crate) close_noted: bool,
    /// `close` was told: the id finds nothing any more.
    pub(crate) closed: bool,
}

/// A server whose host is being looked up.
pub(crate) struct Opening {
    pub(crate) question: Question,
    pub(crate) port: u16,
    /// The resolver was asked, or is being asked.
    pub(crate) asked: bool,
    /// Until the answer is there.
    pub(crate) lookup: Option<Key>,
}

impl ServerEntry {
    /// A server that does not listen yet.
    pub(crate) fn new(key: Key, options: ListenOptions, acceptor: BoxedAcceptor) -> ServerEntry {
        ServerEntry {
            generation: key.generation,
            listener: None,
            acceptor: Some(acceptor),
            address: None,
            options,
            opening: None,
            connections: 0,
            unref: false,
            in_ready: false,
            lost_in_a_row: 0,
            starved: false,
            announce: false,
            error: None,
            in_notes: false,
            close_noted: false,
            closed: false,
        }
    }

    /// It listens or is about to: a reason for the loop to go on, unless it was told otherwise.
    pub(crate) fn keeps_alive(&self) -> bool {
        self.listener.is_some() || self.opening.is_some()
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.listener.is_some()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.options
            .max_connections
            .is_some_and(|most| self.connections >= most)
    }

    pub(crate) fn blocks(&self, ip: IpAddr) -> bool {
        let list = self.options.block_list.as_ref();
        list.is_some_and(|list| list.check(ip))
    }
}

impl Tenant for ServerEntry {
    fn generation(&self) -> u32 {
        self.generation
    }
}
