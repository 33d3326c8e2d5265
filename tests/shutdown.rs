//! `Net::shutdown`: an orderly end within a deadline (FAULTS L9, L11, I1).

mod support;

use netloop::{Event, Handler, Net, PipeOptions, Reactor, ShutdownReport, SocketId, handler_fn};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use support::*;

/// A deadline that no test reaches.
const LATE: Duration = Duration::from_secs(60);
/// One that is soon over.
const SOON: Duration = Duration::from_millis(30);

/// Where a shutdown leaves its report.
type Report = Rc<RefCell<Option<ShutdownReport>>>;

fn shut_down(net: &mut Net, deadline: Duration) -> Report {
    let report = Report::default();
    let left = report.clone();
    net.shutdown(deadline, move |_, report| {
        let before = left.replace(Some(report.clone()));
        assert!(before.is_none(), "told twice");
    });
    report
}

/// Shuts down, runs the loop to its end, and answers with the report.
#[track_caller]
fn run_down(reactor: &mut Reactor, deadline: Duration) -> ShutdownReport {
    let report = shut_down(reactor.net(), deadline);
    run_to_its_end(reactor);
    let stats = reactor.net().stats();
    assert_eq!((stats.sockets, stats.servers), (0, 0));
    report.take().expect("a report")
}

/// Reads everything on a thread, and closes.
fn reading(mut peer: TcpStream) -> JoinHandle<usize> {
    thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        assert!(got == pattern(got.len()), "in order and whole");
        got.len()
    })
}

/// Sends back what it gets, and reads no faster than it is read from.
fn echo() -> impl Handler {
    handler_fn(|socket, event| match event {
        Event::Data(bytes) if !socket.write(bytes) => socket.pause(),
        Event::Drain => socket.resume(),
        _ => {}
    })
}

#[test]
fn servers_close_at_once_and_idle_sockets_end_and_are_told_everything() {
    let (mut reactor, log) = fresh();
    let (client, server) = connected(
        &mut reactor,
        recorder("client", &log),
        recorder("server", &log),
    );
    let other = reactor
        .net()
        .listen("127.0.0.1:0", |_| handler_fn(|_, _| ()))
        .unwrap()
        .id();
    turn_until_quiet(&mut reactor);
    log.clear();
    let report = shut_down(reactor.net(), LATE);
    assert!(!reactor.net().server(other).unwrap().listening());
    assert!(log.lines().is_empty() && report.borrow().is_none());
    run_to_its_end(&mut reactor);
    for who in ["client", "server"] {
        let mut lines = log.of(who);
        assert_eq!(lines.pop().unwrap(), "close false");
        lines.sort_unstable();
        assert_eq!(lines, ["end", "finish"]);
    }
    assert!(reactor.net().socket(client).is_none() && reactor.net().socket(server).is_none());
    let report = report.take().unwrap();
    assert_eq!((report.ended, report.cut), (2, 0));
    assert!(report.stragglers.is_empty());
}

#[test]
fn an_empty_loop_is_through_in_the_next_turn_and_never_inside_the_call() {
    let mut reactor = Reactor::new().unwrap();
    let report = shut_down(reactor.net(), LATE);
    assert!(report.borrow().is_none());
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
    reactor.run().unwrap();
    let report = report.take().unwrap();
    assert_eq!((report.ended, report.cut), (0, 0));
    assert_eq!(reactor.net().stats().turns, 1);
}

#[test]
fn l9_a_transfer_under_way_is_finished_first() {
    const MORE: usize = 1 << 20;
    let mut reactor = Reactor::new().unwrap();
    let all = Rc::new(pattern(BIG + 4 * MORE));
    let (bytes, mut sent) = (all.clone(), BIG);
    let handler = handler_fn(move |socket, event| {
        while matches!(event, Event::Drain) && sent < bytes.len() {
            let more = socket.write(&bytes[sent..sent + MORE]);
            sent += MORE;
            if !more {
                break;
            }
        }
    });
    let (us, peer) = accepted(&mut reactor, handler);
    assert!(!at(&mut reactor, us).write(&all[..BIG]));
    let report = shut_down(reactor.net(), LATE);
    turn_until_quiet(&mut reactor);
    assert!(at(&mut reactor, us).writable(), "not ended while it sends");
    let peer = reading(peer);
    run_to_its_end(&mut reactor);
    assert_eq!(peer.join().unwrap(), all.len());
    assert_eq!(report.take().unwrap().ended, 1);
}

