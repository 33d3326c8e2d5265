//! For tests: our side of a connection on the real system, and its peer, a plain blocking socket.
//!
//! Everything waits by polling, with a bound, and never by sleeping.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::handle::Handle;
use super::{Interest, Listener, Readiness, Stream, Sys};
use crate::Address;

/// How long a test waits for what must come before it fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// An accepted stream, not yet registered, and its peer.
pub(super) struct Pair {
    pub(super) sys: Sys,
    pub(super) stream: Stream,
    pub(super) peer: TcpStream,
}

impl Pair {
    pub(super) fn new() -> Pair {
        let mut sys = real_sys();
        let mut listener = listen(&mut sys);
        let address = inet(&sys, &listener);
        let peer = TcpStream::connect(address).unwrap();
        let stream = accept(&mut sys, &mut listener);
        sys.close_listener(listener);
        Pair { sys, stream, peer }
    }

    /// As [`new`](Pair::new), with the stream registered under `token`.
    pub(super) fn registered(token: u64, interest: Interest) -> Pair {
        let mut pair = Pair::new();
        pair.sys
            .register(&mut pair.stream, token, interest)
            .unwrap();
        pair
    }

    /// The peer goes with a reset.
    pub(super) fn reset_by_peer(self) -> (Sys, Stream) {
        SockRef::from(&self.peer)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        (self.sys, self.stream)
    }
}

/// An address that a script may be asked to connect to.
pub(super) fn anywhere() -> Address {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into()
}

/// The errno of a call that has to fail.
pub(super) fn errno<T: std::fmt::Debug>(answer: io::Result<T>) -> i32 {
    answer.unwrap_err().raw_os_error().unwrap()
}

pub(super) fn real_sys() -> Sys {
    Sys::new(16).unwrap()
}

pub(super) fn listen(sys: &mut Sys) -> Listener {
    sys.listen((Ipv4Addr::LOCALHOST, 0).into(), 16, false, false)
        .unwrap()
}

/// Where a listener of [`listen`]'s stands.
pub(super) fn inet(sys: &Sys, listener: &Listener) -> SocketAddr {
    let address = sys.listener_address(listener).unwrap();
    address.as_inet().unwrap()
}

/// Accepts the connection that is on its way.
pub(super) fn accept(sys: &mut Sys, listener: &mut Listener) -> Stream {
    insist(|| sys.accept(listener)).0
}

/// Makes `call` until it no longer answers `WouldBlock`: the other side has acted, and the kernel
/// is about to notice.
pub(super) fn insist<T>(mut call: impl FnMut() -> io::Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                assert!(Instant::now() < deadline, "still nothing there");
                std::thread::yield_now();
            }
            answer => return answer.unwrap(),
        }
    }
}

/// Polls until all of `wanted` was reported for `token`, and returns everything that was.
pub(super) fn wait_for(sys: &mut Sys, token: u64, wanted: Readiness) -> Readiness {
    let deadline = Instant::now() + PATIENCE;
    let mut reported = Readiness::empty();
    while !reported.contains(wanted) {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "waited for {wanted:?}, had {reported:?}");
        sys.poll(Some(left), |of, ready| {
            assert_eq!(of, token, "an event of somebody else: {ready:?}");
            reported.insert(ready);
        })
        .unwrap();
    }
    reported
}

/// What a poll that does not wait finds.
pub(super) fn reported_now(sys: &mut Sys) -> Vec<(u64, Readiness)> {
    let mut events = Vec::new();
    sys.poll(Some(Duration::ZERO), |token, ready| {
        events.push((token, ready))
    })
    .unwrap();
    events
}

/// Waits until `stream` itself is in the state that `wanted` describes, without using up an event
/// of the `Sys` under test: a poller of its own watches a copy of the descriptor.
pub(super) fn witness(stream: &Stream, wanted: Readiness) {
    let copy = stream.0.os().as_fd().try_clone_to_owned().unwrap();
    let copy = mio::net::TcpStream::from_std(TcpStream::from(copy));
    let mut copy = Stream(Handle::Os(copy));
    let mut sys = real_sys();
    sys.register(&mut copy, 0, Interest::Read).unwrap();
    wait_for(&mut sys, 0, wanted);
    sys.close(copy);
}
