//! How often the loop asked the kernel for something, by kind.
//!
//! Plain numbers: whoever makes a call adds to them, whoever wants a rate takes two copies and
//! subtracts.

/// Calls made since the [`Sys`](super::Sys) was made, failed ones included.
///
/// One count is one system call, unless its line says otherwise. What a signal interrupted and
/// `sys` called again counts once. Two things are not here: the clock, whose reading does not enter
/// the kernel, and local addresses, which are asked for through a shared reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) poll: u64,
    /// Listeners asked for; each is a socket, its options, a bind and a listen, or a look at a
    /// socket that was given.
    pub(crate) listen: u64,
    pub(crate) accept: u64,
    /// Local addresses asked for to connect from; each is a socket, an option and a bind.
    pub(crate) bind: u64,
    /// Connections asked for; each is a connect, and a socket if none was bound before.
    pub(crate) connect: u64,
    pub(crate) register: u64,
    pub(crate) reregister: u64,
    pub(crate) deregister: u64,
    pub(crate) read: u64,
    pub(crate) write: u64,
    pub(crate) write_vectored: u64,
    pub(crate) shutdown: u64,
    pub(crate) close: u64,
    /// Options set on streams; keep-alive with a delay is several calls.
    pub(crate) set_option: u64,
    /// Pending errors asked for (`SO_ERROR`).
    pub(crate) get_option: u64,
    /// Peer addresses asked for; that of a stream that was given comes with a look at what it is.
    pub(crate) get_peer: u64,
    /// Wakers made; each is a descriptor and its registration.
    pub(crate) waker: u64,
    /// Times the spare descriptor was given up or taken back.
    pub(crate) spare: u64,
    /// Times the descriptor table was grown in advance; each is two calls for every descriptor that
    /// there is to be room for.
    pub(crate) grow: u64,
}
