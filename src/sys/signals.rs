//! Signals of the process.

#[cfg(any(test, feature = "sim"))]
use std::collections::BTreeSet;
use std::io;

use super::{Backend, Sys};

impl Sys {
    /// Has `signal` told from now on: by an event under `token`, the same for all, and then by
    /// [`take_signals`](Sys::take_signals). Once for each signal.
    ///
    /// # Errors
    ///
    /// `EINVAL` for what is no signal or cannot be watched; any errno when there is no descriptor.
    pub(crate) fn watch_signal(&mut self, signal: i32, token: u64) -> io::Result<()> {
        match &mut self.backend {
            Backend::Os(os) => os.signals.watch(&os.poller, signal, token),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.watch_signal(signal, token),
        }
    }

    /// Leaves `signal` to others, or to what it does by default.
    pub(crate) fn unwatch_signal(&mut self, signal: i32) {
        match &mut self.backend {
            Backend::Os(os) => os.signals.unwatch(signal),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.unwatch_signal(signal),
        }
    }

    /// Which signals have come since this was asked last, each once.
    pub(crate) fn take_signals(&mut self) -> Vec<i32> {
        match &mut self.backend {
            Backend::Os(os) => os.signals.take(),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.take_signals(),
        }
    }
}

/// The signals of a process whose loop stands on a `Kernel`.
#[cfg(any(test, feature = "sim"))]
#[derive(Debug, Default)]
pub(crate) struct SignalLine {
    token: u64,
    watched: BTreeSet<i32>,
    raised: BTreeSet<i32>,
    rung: bool,
}

#[cfg(any(test, feature = "sim"))]
impl SignalLine {
    pub(crate) fn watch(&mut self, signal: i32, token: u64) -> Result<(), i32> {
        const NEVER: [i32; 5] = [
            libc::SIGKILL,
            libc::SIGSTOP,
            libc::SIGSEGV,
            libc::SIGILL,
            libc::SIGFPE,
        ];
        if !(1..=31).contains(&signal) || NEVER.contains(&signal) {
            return Err(libc::EINVAL);
        }
        self.token = token;
        self.watched.insert(signal);
        Ok(())
    }

    pub(crate) fn unwatch(&mut self, signal: i32) {
        self.watched.remove(&signal);
        self.raised.remove(&signal);
    }

    /// Sends a signal to the process; false if nobody watches it.
    pub(crate) fn raise(&mut self, signal: i32) -> bool {
        let watched = self.watched.contains(&signal);
        if watched {
            self.raised.insert(signal);
            self.rung = true;
        }
        watched
    }

    pub(crate) fn is_rung(&self) -> bool {
        self.rung
    }

    /// What a poll has to say of it, once.
    pub(crate) fn hear(&mut self) -> Option<u64> {
        std::mem::take(&mut self.rung).then_some(self.token)
    }

    pub(crate) fn take(&mut self) -> Vec<i32> {
        std::mem::take(&mut self.raised).into_iter().collect()
    }
}
