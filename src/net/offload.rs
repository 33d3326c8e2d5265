//! Work on other threads whose result comes back to the loop.
//!
//! The work goes to a thread, `done` stays here: only the work and its result cross over. What comes
//! back is a message that names the offload, exactly one for each piece of work that was begun. Work
//! that no thread takes sends none: `done` hears of it by an immediate. So the messages are as few as
//! the work under way, however much is refused.

use super::ids::Key;
use super::slots::Tenant;
use super::timers::Once;
use super::{Mail, Net, Remote};
use crate::sys::{Job, Pool};
use crate::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// What waits for work on another thread.
pub(crate) struct Offload {
    generation: u32,
    /// The socket whose handler began it.
    pub(super) of: Option<Key>,
    /// Takes the result from where the job has left it, and hands it on.
    done: Once,
}

impl Tenant for Offload {
    fn generation(&self) -> u32 {
        self.generation
    }
}

/// Tells the loop that a job is over, by being dropped: a panic does that too.
struct Over {
    remote: Remote,
    key: Key,
}

impl Drop for Over {
    fn drop(&mut self) {
        self.remote.answer(Mail::Done(self.key));
    }
}

impl Net {
    /// Runs `work` on another thread, and then `done` on the loop's, with what `work` returned.
    ///
    /// For what blocks or takes long: a query, a file, a hash. `done` may hold anything of the
    /// loop's; `work` cannot. Up to four threads are started when they are needed; 1,024 pieces of
    /// work may be under way, each until its `done` is called. Results come back in the order in
    /// which the work ends. Work under way keeps the loop going. When the reactor is dropped, what no
    /// thread has begun is dropped, and the rest runs on, without anybody who waits for it.
    ///
    /// The client that asked may be gone by then. Its id finds out:
    ///
    /// ```
    /// use netloop::{Handler, Socket};
    ///
    /// struct Sums;
    ///
    /// impl Handler for Sums {
    ///     fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
    ///         let (id, data) = (socket.id(), data.to_vec());
    ///         let work = move || data.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    ///         socket.net().offload(work, move |net, sum| {
    ///             // No socket: the client has left, and its answer is nobody's.
    ///             if let (Some(mut socket), Ok(sum)) = (net.socket(id), sum) {
    ///                 socket.write(sum.to_string().as_bytes());
    ///             }
    ///         });
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `done` gets one, never inside of this call, when `work` was not done: it panicked
    /// (`ERR_OFFLOAD_PANICKED`), too much is under way already (`ENOBUFS`), or the system has no
    /// thread or no descriptor for it.
    pub fn offload<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(&mut Net, Result<T>) + 'static,
    ) {
        if self.offloads.len() >= self.limits.offloads {
            self.counters.refused_offloads += 1;
            let error = Error::too_many_offloads(self.limits.offloads);
            // Noted before `work` is dropped, which may panic: that loses nothing.
            return self.set_immediate(move |net| done(net, Err(error)));
        }
        let left = Arc::new(Outcome(Mutex::new(None)));
        let (outcome, taken) = (Arc::clone(&left), Arc::clone(&left));
        let of = self.serving;
        self.work_begins(of);
        let key = self.offloads.insert(|key| Offload {
            generation: key.generation,
            of,
            done: Box::new(move |net| done(net, taken.take())),
        });
        self.alive += 1;
        let work = move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            outcome.put(result.map_err(|panic| Error::offload_panicked(&*panic)));
        };
        if let Err(error) = self.begin_offload(key, Box::new(work)) {
            self.counters.refused_offloads += 1;
            left.put(Err(error));
            if let Some(done) = self.take_offload(key) {
                self.set_immediate(done);
            }
        }
    }

    /// Lets a thread do `work` and then tell the loop; on failure nothing will be told.
    fn begin_offload(&mut self, key: Key, work: Job) -> Result<()> {
        let remote = self.remote()?;
        let job = move || {
            let _over = Over { remote, key };
            work();
        };
        let begun = self.sys.run_job(Pool::Work, Box::new(job));
        begun.map_err(|error| Error::io("pthread_create", error))?;
        self.counters.offloads += 1;
        Ok(())
    }

    /// What is to be called now that a job is over.
    pub(crate) fn take_offload(&mut self, key: Key) -> Option<Once> {
        let offload = self.offloads.remove(key)?;
        self.alive -= 1;
        self.work_ends(offload.of);
        Some(offload.done)
    }
}

/// Where a job leaves its result for `done` to find.
struct Outcome<T>(Mutex<Option<Result<T>>>);

impl<T> Outcome<T> {
    fn put(&self, result: Result<T>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }

    /// Nothing was left by a job whose panic could not even be looked at.
    fn take(&self) -> Result<T> {
        let result = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.unwrap_or_else(|| Err(Error::offload_panicked(&())))
    }
}
