//! Connections that stand: bytes, their registration and their end.
//!
//! Knows in which order a connection is given up, but not when: that is `connection/`.

use std::io::{self, IoSlice};

use log::debug;

use super::handle::Handle;
use super::{Backend, Interest, Sys, os, uninterrupted};
use crate::Address;

/// A connection, or one that is being made.
///
/// Whatever family it is of, it is a `TcpStream` to mio: reading, writing, watching and closing a
/// stream are the same calls for all, one type keeps it at four bytes in each entry, and the hot
/// path has nothing to choose. What does differ (addresses, options) is asked through socket2,
/// which looks at the family. No call of std's may be made on it that takes TCP for granted.
///
/// Goes back to its [`Sys`] by [`close`](Sys::close), [`abort`](Sys::abort) or
/// [`discard`](Sys::discard). Dropping it closes the descriptor too, but leaves it registered, and
/// if another process holds a copy the poller goes on reporting it under its old token.
#[derive(Debug)]
pub(crate) struct Stream(pub(super) Handle<mio::net::TcpStream>);

impl Stream {
    /// The number under which its `Kernel` knows it.
    #[cfg(feature = "sim")]
    pub(crate) fn descriptor(&self) -> u32 {
        self.0.descriptor()
    }
}

// With mio's debug assertions and the second backend it is more.
#[cfg(not(any(test, feature = "sim", debug_assertions)))]
const _: () = assert!(
    size_of::<Stream>() == 4 && size_of::<Option<Stream>>() == 4,
    "a stream is its descriptor: there is one in each connection's entry"
);

/// The most pieces that one vectored write may carry, as Linux, macOS and the BSDs have it. With
/// more the call does not write less, it fails.
const MOST_BUFFERS: usize = 1024;

impl Sys {
    /// Begins to report the readiness of `stream` under `token`, with what is true already.
    pub(crate) fn register(
        &mut self,
        stream: &mut Stream,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        self.calls.register += 1;
        match &mut self.backend {
            Backend::Os(os) => os.poller.register(stream.0.os_mut(), token, interest),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.register(stream.0.descriptor(), token, interest),
        }
    }

    /// Changes what is reported; whatever of it is true now is reported again.
    pub(crate) fn reregister(
        &mut self,
        stream: &mut Stream,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        self.calls.reregister += 1;
        match &mut self.backend {
            Backend::Os(os) => os.poller.reregister(stream.0.os_mut(), token, interest),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.reregister(stream.0.descriptor(), token, interest),
        }
    }

    /// Reads what is there into `buffer`; 0 is the end of input, if `buffer` is not empty.
    #[inline]
    pub(crate) fn read(&mut self, stream: &mut Stream, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls.read += 1;
        uninterrupted(|| match &mut self.backend {
            Backend::Os(_) => os::stream::read(stream.0.os_mut(), buffer),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.read(stream.0.descriptor(), buffer),
        })
    }

    /// Writes as much of `bytes` as the kernel takes. A peer that is gone is `EPIPE`, never a
    /// signal.
    #[inline]
    pub(crate) fn write(&mut self, stream: &mut Stream, bytes: &[u8]) -> io::Result<usize> {
        self.calls.write += 1;
        uninterrupted(|| match &mut self.backend {
            Backend::Os(_) => os::stream::write(stream.0.os(), bytes),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.write(stream.0.descriptor(), bytes),
        })
    }

    /// Writes `buffers` one after the other, as much as the kernel takes: as [`write`](Sys::write),
    /// in one call.
    #[inline]
    pub(crate) fn write_vectored(
        &mut self,
        stream: &mut Stream,
        buffers: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.calls.write_vectored += 1;
        let buffers = &buffers[..buffers.len().min(MOST_BUFFERS)];
        uninterrupted(|| match &mut self.backend {
            Backend::Os(_) => os::stream::write_vectored(stream.0.os(), buffers),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.write_vectored(stream.0.descriptor(), buffers),
        })
    }

