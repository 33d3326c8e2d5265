//! `pipe`: bytes from one socket to another, at the pace of the slower, and who hears of what.

mod support;

use netloop::{Event, Handler, PipeOptions, Reactor, Socket, SocketId, handler_fn};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;
use support::*;

const MARK: usize = 64 * 1024;
const ONE_READ: usize = 64 * 1024;

/// Two accepted sockets, `from` and `to`, and their peers.
struct Two {
    reactor: Reactor,
    log: Log,
    from: SocketId,
    to: SocketId,
    left: TcpStream,
    right: TcpStream,
}

fn two_with(
    from: impl FnMut(&mut Socket<'_>, Event<'_>) + 'static,
    to: impl FnMut(&mut Socket<'_>, Event<'_>) + 'static,
) -> Two {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (from, left) = accepted(&mut reactor, reacting("from", &log, from));
    let (to, right) = accepted(&mut reactor, reacting("to", &log, to));
    Two {
        reactor,
        log,
        from,
        to,
        left,
        right,
    }
}

fn two() -> Two {
    two_with(|_, _| (), |_, _| ())
}

impl Two {
    fn pipe(&mut self) {
        let options = PipeOptions::default();
        self.reactor
            .net()
            .pipe(self.from, self.to, options)
            .unwrap();
    }

    fn pipe_both(&mut self) {
        self.reactor.net().pipe_both(self.from, self.to).unwrap();
    }

    fn socket(&mut self, id: SocketId) -> Socket<'_> {
        self.reactor.net().socket(id).unwrap()
    }

    /// What the peer on the right gets, up to `bytes` or its end.
    fn right_gets(&mut self, bytes: usize) -> Vec<u8> {
        read_while_turning(&mut self.reactor, &mut self.right, bytes).unwrap()
    }

    fn quiet(&mut self) {
        turn_until_quiet(&mut self.reactor);
    }

    /// Has the peer on the left write as much as goes, with nobody reading on the right.
    fn clog(&mut self) -> (Vec<u8>, usize) {
        let bytes = pattern(64 << 20);
        let mut sent = 0;
        loop {
            let more = write_until_full(&mut self.left, &bytes[sent..]);
            sent += more;
            self.quiet();
            if more == 0 {
                return (bytes, sent);
            }
        }
    }
}

#[test]
fn what_one_reads_the_other_writes_and_both_count_it() {
    let mut it = two();
    it.pipe();
    it.left.write_all(b"hello").unwrap();
    assert_eq!(it.right_gets(5), b"hello");
    let (from, to) = (it.from, it.to);
    assert_eq!(it.socket(from).bytes_read(), 5);
    assert_eq!(it.socket(to).bytes_written(), 5);
    assert!(it.log.lines().is_empty(), "{:?}", it.log);
}

#[test]
fn the_end_is_carried_over_behind_the_last_byte() {
    let mut it = two();
    it.pipe();
    it.left.write_all(b"last words").unwrap();
    it.left.shutdown(Shutdown::Write).unwrap();
    assert_eq!(it.right_gets(usize::MAX), b"last words");
    it.quiet();
    assert_eq!(it.log.of("from"), ["end", "finish", "close false"]);
    assert_eq!(it.log.of("to"), ["finish"]);
}

#[test]
fn the_end_may_be_kept_from_the_destination() {
    let mut it = two_with(|_, _| (), |_, _| ());
    let options = PipeOptions::default().end(false);
    it.reactor.net().pipe(it.from, it.to, options).unwrap();
    drop(it.left.shutdown(Shutdown::Write));
    turn_until_line(&mut it.reactor, &it.log, "from close false");
    let to = it.to;
    assert!(it.socket(to).write(b"still open"));
    assert_eq!(it.right_gets(10), b"still open");
}

#[test]
fn an_end_handler_may_write_a_last_word_of_its_own() {
    let to = Rc::new(Cell::new(None));
    let known = to.clone();
    let mut it = two_with(
        move |socket, event| {
            if let Event::End = event {
                let to: SocketId = known.get().unwrap();
                socket.net().socket(to).unwrap().write(b"goodbye");
            }
        },
        |_, _| (),
    );
    to.set(Some(it.to));
    it.pipe();
    it.left.shutdown(Shutdown::Write).unwrap();
    assert_eq!(it.right_gets(usize::MAX), b"goodbye");
}

