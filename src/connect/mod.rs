//! From the addresses of a host to one connection, with no I/O.
//!
//! - `order`: which of a host's addresses are tried, and in what order
//! - `race`: when each attempt begins, which are given up, which one wins

mod order;
mod race;

pub(crate) use order::{MOST_ANSWERS, in_order};
pub(crate) use race::{Action, Input as RaceInput, Race};
