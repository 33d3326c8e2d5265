//! What other threads hand to the loop, and when they have to wake it.
//!
//! No I/O and no threads: who waits is anything that can be woken. What travels is not known here
//! either; `net` puts closures in.

mod queue;
mod sync;

pub use queue::Refused;
pub(crate) use queue::{Queue, Wake};
