//! Sleeping, and taking in what the kernel says.

use super::Reactor;
#[cfg(feature = "signal")]
use crate::net::SIGNAL_TOKEN;
use crate::net::{Flags, Net, Target, WAKER_TOKEN};
use crate::{Error, Result};
use std::time::Duration;

impl Reactor {
    /// Sleeps until an event comes or `timeout` is over, and latches all events before anybody is
    /// called: what a handler does cannot lose the rest of the batch (E1, E8).
    pub(super) fn poll(&mut self, timeout: Option<Duration>) -> Result<()> {
        let net = &mut self.net;
        let is_busy = net.limits.busy_poll_nanos > 0;
        let events = match is_busy {
            false => net.latch_events(timeout),
            true => self.busy.wait(net, timeout),
        };
        net.wake_up();
        let events = events?;
        net.read_clock();
        if is_busy {
            self.busy.note(net, events);
        }
        net.counters.turns += 1;
        net.counters.events += events as u64;
        self.batch_was_full = events == net.limits.events;
        self.polled_at = net.tick;
        if net.retry_accepts_at.is_some_and(|at| at <= net.now) {
            net.retry_accepts();
        }
        Ok(())
    }
}

impl Net {
    /// One poll; answers how many events it brought.
    pub(super) fn latch_events(&mut self, timeout: Option<Duration>) -> Result<usize> {
        let Net {
            sys,
            sockets,
            servers,
            attempts,
            ready,
            counters,
            #[cfg(feature = "signal")]
            signals,
            ..
        } = self;
        let mut events = 0;
        let outcome = sys.poll(timeout, |token, said| {
            events += 1;
            if said.is_empty() {
                return;
            }
            let target = Target::from_token(token);
            log::trace!("event {target:?} {said:?}");
            // A handler earlier on may have closed what this event is about, and its slot may hold
            // a newcomer by now. The generation tells them apart.
            let new = match target {
                Target::Socket(key) => sockets.get_mut(key).map(|entry| {
                    entry.latch.latch(said);
                    entry.flags.raise(Flags::IN_READY)
                }),
                Target::Attempt(key) => attempts.get_mut(key).map(|attempt| {
                    attempt.said.insert(said);
                    !std::mem::replace(&mut attempt.in_ready, true)
                }),
                Target::Server(key) => servers
                    .get_mut(key)
                    .map(|server| !std::mem::replace(&mut server.in_ready, true)),
            };
            match new {
                Some(true) => ready.push_token(token),
                Some(false) => {}
                // It has said all by letting the poll return.
                None if token == WAKER_TOKEN => {}
                #[cfg(feature = "signal")]
                None if token == SIGNAL_TOKEN => signals.rung = true,
                None => counters.stale_events += 1,
            }
        });
        outcome.map_err(|error| Error::io("epoll_wait", error))?;
        Ok(events)
    }
}
