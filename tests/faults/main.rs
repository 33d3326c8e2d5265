//! The faults that a reactor must survive, on the real kernel: a test is named after its fault.
//!
//! What the kernel does not do on demand (an errno, an order of events) stands in the unit tests on
//! the scripted kernel. Faults that need limits, signals or many descriptors run in a process of
//! their own, so that the others may run beside them.

#[path = "../support/mod.rs"]
mod support;

mod apart;
mod crowd;
mod stage;

mod a_accepting;
mod b_routes;
mod c_reading;
mod d_refused;
mod d_writing;
mod e_batches;
mod e_matrix;
mod e_panics;
mod f_timers;
mod g_names;
mod h_local;
mod j_descriptors;
mod l_process;
mod l_shutdown;

mod table;
