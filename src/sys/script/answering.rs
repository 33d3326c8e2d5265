//! The kernel's side of a script: the calls come in here, and get the answers that were queued.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::{Accept, Call, Connect, Event, Kind, Poll, Read, Script, Write};
use crate::Address;
use crate::sys::{Bell, Interest, Job, Kernel, Pool, QUEUED_JOBS, Readiness};

/// As on a real system, where 0 to 2 are taken.
const FIRST_DESCRIPTOR: u32 = 3;
/// Where the ports begin that nobody asked for; each descriptor has one.
const FIRST_PORT: u32 = 49_152;
/// A loop that goes back to sleep this often with nothing left to wake it will never end.
const MOST_SLEEPS_FOR_EVER: u32 = 100;

/// Everything that was said and done; the test's side fills in, this side uses up.
#[derive(Default)]
pub(super) struct State {
    pub(super) now: Duration,
    /// What a poll takes that does not sleep.
    pub(super) poll_takes: Duration,
    /// What happens while a poll runs, once the clock says so.
    pub(super) happenings: Vec<(Duration, Box<dyn FnOnce()>)>,
    pub(super) polls: VecDeque<Poll>,
    pub(super) accepts: Answers<Accept>,
    pub(super) reads: Answers<Read>,
    pub(super) writes: Answers<Write>,
    pub(super) connects: Answers<Connect>,
    pub(super) verdicts: BTreeMap<Kind, VecDeque<Result<(), i32>>>,
    /// By the place of the call in `calls`.
    pub(super) faults: BTreeMap<usize, i32>,
    pub(super) calls: Vec<Call>,
    /// What was taken from each descriptor's writer; kept after the close, until the number is
    /// given out again.
    pub(super) written: BTreeMap<u32, Vec<u8>>,
    /// Everything that is open.
    pub(super) ledger: BTreeMap<u32, Entry>,
    /// The bell and its token.
    pub(super) bell: Option<(Arc<Bell>, u64)>,
    #[cfg(feature = "signal")]
    pub(super) signals: crate::sys::SignalLine,
    /// Jobs that wait for the test to have them done.
    pub(super) jobs: VecDeque<Job>,
    spare: bool,
    pub(super) sleeps_for_ever: u32,
}

pub(super) type Answers<T> = BTreeMap<u32, VecDeque<T>>;

/// An open descriptor.
pub(super) struct Entry {
    local: Address,
    peer: Option<Address>,
    type_of_service: u8,
    pub(super) token: Option<u64>,
    input_ended: bool,
}

impl State {
    /// Writes the call down, and says whether it is to fail.
    fn enter(&mut self, call: Call) -> io::Result<()> {
        let kind = call.kind();
        let index = self.calls.len();
        self.calls.push(call);
        if let Some(errno) = self.faults.remove(&index) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let verdict = kind.and_then(|kind| self.verdicts.get_mut(&kind)?.pop_front());
        verdict
            .unwrap_or(Ok(()))
            .map_err(io::Error::from_raw_os_error)
    }

    /// The lowest number that is free, as POSIX has it: what was closed last comes back soonest.
    fn open(&mut self, local: Option<Address>, peer: Option<Address>) -> u32 {
        let descriptor = (FIRST_DESCRIPTOR..)
            .find(|number| !self.ledger.contains_key(number))
            .expect("some number is free");
        let mut local = local.unwrap_or_else(|| inet((Ipv4Addr::LOCALHOST, 0)));
        if let Address::Inet(inet) = &mut local
            && inet.port() == 0
        {
            let port = (FIRST_PORT + descriptor) % (1 << 16);
            inet.set_port(u16::try_from(port).expect("cut to 16 bits"));
        }
        self.written.remove(&descriptor);
        self.ledger.insert(
            descriptor,
            Entry {
                local,
                peer,
                type_of_service: 0,
                token: None,
                input_ended: false,
            },
        );
        descriptor
    }

    fn entry(&mut self, descriptor: u32) -> &mut Entry {
        self.ledger
            .get_mut(&descriptor)
            .unwrap_or_else(|| panic!("descriptor {descriptor} is used, but it is not open"))
    }

