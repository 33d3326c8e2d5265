//! One host's kernel, as its loop sees it: every call goes into the trace and may be made to fail.
//!
//! What the calls do stands in `network`; here is only what an answer is turned into before the
//! loop gets it.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::injection::Call;
use super::network::Network;
use super::trace::{Kind, errno_outcome};
use crate::Address;
use crate::sys::{Bell, Interest, Job, Kernel, Pool, Readiness};

/// The kernel of one host.
pub(super) struct HostKernel {
    network: Rc<RefCell<Network>>,
    host: usize,
    event_capacity: usize,
}

impl HostKernel {
    pub(super) fn new(
        network: Rc<RefCell<Network>>,
        host: usize,
        event_capacity: usize,
    ) -> HostKernel {
        HostKernel {
            network,
            host,
            event_capacity,
        }
    }

    /// Makes a call: `answer` gives its outcome as a number for the trace, or an errno.
    fn call(
        &self,
        kind: Kind,
        about: u64,
        answer: impl FnOnce(&mut Network, usize) -> Result<u64, i32>,
    ) -> io::Result<u64> {
        let mut network = self.network.borrow_mut();
        let answer = answer(&mut network, self.host);
        let outcome = match answer {
            Ok(number) => number,
            Err(errno) => errno_outcome(errno),
        };
        network.trace.note(kind, self.host, about, outcome);
        answer.map_err(io::Error::from_raw_os_error)
    }
}

impl Kernel for HostKernel {
    fn now(&self) -> u64 {
        self.network.borrow().host_clock(self.host)
    }

    /// Never sleeps: the world moves the time, when every loop would.
    fn poll(
        &mut self,
        _timeout: Option<Duration>,
        each: &mut dyn FnMut(u64, Readiness),
    ) -> io::Result<()> {
        let mut events = Vec::new();
        let capacity = self.event_capacity;
        self.call(Kind::Poll, 0, |network, host| {
            network.enter(host, Call::Poll)?;
            events = network.poll(host, capacity);
            Ok(events.len() as u64)
        })?;
        for (token, ready) in events {
            let mut network = self.network.borrow_mut();
            network
                .trace
                .note(Kind::Event, self.host, token, ready.bits().into());
            drop(network);
            each(token, ready);
        }
        Ok(())
    }

    fn register(&mut self, descriptor: u32, token: u64, interest: Interest) -> io::Result<()> {
        self.call(Kind::Register, descriptor.into(), |network, host| {
            network.enter(host, Call::Register)?;
            network.register(host, descriptor, token, interest)?;
            Ok(interest as u64)
        })?;
        Ok(())
    }

    fn reregister(&mut self, descriptor: u32, token: u64, interest: Interest) -> io::Result<()> {
        self.call(Kind::Reregister, descriptor.into(), |network, host| {
            network.enter(host, Call::Reregister)?;
            network.reregister(host, descriptor, token, interest)?;
            Ok(interest as u64)
        })?;
        Ok(())
    }

    fn deregister(&mut self, descriptor: u32) -> io::Result<()> {
        self.call(Kind::Deregister, descriptor.into(), |network, host| {
            let verdict = network.enter(host, Call::Deregister);
            network.deregister(host, descriptor)?;
            verdict.map(|()| 0)
        })?;
        Ok(())
    }

    fn listen(
        &mut self,
        address: SocketAddr,
        backlog: u32,
        reuse_port: bool,
        ipv6_only: bool,
    ) -> io::Result<u32> {
        let descriptor = self.call(Kind::Listen, address.port().into(), |network, host| {
            network.enter(host, Call::Listen)?;
            let descriptor = network.listen(host, address, backlog, reuse_port, ipv6_only)?;
            Ok(descriptor.into())
        })?;
        Ok(descriptor as u32)
    }

    fn listen_local(&mut self, name: &Address, backlog: u32, _mode: u32) -> io::Result<u32> {
        let descriptor = self.call(Kind::Listen, 0, |network, host| {
            network.enter(host, Call::Listen)?;
            Ok(network.listen_local(host, name, backlog)?.into())
        })?;
        Ok(descriptor as u32)
    }

