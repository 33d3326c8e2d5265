//! Streams that are opened: bound, connected, or taken over from somebody else.
//!
//! The kernel's ways of saying that a connect is over are known here and nowhere else.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use super::handle::Handle;
use super::{Backend, Stream, Sys, os};
use crate::Address;

impl Sys {
    /// Opens a stream that has a local address, to be connected from there; it is not to be
    /// registered before.
    ///
    /// A port that only old connections still hold (`TIME_WAIT`) can be bound.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, no descriptor. Nothing is left open then.
    pub(crate) fn bind(&mut self, local: SocketAddr) -> io::Result<Stream> {
        self.calls.bind += 1;
        match &mut self.backend {
            Backend::Os(_) => os::stream::bind(local).map(Handle::Os),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.bind(local).map(Handle::Kernel),
        }
        .map(Stream)
    }

    /// Begins to connect to `peer`, from where `bound` stands if it is given;
    /// [`finish_connect`](Sys::finish_connect) tells how it went. A type of service goes out with
    /// the first packet already; that it can't be set is no reason not to connect.
    ///
    /// # Errors
    ///
    /// What is known at once: no descriptor, no route, no local port, and all that can go wrong
    /// with a local socket. Nothing is left open then, `bound` neither.
    pub(crate) fn connect(
        &mut self,
        peer: &Address,
        bound: Option<Stream>,
        type_of_service: Option<u8>,
    ) -> io::Result<Stream> {
        self.calls.connect += 1;
        match &mut self.backend {
            Backend::Os(_) => {
                let bound = bound.map(|stream| stream.0.into_os());
                os::stream::connect(peer, bound, type_of_service).map(Handle::Os)
            }
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => {
                let bound = bound.map(|stream| stream.0.descriptor());
                let connected = kernel.connect(peer, bound, type_of_service);
                connected.map(Handle::Kernel)
            }
        }
        .map(Stream)
    }

    /// To be asked when a connecting stream is reported writable: `true` it is connected, `false`
    /// wait on.
    ///
    /// # Errors
    ///
    /// Why the connect failed. The kernel tells it once.
    ///
    /// `ECONNREFUSED` also for a socket that has met itself: with nobody listening, the kernel may
    /// choose the very port that is connected to, and then everything written would come back
    /// (P13).
    pub(crate) fn finish_connect(&mut self, stream: &Stream) -> io::Result<bool> {
        if let Some(error) = self.take_error(stream)? {
            return Err(error);
        }
        // Writable without an error is not connected yet: only a socket that has a peer is.
        match self.peer_address(stream) {
            Ok(peer) if self.has_met_itself(stream, &peer) => {
                Err(io::Error::from_raw_os_error(libc::ECONNREFUSED))
            }
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes over a connected socket that somebody else has opened, and tells to whom it is
    /// connected.
    ///
    /// # Errors
    ///
    /// What says that it is none. A `Kernel` knows no descriptors but its own.
    pub(crate) fn adopt(&mut self, descriptor: OwnedFd) -> io::Result<(Stream, Address)> {
        self.calls.get_peer += 1;
        match &mut self.backend {
            Backend::Os(_) => os::adopt::stream(descriptor)
                .map(|(stream, peer)| (Stream(Handle::Os(stream)), peer)),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(_) => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }

    // Beyond loopback it takes an address of this machine's own that is connected to: as rare as it
    // gets, and not worth a call for each connect.
    fn has_met_itself(&self, stream: &Stream, peer: &Address) -> bool {
        peer.ip().is_some_and(|ip| ip.is_loopback())
            && self.local_address(stream).is_ok_and(|local| local == *peer)
    }

    fn peer_address(&mut self, stream: &Stream) -> io::Result<Address> {
        self.calls.get_peer += 1;
        match &mut self.backend {
            Backend::Os(_) => os::address::peer(stream.0.os()),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.peer_address(stream.0.descriptor()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use socket2::{Domain, SockRef, Socket, Type};

    use super::*;
    use crate::sys::loopback::{anywhere, errno, real_sys, wait_for};
    use crate::sys::script::{Call, Connect, Script};
    use crate::sys::{Interest, Readiness};

    const TOKEN: u64 = 7 << 32 | 1;

    #[test]
    fn writable_is_not_connected_until_there_is_a_peer() {
        let script = Script::new();
        let mut sys = script.sys();
        let stream = sys.connect(&anywhere(), None, None).unwrap();
        script.on_finish_connect(3, Connect::UnderWay);
        assert!(!sys.finish_connect(&stream).unwrap());
        assert!(sys.finish_connect(&stream).unwrap());
    }

    #[test]
    fn a_failed_connect_tells_why_and_does_not_ask_for_the_peer() {
        let script = Script::new();
        let mut sys = script.sys();
        let stream = sys.connect(&anywhere(), None, None).unwrap();
        script.on_finish_connect(3, Connect::Err(libc::ETIMEDOUT));
        assert_eq!(errno(sys.finish_connect(&stream)), libc::ETIMEDOUT);
        assert_eq!(script.calls().last(), Some(&Call::TakeError(3)));
    }

    #[test]
    fn a_connect_is_writable_with_a_peer_and_a_local_address() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut sys = real_sys();
        let mut stream = sys
            .connect(&listener.local_addr().unwrap().into(), None, None)
            .unwrap();
        sys.register(&mut stream, TOKEN, Interest::ReadWrite)
            .unwrap();
        wait_for(&mut sys, TOKEN, Readiness::WRITE);
        assert!(sys.finish_connect(&stream).unwrap());
        let (_peer, address) = listener.accept().unwrap();
        assert_eq!(sys.local_address(&stream).unwrap(), address);
        sys.close(stream);
    }

    #[test]
    fn b7_a_socket_that_has_met_itself_is_refused() {
        let mut sys = real_sys();
        let bound = sys.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let own = sys.local_address(&bound).unwrap();
        let mut stream = sys.connect(&own, Some(bound), None).unwrap();
        sys.register(&mut stream, TOKEN, Interest::ReadWrite)
            .unwrap();
        wait_for(&mut sys, TOKEN, Readiness::WRITE);
        assert_eq!(errno(sys.finish_connect(&stream)), libc::ECONNREFUSED);
        sys.close(stream);
    }

    #[test]
    fn a_type_of_service_is_set_before_the_connect_and_kept() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut sys = real_sys();
        let address = listener.local_addr().unwrap().into();
        let stream = sys.connect(&address, None, Some(0x20)).unwrap();
        assert_eq!(SockRef::from(stream.0.os()).tos_v4().unwrap(), 0x20);
        sys.discard(stream);
    }

    #[test]
    fn a_refused_connect_fails_when_it_is_finished() {
        // Bound and not listening, so that nobody else can have the port, our own side included.
        let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        deaf.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
            .unwrap();
        let address = deaf.local_addr().unwrap().as_socket().unwrap();
        let mut sys = real_sys();
        let mut stream = sys.connect(&address.into(), None, None).unwrap();
        sys.register(&mut stream, TOKEN, Interest::ReadWrite)
            .unwrap();
        wait_for(&mut sys, TOKEN, Readiness::WRITE.with(Readiness::ERROR));
        assert_eq!(errno(sys.finish_connect(&stream)), libc::ECONNREFUSED);
        sys.close(stream);
    }
}
