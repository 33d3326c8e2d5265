//! The real system: each function is the plain call, with the flags that it must have.
//!
//! Everything opened here is closed on exec and, if it is a socket, never blocks.

mod clock;
mod placeholder;
mod poller;
mod pool;
#[cfg(feature = "signal")]
mod signals;
mod socket;

pub(super) mod address;
pub(super) mod adopt;
pub(super) mod descriptors;
pub(super) mod listener;
pub(super) mod local;
pub(super) mod names;
pub(super) mod stream;

use std::io;

use clock::Clock;
use placeholder::Spare;
use poller::Poller;
use pool::Pool;

/// What the real system keeps for one loop; the sockets are with their owners.
pub(super) struct Os {
    pub(super) poller: Poller,
    pub(super) clock: Clock,
    pub(super) spare: Spare,
    /// A stuck resolver must not stop work, nor work a lookup: each has its threads (FAULTS G3).
    pub(super) names: Pool,
    pub(super) work: Pool,
    #[cfg(feature = "signal")]
    pub(super) signals: signals::Signals,
}

impl Os {
    pub(super) fn new(event_capacity: usize) -> io::Result<Os> {
        // First, so that the poller itself cannot become the standard output either.
        placeholder::occupy_standard_descriptors();
        Ok(Os {
            poller: Poller::new(event_capacity)?,
            clock: Clock::new(),
            spare: Spare::default(),
            names: Pool::new("netloop-names"),
            work: Pool::new("netloop-work"),
            #[cfg(feature = "signal")]
            signals: signals::Signals::default(),
        })
    }
}
