//! What a read cut in two, and the text that comes of it with the next one.
//!
//! Node: [`string_decoder`](https://nodejs.org/api/string_decoder.html).

use super::Encoding;
use std::borrow::Cow;

/// Reads bytes that come in pieces as one text, wherever the pieces end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    encoding: Encoding,
    /// The first `len` bytes are the beginning of a character; the fourth is for seeing it end.
    begun: [u8; 4],
    /// Invariant: at most 3.
    len: u8,
}

impl Decoder {
    pub(crate) fn new(encoding: Encoding) -> Decoder {
        Decoder {
            encoding,
            begun: [0; 4],
            len: 0,
        }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Takes out the bytes of a character that is not complete.
    pub(crate) fn take_begun(&mut self) -> Vec<u8> {
        let begun = self.begun[..self.len.into()].to_vec();
        self.len = 0;
        begun
    }

    /// The text up to the last character that `bytes` complete, without a copy where it stands in
    /// them as it is.
    pub(crate) fn decode<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, str> {
        let mut text = String::new();
        let bytes = self.complete(bytes, &mut text);
        let (whole, rest) = bytes.split_at(bytes.len() - self.encoding.unfinished(bytes));
        if !rest.is_empty() {
            self.begin(rest);
        }
        match self.encoding.as_they_are(whole) {
            Some(whole) if text.is_empty() => return Cow::Borrowed(whole),
            Some(whole) => text.push_str(whole),
            None => self.encoding.read(whole, &mut text),
        }
        Cow::Owned(text)
    }

    /// As [`decode`](Decoder::decode), with nothing to come: what is not complete is read as it is.
    pub(crate) fn end(&mut self, bytes: &[u8]) -> String {
        let mut text = self.decode(bytes).into_owned();
        self.encoding.read(&self.take_begun(), &mut text);
        text
    }

    /// Completes what was begun, byte by byte; gives back the bytes that are not needed for it.
    fn complete<'a>(&mut self, mut bytes: &'a [u8], text: &mut String) -> &'a [u8] {
        while self.len > 0
            && let Some((&next, rest)) = bytes.split_first()
        {
            bytes = rest;
            let mut begun = self.begun;
            begun[usize::from(self.len)] = next;
            let begun = &begun[..=self.len.into()];
            let (whole, rest) = begun.split_at(begun.len() - self.encoding.unfinished(begun));
            self.encoding.read(whole, text);
            self.begin(rest);
        }
        bytes
    }

    fn begin(&mut self, bytes: &[u8]) {
        self.begun[..bytes.len()].copy_from_slice(bytes);
        self.len = bytes.len() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    const NAMES: [(&str, Encoding); 7] = [
        ("utf8", Encoding::Utf8),
        ("utf16le", Encoding::Utf16Le),
        ("latin1", Encoding::Latin1),
        ("ascii", Encoding::Ascii),
        ("base64", Encoding::Base64),
        ("base64url", Encoding::Base64Url),
        ("hex", Encoding::Hex),
    ];

    /// What each piece reads as, and what is left at the end.
    fn read<'a>(encoding: Encoding, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut decoder = Decoder::new(encoding);
        let pieces = pieces.into_iter();
        let mut texts: Vec<_> = pieces.map(|it| decoder.decode(it).into_owned()).collect();
        texts.push(decoder.end(&[]));
        texts
    }

    #[test]
    fn each_piece_reads_as_node_reads_it() {
        let unhex = |pieces: &str| -> Vec<Vec<u8>> {
            let pieces = pieces.split('|');
            let bytes = pieces.map(|it| HEXLOWER.decode(it.as_bytes()));
            bytes.map(Result::unwrap).collect()
        };
        let mut recorded = 0;
        for line in include_str!("recorded.txt").lines() {
            let [name, pieces, texts] = *line.split(' ').collect::<Vec<_>>() else {
                panic!("three columns: {line}")
            };
            let (_, encoding) = NAMES.into_iter().find(|it| it.0 == name).unwrap();
            let pieces = unhex(pieces);
            let mut told = read(encoding, pieces.iter().map(Vec::as_slice));
            if encoding == Encoding::Utf16Le {
                told = vec![told.concat()]; // recorded as a whole: record.js says why
            }
            let told: Vec<_> = told.into_iter().map(String::into_bytes).collect();
            assert_eq!(told, unhex(texts), "{line}");
            recorded += 1;
        }
        assert!(recorded > 300, "{recorded}");
    }

    #[test]
    fn what_stands_in_the_bytes_already_is_not_copied() {
        for (encoding, bytes) in [
            (Encoding::Utf8, "h€llo".as_bytes()),
            (Encoding::Latin1, b"hello"),
            (Encoding::Ascii, b"hello"),
        ] {
            let text = Decoder::new(encoding).decode(bytes);
            assert!(matches!(text, Cow::Borrowed(_)), "{encoding:?}");
        }
    }

    #[test]
    fn what_was_begun_can_be_taken_out_once() {
        let mut decoder = Decoder::new(Encoding::Utf8);
        assert_eq!(decoder.decode(b"a\xf0\x9f\x98"), "a");
        assert_eq!(decoder.take_begun(), b"\xf0\x9f\x98");
        assert_eq!(decoder.take_begun(), b"");
        assert_eq!(decoder.decode(b"b"), "b");
    }

    #[test]
    fn a_half_of_a_pair_waits_for_the_other_through_an_odd_byte() {
        let told = read(Encoding::Utf16Le, [&b"\x3d\xd8\x00"[..], b"\xde"]);
        assert_eq!(told, ["", "😀", ""]);
    }

    proptest! {
        #[test]
        fn the_text_is_the_same_however_the_bytes_are_split(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x7F..=0xF5_u8], 0..64),
            length in 1..8_usize,
        ) {
            for (name, encoding) in NAMES {
                let whole = read(encoding, [&bytes[..]]).concat();
                prop_assert_eq!(read(encoding, bytes.chunks(length)).concat(), whole, "{}", name);
            }
        }

        #[test]
        fn utf_8_reads_as_std_reads_it(bytes in prop::collection::vec(0x7F..=0xF5_u8, 0..64)) {
            let told = read(Encoding::Utf8, bytes.chunks(3)).concat();
            prop_assert_eq!(told, String::from_utf8_lossy(&bytes));
        }
    }
}
