//! Listeners: opening them, accepting from them, and shedding when there is no descriptor left.
//!
//! Which of accept's errors means "go on", "pause" or "give up" is not known here.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use log::{debug, warn};

use super::handle::Handle;
use super::{Backend, Interest, Stream, Sys, os, uninterrupted};
use crate::Address;

/// A socket that takes connections. Goes back to its [`Sys`] by
/// [`close_listener`](Sys::close_listener). Dropping it closes the descriptor too.
#[derive(Debug)]
pub(crate) struct Listener(pub(super) Handle<os::listener::Listener>);

impl Listener {
    /// The number under which its `Kernel` knows it.
    #[cfg(feature = "sim")]
    pub(crate) fn descriptor(&self) -> u32 {
        self.0.descriptor()
    }
}

impl Sys {
    /// Binds `address` and takes connections from now on; `backlog` of them may wait, as far as the
    /// system allows.
    ///
    /// A port that only old connections still hold (`TIME_WAIT`) can be bound. `reuse_port` shares
    /// the port with other listeners that ask for it too. `ipv6_only` says whether an IPv6 address
    /// takes IPv4 as well; the system's own default is never left to decide.
    ///
    /// # Errors
    ///
    /// That of the step that failed: `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES` from the bind,
    /// `EMFILE` and `EAFNOSUPPORT` from the socket, and so on. Nothing is left open then.
    pub(crate) fn listen(
        &mut self,
        address: SocketAddr,
        backlog: u32,
        reuse_port: bool,
        ipv6_only: bool,
    ) -> io::Result<Listener> {
        self.calls.listen += 1;
        match &mut self.backend {
            Backend::Os(_) => {
                os::listener::listen(address, backlog, reuse_port, ipv6_only).map(Handle::Os)
            }
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel
                .listen(address, backlog, reuse_port, ipv6_only)
                .map(Handle::Kernel),
        }
        .map(Listener)
    }

    /// Takes connections under the name of a local socket; the rights of a path are `mode`, whatever
    /// the umask, from before the first connection on. Never removes what stands there; what it has
    /// made is removed when the listener is closed or dropped, if it is still there.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` for a name that is taken, be it by a socket that nobody listens on any more;
    /// `EINVAL` for one that can't be a name, too long above all; what the file system says.
    pub(crate) fn listen_local(
        &mut self,
        name: &Address,
        backlog: u32,
        mode: u32,
    ) -> io::Result<Listener> {
        self.calls.listen += 1;
        match &mut self.backend {
            Backend::Os(_) => os::local::listen(name, backlog, mode).map(Handle::Os),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => {
                let listening = kernel.listen_local(name, backlog, mode);
                listening.map(Handle::Kernel)
            }
        }
        .map(Listener)
    }

