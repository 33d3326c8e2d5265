//! Frames out of streams that are cut anywhere, against a reference that sees the whole stream.
//!
//! That a whole frame is neither copied nor allocated for is in `allocations.rs`; worlds in which
//! connections break are in `src/frame/simulated.rs`.

mod support;

use netloop::frame::{Decoded, Decoder, Framed, LengthPrefix, Lines};
use netloop::{Event, Handler, Reactor, Socket, SocketId, handler_fn};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use support::*;

/// What a handler was told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Frame(Vec<u8>),
    End,
    Error(String),
    Close(bool),
}

#[derive(Clone, Default)]
struct Ear(Rc<RefCell<Vec<Told>>>);

impl Ear {
    /// A handler that notes what it is told and then does what `react` says, given how many frames
    /// there were before.
    fn reacting<F>(&self, mut react: F) -> impl Handler + use<F>
    where
        F: FnMut(&mut Socket<'_>, usize) + 'static,
    {
        let told = self.0.clone();
        let mut frames = 0;
        handler_fn(move |socket, event| {
            told.borrow_mut().push(match event {
                Event::Data(frame) => Told::Frame(frame.to_vec()),
                Event::End => Told::End,
                Event::Error(error) => Told::Error(error.code().into()),
                Event::Close { had_error } => Told::Close(had_error),
                _ => return,
            });
            if let Event::Data(_) = event {
                react(socket, frames);
                frames += 1;
            }
        })
    }

    fn told(&self) -> Vec<Told> {
        self.0.borrow().clone()
    }

    fn count(&self) -> usize {
        self.0.borrow().len()
    }
}

fn frames<const N: usize>(frames: [&[u8]; N]) -> Vec<Told> {
    frames.map(|frame| Told::Frame(frame.to_vec())).into()
}

/// Writes, and turns until the loop has dealt with it.
fn send(reactor: &mut Reactor, peer: &mut TcpStream, bytes: &[u8]) {
    let _ = peer.write_all(bytes); // it may be closed by now
    turn_until_quiet(reactor);
}

/// A server whose one socket has what `decoder` finds told to a handler that reacts so.
fn hearing(
    decoder: impl Decoder + 'static,
    react: impl FnMut(&mut Socket<'_>, usize) + 'static,
) -> (Reactor, SocketId, TcpStream, Ear) {
    let mut reactor = Reactor::new().unwrap();
    let ear = Ear::default();
    let framed = Framed::new(decoder, ear.reacting(react)).max_frame_bytes(LIMIT);
    let (id, peer) = accepted(&mut reactor, framed);
    (reactor, id, peer, ear)
}

const LIMIT: usize = 400;

/// A stream, where it is cut, and who pauses when.
#[derive(Clone, Debug)]
struct Script {
    frames: Vec<Vec<u8>>,
    /// What comes behind the last frame: the beginning of one more, if it is not empty.
    rest: Vec<u8>,
    cuts: Vec<usize>,
    /// The handler pauses in the frame of this number...
    pauses: Vec<usize>,
    /// ... and is let go after so many more pieces.
    resumes_late: bool,
}

fn scripts() -> impl Strategy<Value = Script> {
    let bytes = || prop::collection::vec(prop::sample::select(b"abc\r\0".to_vec()), 0..60);
    let frame = prop_oneof![
        8 => bytes(),
        1 => prop::collection::vec(Just(b'x'), 300..=LIMIT + 5),
    ];
    (
        prop::collection::vec(frame, 0..20),
        prop_oneof![Just(Vec::new()), bytes()],
        prop::collection::vec(1..80_usize, 1..30),
        prop::collection::vec(0..20_usize, 0..8),
        any::<bool>(),
    )
        .prop_map(|(frames, rest, cuts, pauses, resumes_late)| Script {
            frames,
            rest,
            cuts,
            pauses,
            resumes_late,
        })
}

/// How one kind of frames is written, for the reference: which bytes a frame becomes.
trait Wire {
    fn wire(&self, frame: &[u8], number: usize) -> Vec<u8>;
    /// What its receiver is told.
    fn told(&self, frame: &[u8]) -> Vec<u8>;
}

struct LineWire;

impl Wire for LineWire {
    fn wire(&self, frame: &[u8], number: usize) -> Vec<u8> {
        let ending = if number.is_multiple_of(2) {
            &b"\n"[..]
        } else {
            b"\r\n"
        };
        [&self.told(frame), ending].concat()
    }

    /// A CR right before the line ending belongs to it.
    fn told(&self, frame: &[u8]) -> Vec<u8> {
        let end = frame.iter().rposition(|&byte| byte != b'\r');
        frame[..end.map_or(0, |at| at + 1)].to_vec()
    }
}

struct PrefixWire(fn(usize) -> Vec<u8>);

impl Wire for PrefixWire {
    fn wire(&self, frame: &[u8], _number: usize) -> Vec<u8> {
        [&(self.0)(frame.len())[..], frame].concat()
    }

    fn told(&self, frame: &[u8]) -> Vec<u8> {
        frame.to_vec()
    }
}

/// The beginning of a frame behind the others: without its last byte none is whole.
fn half(script: &Script, wire: &impl Wire) -> Vec<u8> {
    let mut half = wire.wire(&script.rest, 0);
    half.pop();
    match script.rest.is_empty() {
        true => Vec::new(),
        false => half,
    }
}

/// What must be told, whatever the cuts and the pauses.
fn expected(script: &Script, wire: &impl Wire) -> Vec<Told> {
    let mut told = Vec::new();
    for (number, frame) in script.frames.iter().enumerate() {
        if wire.wire(frame, number).len() > LIMIT {
            told.extend([Told::Error("ERR_FRAME_TOO_LONG".into()), Told::Close(true)]);
            return told;
        }
        told.push(Told::Frame(wire.told(frame)));
    }
    match half(script, wire).is_empty() {
        true => told.extend([Told::End, Told::Close(false)]),
        false => told.extend([
            Told::Error("ERR_FRAME_INCOMPLETE".into()),
            Told::Close(true),
        ]),
    }
    told
}

fn play(script: &Script, decoder: impl Decoder + 'static, wire: &impl Wire) {
    let pauses = script.pauses.clone();
    let (mut reactor, id, mut peer, ear) = hearing(decoder, move |socket, number| {
        assert!(!socket.is_paused(), "told while paused");
        if pauses.contains(&number) {
            socket.pause();
        }
    });
    let mut stream = Vec::new();
    for (number, frame) in script.frames.iter().enumerate() {
        stream.extend(wire.wire(frame, number));
    }
    stream.extend(half(script, wire));
    let resume = |reactor: &mut Reactor| {
        while let Some(mut socket) = reactor.net().socket(id)
            && socket.is_paused()
        {
            let before = ear.count();
            socket.resume();
            assert_eq!(ear.count(), before, "told inside resume");
            turn_until_quiet(reactor);
        }
    };
    let mut rest = &stream[..];
    for &cut in script.cuts.iter().cycle() {
        let (piece, behind) = rest.split_at(cut.min(rest.len()));
        let paused = reactor.net().socket(id).is_some_and(|it| it.is_paused());
        let before = ear.count();
        send(&mut reactor, &mut peer, piece);
        assert!(!paused || ear.count() == before, "told while paused");
        if !script.resumes_late {
            resume(&mut reactor);
        }
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    let _ = peer.shutdown(Shutdown::Write);
    turn_until_quiet(&mut reactor);
    resume(&mut reactor);
    turn_until(&mut reactor, |net| net.socket(id).is_none());
    assert_eq!(ear.told(), expected(script, wire));
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn lines_are_told_as_the_reference_has_them(script in scripts()) {
        play(&script, Lines::new(), &LineWire);
    }

    #[test]
    fn frames_behind_their_length_are_told_as_the_reference_has_them(script in scripts()) {
        let wire = PrefixWire(|length| (length as u16).to_le_bytes().to_vec());
        play(&script, LengthPrefix::u16_le(), &wire);
        let wire = PrefixWire(|length| (length as u64).to_be_bytes().to_vec());
        play(&script, LengthPrefix::u64_be(), &wire);
    }
}

#[test]
fn all_other_events_go_through() {
    let (mut reactor, log) = fresh();
    let (us, mut peer) = dialled(
        &mut reactor,
        |options| options,
        Framed::new(Lines::new(), recorder("us", &log)),
        |_| (),
    );
    peer.write_all(b"one\ntwo!\n").unwrap();
    turn_until_line(&mut reactor, &log, "us data 4");
    at(&mut reactor, us).end();
    drop(peer);
    turn_until_line(&mut reactor, &log, "us close false");
    let lines = log.of("us");
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let expected = ["connect", "ready", "data 3", "data 4"];
    assert!(lines[0].starts_with("attempt "));
    assert_eq!(lines[1..5], expected);
    for event in ["finish", "end"] {
        assert!(lines.contains(&event), "{lines:?}");
    }
}

#[test]
fn a_length_over_the_limit_is_refused_before_a_byte_of_the_frame_has_come() {
    let (mut reactor, id, mut peer, ear) = hearing(LengthPrefix::u32_be(), |_, _| ());
    send(&mut reactor, &mut peer, &[0, 0, 0, 1, b'a']);
    send(&mut reactor, &mut peer, &(LIMIT as u32 - 3).to_be_bytes());
    assert!(reactor.net().socket(id).is_none());
    let error = Told::Error("ERR_FRAME_TOO_LONG".into());
    let expected = [&frames([b"a"])[..], &[error, Told::Close(true)]].concat();
    assert_eq!(ear.told(), expected);
}

#[test]
fn what_was_written_in_answer_to_frames_before_a_bad_one_arrives() {
    let (mut reactor, _, mut peer, _ear) =
        hearing(Lines::new(), |socket, _| assert!(socket.write(b"answer")));
    let line = [b'x'; LIMIT + 1];
    peer.write_all(b"one\n").unwrap();
    peer.write_all(&line).unwrap();
    let got = read_while_turning(&mut reactor, &mut peer, 6).unwrap();
    assert_eq!(got, b"answer");
}

#[test]
fn a_frame_that_destroys_its_socket_is_the_last() {
    let (mut reactor, _, mut peer, ear) = hearing(Lines::new(), |socket, _| socket.destroy());
    send(&mut reactor, &mut peer, b"one\ntwo\nthr");
    let expected = [&frames([b"one"])[..], &[Told::Close(false)]].concat();
    assert_eq!(ear.told(), expected);
}

#[test]
fn frames_are_told_after_our_own_end() {
    let (mut reactor, _, mut peer, ear) = hearing(Lines::new(), |socket, _| socket.end());
    send(&mut reactor, &mut peer, b"one\ntwo\n");
    assert_eq!(ear.told(), frames([b"one", b"two"]));
}

#[test]
fn the_next_handler_gets_all_that_is_left() {
    let next = Ear::default();
    let successor = next.clone();
    let (mut reactor, _, mut peer, ear) = hearing(Lines::new(), move |socket, number| {
        if number == 1 {
            socket.set_handler(successor.reacting(|_, _| ()));
        }
    });
    // The second line comes in parts, so that what is behind it was copied already.
    send(&mut reactor, &mut peer, b"one\ntw");
    send(&mut reactor, &mut peer, b"o\nthree\nfo");
    send(&mut reactor, &mut peer, b"ur");
    assert_eq!(ear.told(), frames([b"one", b"two"]));
    assert_eq!(next.told(), frames([b"three\nfo", b"ur"]));
}

#[test]
fn half_a_frame_goes_to_a_handler_that_is_set_in_another_event() {
    let (mut reactor, log) = fresh();
    let next = Ear::default();
    let (successor, wait) = (next.clone(), log.clone());
    let handler = reacting("us", &log, move |socket, event| match event {
        Event::Timeout => {
            socket.set_handler(Framed::new(Lines::new(), successor.reacting(|_, _| ())));
            wait.push("handed on");
        }
        _ => socket.set_timeout(std::time::Duration::from_millis(1)),
    });
    let (_, mut peer) = accepted(&mut reactor, Framed::new(Lines::new(), handler));
    peer.write_all(b"one\ntw").unwrap();
    turn_until_line(&mut reactor, &log, "handed on");
    send(&mut reactor, &mut peer, b"o\n");
    assert_eq!(next.told(), frames([b"two"]));
}

#[test]
fn a_pipe_that_begins_in_a_frame_gets_all_that_is_left() {
    let mut reactor = Reactor::new().unwrap();
    let (to, mut far) = accepted(&mut reactor, handler_fn(|_, _| ()));
    let ear = Ear::default();
    let piping = ear.reacting(move |socket, _| {
        let from = socket.id();
        socket.net().pipe(from, to, Default::default()).unwrap();
    });
    let (_, mut peer) = accepted(&mut reactor, Framed::new(Lines::new(), piping));
    send(&mut reactor, &mut peer, b"CONNECT\nsome\nby");
    send(&mut reactor, &mut peer, b"tes");
    assert_eq!(ear.told(), frames([b"CONNECT"]));
    let got = read_while_turning(&mut reactor, &mut far, 10).unwrap();
    assert_eq!(got, b"some\nbytes");
}

/// A slice of the one buffer that the loop reads into is no copy.
#[test]
fn only_a_frame_that_was_cut_is_copied() {
    let places = Rc::new(RefCell::new(Vec::new()));
    let place = |bytes: &[u8]| bytes.as_ptr().addr();
    let mut reactor = Reactor::new().unwrap();
    let seen = places.clone();
    let plain = handler_fn(move |_, event| {
        if let Event::Data(bytes) = event {
            seen.borrow_mut().push(place(bytes));
        }
    });
    let (_, mut other) = accepted(&mut reactor, plain);
    let seen = places.clone();
    let framed = handler_fn(move |_, event| {
        if let Event::Data(bytes) = event {
            seen.borrow_mut().push(place(bytes));
        }
    });
    let (_, mut peer) = accepted(&mut reactor, Framed::new(LengthPrefix::u8(), framed));
    send(&mut reactor, &mut other, b"where is it?");
    send(&mut reactor, &mut peer, b"\x03one\x03two\x05th");
    send(&mut reactor, &mut peer, b"ree\x04four");
    let places = places.borrow();
    let buffer = places[0];
    assert_eq!(places[1..3], [buffer + 1, buffer + 5]);
    assert!(!(buffer..buffer + 64 * 1024).contains(&places[3]));
    assert_eq!(places[4], buffer + 4, "behind the end of the third");
}

/// Counts how often its decoder was asked.
struct Counting<D>(D, Rc<Cell<usize>>);

impl<D: Decoder> Decoder for Counting<D> {
    fn decode(&mut self, bytes: &[u8]) -> netloop::Result<Decoded> {
        self.1.set(self.1.get() + 1);
        self.0.decode(bytes)
    }
}

#[test]
fn a_decoder_that_knows_what_is_missing_is_not_asked_before_it_has_come() {
    let asked = Rc::new(Cell::new(0));
    let decoder = Counting(LengthPrefix::u16_be(), asked.clone());
    let (mut reactor, _, mut peer, ear) = hearing(decoder, |_, _| ());
    for byte in [0, 200].into_iter().chain([b'x'; 200]) {
        send(&mut reactor, &mut peer, &[byte]);
    }
    assert_eq!(ear.told(), frames([&[b'x'; 200]]));
    assert_eq!(asked.get(), 3, "for a prefix, the length, and the frame");
}

#[test]
fn what_the_handler_gives_back_stands_before_the_rest_of_the_read() {
    let next = Ear::default();
    let heard = next.clone();
    let sniffs = move |socket: &mut Socket<'_>, _| {
        socket.unread(b"GET /\r\n");
        socket.set_handler(Framed::new(Lines::new(), heard.reacting(|_, _| ())));
    };
    let (mut reactor, _, mut peer, ear) = hearing(Lines::new(), sniffs);
    send(&mut reactor, &mut peer, b"GET /\r\nHost: x\r\nhalf");
    send(&mut reactor, &mut peer, b" a line\r\n");
    assert_eq!(ear.told(), frames([b"GET /"]));
    assert_eq!(next.told(), frames([b"GET /", b"Host: x", b"half a line"]));
}

/// Newer bytes have gone through the pipe, so what had begun can follow them nowhere.
#[test]
fn half_a_frame_that_a_pipe_from_elsewhere_has_overtaken_is_dropped() {
    let (mut reactor, log) = fresh();
    let (to, mut far) = accepted(&mut reactor, handler_fn(|_, _| ()));
    let handler = reacting("us", &log, |_, _| ());
    let (id, mut peer) = accepted(&mut reactor, Framed::new(Lines::new(), handler));
    send(&mut reactor, &mut peer, b"hello");
    let net = reactor.net();
    net.pipe(id, to, Default::default()).unwrap();
    send(&mut reactor, &mut peer, b"piped");
    let mut socket = reactor.net().socket(id).unwrap();
    socket.set_timeout(std::time::Duration::from_millis(1));
    turn_until_line(&mut reactor, &log, "us timeout");
    turn_until_quiet(&mut reactor);
    let got = read_while_turning(&mut reactor, &mut far, 5).unwrap();
    assert_eq!(got, b"piped");
    reactor.net().unpipe(id);
    reactor.net().socket(id).unwrap().resume();
    send(&mut reactor, &mut peer, b"a\n");
    turn_until_line(&mut reactor, &log, "us data 1"); // not helloa, and no panic of a decoder that had looked on
    far.set_nonblocking(true).unwrap();
    let behind = far.read(&mut [0; 8]).unwrap_err();
    assert_eq!(behind.kind(), ErrorKind::WouldBlock, "nothing came behind");
}
