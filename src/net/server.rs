//! The view of one server.

use super::Net;
use super::ids::{Key, ServerId};
use super::server_entry::ServerEntry;
use crate::{Address, Error, Result};
use std::fmt;

/// One server, for as long as a call lasts.
///
/// What is kept is its [`id`](Server::id); [`Net::server`] makes a view of it again, or says that
/// the server is gone.
///
/// Node: [`net.Server`](https://nodejs.org/api/net.html#class-netserver).
pub struct Server<'net> {
    net: &'net mut Net,
    key: Key,
}

impl<'net> Server<'net> {
    pub(crate) fn new(net: &'net mut Net, key: Key) -> Server<'net> {
        Server { net, key }
    }

    /// The name to keep.
    pub fn id(&self) -> ServerId {
        ServerId {
            key: self.key,
            reactor: self.net.reactor,
        }
    }

    /// Everything else that a handler may reach.
    pub fn net(&mut self) -> &mut Net {
        self.net
    }

    fn entry(&self) -> Option<&ServerEntry> {
        self.net.servers.get(self.key)
    }

    /// The address that is bound, with the port that the system chose if 0 was asked for; `None`
    /// once the server is closed.
    ///
    /// Node: [`server.address`](https://nodejs.org/api/net.html#serveraddress).
    pub fn address(&self) -> Option<Address> {
        self.entry()?.address.clone()
    }

    /// Whether the server takes connections.
    pub fn listening(&self) -> bool {
        self.entry().is_some_and(ServerEntry::is_listening)
    }

    /// Accepted sockets that are not destroyed. Node: `server.getConnections`.
    #[doc(alias = "getConnections")]
    pub fn connections(&self) -> usize {
        self.entry().map_or(0, |server| server.connections)
    }

    /// How many connections may be open at once; `None`: any number.
    #[doc(alias = "maxConnections")]
    pub fn max_connections(&self) -> Option<usize> {
        self.entry()?.options.max_connections
    }

    /// Changes how many connections may be open at once: those that are stay. `Some(0)` turns
    /// everybody away.
    #[doc(alias = "maxConnections")]
    pub fn set_max_connections(&mut self, most: Option<usize>) {
        if let Some(server) = self.net.servers.get_mut(self.key) {
            server.options.max_connections = most;
        }
    }

    /// Takes no more connections; those that are open stay. `close` is told when the last of them
    /// is gone. Peers that wait in the backlog are reset by the kernel.
    ///
    /// # Errors
    ///
    /// `ERR_SERVER_NOT_RUNNING` if it was closed before.
    ///
    /// Node: [`server.close`](https://nodejs.org/api/net.html#serverclosecallback).
    pub fn close(&mut self) -> Result<()> {
        if self.net.close_server(self.key) {
            Ok(())
        } else {
            Err(Error::server_not_running())
        }
    }

    /// Lets the loop end although this server listens.
    ///
    /// Node: [`server.unref`](https://nodejs.org/api/net.html#serverunref).
    pub fn unref(&mut self) {
        self.net.set_server_unref(self.key, true);
    }

    /// Takes [`unref`](Server::unref) back. Node: `server.ref`, a word that Rust has taken.
    pub fn r#ref(&mut self) {
        self.net.set_server_unref(self.key, false);
    }
}

impl fmt::Debug for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("id", &self.id())
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}