#[test]
fn a_slow_reader_holds_a_proxy_of_64_mib_to_its_mark() {
    let mut it = two();
    it.pipe_both();
    let bytes = pattern(64 << 20);
    let (mut sent, mut got, mut most) = (0, 0, 0);
    let mut buffer = vec![0; 256 * 1024];
    it.left.set_nonblocking(true).unwrap();
    it.right.set_nonblocking(true).unwrap();
    let (from, to) = (it.from, it.to);
    for turn in 0.. {
        let end = bytes.len().min(sent + (1 << 20));
        sent += it.left.write(&bytes[sent..end]).unwrap_or(0);
        it.reactor.turn(Some(Duration::ZERO)).unwrap();
        most = most.max(it.socket(to).buffer_size());
        if turn % 4 == 0 {
            let read = it.right.read(&mut buffer).unwrap_or(0);
            assert!(bytes[got..].starts_with(&buffer[..read]), "at {got}");
            got += read;
        }
        if got == bytes.len() {
            break;
        }
    }
    assert!(most >= MARK, "never full: {most}");
    assert!(most <= MARK + ONE_READ, "{most}");
    assert_eq!(it.socket(from).bytes_read(), 64 << 20);
}

#[test]
fn several_sources_fill_one_destination_no_further_than_one_does() {
    let mut it = two();
    let log = it.log.clone();
    let (other, mut top) = accepted(&mut it.reactor, recorder("other", &log));
    it.pipe();
    let options = PipeOptions::default();
    it.reactor.net().pipe(other, it.to, options).unwrap();
    let bytes = pattern(8 << 20);
    let (_, mut sent) = it.clog();
    sent += write_until_full(&mut top, &bytes);
    it.quiet();
    let to = it.to;
    let queued = it.socket(to).buffer_size();
    assert!((MARK..=MARK + ONE_READ).contains(&queued), "{queued}");
    drop((top, it.left.shutdown(Shutdown::Write)));
    // The first end is that of both: what the other had left is for its handler.
    let got = it.right_gets(usize::MAX).len();
    assert!(got <= sent, "{got} of {sent}");
    assert_eq!(it.log.count("to finish"), 1);
}

#[test]
fn of_many_sources_each_may_go_and_the_others_stay() {
    let mut reactor = Reactor::new().unwrap();
    let net = reactor.net();
    let mut connect = || {
        let us = net.connect("127.0.0.1:1", handler_fn(|_, _| ()));
        us.unwrap().id()
    };
    let to = connect();
    let sources: [SocketId; 6] = std::array::from_fn(|_| connect());
    for from in sources {
        net.pipe(from, to, PipeOptions::default()).unwrap();
    }
    // The first, the last, one in the middle, and the first again, which is another by now.
    for gone in [0, 5, 2, 4] {
        net.unpipe(sources[gone]);
    }
    for (place, stays) in [false, true, false, true, false, false].iter().enumerate() {
        let from = sources[place];
        assert_eq!(net.socket(from).unwrap().is_paused(), !stays);
        let again = net.pipe(from, to, PipeOptions::default());
        assert_eq!(again.is_err(), *stays, "the source at {place}");
    }
    net.socket(to).unwrap().destroy();
    for from in sources {
        assert!(net.socket(from).unwrap().is_paused());
    }
}

#[test]
fn a_pause_by_the_user_holds_while_the_destination_has_room() {
    let mut it = two();
    it.pipe();
    let from = it.from;
    it.socket(from).pause();
    it.left.write_all(b"later").unwrap();
    it.quiet();
    assert_eq!(it.socket(from).bytes_read(), 0);
    it.socket(from).resume();
    assert_eq!(it.right_gets(5), b"later");
}

#[test]
fn a_resume_by_the_user_does_not_overrun_the_destination() {
    let mut it = two();
    it.pipe();
    let (bytes, sent) = it.clog();
    let (from, to) = (it.from, it.to);
    assert!(!it.socket(from).is_paused(), "the user has not paused it");
    it.socket(from).pause();
    it.socket(from).resume();
    it.quiet();
    assert!(it.socket(to).buffer_size() <= MARK + ONE_READ);
    it.socket(from).pause(); // and the drain does not resume what the user has paused
    let before = it.socket(from).bytes_read();
    let got = it.right_gets(before as usize);
    assert_eq!(it.log.count("to drain"), 1, "{:?}", it.log);
    it.quiet();
    assert_eq!(it.socket(from).bytes_read(), before);
    it.socket(from).resume();
    let rest = it.right_gets(sent - got.len());
    assert!([got, rest].concat() == bytes[..sent]);
}

