//! What each call can fail with, by its man page and by what a firewall or a lack of memory may do
//! to it. Absent is what only a bug of the loop's could bring about (`EBADF`, `EINVAL`, `EFAULT`).

use crate::sim::Call;

/// The calls that a campaign lets fail. Its oracles themselves ask for local addresses.
pub(super) const CALLS: [Call; 15] = [
    Call::Listen,
    Call::Accept,
    Call::Connect,
    Call::Read,
    Call::Write,
    Call::Shutdown,
    Call::Register,
    Call::Reregister,
    Call::Deregister,
    Call::SetOption,
    Call::HoldSpare,
    Call::TakeError,
    Call::PeerAddress,
    Call::Waker,
    Call::RunJob,
];

/// The errnos that a call may give.
pub(super) fn of(call: Call) -> &'static [i32] {
    match call {
        Call::Poll => &[libc::EINTR],
        Call::Listen | Call::Bind => &[
            libc::EADDRINUSE,
            libc::EADDRNOTAVAIL,
            libc::EACCES,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
        ],
        Call::Accept => &[
            libc::EINTR,
            libc::EAGAIN,
            libc::ECONNABORTED,
            libc::EPROTO,
            libc::EPERM,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::ENETDOWN,
            libc::EHOSTUNREACH,
            libc::ETIMEDOUT,
        ],
        Call::Connect => &[
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EADDRNOTAVAIL,
            libc::ENETUNREACH,
            libc::EACCES,
            libc::EAGAIN,
            libc::ECONNREFUSED,
        ],
        Call::Read => &[
            libc::EINTR,
            libc::EAGAIN,
            libc::ECONNRESET,
            libc::ETIMEDOUT,
            libc::EHOSTUNREACH,
            libc::ENOMEM,
        ],
        Call::Write => &[
            libc::EINTR,
            libc::EAGAIN,
            libc::EPIPE,
            libc::ECONNRESET,
            libc::ETIMEDOUT,
            libc::ENOBUFS,
            libc::EPERM,
        ],
        Call::Shutdown => &[libc::ENOTCONN, libc::ENOBUFS],
        Call::Register => &[libc::ENOMEM, libc::ENOSPC],
        Call::Reregister => &[libc::ENOMEM, libc::ENOENT],
        Call::Deregister => &[libc::ENOENT],
        Call::SetOption => &[libc::EINVAL, libc::ENOBUFS],
        Call::TakeError | Call::LocalAddress | Call::PeerAddress => &[libc::ENOBUFS],
        Call::HoldSpare | Call::Waker => &[libc::EMFILE, libc::ENFILE, libc::ENOMEM],
        Call::RunJob => &[libc::EAGAIN],
        #[cfg(feature = "signal")]
        Call::WatchSignal => &[libc::EMFILE, libc::ENFILE, libc::ENOMEM],
    }
}
