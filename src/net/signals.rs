//! Signals of the process: who is to be called for which.
//!
//! A signal only rings; which ones have come is asked of `sys` in the turn that hears it, and then
//! each listener is called once, however often its signal came meanwhile.

use super::ids::{Key, SignalId};
use super::slots::{Slots, Tenant};
use super::{Every, Net, SIGNAL_TOKEN};
use crate::{Error, Result};
use std::collections::VecDeque;

/// The listeners of one loop.
pub(crate) struct Signals {
    listeners: Slots<Listener>,
    /// Listeners whose signal has come, still to be called.
    due: VecDeque<Key>,
    /// A signal has come since they were taken.
    pub(crate) rung: bool,
}

struct Listener {
    generation: u32,
    signal: i32,
    /// `None` while it runs.
    callback: Option<Every>,
}

impl Tenant for Listener {
    fn generation(&self) -> u32 {
        self.generation
    }
}

impl Signals {
    pub(super) fn new() -> Signals {
        Signals {
            listeners: Slots::new(),
            due: VecDeque::new(),
            rung: false,
        }
    }

    pub(super) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    fn of(&self, signal: i32) -> impl Iterator<Item = Key> {
        let hears = move |listener: &Listener| listener.signal == signal;
        let listeners = self.listeners.iter();
        listeners.filter_map(move |(key, listener)| hears(listener).then_some(key))
    }
}

impl Net {
    /// Calls `callback` in the loop whenever the process has got `signal`: a number, such as those in
    /// [`signal`](crate::signal). (Feature `signal`.)
    ///
    /// From then on the signal does not do what it does by default; that comes back when nobody
    /// listens any more, in any loop of the process. Every loop that listens is told, by each of its
    /// callbacks, first set, first called, in the turn after the signal woke it; a signal that comes
    /// several times before that is told once. Listening does not keep the loop going.
    ///
    /// ```no_run
    /// # fn main() -> netloop::Result<()> {
    /// use netloop::{Reactor, handler_fn, signal};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.net().listen("127.0.0.1:7000", |_| handler_fn(|_, _| ()))?;
    /// reactor.net().on_signal(signal::SIGTERM, |net| {
    ///     net.shutdown(Duration::from_secs(30), |_, report| {
    ///         eprintln!("{} ended, {} cut off", report.ended, report.cut);
    ///     });
    /// })?;
    /// reactor.run() // returns once all are gone
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is no signal, for SIGKILL and SIGSTOP, which nobody can listen to,
    /// and, other than in Node, for SIGSEGV, SIGILL and SIGFPE, after which no program can go on; and
    /// when there is no descriptor.
    ///
    /// Node: [`process.on('SIGTERM', ..)`](https://nodejs.org/api/process.html#signal-events).
    #[doc(alias = "process.on")]
    pub fn on_signal(
        &mut self,
        signal: i32,
        callback: impl FnMut(&mut Net) + 'static,
    ) -> Result<SignalId> {
        if self.signals.of(signal).next().is_none() {
            let watched = self.sys.watch_signal(signal, SIGNAL_TOKEN);
            watched.map_err(|error| Error::io("uv_signal_start", error))?; // Node's words
        }
        let key = self.signals.listeners.insert(|key| Listener {
            generation: key.generation,
            signal,
            callback: Some(Box::new(callback)),
        });
        Ok(SignalId {
            key,
            reactor: self.reactor,
        })
    }

    /// Takes an [`on_signal`](Net::on_signal) back, also while it waits to be called. One that was
    /// taken back already is left in peace.
    ///
    /// Node: `process.off('SIGTERM', ..)`.
    #[doc(alias = "process.off")]
    pub fn off_signal(&mut self, id: SignalId) {
        if id.reactor != self.reactor {
            return;
        }
        if let Some(Listener { signal, .. }) = self.signals.listeners.remove(id.key)
            && self.signals.of(signal).next().is_none()
        {
            self.sys.unwatch_signal(signal);
        }
    }

    /// Takes in which signals have come; answers how many calls are to be made.
    pub(crate) fn take_signals(&mut self) -> usize {
        if std::mem::take(&mut self.signals.rung) {
            for signal in self.sys.take_signals() {
                let mut hears: Vec<_> = self.signals.of(signal).collect();
                hears.sort_unstable_by_key(|key| key.generation);
                self.signals.due.extend(hears);
            }
        }
        self.signals.due.len()
    }

    /// Takes the next callback that is due out of its place, to be given back.
    pub(crate) fn next_signal(&mut self) -> Option<(Key, Every)> {
        while let Some(key) = self.signals.due.pop_front() {
            let listener = self.signals.listeners.get_mut(key);
            if let Some(callback) = listener.and_then(|it| it.callback.take()) {
                return Some((key, callback));
            }
        }
        None
    }

    /// Gives a callback back, unless it was taken back meanwhile.
    pub(crate) fn put_signal_back(&mut self, key: Key, callback: Every) {
        if let Some(listener) = self.signals.listeners.get_mut(key) {
            listener.callback = Some(callback);
        }
    }
}
