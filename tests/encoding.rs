//! Bytes told as text: `set_encoding`. What each encoding makes of which bytes is tried where it is
//! decided, in `src/connection/encoding`; here is how the text comes to a handler.
#![cfg(feature = "encoding")]

mod support;

use netloop::{Encoding, Event, Handler, Reactor, Socket, SocketId};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use support::*;

/// An accepted socket that reads UTF-8, does what `react` says, and logs each event but its own
/// text as [`describe`] has it.
fn utf8(
    reactor: &mut Reactor,
    log: &Log,
    react: impl FnMut(&mut Socket<'_>, Event<'_>) + 'static,
) -> (SocketId, TcpStream) {
    let (id, peer) = accepted(reactor, reacting("socket", log, react));
    set_encoding(reactor, id, Encoding::Utf8);
    (id, peer)
}

fn set_encoding(reactor: &mut Reactor, id: SocketId, encoding: impl Into<Option<Encoding>>) {
    let mut socket = reactor.net().socket(id).unwrap();
    socket.set_encoding(encoding);
}

/// Has the peer send `bytes` and the loop read them before it returns.
fn send(reactor: &mut Reactor, id: SocketId, peer: &mut TcpStream, bytes: &[u8]) {
    let read = |reactor: &mut Reactor| reactor.net().socket(id).unwrap().bytes_read();
    let enough = read(reactor) + bytes.len() as u64;
    peer.write_all(bytes).unwrap();
    turn_until(reactor, |net| {
        net.socket(id).unwrap().bytes_read() >= enough
    });
}

#[test]
fn a_character_in_parts_is_told_when_it_is_complete() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = utf8(&mut reactor, &log, |_, _| ());
    for byte in "h€😀!".as_bytes() {
        send(&mut reactor, id, &mut peer, &[*byte]);
    }
    assert_eq!(
        log.lines(),
        [
            "socket text h",
            "socket text €",
            "socket text 😀",
            "socket text !"
        ]
    );
    let mut socket = reactor.net().socket(id).unwrap();
    assert_eq!(socket.bytes_read(), 9, "bytes, not characters");
    assert_eq!(socket.readable_encoding(), Some(Encoding::Utf8));
    socket.set_encoding(None);
    assert_eq!(socket.readable_encoding(), None);
}

#[test]
fn every_encoding_has_its_own_text() {
    for (encoding, text) in [
        (Encoding::Utf8, "hi\u{FFFD}>?"),
        (Encoding::Utf16Le, "\u{6968}\u{3EFF}"), // and half a unit
        (Encoding::Latin1, "hi\u{FF}>?"),
        (Encoding::Ascii, "hi\u{7F}>?"),
        (Encoding::Base64, "aGn/Pj8="),
        (Encoding::Base64Url, "aGn_Pj8"),
        (Encoding::Hex, "6869ff3e3f"),
    ] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let collected = Log::new();
        let all = collected.clone();
        let (id, mut peer) = utf8(&mut reactor, &log, move |_, event| {
            if let Event::Text(text) = event {
                all.push(text);
            }
        });
        set_encoding(&mut reactor, id, encoding);
        peer.write_all(b"hi\xff>?").unwrap();
        drop(peer);
        turn_until_line(&mut reactor, &log, "socket close false");
        assert_eq!(collected.lines().concat(), text, "{encoding:?}");
    }
}

/// Before the first byte, whoever opens the connection.
#[test]
fn an_encoding_may_be_set_before_there_is_a_connection() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (seen, told) = (log.clone(), log.clone());
    let address = listen(&mut reactor, move |socket| {
        socket.set_encoding(Encoding::Hex);
        socket.write(b"\xc3\xa9");
        recorder("accepted", &told)
    });
    let client = recorder("dialled", &seen);
    let mut client = reactor.net().connect(address, client).unwrap();
    client.set_encoding(Encoding::Utf8);
    client.write(b"\xc3\xa9");
    turn_until_line(&mut reactor, &log, "accepted text c3a9");
    turn_until_line(&mut reactor, &log, "dialled text é");
}

