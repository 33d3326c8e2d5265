//! What the loop keeps for one server.

use super::slots::Tenant;
use crate::handler::BoxedAcceptor;
use crate::options::ListenOptions;
use crate::sys::Listener;
use crate::{Address, Error};
use std::net::IpAddr;

/// One server.
pub(crate) struct ServerEntry {
    pub(crate) generation: u32,
    /// `None` once it was closed.
    pub(crate) listener: Option<Listener>,
    /// Taken out while it runs.
    pub(crate) acceptor: Option<BoxedAcceptor>,
    /// `None` once it was closed.
    pub(crate) address: Option<Address>,
    pub(crate) options: ListenOptions,
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

impl ServerEntry {
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
