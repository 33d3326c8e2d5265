//! What the book says, held against what it speaks of: tables of its pages are made here.
//!
//! ```sh
//! NETLOOP_WRITE_BOOK=1 cargo test --test book --test node_names -- --test-threads=1
//! ```
//!
//! writes the tables into the pages instead of comparing them, with the list of `tests/node_names.rs`.

#[allow(dead_code)] // uses its own part, as every test binary does
#[path = "../faults/apart.rs"]
mod apart;
#[path = "../support/mod.rs"]
mod support;

mod cable;
mod dependencies;
mod endings;
mod page;
mod peer;
mod pictures;
