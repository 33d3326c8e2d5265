//! A seeded world: your handlers, unchanged, in virtual time, on a network that breaks on purpose.
//!
//! A [`World`] has hosts, each with a loop of its own, and one clock that moves only when all loops
//! are asleep: an hour of silence takes no time, and nothing in a test sleeps and hopes. All chance
//! comes from one number, the seed. Run a test over many seeds; when one fails, its number stands
//! in the message, and running it again does exactly the same again.
//!
//! ```
//! use netloop::{Event, handler_fn};
//! use netloop::sim::World;
//! use std::{cell::RefCell, rc::Rc};
//!
//! #[derive(Default)]
//! struct Seen {
//!     echo: Vec<u8>,
//!     failed: bool,
//! }
//!
//! for seed in 0..20 {
//!     let mut world = World::seeded(seed);
//!     let (server, client) = (world.host("server"), world.host("client"));
//!     let seen = Rc::new(RefCell::new(Seen::default()));
//!
//!     // The handler under test: an echo.
//!     let notes = Rc::clone(&seen);
//!     let listening = world.net(server).listen(7000, move |_socket| {
//!         let notes = Rc::clone(&notes);
//!         handler_fn(move |socket, event| match event {
//!             Event::Data(bytes) if !socket.write(bytes) => socket.pause(),
//!             Event::Drain => socket.resume(),
//!             Event::Error(_) => notes.borrow_mut().failed = true,
//!             _ => {}
//!         })
//!     });
//!     if listening.is_err() {
//!         continue; // in this world there was no descriptor for it
//!     }
//!
//!     // What the test plays: a client that writes down what it hears.
//!     let notes = Rc::clone(&seen);
//!     let address = world.address(server, 7000);
//!     world.net(client).connect(address, handler_fn(move |socket, event| match event {
//!         Event::Connect => socket.end_with(b"is anybody there?"),
//!         Event::Data(bytes) => notes.borrow_mut().echo.extend_from_slice(bytes),
//!         Event::Error(_) => notes.borrow_mut().failed = true,
//!         _ => {}
//!     })).unwrap();
//!
//!     world.run_until_quiet();
//!     let seen = seen.borrow();
//!     assert!(seen.failed || seen.echo == b"is anybody there?", "seed {seed}");
//!     assert!(world.open_descriptors(client).is_empty(), "seed {seed}");
//! }
//! ```
//!
//! [`World::seeded`] draws everything from its seed. [`World::with_faults`] takes a [`Faults`] of
//! your own, and single events come by [`reset_at`](World::reset_at),
//! [`partition`](World::partition), [`limit_descriptors`](World::limit_descriptors) and
//! [`fail_calls`](World::fail_calls).
//!
//! # What is simulated
//!
//! TCP as a program sees it on Linux: buffers of a size, back-pressure, half-close, resets that
//! destroy what was not sent, a backlog, errors that are told once. The poller is as strict as
//! epoll may be: it is edge triggered, and never tells anything twice out of kindness. Not
//! simulated: congestion control, and the loss and repetition of packets, which TCP hides.
//!
//! A handler must take what it needs from [`Net`](crate::Net): one that looks at the system's
//! clock, draws random numbers or iterates over a `HashMap` runs, but not twice the same way.
#![doc = include_str!("guide.md")]

mod budgets;
pub mod campaign;
mod dice;
mod errnos;
mod faults;
mod injection;
mod kernel;
mod link;
mod names;
mod network;
mod oracle;
mod trace;
mod world;

pub use faults::Faults;
pub use injection::Call;
pub use link::Link;
pub use world::{HostId, World};

// What the model is held against was measured on Linux, and is asked of it.
#[cfg(all(test, target_os = "linux"))]
mod conformance;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod torture;
