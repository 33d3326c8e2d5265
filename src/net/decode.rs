//! `set_encoding`: a peer's bytes on their way to the handler become text.
//!
//! The decoder stands in the cold part, and a flag tells the read path that there is one. Bytes of a
//! character that is not complete have been read and not told: whoever gives bytes back, or changes
//! the encoding, has these given back as well, so that a decoder that holds some and bytes that are
//! held never meet.

use super::Net;
use super::entry::SocketEntry;
use super::ids::Key;
use crate::Encoding;
use crate::connection::Decoder;
use std::borrow::Cow;

impl Net {
    /// `set_encoding()`.
    pub(super) fn set_encoding(&mut self, key: Key, encoding: Option<Encoding>) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if entry.lifecycle.is_destroyed() {
            return;
        }
        entry.hold_begun();
        if encoding.is_none() && entry.cold.is_none() {
            return;
        }
        let cold = entry.cold_mut();
        cold.decoder = encoding.map(Decoder::new);
        cold.held_waits = false; // in the new encoding it was not told yet
        entry.divert();
        if entry.has_held() {
            self.mark_ready(key);
        }
    }

    /// What `bytes` of the peer's read as; `None` if the socket has no encoding.
    pub(crate) fn decode<'a>(&mut self, key: Key, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        Some(self.decoder(key)?.decode(bytes))
    }

    /// As [`decode`](Net::decode), for the last bytes of all.
    pub(crate) fn decode_last(&mut self, key: Key, bytes: &[u8]) -> Option<String> {
        Some(self.decoder(key)?.end(bytes))
    }

    fn decoder(&mut self, key: Key) -> Option<&mut Decoder> {
        self.sockets.get_mut(key)?.cold.as_mut()?.decoder.as_mut()
    }
}

impl SocketEntry {
    /// Gives back the bytes of a character that is not complete: they are decoded anew.
    pub(super) fn hold_begun(&mut self) {
        let decoder = self.cold.as_mut().and_then(|cold| cold.decoder.as_mut());
        if let Some(begun) = decoder.map(Decoder::take_begun) {
            self.hold(&begun);
        }
    }
}