#[test]
fn a_destination_that_fills_itself_again_at_drain_keeps_its_sources_waiting() {
    let fill = vec![7; 32 << 20];
    let mut once = true;
    let mut it = two_with(
        |_, _| (),
        move |socket, event| {
            if let (Event::Drain, true) = (event, once) {
                once = false;
                assert!(!socket.write(&fill));
            }
        },
    );
    it.pipe();
    let (_, sent) = it.clog();
    let from = it.from;
    let before = it.socket(from).bytes_read();
    let piped = it.right_gets(before as usize).len();
    turn_until_line(&mut it.reactor, &it.log, "to drain");
    it.quiet();
    assert_eq!(it.socket(from).bytes_read(), before, "there is no room");
    let rest = sent - piped + (32 << 20);
    assert_eq!(it.right_gets(rest).len(), rest);
}

#[test]
fn an_unpiped_source_is_paused_and_then_tells_its_handler() {
    let mut it = two();
    it.pipe();
    it.reactor.net().unpipe(it.from);
    it.left.write_all(b"mine").unwrap();
    it.quiet();
    assert!(it.log.lines().is_empty(), "{:?}", it.log);
    let from = it.from;
    assert!(it.socket(from).is_paused());
    it.socket(from).resume();
    turn_until_line(&mut it.reactor, &it.log, "from data 4");
}

#[test]
fn a_destination_that_goes_leaves_its_source_paused() {
    type Deed = fn(Socket<'_>);
    let deeds: [Deed; 4] = [
        |mut to| to.destroy(),
        |mut to| to.end(),
        |mut to| to.reset_and_destroy(),
        |mut to| to.destroy_with(netloop::Error::other("enough")),
    ];
    for deed in deeds {
        let mut it = two();
        it.pipe();
        let (from, to) = (it.from, it.to);
        deed(it.socket(to));
        it.left.write_all(b"for whom?").unwrap();
        it.quiet();
        assert!(it.log.of("from").is_empty(), "{:?}", it.log);
        assert!(it.socket(from).is_paused());
        it.socket(from).resume();
        turn_until_line(&mut it.reactor, &it.log, "from data 9");
    }
}

#[test]
fn a_source_that_waits_for_room_is_let_go_when_the_destination_fails() {
    let mut it = two();
    it.pipe();
    it.clog();
    let from = it.from;
    reset(it.right);
    turn_until_line(&mut it.reactor, &it.log, "to close true");
    let mut socket = it.reactor.net().socket(from).unwrap();
    assert!(socket.is_paused(), "unpiped");
    socket.resume();
    turn_until(&mut it.reactor, |_| {
        let told = it.log.of("from");
        told.iter().any(|line| line.starts_with("data"))
    });
}

#[test]
fn a_source_that_fails_leaves_its_destination_as_it_is() {
    let mut it = two();
    it.pipe();
    reset(it.left);
    turn_until_line(&mut it.reactor, &it.log, "from close true");
    assert_eq!(it.log.of("to"), [""; 0]);
    let mut to = it.reactor.net().socket(it.to).unwrap();
    assert!(to.writable() && to.write(b"here"));
    let got = read_while_turning(&mut it.reactor, &mut it.right, 4).unwrap();
    assert_eq!(got, b"here");
}

#[test]
fn a_destroyed_source_is_forgotten_by_the_destination_that_it_filled() {
    let mut it = two();
    it.pipe();
    let (_, _) = it.clog();
    let (from, to) = (it.from, it.to);
    let read = it.socket(from).bytes_read() as usize;
    it.socket(from).destroy();
    assert_eq!(
        it.right_gets(read).len(),
        read,
        "what it wrote is delivered"
    );
    turn_until_line(&mut it.reactor, &it.log, "to drain");
    it.socket(to).end();
    turn_until_line(&mut it.reactor, &it.log, "to finish");
}

#[test]
fn a_socket_piped_into_itself_is_an_echo() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let told = log.clone();
    let address = listen(&mut reactor, move |socket| {
        let id = socket.id();
        let options = PipeOptions::default();
        socket.net().pipe(id, id, options).unwrap();
        recorder("echo", &told)
    });
    let mut peer = plain_peer(address);
    let bytes = pattern(300_000);
    let sent = write_until_full(&mut peer, &bytes);
    peer.shutdown(Shutdown::Write).unwrap();
    let got = read_while_turning(&mut reactor, &mut peer, usize::MAX).unwrap();
    assert!(got == bytes[..sent]);
    turn_until_line(&mut reactor, &log, "echo close false");
    log.assert_order(&["echo end", "echo finish", "echo close false"]);
}

