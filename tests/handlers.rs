//! Handing a connection on in the middle of it: `unread` and `set_handler`.

mod support;

use netloop::{Error, Event, Handler, ListenOptions, Reactor, Socket, handler_fn};
use std::cell::Cell;
use std::io::Write;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;
use support::*;

/// What the two are for: one handler reads a header, gives back what it read too much, and hands
/// on.
#[test]
fn what_is_given_back_is_told_to_the_next_handler_before_anything_newer() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let handed_on = log.clone();
    let first = texts("first", &log, move |socket, bytes| {
        socket.unread(&bytes[7..]);
        socket.set_handler(texts("second", &handed_on, |_, _| ()));
    });
    let (_, mut peer) = accepted(&mut reactor, first);
    peer.write_all(b"header,body").unwrap();
    turn_until_line(&mut reactor, &log, "first header,body");
    peer.write_all(b"more").unwrap(); // newer, and there before the rest was told again
    turn_until_line(&mut reactor, &log, "second more");
    assert_eq!(
        log.lines(),
        ["first header,body", "second body", "second more"]
    );
}

/// No packet brings them back: the loop has to do it by itself, without sleeping.
#[test]
fn what_is_given_back_is_told_without_a_word_from_the_peer() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, _peer) = accepted(&mut reactor, texts("socket", &log, |_, _| ()));
    turn_until_quiet(&mut reactor);
    assert_eq!(reactor.next_timeout(), None);
    reactor.net().socket(id).unwrap().unread(b"from outside");
    assert!(log.lines().is_empty(), "told inside the call: {log:?}");
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
    reactor.turn(None).unwrap();
    assert_eq!(log.lines(), ["socket from outside"]);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["socket from outside"]);
}

/// A peer that sends half a frame and no more must not keep the loop busy.
#[test]
fn what_is_given_back_twice_waits_for_more_and_is_told_with_it() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let frames = texts("frames", &log, |socket, bytes| {
        if bytes.len() < 6 {
            socket.unread(bytes);
        }
    });
    let (_, mut peer) = accepted(&mut reactor, frames);
    peer.write_all(b"abc").unwrap();
    turn_until_lines(&mut reactor, &log, "frames abc", 2);
    turn_until_quiet(&mut reactor);
    assert_eq!(reactor.next_timeout(), None, "the loop spins");
    assert_eq!(log.lines(), ["frames abc", "frames abc"]);
    peer.write_all(b"def").unwrap();
    turn_until_line(&mut reactor, &log, "frames abcdef");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["frames abc", "frames abc", "frames abcdef"]);
}

/// What is left gets less each time, so telling it comes to an end.
#[test]
fn the_rest_of_what_was_taken_in_part_is_told_in_turn() {
    let (mut reactor, log) = fresh();
    let takes_one = texts("socket", &log, |socket, bytes| socket.unread(&bytes[1..]));
    let (_, mut peer) = accepted(&mut reactor, takes_one);
    peer.write_all(b"abc").unwrap();
    turn_until_line(&mut reactor, &log, "socket c");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["socket abc", "socket bc", "socket c"]);
}

