//! The door from other threads: `Remote` and `offload` (FAULTS group L, I21, I30).

mod support;

use netloop::{Event, Net, Reactor, Refused, Remote, handler_fn};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use support::*;

/// What posted closures have written down, in their order.
type Numbers = Arc<Mutex<Vec<usize>>>;

fn notes(numbers: &Numbers, number: usize) -> impl FnOnce(&mut Net) + Send + use<> {
    let numbers = Arc::clone(numbers);
    move |_| numbers.lock().unwrap().push(number)
}

/// A loop that nothing but `Remote::stop` ends.
fn endless() -> (Reactor, Remote) {
    let mut reactor = Reactor::new().unwrap();
    reactor
        .net()
        .set_interval(Duration::from_secs(3600), |_| ());
    let remote = reactor.net().remote().unwrap();
    (reactor, remote)
}

#[test]
fn what_a_thread_posts_runs_on_the_loops_thread_once_and_in_order() {
    let (mut reactor, remote) = endless();
    let numbers = Numbers::default();
    let seen = Arc::clone(&numbers);
    let here = thread::current().id();
    let poster = thread::spawn(move || {
        for number in 0..1000 {
            let note = notes(&seen, number);
            let work = move |net: &mut Net| {
                assert_eq!(thread::current().id(), here);
                note(net);
            };
            remote.post(work).unwrap();
        }
        remote.post(|net| net.stop()).unwrap();
    });
    reactor.run().unwrap();
    poster.join().unwrap();
    assert!(numbers.lock().unwrap().iter().copied().eq(0..1000));
    assert_eq!(reactor.net().stats().posts, 1001);
}

#[test]
fn stop_ends_a_run_that_sleeps_and_leaves_nothing_behind() {
    let (mut reactor, remote) = endless();
    for _ in 0..3 {
        let remote = remote.clone();
        let stopper = thread::spawn(move || remote.stop());
        reactor.run().unwrap();
        stopper.join().unwrap();
    }
    // One that comes before `run` ends it as `Reactor::stop` does.
    remote.stop();
    reactor.run().unwrap();
    let turns = reactor.net().stats().turns;
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(reactor.net().stats().turns, turns + 1);
}

#[test]
fn stop_does_not_wait_in_the_queue() {
    let (mut reactor, remote) = endless();
    while remote.post(|_| ()).is_ok() {}
    remote.stop();
    reactor.run().unwrap();
    let stats = reactor.net().stats();
    assert_eq!((stats.turns, stats.posts, stats.refused_posts), (1, 256, 1));
}

#[test]
fn a_remote_keeps_no_loop_going_but_what_waits_does() {
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.net().remote().unwrap();
    assert!(!reactor.is_alive());
    reactor.run().unwrap();
    assert_eq!(reactor.net().stats().turns, 0);
    let numbers = Numbers::default();
    remote.post(notes(&numbers, 1)).unwrap();
    assert!(reactor.is_alive());
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
    reactor.run().unwrap();
    assert_eq!(*numbers.lock().unwrap(), [1]);
}

#[test]
fn l4_a_remote_that_outlives_its_loop_gets_its_closures_back_and_the_rest_is_dropped_once() {
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.net().remote().unwrap();
    let witness = Arc::new(());
    for _ in 0..3 {
        let witness = Arc::clone(&witness);
        let work = move |_: &mut Net| panic!("ran after the end: {witness:?}");
        remote.post(work).unwrap();
    }
    assert_eq!(Arc::strong_count(&witness), 4);
    drop(reactor);
    assert_eq!(Arc::strong_count(&witness), 1);

    let held = Arc::clone(&witness);
    let refused = remote.post(move |_| drop(held)).unwrap_err();
    assert_eq!(refused.to_string(), "the loop is gone");
    assert_eq!(Arc::strong_count(&witness), 2, "it came back");
    assert!(matches!(refused, Refused::Closed(_)));
    drop(refused);
    assert_eq!(Arc::strong_count(&witness), 1);
    remote.stop();
}

