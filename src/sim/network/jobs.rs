//! What a host's other threads would do. There are none here: a job is done when its time is over,
//! and the jobs of a pool come to an end in any order.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::{Happening, Network, SECOND_NANOS};
use crate::sim::trace::Kind;
use crate::sys::{Bell, Job, Pool, QUEUED_JOBS};

/// How long a job takes, at most.
const JOB_NANOS: u64 = 50_000_000;
/// How long one takes that is slow.
const SLOW_JOB_NANOS: u64 = 3_600 * SECOND_NANOS;

/// The jobs of a host that are not done yet.
#[derive(Default)]
pub(super) struct Jobs {
    names: VecDeque<Job>,
    work: VecDeque<Job>,
}

impl Jobs {
    fn of(&mut self, pool: Pool) -> &mut VecDeque<Job> {
        match pool {
            Pool::Names => &mut self.names,
            Pool::Work => &mut self.work,
        }
    }
}

impl Network {
    /// Gives a host its bell.
    pub(in crate::sim) fn hang_bell(
        &mut self,
        host: usize,
        token: u64,
        bell: Arc<Bell>,
    ) -> Result<(), i32> {
        let host = &mut self.hosts[host];
        if host.table.is_full() {
            return Err(libc::EMFILE);
        }
        // As the poller it belongs to, it is nothing that a test has opened: not in the table.
        host.bell = Some((bell, token));
        Ok(())
    }

    /// Whether there is still room for a job.
    pub(in crate::sim) fn run_job_later(&mut self, host: usize, pool: Pool, job: Job) -> bool {
        let jobs = self.hosts[host].jobs.of(pool);
        if jobs.len() >= QUEUED_JOBS {
            return false;
        }
        jobs.push_back(job);
        let longest = match self.dice.chance(self.faults.slow_jobs) {
            true => SLOW_JOB_NANOS,
            false => JOB_NANOS,
        };
        let takes = self.dice.magnitude(0..=longest);
        self.agenda
            .put(self.now + takes, Happening::JobDone { host, pool });
        true
    }

    /// Does one of the jobs. What it calls is `Send`, so it cannot come back in here.
    pub(super) fn do_job(&mut self, host: usize, pool: Pool) {
        let jobs = self.hosts[host].jobs.of(pool);
        if jobs.is_empty() {
            return;
        }
        let chosen = self.dice.size(0..=jobs.len() - 1);
        let jobs = self.hosts[host].jobs.of(pool);
        if let Some(job) = jobs.remove(chosen) {
            self.trace.note(Kind::Job, host, pool as u64, chosen as u64);
            job();
        }
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs")
            .field("names", &self.names.len())
            .field("work", &self.work.len())
            .finish()
    }
}