/// Half a frame waits for more, the end comes instead, and what is told then holds whole ones.
#[test]
fn the_end_waits_for_the_rest_of_what_was_taken_in_part_and_for_a_pause() {
    let (mut reactor, log) = fresh();
    let ended = Cell::new(0);
    let told = log.clone();
    let handler = handler_fn(move |socket, event| match event {
        Event::Data(bytes) if ended.get() < 2 => {
            ended.set(ended.get() + 1);
            socket.unread(bytes); // which then waits for more, or for the end
        }
        Event::Data(bytes) => {
            told.push(format!("data {}", bytes.len()));
            socket.unread(&bytes[1..]);
            socket.pause();
        }
        Event::End => told.push("end"),
        _ => {}
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"abc").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    for rest in [3, 2, 1] {
        turn_until_line(&mut reactor, &log, &format!("data {rest}"));
        turn_until_quiet(&mut reactor);
        assert_eq!(log.lines().len(), 4 - rest);
        reactor.net().socket(id).unwrap().resume();
    }
    turn_until_line(&mut reactor, &log, "end");
}

#[test]
fn a_new_handler_is_told_at_once_what_the_old_one_gave_back_twice() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let stubborn = texts("old", &log, |socket, bytes| socket.unread(bytes));
    let (id, mut peer) = accepted(&mut reactor, stubborn);
    peer.write_all(b"abc").unwrap();
    turn_until_lines(&mut reactor, &log, "old abc", 2);
    turn_until_quiet(&mut reactor);
    let new = texts("new", &log, |_, _| ());
    reactor.net().socket(id).unwrap().set_handler(new);
    turn_until_line(&mut reactor, &log, "new abc");
    assert_eq!(log.lines(), ["old abc", "old abc", "new abc"]);
}

#[test]
fn a_handler_set_while_it_is_told_a_second_time_is_told_at_once_too() {
    let (mut reactor, log) = fresh();
    let told = log.clone();
    let times = Cell::new(0);
    let stubborn = texts("old", &log, move |socket, bytes| {
        socket.unread(bytes);
        times.set(times.get() + 1);
        if times.get() == 2 {
            socket.set_handler(texts("new", &told, |_, _| ()));
        }
    });
    let (_, mut peer) = accepted(&mut reactor, stubborn);
    peer.write_all(b"x").unwrap();
    turn_until_line(&mut reactor, &log, "new x");
    assert_eq!(log.lines(), ["old x", "old x", "new x"]);
}

/// Who waits for a place, and finds none when he is let go, waits again: nothing of it is lost, and
/// nothing more from the peer is needed.
#[test]
fn what_is_given_back_in_a_pause_is_told_after_each_resume_and_outlives_the_end() {
    for ends in [false, true] {
        let (mut reactor, log) = fresh();
        let waits = texts("socket", &log, |socket, bytes| {
            socket.pause();
            socket.unread(bytes);
        });
        let (id, mut peer) = accepted(&mut reactor, waits);
        peer.write_all(b"abc").unwrap();
        if ends {
            peer.shutdown(Shutdown::Write).unwrap();
        }
        for times in 1..6 {
            turn_until_lines(&mut reactor, &log, "socket abc", times);
            turn_until_quiet(&mut reactor);
            assert_eq!(log.lines().len(), times, "{log:?}");
            reactor.net().socket(id).unwrap().resume();
        }
    }
}

/// The same where the handler lets itself go, in another event of its own.
#[test]
fn what_is_given_back_in_a_pause_is_told_after_a_resume_in_its_own_timeout() {
    let (mut reactor, log) = fresh();
    let notes = log.clone();
    let waits = handler_fn(
        move |socket: &mut Socket<'_>, event: Event<'_>| match event {
            Event::Data(bytes) => {
                notes.push("told");
                socket.pause();
                socket.unread(bytes);
                socket.set_timeout(Duration::from_millis(1));
            }
            Event::Timeout => socket.resume(),
            _ => {}
        },
    );
    let (_, mut peer) = accepted(&mut reactor, waits);
    peer.write_all(b"abc").unwrap();
    turn_until_lines(&mut reactor, &log, "told", 5);
}

#[test]
fn a_handler_that_is_set_before_the_end_is_told_what_nobody_wanted() {
    let (mut reactor, log) = fresh();
    let (times, handed_on) = (Cell::new(0), log.clone());
    let first = texts("first", &log, move |socket, bytes| {
        socket.unread(bytes); // a second time, so that it waits, and then behind the last byte
        times.set(times.get() + 1);
        if times.get() == 3 {
            socket.set_handler(texts("second", &handed_on, |_, _| ()));
        }
    });
    let (_, mut peer) = accepted(&mut reactor, first);
    peer.write_all(b"abc").unwrap();
    turn_until_lines(&mut reactor, &log, "first abc", 2);
    turn_until_quiet(&mut reactor);
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "second abc");
    assert_eq!(
        log.lines(),
        ["first abc", "first abc", "first abc", "second abc"]
    );
}

