//! What a socket wants to be woken for.
//!
//! Says only what is wanted: how a poller expresses it, `os/poller.rs` knows.

/// What the kernel is asked to watch on a socket.
///
/// A closed set on purpose. The poller takes no empty interest, and each of the four is a situation
/// of a socket, so none can be put together that means nothing. Changing it reports at once
/// whatever is true already, even what was reported before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Interest {
    /// Bytes, the end of input, errors. A socket starts here, and a listener stays here.
    Read,
    /// Also room to write: a connect under way, or a queue that the kernel would not take whole.
    ReadWrite,
    /// As little as the system can be asked for: a paused socket with nothing to write. On Linux
    /// neither bytes nor a FIN wake the loop, a reset does; elsewhere room to write wakes it as
    /// well.
    Parked,
    /// Room to write only: a paused socket whose queue waits. A FIN shows as room to write, a reset
    /// as itself.
    ParkedWrite,
}
