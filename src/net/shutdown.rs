//! `shutdown`: an orderly end within a deadline.
//!
//! Servers close, sockets that are through end, and whoever is left at the deadline is destroyed and
//! named. Before it is asked for it costs nothing: one walk over the sockets notes `Leave` for each,
//! and one that is busy then carries a flag that brings it back here once its queue is empty.

use super::flags::Flags;
use super::ids::{Key, SocketId, TimerId};
use super::notes::Note;
use super::{Net, SocketEntry};
use crate::connection::Input;
use crate::{Address, Error, Result};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// So many of those that were cut off are named.
const MOST_NAMED: usize = 1024;

type Done = Box<dyn FnOnce(&mut Net, &ShutdownReport)>;

/// How a [`shutdown`](Net::shutdown) went.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Sockets that were gone before the deadline, by an error of their own too.
    pub ended: usize,
    /// Sockets that were destroyed at the deadline.
    pub cut: usize,
    /// The first 1,024 of those.
    pub stragglers: Vec<Straggler>,
}

/// A socket that was still there at the deadline of a [`shutdown`](Net::shutdown).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Straggler {
    /// What it was called; it finds nothing any more.
    pub id: SocketId,
    /// Where its peer is; `None` if it was still connecting.
    pub peer: Option<Address>,
    /// Bytes that were written to it and that the kernel never took.
    pub unsent: usize,
}

/// A shutdown under way.
pub(crate) struct Shutdown {
    /// One for each call. The first to come cuts everybody off.
    deadlines: Vec<TimerId>,
    done: Vec<Done>,
    report: ShutdownReport,
    /// Whose handler has begun work on other threads that is not over, and how much: the result may
    /// be its answer.
    at_work: HashMap<Key, usize>,
}

impl Net {
    /// Ends everything in good order, and what is left at the deadline in any case; then calls `done`
    /// with a report of it.
    ///
    /// Every server closes at once. Every socket gets its `end()` when it is through: when nothing is
    /// queued, what its peer has sent by now is read, and no work is under way that its handler has
    /// [offloaded](Net::offload). One that is connecting connects first. Handlers go on being told
    /// everything, so one that still writes at `drain` is not through yet; after `end()` it is for the
    /// peer to close. What is [piped](Net::pipe) into ends with its source, so a proxy's connections
    /// stay until one of their peers ends them. Whether an answer is to come in another way, by a timer or a
    /// [`Remote`](crate::Remote), cannot be seen. A socket that is paused does not hear of its peer's
    /// end, and one that is corked with bytes in it is not through: resume and uncork them, or the
    /// deadline does.
    ///
    /// At the deadline all that are left are destroyed, as by
    /// [`destroy`](crate::Socket::destroy). `done` is called in the turn after the last `close` was
    /// told, and never inside the call. Until then `listen`, `connect` and `adopt` fail with
    /// `ECANCELED`, and afterwards the loop is as new. The shutdown keeps it going until then, and
    /// touches no timer, no post and no work on other threads: if there are any, `run` goes on
    /// behind it, unless `done` calls [`stop`](Net::stop).
    ///
    /// `deadline` is never early; less than a millisecond counts as one. Called again meanwhile, the
    /// earlier of the deadlines holds, and each `done` is called: with one of zero a second signal
    /// puts an end to it.
    ///
    /// ```
    /// # fn main() -> netloop::Result<()> {
    /// use netloop::{Reactor, handler_fn};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.net().listen("127.0.0.1:0", |_| handler_fn(|_, _| ()))?;
    /// // Say, when a signal has come.
    /// reactor.net().shutdown(Duration::from_secs(30), |_net, report| {
    ///     for late in &report.stragglers {
    ///         eprintln!("cut off: {:?}, {} bytes unsent", late.peer, late.unsent);
    ///     }
    /// });
    /// reactor.run()
    /// # }
    /// ```
    ///
    /// Node has no such thing for `net`. Its nearest are
    /// [`server.close`](https://nodejs.org/api/net.html#serverclosecallback) and, for HTTP,
    /// [`server.closeIdleConnections`](https://nodejs.org/api/http.html#servercloseidleconnections)
    /// and [`server.closeAllConnections`](https://nodejs.org/api/http.html#servercloseallconnections).
    /// The deadline is HAProxy's
    /// [`hard-stop-after`](https://docs.haproxy.org/3.2/configuration.html#3.1-hard-stop-after).
    #[doc(alias = "closeIdleConnections")]
    #[doc(alias = "closeAllConnections")]
    pub fn shutdown(
        &mut self,
        deadline: Duration,
        done: impl FnOnce(&mut Net, &ShutdownReport) + 'static,
    ) {
        let timer = self.set_timeout(deadline, Net::cut_off);
        if self.shutdown.is_none() {
            self.begin_shutdown();
        }
        if let Some(shutdown) = &mut self.shutdown {
            shutdown.deadlines.push(timer);
            shutdown.done.push(Box::new(done));
        }
        self.finish_shutdown(); // if there is nobody to wait for
    }

