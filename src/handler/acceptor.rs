//! What a server does with its peers.

use super::Handler;
use crate::{Address, Error, Server, Socket};

/// What happens on one server, one method for each of Node's events.
///
/// [`Net::listen`](crate::Net::listen) takes a closure for
/// [`on_connection`](Acceptor::on_connection) alone;
/// [`Net::listen_with`](crate::Net::listen_with) takes all of it.
///
/// Node: [`net.Server` events](https://nodejs.org/api/net.html#class-netserver).
#[allow(unused_variables)]
pub trait Acceptor {
    /// A new peer: answers with the handler of its socket, which is open and has its server's
    /// options applied already.
    fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler>;

    /// The server is bound and takes connections. Not told if it was closed in the meantime.
    fn on_listening(&mut self, server: &mut Server<'_>) {}

    /// A peer was turned away because `max_connections` are open.
    #[doc(alias = "drop")]
    fn on_drop(&mut self, server: &mut Server<'_>, dropped: &Dropped) {}

    /// Accepting failed. The server stays open (R102); while descriptors are missing it goes on by
    /// itself once there are some, and this is told once for the whole time.
    fn on_error(&mut self, server: &mut Server<'_>, error: &Error) {}

    /// The server is closed and its last connection is destroyed.
    fn on_close(&mut self, server: &mut Server<'_>) {}
}

/// The two ends of a connection that was turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// Our end, where the kernel still knew it.
    pub local: Option<Address>,
    /// The peer.
    pub remote: Address,
}

pub(crate) type BoxedAcceptor = Box<dyn Acceptor>;

/// The closure form of an acceptor.
pub(crate) struct AcceptFn<F>(pub(crate) F);

impl<F, H> Acceptor for AcceptFn<F>
where
    F: FnMut(&mut Socket<'_>) -> H,
    H: Handler + 'static,
{
    fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler> {
        Box::new((self.0)(socket))
    }
}
