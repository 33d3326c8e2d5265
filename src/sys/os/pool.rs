//! A few threads for work that blocks. Started when there is something to do, never waited for.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::sys::{Job, QUEUED_JOBS};

/// As many as libuv's pool has.
const THREADS: usize = 4;

/// Threads of one kind, and what waits for them.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    /// What its threads are called, before their number. Linux shows 15 bytes in all.
    name: &'static str,
}

struct Shared {
    state: Mutex<State>,
    /// There is something to do, or nothing ever again.
    news: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Threads that wait for a job.
    idle: usize,
    closed: bool,
}

impl Pool {
    pub(super) fn new(name: &'static str) -> Pool {
        let shared = Shared {
            state: Mutex::default(),
            news: Condvar::new(),
        };
        Pool {
            shared: Arc::new(shared),
            name,
        }
    }

    /// Lets a thread do `job`. What is refused is dropped.
    pub(crate) fn run(&self, job: Job) -> io::Result<()> {
        let mut state = self.shared.lock();
        if state.jobs.len() >= QUEUED_JOBS {
            drop(state); // first: nothing of the caller's is dropped under the lock
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() {
            self.shared.news.notify_one();
        } else if state.threads < THREADS
            && let Err(error) = self.spawn(&mut state)
            && state.threads == 0
        {
            let refused = state.jobs.pop_back();
            drop(state);
            drop(refused);
            return Err(error);
        }
        Ok(())
    }

    fn spawn(&self, state: &mut State) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name(format!("{}-{}", self.name, state.threads + 1))
            .spawn(move || shared.work())?;
        state.threads += 1;
        Ok(())
    }
}

impl Shared {
    fn work(&self) {
        while let Some(job) = self.next() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
                // The thread is still needed. A payload may panic once more when it is dropped.
                std::mem::forget::<Box<dyn Any + Send>>(panic);
            }
        }
    }

    /// Waits for something to do; `None` once nothing will come.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            let waited = self.news.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// No job runs with the lock held, so nothing is half done behind a poisoned one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    /// Drops what no thread has begun. Threads that wait end; one at work ends behind it, and
    /// nobody waits for that: a lookup may hang for minutes.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        self.shared.news.notify_all();
        drop(jobs);
    }
}