#[test]
fn what_a_peer_had_sent_by_then_is_read_and_answered() {
    const SENT: usize = 32 * 1024; // is with our kernel when the call returns
    let mut reactor = Reactor::new().unwrap();
    let (_, mut peer) = accepted(&mut reactor, echo());
    turn_until_quiet(&mut reactor);
    let reader = Rc::new(Cell::new(None));
    let left = reader.clone();
    // Behind the poll of its turn, which has not seen it.
    reactor.net().set_immediate(move |net| {
        peer.write_all(&pattern(SENT)).unwrap();
        shut_down(net, LATE);
        left.set(Some(reading(peer)));
    });
    run_to_its_end(&mut reactor);
    assert_eq!(reader.take().unwrap().join().unwrap(), SENT);
}

#[test]
fn what_waits_for_a_socket_that_its_queue_has_paused_is_read_and_answered() {
    const SENT: usize = 32 * 1024;
    let mut reactor = Reactor::new().unwrap();
    let (us, mut peer) = accepted(&mut reactor, echo());
    let all = pattern(BIG + SENT);
    assert!(!at(&mut reactor, us).write(&all[..BIG]));
    at(&mut reactor, us).pause(); // as the echo does
    peer.write_all(&all[BIG..]).unwrap();
    turn_until_quiet(&mut reactor); // the kernel is asked for less from now on
    let report = shut_down(reactor.net(), LATE);
    let peer = reading(peer);
    run_to_its_end(&mut reactor);
    assert_eq!(peer.join().unwrap(), all.len());
    assert_eq!(report.take().unwrap().ended, 1);
}

#[test]
fn l9_who_is_left_at_the_deadline_is_cut_and_named_and_nobody_before() {
    let (mut reactor, log) = fresh();
    let (stuck, peer) = full(&mut reactor, &log);
    let (_, polite) = accepted(&mut reactor, recorder("polite", &log));
    drop(polite);
    let began = Instant::now();
    let report = run_down(&mut reactor, SOON);
    assert!(began.elapsed() >= SOON);
    assert_eq!((report.ended, report.cut), (1, 1));
    let [late] = &report.stragglers[..] else {
        panic!("{report:?}");
    };
    assert_eq!(late.id, stuck);
    assert_eq!(
        late.peer.as_ref().and_then(|peer| peer.as_inet()),
        Some(peer.local_addr().unwrap())
    );
    let (got, _) = how_it_closed(peer);
    assert_eq!(late.unsent, BIG - got);
    assert_eq!(log.of("us"), ["close false"]);
}

#[test]
fn a_peer_that_never_closes_and_sockets_paused_or_corked_are_cut_at_the_deadline() {
    let (mut reactor, log) = fresh();
    let silent = accepted(&mut reactor, recorder("silent", &log));
    let paused = accepted(&mut reactor, recorder("paused", &log));
    at(&mut reactor, paused.0).pause();
    let corked = accepted(&mut reactor, recorder("corked", &log));
    at(&mut reactor, corked.0).cork();
    at(&mut reactor, corked.0).write(b"held back");
    drop(paused.1); // and yet it does not hear of it
    let report = run_down(&mut reactor, SOON);
    assert_eq!((report.ended, report.cut), (0, 3));
    let named = |id: SocketId| report.stragglers.iter().find(|late| late.id == id);
    assert_eq!(named(silent.0).unwrap().unsent, 0);
    assert!(named(paused.0).is_some());
    assert_eq!(log.of("silent"), ["finish", "close false"]);
    // What was held back is sent at the end, as destroy does.
    assert_eq!(log.of("corked"), ["close false"]);
}

#[test]
fn an_answer_from_another_thread_is_waited_for() {
    let mut reactor = Reactor::new().unwrap();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = Rc::new(Cell::new(Some(gone)));
    let handler = handler_fn(move |socket, event| {
        if let Event::Data(_) = event {
            let (id, gone) = (socket.id(), gone.take().unwrap());
            let work = move || gone.recv().unwrap();
            socket.net().offload(work, move |net, _| {
                net.socket(id).unwrap().write(b"answer");
            });
        }
    });
    let (us, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"question").unwrap();
    turn_until(&mut reactor, |net| net.stats().offloads == 1);
    let report = shut_down(reactor.net(), LATE);
    turn_until_quiet(&mut reactor);
    assert!(at(&mut reactor, us).writable(), "its work is under way");
    go.send(()).unwrap();
    let peer = thread::spawn(move || how_it_closed(peer));
    run_to_its_end(&mut reactor);
    assert_eq!(peer.join().unwrap(), ("answer".len(), None));
    assert_eq!(report.take().unwrap().ended, 1);
}

