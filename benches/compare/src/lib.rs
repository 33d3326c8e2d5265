//! Netloop beside hand-written loops and other libraries: echo servers, the load on them, and the
//! runner that starts both and tells what it cost.
//!
//! - [`scenario`] says what is measured.
//! - [`server`] is what the servers of `src/bin/` share; those in C and JavaScript stand in `peers/`.
//! - [`load`] is the generator: one thread on plain epoll. It is deliberately not written with
//!   netloop, since a comparison proves little if its generator is one of the compared.
//! - [`verify`] finds out whether a server is correct before it is measured.
//! - [`runner`] builds, starts, measures, and writes the table and the plot.

pub mod load;
pub mod runner;
pub mod scenario;
pub mod server;
pub mod verify;
