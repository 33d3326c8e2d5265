//! What reaches beyond the loop's thread: waking the loop, and work done beside it.

use std::fmt;
use std::io;

use super::{Backend, Sys, uninterrupted};
use crate::post::Wake;

/// Something that blocks. It catches its own panics, if anybody is to hear of them.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// So many jobs may wait for the threads of a pool.
pub(crate) const QUEUED_JOBS: usize = 1024;

/// Which threads do a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Those that look up names.
    Names,
    /// Those that do what the user has for them.
    Work,
}

/// Lets the poll of its [`Sys`] return, from any thread.
pub(crate) struct Waker(Bell);

enum Bell {
    Os(mio::Waker),
    #[cfg(any(test, feature = "sim"))]
    Kernel(std::sync::Arc<super::kernel::Bell>),
}

impl Sys {
    /// A waker, whose event has `token`; there can be one only.
    ///
    /// # Errors
    ///
    /// When there is no descriptor for it.
    pub(crate) fn waker(&mut self, token: u64) -> io::Result<Waker> {
        self.calls.waker += 1;
        match &mut self.backend {
            Backend::Os(os) => os.poller.waker(token).map(Bell::Os),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.waker(token).map(Bell::Kernel),
        }
        .map(Waker)
    }

    /// Lets a thread do `job`. At most four of a pool are at work, [`QUEUED_JOBS`] wait. When this
    /// `Sys` is dropped, those that no thread has begun are dropped and the others are not waited
    /// for.
    ///
    /// # Errors
    ///
    /// `QuotaExceeded` if too many wait, and why there is not one thread. The job is dropped then.
    pub(crate) fn run_job(&mut self, pool: Pool, job: Job) -> io::Result<()> {
        match &mut self.backend {
            Backend::Os(os) => match pool {
                Pool::Names => os.names.run(job),
                Pool::Work => os.work.run(job),
            },
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.run_job(pool, job),
        }
    }
}

impl Wake for Waker {
    fn wake(&self) -> io::Result<()> {
        if planted!(WakeForgotten) {
            return Ok(());
        }
        let ring = || match &self.0 {
            Bell::Os(waker) => waker.wake(),
            #[cfg(any(test, feature = "sim"))]
            Bell::Kernel(bell) => bell.ring(),
        };
        match uninterrupted(ring) {
            // So many wakes wait to be heard that there is no room for another.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            outcome => outcome,
        }
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}