    /// Sends the FIN behind the bytes that the kernel has taken.
    pub(crate) fn shutdown_write(&mut self, stream: &Stream) -> io::Result<()> {
        self.calls.shutdown += 1;
        match &mut self.backend {
            Backend::Os(_) => os::stream::shutdown_write(stream.0.os()),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.shutdown_write(stream.0.descriptor()),
        }
    }

    /// The address on our side.
    pub(crate) fn local_address(&self, stream: &Stream) -> io::Result<Address> {
        match &self.backend {
            Backend::Os(_) => os::address::local(stream.0.os()),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.local_address(stream.0.descriptor()),
        }
    }

    /// Closes a registered stream. The kernel still sends what it has taken, unless bytes of the
    /// peer lie unread: then it resets the connection instead.
    pub(crate) fn close(&mut self, mut stream: Stream) {
        self.deregister(&mut stream);
        self.discard(stream);
    }

    /// Closes a registered stream with a reset: what the kernel has not sent yet is lost, and so is
    /// what the peer sends.
    pub(crate) fn abort(&mut self, stream: Stream) {
        if let Err(error) = self.reset_on_close(&stream) {
            debug!("{stream:?} closes without a reset: {error}");
        }
        self.close(stream);
    }

    /// Closes a stream that was never registered: refused right after accept, or its registration
    /// failed.
    pub(crate) fn discard(&mut self, stream: Stream) {
        self.calls.close += 1;
        match &mut self.backend {
            Backend::Os(_) => drop(stream),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.close(stream.0.descriptor()),
        }
    }

    // Before the close, always: a forked child may hold a copy of the descriptor, and then closing
    // ours does not end the reports, while nobody could deregister it any more.
    fn deregister(&mut self, stream: &mut Stream) {
        self.calls.deregister += 1;
        let answer = match &mut self.backend {
            Backend::Os(os) => os.poller.deregister(stream.0.os_mut()),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.deregister(stream.0.descriptor()),
        };
        if let Err(error) = answer {
            debug!("{stream:?} could not be deregistered: {error}");
        }
    }

    /// The error that waits on a stream whose readiness told of one; it is gone then.
    pub(crate) fn take_error(&mut self, stream: &Stream) -> io::Result<Option<io::Error>> {
        self.calls.get_option += 1;
        match &mut self.backend {
            Backend::Os(_) => stream.0.os().take_error(),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.take_error(stream.0.descriptor()),
        }
    }

