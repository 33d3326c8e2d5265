//! One connection, without I/O: where it stands, what it has queued, what the kernel said of it.
//!
//! Nothing in this room makes a system call, reads a clock or knows an id, so all of it is tested
//! without a network. `net` owns the sockets and asks this room what to do.

#[cfg(feature = "encoding")]
mod encoding;
mod latch;
mod lifecycle;
mod queue_pool;
mod write_queue;

#[cfg(feature = "encoding")]
pub(crate) use encoding::Decoder;
#[cfg(feature = "encoding")]
pub use encoding::Encoding;
pub(crate) use latch::Latch;
pub(crate) use lifecycle::{Act, Farewell, Input, Lifecycle, Plan, Refusal, Tell};
pub(crate) use queue_pool::QueuePool;
pub(crate) use write_queue::{Front, Many, WriteQueue};
