//! What was asked of a scripted kernel, as values that a test can compare.

use std::net::SocketAddr;
use std::time::Duration;

use crate::sys::{Interest, Pool};

/// One call, with what tells it from others of its kind. Sockets are named by their descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Poll(Option<Duration>),
    Listen {
        address: SocketAddr,
        backlog: u32,
        reuse_port: bool,
        ipv6_only: bool,
    },
    Accept(u32),
    Connect(SocketAddr),
    Register(u32, Interest),
    Reregister(u32, Interest),
    Deregister(u32),
    /// With the room that was offered.
    Read(u32, usize),
    /// With the bytes that were offered.
    Write(u32, usize),
    /// With the length of each buffer that was offered.
    WriteVectored(u32, Vec<usize>),
    ShutdownWrite(u32),
    TakeError(u32),
    LocalAddress(u32),
    PeerAddress(u32),
    SetNoDelay(u32, bool),
    SetKeepAlive(u32, bool, Option<u32>),
    ResetOnClose(u32),
    Close(u32),
    Waker,
    RunJob(Pool),
    HoldSpare,
    ReleaseSpare,
}

/// The kinds whose answer is only whether they worked, so that one script serves them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Listen,
    Connect,
    Register,
    Reregister,
    Deregister,
    ShutdownWrite,
    LocalAddress,
    /// `TCP_NODELAY`, keep-alive and the reset on close.
    SetOption,
    Waker,
    RunJob,
    HoldSpare,
}

impl Call {
    /// `None` if the answer is more than that it worked.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Call::Listen { .. } => Some(Kind::Listen),
            Call::Connect(_) => Some(Kind::Connect),
            Call::Register(..) => Some(Kind::Register),
            Call::Reregister(..) => Some(Kind::Reregister),
            Call::Deregister(_) => Some(Kind::Deregister),
            Call::ShutdownWrite(_) => Some(Kind::ShutdownWrite),
            Call::LocalAddress(_) => Some(Kind::LocalAddress),
            Call::SetNoDelay(..) | Call::SetKeepAlive(..) | Call::ResetOnClose(_) => {
                Some(Kind::SetOption)
            }
            Call::Waker => Some(Kind::Waker),
            Call::RunJob(_) => Some(Kind::RunJob),
            Call::HoldSpare => Some(Kind::HoldSpare),
            Call::Poll(_)
            | Call::Accept(_)
            | Call::Read(..)
            | Call::Write(..)
            | Call::WriteVectored(..)
            | Call::TakeError(_)
            | Call::PeerAddress(_)
            | Call::Close(_)
            | Call::ReleaseSpare => None,
        }
    }
}
