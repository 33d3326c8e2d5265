//! What the kernel keeps for a connection and does by itself: no-delay, keep-alive, type of service.

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
    use socket2::SockRef;

    use crate::sys::loopback::Pair;

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
}
