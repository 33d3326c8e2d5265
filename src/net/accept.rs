//! Taking peers from a server's backlog, and running out of descriptors.

use super::Net;
use super::entry::SocketEntry;
use super::ids::{Key, Target};
use crate::connection::{Latch, Lifecycle};
use crate::handler::Dropped;
use crate::log_limit::Kind;
use crate::options::OutOfDescriptors;
use crate::sys::{Interest, Stream};
use crate::{Address, Error};
use std::io;

/// How long a server that found no descriptor waits before it tries by itself.
const RETRY_NANOS: u64 = 100_000_000;

/// Lost connections in a row after which a server waits before it goes on: more than a backlog
/// holds (Linux caps it at 4,096 unless told otherwise), so none of them was taken from one, and to
/// go on at once would be to spin.
const LOST_IN_A_ROW: u32 = 8192;

/// What an accept brought.
pub(crate) enum Accepted {
    /// A socket to announce.
    Socket(Key),
    /// A peer to turn away; told, then forgotten.
    Dropped(Dropped),
    /// Nothing came of one connection; others may wait behind it.
    Nobody,
    /// Nothing more for now.
    Drained,
}

/// What an errno of accept(2) says about the rest of the backlog.
enum Trouble {
    /// Nobody waits.
    None,
    /// The connection that was to be taken is gone: its network failed, or the peer gave up.
    ThisOne,
    /// The process or the machine lacks something that may come back, or accepting fails for a
    /// reason that is not known: nobody can be taken for now.
    Starved,
}

/// The one table of accept's errnos (FAULTS A1 to A4). `EINTR` never comes here. All that is not
/// known to be about one connection (EMFILE, ENFILE, ENOBUFS and ENOMEM above all) is tried again
/// later, so that no errno makes a server deaf for good.
fn trouble(error: &io::Error) -> Trouble {
    match error.raw_os_error() {
        _ if error.kind() == io::ErrorKind::WouldBlock => Trouble::None,
        // accept(2): pending errors of the new socket's network count as if nobody had waited.
        Some(
            libc::ECONNABORTED
            | libc::EPROTO
            | libc::ENETDOWN
            | libc::ENOPROTOOPT
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::EOPNOTSUPP
            | libc::ENETUNREACH
            | libc::ETIMEDOUT
            | libc::ECONNRESET,
        ) => Trouble::ThisOne,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(libc::ENONET) => Trouble::ThisOne,
        _ => Trouble::Starved,
    }
}

impl Net {
    /// Takes one peer from a server's backlog.
    pub(crate) fn accept(&mut self, key: Key) -> Accepted {
        let Some(server) = self.servers.get_mut(key) else {
            return Accepted::Drained;
        };
        let Some(listener) = &mut server.listener else {
            return Accepted::Drained;
        };
        match self.sys.accept(listener) {
            Ok((stream, peer)) => {
                server.lost_in_a_row = 0;
                self.admit(key, stream, peer)
            }
            Err(error) => match trouble(&error) {
                Trouble::None => {
                    server.starved = false; // the episode ends when nobody waits any more
                    server.lost_in_a_row = 0;
                    Accepted::Drained
                }
                Trouble::ThisOne if server.lost_in_a_row < LOST_IN_A_ROW => {
                    log::debug!("server {key:?}: a connection was lost before accept: {error}");
                    server.lost_in_a_row += 1;
                    Accepted::Nobody
                }
                Trouble::ThisOne | Trouble::Starved => self.starve(key, error),
            },
        }
    }

    /// Makes a socket of an accepted connection, or turns it away.
    fn admit(&mut self, key: Key, stream: Stream, peer: Address) -> Accepted {
        let Some(server) = self.servers.get_mut(key) else {
            self.sys.discard(stream);
            return Accepted::Drained;
        };
        if server.is_full() {
            if self.log_limit.allows(Kind::MaxConnections, self.now) {
                log::warn!("server {key:?}: max_connections reached, {peer} is turned away");
            }
            let local = self.sys.local_address(&stream).ok();
            self.sys.discard(stream);
            self.counters.dropped += 1;
            return Accepted::Dropped(Dropped {
                local,
                remote: peer,
            });
        }
        if peer.ip().is_some_and(|ip| server.blocks(ip)) {
            log::debug!("server {key:?}: {peer} is blocked");
            self.sys.discard(stream);
            self.counters.blocked += 1;
            return Accepted::Nobody;
        }
        server.connections += 1;
        self.counters.accepted += 1;
        let socket = self.insert_accepted(key, stream, peer);
        match self.start_accepted(socket) {
            Ok(()) => Accepted::Socket(socket),
            Err(error) => {
                self.refuse_accepted(key, socket, error);
                Accepted::Nobody
            }
        }
    }