    fn reset_on_close(&mut self, stream: &Stream) -> io::Result<()> {
        self.calls.set_option += 1;
        match &mut self.backend {
            Backend::Os(_) => os::stream::reset_on_close(stream.0.os()),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.reset_on_close(stream.0.descriptor()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use socket2::SockRef;

    use super::*;
    use crate::sys::loopback::{Pair, anywhere, errno, listen, reported_now, wait_for, witness};
    use crate::sys::script::{self, Call, Kind, Script};
    use crate::sys::{Calls, Readiness};

    const TOKEN: u64 = 7 << 32 | 1;

    // On the script: the rules.

    #[test]
    fn an_interrupted_call_is_made_again_and_counts_once() {
        let script = Script::new();
        let mut sys = script.sys();
        let mut stream = sys.connect(&anywhere(), None, None).unwrap();
        script.on_read(3, script::Read::Err(libc::EINTR));
        script.on_read(3, script::Read::Data(b"abc".to_vec()));
        script.on_write(3, script::Write::Err(libc::EINTR));
        script.on_write(3, script::Write::Takes(1));
        assert_eq!(sys.read(&mut stream, &mut [0; 8]).unwrap(), 3);
        assert_eq!(sys.write(&mut stream, b"xyz").unwrap(), 1);
        assert_eq!((sys.calls.read, sys.calls.write), (1, 1));
        assert_eq!(script.written(3), b"x");
    }

    #[test]
    fn close_and_abort_deregister_before_they_close() {
        let script = Script::new();
        let mut sys = script.sys();
        type End = fn(&mut Sys, Stream);
        let ends: [(End, &[Call]); 3] = [
            (Sys::close, &[Call::Deregister(3), Call::Close(3)]),
            (
                Sys::abort,
                &[Call::ResetOnClose(3), Call::Deregister(3), Call::Close(3)],
            ),
            (Sys::discard, &[Call::Close(3)]),
        ];
        for (end, expected) in ends {
            let mut stream = sys.connect(&anywhere(), None, None).unwrap();
            sys.register(&mut stream, TOKEN, Interest::Read).unwrap();
            script.take_calls();
            end(&mut sys, stream);
            assert_eq!(script.take_calls(), expected);
            assert_eq!(script.open_descriptors(), []);
        }
        let expected = Calls {
            connect: 3,
            register: 3,
            set_option: 1,
            deregister: 2,
            close: 3,
            ..Calls::default()
        };
        assert_eq!(sys.calls, expected);
    }

    #[test]
    fn abort_closes_even_if_every_call_before_fails() {
        let script = Script::new();
        let mut sys = script.sys();
        let stream = sys.connect(&anywhere(), None, None).unwrap();
        script.answer(Kind::SetOption, Err(libc::EINVAL));
        script.answer(Kind::Deregister, Err(libc::ENOENT));
        sys.abort(stream);
        assert_eq!(script.open_descriptors(), []);
    }

    #[test]
    fn a_vectored_write_offers_no_more_buffers_than_a_call_may_carry() {
        let script = Script::new();
        let mut sys = script.sys();
        let mut stream = sys.connect(&anywhere(), None, None).unwrap();
        let buffers = vec![IoSlice::new(b"ab"); MOST_BUFFERS + 1];
        let taken = sys.write_vectored(&mut stream, &buffers).unwrap();
        assert_eq!(taken, 2 * MOST_BUFFERS);
    }

    // On loopback: the system.

    #[test]
    fn bytes_travel_both_ways_and_the_fin_is_a_read_of_nothing() {
        let Pair {
            mut sys,
            mut stream,
            mut peer,
        } = Pair::registered(TOKEN, Interest::Read);
        peer.write_all(b"hello").unwrap();
        wait_for(&mut sys, TOKEN, Readiness::READ);
        let mut buffer = [0; 16];
        assert_eq!(sys.read(&mut stream, &mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"hello");
        let answer = sys.read(&mut stream, &mut buffer).unwrap_err();
        assert_eq!(answer.kind(), io::ErrorKind::WouldBlock);

        assert_eq!(sys.write(&mut stream, b"one ").unwrap(), 4);
        let pieces = [
            IoSlice::new(b"two "),
            IoSlice::new(b""),
            IoSlice::new(b"three"),
        ];
        assert_eq!(sys.write_vectored(&mut stream, &pieces).unwrap(), 9);
        sys.shutdown_write(&stream).unwrap();
        let mut heard = String::new();
        peer.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "one two three");

        drop(peer);
        wait_for(
            &mut sys,
            TOKEN,
            Readiness::READ.with(Readiness::READ_CLOSED),
        );
        assert_eq!(sys.read(&mut stream, &mut buffer).unwrap(), 0);
        sys.close(stream);
    }

    #[test]
    fn a_reset_is_told_once_and_then_a_vectored_write_fails_without_a_signal() {
        let (mut sys, mut stream) = Pair::registered(TOKEN, Interest::Read).reset_by_peer();
        let everything = Readiness::READ
            .with(Readiness::WRITE)
            .with(Readiness::READ_CLOSED)
            .with(Readiness::ERROR);
        wait_for(&mut sys, TOKEN, everything);
        assert_eq!(errno(sys.read(&mut stream, &mut [0; 8])), libc::ECONNRESET);
        assert_eq!(sys.read(&mut stream, &mut [0; 8]).unwrap(), 0);
        assert_eq!(errno(sys.write(&mut stream, b"x")), libc::EPIPE);
        assert_eq!(
            errno(sys.write_vectored(&mut stream, &[IoSlice::new(b"x")])),
            libc::EPIPE
        );
        sys.close(stream);
    }

    #[test]
    fn abort_resets_and_close_does_not() {
        let Pair {
            mut sys,
            stream,
            mut peer,
        } = Pair::registered(TOKEN, Interest::Read);
        sys.abort(stream);
        assert_eq!(errno(peer.read(&mut [0; 8])), libc::ECONNRESET);

        let Pair {
            mut sys,
            stream,
            mut peer,
        } = Pair::registered(TOKEN, Interest::Read);
        sys.close(stream);
        assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn a_change_of_interest_reports_again_what_is_true() {
        let Pair {
            mut sys,
            mut stream,
            mut peer,
        } = Pair::registered(TOKEN, Interest::Read);
        peer.write_all(b"hello").unwrap();
        wait_for(&mut sys, TOKEN, Readiness::READ);
        assert_eq!(reported_now(&mut sys), [], "an edge is told once");
        sys.reregister(&mut stream, TOKEN, Interest::ReadWrite)
            .unwrap();
        let both = Readiness::READ.with(Readiness::WRITE);
        assert_eq!(reported_now(&mut sys), [(TOKEN, both)]);
        sys.close(stream);
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn a_parked_stream_sleeps_through_bytes_and_a_fin_and_is_told_of_them_on_its_way_back() {
        let Pair {
            mut sys,
            mut stream,
            mut peer,
        } = Pair::registered(TOKEN, Interest::Parked);
        peer.write_all(b"hello").unwrap();
        witness(&stream, Readiness::READ);
        assert_eq!(reported_now(&mut sys), []);
        drop(peer);
        witness(&stream, Readiness::READ.with(Readiness::READ_CLOSED));
        assert_eq!(reported_now(&mut sys), []);
        sys.reregister(&mut stream, TOKEN, Interest::Read).unwrap();
        let end = Readiness::READ.with(Readiness::READ_CLOSED);
        assert_eq!(reported_now(&mut sys), [(TOKEN, end)]);
        sys.close(stream);
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn a_parked_stream_is_woken_once_by_a_reset() {
        let mut pair = Pair::registered(TOKEN, Interest::Parked);
        pair.peer.write_all(b"hello").unwrap();
        witness(&pair.stream, Readiness::READ);
        let (mut sys, mut stream) = pair.reset_by_peer();
        let gone = Readiness::READ_CLOSED.with(Readiness::ERROR);
        wait_for(&mut sys, TOKEN, gone);
        assert_eq!(reported_now(&mut sys), []);
        // On Linux what had come before the reset can still be read, and then the reset is told.
        assert_eq!(sys.read(&mut stream, &mut [0; 8]).unwrap(), 5);
        assert_eq!(errno(sys.read(&mut stream, &mut [0; 8])), libc::ECONNRESET);
        sys.close(stream);
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn an_urgent_byte_tells_nobody_anything() {
        let Pair {
            mut sys,
            stream,
            peer,
        } = Pair::registered(TOKEN, Interest::Parked);
        SockRef::from(&peer).send_out_of_band(b"!").unwrap();
        SockRef::from(&peer).send(b"hello").unwrap();
        witness(&stream, Readiness::READ);
        let reported = reported_now(&mut sys);
        assert!(
            reported.iter().all(|(_, ready)| ready.is_empty()),
            "{reported:?}"
        );
        sys.close(stream);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn nothing_that_is_opened_outlives_an_exec_and_no_socket_blocks() {
        use std::os::fd::AsRawFd;

        let mut pair = Pair::new();
        let listener = listen(&mut pair.sys);
        let address = pair.sys.listener_address(&listener).unwrap();
        let connecting = pair.sys.connect(&address, None, None).unwrap();

        let flags = |descriptor: i32| {
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).unwrap();
            let flags = info
                .lines()
                .find_map(|line| line.strip_prefix("flags:"))
                .unwrap();
            i32::from_str_radix(flags.trim(), 8).unwrap()
        };
        let accepted = pair.stream.0.os().as_raw_fd();
        for socket in [
            accepted,
            connecting.0.os().as_raw_fd(),
            listener.0.os().socket.as_raw_fd(),
        ] {
            let both = libc::O_NONBLOCK | libc::O_CLOEXEC;
            assert_eq!(flags(socket) & both, both);
        }
        let poller = pair.sys.as_fd().as_raw_fd();
        assert_eq!(flags(poller) & libc::O_CLOEXEC, libc::O_CLOEXEC);
    }
}
