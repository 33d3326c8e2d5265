//! The answer to a question, still to come.

use crate::net::{Key, Mail, Remote};
use crate::{Error, Result};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a resolver found: addresses, best first, or why there are none.
pub(crate) type Answer = Result<Vec<IpAddr>>;

/// An answer that a [`Resolver`](super::Resolver) owes the loop.
///
/// It may go to any thread and outlive whoever asked, the loop included: then it leads to nothing.
/// Dropping it fails the lookup with `ECANCELED`, so no socket waits for ever for an answer that
/// cannot come.
pub struct Promise {
    lookup: Key,
    host: Arc<str>,
    wanted: Arc<AtomicBool>,
    /// `None` once it is fulfilled.
    remote: Option<Remote>,
}

impl Promise {
    pub(crate) fn new(
        lookup: Key,
        host: Arc<str>,
        wanted: Arc<AtomicBool>,
        remote: Remote,
    ) -> Promise {
        Promise {
            lookup,
            host,
            wanted,
            remote: Some(remote),
        }
    }

    /// Gives the answer, from any thread. The socket hears of it in a turn of the loop, never inside
    /// this call.
    ///
    /// Addresses come in the order in which they are to be tried; 32 of them are, each once, and
    /// beyond the first 1,024 none is looked at. None at all is `ENOTFOUND`. An error is told as it is, in `on_lookup` and in `on_error`.
    pub fn fulfil(mut self, answer: Result<Vec<IpAddr>>) {
        self.send(answer);
    }

    /// Whether anybody still waits: not once the socket is destroyed, or the deadline is over.
    pub fn is_wanted(&self) -> bool {
        // A hint: the loop looks again.
        self.wanted.load(Ordering::Relaxed) || planted!(StaleLookup)
    }

    fn send(&mut self, answer: Answer) {
        if let Some(remote) = self.remote.take()
            && self.is_wanted()
        {
            remote.answer(Mail::Answer(self.lookup, answer));
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if self.remote.is_some() {
            let why = "the resolver dropped the question";
            self.send(Err(Error::lookup_refused("ECANCELED", &self.host, why)));
        }
    }
}

impl fmt::Debug for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise")
            .field("host", &self.host)
            .field("is_wanted", &self.is_wanted())
            .finish_non_exhaustive()
    }
}
