//! Everything that a handler may reach, and everything that the loop works on.
//!
//! Owns the slabs of sockets and servers, the timers, the work lists and `sys`. Its methods change
//! state and leave notes; none of them calls a handler, an acceptor or a closure of the user's.
//! Only `reactor` does that.
//!
//! Each file is named after a deed: `listen`, `accept`, `connect`, `adopt`, `fill` (from the kernel),
//! `decode`, `write`, `gathered` and `drain` (to the kernel), `after` (a call), `pipe`, `pause`, `idle`,
//! `timers`, `destroy`; `remote` is the door from other threads, `offload` work on them, `signals` those
//! of the process, `shutdown` an end for all; `tuning` and `reserve` are what the loop is told about
//! itself. `socket` and `server` are the views that users hold; `entry` and `server_entry` are what
//! stands in the slabs.

mod accept;
mod adopt;
mod after;
mod attempts;
mod connect;
#[cfg(test)]
mod connect_tests;
mod connecting;
#[cfg(feature = "encoding")]
mod decode;
mod destroy;
mod drain;
mod entry;
mod fill;
mod flags;
mod gathered;
mod idle;
mod ids;
mod limits;
mod listen;
mod listen_host;
mod lookup;
mod names;
mod notes;
mod offload;
mod pause;
mod pipe;
mod ready;
mod remote;
mod reserve;
mod server;
mod server_entry;
#[cfg(test)]
mod server_tests;
mod settings;
mod shutdown;
#[cfg(feature = "signal")]
mod signals;
mod slots;
mod socket;
#[cfg(feature = "sim")]
mod sound;
mod timers;
mod tuning;
mod write;

pub(crate) use accept::Accepted;
pub(crate) use connect::Step;
pub(crate) use entry::SocketEntry;
pub(crate) use fill::Filled;
pub(crate) use flags::Flags;
pub(crate) use idle::Idle;
#[cfg(feature = "signal")]
pub(crate) use ids::SIGNAL_TOKEN;
#[cfg(feature = "signal")]
pub use ids::SignalId;
pub(crate) use ids::{Key, Target, WAKER_TOKEN};
pub use ids::{ServerId, SocketId, TimerId};
pub(crate) use limits::Limits;
pub(crate) use listen::ServerNote;
pub(crate) use lookup::Asking;
pub(crate) use notes::{Note, Notes};
pub(crate) use remote::Mail;
pub use remote::Remote;
pub use server::Server;
pub use shutdown::{ShutdownReport, Straggler};
pub use socket::{ReadyState, Socket};
pub(crate) use timers::{Due, Every};

use crate::Result;
use crate::connection::QueuePool;
use crate::log_limit::LogLimit;
use crate::options::{NameDefaults, attempt_timeout};
use crate::resolver::{Resolver, SystemResolver};
use crate::stats::{Counters, Stats};
use crate::sys::Sys;
use crate::time::Wheel;
use attempts::Attempt;
use gathered::Gathered;
use lookup::Lookup;
use names::Names;
use offload::Offload;
use ready::ReadyQueue;
use remote::Inbox;
use server_entry::ServerEntry;
use shutdown::Shutdown;
use slots::Slots;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;
use timers::Timers;

const NANOS_PER_TICK: u64 = 1_000_000;

/// The loop's sockets, servers and timers: what a handler may reach besides its own socket.
///
/// [`Reactor::net`](crate::Reactor::net) and [`Socket::net`] lend it; timers get it as their
/// argument. Nothing that is called on it runs a handler before the present one has returned.
pub struct Net {
    /// What comes from other threads. Goes first: nothing is taken in while the rest goes.
    inbox: Option<Inbox>,
    pub(crate) sys: Sys,
    pub(crate) sockets: Slots<SocketEntry>,
    pub(crate) servers: Slots<ServerEntry>,
    pub(crate) attempts: Slots<Attempt>,
    lookups: Slots<Lookup>,
    resolver: Rc<dyn Resolver>,
    names: Names,
    names_default: NameDefaults,
    pub(crate) timers: Timers,
    #[cfg(feature = "signal")]
    pub(crate) signals: signals::Signals,
    offloads: Slots<Offload>,
    pub(crate) idle: Wheel,
    pool: QueuePool,

    // Work lists. Each is popped one entry at a time from where it lives: a panic in a handler or a
    // `stop` must not lose the rest.
    /// What the kernel reported, or a budget left undone.
    pub(crate) ready: ReadyQueue,
    /// What is to be told outside of any call.
    pub(crate) notes: VecDeque<Target>,
    /// Sockets written to while another one was served.
    pub(crate) dirty: VecDeque<Key>,
    /// What `close` is still to be told to, in the order of destruction.
    pub(crate) closing: VecDeque<Target>,
    /// What `close` was told to: freed at the end of the turn.
    pub(crate) freed: VecDeque<Target>,
    /// Servers that wait for a descriptor, and when they try by themselves.
    starved: VecDeque<Key>,
    pub(crate) retry_accepts_at: Option<u64>,