#[test]
fn work_that_is_begun_meanwhile_is_waited_for_too() {
    let mut reactor = Reactor::new().unwrap();
    let handler = handler_fn(move |socket, event| {
        if let Event::Data(_) = event {
            let id = socket.id();
            for letter in [b"a", b"b"] {
                socket.net().offload(
                    move || letter,
                    move |net, letter| {
                        net.socket(id).unwrap().write(letter.unwrap());
                    },
                );
            }
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"question").unwrap(); // not read yet
    let report = shut_down(reactor.net(), LATE);
    let peer = thread::spawn(move || how_it_closed(peer));
    run_to_its_end(&mut reactor);
    assert_eq!(peer.join().unwrap(), (2, None));
    assert_eq!(report.take().unwrap().ended, 1);
}

#[test]
fn what_is_piped_into_ends_with_its_source() {
    let (mut reactor, log) = fresh();
    let (echo, mut peer) = accepted(&mut reactor, recorder("echo", &log));
    let (source, _source_peer) = accepted(&mut reactor, recorder("source", &log));
    let (sink, sink_peer) = accepted(&mut reactor, recorder("sink", &log));
    let net = reactor.net();
    net.pipe(echo, echo, PipeOptions::default()).unwrap();
    net.pipe(source, sink, PipeOptions::default()).unwrap();
    let report = shut_down(net, LATE);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.lines(), ["source finish"]);
    peer.write_all(b"once more").unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "echo close false");
    assert_eq!(how_it_closed(peer), ("once more".len(), None));
    // A sink whose source is gone has nobody to wait for.
    at(&mut reactor, source).destroy();
    turn_until_line(&mut reactor, &log, "sink finish");
    drop(sink_peer);
    run_to_its_end(&mut reactor);
    assert_eq!(report.take().unwrap().ended, 3);
}

#[test]
fn both_sides_of_a_proxy_are_named_with_what_they_had_to_send() {
    let (mut reactor, log) = fresh();
    let (stuck, _stuck_peer) = full(&mut reactor, &log);
    let (other, _other_peer) = full(&mut reactor, &log);
    reactor.net().pipe_both(stuck, other).unwrap();
    let report = run_down(&mut reactor, SOON);
    assert_eq!(report.cut, 2);
    assert!(report.stragglers.iter().all(|late| late.unsent > 0));
}

#[test]
fn work_that_brings_no_answer_holds_its_socket_up_no_longer() {
    let mut reactor = Reactor::new().unwrap();
    let handler = handler_fn(move |socket, event| {
        if let Event::Data(_) = event {
            socket.net().offload(|| (), |_, _| ());
        }
    });
    let (_, mut peer) = accepted(&mut reactor, handler);
    peer.write_all(b"note this").unwrap();
    let report = shut_down(reactor.net(), LATE);
    let peer = thread::spawn(move || how_it_closed(peer));
    run_to_its_end(&mut reactor);
    assert_eq!(peer.join().unwrap(), (0, None));
    assert_eq!(report.take().unwrap().ended, 1);
}

#[test]
fn one_that_is_connecting_connects_first_or_is_cut() {
    let (mut reactor, log) = fresh();
    let (_kept, nowhere) = unanswering();
    let hanging = recorder("hanging", &log);
    let hanging = reactor.net().connect(nowhere, hanging).unwrap().id();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let us = reacting("us", &log, |socket, event| {
        if let Event::Connect = event {
            assert!(socket.write(b"hello"), "it may still write");
        }
    });
    let address = listener.local_addr().unwrap();
    reactor.net().connect(address, us).unwrap();
    let peer = thread::spawn(move || how_it_closed(listener.accept().unwrap().0));
    let report = shut_down(reactor.net(), Duration::from_millis(200));
    turn_until_line(&mut reactor, &log, "us close false");
    assert!(at(&mut reactor, hanging).writable());
    run_to_its_end(&mut reactor);
    let report = report.take().unwrap();
    assert_eq!(peer.join().unwrap(), (5, None));
    assert_eq!(
        log.of("us")[1..],
        ["connect", "ready", "finish", "end", "close false"]
    );
    assert_eq!((report.ended, report.cut), (1, 1));
    assert_eq!(report.stragglers[0].id, hanging);
    assert!(report.stragglers[0].peer.is_none());
}

