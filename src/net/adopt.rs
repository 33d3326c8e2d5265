//! Connections that somebody else has made.

use super::entry::SocketEntry;
use super::ids::Target;
use super::{Net, Socket};
use crate::connection::{Latch, Lifecycle};
use crate::options::SocketOptions;
use crate::sys::Interest;
use crate::{Error, Handler, Result};
use std::os::fd::OwnedFd;

impl Net {
    /// Takes over a connected stream socket, of TCP or local: inherited, received from another
    /// process, or one end of a pair.
    ///
    /// The connection stands: there is no `connect` to be told, and reading begins by itself. The
    /// socket has the settings that others have by default, and keeps those of its descriptor.
    ///
    /// ```
    /// # fn main() -> netloop::Result<()> {
    /// use netloop::{Event, Reactor, handler_fn};
    /// use std::io::Read;
    /// use std::os::unix::net::UnixStream;
    ///
    /// let (ours, mut theirs) = UnixStream::pair()?;
    /// let mut reactor = Reactor::new()?;
    /// let mut socket = reactor.net().adopt(ours, handler_fn(|_, _| ()))?;
    /// socket.end_with(b"hello\n");
    /// reactor.turn(None)?;
    ///
    /// let mut greeting = String::new();
    /// theirs.read_to_string(&mut greeting)?;
    /// assert_eq!(greeting, "hello\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `ERR_INVALID_FD_TYPE` for what is no socket, or not connected, or no stream; an `EPERM`,
    /// `ENOSPC` or the like of the poller; `ECANCELED` during a [`shutdown`](Net::shutdown). The
    /// descriptor is closed then.
    ///
    /// Node: [`new net.Socket({ fd })`](https://nodejs.org/api/net.html#new-netsocketoptions).
    #[doc(alias = "fd")]
    #[doc(alias = "handle")]
    pub fn adopt(
        &mut self,
        descriptor: impl Into<OwnedFd>,
        handler: impl Handler + 'static,
    ) -> Result<Socket<'_>> {
        self.adopt_boxed(descriptor.into(), Box::new(handler))
    }

    fn adopt_boxed(
        &mut self,
        descriptor: OwnedFd,
        handler: Box<dyn Handler>,
    ) -> Result<Socket<'_>> {
        self.check_not_leaving("open")?;
        let adopted = self.sys.adopt(descriptor);
        let (mut stream, peer) =
            adopted.map_err(|error| Error::invalid_fd_type("connected stream socket", &error))?;
        let interest = Interest::Read;
        let key = self.sockets.insert(|key| {
            let latch = Latch::accepted(interest, false);
            let mut entry =
                SocketEntry::new(key, Lifecycle::Open, latch, &SocketOptions::default());
            entry.handler = Some(handler);
            entry.set_peer(peer);
            entry
        });
        let token = Target::Socket(key).to_token();
        if let Err(error) = self.sys.register(&mut stream, token, interest) {
            self.sockets.remove(key);
            self.sys.discard(stream);
            return Err(Error::io("open", error));
        }
        if let Some(entry) = self.sockets.get_mut(key) {
            entry.stream = Some(stream);
        }
        self.recount(key);
        Ok(Socket::new(self, key))
    }
}