    /// The socket whose handler runs.
    pub(crate) serving: Option<Key>,
    /// What it has written to it.
    pub(crate) gathered: Gathered,
    /// Nanoseconds since the reactor was made, as of the last look at the clock.
    pub(crate) now: u64,
    /// `now` in whole ticks.
    pub(crate) tick: u64,
    /// How many sockets, servers and timers keep the loop going.
    alive: usize,
    stopping: bool,
    /// Everybody is to end, and nothing new may begin.
    shutdown: Option<Box<Shutdown>>,
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
    log_limit: LogLimit,
    reactor: u32,
}

impl Net {
    pub(crate) fn new(sys: Sys, limits: Limits) -> Net {
        Net {
            inbox: None,
            sys,
            sockets: Slots::new(),
            servers: Slots::new(),
            attempts: Slots::new(),
            lookups: Slots::new(),
            resolver: Rc::new(SystemResolver),
            names: Names::new(),
            names_default: NameDefaults::default(),
            timers: Timers::new(),
            #[cfg(feature = "signal")]
            signals: signals::Signals::new(),
            offloads: Slots::new(),
            idle: Wheel::new(0),
            pool: QueuePool::new(),
            ready: ReadyQueue::default(),
            notes: VecDeque::new(),
            dirty: VecDeque::new(),
            closing: VecDeque::new(),
            freed: VecDeque::new(),
            starved: VecDeque::new(),
            retry_accepts_at: None,
            serving: None,
            gathered: Gathered::new(&limits),
            now: 0,
            tick: 0,
            alive: 0,
            stopping: false,
            shutdown: None,
            limits,
            counters: Counters::default(),
            log_limit: LogLimit::default(),
            reactor: ids::next_reactor(),
        }
    }

