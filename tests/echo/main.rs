//! `examples/echo.rs` as its users meet it: a process of its own, and around it plain sockets, `nc`,
//! Node's `net` and Python.

#[path = "../support/mod.rs"]
mod support;

mod arguments;
mod clients;
mod example;
mod lines;
mod sockets;
