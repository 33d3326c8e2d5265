//! User code at work, and what becomes of it when it returns or panics.
//!
//! Each guard stands for the length of one call, and what a panic would leave out of its place it puts
//! back when it is dropped. So a panic costs the socket that it was about, and nothing else. The
//! calls themselves stand in `tell`.

use crate::handler::{BoxedAcceptor, Handler};
use crate::net::{Every, Key, Net, Socket, Target};

/// A handler at work. After a panic it is put back, unless it was replaced meanwhile, and its socket
/// is destroyed.
pub(super) struct SocketCall<'net> {
    pub(super) socket: Socket<'net>,
    pub(super) key: Key,
    /// `None` once it has returned.
    pub(super) handler: Option<Box<dyn Handler>>,
}

impl Drop for SocketCall<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(handler) = self.handler.take() {
            panicked(self.socket.bare_net(), self.key, handler);
        }
    }
}

#[cold]
#[inline(never)]
fn panicked(net: &mut Net, key: Key, handler: Box<dyn Handler>) {
    net.queue_gathered(key); // accepted, and lost as all that is queued
    net.serving = None;
    if let Some(entry) = net.sockets.get_mut(key)
        && !planted!(HandlerLostInPanic)
    {
        entry.handler.get_or_insert(handler);
    }
    net.give_up(key);
}

/// Other code of the user's about one socket, which has no place to be put back to: a completion, or
/// what a handler does when it is dropped. After a panic the socket is destroyed.
pub(super) struct OtherCall<'net> {
    pub(super) net: &'net mut Net,
    key: Key,
    returned: bool,
}

impl<'net> OtherCall<'net> {
    pub(super) fn begin(net: &'net mut Net, key: Key) -> OtherCall<'net> {
        OtherCall {
            net,
            key,
            returned: false,
        }
    }

    /// It did not panic.
    pub(super) fn returned(mut self) {
        self.returned = true;
    }
}

impl Drop for OtherCall<'_> {
    fn drop(&mut self) {
        if !self.returned {
            self.net.give_up(self.key);
        }
    }
}

/// An acceptor at work. Dropping it puts the acceptor back; after a panic it also destroys the
/// socket that it was called about.
pub(super) struct ServerCall<'net> {
    pub(super) net: &'net mut Net,
    key: Key,
    pub(super) acceptor: Option<BoxedAcceptor>,
    /// The socket that is being announced.
    about: Option<Key>,
    returned: bool,
}

impl<'net> ServerCall<'net> {
    pub(super) fn begin(
        net: &'net mut Net,
        key: Key,
        acceptor: BoxedAcceptor,
        about: Option<Key>,
    ) -> ServerCall<'net> {
        net.serving = about;
        ServerCall {
            net,
            key,
            acceptor: Some(acceptor),
            about,
            returned: false,
        }
    }

    /// It did not panic.
    pub(super) fn returned(mut self) {
        self.returned = true;
    }
}

impl Drop for ServerCall<'_> {
    fn drop(&mut self) {
        self.net.serving = None;
        if let Some(server) = self.net.servers.get_mut(self.key) {
            server.acceptor = self.acceptor.take();
        }
        if !self.returned {
            if let Some(socket) = self.about {
                self.net.give_up(socket);
            }
            // The rest of the backlog and of the notes is still to come.
            self.net.mark_server_ready(self.key);
            self.net.note_server(self.key);
        }
    }
}

/// A resolver at work. After a panic the lookup fails, since its promise is dropped, and what else
/// is noted for whoever asked is still to be told.
pub(super) struct ResolverCall<'net> {
    pub(super) net: &'net mut Net,
    asker: Target,
    returned: bool,
}

impl<'net> ResolverCall<'net> {
    pub(super) fn begin(net: &'net mut Net, asker: Target) -> ResolverCall<'net> {
        ResolverCall {
            net,
            asker,
            returned: false,
        }
    }

    /// It did not panic.
    pub(super) fn returned(mut self) {
        self.returned = true;
    }
}

impl Drop for ResolverCall<'_> {
    fn drop(&mut self) {
        if self.returned {
            return;
        }
        match self.asker {
            Target::Socket(key) => self.net.renote(key),
            Target::Server(key) => self.net.note_server(key),
            Target::Attempt(_) => {}
        }
    }
}

/// An interval's callback at work. Dropping it arms it again; after a panic it is gone.
pub(super) struct IntervalCall<'net> {
    pub(super) net: &'net mut Net,
    key: Key,
    pub(super) callback: Option<Every>,
    returned: bool,
}

impl<'net> IntervalCall<'net> {
    pub(super) fn begin(net: &'net mut Net, key: Key, callback: Every) -> IntervalCall<'net> {
        IntervalCall {
            net,
            key,
            callback: Some(callback),
            returned: false,
        }
    }

    /// It did not panic.
    pub(super) fn returned(mut self) {
        self.returned = true;
    }
}

impl Drop for IntervalCall<'_> {
    fn drop(&mut self) {
        match self.callback.take() {
            Some(callback) if self.returned => self.net.rearm(self.key, callback),
            _ => self.net.clear(self.key),
        }
    }
}

/// A listener to a signal at work. Dropping it puts it back, after a panic too.
#[cfg(feature = "signal")]
pub(super) struct SignalCall<'net> {
    pub(super) net: &'net mut Net,
    key: Key,
    pub(super) callback: Option<Every>,
}

#[cfg(feature = "signal")]
impl<'net> SignalCall<'net> {
    pub(super) fn begin(net: &'net mut Net, key: Key, callback: Every) -> SignalCall<'net> {
        SignalCall {
            net,
            key,
            callback: Some(callback),
        }
    }
}

#[cfg(feature = "signal")]
impl Drop for SignalCall<'_> {
    fn drop(&mut self) {
        if let Some(callback) = self.callback.take() {
            self.net.put_signal_back(self.key, callback);
        }
    }
}