    /// What `poll` hands on; the events of descriptors get the tokens of this moment.
    fn batch(&mut self, timeout: Option<Duration>) -> io::Result<Vec<(u64, Readiness)>> {
        self.now += self.poll_takes;
        self.enter(Call::Poll(timeout))?;
        let rung = match (self.polls.front(), &self.bell) {
            // A poll that fails has heard nothing.
            (Some(Poll::Err(_)), _) | (_, None) => None,
            (_, Some((bell, token))) => bell.hear().then_some((*token, Readiness::READ)),
        };
        #[cfg(feature = "signal")]
        let rung = match self.polls.front() {
            Some(Poll::Err(_)) => rung,
            _ => rung.or_else(|| Some((self.signals.hear()?, Readiness::READ))),
        };
        match (self.polls.pop_front(), timeout) {
            (Some(Poll::Err(errno)), _) => Err(io::Error::from_raw_os_error(errno)),
            (Some(Poll::Events(events)), _) => {
                let events = events.into_iter().map(|event| self.addressed(event));
                Ok(rung.into_iter().chain(events).collect())
            }
            (None, _) if rung.is_some() => Ok(rung.into_iter().collect()),
            (None, Some(timeout)) => {
                self.now += timeout;
                Ok(Vec::new())
            }
            (None, None) => {
                self.sleeps_for_ever += 1;
                assert!(
                    self.sleeps_for_ever < MOST_SLEEPS_FOR_EVER,
                    "the loop sleeps for ever, and the script has nothing left to wake it"
                );
                Ok(Vec::new())
            }
        }
    }

    fn due(&mut self) -> Vec<Box<dyn FnOnce()>> {
        let now = self.now;
        let due = self.happenings.extract_if(.., |(at, _)| *at <= now);
        due.map(|(_, deed)| deed).collect()
    }

    fn addressed(&mut self, event: Event) -> (u64, Readiness) {
        match event {
            Event::Token(token, ready) => (token, ready),
            Event::Ready(descriptor, ready) => {
                let token = self.entry(descriptor).token.unwrap_or_else(|| {
                    panic!("descriptor {descriptor} has an event, but it is not registered")
                });
                (token, ready)
            }
        }
    }