#[test]
fn what_was_given_back_goes_first_and_past_an_encoding() {
    let mut it = two_with(
        |socket, event| {
            if let Event::Text(text) = event {
                socket.unread(text.as_bytes());
                socket.pause();
            }
        },
        |_, _| (),
    );
    let from = it.from;
    it.socket(from).set_encoding(netloop::Encoding::Utf8);
    it.left.write_all(b"GET \xe2\x82").unwrap();
    turn_until_line(&mut it.reactor, &it.log, "from text GET ");
    it.pipe();
    it.left.write_all(b"\xac\xff").unwrap();
    assert_eq!(it.right_gets(8), b"GET \xe2\x82\xac\xff");
    it.quiet();
    assert_eq!(it.log.of("from"), ["text GET "]);
}

#[test]
fn either_end_may_still_be_connecting() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (from, mut left) = accepted(&mut reactor, recorder("from", &log));
    let net = reactor.net();
    let to = net.connect(address, recorder("to", &log)).unwrap().id();
    net.pipe_both(from, to).unwrap();
    left.write_all(b"early").unwrap();
    turn_until_line(&mut reactor, &log, "to ready");
    let (mut right, _) = listener.accept().unwrap();
    let got = read_while_turning(&mut reactor, &mut right, 5).unwrap();
    assert_eq!(got, b"early");
    right.write_all(b"reply").unwrap();
    let got = read_while_turning(&mut reactor, &mut left, 5).unwrap();
    assert_eq!(got, b"reply");
}

#[test]
fn a_pipe_from_a_socket_whose_end_was_told_ends_the_destination() {
    let mut it = two();
    let (from, _) = (it.from, it.to);
    it.pipe_both(); // for half-open sockets
    it.reactor.net().unpipe(from);
    let to = it.to;
    it.reactor.net().unpipe(to);
    it.socket(from).resume();
    it.left.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut it.reactor, &it.log, "from end");
    it.pipe();
    assert_eq!(it.right_gets(usize::MAX), b"");
}

#[test]
fn a_pipe_that_cannot_be_is_an_error_in_nodes_words() {
    let mut it = two();
    let (from, to) = (it.from, it.to);
    let mut other = Reactor::new().unwrap();
    let (stranger, _peer) = accepted(&mut other, recorder("stranger", &Log::new()));
    let mut told = |from, to| {
        let pipe = it.reactor.net().pipe(from, to, PipeOptions::default());
        pipe.unwrap_err().to_string()
    };
    let (cannot, unable) = (
        "Cannot pipe, not readable",
        "Cannot pipe to a closed or destroyed stream",
    );
    assert_eq!(told(stranger, to), cannot);
    assert_eq!(told(from, stranger), unable);
    it.socket(to).end();
    let pipe = it.reactor.net().pipe(from, to, PipeOptions::default());
    assert_eq!(pipe.unwrap_err().code(), "ERR_STREAM_UNABLE_TO_PIPE");
    let both = it.reactor.net().pipe_both(from, to);
    assert_eq!(both.unwrap_err().code(), "ERR_STREAM_UNABLE_TO_PIPE");
    assert!(!it.socket(from).is_paused(), "and nothing was changed");
    it.socket(from).destroy();
    let pipe = it.reactor.net().pipe(from, to, PipeOptions::default());
    assert_eq!(pipe.unwrap_err().code(), "ERR_STREAM_CANNOT_PIPE");
}

#[test]
fn a_second_destination_is_refused_and_the_first_stays() {
    let mut it = two();
    it.pipe();
    let again = it
        .reactor
        .net()
        .pipe(it.from, it.from, PipeOptions::default());
    assert_eq!(again.unwrap_err().code(), "ERR_INVALID_ARG_VALUE");
    it.left.write_all(b"as before").unwrap();
    assert_eq!(it.right_gets(9), b"as before");
}

#[test]
fn a_proxy_carries_a_half_close_over_in_each_direction() {
    for left_first in [true, false] {
        let mut it = two();
        it.pipe_both();
        let two_ends = (&mut it.left, &mut it.right);
        let (first, second) = match left_first {
            true => two_ends,
            false => (two_ends.1, two_ends.0),
        };
        first.write_all(b"request").unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        let got = read_while_turning(&mut it.reactor, second, usize::MAX).unwrap();
        assert_eq!(got, b"request");
        second.write_all(b"reply").unwrap();
        second.shutdown(Shutdown::Write).unwrap();
        let got = read_while_turning(&mut it.reactor, first, usize::MAX).unwrap();
        assert_eq!(got, b"reply");
        turn_until_line(&mut it.reactor, &it.log, "from close false");
        turn_until_line(&mut it.reactor, &it.log, "to close false");
    }
}

