//! Group L, what comes from the process: signals that interrupt, children that inherit, nothing to do.
//!
//! L2 and L4 to L6 stand in `tests/remote.rs`, L3 in `tests/loom`, L7 on the scripted kernel.

use crate::apart::*;
use crate::support::*;
use netloop::{ConnectOptions, Handler, ListenOptions, Socket, handler_fn};
use std::cell::Cell;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

fn deaf(_: &mut Socket<'_>) -> impl Handler + use<> {
    handler_fn(|_, _| ())
}

/// Timers and round trips, all of which come as if nobody interrupted.
fn keep_time_and_company() {
    let (mut reactor, log) = fresh();
    let (us, mut peer) = accepted(&mut reactor, recorder("us", &log));
    let fired = Rc::new(Cell::new(0));
    for millis in 1..=100 {
        let (delay, fired) = (Duration::from_millis(millis), fired.clone());
        let due = Instant::now() + delay;
        reactor.net().set_timeout(delay, move |_| {
            assert!(Instant::now() >= due, "{millis} ms were over early");
            fired.set(fired.get() + 1);
        });
    }
    for round in 1..=100 {
        peer.write_all(b"x").unwrap();
        turn_until_lines(&mut reactor, &log, "us data 1", round);
    }
    turn_until(&mut reactor, |_| fired.get() == 100);
    at(&mut reactor, us).destroy();
    turn_until(&mut reactor, |net| net.socket(us).is_none());
}

/// A process that is stopped and continued finds its `epoll_wait` interrupted (signal(7)), which
/// takes no handler. The errno by itself stands in `src/sys/mod.rs`.
#[test]
fn l1_a_storm_of_interruptions_ends_no_turn_and_makes_no_timer_early() {
    const STORM: &str = "while kill -STOP $0 && kill -CONT $0; do :; done";
    let name = "l_process::l1_a_storm_of_interruptions_ends_no_turn_and_makes_no_timer_early";
    match role() {
        Some(role) if role == name => return keep_time_and_company(),
        Some(_) => return,
        None => {}
    }
    let child = command(name, name, "exec").stdout(Stdio::null()).spawn();
    let mut child = Kept(child.unwrap());
    let storm = Command::new("sh")
        .args(["-c", STORM, &child.0.id().to_string()])
        .stderr(Stdio::null())
        .spawn();
    let storm = Kept(storm.unwrap());
    let status = child.0.wait().unwrap();
    drop(storm);
    assert!(status.success(), "{status}");
}

/// What a child of this process has open, its directory aside.
fn inherited() -> String {
    let mut list = Command::new("sh");
    list.args(["-c", "for fd in /proc/$$/fd/*; do readlink $fd; done"]);
    let output = list.stderr(Stdio::null()).output().unwrap();
    let open = String::from_utf8(output.stdout).unwrap();
    let ours = open.lines().filter(|line| !line.starts_with("pipe:")); // its stdout, another each time
    ours.collect::<Vec<_>>().join("\n")
}

#[test]
fn l10_a_child_inherits_no_descriptor() {
    let name = "l_process::l10_a_child_inherits_no_descriptor";
    apart(name, "exec", || {
        let (before, count) = (inherited(), open_descriptors());
        let directory = Directory::new();
        let (mut reactor, log) = fresh();
        let (_us, _peer) = accepted(&mut reactor, recorder("accepted", &log));
        let server = listen(&mut reactor, deaf);
        let client = recorder("client", &log);
        reactor.net().connect(server, client).unwrap();
        turn_until_line(&mut reactor, &log, "client ready");
        let local = ListenOptions::path(directory.path("a.sock"));
        reactor.net().listen(local, deaf).unwrap();
        let client = recorder("local", &log);
        let path = directory.path("a.sock");
        reactor.net().connect(path, client).unwrap();
        turn_until_line(&mut reactor, &log, "local ready");
        // Of the three kinds that are under way: an only attempt, one beside others, one bound.
        let (_silent, silent) = unanswering();
        let from = |to: ConnectOptions| to.local_address([127, 0, 0, 1]);
        let named = ConnectOptions::from(("host.example", silent.port()))
            .resolver(answering(&[silent.ip(), [127, 0, 0, 2].into()]));
        for options in [silent.into(), from(silent.into()), named] {
            reactor
                .net()
                .connect(options, recorder("waiting", &log))
                .unwrap();
        }
        let attempt = format!("waiting attempt {silent}");
        turn_until_lines(&mut reactor, &log, &attempt, 3);
        let (ours, _theirs) = UnixStream::pair().unwrap();
        reactor
            .net()
            .adopt(ours, recorder("adopted", &log))
            .unwrap();
        let _remote = reactor.net().remote().unwrap();
        turn_until_quiet(&mut reactor);
        assert!(open_descriptors() > count + 12);
        assert_eq!(inherited(), before);
    });
}

#[test]
fn l11_run_returns_when_nothing_is_alive_and_when_all_that_is_was_unrefd() {
    let (mut reactor, log) = fresh();
    reactor.run().unwrap();
    let net = reactor.net();
    net.listen("127.0.0.1:0", deaf).unwrap().unref();
    let (_silent, silent) = unanswering();
    net.connect(silent, recorder("us", &log)).unwrap().unref();
    let timer = net.set_timeout(PATIENCE, |_| panic!("was waited for"));
    net.unref_timer(timer);
    let _remote = net.remote().unwrap();
    reactor.run().unwrap();
    reactor.run().unwrap();
    assert!(!log.has("us close false"), "{log:?}");
}
