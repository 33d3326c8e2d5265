//! Deadlines in order.
//!
//! Nothing in here reads a clock: `now` is an argument, and a tick is as long as the caller says.
//! So every test runs faster than real time, and the far end of the clock is as near as tomorrow.
//!
//! In reading order: [`slot`] says where a deadline stands, [`occupied`] which slots are in use,
//! [`entries`] keeps the memory, and [`wheel`] turns.

mod entries;
#[cfg(test)]
mod model;
mod occupied;
mod slot;
mod wheel;

pub(crate) use self::{
    entries::{ENTRY_BYTES, EntryId},
    wheel::Wheel,
};