#[test]
fn what_is_given_back_later_stands_before_what_was_given_back_earlier() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let first_time = Cell::new(true);
    let handler = texts("socket", &log, move |socket, bytes| {
        if first_time.replace(false) {
            socket.unread(&bytes[4..]);
            socket.unread(&bytes[..4]);
            socket.unread(b"");
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"one,two").unwrap();
    turn_until_lines(&mut reactor, &log, "socket one,two", 2);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["socket one,two", "socket one,two"]);
}

#[test]
fn the_end_waits_for_what_was_given_back() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let times = Cell::new(0);
    let handler = reacting("socket", &log, move |socket, event| match event {
        Event::Data(bytes) if times.get() < 2 => {
            times.set(times.get() + 1);
            socket.unread(bytes);
        }
        _ => {}
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"hello").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.of("socket"),
        ["data 5", "data 5", "data 5", "end", "finish", "close false"]
    );
}

#[test]
fn a_reset_waits_for_what_was_given_back() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let first_time = Cell::new(true);
    let handler = reacting("socket", &log, move |socket, event| match event {
        Event::Data(bytes) if first_time.replace(false) => socket.unread(bytes),
        _ => {}
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    turn_until_quiet(&mut reactor);
    peer.write_all(b"hello").unwrap();
    reset(peer);
    turn_until_line(&mut reactor, &log, "socket close true");
    assert_eq!(
        log.of("socket"),
        ["data 5", "data 5", "error ECONNRESET", "close true"]
    );
}

#[test]
fn what_is_given_back_waits_while_the_socket_is_paused() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let first_time = Cell::new(true);
    let handler = reacting("socket", &log, move |socket, event| match event {
        Event::Data(bytes) if first_time.replace(false) => {
            socket.unread(bytes);
            socket.pause();
        }
        _ => {}
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "socket data 5");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket"), ["data 5"]);
    assert_eq!(reactor.next_timeout(), None, "a turn for nothing");
    reactor.net().socket(id).unwrap().resume();
    assert_eq!(log.of("socket"), ["data 5"], "told inside resume");
    // Without a word from the peer.
    turn_until_lines(&mut reactor, &log, "socket data 5", 2);
    drop(peer);
    turn_until_line(&mut reactor, &log, "socket close false");
    assert_eq!(
        log.of("socket"),
        ["data 5", "data 5", "end", "finish", "close false"]
    );
}

#[test]
fn what_is_given_back_is_not_counted_as_read_again() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let first_time = Cell::new(true);
    let handler = texts("socket", &log, move |socket, bytes| {
        assert_eq!(socket.bytes_read(), 5);
        if first_time.replace(false) {
            socket.unread(bytes);
        }
    });
    let (id, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"hello").unwrap();
    turn_until_lines(&mut reactor, &log, "socket hello", 2);
    assert_eq!(reactor.net().socket(id).unwrap().bytes_read(), 5);
}

#[test]
fn once_end_was_told_nothing_can_be_given_back() {
    for half_open in [false, true] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let handler = reacting("socket", &log, |socket, event| {
            if let Event::End = event {
                socket.unread(b"too late");
            }
        });
        let options = ListenOptions::from("127.0.0.1:0").allow_half_open(half_open);
        let (id, peer) = accepted_by(&mut reactor, options, handler);
        peer.shutdown(Shutdown::Write).unwrap();
        turn_until_line(&mut reactor, &log, "socket end");
        if let Some(mut socket) = reactor.net().socket(id) {
            socket.unread(b"too late, too");
            socket.end();
        }
        turn_until_line(&mut reactor, &log, "socket close false");
        assert_eq!(log.of("socket"), ["end", "finish", "close false"]);
    }
}