    fn accept(&mut self, listener: u32) -> io::Result<(u32, Address)> {
        self.enter(Call::Accept(listener))?;
        let local = self.entry(listener).local.clone();
        match next(&mut self.accepts, listener) {
            Some(Accept::Peer(peer)) => {
                let peer = Address::from(peer);
                Ok((self.open(Some(local), Some(peer.clone())), peer))
            }
            Some(Accept::Err(errno)) => Err(io::Error::from_raw_os_error(errno)),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn connect(
        &mut self,
        peer: Address,
        bound: Option<u32>,
        type_of_service: Option<u8>,
    ) -> io::Result<u32> {
        let answer = self.enter(Call::Connect {
            peer: peer.clone(),
            bound,
            type_of_service,
        });
        match (answer, bound) {
            (Ok(()), bound) => {
                let stream = bound.unwrap_or_else(|| self.open(None, None));
                let entry = self.entry(stream);
                entry.peer = Some(peer);
                entry.type_of_service = type_of_service.unwrap_or(0);
                Ok(stream)
            }
            (Err(error), bound) => {
                if let Some(stream) = bound {
                    self.entry(stream);
                    self.ledger.remove(&stream);
                }
                Err(error)
            }
        }
    }

    fn read(&mut self, stream: u32, buffer: &mut [u8]) -> io::Result<usize> {
        self.enter(Call::Read(stream, buffer.len()))?;
        if buffer.is_empty() {
            return Ok(0); // which uses nothing up
        }
        let ended = self.entry(stream).input_ended;
        match next(&mut self.reads, stream) {
            Some(Read::Data(mut bytes)) => {
                let rest = bytes.split_off(bytes.len().min(buffer.len()));
                buffer[..bytes.len()].copy_from_slice(&bytes);
                if !rest.is_empty() {
                    self.reads
                        .entry(stream)
                        .or_default()
                        .push_front(Read::Data(rest));
                }
                Ok(bytes.len())
            }
            Some(Read::Eof) => {
                self.entry(stream).input_ended = true;
                Ok(0)
            }
            Some(Read::Err(errno)) => {
                self.entry(stream).input_ended |= !matches!(errno, libc::EAGAIN | libc::EINTR);
                Err(io::Error::from_raw_os_error(errno))
            }
            None if ended => Ok(0),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn write(&mut self, call: Call, stream: u32, buffers: &[&[u8]]) -> io::Result<usize> {
        self.enter(call)?;
        self.entry(stream);
        let offered = buffers.concat();
        let taken = match next(&mut self.writes, stream) {
            None | Some(Write::All) => offered.len(),
            Some(Write::Takes(most)) => most.min(offered.len()),
            Some(Write::Err(errno)) => return Err(io::Error::from_raw_os_error(errno)),
        };
        self.written
            .entry(stream)
            .or_default()
            .extend(&offered[..taken]);
        Ok(taken)
    }

    fn take_error(&mut self, stream: u32) -> io::Result<Option<io::Error>> {
        self.enter(Call::TakeError(stream))?;
        self.entry(stream);
        // `Connected` and `UnderWay` answer by the peer's address, which is asked for next.
        let Some(Connect::Err(errno)) = self.connects.get(&stream).and_then(|queue| queue.front())
        else {
            return Ok(None);
        };
        let error = io::Error::from_raw_os_error(*errno);
        next(&mut self.connects, stream);
        Ok(Some(error))
    }

    fn peer_address(&mut self, stream: u32) -> io::Result<Address> {
        self.enter(Call::PeerAddress(stream))?;
        let peer = self.entry(stream).peer.clone();
        match (next(&mut self.connects, stream), peer) {
            (None | Some(Connect::Connected), Some(peer)) => Ok(peer),
            _ => Err(io::Error::from_raw_os_error(libc::ENOTCONN)),
        }
    }

    fn register(&mut self, descriptor: u32, token: u64, interest: Interest) -> io::Result<()> {
        self.enter(Call::Register(descriptor, interest))?;
        match &mut self.entry(descriptor).token {
            Some(_) => Err(io::Error::from_raw_os_error(libc::EEXIST)),
            free => {
                *free = Some(token);
                Ok(())
            }
        }
    }

    fn reregister(&mut self, descriptor: u32, token: u64, interest: Interest) -> io::Result<()> {
        self.enter(Call::Reregister(descriptor, interest))?;
        match &mut self.entry(descriptor).token {
            Some(old) => {
                *old = token;
                Ok(())
            }
            None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }

    fn deregister(&mut self, descriptor: u32) -> io::Result<()> {
        self.enter(Call::Deregister(descriptor))?;
        match self.entry(descriptor).token.take() {
            Some(_) => Ok(()),
            None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }

    fn close(&mut self, descriptor: u32) {
        self.calls.push(Call::Close(descriptor));
        let closed = self.ledger.remove(&descriptor);
        assert!(
            closed.is_some(),
            "descriptor {descriptor} is closed, but it is not open"
        );
        self.accepts.remove(&descriptor);
        self.reads.remove(&descriptor);
        self.writes.remove(&descriptor);
        self.connects.remove(&descriptor);
    }

    /// A call that needs an open descriptor and answers nothing but that it worked.
    fn check(&mut self, call: Call, descriptor: u32) -> io::Result<()> {
        self.enter(call)?;
        self.entry(descriptor);
        Ok(())
    }
}

fn inet(address: impl Into<SocketAddr>) -> Address {
    Address::Inet(address.into())
}

fn next<T>(answers: &mut Answers<T>, descriptor: u32) -> Option<T> {
    answers.get_mut(&descriptor)?.pop_front()
}

impl Kernel for Script {
    fn now(&self) -> u64 {
        u64::try_from(self.0.borrow().now.as_nanos()).expect("a clock of 64 bits")
    }

    fn poll(
        &mut self,
        timeout: Option<Duration>,
        each: &mut dyn FnMut(u64, Readiness),
    ) -> io::Result<()> {
        // Into a local first: what `each` does may come back to the script.
        let batch = self.0.borrow_mut().batch(timeout)?;
        let due = self.0.borrow_mut().due();
        due.into_iter().for_each(|deed| deed());
        batch
            .into_iter()
            .for_each(|(token, ready)| each(token, ready));
        Ok(())
    }

    fn register(&mut self, descriptor: u32, token: u64, interest: Interest) -> io::Result<()> {
        self.0.borrow_mut().register(descriptor, token, interest)
    }

    fn reregister(&mut self, descriptor: u32, token: u64, interest: Interest) -> io::Result<()> {
        self.0.borrow_mut().reregister(descriptor, token, interest)
    }

    fn deregister(&mut self, descriptor: u32) -> io::Result<()> {
        self.0.borrow_mut().deregister(descriptor)
    }

    fn listen(
        &mut self,
        address: SocketAddr,
        backlog: u32,
        reuse_port: bool,
        ipv6_only: bool,
    ) -> io::Result<u32> {
        let mut state = self.0.borrow_mut();
        state.enter(Call::Listen {
            address,
            backlog,
            reuse_port,
            ipv6_only,
        })?;
        Ok(state.open(Some(address.into()), None))
    }

    fn listen_local(&mut self, name: &Address, backlog: u32, mode: u32) -> io::Result<u32> {
        let name = name.clone();
        let mut state = self.0.borrow_mut();
        state.enter(Call::ListenLocal {
            name: name.clone(),
            backlog,
            mode,
        })?;
        Ok(state.open(Some(name), None))
    }

    fn accept(&mut self, listener: u32) -> io::Result<(u32, Address)> {
        self.0.borrow_mut().accept(listener)
    }

    fn bind(&mut self, local: SocketAddr) -> io::Result<u32> {
        let mut state = self.0.borrow_mut();
        state.enter(Call::Bind(local))?;
        Ok(state.open(Some(local.into()), None))
    }

    fn connect(
        &mut self,
        peer: &Address,
        bound: Option<u32>,
        type_of_service: Option<u8>,
    ) -> io::Result<u32> {
        let mut state = self.0.borrow_mut();
        state.connect(peer.clone(), bound, type_of_service)
    }

    fn read(&mut self, stream: u32, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(stream, buffer)
    }

    fn write(&mut self, stream: u32, bytes: &[u8]) -> io::Result<usize> {
        let call = Call::Write(stream, bytes.len());
        self.0.borrow_mut().write(call, stream, &[bytes])
    }

    fn write_vectored(&mut self, stream: u32, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let call = Call::WriteVectored(stream, buffers.iter().map(|buffer| buffer.len()).collect());
        let buffers: Vec<&[u8]> = buffers.iter().map(|buffer| &**buffer).collect();
        self.0.borrow_mut().write(call, stream, &buffers)
    }

    fn shutdown_write(&mut self, stream: u32) -> io::Result<()> {
        self.0
            .borrow_mut()
            .check(Call::ShutdownWrite(stream), stream)
    }

    fn take_error(&mut self, stream: u32) -> io::Result<Option<io::Error>> {
        self.0.borrow_mut().take_error(stream)
    }

    fn local_address(&self, descriptor: u32) -> io::Result<Address> {
        let mut state = self.0.borrow_mut();
        state.enter(Call::LocalAddress(descriptor))?;
        Ok(state.entry(descriptor).local.clone())
    }

    fn peer_address(&mut self, stream: u32) -> io::Result<Address> {
        self.0.borrow_mut().peer_address(stream)
    }

    fn set_no_delay(&mut self, stream: u32, on: bool) -> io::Result<()> {
        self.0
            .borrow_mut()
            .check(Call::SetNoDelay(stream, on), stream)
    }

    fn set_quick_ack(&mut self, stream: u32, on: bool) -> io::Result<()> {
        self.0
            .borrow_mut()
            .check(Call::SetQuickAck(stream, on), stream)
    }

    fn set_not_sent_low_water_mark(&mut self, stream: u32, bytes: u32) -> io::Result<()> {
        self.0
            .borrow_mut()
            .check(Call::SetNotSentLowWaterMark(stream, bytes), stream)
    }

    fn set_keep_alive(
        &mut self,
        stream: u32,
        on: bool,
        initial_delay_secs: Option<u32>,
    ) -> io::Result<()> {
        let call = Call::SetKeepAlive(stream, on, initial_delay_secs);
        self.0.borrow_mut().check(call, stream)
    }

    fn set_type_of_service(&mut self, stream: u32, value: u8) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.enter(Call::SetTypeOfService(stream, value))?;
        state.entry(stream).type_of_service = value;
        Ok(())
    }

    fn type_of_service(&self, stream: u32) -> io::Result<u8> {
        let mut state = self.0.borrow_mut();
        state.enter(Call::TypeOfService(stream))?;
        Ok(state.entry(stream).type_of_service)
    }

    fn reset_on_close(&mut self, stream: u32) -> io::Result<()> {
        self.0
            .borrow_mut()
            .check(Call::ResetOnClose(stream), stream)
    }

    fn close(&mut self, descriptor: u32) {
        self.0.borrow_mut().close(descriptor);
    }

    fn waker(&mut self, token: u64) -> io::Result<Arc<Bell>> {
        let mut state = self.0.borrow_mut();
        state.enter(Call::Waker)?;
        assert!(state.bell.is_none(), "a poller has one waker at most");
        let bell = Arc::<Bell>::default();
        state.bell = Some((Arc::clone(&bell), token));
        Ok(bell)
    }

    fn run_job(&mut self, pool: Pool, job: Job) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.enter(Call::RunJob(pool))?;
        if state.jobs.len() >= QUEUED_JOBS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        state.jobs.push_back(job);
        Ok(())
    }

    #[cfg(feature = "signal")]
    fn watch_signal(&mut self, signal: i32, token: u64) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.enter(Call::WatchSignal(signal))?;
        let watched = state.signals.watch(signal, token);
        watched.map_err(io::Error::from_raw_os_error)
    }

    #[cfg(feature = "signal")]
    fn unwatch_signal(&mut self, signal: i32) {
        let mut state = self.0.borrow_mut();
        state.calls.push(Call::UnwatchSignal(signal));
        state.signals.unwatch(signal);
    }

    #[cfg(feature = "signal")]
    fn take_signals(&mut self) -> Vec<i32> {
        self.0.borrow_mut().signals.take()
    }

    fn hold_spare(&mut self) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.enter(Call::HoldSpare)?;
        state.spare = true;
        Ok(())
    }

    fn release_spare(&mut self) -> bool {
        let mut state = self.0.borrow_mut();
        state.calls.push(Call::ReleaseSpare);
        std::mem::replace(&mut state.spare, false)
    }

    fn grow_descriptor_table(&mut self, more: usize) -> io::Result<()> {
        self.0.borrow_mut().enter(Call::GrowDescriptorTable(more))
    }
}
