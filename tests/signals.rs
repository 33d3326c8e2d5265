//! `Net::on_signal` with real signals (feature `signal`), and the graceful end of a server (FAULTS L9).
//!
//! A signal is the process's, so each test has a process of its own.

#[path = "faults/apart.rs"]
#[allow(dead_code)]
mod apart;
mod support;

use apart::*;
use netloop::{Event, Net, Reactor, handler_fn, signal};
use signal_hook::low_level::raise;
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Stdio;
use std::rc::Rc;
use std::thread;
use std::time::Duration;
use support::*;

/// A listener that logs its name.
fn logs(log: &Log, line: &str) -> impl FnMut(&mut Net) + use<> {
    let (log, line) = (log.clone(), line.to_owned());
    move |_| log.push(&*line)
}

fn turn(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_signal_is_told_in_the_loop_once_however_often_it_came() {
    let name = "a_signal_is_told_in_the_loop_once_however_often_it_came";
    apart(name, "exec", || {
        let (mut reactor, log) = fresh();
        let net = reactor.net();
        net.on_signal(signal::SIGUSR1, logs(&log, "first")).unwrap();
        net.on_signal(signal::SIGUSR1, logs(&log, "second"))
            .unwrap();
        net.on_signal(signal::SIGUSR2, logs(&log, "other")).unwrap();
        (0..1000).for_each(|_| raise(signal::SIGUSR1).unwrap());
        assert!(log.lines().is_empty());
        turn(&mut reactor);
        assert_eq!(log.lines(), ["first", "second"]);
        turn(&mut reactor);
        assert_eq!(log.lines().len(), 2);
        raise(signal::SIGUSR2).unwrap();
        raise(signal::SIGUSR1).unwrap();
        turn(&mut reactor);
        assert_eq!(log.lines().len(), 5);
        assert_eq!(reactor.net().stats().stale_events, 0);
    });
}

#[test]
fn a_loop_that_sleeps_is_woken_and_every_loop_is_told() {
    let name = "a_loop_that_sleeps_is_woken_and_every_loop_is_told";
    apart(name, "exec", || {
        let loops: Vec<_> = (0..3)
            .map(|_| {
                let (listens, listening) = std::sync::mpsc::channel();
                let told = thread::spawn(move || {
                    let mut reactor = Reactor::new().unwrap();
                    let net = reactor.net();
                    net.set_timeout(PATIENCE, |_| panic!("slept through it"));
                    net.on_signal(signal::SIGHUP, Net::stop).unwrap();
                    listens.send(()).unwrap();
                    reactor.run().unwrap();
                });
                listening.recv().unwrap();
                told
            })
            .collect();
        raise(signal::SIGHUP).unwrap();
        loops.into_iter().for_each(|it| it.join().unwrap());
    });
}

#[test]
fn listening_keeps_no_loop_going_and_costs_nothing_while_nothing_comes() {
    let name = "listening_keeps_no_loop_going_and_costs_nothing_while_nothing_comes";
    apart(name, "exec", || {
        let before = open_descriptors();
        let (mut reactor, log) = fresh();
        let listener = logs(&log, "told");
        reactor.net().on_signal(signal::SIGTERM, listener).unwrap();
        assert!(!reactor.is_alive());
        assert_eq!(reactor.next_timeout(), None);
        reactor.run().unwrap();
        assert_eq!(reactor.net().stats().turns, 0);
        drop(reactor);
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn one_that_is_taken_back_is_not_called_any_more_not_even_in_the_same_turn() {
    let name = "one_that_is_taken_back_is_not_called_any_more_not_even_in_the_same_turn";
    apart(name, "exec", || {
        let (mut reactor, log) = fresh();
        let (next, own) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(None)));
        let (second, itself, told) = (next.clone(), own.clone(), log.clone());
        let first = move |net: &mut Net| {
            told.push("first");
            net.off_signal(second.get().unwrap());
            net.off_signal(itself.get().unwrap());
            let late = logs(&told, "late");
            net.on_signal(signal::SIGUSR1, late).unwrap();
        };
        let net = reactor.net();
        own.set(Some(net.on_signal(signal::SIGUSR1, first).unwrap()));
        let second = logs(&log, "second");
        next.set(Some(net.on_signal(signal::SIGUSR1, second).unwrap()));
        raise(signal::SIGUSR1).unwrap();
        turn(&mut reactor);
        assert_eq!(log.lines(), ["first"]);
        raise(signal::SIGUSR1).unwrap();
        turn(&mut reactor);
        assert_eq!(log.lines(), ["first", "late"]);
        reactor.net().off_signal(own.get().unwrap()); // already
        let mut other = Reactor::new().unwrap();
        other.net().off_signal(next.get().unwrap()); // nobody of its own
    });
}

#[test]
fn what_nobody_can_listen_to_is_an_error_in_nodes_words() {
    let mut reactor = Reactor::new().unwrap();
    let forbidden = [
        libc_number("SIGKILL"),
        libc_number("SIGSTOP"),
        libc_number("SIGSEGV"),
        libc_number("SIGILL"),
        libc_number("SIGFPE"),
    ];
    for number in [-1, 0, 64, 65, 12345, i32::MIN, i32::MAX]
        .into_iter()
        .chain(forbidden)
    {
        let error = reactor.net().on_signal(number, |_| ()).unwrap_err();
        assert_eq!(error.to_string(), "uv_signal_start EINVAL", "{number}");
        assert_eq!(error.code(), "EINVAL");
    }
}

fn libc_number(name: &str) -> i32 {
    let all = 1..32;
    let is = |&number: &i32| signal_hook::low_level::signal_name(number) == Some(name);
    all.into_iter().find(is).unwrap()
}

#[test]
fn a_panic_in_one_listener_loses_no_other_call() {
    let name = "a_panic_in_one_listener_loses_no_other_call";
    apart(name, "exec", || {
        let (mut reactor, log) = fresh();
        let told = log.clone();
        let bad = move |_: &mut Net| {
            told.push("bad");
            panic!("on purpose");
        };
        reactor.net().on_signal(signal::SIGUSR1, bad).unwrap();
        let good = logs(&log, "good");
        reactor.net().on_signal(signal::SIGUSR1, good).unwrap();
        for round in 1..=2 {
            raise(signal::SIGUSR1).unwrap();
            assert!(catch_unwind(AssertUnwindSafe(|| turn(&mut reactor))).is_err());
            assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
            reactor.run().unwrap();
            assert_eq!((log.count("bad"), log.count("good")), (round, round));
        }
    });
}

/// Dies of SIGTERM, or not, after what was done to `reactor`.
fn dies_of_sigterm(name: &str, deed: impl FnOnce(Reactor) -> Option<Reactor>) {
    if role().as_deref() == Some(name) {
        let mut reactor = Reactor::new().unwrap();
        reactor.net().on_signal(signal::SIGTERM, |_| ()).unwrap();
        raise(signal::SIGTERM).unwrap(); // survived
        let _kept = deed(reactor);
        println!("survived so far");
        raise(signal::SIGTERM).unwrap();
        std::process::exit(7);
    }
    let output = command(name, name, "exec").output().unwrap();
    assert_eq!(output.status.signal(), Some(signal::SIGTERM), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("survived so far"), "died too early");
}

#[test]
fn once_nobody_listens_the_default_is_back() {
    dies_of_sigterm("once_nobody_listens_the_default_is_back", |mut reactor| {
        let second = reactor.net().on_signal(signal::SIGTERM, |_| ()).unwrap();
        reactor.net().off_signal(second);
        raise(signal::SIGTERM).unwrap(); // the first one still listens
        let mut again = Reactor::new().unwrap();
        let id = again.net().on_signal(signal::SIGTERM, |_| ()).unwrap();
        drop(reactor); // the other loop still listens
        raise(signal::SIGTERM).unwrap();
        again.net().off_signal(id);
        Some(again)
    });
}

#[test]
fn l10_a_child_inherits_no_descriptor() {
    let name = "l10_a_child_inherits_no_descriptor";
    apart(name, "exec", || {
        let (mut reactor, log) = fresh();
        connected(&mut reactor, recorder("a", &log), recorder("b", &log));
        listen(&mut reactor, |_| handler_fn(|_, _| ()));
        let _remote = reactor.net().remote().unwrap();
        reactor.net().on_signal(signal::SIGUSR1, |_| ()).unwrap();
        let ours = |listing: &str| {
            listing.matches("socket:").count() + listing.matches("anon_inode").count()
        };
        let list = |path: &str| {
            let output = std::process::Command::new("ls").args(["-l", path]).output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        assert!(ours(&list(&format!("/proc/{}/fd", std::process::id()))) > 5);
        assert_eq!(ours(&list("/proc/self/fd")), 0, "of ls itself");
    });
}

/// Sends 16 MiB to whoever asks; ends in good order at the first SIGTERM, at once at the second.
fn serve() {
    let mut reactor = Reactor::new().unwrap();
    let address = listen(&mut reactor, |_| {
        handler_fn(|socket, event| {
            if let Event::Data(_) = event {
                socket.write(&pattern(BIG));
            }
        })
    });
    let mut deadline = Duration::from_secs(60);
    let on_term = move |net: &mut Net| {
        net.shutdown(std::mem::take(&mut deadline), |_, report| {
            for late in &report.stragglers {
                println!("cut off: {} {}", late.peer.as_ref().unwrap(), late.unsent);
            }
            println!("ended: {}", report.ended);
        });
    };
    reactor.net().on_signal(signal::SIGTERM, on_term).unwrap();
    println!("listening on {address}");
    reactor.run().unwrap();
}

#[test]
fn l9_a_server_that_is_asked_to_end_finishes_what_it_has_begun_and_names_whom_it_cuts() {
    let name = "l9_a_server_that_is_asked_to_end_finishes_what_it_has_begun_and_names_whom_it_cuts";
    if role().as_deref() == Some("server") {
        return serve();
    }
    let child = command(name, "server", "exec")
        .stdout(Stdio::piped())
        .spawn();
    let mut server = Kept(child.unwrap());
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let mut line_with = move |start: &str| {
        let mut rests = lines.by_ref().map_while(Result::ok).filter_map(|line| {
            let (_, rest) = line.split_once(start)?;
            Some(rest.to_owned())
        });
        rests.next().unwrap_or_else(|| panic!("no {start:?}"))
    };
    let address = line_with("listening on ").parse().unwrap();
    let [mut reads, mut never] = [plain_peer(address), plain_peer(address)];
    let mut got = Vec::new();
    for peer in [&mut reads, &mut never] {
        peer.write_all(b"all of it, please").unwrap();
        let mut first = [0; 1000];
        peer.read_exact(&mut first).unwrap();
        got = first.to_vec();
    }
    server.signal("TERM");
    reads.read_to_end(&mut got).unwrap();
    assert!(got == pattern(BIG), "every byte, in order");
    drop(reads);
    server.signal("TERM");
    let cut = line_with("cut off: ");
    let (peer, unsent) = cut.split_once(' ').unwrap();
    assert_eq!(peer, never.local_addr().unwrap().to_string());
    assert!(unsent.parse::<usize>().unwrap() > 0);
    assert_eq!(line_with("ended: "), "1");
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

/// Kept by what is not called.
#[test]
fn a_dropped_loop_drops_its_listeners_and_calls_nobody() {
    let name = "a_dropped_loop_drops_its_listeners_and_calls_nobody";
    apart(name, "exec", || {
        let mut reactor = Reactor::new().unwrap();
        let told = Rc::new(RefCell::new(0));
        let kept = told.clone();
        let listener = move |_: &mut Net| *kept.borrow_mut() += 1;
        reactor.net().on_signal(signal::SIGUSR1, listener).unwrap();
        raise(signal::SIGUSR1).unwrap();
        drop(reactor);
        assert_eq!((Rc::strong_count(&told), *told.borrow()), (1, 0));
    });
}