#[test]
fn what_is_incomplete_at_the_end_is_told_right_before_it() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_, mut peer) = utf8(&mut reactor, &log, |_, _| ());
    peer.write_all(b"a\xf0\x9f\x98").unwrap();
    turn_until_line(&mut reactor, &log, "socket text a");
    drop(peer);
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.of("socket"),
        ["text a", "text \u{FFFD}", "end", "finish", "close false"]
    );
}

#[test]
fn a_pause_in_the_last_text_holds_the_end_back() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = utf8(&mut reactor, &log, |socket, event| {
        if let Event::Text(_) = event {
            socket.pause();
        }
    });
    peer.write_all(b"\xf0").unwrap();
    drop(peer);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["socket text \u{FFFD}"]);
    reactor.net().socket(id).unwrap().resume();
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(log.of("socket")[1..], ["end", "finish", "close false"]);
}

#[test]
fn a_destroy_in_the_last_text_leaves_nothing_but_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_, mut peer) = utf8(&mut reactor, &log, |socket, event| {
        if let Event::Text(_) = event {
            socket.destroy();
        }
    });
    peer.write_all(b"\xf0").unwrap();
    drop(peer);
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(log.of("socket"), ["text \u{FFFD}", "close false"]);
}

#[test]
fn a_reset_drops_what_is_incomplete() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = utf8(&mut reactor, &log, |_, _| ());
    send(&mut reactor, id, &mut peer, b"a\xf0");
    reset(peer);
    turn_until_line(&mut reactor, &log, "socket close true");
    assert_eq!(
        log.of("socket"),
        ["text a", "error ECONNRESET", "close true"]
    );
}

#[test]
fn bytes_given_back_are_read_again_before_a_character_that_was_begun() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let mut first = true;
    let (id, mut peer) = utf8(&mut reactor, &log, move |socket, event| {
        if let (Event::Text(text), true) = (event, first) {
            first = false;
            socket.unread(&text.as_bytes()[2..]);
        }
    });
    send(&mut reactor, id, &mut peer, b"abcd\xe2\x82");
    send(&mut reactor, id, &mut peer, b"\xac!");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket"), ["text abcd", "text cd", "text €!"]);
}

/// Half a line, and nothing more to come: told once more, with what is incomplete behind it.
#[test]
fn what_was_given_back_twice_and_what_is_incomplete_are_told_together_at_the_end() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = utf8(&mut reactor, &log, |socket, event| {
        if let Event::Text(text) = event {
            socket.unread(text.trim_end_matches('\u{FFFD}').as_bytes());
        }
    });
    send(&mut reactor, id, &mut peer, b"line\xc3");
    turn_until_lines(&mut reactor, &log, "socket text line", 2);
    turn_until_quiet(&mut reactor);
    assert_eq!(reactor.next_timeout(), None, "the loop spins");
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.of("socket"),
        [
            "text line",
            "text line",
            "text line\u{FFFD}",
            "end",
            "finish",
            "close false"
        ]
    );
}

#[test]
fn a_character_that_was_begun_is_read_anew_in_the_next_encoding() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = utf8(&mut reactor, &log, |_, _| ());
    send(&mut reactor, id, &mut peer, b"a\xe2\x82");
    set_encoding(&mut reactor, id, Encoding::Hex);
    assert_eq!(log.lines(), ["socket text a"], "told inside the call");
    turn_until_line(&mut reactor, &log, "socket text e282");
    send(&mut reactor, id, &mut peer, b"\xac");
    assert_eq!(log.of("socket"), ["text a", "text e282", "text ac"]);
}