    fn accept(&mut self, listener: u32) -> io::Result<(u32, Address)> {
        let mut accepted = None;
        self.call(Kind::Accept, listener.into(), |network, host| {
            let (descriptor, remote) = network.accept_or_fail(host, listener)?;
            let port = remote.port().unwrap_or(0);
            accepted = Some((descriptor, remote));
            Ok(u64::from(descriptor) << 16 | u64::from(port))
        })?;
        accepted.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn bind(&mut self, local: SocketAddr) -> io::Result<u32> {
        let descriptor = self.call(Kind::Bind, local.port().into(), |network, host| {
            network.enter(host, Call::Bind)?;
            Ok(network.bind(host, local)?.into())
        })?;
        Ok(descriptor as u32)
    }

    fn connect(
        &mut self,
        peer: &Address,
        bound: Option<u32>,
        _type_of_service: Option<u8>,
    ) -> io::Result<u32> {
        let port = peer.port().unwrap_or(0);
        let descriptor = self.call(Kind::Connect, port.into(), |network, host| {
            let verdict = network.enter(host, Call::Connect);
            if let (Some(bound), true) = (bound, verdict.is_err() || peer.as_inet().is_none()) {
                network.close(host, bound);
            }
            verdict?;
            Ok(match peer.as_inet() {
                Some(address) => network.connect(host, address, bound)?.into(),
                None => network.connect_local(host, peer)?.into(),
            })
        })?;
        Ok(descriptor as u32)
    }

    fn read(&mut self, stream: u32, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.call(Kind::Read, stream.into(), |network, host| {
            Ok(network.read_or_fail(host, stream, buffer)? as u64)
        })?;
        Ok(read as usize)
    }

    fn write(&mut self, stream: u32, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.call(Kind::Write, stream.into(), |network, host| {
            Ok(network.write_or_fail(host, stream, bytes)? as u64)
        })?;
        Ok(taken as usize)
    }

    fn write_vectored(&mut self, stream: u32, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let buffers: Vec<&[u8]> = buffers.iter().map(|buffer| &**buffer).collect();
        self.write(stream, &buffers.concat())
    }

    fn shutdown_write(&mut self, stream: u32) -> io::Result<()> {
        self.call(Kind::Shutdown, stream.into(), |network, host| {
            network.shutdown_or_fail(host, stream)?;
            Ok(0)
        })?;
        Ok(())
    }

    fn take_error(&mut self, stream: u32) -> io::Result<Option<io::Error>> {
        let errno = self.call(Kind::TakeError, stream.into(), |network, host| {
            network.enter(host, Call::TakeError)?;
            let errno = network.take_error(host, stream);
            Ok(u64::from(errno.unwrap_or(0).unsigned_abs()))
        })?;
        Ok((errno > 0).then(|| io::Error::from_raw_os_error(errno as i32)))
    }

    fn local_address(&self, descriptor: u32) -> io::Result<Address> {
        let mut network = self.network.borrow_mut();
        let verdict = network.enter(self.host, Call::LocalAddress);
        verdict
            .and_then(|()| {
                network
                    .local_address(self.host, descriptor)
                    .ok_or(libc::EBADF)
            })
            .map_err(io::Error::from_raw_os_error)
    }

    fn peer_address(&mut self, stream: u32) -> io::Result<Address> {
        let mut address = None;
        self.call(Kind::PeerAddress, stream.into(), |network, host| {
            network.enter(host, Call::PeerAddress)?;
            let peer = network.peer_address(host, stream)?;
            let port = peer.port().unwrap_or(0);
            address = Some(peer);
            Ok(port.into())
        })?;
        address.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn set_no_delay(&mut self, stream: u32, _on: bool) -> io::Result<()> {
        self.set_option(stream)
    }

    fn set_quick_ack(&mut self, stream: u32, _on: bool) -> io::Result<()> {
        self.set_option(stream)
    }

    fn set_not_sent_low_water_mark(&mut self, stream: u32, _bytes: u32) -> io::Result<()> {
        self.set_option(stream)
    }

    fn set_keep_alive(
        &mut self,
        stream: u32,
        _on: bool,
        _initial_delay_secs: Option<u32>,
    ) -> io::Result<()> {
        self.set_option(stream)
    }

    fn set_type_of_service(&mut self, stream: u32, _value: u8) -> io::Result<()> {
        self.set_option(stream)
    }

    /// No packet here asks for anything.
    fn type_of_service(&self, _stream: u32) -> io::Result<u8> {
        Ok(0)
    }

    fn reset_on_close(&mut self, stream: u32) -> io::Result<()> {
        self.set_option(stream)?;
        self.network.borrow_mut().reset_on_close(self.host, stream);
        Ok(())
    }

    fn close(&mut self, descriptor: u32) {
        let mut network = self.network.borrow_mut();
        network
            .trace
            .note(Kind::Close, self.host, descriptor.into(), 0);
        network.close(self.host, descriptor);
    }

    fn waker(&mut self, token: u64) -> io::Result<Arc<Bell>> {
        let bell = Arc::<Bell>::default();
        self.call(Kind::Waker, token, |network, host| {
            network.enter(host, Call::Waker)?;
            network.hang_bell(host, token, Arc::clone(&bell))?;
            Ok(0)
        })?;
        Ok(bell)
    }

    fn run_job(&mut self, pool: Pool, job: Job) -> io::Result<()> {
        let mut full = false;
        let refused = self.call(Kind::RunJob, pool as u64, |network, host| {
            network.enter(host, Call::RunJob)?;
            full = !network.run_job_later(host, pool, job);
            match full {
                true => Err(libc::EAGAIN),
                false => Ok(0),
            }
        });
        match full {
            true => Err(io::ErrorKind::QuotaExceeded.into()),
            false => refused.map(|_| ()),
        }
    }

    #[cfg(feature = "signal")]
    fn watch_signal(&mut self, signal: i32, token: u64) -> io::Result<()> {
        self.call(Kind::Signal, signal as u64, |network, host| {
            network.enter(host, Call::WatchSignal)?;
            network.signals(host).watch(signal, token)?;
            Ok(0)
        })?;
        Ok(())
    }

    #[cfg(feature = "signal")]
    fn unwatch_signal(&mut self, signal: i32) {
        let mut network = self.network.borrow_mut();
        network
            .trace
            .note(Kind::Signal, self.host, signal as u64, 1);
        network.signals(self.host).unwatch(signal);
    }

    #[cfg(feature = "signal")]
    fn take_signals(&mut self) -> Vec<i32> {
        let mut network = self.network.borrow_mut();
        let signals = network.signals(self.host).take();
        for &signal in &signals {
            network
                .trace
                .note(Kind::Signal, self.host, signal as u64, 2);
        }
        signals
    }

    fn hold_spare(&mut self) -> io::Result<()> {
        self.call(Kind::HoldSpare, 0, |network, host| {
            network.enter(host, Call::HoldSpare)?;
            network.hold_spare(host)?;
            Ok(0)
        })?;
        Ok(())
    }

    fn release_spare(&mut self) -> bool {
        let mut network = self.network.borrow_mut();
        let held = network.release_spare(self.host);
        network
            .trace
            .note(Kind::ReleaseSpare, self.host, 0, held.into());
        held
    }

    fn grow_descriptor_table(&mut self, more: usize) -> io::Result<()> {
        self.call(Kind::GrowTable, more as u64, |network, host| {
            network.grow_descriptor_table(host, more)?;
            Ok(0)
        })?;
        Ok(())
    }
}

impl HostKernel {
    /// An option that changes nothing here but may fail.
    fn set_option(&self, stream: u32) -> io::Result<()> {
        self.call(Kind::SetOption, stream.into(), |network, host| {
            network.enter(host, Call::SetOption)?;
            Ok(0)
        })?;
        Ok(())
    }
}