#[test]
fn a_destroyed_socket_tells_nothing_that_was_given_back() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let handler = reacting("socket", &log, |socket, event| {
        if let Event::Data(bytes) = event {
            socket.unread(bytes);
            socket.destroy();
            socket.unread(bytes);
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "socket close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket"), ["data 5", "close false"]);
}

#[test]
fn the_replaced_handler_finishes_first_and_is_then_dropped() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (finished, successor) = (log.clone(), log.clone());
    let dropped = LogsDrop("old dropped", log.clone());
    let old = reacting("old", &log, move |socket, _| {
        let _ = &dropped;
        socket.set_handler(recorder("new", &successor));
        finished.push("old finished");
    });
    let (_, mut peer) = accepted(&mut reactor, old);
    peer.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "old dropped");
    peer.write_all(b"again!").unwrap();
    drop(peer);
    turn_until_line(&mut reactor, &log, "new close false");
    assert_eq!(
        log.lines(),
        [
            "old data 5",
            "old finished",
            "old dropped",
            "new data 6",
            "new end",
            "new finish",
            "new close false"
        ]
    );
}

/// More than one read's worth is there: the rest of it, told in the same turn, is the new one's.
#[test]
fn the_new_handler_has_what_is_still_to_come_in_the_same_turn() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (got, rest) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (counts, log_of_new) = (rest.clone(), log.clone());
    let first = got.clone();
    let old = reacting("old", &log, move |socket, event| {
        if let Event::Data(bytes) = event {
            first.set(bytes.len());
        }
        let counts = counts.clone();
        socket.set_handler(reacting("new", &log_of_new, move |_, event| {
            if let Event::Data(bytes) = event {
                counts.set(counts.get() + bytes.len());
            }
        }));
    });
    let options = ListenOptions::from("127.0.0.1:0").pause_on_connect(true);
    let (id, mut peer) = accepted_by(&mut reactor, options, old);
    let sent = write_until_full(&mut peer, &pattern(300_000));
    reactor.net().socket(id).unwrap().resume();
    turn_until(&mut reactor, |_| got.get() > 0);
    assert!(rest.get() > 0, "one read took all of it");
    turn_until(&mut reactor, |_| got.get() + rest.get() == sent);
    assert_eq!(log.of("old"), [format!("data {}", got.get())]);
}

#[test]
fn of_two_new_handlers_in_one_event_the_last_one_stays() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let successors = log.clone();
    let old = reacting("old", &log, move |socket, _| {
        socket.set_handler(recorder("second", &successors));
        socket.set_handler(recorder("third", &successors));
    });
    let (_, mut peer) = accepted(&mut reactor, old);
    peer.write_all(b"hello").unwrap();
    drop(peer);
    turn_until_line(&mut reactor, &log, "third close false");
    assert_eq!(
        log.lines(),
        [
            "old data 5",
            "third end",
            "third finish",
            "third close false"
        ]
    );
}

#[test]
fn a_handler_is_replaced_at_once_from_outside_of_it() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let dropped = LogsDrop("old dropped", log.clone());
    let old = reacting("old", &log, move |_, _| {
        let _ = &dropped;
    });
    let (id, mut peer) = accepted(&mut reactor, old);
    let successor = log.clone();
    // From a closure that no socket is served for, while bytes are on their way.
    reactor.net().set_immediate(move |net| {
        let mut socket = net.socket(id).unwrap();
        socket.set_handler(recorder("new", &successor));
    });
    turn_until_line(&mut reactor, &log, "old dropped");
    peer.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "new data 5");
    assert_eq!(log.lines(), ["old dropped", "new data 5"]);
}

