//! Whole frames for a handler, out of a stream of bytes that may be cut anywhere.
//!
//! TCP keeps bytes in order and knows nothing of messages: one read may bring half a line, or
//! twenty and a half. [`Framed`] stands around a handler and tells it each frame as one `data`
//! event; all other events go through as they are. Where frames end is the affair of a [`Decoder`]:
//! [`Lines`], [`LengthPrefix`], or one of your own.
//!
//! ```
//! use netloop::frame::{Framed, Lines};
//! use netloop::{Handler, Socket};
//!
//! struct Greeter;
//!
//! impl Handler for Greeter {
//!     fn on_data(&mut self, socket: &mut Socket<'_>, line: &[u8]) {
//!         socket.write(b"hello ");
//!         socket.write(line); // without its line ending
//!         socket.write(b"\n");
//!     }
//! }
//!
//! # fn listen(net: &mut netloop::Net) -> netloop::Result<()> {
//! net.listen("127.0.0.1:7000", |_socket| {
//!     Framed::new(Lines::new(), Greeter).max_frame_bytes(4096)
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it costs
//!
//! A frame that came whole in one read is told as a slice of the read buffer: nothing is copied and
//! nothing allocated. The beginning of a frame is copied and kept until the rest of it has come, and
//! given back then: a peer that is silent between two frames costs no buffer. A peer that sends a
//! byte at a time costs as much for each byte as any other.
//!
//! # What can go wrong
//!
//! The socket is destroyed and its handler told `error`, then `close`:
//!
//! | code | when |
//! |---|---|
//! | `ERR_FRAME_TOO_LONG` | a frame is longer than the limit, or says that it will be; nothing of it was told |
//! | `ERR_FRAME_INCOMPLETE` | the peer ended in the middle of a frame, in the place of `end` |
//! | the decoder's own | it has refused the bytes |
//!
//! Frames before the bad one have been told, and what was written in answer to them is handed to
//! the kernel first.

mod framed;
mod length_prefix;
mod lines;
#[cfg(all(test, feature = "sim"))]
mod simulated;

pub use framed::Framed;
pub use length_prefix::LengthPrefix;
pub use lines::Lines;

use crate::Result;
use std::ops::Range;

/// Says where a frame ends.
///
/// A decoder may remember how far it has looked, so that no byte is looked at twice: as long as it
/// answers [`Incomplete`](Decoded::Incomplete) it is asked again with the same bytes and more behind
/// them, and after a [`Frame`](Decoded::Frame) with those of the next. After an error it is not
/// asked again.
///
/// ```
/// use netloop::frame::{Decoded, Decoder};
///
/// /// Frames of 188 bytes, as in an MPEG transport stream, each of which begins with a `G`.
/// struct Packets;
///
/// impl Decoder for Packets {
///     fn decode(&mut self, bytes: &[u8]) -> netloop::Result<Decoded> {
///         match bytes {
///             [b'G', ..] if bytes.len() >= 188 => Ok(Decoded::Frame { told: 0..188, end: 188 }),
///             [b'G', ..] => Ok(Decoded::Incomplete { at_least: 188 }),
///             _ => Err(netloop::Error::new("OUT_OF_STEP", "no packet begins here")),
///         }
///     }
/// }
/// ```
pub trait Decoder {
    /// Looks for the end of the frame that `bytes`, which are never empty, begin with. More may
    /// follow behind it.
    ///
    /// # Errors
    ///
    /// The bytes are no frame, and never will be: the socket is destroyed with this error.
    fn decode(&mut self, bytes: &[u8]) -> Result<Decoded>;

    /// Forgets how far it has looked: half a frame was given to somebody else, and the next bytes are
    /// the beginning of another one. Only a decoder that remembers something has to write it.
    fn reset(&mut self) {}
}

/// What a [`Decoder`] has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A whole frame.
    Frame {
        /// The part of the bytes that the handler is told; it may be empty.
        told: Range<usize>,
        /// How many bytes the frame takes, prefix and line ending and all: at least one, and no
        /// more than there are.
        end: usize,
    },
    /// The frame goes on.
    Incomplete {
        /// The decoder need not be asked again before there are so many bytes, from the beginning of
        /// the frame. If not known, one more than there are.
        at_least: usize,
    },
}