#[test]
fn a_proxy_that_is_through_on_one_side_delivers_what_the_other_has_queued() {
    let mut it = two();
    it.pipe_both();
    let bytes = pattern(4 << 20);
    it.right.shutdown(Shutdown::Write).unwrap(); // nothing comes back
    let sent = write_until_full(&mut it.left, &bytes);
    it.left.shutdown(Shutdown::Write).unwrap();
    let got = it.right_gets(usize::MAX);
    assert!(got == bytes[..sent], "{} of {sent}", got.len());
    turn_until_line(&mut it.reactor, &it.log, "to close false");
}

/// A local socket, which knows no reset, would be destroyed with what it has queued.
#[test]
fn a_proxy_that_is_through_on_one_side_delivers_what_a_local_one_has_queued() {
    for step in 1..32 {
        // Sizes of which the kernel keeps a part, and of the rest less than the mark waits.
        let bytes = pattern(step * 16 * 1024);
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (from, mut left) = accepted(&mut reactor, recorder("from", &log));
        let (ours, mut right) = UnixStream::pair().unwrap();
        let to = reactor
            .net()
            .adopt(ours, recorder("to", &log))
            .unwrap()
            .id();
        reactor.net().pipe_both(from, to).unwrap();
        right.shutdown(Shutdown::Write).unwrap(); // nothing comes back
        write_while_turning(&mut reactor, &mut left, &bytes);
        left.shutdown(Shutdown::Write).unwrap();
        turn_until_quiet(&mut reactor);
        let reading = thread::spawn(move || {
            let mut got = Vec::new();
            right.read_to_end(&mut got).map(|_| got)
        });
        turn_until_line(&mut reactor, &log, "to close false");
        let got = reading.join().unwrap().unwrap();
        assert!(got == bytes, "{} of {}", got.len(), bytes.len());
    }
}

#[test]
fn a_reset_of_one_side_of_a_proxy_resets_the_other() {
    for left_first in [true, false] {
        let mut it = two();
        it.pipe_both();
        it.left.write_all(b"x").unwrap();
        it.right_gets(1);
        let (first, mut second) = match left_first {
            true => (it.left, it.right),
            false => (it.right, it.left),
        };
        reset(first);
        let outcome = read_while_turning(&mut it.reactor, &mut second, 1);
        let error = outcome.expect_err("a cut is no end");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let mut told = [it.log.of("from"), it.log.of("to")];
        told.sort();
        assert_eq!(told[0], ["close false"]);
        assert_eq!(told[1], ["error ECONNRESET", "close true"]);
    }
}

#[test]
fn a_destroy_of_one_side_of_a_proxy_takes_the_other_with_it_behind_it() {
    let mut it = two();
    it.pipe_both();
    let to = it.to;
    it.socket(to).destroy();
    turn_until_line(&mut it.reactor, &it.log, "from close false");
    assert_eq!(it.log.lines(), ["to close false", "from close false"]);
}

#[test]
fn a_proxy_whose_upstream_refuses_resets_its_client_and_the_other_way_round() {
    let (_kept, refusing) = refusing();
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (from, mut left) = accepted(&mut reactor, recorder("from", &log));
    let net = reactor.net();
    let to = net.connect(refusing, recorder("to", &log)).unwrap().id();
    net.pipe_both(from, to).unwrap();
    let outcome = read_while_turning(&mut reactor, &mut left, 1);
    assert!(outcome.is_err());
    assert!(log.has("to error ECONNREFUSED"), "{log:?}");

    // A client that goes before the upstream stands: the attempt is given up.
    let (_kept, unanswering) = unanswering();
    let log = Log::new();
    let (from, left) = accepted(&mut reactor, recorder("from", &log));
    let net = reactor.net();
    let to = net.connect(unanswering, recorder("to", &log)).unwrap().id();
    net.pipe_both(from, to).unwrap();
    reset(left);
    turn_until_line(&mut reactor, &log, "to close false");
}

