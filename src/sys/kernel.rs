//! The kernel as `sys` sees it: the seam where another one can be put in.
//!
//! Beside the real system stands one variant that holds a `Box<dyn Kernel>`. Whatever implements
//! this trait is the whole outside of a loop (sockets, readiness, clock), and everything above
//! `sys` runs on it unchanged.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use super::{Interest, Job, Pool, Readiness};
use crate::Address;

/// The calls of the `sys` room, before its rules: what to do about an interrupted call, in which
/// order a socket is closed, what makes a connect finished, all that is decided above and sees one
/// call at a time here.
///
/// Sockets are descriptors, numbers that the implementation gives out; `close` gives one back, and
/// dropping a [`Stream`](super::Stream) does not. Any call that returns an `io::Result` may fail
/// with any errno (make it with `io::Error::from_raw_os_error`), `EINTR` included.
pub(crate) trait Kernel {
    /// Nanoseconds on a clock that starts at 0 and never goes back.
    fn now(&self) -> u64;

    /// Waits for readiness at most `timeout` (`None`: for ever) and hands on one batch of it.
    ///
    /// The contract is that of edge triggered epoll. A condition is told when it becomes true, with
    /// all that is true then, and again after each `register` or `reregister` while it is true.
    /// Room to write becomes true only after a write that was refused or cut short. Errors and
    /// resets are told whatever the interest is, bytes and a FIN as [`Interest`] says.
    fn poll(
        &mut self,
        timeout: Option<Duration>,
        each: &mut dyn FnMut(u64, Readiness),
    ) -> io::Result<()>;

    fn register(&mut self, descriptor: u32, token: u64, interest: Interest) -> io::Result<()>;
    fn reregister(&mut self, descriptor: u32, token: u64, interest: Interest) -> io::Result<()>;
    fn deregister(&mut self, descriptor: u32) -> io::Result<()>;

    fn listen(
        &mut self,
        address: SocketAddr,
        backlog: u32,
        reuse_port: bool,
        ipv6_only: bool,
    ) -> io::Result<u32>;
    /// A local socket that takes connections. As long as it is open nobody else can have the name,
    /// and a path that it has made goes with it, unless something else stands there by then.
    fn listen_local(&mut self, name: &Address, backlog: u32, mode: u32) -> io::Result<u32>;
    fn accept(&mut self, listener: u32) -> io::Result<(u32, Address)>;
    /// A new descriptor that has a local address, to be connected from there.
    fn bind(&mut self, local: SocketAddr) -> io::Result<u32>;
    /// A descriptor whose connect is under way: `bound`, or a new one. If this fails, nothing is
    /// left open, `bound` neither.
    fn connect(
        &mut self,
        peer: &Address,
        bound: Option<u32>,
        type_of_service: Option<u8>,
    ) -> io::Result<u32>;

    fn read(&mut self, stream: u32, buffer: &mut [u8]) -> io::Result<usize>;
    fn write(&mut self, stream: u32, bytes: &[u8]) -> io::Result<usize>;
    fn write_vectored(&mut self, stream: u32, buffers: &[IoSlice<'_>]) -> io::Result<usize>;
    fn shutdown_write(&mut self, stream: u32) -> io::Result<()>;

    /// `SO_ERROR`: the error that waits on the socket, which is then gone.
    fn take_error(&mut self, stream: u32) -> io::Result<Option<io::Error>>;
    fn local_address(&self, descriptor: u32) -> io::Result<Address>;
    fn peer_address(&mut self, stream: u32) -> io::Result<Address>;
    fn set_no_delay(&mut self, stream: u32, on: bool) -> io::Result<()>;
    fn set_quick_ack(&mut self, stream: u32, on: bool) -> io::Result<()>;
    fn set_not_sent_low_water_mark(&mut self, stream: u32, bytes: u32) -> io::Result<()>;
    fn set_keep_alive(
        &mut self,
        stream: u32,
        on: bool,
        initial_delay_secs: Option<u32>,
    ) -> io::Result<()>;
    fn set_type_of_service(&mut self, stream: u32, value: u8) -> io::Result<()>;
    fn type_of_service(&self, stream: u32) -> io::Result<u8>;
    /// `SO_LINGER` of zero: the `close` to come resets the connection.
    fn reset_on_close(&mut self, stream: u32) -> io::Result<()>;
    fn close(&mut self, descriptor: u32);

    /// A bell that lets the next poll return, with an event under `token`, once it was rung. A loop
    /// asks for one at most.
    fn waker(&mut self, token: u64) -> io::Result<Arc<Bell>>;
    /// Does `job` later, beside the loop and in no order with others; what is refused is dropped.
    /// `QuotaExceeded` if as much waits for this pool as may wait, any errno if there is no thread.
    fn run_job(&mut self, pool: Pool, job: Job) -> io::Result<()>;

    /// Has `signal` told: an event under `token`, the same for all signals, after which
    /// `take_signals` names it. `EINVAL` for one that cannot be watched.
    #[cfg(feature = "signal")]
    fn watch_signal(&mut self, signal: i32, token: u64) -> io::Result<()>;
    #[cfg(feature = "signal")]
    fn unwatch_signal(&mut self, signal: i32);
    /// Those that came since this was asked last and are still watched, each once.
    #[cfg(feature = "signal")]
    fn take_signals(&mut self) -> Vec<i32>;

    /// Takes the spare descriptor if it is not held already.
    fn hold_spare(&mut self) -> io::Result<()>;
    /// Gives the spare descriptor up; whether there was one.
    fn release_spare(&mut self) -> bool;
    /// Makes sure that so many descriptors more can be had, and opens none. `EMFILE` if they can't.
    fn grow_descriptor_table(&mut self, more: usize) -> io::Result<()>;
}

/// What wakes a loop that stands on a `Kernel`: rung from any thread, heard by its poll.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: AtomicBool,
    /// The errno that the next ring fails with; 0: none.
    broken: AtomicI32,
}

impl Bell {
    pub(super) fn ring(&self) -> io::Result<()> {
        match self.broken.swap(0, Ordering::AcqRel) {
            0 => {
                self.rung.store(true, Ordering::Release);
                Ok(())
            }
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Whether it was rung since it was last heard.
    pub(crate) fn hear(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }

    /// Whether there is something to hear.
    #[cfg(feature = "sim")]
    pub(crate) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// Lets the next ring fail.
    #[cfg(test)]
    pub(crate) fn fail_once(&self, errno: i32) {
        self.broken.store(errno, Ordering::Release);
    }
}
