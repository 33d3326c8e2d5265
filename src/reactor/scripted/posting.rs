//! L7, G6 and their like: a waker that fails, threads that cannot be had.

use crate::net::Limits;
use crate::reactor::Reactor;
use crate::sys::Pool;
use crate::sys::script::{Call, Kind, Poll, Script};
use crate::{Net, Remote};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A loop on a script, its remote, and what its posts have left behind.
struct Posted {
    script: Script,
    reactor: Reactor,
    remote: Remote,
    log: Arc<Mutex<Vec<u32>>>,
}

impl Posted {
    fn new(limits: Limits) -> Posted {
        let script = Script::new();
        let mut reactor = Reactor::on(script.sys(), limits);
        Posted {
            remote: reactor.net().remote().unwrap(),
            script,
            reactor,
            log: Arc::default(),
        }
    }

    fn post(&self, number: u32) {
        let log = Arc::clone(&self.log);
        let work = move |_: &mut Net| log.lock().unwrap().push(number);
        self.remote.post(work).unwrap();
    }

    fn told(&self) -> Vec<u32> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn turn(&mut self) {
        self.reactor.turn(Some(Duration::ZERO)).unwrap();
    }
}

/// The errors that offloads were answered with.
type Errors = Rc<RefCell<Vec<String>>>;

fn offload(net: &mut Net, errors: &Errors) {
    let errors = errors.clone();
    net.offload(
        || 7,
        move |_, answer| {
            errors.borrow_mut().push(match answer {
                Ok(number) => number.to_string(),
                Err(error) => error.code().to_string(),
            });
        },
    );
}

#[test]
fn l7_a_post_whose_wake_fails_is_found_by_the_next_turn_and_by_the_next_post() {
    let mut world = Posted::new(Limits::default());
    assert_eq!(world.reactor.next_timeout(), None);
    let bell = world.script.bell().unwrap();
    bell.fail_once(libc::EBADF);
    world.post(1);
    assert!(!bell.hear(), "it could not be rung");
    assert_eq!(world.reactor.next_timeout(), Some(Duration::ZERO));
    world.turn();
    assert_eq!(world.told(), [1]);

    assert_eq!(world.reactor.next_timeout(), None);
    bell.fail_once(libc::EBADF);
    world.post(2);
    world.post(3); // rings again
    world.reactor.turn(None).unwrap();
    assert_eq!(world.told(), [2, 3]);
    assert_eq!(world.reactor.net().stats().wakes, 1);
}

#[test]
fn l7_a_full_or_an_interrupted_wake_counts_as_one_that_works() {
    for errno in [libc::EAGAIN, libc::EINTR] {
        let mut world = Posted::new(Limits::default());
        assert_eq!(world.reactor.next_timeout(), None);
        world.script.bell().unwrap().fail_once(errno);
        world.post(1);
        assert_eq!(world.reactor.net().stats().wakes, 1);
    }
}

#[test]
fn a_poll_that_a_post_ends_meets_no_socket_and_is_no_stale_event() {
    let mut world = Posted::new(Limits::default());
    let net = world.reactor.net();
    net.connect("127.0.0.1:80", crate::handler_fn(|_, _| ()))
        .unwrap();
    world.turn();
    assert_eq!(world.reactor.next_timeout(), None);
    world.post(1);
    world.reactor.turn(None).unwrap();
    assert_eq!(world.told(), [1]);
    let stats = world.reactor.net().stats();
    assert_eq!((stats.events, stats.stale_events), (1, 0));
    assert_eq!((stats.posts, stats.wakes), (1, 1));
}

#[test]
fn a_poll_that_fails_leaves_the_posts_for_the_next_one() {
    let mut world = Posted::new(Limits::default());
    world.script.on_poll(Poll::Err(libc::EBADF));
    assert_eq!(world.reactor.next_timeout(), None);
    world.post(1);
    assert!(world.reactor.turn(None).is_err());
    world.post(2);
    assert_eq!(world.reactor.next_timeout(), Some(Duration::ZERO));
    world.turn();
    assert_eq!(world.told(), [1, 2]);
}

#[test]
fn no_more_than_the_budget_runs_in_a_turn_and_the_rest_before_any_sleep() {
    let mut world = Posted::new(Limits {
        posts: 2,
        ..Limits::default()
    });
    (1..=5).for_each(|number| world.post(number));
    for expected in [&[1, 2][..], &[3, 4], &[5]] {
        assert_eq!(world.reactor.next_timeout(), Some(Duration::ZERO));
        world.turn();
        assert_eq!(world.told(), expected);
    }
    assert_eq!(world.reactor.next_timeout(), None);
}

#[test]
fn j1_without_a_descriptor_for_a_waker_remote_and_offload_say_so_and_work_later() {
    let script = Script::new();
    let mut reactor = Reactor::on(script.sys(), Limits::default());
    let errors = Errors::default();
    script.answer(Kind::Waker, Err(libc::EMFILE));
    script.answer(Kind::Waker, Err(libc::EMFILE));
    let error = reactor.net().remote().unwrap_err();
    assert_eq!(error.to_string(), "eventfd EMFILE");
    offload(reactor.net(), &errors);
    assert!(errors.borrow().is_empty(), "told inside of the call");
    reactor.run().unwrap();
    assert_eq!(errors.take(), ["EMFILE"]);

    offload(reactor.net(), &errors);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(reactor.is_alive() && script.do_job());
    reactor.run().unwrap();
    assert_eq!(errors.take(), ["7"]);
    let wakers = script
        .calls()
        .iter()
        .filter(|it| **it == Call::Waker)
        .count();
    assert_eq!(wakers, 3, "made once");
}

#[test]
fn g6_work_that_gets_no_thread_is_answered_with_why_and_the_next_works() {
    let script = Script::new();
    let mut reactor = Reactor::on(script.sys(), Limits::default());
    let errors = Errors::default();
    script.answer(Kind::RunJob, Err(libc::EAGAIN));
    offload(reactor.net(), &errors);
    assert!(errors.borrow().is_empty(), "told inside of the call");
    offload(reactor.net(), &errors);
    assert_eq!(script.calls().last(), Some(&Call::RunJob(Pool::Work)));
    assert!(script.do_job());
    reactor.run().unwrap();
    assert_eq!(errors.take(), ["7", "EAGAIN"]);
    let stats = reactor.net().stats();
    assert_eq!((stats.offloads, stats.refused_offloads), (1, 1));
}

#[test]
fn a_result_that_comes_while_the_loop_sleeps_wakes_it() {
    let script = Script::new();
    let mut reactor = Reactor::on(script.sys(), Limits::default());
    let answers = Errors::default();
    offload(reactor.net(), &answers);
    assert_eq!(reactor.next_timeout(), None);
    assert!(script.do_job());
    assert!(script.bell().unwrap().hear());
    reactor.run().unwrap();
    assert_eq!(answers.take(), ["7"]);
}
