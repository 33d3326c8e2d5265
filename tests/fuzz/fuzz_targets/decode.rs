//! Bytes in pieces, read in an encoding.
//!
//! What must hold: the pieces read as all of the bytes at once do, and these as other code than the
//! library's reads them.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use netloop::Encoding;
use netloop::inside::Decoder;

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Name {
    Utf8,
    Utf16Le,
    Latin1,
    Ascii,
    Base64,
    Base64Url,
    Hex,
}

impl Name {
    fn encoding(self) -> Encoding {
        match self {
            Name::Utf8 => Encoding::Utf8,
            Name::Utf16Le => Encoding::Utf16Le,
            Name::Latin1 => Encoding::Latin1,
            Name::Ascii => Encoding::Ascii,
            Name::Base64 => Encoding::Base64,
            Name::Base64Url => Encoding::Base64Url,
            Name::Hex => Encoding::Hex,
        }
    }

    /// What `bytes` read as, plainly.
    fn text(self, bytes: &[u8]) -> String {
        let each = |text: fn(&u8) -> String| bytes.iter().map(text).collect();
        match self {
            Name::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Name::Utf16Le => {
                let pair = |it: &[u8]| u16::from_le_bytes([it[0], it[1]]);
                let units: Vec<u16> = bytes.chunks_exact(2).map(pair).collect();
                String::from_utf16_lossy(&units)
            }
            Name::Latin1 => each(|&byte| char::from(byte).to_string()),
            Name::Ascii => each(|&byte| char::from(byte & 0x7F).to_string()),
            Name::Hex => each(|byte| format!("{byte:02x}")),
            Name::Base64 => {
                let text = Name::Base64Url.text(bytes);
                let text = text.replace('-', "+").replace('_', "/");
                text.clone() + &"=".repeat((4 - text.len() % 4) % 4)
            }
            Name::Base64Url => {
                let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                let bits = |at: usize| (bytes[at / 8] >> (7 - at % 8)) & 1;
                let bit = |at: usize| if at < bytes.len() * 8 { bits(at) } else { 0 };
                let digit = |at: usize| (at..at + 6).fold(0, |digit, at| digit << 1 | bit(at));
                let digits = (0..bytes.len() * 8).step_by(6).map(digit);
                digits
                    .map(|it| char::from(alphabet[usize::from(it)]))
                    .collect()
            }
        }
    }
}

fuzz_target!(|input: (Name, Vec<Vec<u8>>)| {
    let (name, pieces) = input;
    let whole = pieces.concat();
    let text = name.text(&whole);
    assert_eq!(Decoder::new(name.encoding()).end(&whole), text);

    let mut decoder = Decoder::new(name.encoding());
    let mut told = String::new();
    for piece in &pieces {
        told += &decoder.decode(piece);
        assert!(text.starts_with(&told), "{told:?} of {text:?}");
    }
    told += &decoder.end(&[]);
    assert_eq!(told, text);
});