    /// Takes connections from a bound socket that somebody else has opened.
    ///
    /// # Errors
    ///
    /// What says that it is none. A `Kernel` knows no descriptors but its own.
    pub(crate) fn adopt_listener(
        &mut self,
        descriptor: OwnedFd,
        backlog: u32,
    ) -> io::Result<Listener> {
        self.calls.listen += 1;
        match &mut self.backend {
            Backend::Os(_) => {
                os::adopt::listener(descriptor, backlog).map(|it| Listener(Handle::Os(it)))
            }
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(_) => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }

    /// The address that was bound, with the port that was chosen if none was asked for.
    pub(crate) fn listener_address(&self, listener: &Listener) -> io::Result<Address> {
        match &self.backend {
            Backend::Os(_) => os::address::local(&listener.0.os().socket),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.local_address(listener.0.descriptor()),
        }
    }

    /// Begins to report under `token` that connections wait, those that wait already included.
    pub(crate) fn register_listener(
        &mut self,
        listener: &mut Listener,
        token: u64,
    ) -> io::Result<()> {
        self.calls.register += 1;
        match &mut self.backend {
            Backend::Os(os) => {
                os.poller
                    .register(&mut listener.0.os_mut().socket, token, Interest::Read)
            }
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => {
                kernel.register(listener.0.descriptor(), token, Interest::Read)
            }
        }
    }

    /// Takes one connection that waits, with its peer's address: the peer may be gone already, and
    /// then this is the only chance to learn who it was.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when none waits. The others are about the process (`EMFILE`, `ENFILE`,
    /// `ENOBUFS`, `ENOMEM`) or about the one connection that is lost with them (accept(2) has the
    /// list).
    pub(crate) fn accept(&mut self, listener: &mut Listener) -> io::Result<(Stream, Address)> {
        self.calls.accept += 1;
        uninterrupted(|| match &mut self.backend {
            Backend::Os(_) => os::listener::accept(listener.0.os())
                .map(|(stream, peer)| (Stream(Handle::Os(stream)), peer)),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel
                .accept(listener.0.descriptor())
                .map(|(descriptor, peer)| (Stream(Handle::Kernel(descriptor)), peer)),
        })
    }

    /// Closes a listener, registered or not. Connections that wait in it are reset by the kernel.
    pub(crate) fn close_listener(&mut self, mut listener: Listener) {
        self.calls.deregister += 1;
        // Before the close, for the same reason as with a stream.
        let answer = match &mut self.backend {
            Backend::Os(os) => os.poller.deregister(&mut listener.0.os_mut().socket),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.deregister(listener.0.descriptor()),
        };
        if let Err(error) = answer {
            debug!("{listener:?} could not be deregistered: {error}");
        }
        self.calls.close += 1;
        match &mut self.backend {
            Backend::Os(_) => drop(listener),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.close(listener.0.descriptor()),
        }
    }

    /// Takes the spare descriptor, the one kept back for [`shed`](Sys::shed). Holding it already is
    /// success.
    pub(crate) fn hold_spare(&mut self) -> io::Result<()> {
        self.calls.spare += 1;
        match &mut self.backend {
            Backend::Os(os) => os.spare.hold(),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.hold_spare(),
        }
    }

    /// Turns one waiting connection away when no descriptor is left to keep it: the spare is given
    /// up for it, the connection is accepted and closed at once, and the spare is taken back.
    ///
    /// `true` if one was turned away, `false` if none waited. Errors are those of
    /// [`accept`](Sys::accept): an `EMFILE` here says that the spare was lost to somebody else, and
    /// waiting is all that is left.
    pub(crate) fn shed(&mut self, listener: &mut Listener) -> io::Result<bool> {
        let held = self.release_spare();
        let shed = match self.accept(listener) {
            Ok((stream, _)) => {
                self.discard(stream);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        };
        // Only its loss is worth a line, not every failure to get it back.
        if let Err(error) = self.hold_spare()
            && held
        {
            warn!("the spare descriptor is lost, nothing more can be shed without it: {error}");
        }
        shed
    }

    /// Makes room for so many descriptors more than are open now, so that the table does not grow
    /// while they come. Nothing is left open; `EMFILE` if there may not be as many.
    pub(crate) fn grow_descriptor_table(&mut self, more: usize) -> io::Result<()> {
        self.calls.grow += 1;
        match &mut self.backend {
            Backend::Os(os) => os::descriptors::grow_table(os.poller.as_fd(), more),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.grow_descriptor_table(more),
        }
    }

    fn release_spare(&mut self) -> bool {
        self.calls.spare += 1;
        match &mut self.backend {
            Backend::Os(os) => os.spare.release(),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.release_spare(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};

    use socket2::SockRef;

    use super::*;
    use crate::sys::loopback::{
        accept, errno, inet, insist, listen, real_sys, reported_now, wait_for,
    };
    use crate::sys::script::{Accept, Call, Kind, Script};
    use crate::sys::{Calls, Readiness};

    const TOKEN: u64 = 5;

    fn peer() -> SocketAddr {
        (Ipv4Addr::new(192, 0, 2, 1), 4321).into()
    }

    // On the script: the rules.

    fn scripted() -> (Script, Sys, Listener) {
        let script = Script::new();
        let mut sys = script.sys();
        let listener = listen(&mut sys);
        script.take_calls();
        (script, sys, listener)
    }

    #[test]
    fn an_interrupted_accept_is_made_again_and_counts_once() {
        let (script, mut sys, mut listener) = scripted();
        script.on_accept(3, Accept::Err(libc::EINTR));
        script.on_accept(3, Accept::Peer(peer()));
        let (_, from) = sys.accept(&mut listener).unwrap();
        assert_eq!(from, peer());
        assert_eq!(sys.calls.accept, 1);
    }

    #[test]
    fn a_listener_is_deregistered_before_it_is_closed() {
        let (script, mut sys, listener) = scripted();
        sys.close_listener(listener);
        assert_eq!(script.take_calls(), [Call::Deregister(3), Call::Close(3)]);
    }

    #[test]
    fn shedding_gives_the_spare_up_and_takes_it_back() {
        let (script, mut sys, mut listener) = scripted();
        sys.hold_spare().unwrap();
        script.take_calls();
        script.on_accept(3, Accept::Peer(peer()));
        assert!(sys.shed(&mut listener).unwrap());
        let expected = [
            Call::ReleaseSpare,
            Call::Accept(3),
            Call::Close(4),
            Call::HoldSpare,
        ];
        assert_eq!(script.take_calls(), expected);
        assert!(!sys.shed(&mut listener).unwrap(), "nobody waits any more");
    }

    #[test]
    fn a_spare_that_was_lost_is_asked_for_again_the_next_time() {
        let (script, mut sys, mut listener) = scripted();
        sys.hold_spare().unwrap();
        script.on_accept(3, Accept::Peer(peer()));
        script.on_accept(3, Accept::Err(libc::EMFILE));
        script.answer(Kind::HoldSpare, Err(libc::EMFILE));
        assert!(sys.shed(&mut listener).unwrap());
        script.take_calls();
        assert_eq!(errno(sys.shed(&mut listener)), libc::EMFILE);
        assert_eq!(script.take_calls().last(), Some(&Call::HoldSpare));
    }

    // On loopback: the system.

    #[test]
    fn a_waiting_connection_is_reported_and_accepted_with_its_address() {
        let mut sys = real_sys();
        let mut listener = listen(&mut sys);
        let answer = sys.accept(&mut listener).unwrap_err();
        assert_eq!(answer.kind(), io::ErrorKind::WouldBlock);
        let address = inet(&sys, &listener);
        assert_ne!(address.port(), 0);
        let peer = TcpStream::connect(address).unwrap();
        // It came before the registration, and is reported all the same.
        sys.register_listener(&mut listener, TOKEN).unwrap();
        wait_for(&mut sys, TOKEN, Readiness::READ);
        let (stream, from) = sys.accept(&mut listener).unwrap();
        assert_eq!(from, peer.local_addr().unwrap());
        sys.discard(stream);
        sys.close_listener(listener);
        let expected = Calls {
            poll: sys.calls.poll,
            listen: 1,
            accept: 2,
            register: 1,
            deregister: 1,
            close: 2,
            ..Calls::default()
        };
        assert_eq!(sys.calls, expected);
    }

    #[test]
    fn a_port_with_a_live_listener_is_in_use_unless_both_share_it() {
        let mut sys = real_sys();
        let first = listen(&mut sys);
        let address = inet(&sys, &first);
        assert_eq!(
            errno(sys.listen(address, 16, false, false)),
            libc::EADDRINUSE
        );
        assert_eq!(
            errno(sys.listen(address, 16, true, false)),
            libc::EADDRINUSE
        );
        sys.close_listener(first);

        let first = sys
            .listen((Ipv4Addr::LOCALHOST, 0).into(), 16, true, false)
            .unwrap();
        let address = inet(&sys, &first);
        let second = sys.listen(address, 16, true, false).unwrap();
        assert_eq!(sys.listener_address(&second).unwrap(), address);
    }

    #[test]
    fn a_port_that_only_a_closed_connection_holds_can_be_bound() {
        let mut sys = real_sys();
        let mut listener = listen(&mut sys);
        let address = inet(&sys, &listener);
        let mut peer = TcpStream::connect(address).unwrap();
        let stream = accept(&mut sys, &mut listener);
        // We close first, so TIME_WAIT is ours.
        sys.discard(stream);
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        drop(peer);
        sys.close_listener(listener);
        let again = sys.listen(address, 16, false, false).unwrap();
        sys.close_listener(again);
    }

    #[test]
    fn ipv6_only_is_set_both_ways() {
        let mut sys = real_sys();
        for ipv6_only in [false, true] {
            let any = (Ipv6Addr::UNSPECIFIED, 0).into();
            let listener = match sys.listen(any, 16, false, ipv6_only) {
                Ok(listener) => listener,
                // A machine without IPv6 has nothing to show here.
                Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => return,
                Err(error) => panic!("{error}"),
            };
            assert_eq!(
                SockRef::from(&listener.0.os().socket).only_v6().unwrap(),
                ipv6_only
            );
            sys.close_listener(listener);
        }
    }

    #[test]
    fn a_shed_connection_sees_its_end_at_once() {
        let mut sys = real_sys();
        let mut listener = listen(&mut sys);
        sys.hold_spare().unwrap();
        let address = inet(&sys, &listener);
        let mut peer = TcpStream::connect(address).unwrap();
        insist(|| match sys.shed(&mut listener)? {
            true => Ok(()),
            false => Err(io::ErrorKind::WouldBlock.into()),
        });
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        assert!(!sys.shed(&mut listener).unwrap());
    }

    #[test]
    fn a_closed_listener_is_silent() {
        let mut sys = real_sys();
        let mut listener = listen(&mut sys);
        sys.register_listener(&mut listener, TOKEN).unwrap();
        let address = inet(&sys, &listener);
        let _peer = TcpStream::connect(address).unwrap();
        sys.close_listener(listener);
        assert_eq!(reported_now(&mut sys), []);
    }
}