#[test]
fn unpiping_makes_the_sides_of_a_proxy_strangers() {
    let mut it = two();
    it.pipe_both();
    it.reactor.net().unpipe(it.to);
    let to = it.to;
    it.socket(to).destroy();
    turn_until_line(&mut it.reactor, &it.log, "to close false");
    it.quiet();
    assert_eq!(it.log.of("from"), [""; 0]);
}

/// Everything that may happen to a pipe, from inside of every event of either end.
#[test]
fn pipes_may_be_taken_apart_inside_any_event() {
    type Deed = fn(&mut Socket<'_>, SocketId);
    let deeds: [Deed; 6] = [
        |socket, _| socket.destroy(),
        |socket, other| {
            if let Some(mut other) = socket.net().socket(other) {
                other.destroy();
            }
        },
        |socket, other| {
            let own = socket.id();
            socket.net().unpipe(own);
            socket.net().unpipe(other);
        },
        |socket, _| socket.end(),
        |socket, other| {
            let own = socket.id();
            socket.net().unpipe(own);
            let _ = socket.net().pipe(own, own, PipeOptions::default());
            let _ = socket.net().pipe(other, own, PipeOptions::default());
        },
        |socket, _| socket.reset_and_destroy(),
    ];
    for deed in deeds {
        for within in ["end", "drain", "finish", "timeout", "close"] {
            let ids = Rc::new(Cell::new(None));
            let doing = move |ids: Rc<Cell<Option<(SocketId, SocketId)>>>| {
                move |socket: &mut Socket<'_>, event: Event<'_>| {
                    if describe(&event).starts_with(within)
                        && let Some((a, b)) = ids.get()
                    {
                        let other = if socket.id() == a { b } else { a };
                        deed(socket, other);
                    }
                }
            };
            let mut it = two_with(doing(ids.clone()), doing(ids.clone()));
            ids.set(Some((it.from, it.to)));
            it.pipe_both();
            let (from, to) = (it.from, it.to);
            it.clog();
            it.left.shutdown(Shutdown::Write).unwrap();
            it.right.shutdown(Shutdown::Write).unwrap();
            if within == "timeout" {
                it.socket(to).set_timeout(Duration::from_millis(1));
                turn_until_line(&mut it.reactor, &it.log, "to timeout");
            }
            // As much as comes, and then no more.
            it.right.set_nonblocking(true).unwrap();
            let mut buffer = vec![0; 1 << 20];
            while it.right.read(&mut buffer).is_ok_and(|bytes| bytes > 0) {
                it.quiet();
            }
            for id in [from, to] {
                if let Some(mut socket) = it.reactor.net().socket(id) {
                    socket.destroy();
                }
            }
            turn_until(&mut it.reactor, |net| net.stats().sockets == 0);
            assert_eq!(
                it.log.count("from close false") + it.log.count("from close true"),
                1
            );
            assert_eq!(
                it.log.count("to close false") + it.log.count("to close true"),
                1
            );
        }
    }
}

#[test]
fn both_idle_timeouts_hear_of_what_goes_through() {
    let mut it = two();
    it.pipe();
    let (from, to) = (it.from, it.to);
    for id in [from, to] {
        it.socket(id).set_timeout(Duration::from_millis(200));
    }
    for _ in 0..6 {
        let_pass(Duration::from_millis(50));
        it.left.write_all(b".").unwrap();
        it.right_gets(1);
    }
    assert!(it.log.lines().is_empty(), "{:?}", it.log);
    turn_until_line(&mut it.reactor, &it.log, "to timeout");
    turn_until_line(&mut it.reactor, &it.log, "from timeout");
}

/// A dozen lines, as a user would write them.
#[test]
fn a_tcp_proxy_is_a_dozen_lines() {
    let mut reactor = Reactor::new().unwrap();
    let shout = listen(&mut reactor, |_| Shout);
    let proxy = listen(&mut reactor, move |client| {
        let id = client.id();
        let net = client.net();
        let upstream = net.connect(shout, Silent).unwrap().id();
        net.pipe_both(id, upstream).unwrap();
        Silent
    });
    let mut peer = plain_peer(proxy);
    peer.write_all(b"hello").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let got = read_while_turning(&mut reactor, &mut peer, usize::MAX).unwrap();
    assert_eq!(got, b"HELLO");

    struct Silent;
    impl Handler for Silent {
        fn on_data(&mut self, _: &mut Socket<'_>, _: &[u8]) {}
    }
    struct Shout;
    impl Handler for Shout {
        fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
            socket.write(&data.to_ascii_uppercase());
        }
    }
}
