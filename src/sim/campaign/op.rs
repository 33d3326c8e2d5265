//! What a campaign does to a world, as plain values.
//!
//! A list of operations is drawn as a whole before anything runs, so that shrinking it is deleting
//! from it. `Debug` prints an operation as it is written in Rust: a list that fails is pasted into
//! a test as it stands.

use crate::sim::Call;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    /// On this host, outside of any turn.
    Do(u8, Deed),
    /// In the so-manieth event of this kind, counted from 0 over the whole world, and in as many
    /// after it that it is done this often.
    On(Kind, u16, u16, Deed),
    /// So many steps of the world.
    Steps(u16),
    /// So many milliseconds.
    Advance(u64),
    /// Nothing gets from one host to the other.
    Partition(u8, u8),
    /// And again it does.
    Heal(u8, u8),
    /// One host more than the one that is always there.
    Host,
    /// Connections made between two hosts from now on have buffers of so many bytes, to send from
    /// and to receive in.
    Buffers(u8, u8, u32, u32),
    /// Of all that goes from one host to the other this byte does not arrive.
    ResetAt(u8, u8, u64),
    /// The next calls of this kind on this host fail with this errno, so many.
    FailCalls(u8, Call, i32, u8),
    /// This host may have so many descriptors open.
    Descriptors(u8, Option<u8>),
}

/// What is done on one host, by a handler or from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Deed {
    Listen(Terms),
    /// To a port of a host.
    Connect(u8, Terms),
    /// Closes a server: the so-manieth that the host has had.
    CloseServer(u8),
    MaxConnections(u8, Option<u8>),
    To(Who, Act),
    /// After so many milliseconds, once.
    Later(u64, Who, Act),
    /// Before the next sleep.
    Soon(Who, Act),
    /// Every so many milliseconds, so many times.
    Every(u64, u8),
    /// Clears a timer: the so-manieth that the host has had.
    Clear(u8),
    Unref(u8),
    Stop,
    /// From one socket into another, and whether the end is carried over.
    Pipe(Who, Who, bool),
    PipeBoth(Who, Who),
    Unpipe(Who),
    /// From another thread, to the loop of a host, so many times.
    Post(u8, u8, Who, Act),
    /// From another thread, to the loop of a host.
    StopFrom(u8),
    /// Work on another thread, which returns or panics, and then this.
    Offload(bool, Who, Act),
    /// Outside of a handler it does nothing.
    Panic,
}

/// What a server or a connect asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Terms {
    pub(super) port: u16,
    pub(super) by: By,
    pub(super) half_open: bool,
    pub(super) paused: bool,
    pub(super) mark: usize,
    pub(super) cap: Option<usize>,
    /// Of a server: keeps a spare descriptor.
    pub(super) shed: bool,
}

/// How a connect says where to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum By {
    Address,
    /// By the host's name.
    Name,
    /// By a name that all hosts have, the one that is asked for last; whether attempts go on beside
    /// each other.
    Names(bool),
}

/// Which socket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Who {
    /// The one whose event it is; outside of an event the newest one.
    Me,
    /// The newest one.
    Newest,
    /// The so-manieth that the host has had.
    Nth(u8),
}

/// What is done to a socket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    Write(u32),
    WriteBytes(u32),
    WriteThen(u32),
    End,
    EndWith(u32),
    Destroy,
    DestroySoon,
    DestroyWith,
    Reset,
    Pause,
    Resume,
    Cork,
    Uncork,
    FlushNow,
    /// In milliseconds.
    Timeout(u64),
    /// Gives back so many of the bytes heard last.
    Unread(u16),
    SetHandler,
    Unref,
    Ref,
    NoDelay(bool),
    KeepAlive(bool),
}

/// What a reaction waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Lookup,
    Attempt,
    AttemptTimeout,
    AttemptFailed,
    Connect,
    Ready,
    Data,
    End,
    Drain,
    Finish,
    Timeout,
    Error,
    Close,
    Written,
    Timer,
    Posted,
    Offloaded,
    Connection,
    Listening,
    Dropped,
    ServerError,
    ServerClose,
}

impl Kind {
    pub(super) const ALL: [Kind; 22] = [
        Kind::Lookup,
        Kind::Attempt,
        Kind::AttemptTimeout,
        Kind::AttemptFailed,
        Kind::Connect,
        Kind::Ready,
        Kind::Data,
        Kind::End,
        Kind::Drain,
        Kind::Finish,
        Kind::Timeout,
        Kind::Error,
        Kind::Close,
        Kind::Written,
        Kind::Timer,
        Kind::Posted,
        Kind::Offloaded,
        Kind::Connection,
        Kind::Listening,
        Kind::Dropped,
        Kind::ServerError,
        Kind::ServerClose,
    ];
}
