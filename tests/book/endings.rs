//! The table of `endings`: what a handler is told when its peer goes, in each way and in each state.
//!
//! Every cell is played on the real kernel. The peer is a process of its own, which is told what to
//! do.

use crate::apart::in_own_network;
use crate::cable::{CABLE, OtherNetwork, THEM};
use crate::page::Table;
use crate::peer::Peer;
use crate::support::{BIG, Log, PATIENCE, turn_until, turn_until_quiet};
use netloop::{ConnectOptions, Event, Reactor, Socket, SocketId, handler_fn};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Where our socket stands when it happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Unanswered,
    Untold,
    Idle,
    Queued,
    Paused,
    PeerEnded,
    WeEnded,
}
use State::*;

const STATES: [State; 7] = [Unanswered, Untold, Idle, Queued, Paused, PeerEnded, WeEnded];

/// What happens to the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    Fin,
    Reset,
    Killed,
    /// The cable is pulled, and the socket has a timeout.
    Silence,
    /// The same, and it has none.
    GivenUp,
}
use Ending::*;

/// What one case is told, with the peer where `shell` puts it.
struct Case {
    state: State,
    ending: Ending,
    reactor: Reactor,
    log: Log,
    us: SocketId,
    peer: Peer,
}

/// Short, since nothing that could come first is on its way.
const SILENCE: Duration = Duration::from_millis(20);

impl Case {
    /// Brings a connection into its state.
    fn begin(state: State, ending: Ending, shell: &str, ip: &str) -> Case {
        let backlog = if state == Unanswered { 0 } else { 8 }; // with 0 there is room for one
        let mut peer = Peer::start(shell, ip, backlog);
        if state == Unanswered {
            peer.order("crowd");
        }
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let mut options = ConnectOptions::from(peer.address).allow_half_open(state == PeerEnded);
        options = match ending {
            Silence if state == Unanswered => options.connect_timeout(Duration::from_millis(200)),
            GivenUp => options.keep_alive(true),
            _ => options,
        };
        let socket = reactor.net().connect(options, recorder(&log)).unwrap();
        let us = socket.id();
        let mut case = Case {
            state,
            ending,
            reactor,
            log,
            us,
            peer,
        };
        case.reach();
        case.log.clear();
        case
    }

    fn reach(&mut self) {
        // Begins the attempt, and does not look for how it goes.
        while !self.log.has("connection_attempt") {
            self.reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        if self.state == Unanswered {
            return;
        }
        if self.state == Untold {
            assert!(!self.log.has("connect"));
            // The kernel of a program that is killed resets what the program has not accepted.
            if self.ending != Killed {
                self.peer.order("accept");
            }
            return;
        }
        self.wait_for("ready");
        self.peer.order("accept");
        match self.state {
            Unanswered | Untold | Idle => {}
            Queued => assert!(!self.socket().write(&vec![0; BIG])),
            Paused => {
                self.socket().pause();
                self.peer.order("send");
                turn_until_quiet(&mut self.reactor);
            }
            PeerEnded => {
                self.peer.order("end");
                self.wait_for("end");
            }
            WeEnded => {
                self.socket().end();
                self.wait_for("finish");
            }
        }
    }

    /// What the peer can do of itself.
    fn end_by_peer(&mut self) {
        match self.ending {
            Fin => drop(self.peer.order("end")),
            Reset if self.state == Unanswered => drop(self.peer.order("close")),
            Reset => drop(self.peer.order("reset")),
            Killed => self.peer.kill(),
            Silence | GivenUp => unreachable!("the peer does not pull its cable"),
        }
    }

    /// Why it cannot be, if it cannot.
    fn why_impossible(state: State, ending: Ending) -> Option<&'static str> {
        match (state, ending) {
            (Unanswered, Fin) => Some("there is no connection to end"),
            (PeerEnded, Fin) => Some("it has ended already"),
            _ => None,
        }
    }

    /// Turns until the socket is closed, or nothing more comes by itself; says what was told.
    fn outcome(mut self) -> String {
        match (self.state, self.ending) {
            // Its kernel refuses when ours asks again, a second later.
            (Unanswered, Reset | Killed | Silence | GivenUp) => self.wait_for("close"),
            (Queued, Fin) => {
                turn_until_quiet(&mut self.reactor);
                // The peer has ended, and reads on: in a thread, since we have to turn.
                let Case {
                    peer, reactor, log, ..
                } = &mut self;
                thread::scope(|scope| {
                    scope.spawn(|| peer.order("read"));
                    turn_until(reactor, |_| log.has("close"));
                });
            }
            (_, Silence) => {
                // Nothing tells that the cable is gone, so it is the silence that counts.
                turn_until_quiet(&mut self.reactor);
                self.socket().set_timeout(SILENCE);
                self.wait_for("timeout");
            }
            (Paused, GivenUp) => self.wait_for_kernel(), // which is all that comes
            (_, GivenUp) => self.wait_for("close"),
            (_, Fin | Reset | Killed) => turn_until_quiet(&mut self.reactor),
        }
        let mut told = told(&self.log);
        if self.log.has("close") || self.ending == Silence {
            return told;
        }
        // It does not know yet. What it does next finds out.
        self.log.clear();
        let deed = match self.state {
            Paused => {
                self.socket().resume();
                "after `resume`"
            }
            _ => {
                self.socket().write(b"anybody there?");
                "after a `write`"
            }
        };
        turn_until_quiet(&mut self.reactor);
        told += &format!("; {deed}: {}", self::told(&self.log));
        told
    }

