//! The model against the kernel: each scenario is played twice, on the simulated kernel and on the
//! real one over loopback, through the same calls of `Sys`, and must get the same answers.
//!
//! The model plays first. What it answered is what the real kernel is then waited for, by polling
//! and for so long: loopback may be late, but must come to the same. Where they differ the kernel
//! is right, and the model is to be changed.
//!
//! Compared is what must agree: the results of calls, errnos included, and the readiness of each
//! socket from one look to the next as a set. Not compared: into how many events that readiness is
//! cut, and how many bytes a buffer takes. In these two the model may only be stricter.
//!
//! `stage` plays and compares. The scenarios stand in the other files, the facts of FAULTS under
//! their numbers. `drawn.rs` plays scenarios that nobody wrote.
//!
//! Absent are the facts that no scenario can put to both kernels:
//!
//! - P10b (the full backlog of a local socket): the model has none;
//! - P17 (a descriptor is closed while a duplicate lives): `Sys` cannot duplicate. What
//!   follows, to deregister before close, the model insists on (`network/ends.rs`);
//! - P18 (how much the kernels take): a buffer is as large as a link says, and how many bytes one
//!   takes is not compared;
//! - P23 (the user timeout): no call sets it;
//! - SIG, by half: a vectored write to a peer that is gone answers EPIPE here. That it raises no
//!   signal is shown in a process of its own (D12).

mod accepting;
mod connecting;
mod drawn;
mod ending;
mod reading;
mod resets;
mod stage;
mod watching;
mod writing;