    /// The socket that `id` names: the one being served too. `None` once its `close` was told.
    pub fn socket(&mut self, id: SocketId) -> Option<Socket<'_>> {
        let key = match planted!(StaleSocketId) {
            true => self.sockets.key_at(id.key.index)?,
            false => id.key,
        };
        let entry = self.sockets.get(key)?;
        if id.reactor != self.reactor || entry.is_closed() {
            return None;
        }
        Some(Socket::new(self, key))
    }

    /// The server that `id` names. `None` once its `close` was told.
    pub fn server(&mut self, id: ServerId) -> Option<Server<'_>> {
        let server = self.servers.get(id.key)?;
        if id.reactor != self.reactor || server.closed {
            return None;
        }
        Some(Server::new(self, id.key))
    }

    /// The time since the reactor was made, as of the last look at the clock: after each poll,
    /// before timers run, when a timer or an idle timeout is set, and at
    /// [`Reactor::net`](crate::Reactor::net). It never goes back and is at most a turn old.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// What the reactor has done so far.
    pub fn stats(&self) -> Stats {
        let counters = self.counters;
        Stats {
            turns: counters.turns,
            events: counters.events,
            stale_events: counters.stale_events,
            sockets: self.sockets.len(),
            servers: self.servers.len(),
            accepted: counters.accepted,
            connects: counters.connects,
            dropped: counters.dropped,
            blocked: counters.blocked,
            starved: counters.starved,
            shed: counters.shed,
            posts: counters.posts,
            refused_posts: self.inbox.as_ref().map_or(0, Inbox::refused),
            offloads: counters.offloads,
            refused_offloads: counters.refused_offloads,
            wakes: self.inbox.as_ref().map_or(0, Inbox::wakes),
            syscalls: self.sys.calls.into(),
        }
    }

    /// Whether several addresses of a host are tried where
    /// [`ConnectOptions`](crate::ConnectOptions) do not say; `true` in the beginning.
    ///
    /// Node: [`net.setDefaultAutoSelectFamily`](https://nodejs.org/api/net.html#netsetdefaultautoselectfamilyvalue).
    #[doc(alias = "setDefaultAutoSelectFamily")]
    pub fn set_default_auto_select_family(&mut self, several: bool) {
        self.names_default.auto_select_family = several;
    }

    /// See [`set_default_auto_select_family`](Net::set_default_auto_select_family).
    #[doc(alias = "getDefaultAutoSelectFamily")]
    pub fn default_auto_select_family(&self) -> bool {
        self.names_default.auto_select_family
    }

    /// How long one of several addresses of a host may take to answer where
    /// [`ConnectOptions`](crate::ConnectOptions) do not say; 500 ms in the beginning, 10 ms at
    /// least.
    ///
    /// # Errors
    ///
    /// `ERR_OUT_OF_RANGE` for no time at all.
    ///
    /// Node: [`net.setDefaultAutoSelectFamilyAttemptTimeout`](https://nodejs.org/api/net.html#netsetdefaultautoselectfamilyattempttimeoutvalue).
    #[doc(alias = "setDefaultAutoSelectFamilyAttemptTimeout")]
    pub fn set_default_auto_select_family_attempt_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<()> {
        self.names_default.attempt_timeout = attempt_timeout(timeout)?;
        Ok(())
    }

    /// See [`set_default_auto_select_family_attempt_timeout`](Net::set_default_auto_select_family_attempt_timeout).
    #[doc(alias = "getDefaultAutoSelectFamilyAttemptTimeout")]
    pub fn default_auto_select_family_attempt_timeout(&self) -> Duration {
        self.names_default.attempt_timeout
    }

    /// Lets [`Reactor::run`](crate::Reactor::run) return at the end of this turn. Nothing is closed
    /// and nothing is lost: a later `run` goes on where this one stopped.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Whether `stop` was called since it was last asked.
    pub(crate) fn take_stop(&mut self) -> bool {
        std::mem::take(&mut self.stopping)
    }

    /// Looks at the clock. Time never goes back, whatever the clock says.
    pub(crate) fn read_clock(&mut self) {
        self.now = self.sys.now().max(self.now);
        self.tick = self.now / NANOS_PER_TICK;
    }

    /// Something is to be done without sleeping first.
    pub(crate) fn has_work(&self) -> bool {
        !(self.ready.is_empty()
            && self.notes.is_empty()
            && self.dirty.is_empty()
            && self.closing.is_empty()
            && self.freed.is_empty()
            && self.timers.immediates() == 0
            && self.inbox.as_ref().is_none_or(Inbox::is_worked_off)
            && !self.has_due_signals())
    }

    /// Something keeps the loop going (R105).
    pub(crate) fn is_alive(&self) -> bool {
        // What is ready belongs to something that is counted, or that was told not to count. What
        // was written is on its way in either case: Node's `write` would have sent it.
        self.alive > 0
            || !self.notes.is_empty()
            || !self.dirty.is_empty()
            || !self.closing.is_empty()
            || !self.freed.is_empty()
            || self.timers.immediates() > 0
            || (self.has_mail() && !planted!(PostLostAtExit))
            || self.has_due_signals()
    }

    /// Somebody is still to be called for a signal, after a panic.
    fn has_due_signals(&self) -> bool {
        #[cfg(feature = "signal")]
        return self.signals.has_due();
        #[cfg(not(feature = "signal"))]
        false
    }

    /// How long the loop may sleep; `None`: until something happens. The clock is looked at only if
    /// there is something to wake for.
    ///
    /// Who asks is about to sleep: from now on other threads wake the loop.
    pub(crate) fn sleep(&self) -> Option<Duration> {
        if self.has_work() || !self.fall_asleep() {
            return Some(Duration::ZERO);
        }
        let next = self.next_wake()?;
        Some(Duration::from_nanos(next.saturating_sub(self.sys.now())))
    }

    /// When the loop has something to do next by its own clock, in nanoseconds.
    pub(crate) fn next_wake(&self) -> Option<u64> {
        let ticks = [self.timers.next_wake(), self.idle.next_wake()];
        let wakes = ticks.into_iter().flatten();
        let nanos = wakes.map(|tick| tick.saturating_mul(NANOS_PER_TICK));
        nanos.chain(self.retry_accepts_at).min()
    }

    /// Puts a socket into the ready queue, unless it stands there.
    pub(crate) fn mark_ready(&mut self, key: Key) {
        if let Some(entry) = self.sockets.get_mut(key)
            && entry.flags.raise(Flags::IN_READY)
        {
            self.ready.push(Target::Socket(key));
        }
    }

    /// Notes something to be told to a socket.
    pub(crate) fn note(&mut self, key: Key, note: Note) {
        if let Some(entry) = self.sockets.get_mut(key) {
            entry.notes.insert(note);
            if entry.flags.raise(Flags::IN_NOTES) {
                self.notes.push_back(Target::Socket(key));
            }
        }
    }

    /// Puts a socket back into the queue of notes if something is left to tell.
    pub(crate) fn renote(&mut self, key: Key) {
        if let Some(entry) = self.sockets.get_mut(key)
            && !entry.notes.is_empty()
            && entry.flags.raise(Flags::IN_NOTES)
        {
            self.notes.push_back(Target::Socket(key));
        }
    }

    fn flag(&mut self, key: Key, flag: Flags) {
        if let Some(entry) = self.sockets.get_mut(key) {
            entry.flags.insert(flag);
        }
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("sockets", &self.sockets.len())
            .field("servers", &self.servers.len())
            .finish_non_exhaustive()
    }
}
