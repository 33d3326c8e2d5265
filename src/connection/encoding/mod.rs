//! How a peer's bytes become text: what is a whole character, and what it reads as.
//!
//! Knows of bytes that are at hand and of nothing else; [`Decoder`] keeps what a read cut in two.

mod decoder;

pub(crate) use decoder::Decoder;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};

/// How [`Socket::set_encoding`](crate::Socket::set_encoding) has a peer's bytes told as text.
///
/// Node: [Buffers and character encodings](https://nodejs.org/api/buffer.html#buffers-and-character-encodings).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8. Bytes that are none become U+FFFD, as the WHATWG encoding standard counts them. A
    /// byte order mark is told like any character.
    Utf8,
    /// UTF-16 in little-endian order. Half a surrogate pair becomes U+FFFD, where a string of
    /// Node's would hold it; an odd byte at the end is dropped.
    #[doc(alias = "ucs2")]
    Utf16Le,
    /// A character a byte, U+0000 to U+00FF.
    #[doc(alias = "binary")]
    Latin1,
    /// A character a byte, of which the highest bit is dropped.
    Ascii,
    /// Three bytes as four characters of RFC 4648, section 4. What is left at the end is padded
    /// with `=`.
    Base64,
    /// As [`Base64`](Encoding::Base64), with `-` and `_` in the place of `+` and `/` (section 5),
    /// without padding.
    Base64Url,
    /// Two lower-case digits a byte.
    Hex,
}

impl Encoding {
    /// How many bytes at the end belong to a character that more bytes may complete.
    ///
    /// Never more than three. What stands before them reads the same whatever comes after.
    fn unfinished(self, bytes: &[u8]) -> usize {
        match self {
            Encoding::Utf8 => unfinished_utf8(bytes),
            Encoding::Utf16Le => {
                let odd = bytes.len() % 2;
                let last_unit = bytes[..bytes.len() - odd].last_chunk();
                match last_unit.copied().map(u16::from_le_bytes) {
                    Some(0xD800..=0xDBFF) => odd + 2, // the first half of a pair
                    _ => odd,
                }
            }
            Encoding::Base64 | Encoding::Base64Url => bytes.len() % 3,
            Encoding::Latin1 | Encoding::Ascii | Encoding::Hex => 0,
        }
    }

    /// `bytes` as text where they are the text already.
    fn as_they_are(self, bytes: &[u8]) -> Option<&str> {
        match self {
            Encoding::Utf8 => str::from_utf8(bytes).ok(),
            Encoding::Latin1 | Encoding::Ascii if bytes.is_ascii() => str::from_utf8(bytes).ok(),
            Encoding::Latin1 | Encoding::Ascii => None,
            Encoding::Utf16Le | Encoding::Base64 | Encoding::Base64Url | Encoding::Hex => None,
        }
    }

    /// Appends what `bytes` read as, if nothing comes after them.
    fn read(self, bytes: &[u8], text: &mut String) {
        match self {
            Encoding::Utf8 => {
                for chunk in bytes.utf8_chunks() {
                    text.push_str(chunk.valid());
                    if !chunk.invalid().is_empty() {
                        text.push(char::REPLACEMENT_CHARACTER);
                    }
                }
            }
            Encoding::Utf16Le => {
                let (units, _odd) = bytes.as_chunks();
                let units = units.iter().copied().map(u16::from_le_bytes);
                let characters = char::decode_utf16(units);
                text.extend(characters.map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER)));
            }
            Encoding::Latin1 => text.extend(bytes.iter().copied().map(char::from)),
            Encoding::Ascii => text.extend(bytes.iter().map(|byte| char::from(byte & 0x7F))),
            Encoding::Base64 => BASE64.encode_append(bytes, text),
            Encoding::Base64Url => BASE64URL_NOPAD.encode_append(bytes, text),
            Encoding::Hex => HEXLOWER.encode_append(bytes, text),
        }
    }
}

/// By the first byte alone, as Node goes: what follows it may have spoilt the character already.
fn unfinished_utf8(bytes: &[u8]) -> usize {
    for (at, byte) in (1..=3).zip(bytes.iter().rev()) {
        let length = match byte {
            0x80..=0xBF => continue, // belongs to a character that began further ahead
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            _ => 1,
        };
        return if at < length { at } else { 0 };
    }
    0
}
