//! The examples as their users meet them: processes of their own, around them clients that others
//! wrote, and plain sockets that do what peers do.
//!
//! A client that is not installed is skipped, and said so: only Rust is needed to run the tests.

#[path = "../support/mod.rs"]
mod support;

mod arguments;
mod chat;
mod embedded;
mod http;
mod idle_army;
mod kv;
mod per_core;
mod proxy;
mod resp;
mod survival;
mod unheard;
mod usage;
mod vanished;
mod words;
