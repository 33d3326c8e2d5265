//! What was asked of a scripted kernel, as values that a test can compare.

use std::net::SocketAddr;
use std::time::Duration;

use crate::Address;
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
    ListenLocal {
        name: Address,
        backlog: u32,
        mode: u32,
    },
    Accept(u32),
    Bind(SocketAddr),
    Connect {
        peer: Address,
        bound: Option<u32>,
        type_of_service: Option<u8>,
    },
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
    SetQuickAck(u32, bool),
    SetNotSentLowWaterMark(u32, u32),
    SetKeepAlive(u32, bool, Option<u32>),
    SetTypeOfService(u32, u8),
    TypeOfService(u32),
    ResetOnClose(u32),
    Close(u32),
    Waker,
    RunJob(Pool),
    #[cfg(feature = "signal")]
    WatchSignal(i32),
    #[cfg(feature = "signal")]
    UnwatchSignal(i32),
    HoldSpare,
    ReleaseSpare,
    GrowDescriptorTable(usize),
}

/// The kinds whose answer is only whether they worked, so that one script serves them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Listen,
    Bind,
    Connect,
    Register,
    Reregister,
    Deregister,
    ShutdownWrite,
    LocalAddress,
    /// All of `settings`, and the reset on close.
    SetOption,
    Waker,
    RunJob,
    #[cfg(feature = "signal")]
    WatchSignal,
    HoldSpare,
    GrowDescriptorTable,
}

impl Call {
    /// A connect that nothing was asked for but its peer.
    pub(crate) fn connect(peer: impl Into<Address>) -> Call {
        Call::Connect {
            peer: peer.into(),
            bound: None,
            type_of_service: None,
        }
    }

    /// `None` if the answer is more than that it worked.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Call::Listen { .. } | Call::ListenLocal { .. } => Some(Kind::Listen),
            Call::Bind(_) => Some(Kind::Bind),
            Call::Connect { .. } => Some(Kind::Connect),
            Call::Register(..) => Some(Kind::Register),
            Call::Reregister(..) => Some(Kind::Reregister),
            Call::Deregister(_) => Some(Kind::Deregister),
            Call::ShutdownWrite(_) => Some(Kind::ShutdownWrite),
            Call::LocalAddress(_) => Some(Kind::LocalAddress),
            Call::SetNoDelay(..)
            | Call::SetQuickAck(..)
            | Call::SetNotSentLowWaterMark(..)
            | Call::SetKeepAlive(..)
            | Call::SetTypeOfService(..)
            | Call::ResetOnClose(_) => Some(Kind::SetOption),
            Call::Waker => Some(Kind::Waker),
            Call::RunJob(_) => Some(Kind::RunJob),
            #[cfg(feature = "signal")]
            Call::WatchSignal(_) => Some(Kind::WatchSignal),
            #[cfg(feature = "signal")]
            Call::UnwatchSignal(_) => None,
            Call::HoldSpare => Some(Kind::HoldSpare),
            Call::GrowDescriptorTable(_) => Some(Kind::GrowDescriptorTable),
            Call::Poll(_)
            | Call::Accept(_)
            | Call::Read(..)
            | Call::Write(..)
            | Call::WriteVectored(..)
            | Call::TakeError(_)
            | Call::TypeOfService(_)
            | Call::PeerAddress(_)
            | Call::Close(_)
            | Call::ReleaseSpare => None,
        }
    }
}
