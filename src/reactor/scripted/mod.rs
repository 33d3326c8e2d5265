//! The whole loop over a kernel that answers what a test says: errnos that a real one does not give
//! on demand, events in any order, a clock that is moved by hand.
//!
//! A file for each group of faults; `world` is what they stand on, `log` what they look at.

mod accepting;
mod batches;
mod budgets;
mod busy;
mod clock;
mod connecting;
mod flushing;
mod gathering;
mod idle;
mod log;
mod parking;
mod posting;
mod racing;
mod reading;
#[cfg(feature = "signal")]
mod signals;
mod timers;
mod world;
mod writing;
