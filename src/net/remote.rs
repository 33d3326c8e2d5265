//! The door from other threads.
//!
//! [`Remote`] is its outer side, `Inbox` the inner one; between them stands the queue of `post`. The
//! library's own answers from threads come in here too, and are never refused: their number is
//! bounded by what is under way.

use super::{Key, Net, WAKER_TOKEN};
use crate::post::{Queue, Refused};
use crate::resolver::Answer;
use crate::sys::Waker;
use crate::{Error, Result};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// What travels from another thread to the loop.
pub(crate) enum Mail {
    Run(Box<dyn FnOnce(&mut Net) + Send>),
    /// This work is over; its result lies where `done` looks for it.
    Done(Key),
    /// The answer to this lookup.
    Answer(Key, Answer),
    /// What the system's resolver has found about the host of this number.
    Host(u64, Answer),
}

/// Reaches the loop from other threads.
///
/// Made by [`Net::remote`], cloned freely, and the only thing of the loop's that may leave its
/// thread. It does not keep the loop going: with nothing but remotes left, `run` returns.
///
/// ```
/// # fn main() -> netloop::Result<()> {
/// let mut reactor = netloop::Reactor::new()?;
/// let remote = reactor.net().remote()?;
/// reactor.net().set_interval(std::time::Duration::from_secs(60), |_net| {});
/// let worker = std::thread::spawn(move || {
///     remote.post(|net| println!("{} sockets", net.stats().sockets)).unwrap();
///     remote.stop();
/// });
/// reactor.run()?;
/// # worker.join().unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Remote {
    queue: Arc<Queue<Mail, Waker>>,
}

impl Remote {
    /// Runs `work` on the loop's thread, in its next turn. Never blocks.
    ///
    /// What one thread posts runs in the order in which it was posted, each exactly once. At most
    /// 65,536 wait, and at most 256 run in a turn, so a flood cannot starve the sockets. The loop is
    /// woken if it sleeps, and not otherwise. What still waits when the reactor is dropped is
    /// dropped with it, unrun; while it waits, it keeps the loop going as an immediate does.
    ///
    /// `work` may outlive what it is about: keep a [`SocketId`](crate::SocketId), and ask
    /// [`Net::socket`] for the socket.
    ///
    /// # Errors
    ///
    /// [`Refused`] gives `work` back: `Full`, or `Closed` once the reactor is dropped.
    pub fn post<F>(&self, work: F) -> Result<(), Refused<F>>
    where
        F: FnOnce(&mut Net) + Send + 'static,
    {
        self.queue.push(work, |work| Mail::Run(Box::new(work)))
    }

    /// Lets [`Reactor::run`](crate::Reactor::run) return at the end of the turn, however much waits
    /// in the queue, and wakes it for that. Without effect once the reactor is dropped.
    pub fn stop(&self) {
        self.queue.stop();
    }

    /// Brings an answer that the loop has asked for, and so is not refused. Once the loop is gone it
    /// is dropped.
    pub(crate) fn answer(&self, mail: Mail) {
        self.queue.push_always(mail);
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

/// The loop's side.
pub(super) struct Inbox {
    queue: Arc<Queue<Mail, Waker>>,
    /// What this turn has taken from the queue and not run yet.
    taken: VecDeque<Mail>,
}

impl Inbox {
    /// Nothing is left of what a turn has taken.
    pub(super) fn is_worked_off(&self) -> bool {
        self.taken.is_empty()
    }

    pub(super) fn has_mail(&self) -> bool {
        !self.taken.is_empty() || self.queue.is_waiting()
    }

    pub(super) fn fall_asleep(&self) -> bool {
        self.queue.fall_asleep()
    }

    pub(super) fn wakes(&self) -> u64 {
        self.queue.wakes()
    }

    pub(super) fn refused(&self) -> u64 {
        self.queue.refused()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        drop(self.queue.close());
    }
}

impl Net {
    /// The door for other threads. The first one costs a descriptor, further ones nothing.
    ///
    /// # Errors
    ///
    /// When the system has no descriptor left.
    pub fn remote(&mut self) -> Result<Remote> {
        let inbox = match &self.inbox {
            Some(inbox) => inbox,
            None => {
                let waker = self.sys.waker(WAKER_TOKEN);
                let waker = waker.map_err(|error| Error::io("eventfd", error))?;
                self.inbox.insert(Inbox {
                    queue: Arc::new(Queue::new(waker, self.limits.queued_posts)),
                    taken: VecDeque::new(),
                })
            }
        };
        Ok(Remote {
            queue: Arc::clone(&inbox.queue),
        })
    }

    /// Something that other threads have sent was not run yet.
    pub(crate) fn has_mail(&self) -> bool {
        self.inbox.as_ref().is_some_and(Inbox::has_mail)
    }

    /// From now on other threads wake the loop. `false`, and nothing has changed, if they have sent
    /// something already.
    pub(crate) fn fall_asleep(&self) -> bool {
        let may = self.inbox.as_ref().is_none_or(Inbox::fall_asleep);
        may || planted!(WakerFlagClearedAfterDraining)
    }

    /// Other threads need not wake the loop: it is.
    pub(crate) fn wake_up(&self) {
        if let Some(inbox) = &self.inbox {
            inbox.queue.wake_up();
        }
    }

    /// Takes what this turn will run; answers how much that is.
    pub(crate) fn take_mail(&mut self) -> usize {
        let Some(inbox) = &mut self.inbox else {
            return 0;
        };
        if planted!(PostsLostInPanic) {
            inbox.taken.clear();
        }
        // After a panic something is left, and comes first.
        let most = match planted!(PostsWithoutBudget) {
            true => usize::MAX,
            false => self.limits.posts.saturating_sub(inbox.taken.len()),
        };
        self.stopping |= inbox.queue.take(most, &mut inbox.taken);
        inbox.taken.len()
    }

    pub(crate) fn next_mail(&mut self) -> Option<Mail> {
        let taken = &mut self.inbox.as_mut()?.taken;
        let mail = match planted!(PostsOutOfOrder) {
            true => taken.pop_back(),
            false => taken.pop_front(),
        };
        self.counters.posts += u64::from(mail.is_some());
        mail
    }
}
