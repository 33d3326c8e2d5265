//! The book: what takes longer to tell than an item's documentation has room for.
//!
//! Pages stand in reading order. Their examples are compiled, and run where they can be.

#[doc = include_str!("latency.md")]
pub mod latency {}
#[doc = include_str!("million.md")]
pub mod million {}
