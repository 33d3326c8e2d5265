//! What a socket says of itself: Node's properties.

use super::Socket;
use crate::connection::Lifecycle;
use crate::net::entry::SocketEntry;
use crate::net::flags::Flags;
use crate::{Address, Error, Family, ServerId};
use std::fmt;
use std::net::IpAddr;

/// Where a socket stands, in Node's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum ReadyState {
    /// Connecting.
    Opening,
    /// Both sides are open.
    Open,
    /// Our side was ended; the peer may still send.
    ReadOnly,
    /// The peer ended its side; we may still send.
    WriteOnly,
    /// Neither side is open.
    Closed,
}

impl fmt::Display for ReadyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReadyState::Opening => "opening",
            ReadyState::Open => "open",
            ReadyState::ReadOnly => "readOnly",
            ReadyState::WriteOnly => "writeOnly",
            ReadyState::Closed => "closed",
        })
    }
}

/// What a socket says of itself.
impl Socket<'_> {
    /// The address on our side; `None` while connecting.
    pub fn address(&self) -> Option<Address> {
        let entry = self.entry()?;
        if entry.lifecycle.is_connecting() {
            return None;
        }
        let stream = entry.stream.as_ref()?;
        self.net.sys.local_address(stream).ok()
    }

    /// The peer's address; `None` while connecting. Kept from accept or connect on, so it answers
    /// also when the kernel has forgotten it.
    pub fn peer_address(&self) -> Option<Address> {
        self.entry()?.peer()
    }

    /// The IP address on our side.
    #[doc(alias = "localAddress")]
    pub fn local_address(&self) -> Option<IpAddr> {
        self.address()?.ip()
    }

    /// The port on our side.
    #[doc(alias = "localPort")]
    pub fn local_port(&self) -> Option<u16> {
        self.address()?.port()
    }

    /// The address family on our side.
    #[doc(alias = "localFamily")]
    pub fn local_family(&self) -> Option<Family> {
        self.address().map(|address| address.family())
    }

    /// The IP address of the peer.
    #[doc(alias = "remoteAddress")]
    pub fn remote_address(&self) -> Option<IpAddr> {
        self.peer_address()?.ip()
    }

    /// The port of the peer.
    #[doc(alias = "remotePort")]
    pub fn remote_port(&self) -> Option<u16> {
        self.peer_address()?.port()
    }

    /// The address family of the peer.
    #[doc(alias = "remoteFamily")]
    pub fn remote_family(&self) -> Option<Family> {
        self.peer_address().map(|address| address.family())
    }

    /// Where attempts went to, in order, if several addresses of a host were tried; the last one is
    /// the peer's once `connect` was told, unless attempts are
    /// [parallel](crate::ConnectOptions::parallel_attempts). Empty for a single address.
    ///
    /// Node: [`socket.autoSelectFamilyAttemptedAddresses`](https://nodejs.org/api/net.html#socketautoselectfamilyattemptedaddresses).
    #[doc(alias = "autoSelectFamilyAttemptedAddresses")]
    pub fn auto_select_family_attempted_addresses(&self) -> &[Address] {
        let cold = self.entry().and_then(|entry| entry.cold.as_ref());
        cold.map_or(&[], |cold| &cold.attempted)
    }

    /// Bytes read from the peer so far, current inside `on_data`.
    #[doc(alias = "bytesRead")]
    pub fn bytes_read(&self) -> u64 {
        self.entry().map_or(0, |entry| entry.bytes_read)
    }

    /// Bytes accepted by `write` so far, those that still wait included.
    #[doc(alias = "bytesWritten")]
    pub fn bytes_written(&self) -> u64 {
        let gathered = self.net.gathered.len() as u64;
        self.entry()
            .map_or(0, |entry| entry.bytes_written + gathered)
    }

    /// Where the socket stands, in Node's words.
    #[doc(alias = "readyState")]
    pub fn ready_state(&self) -> ReadyState {
        match self.state() {
            Some(Lifecycle::Opening(_)) => ReadyState::Opening,
            Some(Lifecycle::Open | Lifecycle::Resetting) => ReadyState::Open,
            Some(Lifecycle::Ending(_) | Lifecycle::ReadOnly) => ReadyState::ReadOnly,
            Some(Lifecycle::WriteOnly) => ReadyState::WriteOnly,
            Some(
                Lifecycle::Closing
                | Lifecycle::Ended
                | Lifecycle::Destroyed(_)
                | Lifecycle::Closed(_),
            )
            | None => ReadyState::Closed,
        }
    }

    /// Whether the socket is destroyed; true inside `on_error` and `on_close`.
    pub fn destroyed(&self) -> bool {
        self.state().is_none_or(Lifecycle::is_destroyed)
    }

    /// Whether the connection does not stand yet, or no more.
    pub fn pending(&self) -> bool {
        self.connecting() || self.destroyed()
    }

    /// Whether the socket is connecting.
    pub fn connecting(&self) -> bool {
        self.state().is_some_and(Lifecycle::is_connecting)
    }

    /// Whether data may still come: `end` was not told, and the socket is not destroyed.
    pub fn readable(&self) -> bool {
        !self.destroyed() && !self.flag(Flags::END_TOLD)
    }

    /// Whether a write would be accepted.
    pub fn writable(&self) -> bool {
        let entry = self.entry();
        entry.is_some_and(|entry| entry.refuses_write().is_none())
    }

    /// Whether `end` was told, or is being told.
    #[doc(alias = "readableEnded")]
    pub fn readable_ended(&self) -> bool {
        self.flag(Flags::END_TOLD)
    }

    /// Whether [`end`](Socket::end) was called, by the user or because the peer ended.
    #[doc(alias = "writableEnded")]
    pub fn writable_ended(&self) -> bool {
        self.flag(Flags::ENDED)
    }

    /// Whether every byte is with the kernel and the FIN behind it.
    #[doc(alias = "writableFinished")]
    pub fn writable_finished(&self) -> bool {
        self.flag(Flags::FINISHED)
    }

    /// The error that the socket was destroyed with.
    pub fn errored(&self) -> Option<Error> {
        self.entry()?.error().cloned()
    }

    /// Whether `close` was told: as long as there is a view, it was not.
    pub fn closed(&self) -> bool {
        self.entry().is_none_or(SocketEntry::is_closed)
    }

    /// The server that accepted this socket; `None` for one that connected.
    pub fn server(&self) -> Option<ServerId> {
        let key = self.entry()?.server;
        (key.generation != 0).then_some(ServerId {
            key,
            reactor: self.net.reactor,
        })
    }
}