#[test]
fn without_an_encoding_what_was_begun_is_told_as_bytes() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = utf8(&mut reactor, &log, |_, _| ());
    send(&mut reactor, id, &mut peer, b"a\xe2\x82");
    set_encoding(&mut reactor, id, None);
    send(&mut reactor, id, &mut peer, b"\xac");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket"), ["text a", "data 2", "data 1"]);
}

#[test]
fn an_encoding_set_inside_data_holds_from_the_next_byte_on() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let handler = reacting("socket", &log, |socket, event| {
        if let Event::Data(_) = event {
            socket.set_encoding(Encoding::Latin1);
        }
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    send(&mut reactor, id, &mut peer, b"header");
    send(&mut reactor, id, &mut peer, b"caf\xe9");
    assert_eq!(log.of("socket"), ["data 6", "text café"]);
}

#[test]
fn a_handler_that_is_set_later_finds_the_encoding_as_it_is() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = utf8(&mut reactor, &log, |_, _| ());
    send(&mut reactor, id, &mut peer, b"a\xc3");
    let next = recorder("next", &log);
    reactor.net().socket(id).unwrap().set_handler(next);
    send(&mut reactor, id, &mut peer, b"\xa9");
    assert_eq!(log.lines(), ["socket text a", "next text é"]);
}

#[test]
fn text_that_nobody_takes_arrives_as_data() {
    struct Bytes(Log);
    impl Handler for Bytes {
        fn on_data(&mut self, _: &mut Socket<'_>, data: &[u8]) {
            self.0.push(format!("{data:?}"));
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    // Boxed, so that the box hands it on as well.
    let handler: Box<dyn Handler> = Box::new(Bytes(log.clone()));
    let (id, mut peer) = accepted(&mut reactor, handler);
    set_encoding(&mut reactor, id, Encoding::Latin1);
    send(&mut reactor, id, &mut peer, b"\xe9");
    assert_eq!(log.lines(), [format!("{:?}", "é".as_bytes())]);
}

#[test]
fn an_adaptor_hands_text_on_to_boxed_handlers_and_functions() {
    struct Adaptor<H>(H);
    impl<H: Handler> Handler for Adaptor<H> {
        fn on_event(&mut self, socket: &mut Socket<'_>, event: Event<'_>) {
            event.hand_on(&mut self.0, socket);
        }
        fn on_data(&mut self, _: &mut Socket<'_>, _: &[u8]) {}
    }
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let boxed: Box<dyn Handler> = Box::new(recorder("socket", &log));
    let (id, mut peer) = accepted(&mut reactor, Adaptor(boxed));
    set_encoding(&mut reactor, id, Encoding::Utf8);
    send(&mut reactor, id, &mut peer, b"hello");
    assert_eq!(log.lines(), ["socket text hello"]);
}

#[test]
fn a_destroyed_socket_takes_no_encoding() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = accepted(&mut reactor, recorder("socket", &log));
    let mut socket = reactor.net().socket(id).unwrap();
    socket.destroy();
    socket.set_encoding(Encoding::Utf8);
    assert_eq!(socket.readable_encoding(), None);
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(log.of("socket"), ["close false"]);
}

#[test]
fn much_text_arrives_whole_through_pauses() {
    let mut reactor = Reactor::new().unwrap();
    let received = Log::new();
    let keep = received.clone();
    let (id, mut peer) = utf8(&mut reactor, &Log::new(), move |socket, event| {
        if let Event::Text(text) = event {
            keep.push(text);
            socket.pause();
            let id = socket.id();
            socket.net().set_immediate(move |net| {
                net.socket(id).unwrap().resume();
            });
        }
    });
    let text = "a€😀é".repeat(100_000);
    write_while_turning(&mut reactor, &mut peer, text.as_bytes());
    turn_until(&mut reactor, |net| {
        net.socket(id).unwrap().bytes_read() == text.len() as u64
    });
    turn_until_quiet(&mut reactor);
    assert!(received.lines().concat() == text);
}
