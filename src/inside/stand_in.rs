//! A kernel that only says it holds connections, so that what the loop costs can be measured alone,
//! and with more connections than a machine has descriptors.
//!
//! It keeps eight bytes a connection: the token to report it by. A peer does nothing by itself: it
//! connects, sends or hangs up when it is told to. A read gives a message of 64 bytes, a write takes
//! everything, and whether it was the message that was read is looked at. The clock is moved by hand,
//! and a poll never sleeps. It keeps no interests and no buffers; the rules of a poller are kept by
//! the simulated network in `sim`, for loops that are to be tested and not measured.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::net::Limits;
use crate::sys::{Bell, Interest, Job, Kernel, Pool, Readiness, Sys};
use crate::{Address, Reactor};

/// What a peer sends at a time.
pub const MESSAGE_BYTES: usize = 64;

/// The descriptor of the one listener. Those of connections count from 0 in the order in which they
/// were accepted, and none is given out twice.
const LISTENER: u32 = u32::MAX;

/// Stands for a token where nothing is registered. The loop has no such token.
const UNWATCHED: u64 = u64::MAX;

/// One stand-in; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct StandIn(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    now_nanos: u64,
    /// Peers that nobody has accepted yet.
    knocking: u32,
    listener_token: u64,
    /// The listener is to be reported: somebody knocked, or it was registered just now.
    listener_has_news: bool,
    /// By descriptor.
    tokens: Vec<u64>,
    open: usize,
    /// Connections whose peers have sent something, and how many of them were reported.
    news: Vec<u32>,
    reported: usize,
    /// All peers have hung up; the next connection to report that of.
    hung_up: Option<u32>,
    reads: u64,
    echoes: u64,
    /// What was read last, and by whom.
    last_read: (u32, [u8; MESSAGE_BYTES]),
    /// Where the bytes stand whose writes are counted, and how often they were written from there.
    watched: Range<*const u8>,
    uncopied: u64,
}

impl Default for State {
    fn default() -> State {
        State {
            now_nanos: 0,
            knocking: 0,
            listener_token: UNWATCHED,
            listener_has_news: false,
            tokens: Vec::new(),
            open: 0,
            news: Vec::new(),
            reported: 0,
            hung_up: None,
            reads: 0,
            echoes: 0,
            last_read: (LISTENER, [0; MESSAGE_BYTES]),
            watched: [].as_ptr_range(),
            uncopied: 0,
        }
    }
}

/// What the peers do, and what has come to them.
impl StandIn {
    /// One to which nobody has connected yet.
    pub fn new() -> StandIn {
        StandIn::default()
    }

    /// A loop on this kernel, with the budgets that it has on the real one.
    pub fn reactor(&self) -> Reactor {
        Reactor::on(Sys::with_kernel(Box::new(self.clone())), Limits::default())
    }

    /// So many peers more knock.
    pub fn peers_connect(&self, peers: u32) {
        let mut state = self.0.borrow_mut();
        state.knocking += peers;
        state.listener_has_news = true;
        state.tokens.reserve_exact(peers as usize); // growing is not the loop's to pay for
    }

    /// Each of these peers sends a message; they are counted from 0 in the order in which they were
    /// accepted. One that was let go sends into the void.
    ///
    /// # Panics
    ///
    /// If one of them was never accepted.
    pub fn peers_send(&self, peers: &[u32]) {
        let state = &mut *self.0.borrow_mut();
        assert!(
            peers
                .iter()
                .all(|&peer| (peer as usize) < state.tokens.len()),
            "a peer that was never accepted"
        );
        state.news.drain(..state.reported);
        state.reported = 0;
        state.news.extend_from_slice(peers);
    }

