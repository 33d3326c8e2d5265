//! The door to rooms that are closed to users, for what this project measures and breaks itself:
//! the benches, `examples/million`, and the fuzz targets of `tests/fuzz`.
//!
//! Exists with the feature `bench` and where cargo-fuzz builds (`cfg(fuzzing)`), is no part of the
//! interface, and changes without notice. It decides nothing: each call is handed on to what it is
//! named after. What a fuzz target or a bench expects of the answer stands there.

mod queues;
#[cfg(feature = "bench")]
mod stand_in;
#[cfg(fuzzing)]
mod texts;
mod wheel;

pub use queues::WriteQueues;
#[cfg(feature = "bench")]
pub use stand_in::{BareStandIn, MESSAGE_BYTES, StandIn};
#[cfg(all(fuzzing, feature = "encoding"))]
pub use texts::Decoder;
#[cfg(fuzzing)]
pub use texts::{Place, resolve_connect, resolve_listen};
pub use wheel::{EntryId, Wheel};
