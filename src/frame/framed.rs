//! The adaptor: what a read brought becomes frames, and what is left of it waits.
//!
//! Knows nothing of what a frame looks like: that is the decoder's. Nor does it keep whole frames
//! that may not be told yet: those go back to the socket, which tells them when it may.

use super::{Decoded, Decoder};
use crate::handler::through_on_event;
use crate::{Address, Error, Event, Handler, Result, Socket};
use std::net::IpAddr;

/// The limit unless [`Framed::max_frame_bytes`] says otherwise.
const DEFAULT_MAX_FRAME_BYTES: usize = 64 * 1024;

/// The least that is added to a frame whose end is not known.
const PIECE_BYTES: usize = 256;

/// A handler that is told whole frames: each of them is one `data` event of `H`, which may be empty.
/// All other events go through as they are.
///
/// - [`pause`](Socket::pause) holds for frames: none is told any more until
///   [`resume`](Socket::resume), when what was read already comes first, before newer bytes and
///   before the end. The same goes for [`destroy`](Socket::destroy), after which nothing is told.
///   Each pause costs a copy of what is left of the read, at most 64 KiB.
/// - [`set_handler`](Socket::set_handler), called from inside any event of the socket, hands what
///   comes behind the present frame to the next handler, half a frame included. (Called from
///   elsewhere it cannot: what has come of a frame by then goes with this one.) The same goes for a
///   [`pipe`](crate::Net::pipe) that begins at the socket and for an encoding that is set.
/// - What is not told yet goes back to the socket as the peer sent it. An adaptor that changes bytes
///   (another `Framed`, too) may therefore not stand between the socket and this one, unless nobody
///   pauses and hands on.
/// - Frames are cut from bytes: while an encoding is set, text goes through as it is.
///
/// # Panics
///
/// If the decoder claims a frame of no bytes, one that ends behind the bytes it was given, or one that
/// ends before those that it wanted.
#[derive(Debug)]
pub struct Framed<D, H> {
    decoder: D,
    handler: H,
    most: usize,
    /// The beginning of a frame, if it came without its end: never longer than `most`.
    begun: Vec<u8>,
    /// The decoder wants `begun` to be so long.
    wanted: usize,
}

impl<D: Decoder, H: Handler> Framed<D, H> {
    /// Tells `handler` the frames that `decoder` finds, of at most 64 KiB each.
    pub fn new(decoder: D, handler: H) -> Framed<D, H> {
        Framed {
            decoder,
            handler,
            most: DEFAULT_MAX_FRAME_BYTES,
            begun: Vec::new(),
            wanted: 0,
        }
    }

    /// How long a frame may be in bytes as the peer sends them, its prefix or line ending included.
    ///
    /// A longer one destroys the socket with `ERR_FRAME_TOO_LONG`, as soon as it is known to be
    /// one. So much memory is what a peer can make this end keep.
    pub fn max_frame_bytes(mut self, most: usize) -> Framed<D, H> {
        self.most = most;
        self
    }

    /// Tells the frames in `bytes` and keeps what is left.
    fn take(&mut self, socket: &mut Socket<'_>, mut bytes: &[u8]) {
        if !self.begun.is_empty() {
            match self.complete(socket, bytes) {
                Ok(Some(taken)) => bytes = &bytes[taken..],
                Ok(None) => return,
                Err(error) => return socket.destroy_with(error),
            }
        }
        while !bytes.is_empty() {
            if !socket.wants_more() {
                return socket.unread_behind(bytes);
            }
            match self.decode(bytes) {
                Ok(Decoded::Frame { told, end }) => {
                    self.handler.on_event(socket, Event::Data(&bytes[told]));
                    bytes = &bytes[end..];
                }
                Ok(Decoded::Incomplete { at_least }) => {
                    self.wanted = at_least;
                    self.begun = bytes.to_vec();
                    return;
                }
                Err(error) => return socket.destroy_with(error),
            }
        }
    }

    /// Completes the frame that has begun with the first of `bytes` and tells it; answers how many
    /// of them it took, or `None` if it is not complete yet.
    ///
    /// A decoder that does not know how much is missing is asked again after a piece, which may bring
    /// more than the end. That was copied for nothing, and is told from `bytes` like all that follows.
    /// Pieces double, so it is never more than the frame itself, or a few bytes.
    fn complete(&mut self, socket: &mut Socket<'_>, bytes: &[u8]) -> Result<Option<usize>> {
        let kept = self.begun.len();
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = match self.wanted.saturating_sub(self.begun.len()) {
                known @ 2.. => known,
                _ => self.begun.len().max(PIECE_BYTES),
            };
            let (piece, behind) = rest.split_at(piece.min(rest.len()));
            self.begun.extend_from_slice(piece);
            rest = behind;
            if self.begun.len() < self.wanted {
                continue; // and then `rest` is empty
            }
            let begun = std::mem::take(&mut self.begun);
            match self.decode(&begun)? {
                Decoded::Frame { told, end } => {
                    assert!(end > kept, "a frame ends among bytes that were incomplete");
                    self.handler.on_event(socket, Event::Data(&begun[told]));
                    return Ok(Some(end - kept));
                }
                Decoded::Incomplete { at_least } => self.wanted = at_least,
            }
            self.begun = begun;
        }
        Ok(None)
    }

    /// Asks the decoder, and holds its answer against the limit.
    fn decode(&mut self, bytes: &[u8]) -> Result<Decoded> {
        let decoded = self.decoder.decode(bytes)?;
        let length = match decoded {
            Decoded::Frame { end, .. } => {
                assert!((1..=bytes.len()).contains(&end), "a frame of {end} bytes");
                end
            }
            Decoded::Incomplete { at_least } => at_least.max(bytes.len() + 1),
        };
        match length <= self.most {
            true => Ok(decoded),
            false => Err(Error::frame_too_long(self.most)),
        }
    }

    /// Hands an event on, and then, if somebody else is to have the bytes, half a frame as well.
    fn hand_on(&mut self, socket: &mut Socket<'_>, event: Event<'_>) {
        self.handler.on_event(socket, event);
        if !self.begun.is_empty() && socket.is_handed_on() {
            socket.unread_behind(&self.begun);
            self.forget();
        }
    }

    /// Drops half a frame, or what is left of it here.
    fn forget(&mut self) {
        self.begun = Vec::new();
        self.decoder.reset();
    }
}

impl<D: Decoder, H: Handler> Handler for Framed<D, H> {
    fn on_event(&mut self, socket: &mut Socket<'_>, event: Event<'_>) {
        // Since the last event somebody has laid a pipe or set an encoding from elsewhere, and newer
        // bytes may have gone that way.
        if !self.begun.is_empty() && socket.is_handed_on() {
            self.forget();
        }
        match event {
            Event::Data(bytes) => self.take(socket, bytes),
            Event::End if !self.begun.is_empty() => {
                socket.destroy_with(Error::frame_incomplete(self.begun.len()));
            }
            event => self.hand_on(socket, event),
        }
    }

    through_on_event!();
}