#[test]
fn a_neighbour_may_replace_the_handler_of_a_socket_that_is_ready() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (second, mut second_peer) = accepted(&mut reactor, recorder("old", &log));
    let successor = log.clone();
    let first = reacting("first", &log, move |socket, _| {
        let mut second = socket.net().socket(second).unwrap();
        second.set_handler(recorder("new", &successor));
        second.unread(b"given"); // and it is the new one that hears of this
    });
    let (_, mut first_peer) = accepted(&mut reactor, first);
    first_peer.write_all(b"hello").unwrap();
    turn_until_line(&mut reactor, &log, "first data 5");
    second_peer.write_all(b"again!").unwrap();
    turn_until_line(&mut reactor, &log, "new data 6");
    assert_eq!(log.lines(), ["first data 5", "new data 5", "new data 6"]);
}

#[test]
fn events_that_follow_each_other_in_one_phase_go_to_the_new_handler() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let successor = log.clone();
    let old = reacting("old", &log, move |socket, event| {
        if let Event::Connect = event {
            socket.set_handler(reacting("new", &successor, |socket, event| {
                if let Event::Ready = event {
                    socket.destroy_with(Error::other("enough"));
                }
            }));
        }
    });
    let (_, _peer) = dialled(&mut reactor, |options| options, old, |_| ());
    turn_until_line(&mut reactor, &log, "new close true");
    assert_eq!(log.of("old")[1..], ["connect"]);
    assert_eq!(log.of("new"), ["ready", "error ERR_OTHER", "close true"]);
}

#[test]
fn a_handler_set_in_error_is_told_close() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let successor = log.clone();
    let old = reacting("old", &log, move |socket, event| {
        if let Event::Error(_) = event {
            socket.set_handler(recorder("new", &successor));
        }
    });
    let (id, _peer) = accepted(&mut reactor, old);
    let mut socket = reactor.net().socket(id).unwrap();
    socket.destroy_with(Error::other("enough"));
    turn_until_line(&mut reactor, &log, "new close true");
    assert_eq!(log.lines(), ["old error ERR_OTHER", "new close true"]);
}

/// A handler that logs the bytes themselves, as text, and then does what `react` says.
fn texts<F>(who: &str, log: &Log, mut react: F) -> impl Handler + use<F>
where
    F: FnMut(&mut Socket<'_>, &[u8]) + 'static,
{
    let (who, texts) = (who.to_owned(), log.clone());
    handler_fn(move |socket, event| {
        if let Event::Data(bytes) = event {
            texts.push(format!("{who} {}", String::from_utf8_lossy(bytes)));
            react(socket, bytes);
        }
    })
}

struct LogsDrop(&'static str, Log);

impl Drop for LogsDrop {
    fn drop(&mut self) {
        self.1.push(self.0);
    }
}

#[test]
fn a_handler_set_while_the_connection_is_told_is_newer_than_the_answer() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let lines = log.clone();
    let address = listen(&mut reactor, move |socket| {
        socket.set_handler(recorder("set", &lines));
        recorder("answer", &lines)
    });
    drop(plain_peer(address));
    turn_until_line(&mut reactor, &log, "set close false");
    assert!(log.of("answer").is_empty(), "{log:?}");
}

/// A boxed handler and one of a function have only `on_event`; an adaptor may call the others.
#[test]
fn an_event_that_is_handed_on_reaches_boxed_handlers_and_functions() {
    struct Adaptor<H>(H);
    impl<H: Handler> Handler for Adaptor<H> {
        fn on_event(&mut self, socket: &mut Socket<'_>, event: Event<'_>) {
            event.hand_on(&mut self.0, socket);
        }
        fn on_data(&mut self, _: &mut Socket<'_>, _: &[u8]) {}
    }
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let boxed = reacting("boxed", &log, |socket, event| {
        if let Event::Ready = event {
            socket.end();
        }
    });
    let boxed: Box<dyn Handler> = Box::new(boxed);
    let function = recorder("function", &log);
    connected(&mut reactor, Adaptor(boxed), Adaptor(function));
    turn_until_line(&mut reactor, &log, "function close false");
    log.assert_order(&["boxed connect", "boxed ready", "boxed finish"]);
    assert_eq!(log.of("function"), ["end", "finish", "close false"]);
}