    /// Every peer sends its FIN. What was sent before and not read yet is lost.
    pub fn peers_hang_up(&self) {
        self.0.borrow_mut().hung_up = Some(0);
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).expect("a clock of 64 bits");
        self.0.borrow_mut().now_nanos += by;
    }

    /// Connections that were accepted and not closed.
    pub fn open_connections(&self) -> usize {
        self.0.borrow().open
    }

    /// Messages read.
    pub fn reads(&self) -> u64 {
        self.0.borrow().reads
    }

    /// Writes that were, in one piece and on the same connection, what had been read last.
    pub fn echoes(&self) -> u64 {
        self.0.borrow().echoes
    }

    /// Counts writes of these bytes and no copy of them: all of them, from where they stand.
    pub fn watch(&self, bytes: &Bytes) {
        self.0.borrow_mut().watched = bytes.as_ptr_range();
    }

    /// Writes of what is [watched](StandIn::watch) since the beginning.
    pub fn uncopied_writes(&self) -> u64 {
        self.0.borrow().uncopied
    }

    /// The same kernel without a loop: with `connections` of its own, which are echoed by hand.
    pub fn bare(connections: u32) -> BareStandIn {
        let stand_in = StandIn::new();
        let mut kernel: Box<dyn Kernel> = Box::new(stand_in.clone());
        stand_in.peers_connect(connections);
        for _ in 0..connections {
            let (descriptor, _) = kernel.accept(LISTENER).expect("a peer that knocks");
            let registered = kernel.register(descriptor, descriptor.into(), Interest::Read);
            registered.expect("an open connection");
        }
        BareStandIn {
            stand_in,
            kernel,
            batch: Vec::new(),
            buffer: vec![0; Limits::default().read_buffer_bytes].into(),
        }
    }
}

/// What a loop asks of its kernel for messages that it echoes, asked without a loop: this is to be
/// subtracted from what the loop takes.
pub struct BareStandIn {
    stand_in: StandIn,
    kernel: Box<dyn Kernel>,
    batch: Vec<u64>,
    buffer: Box<[u8]>,
}

impl BareStandIn {
    /// See [`StandIn::peers_send`].
    pub fn peers_send(&self, peers: &[u32]) {
        self.stand_in.peers_send(peers);
    }

    /// Polls once, and reads and writes what was reported.
    ///
    /// # Panics
    ///
    /// If the stand-in fails.
    pub fn turn(&mut self) {
        let BareStandIn {
            kernel,
            batch,
            buffer,
            ..
        } = self;
        batch.clear();
        let polled = kernel.poll(Some(Duration::ZERO), &mut |token, _| batch.push(token));
        polled.expect("a poll");
        for &descriptor in batch.iter() {
            let read = kernel.read(descriptor as u32, buffer).expect("a message");
            let taken = kernel.write(descriptor as u32, &buffer[..read]);
            assert_eq!(taken.expect("room"), read);
        }
    }

    /// See [`StandIn::echoes`].
    pub fn echoes(&self) -> u64 {
        self.stand_in.echoes()
    }
}

/// No two messages of one stand-in are the same.
fn message(descriptor: u32, nth: u64) -> [u8; MESSAGE_BYTES] {
    let mut message = [b'.'; MESSAGE_BYTES];
    message[..4].copy_from_slice(&descriptor.to_le_bytes());
    message[4..12].copy_from_slice(&nth.to_le_bytes());
    message
}

/// What this kernel has nothing to do with.
fn no_such_call<T>() -> io::Result<T> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

impl Kernel for StandIn {
    fn now(&self) -> u64 {
        self.0.borrow().now_nanos
    }

    fn poll(
        &mut self,
        _timeout: Option<Duration>,
        each: &mut dyn FnMut(u64, Readiness),
    ) -> io::Result<()> {
        let state = &mut *self.0.borrow_mut();
        let mut room = Limits::default().events;
        if state.listener_has_news && state.knocking > 0 && state.listener_token != UNWATCHED {
            state.listener_has_news = false;
            each(state.listener_token, Readiness::READ);
            room -= 1;
        }
        let mut tell = |token, said| {
            if token != UNWATCHED {
                each(token, said);
                room -= 1;
            }
            room > 0
        };
        if let Some(next) = &mut state.hung_up {
            let said = Readiness::READ.with(Readiness::READ_CLOSED);
            while let Some(&token) = state.tokens.get(*next as usize) {
                *next += 1;
                if !tell(token, said) {
                    break;
                }
            }
            return Ok(());
        }
        while let Some(&descriptor) = state.news.get(state.reported) {
            state.reported += 1;
            if !tell(state.tokens[descriptor as usize], Readiness::READ) {
                break;
            }
        }
        Ok(())
    }

    fn register(&mut self, descriptor: u32, token: u64, _interest: Interest) -> io::Result<()> {
        let state = &mut *self.0.borrow_mut();
        match descriptor {
            LISTENER => {
                state.listener_token = token;
                state.listener_has_news = true;
            }
            stream => state.tokens[stream as usize] = token,
        }
        Ok(())
    }

