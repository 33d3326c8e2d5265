//! The loop: one function that is a whole turn, and the few that make up its phases.
//!
//! Owns the order in which things happen, and all calls of user code, which stand in `tell`. What
//! is done to a socket is decided in `net`.

mod busy;
mod call;
mod close;
mod notes;
mod poll;
mod posts;
#[cfg(test)]
mod scripted;
mod serve;
#[cfg(feature = "signal")]
mod signals;
mod tell;
mod timers;

use crate::net::{Limits, Net};
use crate::sys::Sys;
use crate::{Error, Result};
use busy::Busy;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// The loop.
///
/// ```no_run
/// use netloop::{Handler, Reactor, Socket};
/// use std::time::Duration;
///
/// struct Echo;
///
/// impl Handler for Echo {
///     fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
///         if !socket.write(data) {
///             socket.pause(); // the peer sends faster than it reads
///         }
///     }
///     fn on_drain(&mut self, socket: &mut Socket<'_>) {
///         socket.resume();
///     }
///     fn on_timeout(&mut self, socket: &mut Socket<'_>) {
///         socket.destroy(); // end() would wait for a peer that may never close
///     }
/// }
///
/// fn main() -> netloop::Result<()> {
///     let mut reactor = Reactor::new()?;
///     let server = reactor.net().listen("127.0.0.1:7000", |socket| {
///         socket.set_timeout(Duration::from_secs(60));
///         Echo
///     })?;
///     println!("listening on {}", server.address().unwrap());
///     reactor.run()
/// }
/// ```
///
/// One thread, one poller: handlers need not be `Send`, and an `Rc<RefCell<..>>` between them is
/// safe, because no handler is ever called from inside another.
///
/// Dropping it calls no handler: it closes and frees.
pub struct Reactor {
    net: Net,
    /// The one read buffer of all sockets.
    buffer: Box<[u8]>,
    /// Polls in a row that brought a full batch, while idle timeouts waited.
    full_batches: u32,
    /// The last poll brought a full batch: more may be waiting behind it.
    batch_was_full: bool,
    /// The tick of the last poll: what came after it has not been seen yet.
    polled_at: u64,
    busy: Busy,
}

impl Reactor {
    /// Makes a loop with nothing in it.
    ///
    /// # Errors
    ///
    /// When the system has no descriptor or no memory for a poller.
    pub fn new() -> Result<Reactor> {
        let limits = Limits::default();
        let sys = Sys::new(limits.events).map_err(|error| Error::io("epoll_create1", error))?;
        Ok(Reactor::on(sys, limits))
    }

    pub(crate) fn on(sys: Sys, limits: Limits) -> Reactor {
        Reactor {
            buffer: vec![0; limits.read_buffer_bytes].into(),
            net: Net::new(sys, limits),
            full_batches: 0,
            batch_was_full: false,
            polled_at: 0,
            busy: Busy::default(),
        }
    }

    /// Everything that handlers may reach too: `listen`, `connect`, timers.
    pub fn net(&mut self) -> &mut Net {
        // The last turn may be long ago: what is done out here counts from now.
        self.net.read_clock();
        &mut self.net
    }

    /// What the loop works on, to be looked at.
    #[cfg(feature = "sim")]
    pub(crate) fn net_ref(&self) -> &Net {
        &self.net
    }

    /// Turns until nothing keeps the loop going, or [`stop`](Net::stop) is called.
    ///
    /// Kept going by servers that listen, sockets that are connecting, reading or have something to
    /// send, timers, and immediates, unless `unref` was called on them. A paused socket with an
    /// empty queue does not count, and neither does an idle timeout (R105, R106).
    ///
    /// # Errors
    ///
    /// When the poller itself fails. The loop may be run again.
    ///
    /// # Panics
    ///
    /// Only with a panic of the user's own code. That one socket is destroyed; whoever catches the
    /// panic may run the loop again, and nothing else is lost.
    pub fn run(&mut self) -> Result<()> {
        while !self.net.take_stop() && self.net.is_alive() {
            self.turn(None)?;
        }
        Ok(())
    }

    /// Lets [`run`](Reactor::run) return at the end of the turn, or at once if it is not running.
    pub fn stop(&mut self) {
        self.net.stop();
    }

    /// One turn: sleeps until something is to be done, at most `timeout` (`None`: as long as it
    /// takes), and does it.
    ///
    /// For a loop inside another loop: watch the reactor's descriptor ([`AsFd`]), sleep no longer
    /// than [`next_timeout`](Reactor::next_timeout), then call `turn(Some(Duration::ZERO))`.
    ///
    /// # Errors
    ///
    /// As [`run`](Reactor::run).
    ///
    /// # Panics
    ///
    /// As [`run`](Reactor::run).
    pub fn turn(&mut self, timeout: Option<Duration>) -> Result<()> {
        let sleep = shorter(timeout, self.next_timeout());
        self.poll(sleep)?; // the only call that blocks; bits are kept, nobody is called yet
        self.serve_ready(); // what stood in the queue, oldest first, each within its budget
        #[cfg(feature = "signal")]
        self.run_signals(); // each listener once, however many came
        self.run_posts(); // what other threads have sent, as much as stood in the queue
        self.run_immediates(); // those that stood in their queue
        self.run_timers(); // one set in here waits for the next turn
        self.expire_idle(); // after the sockets: a byte that came must count before its absence
        self.flush_dirty(); // sockets that were written to beside the one served
        self.tell_notes(); // what calls and flushes have left to tell
        self.flush_dirty(); // and what those that were told have written
        self.deliver_closes(); // first destroyed, first told
        self.free_closed(); // slots are free only now: no id of this turn meets a newcomer
        Ok(())
    }

    /// How long a host loop may sleep before the next [`turn`](Reactor::turn): zero when something
    /// waits already, what a call from outside a turn has left included; `None` when only the
    /// descriptor can bring something.
    ///
    /// Ask before each sleep: from the answer until the next turn a [`Remote`](crate::Remote) makes the
    /// descriptor readable, and while the loop is at work it does not.
    pub fn next_timeout(&self) -> Option<Duration> {
        if self.batch_was_full {
            // A host that is told only of changes will not hear of what the batch left behind.
            return Some(Duration::ZERO);
        }
        self.net.sleep()
    }

    /// Whether anything keeps the loop going: [`run`](Reactor::run) would not return at once.
    pub fn is_alive(&self) -> bool {
        self.net.is_alive()
    }
}

fn shorter(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl AsFd for Reactor {
    /// The poller's descriptor: readable when a turn would find something from outside.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.net.sys.as_fd()
    }
}

impl AsRawFd for Reactor {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("net", &self.net)
            .finish_non_exhaustive()
    }
}