    fn begin_shutdown(&mut self) {
        let mut at_work = HashMap::new();
        for of in self.offloads.iter().filter_map(|(_, offload)| offload.of) {
            *at_work.entry(of).or_default() += 1;
        }
        let servers: Vec<Key> = self.servers.iter().map(|(key, _)| key).collect();
        for key in servers {
            self.close_server(key);
        }
        let sockets = self.open_sockets();
        log::debug!("shutdown: {} sockets to end", sockets.len());
        for &key in &sockets {
            self.flag(key, Flags::LEAVING);
            self.note(key, Note::Leave);
        }
        self.shutdown = Some(Box::new(Shutdown {
            deadlines: Vec::new(),
            done: Vec::new(),
            report: ShutdownReport {
                ended: sockets.len(), // less those that are cut
                ..ShutdownReport::default()
            },
            at_work,
        }));
    }

    fn open_sockets(&self) -> Vec<Key> {
        let open =
            |(key, entry): (Key, &SocketEntry)| (!entry.lifecycle.is_destroyed()).then_some(key);
        self.sockets.iter().filter_map(open).collect()
    }

    /// Ends a socket if it is through. If not, it is looked at again: in the next turn if it has
    /// something to be read, when its queue is empty, or when its work or its sources are gone.
    ///
    /// It has to be through twice, with a poll in between: what its peer had sent by then has been
    /// read, and what a `resume` has just asked the kernel for too.
    pub(crate) fn leave(&mut self, key: Key) {
        let Some(shutdown) = &self.shutdown else {
            return;
        };
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        let lifecycle = entry.lifecycle;
        if lifecycle.is_destroyed() || lifecycle.write_ended() {
            return;
        }
        let busy = lifecycle.is_connecting()
            || !entry.queue.is_empty()
            || entry.has_sources()
            || shutdown.at_work.contains_key(&key);
        if busy {
            entry.flags.insert(Flags::LEAVING);
        } else if entry.flags.contains(Flags::LEAVING.or(Flags::IN_READY)) {
            entry.flags.remove(Flags::LEAVING);
            self.note(key, Note::Leave);
        } else {
            self.step(key, Input::End);
        }
    }

    /// Keeps count of work on other threads that a handler has begun while sockets leave.
    pub(super) fn work_begins(&mut self, of: Option<Key>) {
        if let (Some(shutdown), Some(of)) = (&mut self.shutdown, of) {
            *shutdown.at_work.entry(of).or_default() += 1;
        }
    }

    /// As [`work_begins`](Net::work_begins), for work whose result is about to be told.
    pub(super) fn work_ends(&mut self, of: Option<Key>) {
        let (Some(shutdown), Some(of)) = (&mut self.shutdown, of) else {
            return;
        };
        if let Some(pieces) = shutdown.at_work.get_mut(&of) {
            *pieces -= 1;
            if *pieces == 0 {
                shutdown.at_work.remove(&of);
                self.look_again(of);
            }
        }
    }

    /// Something is over that a socket may have been waited for with.
    pub(super) fn look_again(&mut self, key: Key) {
        let open = |entry: &SocketEntry| !entry.lifecycle.is_destroyed();
        if self.shutdown.is_some() && self.sockets.get(key).is_some_and(open) {
            self.note(key, Note::Leave);
        }
    }

    /// The deadline.
    fn cut_off(&mut self) {
        let late = self.open_sockets();
        for &key in &late {
            self.send_last(key);
            let Some(entry) = self.sockets.get(key) else {
                continue;
            };
            let straggler = Straggler {
                id: SocketId {
                    key,
                    reactor: self.reactor,
                },
                peer: entry.peer(),
                unsent: entry.queue.len(),
            };
            if let Some(shutdown) = &mut self.shutdown {
                shutdown.report.add(straggler);
            }
        }
        // Once all are named, since one may take another one with it.
        for key in late {
            self.step(key, Input::Destroy);
        }
    }

    /// Whether something new may begin.
    pub(super) fn check_not_leaving(&self, syscall: &'static str) -> Result<()> {
        match &self.shutdown {
            None => Ok(()),
            Some(_) => Err(Error::canceled(syscall)),
        }
    }

    /// Sees a shutdown through once all is gone: what remains is to call those who wait for it.
    pub(crate) fn finish_shutdown(&mut self) {
        if self.sockets.len() > 0 || self.servers.len() > 0 {
            return;
        }
        let Some(shutdown) = self.shutdown.take() else {
            return;
        };
        for timer in shutdown.deadlines {
            self.clear_timer(timer);
        }
        let report = Rc::new(shutdown.report);
        log::debug!("shutdown: {} ended, {} cut", report.ended, report.cut);
        for done in shutdown.done {
            let report = Rc::clone(&report);
            self.set_immediate(move |net| done(net, &report));
        }
    }
}

impl ShutdownReport {
    fn add(&mut self, straggler: Straggler) {
        self.ended -= 1;
        self.cut += 1;
        if self.stragglers.len() < MOST_NAMED {
            self.stragglers.push(straggler);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_everybody_and_names_1024() {
        let mut report = ShutdownReport {
            ended: 3000,
            ..ShutdownReport::default()
        };
        for index in 0..2000 {
            let generation = 1;
            report.add(Straggler {
                id: SocketId {
                    key: Key { index, generation },
                    reactor: 1,
                },
                peer: None,
                unsent: 0,
            });
        }
        assert_eq!((report.ended, report.cut), (1000, 2000));
        assert_eq!(report.stragglers.len(), 1024);
        assert_eq!(report.stragglers[1023].id.key.index, 1023);
    }
}
