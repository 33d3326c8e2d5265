//! What the kernel keeps for a connection and does by itself: when it sends and acknowledges, how it
//! probes, what its packets ask for.

use std::io;

use super::{Backend, Stream, Sys, os};

impl Sys {
    /// Whether small writes leave at once (`TCP_NODELAY`).
    pub(crate) fn set_no_delay(&mut self, stream: &Stream, on: bool) -> io::Result<()> {
        self.calls.set_option += 1;
        match &mut self.backend {
            Backend::Os(_) => stream.0.os().set_nodelay(on),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.set_no_delay(stream.0.descriptor(), on),
        }
    }

    /// Whether what comes is acknowledged at once (`TCP_QUICKACK`), until the kernel changes its mind.
    pub(crate) fn set_quick_ack(&mut self, stream: &Stream, on: bool) -> io::Result<()> {
        self.calls.set_option += 1;
        match &mut self.backend {
            Backend::Os(_) => os::stream::set_quick_ack(stream.0.os(), on),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.set_quick_ack(stream.0.descriptor(), on),
        }
    }

    /// How many bytes the kernel takes that it cannot send yet (`TCP_NOTSENT_LOWAT`); 0 leaves it
    /// to the system.
    pub(crate) fn set_not_sent_low_water_mark(
        &mut self,
        stream: &Stream,
        bytes: u32,
    ) -> io::Result<()> {
        self.calls.set_option += 1;
        match &mut self.backend {
            Backend::Os(_) => os::stream::set_not_sent_low_water_mark(stream.0.os(), bytes),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => {
                kernel.set_not_sent_low_water_mark(stream.0.descriptor(), bytes)
            }
        }
    }

    /// Whether a silent peer is probed (`SO_KEEPALIVE`). With an initial delay, the first probe
    /// goes out after that much silence and ten follow a second apart, as Node does it; without,
    /// the system's times stay.
    pub(crate) fn set_keep_alive(
        &mut self,
        stream: &Stream,
        on: bool,
        initial_delay_secs: Option<u32>,
    ) -> io::Result<()> {
        self.calls.set_option += 1;
        match &mut self.backend {
            Backend::Os(_) => os::stream::set_keep_alive(stream.0.os(), on, initial_delay_secs),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => {
                kernel.set_keep_alive(stream.0.descriptor(), on, initial_delay_secs)
            }
        }
    }

    /// What the packets ask of the network (`IP_TOS`, `IPV6_TCLASS`).
    pub(crate) fn set_type_of_service(&mut self, stream: &Stream, value: u8) -> io::Result<()> {
        self.calls.set_option += 1;
        match &mut self.backend {
            Backend::Os(_) => os::stream::set_type_of_service(stream.0.os(), value),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.set_type_of_service(stream.0.descriptor(), value),
        }
    }

    pub(crate) fn type_of_service(&self, stream: &Stream) -> io::Result<u8> {
        match &self.backend {
            Backend::Os(_) => os::stream::type_of_service(stream.0.os()),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.type_of_service(stream.0.descriptor()),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    use std::os::unix::net::UnixStream;

    use socket2::SockRef;

    use crate::sys::loopback::Pair;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    use crate::sys::loopback::real_sys;

    #[test]
    fn options_reach_the_socket() {
        let Pair {
            mut sys,
            stream,
            peer: _peer,
        } = Pair::new();
        let socket = SockRef::from(stream.0.os());
        sys.set_no_delay(&stream, true).unwrap();
        assert!(socket.tcp_nodelay().unwrap());
        sys.set_keep_alive(&stream, true, Some(90)).unwrap();
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap().as_secs(), 90);
        sys.set_keep_alive(&stream, false, Some(10)).unwrap();
        assert!(!socket.keepalive().unwrap());
        sys.set_keep_alive(&stream, true, None).unwrap();
        assert!(socket.keepalive().unwrap());
        assert_eq!(
            socket.tcp_keepalive_time().unwrap().as_secs(),
            90,
            "left as it was"
        );
        sys.discard(stream);
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn when_to_acknowledge_and_how_much_to_take_reach_the_socket() {
        let Pair {
            mut sys,
            stream,
            peer: _peer,
        } = Pair::new();
        let socket = SockRef::from(stream.0.os());
        for on in [false, true, false] {
            sys.set_quick_ack(&stream, on).unwrap();
            assert_eq!(socket.tcp_quickack().unwrap(), on);
        }
        for bytes in [16 * 1024, u32::MAX, 0] {
            sys.set_not_sent_low_water_mark(&stream, bytes).unwrap();
            assert_eq!(socket.tcp_notsent_lowat().unwrap(), bytes);
        }
        assert_eq!(sys.calls.set_option, 6);
        sys.discard(stream);
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn a_local_socket_has_no_settings_of_tcp() {
        let mut sys = real_sys();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (stream, _) = sys.adopt(ours.into()).unwrap();
        assert!(sys.set_no_delay(&stream, true).is_err());
        assert!(sys.set_quick_ack(&stream, true).is_err());
        assert!(sys.set_not_sent_low_water_mark(&stream, 1).is_err());
        sys.discard(stream);
    }
}
