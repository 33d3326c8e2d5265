//! Servers on a scripted kernel: what `listen` and `accept` do when the kernel says no.

use super::Limits;
use crate::options::ListenOptions;
use crate::reactor::Reactor;
use crate::sys::Readiness;
use crate::sys::script::{Accept, Call, Kind, Script};
use crate::{Acceptor, Error, Handler, Server, Socket, handler_fn};
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

/// The descriptor of the first listener, and of the first socket it accepts.
const LISTENER: u32 = 3;
const ACCEPTED: u32 = 4;

/// Logs what it is told, and at `connection` what the kernel was asked before.
struct Recorder {
    script: Script,
    log: Rc<RefCell<Vec<String>>>,
}

impl Acceptor for Recorder {
    fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler> {
        let asked = self.script.take_calls();
        let set = asked.iter().filter(|call| {
            matches!(
                call,
                Call::SetNoDelay(..)
                    | Call::SetQuickAck(..)
                    | Call::SetNotSentLowWaterMark(..)
                    | Call::SetKeepAlive(..)
            )
        });
        let set: Vec<_> = set.collect();
        let port = socket.remote_port().unwrap();
        self.log
            .borrow_mut()
            .push(format!("connection {port} {set:?}"));
        Box::new(handler_fn(|_, _| ()))
    }
    fn on_error(&mut self, server: &mut Server<'_>, error: &Error) {
        assert!(server.listening());
        self.log.borrow_mut().push(error.to_string());
    }
    fn on_close(&mut self, _: &mut Server<'_>) {
        self.log.borrow_mut().push("close".into());
    }
}

fn serving(script: &Script, options: ListenOptions) -> (Reactor, Rc<RefCell<Vec<String>>>) {
    let mut reactor = Reactor::on(script.sys(), Limits::default());
    let log = Rc::default();
    let acceptor = Recorder {
        script: script.clone(),
        log: Rc::clone(&log),
    };
    reactor.net().listen_with(options, acceptor).unwrap();
    (reactor, log)
}

fn peer(port: u16) -> Accept {
    Accept::Peer((Ipv4Addr::LOCALHOST, port).into())
}

/// A turn in which the backlog answers like this.
fn accepts(script: &Script, reactor: &mut Reactor, answers: &[Accept]) {
    for answer in answers {
        script.on_accept(LISTENER, *answer);
    }
    script.ready(LISTENER, Readiness::READ);
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

#[test]
fn r92_without_ipv6_a_server_without_a_host_listens_on_ipv4() {
    for errno in [libc::EAFNOSUPPORT, libc::EADDRNOTAVAIL, libc::EINVAL] {
        let script = Script::new();
        script.answer(Kind::Listen, Err(errno));
        let (_reactor, _) = serving(&script, 80.into());
        let asked = script.take_calls();
        let places: Vec<String> = (asked.iter())
            .filter_map(|call| match call {
                Call::Listen { address, .. } => Some(address.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(places, ["[::]:80", "0.0.0.0:80"], "{errno}");
    }
}

#[test]
fn r92_a_port_that_is_taken_is_not_tried_again_on_ipv4() {
    for (errno, ipv6_only) in [
        (libc::EADDRINUSE, false),
        (libc::EACCES, false),
        (libc::EAFNOSUPPORT, true),
    ] {
        let script = Script::new();
        let mut reactor = Reactor::on(script.sys(), Limits::default());
        script.answer(Kind::Listen, Err(errno));
        let options = ListenOptions::from(80).ipv6_only(ipv6_only);
        let error = reactor
            .net()
            .listen(options, |_| handler_fn(|_, _| ()))
            .unwrap_err();
        assert_eq!(error.errno(), Some(errno));
        assert_eq!(error.syscall(), Some("listen"));
        assert_eq!(script.calls().len(), 1);
    }
}

#[test]
fn r95_options_are_applied_before_connection_is_told() {
    let script = Script::new();
    let options = ListenOptions::from(80)
        .no_delay(true)
        .quick_ack(true)
        .not_sent_low_water_mark(16_384)
        .keep_alive(true)
        .keep_alive_initial_delay(Duration::from_secs(5));
    let (mut reactor, log) = serving(&script, options);
    accepts(&script, &mut reactor, &[peer(1)]);
    let set = [
        Call::SetNoDelay(ACCEPTED, true),
        Call::SetQuickAck(ACCEPTED, true),
        Call::SetNotSentLowWaterMark(ACCEPTED, 16_384),
        Call::SetKeepAlive(ACCEPTED, true, Some(5)),
    ];
    assert_eq!(*log.borrow(), [format!("connection 1 {set:?}")]);
}

#[test]
fn r95_an_option_that_cannot_be_set_turns_nobody_away() {
    let script = Script::new();
    let options = ListenOptions::from(80).no_delay(true);
    let (mut reactor, log) = serving(&script, options);
    script.answer(Kind::SetOption, Err(libc::EINVAL));
    accepts(&script, &mut reactor, &[peer(1)]);
    assert!(log.borrow()[0].starts_with("connection 1"), "{log:?}");
    assert_eq!(log.borrow().len(), 1);
}

#[test]
fn r102_a_failed_accept_is_told_and_the_server_goes_on() {
    let script = Script::new();
    let (mut reactor, log) = serving(&script, 80.into());
    // Nothing is known of such an error, and trying on could spin: who stands behind it waits
    // for the next peer.
    let broken = Accept::Err(libc::EINVAL);
    accepts(&script, &mut reactor, &[peer(1), broken, peer(2)]);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    accepts(&script, &mut reactor, &[peer(3)]);
    let told = [
        "connection 1 []",
        "accept EINVAL",
        "connection 2 []",
        "connection 3 []",
    ];
    assert_eq!(*log.borrow(), told);
}

#[test]
fn r102_a_connection_lost_before_accept_is_no_error_of_the_server() {
    let script = Script::new();
    let (mut reactor, log) = serving(&script, 80.into());
    let lost = Accept::Err(libc::ECONNABORTED);
    accepts(&script, &mut reactor, &[lost, peer(1), lost, peer(2)]);
    assert_eq!(*log.borrow(), ["connection 1 []", "connection 2 []"]);
}

#[test]
fn r102_a_socket_that_cannot_be_watched_is_closed_and_the_server_goes_on() {
    let script = Script::new();
    let (mut reactor, log) = serving(&script, 80.into());
    script.answer(Kind::Register, Err(libc::ENOSPC));
    accepts(&script, &mut reactor, &[peer(1), peer(2)]);
    assert_eq!(*log.borrow(), ["connection 2 []", "accept ENOSPC"]);
    assert_eq!(script.open_descriptors(), [LISTENER, ACCEPTED]);
}