    fn insert_accepted(&mut self, server_key: Key, stream: Stream, peer: Address) -> Key {
        let Net {
            sockets, servers, ..
        } = self;
        let options = match servers.get(server_key) {
            Some(server) => server.options.socket.clone(),
            None => Default::default(),
        };
        let interest = if options.pause_on_connect {
            Interest::Parked
        } else {
            Interest::Read
        };
        let latch = Latch::accepted(interest, options.pause_on_connect);
        let key = sockets.insert(|key| {
            let mut entry = SocketEntry::new(key, Lifecycle::Open, latch, &options);
            entry.stream = Some(stream);
            entry.server = server_key;
            entry.set_peer(peer);
            entry
        });
        self.recount(key);
        key
    }

    /// Applies the server's options and lets the poller report the socket. An option that can't be
    /// set is no reason to turn a peer away (A14); a socket that can't be watched is (A15).
    fn start_accepted(&mut self, key: Key) -> io::Result<()> {
        let Some(entry) = self.sockets.get_mut(key) else {
            return Ok(());
        };
        if let Some(server) = self.servers.get(entry.server) {
            entry.apply(&server.options.socket, &mut self.sys);
        }
        let Some(stream) = &mut entry.stream else {
            return Ok(());
        };
        let token = Target::Socket(key).to_token();
        self.sys.register(stream, token, entry.latch.interest())
    }

    /// Takes back a socket that was never announced, and tells its server why.
    fn refuse_accepted(&mut self, server_key: Key, key: Key, error: io::Error) {
        self.uncount(key);
        if let Some(mut entry) = self.sockets.remove(key)
            && let Some(stream) = entry.stream.take()
        {
            self.sys.discard(stream);
        }
        self.leave_server(server_key);
        if self.log_limit.allows(Kind::Accept, self.now) {
            log::warn!("server {server_key:?}: an accepted socket can't be watched: {error}");
        }
        if let Some(server) = self.servers.get_mut(server_key) {
            server.error = Some(Error::io("accept", error));
            self.note_server(server_key);
        }
    }

    /// No descriptor for the next peer: it waits, or it is taken with the spare one and closed.
    fn starve(&mut self, key: Key, error: io::Error) -> Accepted {
        if self.log_limit.allows(Kind::Accept, self.now) {
            log::warn!("server {key:?}: accept: {error}");
        }
        let Some(server) = self.servers.get_mut(key) else {
            return Accepted::Drained;
        };
        if !server.starved {
            // One event for the whole episode.
            server.starved = true;
            server.error = Some(Error::io("accept", error));
            self.counters.starved += 1;
            self.note_server(key);
        }
        if self.sheds(key) {
            return self.shed(key);
        }
        self.accept_later(key);
        Accepted::Drained
    }

    fn sheds(&self, key: Key) -> bool {
        let server = self.servers.get(key);
        server.is_some_and(|it| it.options.out_of_descriptors == OutOfDescriptors::Shed)
    }

    /// Takes one peer with the spare descriptor and closes it.
    fn shed(&mut self, key: Key) -> Accepted {
        let listener = self
            .servers
            .get_mut(key)
            .and_then(|it| it.listener.as_mut());
        match listener.map(|listener| self.sys.shed(listener)) {
            Some(Ok(true)) => {
                self.counters.shed += 1;
                Accepted::Nobody
            }
            // Nobody waits: at its limit the kernel refuses before it looks. The next peer brings
            // an edge.
            Some(Ok(false)) | None => Accepted::Drained,
            Some(Err(_)) => {
                self.accept_later(key);
                Accepted::Drained
            }
        }
    }

    /// Lets a server wait until a descriptor comes free, or for a while.
    pub(crate) fn accept_later(&mut self, key: Key) {
        if planted!(NoRetryWithoutDescriptors) {
            return;
        }
        if !self.starved.contains(&key) {
            self.starved.push_back(key);
        }
        let at = self.now.saturating_add(RETRY_NANOS);
        self.retry_accepts_at.get_or_insert(at);
    }

    /// Lets the servers that wait for a descriptor try again: one came free, or it is time.
    pub(crate) fn retry_accepts(&mut self) {
        self.retry_accepts_at = None;
        while let Some(key) = self.starved.pop_front() {
            self.mark_server_ready(key);
        }
    }
}
