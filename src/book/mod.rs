//! The book: what takes longer to tell than an item's documentation has room for.
//!
//! Pages stand in reading order, and each can be read in minutes. Their examples are compiled and run
//! as tests; tables that could rot are compared with what they speak of by tests too.
//!
//! 1. [`tour`]: from an empty program to a server and a client with whole messages, timers, other sockets and
//!    slow work.
//! 1. [`events`]: which event comes when, and why; a connection's life and a turn of the loop as pictures.
//! 1. [`back_pressure`]: what `write` answers, and how a slow peer slows its sender and nobody else.
//! 1. [`half_close`]: two directions that end one by one.
//! 1. [`time`]: the clock, timers, idle timeouts, and what "never early" means.
//! 1. [`fairness`]: the bound of each phase of a turn.
//! 1. [`endings`]: what you see of a FIN, a reset, a pulled cable and a killed peer, in each state.
#![cfg_attr(
    feature = "sim",
    doc = "1. [`testing`]: a protocol of your own, tested in a world that breaks on purpose."
)]
#![cfg_attr(
    not(feature = "sim"),
    doc = "1. `testing`, which comes with the feature `sim`."
)]
//! 1. [`latency`]: what can be set for it, what each setting changes and what it costs.
//! 1. [`million`]: a million connections, in memory, descriptors, settings and time.
//! 1. [`from_node`]: each name of Node's, and what it is called here; [`differences`] has what is
//!    meant to differ.
//! 1. [`from_tokio_or_libuv`]: how what you know is said here, and what is missing on purpose.
//! 1. [`dependencies`]: which crate is there for what.

#[doc = include_str!("tour.md")]
pub mod tour {}

#[doc = include_str!("events/rule.md")]
#[doc = ""] // a picture is a paragraph of its own
#[doc = include_str!("events/lifecycle.svg")]
#[doc = ""]
#[doc = include_str!("events/life.md")]
#[doc = ""]
#[doc = include_str!("events/turn.svg")]
#[doc = ""]
#[doc = include_str!("events/turn.md")]
pub mod events {}

#[doc = include_str!("back_pressure.md")]
pub mod back_pressure {}

#[doc = include_str!("half_close.md")]
pub mod half_close {}

#[doc = include_str!("time.md")]
pub mod time {}

#[doc = include_str!("fairness.md")]
pub mod fairness {}

#[doc = include_str!("endings.md")]
pub mod endings {}

#[cfg(feature = "sim")] // which its examples need
#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("latency.md")]
pub mod latency {}

#[doc = include_str!("million.md")]
pub mod million {}

#[doc = include_str!("from_node.md")]
pub mod from_node {}

#[doc = include_str!("../../tests/parity/DIFFERENCES.md")]
pub mod differences {}

#[doc = include_str!("from_tokio_or_libuv.md")]
pub mod from_tokio_or_libuv {}

#[doc = include_str!("dependencies.md")]
pub mod dependencies {}
