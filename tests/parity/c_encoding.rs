//! Scenarios of text.

use crate::runner::Group;
use netloop::{Encoding, Event};

const GROUP: Group = Group("c_encoding");

/// Bytes that mean something, and some that mean nothing, in each encoding.
const BYTES: &[u8] = b"ab\0\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xff\x80\xc3\xe2\x82 \xf0\x9f\x98\
    \xd8\x3d\0\xde\x41";

/// The client is told `bytes` as text.
fn encoded(name: &'static str, encoding: Encoding, bytes: &'static [u8]) {
    GROUP.pair(
        name,
        |stage| {
            stage.listen(move |_, peer, event| {
                if let Event::Connect = event {
                    peer.end_with(bytes);
                }
            });
        },
        |stage| {
            stage.connect(|_, _, _| ()).set_encoding(encoding);
        },
    );
}

#[test]
fn utf8() {
    encoded("utf8", Encoding::Utf8, BYTES);
}

#[test]
fn utf16le() {
    let bytes = b"a\0\xe4\0\xac\x20\x3d\xd8\0\xde"; // "aä€😀"
    encoded("utf16le", Encoding::Utf16Le, bytes);
}

#[test]
fn latin1() {
    encoded("latin1", Encoding::Latin1, BYTES);
}

#[test]
fn ascii() {
    encoded("ascii", Encoding::Ascii, BYTES);
}

#[test]
fn base64() {
    encoded("base64", Encoding::Base64, BYTES);
}

#[test]
fn base64url() {
    encoded("base64url", Encoding::Base64Url, BYTES);
}

#[test]
fn hex() {
    encoded("hex", Encoding::Hex, BYTES);
}

/// The two halves of a character come with two reads.
#[test]
fn a_character_across_two_reads() {
    GROUP.pair(
        "a_character_across_two_reads",
        |stage| {
            stage.listen_to(
                2,
                |at| at,
                |me, peer, event| match event {
                    Event::Connect if me.name() == "peer" => {
                        peer.write(b"a\xe2\x82");
                    }
                    Event::Connect => {
                        let first = me.socket_of("peer");
                        peer.net().socket(first).unwrap().end_with(b"\xacb");
                        peer.destroy();
                    }
                    _ => {}
                },
            );
        },
        |stage| {
            let mut first = true;
            let mut client = stage.connect(move |me, client, event| {
                if let Event::Text(_) = event
                    && std::mem::take(&mut first)
                {
                    let second = me.another("second");
                    second.connect(client.net(), |to| to, |_, _, _| ());
                }
            });
            client.set_encoding(Encoding::Utf8);
        },
    );
}