    fn reregister(&mut self, descriptor: u32, token: u64, interest: Interest) -> io::Result<()> {
        self.register(descriptor, token, interest)
    }

    fn deregister(&mut self, descriptor: u32) -> io::Result<()> {
        self.register(descriptor, UNWATCHED, Interest::Read)
    }

    fn listen(&mut self, _: SocketAddr, _: u32, _: bool, _: bool) -> io::Result<u32> {
        Ok(LISTENER)
    }

    fn accept(&mut self, _listener: u32) -> io::Result<(u32, Address)> {
        let state = &mut *self.0.borrow_mut();
        if state.knocking == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.knocking -= 1;
        state.open += 1;
        let descriptor = state.tokens.len() as u32;
        state.tokens.push(UNWATCHED);
        let peer = SocketAddr::from((Ipv4Addr::from_bits(10 << 24 | descriptor), 40_000));
        Ok((descriptor, peer.into()))
    }

    fn read(&mut self, stream: u32, buffer: &mut [u8]) -> io::Result<usize> {
        let state = &mut *self.0.borrow_mut();
        if state.hung_up.is_some() {
            return Ok(0);
        }
        let Some(place) = buffer.first_chunk_mut() else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL)); // a message comes whole
        };
        *place = message(stream, state.reads);
        state.reads += 1;
        state.last_read = (stream, *place);
        Ok(MESSAGE_BYTES)
    }

    fn write(&mut self, stream: u32, bytes: &[u8]) -> io::Result<usize> {
        let state = &mut *self.0.borrow_mut();
        let (reader, message) = &state.last_read;
        state.echoes += u64::from(*reader == stream && message == bytes);
        state.uncopied += u64::from(state.watched == bytes.as_ptr_range());
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, _stream: u32, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(buffers.iter().map(|buffer| buffer.len()).sum())
    }

    fn shutdown_write(&mut self, _stream: u32) -> io::Result<()> {
        Ok(())
    }

    fn take_error(&mut self, _stream: u32) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    fn local_address(&self, _descriptor: u32) -> io::Result<Address> {
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 7000)).into())
    }

    fn set_no_delay(&mut self, _stream: u32, _on: bool) -> io::Result<()> {
        Ok(())
    }

    fn set_quick_ack(&mut self, _stream: u32, _on: bool) -> io::Result<()> {
        Ok(())
    }

    fn set_not_sent_low_water_mark(&mut self, _stream: u32, _bytes: u32) -> io::Result<()> {
        Ok(())
    }

    fn grow_descriptor_table(&mut self, _more: usize) -> io::Result<()> {
        Ok(())
    }

    fn set_keep_alive(&mut self, _: u32, _: bool, _: Option<u32>) -> io::Result<()> {
        Ok(())
    }

    fn set_type_of_service(&mut self, _stream: u32, _value: u8) -> io::Result<()> {
        Ok(())
    }

    fn type_of_service(&self, _stream: u32) -> io::Result<u8> {
        Ok(0)
    }

    fn reset_on_close(&mut self, _stream: u32) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self, descriptor: u32) {
        if descriptor != LISTENER {
            self.0.borrow_mut().open -= 1;
        }
    }

    fn listen_local(&mut self, _: &Address, _: u32, _: u32) -> io::Result<u32> {
        no_such_call()
    }

    fn bind(&mut self, _local: SocketAddr) -> io::Result<u32> {
        no_such_call()
    }

    fn connect(&mut self, _: &Address, _: Option<u32>, _: Option<u8>) -> io::Result<u32> {
        no_such_call()
    }

    fn peer_address(&mut self, _stream: u32) -> io::Result<Address> {
        no_such_call()
    }

    fn waker(&mut self, _token: u64) -> io::Result<Arc<Bell>> {
        no_such_call()
    }

    fn run_job(&mut self, _pool: Pool, _job: Job) -> io::Result<()> {
        no_such_call()
    }

    #[cfg(feature = "signal")]
    fn watch_signal(&mut self, _signal: i32, _token: u64) -> io::Result<()> {
        no_such_call()
    }

    #[cfg(feature = "signal")]
    fn unwatch_signal(&mut self, _signal: i32) {}

    #[cfg(feature = "signal")]
    fn take_signals(&mut self) -> Vec<i32> {
        Vec::new()
    }

    fn hold_spare(&mut self) -> io::Result<()> {
        no_such_call()
    }

    fn release_spare(&mut self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