#[test]
fn l4_the_end_of_the_loop_while_threads_post_blocks_nobody_and_loses_no_count() {
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.net().remote().unwrap();
    let witness = Arc::new(());
    let posters: Vec<_> = (0..4)
        .map(|_| {
            let (remote, witness) = (remote.clone(), Arc::clone(&witness));
            thread::spawn(move || {
                loop {
                    let held = Arc::clone(&witness);
                    if let Err(Refused::Closed(_)) = remote.post(move |_| drop(held)) {
                        return;
                    }
                }
            })
        })
        .collect();
    turn_until(&mut reactor, |net| net.stats().posts > 1000);
    drop(reactor);
    posters.into_iter().for_each(|it| it.join().unwrap());
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[test]
fn a_drop_that_posts_while_the_loop_goes_is_refused_and_blocks_nothing() {
    struct Posts(Remote, Arc<AtomicBool>);
    impl Drop for Posts {
        fn drop(&mut self) {
            let refused = self.0.post(|_| ());
            self.1
                .store(matches!(refused, Err(Refused::Closed(_))), Ordering::SeqCst);
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.net().remote().unwrap();
    let refused = Arc::new(AtomicBool::new(false));
    let posts = Posts(remote.clone(), Arc::clone(&refused));
    remote.post(move |_| drop(posts)).unwrap();
    drop(reactor);
    assert!(refused.load(Ordering::SeqCst));
}

#[test]
fn l5_a_closure_that_posts_itself_for_ever_starves_nobody() {
    fn again(remote: Remote) {
        let next = remote.clone();
        remote.post(move |_| again(next)).unwrap();
    }
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    again(reactor.net().remote().unwrap());
    let before = reactor.net().stats();
    for _ in 0..10 {
        reactor.turn(None).unwrap();
    }
    let after = reactor.net().stats();
    assert_eq!(after.posts - before.posts, 10, "one a turn");
    assert_eq!(after.wakes, before.wakes, "the loop posts to itself awake");
    peer.write_all(b"x").unwrap();
    turn_until_line(&mut reactor, &log, "socket data 1");
}

#[test]
fn l6_a_closure_that_panics_loses_nothing_else() {
    let (mut reactor, remote) = endless();
    let numbers = Numbers::default();
    remote.post(notes(&numbers, 1)).unwrap();
    remote.post(|_| panic!("posted")).unwrap();
    // All of it is taken from the queue by the turn that the panic ends.
    for number in 2..200 {
        remote.post(notes(&numbers, number)).unwrap();
    }
    let run = catch_unwind(AssertUnwindSafe(|| reactor.turn(None)));
    assert!(run.is_err());
    assert_eq!(*numbers.lock().unwrap(), [1]);
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
    remote.stop();
    reactor.run().unwrap();
    assert!(numbers.lock().unwrap().iter().copied().eq(1..200));
}

#[test]
fn l6_a_refused_closure_whose_drop_panics_is_the_posters_own_affair() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let (mut reactor, remote) = endless();
    while remote.post(|_| ()).is_ok() {}
    let poster = remote.clone();
    let panics = thread::spawn(move || {
        let bomb = Bomb;
        drop(poster.post(move |_| drop(bomb)));
    });
    assert!(panics.join().is_err());
    let turns = 65_536 / 256;
    (0..turns).for_each(|_| reactor.turn(None).unwrap());
    remote.post(|net| net.stop()).unwrap();
    reactor.run().unwrap();
}

#[test]
fn l2_a_flood_from_eight_threads_is_bounded_loses_nothing_and_lets_sockets_live() {
    const POSTERS: usize = 8;
    const POSTS: usize = 20_000;
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.net().remote().unwrap();
    let echo = listen(&mut reactor, |_| {
        handler_fn(|socket, event| {
            if let Event::Data(bytes) = event {
                socket.write(bytes);
            }
        })
    });
    // Round trips that go on all through the flood.
    let trips = Rc::new(Cell::new(0));
    let counted = Rc::clone(&trips);
    let client = handler_fn(move |socket, event| match event {
        Event::Connect => drop(socket.write(b"x")),
        Event::Data(bytes) => {
            counted.set(counted.get() + 1);
            socket.write(bytes);
        }
        _ => {}
    });
    reactor.net().connect(echo, client).unwrap();

    let heard: Arc<Vec<AtomicUsize>> = Arc::new((0..POSTERS).map(|_| 0.into()).collect());
    let posters: Vec<_> = (0..POSTERS)
        .map(|poster| {
            let (remote, heard) = (remote.clone(), Arc::clone(&heard));
            thread::spawn(move || {
                for number in 0..POSTS {
                    let heard = Arc::clone(&heard);
                    let mut work: Box<dyn FnOnce(&mut Net) + Send> = Box::new(move |_| {
                        let before = heard[poster].swap(number + 1, Ordering::Relaxed);
                        assert_eq!(before, number, "in the order of its poster");
                    });
                    while let Err(refused) = remote.post(work) {
                        let Refused::Full(again) = refused else {
                            panic!("the loop is there");
                        };
                        work = again;
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let done = |heard: &[AtomicUsize]| heard.iter().all(|it| it.load(Ordering::Relaxed) == POSTS);
    turn_until(&mut reactor, |_| done(&heard));
    posters.into_iter().for_each(|it| it.join().unwrap());
    let stats = reactor.net().stats();
    assert_eq!(stats.posts, (POSTERS * POSTS) as u64);
    assert!(stats.turns >= stats.posts / 256, "a budget a turn");
    assert!(stats.wakes <= stats.turns, "{stats:?}");
    assert!(trips.get() > 100, "{} round trips", trips.get());
}

#[test]
fn while_the_loop_is_awake_nobody_makes_a_system_call_to_wake_it() {
    let (mut reactor, remote) = endless();
    let (go, gone) = (mpsc::channel::<()>(), mpsc::channel::<()>());
    let poster = thread::spawn(move || {
        for () in go.1 {
            (0..100).for_each(|_| remote.post(|_| ()).unwrap());
            gone.0.send(()).unwrap();
        }
    });
    assert!(reactor.next_timeout() > Some(Duration::ZERO), "asleep");
    // All of it comes while a callback runs: the loop is awake.
    let (start, heard) = (go.0.clone(), gone.1);
    reactor.net().set_immediate(move |_| {
        start.send(()).unwrap();
        heard.recv().unwrap();
    });
    reactor.turn(None).unwrap();
    turn_until(&mut reactor, |net| net.stats().posts == 100);
    assert_eq!(reactor.net().stats().wakes, 0);
    drop(go.0);
    poster.join().unwrap();
}

#[test]
fn many_posts_to_a_loop_that_sleeps_wake_it_once() {
    let (mut reactor, remote) = endless();
    turn_until_quiet(&mut reactor);
    assert!(reactor.next_timeout() > Some(Duration::ZERO), "asleep");
    let before = reactor.net().stats().wakes;
    let poster = thread::spawn(move || (0..100).for_each(|_| remote.post(|_| ()).unwrap()));
    poster.join().unwrap();
    reactor.turn(None).unwrap();
    let stats = reactor.net().stats();
    assert_eq!((stats.posts, stats.wakes - before), (100, 1));
}

#[test]
fn an_idle_loop_without_a_remote_has_no_waker() {
    let mut reactor = Reactor::new().unwrap();
    let before = reactor.net().stats().syscalls;
    assert_eq!(before.total(), 0);
    let first = reactor.net().remote().unwrap();
    let second = reactor.net().remote().unwrap();
    assert_eq!(reactor.net().stats().syscalls.other, 1, "made once");
    drop((first, second));
}

// Work on other threads.

#[test]
fn offload_brings_the_result_back_and_keeps_the_loop_going_until_then() {
    let mut reactor = Reactor::new().unwrap();
    let results = Rc::new(RefCell::new(Vec::new()));
    let here = thread::current().id();
    for number in 0..10 {
        let results = Rc::clone(&results);
        let work = move || {
            assert_ne!(thread::current().id(), here);
            let thread = thread::current();
            assert!(thread.name().unwrap().starts_with("netloop-work-"));
            number * number
        };
        reactor.net().offload(work, move |_, result| {
            assert_eq!(thread::current().id(), here);
            results.borrow_mut().push(result.unwrap());
        });
    }
    assert!(reactor.is_alive());
    reactor.run().unwrap();
    results.borrow_mut().sort_unstable();
    assert!(
        results
            .borrow()
            .iter()
            .copied()
            .eq((0..10).map(|it| it * it))
    );
    assert_eq!(reactor.net().stats().offloads, 10);
    assert!(!reactor.is_alive());
}

#[test]
fn work_that_comes_one_by_one_needs_one_thread() {
    // How soon a thread that has answered waits again is the scheduler's business: on a busy machine
    // it is given more time.
    let mut threads = Vec::new();
    let one_does_most = [2, 20, 200]
        .map(Duration::from_millis)
        .into_iter()
        .any(|pause| {
            threads = threads_of_work_one_by_one(pause);
            threads.iter().filter(|it| *it == "netloop-work-1").count() > 10
        });
    assert!(
        one_does_most,
        "others are woken though one waits: {threads:?}"
    );
}

/// The threads that did twenty pieces of work, each given a while after the last one's answer.
fn threads_of_work_one_by_one(pause: Duration) -> Vec<String> {
    let mut reactor = Reactor::new().unwrap();
    let threads = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..20 {
        let threads = Rc::clone(&threads);
        let work = || thread::current().name().unwrap().to_owned();
        reactor.net().offload(work, move |_, name| {
            threads.borrow_mut().push(name.unwrap());
        });
        reactor.run().unwrap();
        // It has given its answer; in a moment it waits for more.
        let_pass(pause);
    }
    let threads = threads.take();
    assert_eq!(threads.len(), 20);
    threads
}

#[test]
fn work_that_panics_is_an_error_for_its_done_and_the_threads_live_on() {
    let mut reactor = Reactor::new().unwrap();
    let errors = Rc::new(RefCell::new(Vec::new()));
    for number in 0..20 {
        let errors = Rc::clone(&errors);
        let work = move || match number % 4 {
            0 => panic!("no {number}\n"),
            1 => std::panic::panic_any(number),
            _ => number,
        };
        reactor.net().offload(work, move |_, result| {
            let text = result.map_err(|error| format!("{}: {error}", error.code()));
            errors.borrow_mut().push((number, text));
        });
    }
    reactor.run().unwrap();
    let mut errors = errors.take();
    errors.sort_unstable();
    assert_eq!(errors.len(), 20);
    for (number, result) in errors {
        match number % 4 {
            0 => assert_eq!(
                result.unwrap_err(),
                format!("ERR_OFFLOAD_PANICKED: The work panicked: no {number}\\n")
            ),
            1 => assert_eq!(
                result.unwrap_err(),
                "ERR_OFFLOAD_PANICKED: The work panicked"
            ),
            _ => assert_eq!(result.unwrap(), number),
        }
    }
}

/// Work that says that it has begun and then hangs until it is let go.
struct Hanging {
    begun: mpsc::Sender<()>,
    let_go: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Hanging {
    /// All of it ends when the sender is dropped.
    fn new() -> (Hanging, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (begun, begins) = mpsc::channel();
        let (gate, let_go) = mpsc::channel();
        let let_go = Arc::new(Mutex::new(let_go));
        (Hanging { begun, let_go }, begins, gate)
    }

    fn work(&self) -> impl FnOnce() + Send + use<> {
        let (begun, let_go) = (self.begun.clone(), Arc::clone(&self.let_go));
        move || {
            let _ = begun.send(());
            let _ = let_go.lock().unwrap().recv();
        }
    }
}

#[test]
fn four_are_at_work_1020_wait_and_further_ones_get_an_error_in_the_next_turn() {
    const FURTHER: usize = 100_000;
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.net().remote().unwrap();
    let (hanging, begins, gate) = Hanging::new();
    let done = Rc::new(Cell::new(0));
    let refused = Rc::new(RefCell::new(Vec::new()));
    let offload = |reactor: &mut Reactor| {
        let (done, refused) = (Rc::clone(&done), Rc::clone(&refused));
        let result = move |_: &mut Net, result: netloop::Result<()>| match result {
            Ok(()) => done.set(done.get() + 1),
            Err(error) => refused.borrow_mut().push(error.to_string()),
        };
        reactor.net().offload(hanging.work(), result);
    };
    for _ in 0..4 {
        offload(&mut reactor);
        begins.recv_timeout(PATIENCE).unwrap();
    }
    (0..1020 + FURTHER).for_each(|_| offload(&mut reactor));
    assert!(refused.borrow().is_empty(), "told inside of the call");
    assert!(remote.post(|_| ()).is_ok(), "they take nobody's room");
    // All of it: what is refused must not pile up behind what may be told in a turn.
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(refused.borrow().len(), FURTHER);
    let text = "offload ENOBUFS: 1024 others are under way already";
    assert!(refused.borrow().iter().all(|it| it == text));
    drop(gate);
    reactor.run().unwrap();
    assert_eq!((done.get(), refused.borrow().len()), (1024, FURTHER));
    assert_eq!(
        begins.try_iter().count(),
        1020,
        "nothing ran that was refused"
    );
    let stats = reactor.net().stats();
    assert_eq!(stats.offloads, 1024);
    assert_eq!(stats.refused_offloads, FURTHER as u64);
}

#[test]
fn l6_refused_work_whose_drop_panics_leaves_nothing_undone() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let (hanging, begins, gate) = Hanging::new();
    (0..1024).for_each(|_| reactor.net().offload(hanging.work(), |_, _| ()));
    let refused = Rc::new(Cell::new(false));
    let heard = Rc::clone(&refused);
    let done = move |_: &mut Net, result: netloop::Result<()>| heard.set(result.is_err());
    let bomb = Bomb;
    let work = move || drop(bomb);
    let offload = AssertUnwindSafe(|| reactor.net().offload(work, done));
    assert!(catch_unwind(offload).is_err());
    drop(gate);
    turn_until(&mut reactor, |net| net.stats().posts == 1024);
    assert!(refused.get() && !reactor.is_alive());
    drop(begins);
}

#[test]
fn results_that_come_faster_than_they_are_told_are_bounded_too() {
    let mut reactor = Reactor::new().unwrap();
    let told = Rc::new(Cell::new(0));
    for turn in 1..=50 {
        for _ in 0..1000 {
            let told = Rc::clone(&told);
            let done = move |_: &mut Net, _: netloop::Result<()>| told.set(told.get() + 1);
            reactor.net().offload(|| (), done);
        }
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let under_way = turn * 1000 - told.get();
        assert!(under_way <= 1024, "{under_way} in turn {turn}");
    }
    reactor.run().unwrap();
    assert_eq!(told.get(), 50_000, "each of them once");
}

#[test]
fn i21_a_loop_that_is_dropped_waits_for_no_thread_and_none_touches_it_afterwards() {
    let mut reactor = Reactor::new().unwrap();
    let (hanging, begins, gate) = Hanging::new();
    let (witness, result) = (Rc::new(()), Arc::new(()));
    for _ in 0..6 {
        let (mine, given) = (Rc::clone(&witness), Arc::clone(&result));
        let hang = hanging.work();
        let work = move || {
            hang();
            given
        };
        reactor.net().offload(work, move |_, _| panic!("{mine:?}"));
    }
    (0..4).for_each(|_| begins.recv_timeout(PATIENCE).unwrap());
    assert_eq!(
        (Rc::strong_count(&witness), Arc::strong_count(&result)),
        (7, 7)
    );
    drop(reactor);
    assert_eq!(Rc::strong_count(&witness), 1);
    assert_eq!(Arc::strong_count(&result), 5, "four are still at work");
    drop(gate);
    while Arc::strong_count(&result) > 1 {
        thread::yield_now();
    }
    assert_eq!(begins.try_iter().count(), 0, "nothing has begun since");
}
