//! Node's `net` as a Rust event loop: one thread, one poller, a slab of connections.
//!
//! Everything that a reactor must manage is managed by hand and in the open: write buffers with
//! drain, pause and resume, half-close, idle-timeout wheels. The order of events is Node's, written
//! down and tested rule by rule.
//!
//! ```no_run
//! use netloop::{Handler, Reactor, Socket};
//!
//! struct Echo;
//!
//! impl Handler for Echo {
//!     fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
//!         if !socket.write(data) {
//!             socket.pause(); // the peer sends faster than it reads
//!         }
//!     }
//!     fn on_drain(&mut self, socket: &mut Socket<'_>) {
//!         socket.resume();
//!     }
//! }
//!
//! fn main() -> netloop::Result<()> {
//!     let mut reactor = Reactor::new()?;
//!     let server = reactor.net().listen("127.0.0.1:7000", |_socket| Echo)?;
//!     println!("listening on {}", server.address().unwrap());
//!     reactor.run()
//! }
//! ```
//!
//! - [`Reactor`] is the loop: `run`, `turn`, `stop`, and what a host loop needs to embed it.
//! - [`Net`] is everything that a handler may reach: `listen`, `connect`, timers, other sockets.
//! - [`Socket`] and [`Server`] are views that last as long as a call; [`SocketId`] and [`ServerId`]
//!   are what is kept, and find nothing once their owner is gone.
//! - [`Remote`] is the only door from other threads.
//! - [`Handler`] has one method for each of Node's events; [`frame`] has whole messages told to it.
//!
//! # The book
//!
//! What takes longer to tell stands in [`book`], in pages of a few minutes each:
//!
//! - a [tour](book::tour) from an empty program to whole messages, timers, other sockets and slow work;
//! - the [order of events](book::events), [back-pressure](book::back_pressure),
//!   [half-close](book::half_close), [time](book::time) and [fairness](book::fairness);
//! - [what you see](book::endings) of a FIN, a reset, a pulled cable and a killed peer;
//! - what can be set for [latency](book::latency), and what [a million connections](book::million) need;
//! - coming [from Node](book::from_node), name by name, and [from tokio or
//!   libuv](book::from_tokio_or_libuv);
#![cfg_attr(
    feature = "sim",
    doc = "- [testing](book::testing) a protocol of your own, in a world that breaks on purpose;"
)]
//! - which [dependency](book::dependencies) is there for what.
//!
//! # The one rule
//!
//! **A handler is never called from inside a handler.** Every method of [`Socket`], [`Server`] and
//! [`Net`] only changes state and leaves notes of what is to be told; only the loop calls handlers.
//! So a handler may do anything to anyone, itself included.
//!
//! # Logging
//!
//! By the [`log`](https://docs.rs/log) crate: `warn` when a peer was turned away (one line a second of
//! each kind), and when the loop could not do what it was asked for, `debug` for each change in a socket's life, `trace` for each event, read and write.
//! What ends the loop is returned by [`Reactor::run`], not logged. Bytes of a peer are never
//! logged.
//!
//! # Features
//!
//! - `encoding`, on by default, adds `Encoding` and `Socket::set_encoding`: a peer's bytes told as
//!   text.
//! - `listen-fds` adds `inherited_listeners`: sockets that a service manager has opened.
//! - `signal` adds `Net::on_signal` and the module `signal`: signals of the process, told in the loop.
//! - `sim` adds the module `sim`: a seeded world in virtual time, on a network that breaks on
//!   purpose, in which handlers run unchanged.
//! - `bench` is for this project's own benches; not part of the interface. It brings `sim` along.

#![forbid(unsafe_code)]

#[cfg(not(all(unix, target_pointer_width = "64")))]
compile_error!(
    "netloop is for Unix on 64 bit: it polls descriptors, and a poll token holds a 32-bit index \
     beside a 32-bit generation"
);

/// Lets the examples of the README compile, so that they stay true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[macro_use]
mod planted;

mod address;
mod block_list;
#[cfg(any(doc, doctest))] // prose only: no build has it
pub mod book;
mod connect;
mod connection;
mod error;
pub mod frame;
mod handler;
#[cfg(feature = "listen-fds")]
mod inherited;
#[cfg(any(fuzzing, feature = "bench"))] // `fuzzing` is set by cargo-fuzz, never by a feature
#[doc(hidden)]
pub mod inside;
mod ip;
mod log_limit;
mod net;
mod options;
mod post;
mod reactor;
mod resolver;
#[cfg(feature = "signal")]
pub mod signal;
#[cfg(feature = "sim")]
pub mod sim;
mod stats;
mod sys;
mod time;

pub use address::{Address, Family};
pub use block_list::BlockList;
#[cfg(feature = "encoding")]
pub use connection::Encoding;
pub use error::{Error, Result};
pub use handler::{Acceptor, Dropped, Event, Handler, HandlerFn, handler_fn};
#[cfg(feature = "listen-fds")]
pub use inherited::{Inherited, inherited_listeners};
pub use ip::{is_ip, is_ipv4, is_ipv6};
#[cfg(feature = "signal")]
pub use net::SignalId;
pub use net::{
    Net, ReadyState, Remote, Server, ServerId, ShutdownReport, Socket, SocketId, Straggler, TimerId,
};
pub use options::{ConnectOptions, ListenOptions, OutOfDescriptors, PipeOptions};
pub use post::Refused;
pub use reactor::Reactor;
pub use resolver::{Promise, Question, Resolver, SystemResolver};
pub use stats::{Stats, Syscalls};