    /// Until the kernel has said something, which is not told.
    fn wait_for_kernel(&mut self) {
        turn_until_quiet(&mut self.reactor);
        let before = self.reactor.net().stats().events;
        turn_until(&mut self.reactor, |net| net.stats().events > before);
        turn_until_quiet(&mut self.reactor);
    }

    fn socket(&mut self) -> Socket<'_> {
        self.reactor.net().socket(self.us).expect("an open socket")
    }

    #[track_caller]
    fn wait_for(&mut self, line: &str) {
        turn_until(&mut self.reactor, |_| self.log.has(line));
    }
}

/// A handler that does nothing but write down what it is told: the methods' names without `on_`.
fn recorder(log: &Log) -> impl netloop::Handler + use<> {
    let log = log.clone();
    handler_fn(move |_, event| {
        let line = match event {
            Event::ConnectionAttempt(_) => "connection_attempt".to_owned(),
            Event::ConnectionAttemptFailed { .. } => FAILED.to_owned(),
            Event::Data(_) => "data".to_owned(),
            Event::Error(error) => format!("error {}", error.code()),
            Event::Close { .. } => "close".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        };
        if line != "data" || log.lines().last() != Some(&line) {
            log.push(line);
        }
    })
}

/// `connection_attempt_failed`, which is too long for a cell, and told with the error that follows.
const FAILED: &str = "attempt failed";

fn told(log: &Log) -> String {
    let line = |line: &String| match line.as_str() {
        FAILED => line.clone(),
        name => format!("`{name}`"),
    };
    let lines: Vec<String> = log.lines().iter().map(line).collect();
    match lines.is_empty() {
        true => "nothing".to_owned(),
        false => lines.join(", "),
    }
}

fn label(state: State) -> &'static str {
    match state {
        Unanswered => "connecting, not answered yet",
        Untold => "connected, `connect` not told yet",
        Idle => "open, silent",
        Queued => "open, with bytes queued",
        Paused => "paused, with bytes to read",
        PeerEnded => "half-closed: the peer has ended",
        WeEnded => "half-closed: we have ended",
    }
}

fn head(ending: Ending) -> &'static str {
    match ending {
        Fin => "FIN",
        Reset => "RST",
        Killed => "SIGKILL",
        Silence => "cable, with a timeout",
        GivenUp => "cable, and the kernel gives up",
    }
}

/// Compares the columns of these endings with the page.
fn check(endings: &[Ending], play: impl Fn(State, Ending) -> String) {
    let names: Vec<&str> = ["our socket is"]
        .into_iter()
        .chain(endings.iter().map(|&ending| head(ending)))
        .collect();
    let row = |&state: &State| {
        let cells = endings.iter().map(|&ending| play(state, ending));
        [label(state).to_owned()].into_iter().chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = STATES.iter().map(row).collect();
    Table::of("endings.md").check(&names, &rows);
}

#[test]
fn what_is_told_of_a_fin_a_reset_and_a_killed_peer() {
    check(&[Fin, Reset, Killed], |state, ending| {
        if let Some(reason) = Case::why_impossible(state, ending) {
            return reason.to_owned();
        }
        let mut case = Case::begin(state, ending, "exec", "127.0.0.1");
        case.end_by_peer();
        case.outcome()
    });
}

#[test]
fn what_is_told_of_a_pulled_cable() {
    let name = "endings::what_is_told_of_a_pulled_cable";
    in_own_network(name, CABLE, || {
        let there = OtherNetwork::new();
        // All at once: the kernel takes its time to give up.
        let endings = [Silence, GivenUp];
        let cases = STATES.map(|state| endings.map(|ending| Apart::begin(state, ending, &there)));
        for case in cases.as_flattened() {
            case.begun
                .recv_timeout(PATIENCE)
                .expect("it is in its state");
        }
        there.pull_the_cable();
        for case in cases.as_flattened() {
            case.pulled.send(()).unwrap();
        }
        check(&endings, |state, ending| {
            let all = cases.as_flattened().iter();
            let case = all.clone().find(|it| it.of == (state, ending)).unwrap();
            case.outcome.recv_timeout(2 * PATIENCE).expect("an outcome")
        });
    });
}

/// A case in a thread of its own.
struct Apart {
    of: (State, Ending),
    begun: Receiver<()>,
    pulled: Sender<()>,
    outcome: Receiver<String>,
}

impl Apart {
    fn begin(state: State, ending: Ending, there: &OtherNetwork) -> Apart {
        let (begins, begun) = channel();
        let (pulled, is_pulled) = channel();
        let (ends, outcome) = channel();
        let shell = there.shell();
        thread::spawn(move || {
            let case = Case::begin(state, ending, &shell, THEM);
            begins.send(()).unwrap();
            if is_pulled.recv().is_ok() {
                ends.send(case.outcome()).unwrap();
            }
        });
        Apart {
            of: (state, ending),
            begun,
            pulled,
            outcome,
        }
    }
}
