//! Lookups: who waits for which answer, and for how long.
//!
//! A lookup is a slot with a generation, and its promise carries both: an answer that comes after
//! its asker is gone, after the deadline, or a second time, finds nothing (FAULTS G7).

use super::ids::{Key, Target};
use super::slots::Tenant;
use super::{Net, TimerId};
use crate::resolver::{Answer, Promise, Question, Resolver};
use crate::{Error, Result};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One question that has not been answered.
pub(crate) struct Lookup {
    generation: u32,
    /// The socket or the server that cannot go on without the answer.
    asker: Target,
    host: Arc<str>,
    /// Told to whoever holds the promise.
    wanted: Arc<AtomicBool>,
    /// `None` if there is all the time in the world.
    deadline: Option<TimerId>,
}

impl Tenant for Lookup {
    fn generation(&self) -> u32 {
        self.generation
    }
}

/// A question and who is to answer it.
pub(crate) struct Asking {
    pub(crate) lookup: Key,
    pub(crate) resolver: Rc<dyn Resolver>,
    pub(crate) question: Question,
    pub(crate) promise: Promise,
}

impl Net {
    /// Has `resolver` asked for the hosts of all connections and servers that do not bring their
    /// own, from the next question on. Unless one is set that is
    /// [`SystemResolver`](crate::SystemResolver).
    ///
    /// Node: the option `lookup`, which it has for single connections only.
    #[doc(alias = "lookup")]
    pub fn set_resolver(&mut self, resolver: impl Resolver + 'static) {
        self.resolver = Rc::new(resolver);
    }

    /// The resolver of those that do not bring their own.
    pub(crate) fn resolver(&self) -> Rc<dyn Resolver> {
        Rc::clone(&self.resolver)
    }

    /// Begins a lookup; what comes of it is told to `asker`, in no case inside this call.
    ///
    /// # Errors
    ///
    /// Without a descriptor for the door through which the answer is to come.
    pub(crate) fn begin_lookup(
        &mut self,
        asker: Target,
        question: Question,
        resolver: Rc<dyn Resolver>,
    ) -> Result<Asking> {
        let remote = self.remote()?;
        let wanted = Arc::new(AtomicBool::new(true));
        let host = Arc::clone(&question.host);
        let lookup = self.lookups.insert(|key| Lookup {
            generation: key.generation,
            asker,
            host: Arc::clone(&host),
            wanted: Arc::clone(&wanted),
            deadline: None,
        });
        log::debug!("{asker:?}: looks up {host:?}");
        Ok(Asking {
            lookup,
            resolver,
            question,
            promise: Promise::new(lookup, host, wanted, remote),
        })
    }

    /// Lets a lookup fail unless its answer comes in time.
    pub(crate) fn limit_lookup(&mut self, lookup: Key, deadline: Duration) {
        if deadline == Duration::MAX {
            return;
        }
        let timer = self.set_alarm(deadline, move |net| net.give_lookup_up(lookup));
        if let Some(lookup) = self.lookups.get_mut(lookup) {
            lookup.deadline = Some(timer);
        }
    }

    /// Nobody waits for this lookup any more.
    pub(crate) fn drop_lookup(&mut self, lookup: Key) -> Option<Lookup> {
        let lookup = self.lookups.remove(lookup)?;
        lookup.wanted.store(false, Ordering::Relaxed);
        if let Some(timer) = lookup.deadline {
            self.clear_timer(timer);
        }
        Some(lookup)
    }

    /// The answer to a lookup came, for whom it may still concern.
    pub(crate) fn answer_lookup(&mut self, lookup: Key, answer: Answer) {
        let lookup = match planted!(StaleLookup) {
            true => self.lookups.key_at(lookup.index).unwrap_or(lookup),
            false => lookup,
        };
        let Some(lookup) = self.drop_lookup(lookup) else {
            return;
        };
        let answer = match answer {
            Ok(ips) if ips.is_empty() => Err(Error::lookup("ENOTFOUND", &lookup.host)),
            answer => answer,
        };
        match lookup.asker {
            Target::Socket(key) => self.socket_answered(key, answer),
            Target::Server(key) => self.server_answered(key, answer),
            Target::Attempt(_) => {}
        }
    }

    fn give_lookup_up(&mut self, lookup: Key) {
        if let Some(host) = self.lookups.get(lookup).map(|it| Arc::clone(&it.host)) {
            self.answer_lookup(lookup, Err(Error::lookup("ETIMEDOUT", &host)));
        }
    }
}