#[test]
fn nothing_new_begins_until_it_is_over() {
    let mut reactor = Reactor::new().unwrap();
    let (_, peer) = accepted(&mut reactor, handler_fn(|_, _| ()));
    let report = shut_down(reactor.net(), LATE);
    let quiet = || handler_fn(|_, _| ());
    let net = reactor.net();
    let listen = net.listen("127.0.0.1:0", move |_| quiet()).unwrap_err();
    let connect = net.connect("127.0.0.1:1", quiet()).unwrap_err();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let adopt = net.adopt(ours, quiet()).unwrap_err();
    let texts = [listen, connect, adopt].map(|error| error.to_string());
    assert_eq!(
        texts,
        [
            "listen ECANCELED: operation canceled",
            "connect ECANCELED",
            "open ECANCELED"
        ]
    );
    drop(peer);
    run_to_its_end(&mut reactor);
    assert_eq!(report.take().unwrap().ended, 1);
    // And then the loop is as new.
    let (_, peer) = accepted(&mut reactor, quiet());
    drop(peer);
    assert_eq!(run_down(&mut reactor, LATE).ended, 1);
}

#[test]
fn called_again_the_earlier_deadline_holds_and_both_are_told() {
    let (mut reactor, log) = fresh();
    let _stuck = full(&mut reactor, &log);
    let patient = shut_down(reactor.net(), LATE);
    turn_until_quiet(&mut reactor);
    let hasty = shut_down(reactor.net(), Duration::ZERO);
    let later = shut_down(reactor.net(), LATE);
    run_to_its_end(&mut reactor);
    for report in [patient, hasty, later] {
        assert_eq!(report.take().unwrap().cut, 1);
    }
    assert!(!reactor.is_alive(), "no deadline is left behind");
}

#[test]
fn timers_go_on_and_keep_the_loop_going_as_ever() {
    let (mut reactor, log) = fresh();
    let _open = accepted(&mut reactor, recorder("us", &log));
    let (told, mut left) = (log.clone(), 3);
    reactor
        .net()
        .set_interval(Duration::from_millis(1), move |net| {
            told.push("timer");
            left -= 1;
            if left == 0 {
                net.stop();
            }
        });
    let done = log.clone();
    reactor
        .net()
        .shutdown(Duration::ZERO, move |_, _| done.push("done"));
    reactor.run().unwrap();
    assert_eq!(log.count("timer"), 3);
    assert!(reactor.is_alive(), "the interval is still there");
    log.assert_order(&["us close false", "done"]);
}

#[test]
fn l11_paused_and_unrefd_sockets_do_not_let_run_return_before_it_is_over() {
    let (mut reactor, log) = fresh();
    let (us, _peer) = accepted(&mut reactor, recorder("us", &log));
    at(&mut reactor, us).pause();
    at(&mut reactor, us).unref();
    let report = run_down(&mut reactor, SOON);
    assert_eq!(report.cut, 1);
    assert_eq!(log.lines(), ["us finish", "us close false"]);
}

#[test]
fn a_client_that_connects_anew_at_each_close_cannot_hold_it_up() {
    fn again(net: &mut Net, log: &Log, to: std::net::SocketAddr) {
        let (log, handlers) = (log.clone(), log.clone());
        let client = reacting("client", &handlers, move |socket, event| {
            if let Event::Close { .. } = event {
                let outcome = socket.net().connect(to, handler_fn(|_, _| ()));
                log.push(outcome.unwrap_err().to_string());
            }
        });
        net.connect(to, client).unwrap();
    }
    let (mut reactor, log) = fresh();
    let to = listen(&mut reactor, |_| handler_fn(|_, _| ()));
    again(reactor.net(), &log, to);
    turn_until_line(&mut reactor, &log, "client ready");
    let report = run_down(&mut reactor, LATE);
    assert_eq!((report.ended, report.cut), (2, 0));
    assert_eq!(log.count("connect ECANCELED"), 1);
}
