//! Signals on a kernel that refuses to watch them, and that tells them among other things.

use crate::Net;
use crate::net::Limits;
use crate::reactor::Reactor;
use crate::sys::script::{Call, Kind, Poll, Script};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

type Told = Rc<RefCell<Vec<&'static str>>>;

fn notes(told: &Told, line: &'static str) -> impl FnMut(&mut Net) + use<> {
    let told = told.clone();
    move |_| told.borrow_mut().push(line)
}

#[test]
fn a_signal_that_cannot_be_watched_leaves_no_listener() {
    let (script, told) = (Script::new(), Told::default());
    let mut reactor = Reactor::on(script.sys(), Limits::default());
    script.answer(Kind::WatchSignal, Err(libc::EMFILE));
    let net = reactor.net();
    let refused = net.on_signal(libc::SIGTERM, notes(&told, "refused"));
    assert_eq!(refused.unwrap_err().to_string(), "uv_signal_start EMFILE");
    assert!(!script.raise(libc::SIGTERM));

    let first = net.on_signal(libc::SIGTERM, notes(&told, "first")).unwrap();
    let second = net.on_signal(libc::SIGTERM, notes(&told, "second"));
    let second = second.unwrap();
    assert!(script.raise(libc::SIGTERM));
    reactor.turn(None).unwrap();
    assert_eq!(told.take(), ["first", "second"]);
    reactor.net().off_signal(first);
    assert!(script.raise(libc::SIGTERM), "the second one still listens");
    reactor.net().off_signal(second);
    assert!(!script.raise(libc::SIGTERM));
    let signals = |call: &Call| matches!(call, Call::WatchSignal(_) | Call::UnwatchSignal(_));
    let calls: Vec<_> = script.take_calls().into_iter().filter(signals).collect();
    let watch = Call::WatchSignal(libc::SIGTERM);
    let expected = [watch.clone(), watch, Call::UnwatchSignal(libc::SIGTERM)];
    assert_eq!(
        calls, expected,
        "asked once for both, and given up with the last"
    );
}

#[test]
fn l1_a_signal_that_ends_the_sleep_is_told_in_that_turn_and_no_timer_early() {
    let (script, told) = (Script::new(), Told::default());
    let mut reactor = Reactor::on(script.sys(), Limits::default());
    let net = reactor.net();
    net.on_signal(libc::SIGHUP, notes(&told, "signal")).unwrap();
    let minute = Duration::from_secs(60);
    net.set_timeout(minute, notes(&told, "timer"));
    for _ in 0..3 {
        script.raise(libc::SIGHUP);
        script.on_poll(Poll::Err(libc::EINTR));
        script.advance(Duration::from_secs(1));
        reactor.turn(None).unwrap();
    }
    assert_eq!(told.take(), ["signal"; 3]);
    while told.borrow().is_empty() {
        reactor.turn(None).unwrap();
    }
    assert_eq!(told.take(), ["timer"]);
    assert!(reactor.net().now() >= minute);
}
