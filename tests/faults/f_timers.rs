//! Group F: timers, idle timeouts, and a loop that stood still (F4 to F7, F10, F11).
//!
//! F1 to F3, F8, F9 and F13 move the clock: they stand beside the wheel and on the scripted kernel.
//! Time is the subject here, so some tests let it pass; none asserts that anything was fast.

use crate::apart::*;
use crate::crowd::*;
use crate::support::*;
use netloop::{ConnectOptions, Event, ListenOptions, Net, Reactor, TimerId, handler_fn};
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The process does something else for a while, or is stopped: for the loop it is the same.
fn stand_still(time: Duration) {
    std::thread::sleep(time);
}

#[test]
fn f4_timers_of_zero_that_arm_themselves_leave_the_sockets_their_turn() {
    fn immediately(net: &mut Net, runs: Rc<Cell<u64>>) {
        net.set_immediate(move |net| {
            runs.set(runs.get() + 1);
            immediately(net, runs);
        });
    }
    fn at_zero(net: &mut Net, runs: Rc<Cell<u64>>) {
        net.set_timeout(Duration::ZERO, move |net| {
            runs.set(runs.get() + 1);
            at_zero(net, runs);
        });
    }
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (_, mut peer) = accepted(&mut reactor, recorder("socket", &log));
    let [immediates, timeouts, rounds] = [(); 3].map(|()| Rc::new(Cell::new(0)));
    immediately(reactor.net(), immediates.clone());
    at_zero(reactor.net(), timeouts.clone());
    let count = rounds.clone();
    reactor
        .net()
        .set_interval(Duration::ZERO, move |_| count.set(count.get() + 1));
    for pings in 1..=100 {
        peer.write_all(b"x").unwrap();
        let before = [&immediates, &timeouts, &rounds].map(|runs| runs.get());
        reactor.turn(Some(PATIENCE)).unwrap();
        let after = [&immediates, &timeouts, &rounds].map(|runs| runs.get());
        assert_eq!(log.count("socket data 1"), pings);
        assert_eq!(
            after[0] - before[0],
            1,
            "one armed in here waits for the next turn"
        );
        assert!(after[1] - before[1] <= 1 && after[2] - before[2] <= 1);
    }
    // Zero counts as a millisecond: each comes up, and not in every turn for ever.
    turn_until(&mut reactor, |_| timeouts.get() > 2 && rounds.get() > 2);
}

#[test]
fn f4_an_interval_of_zero_lets_the_loop_sleep_in_between() {
    let mut reactor = Reactor::new().unwrap();
    let rounds = Rc::new(Cell::new(0));
    let count = rounds.clone();
    reactor.net().set_interval(Duration::ZERO, move |net| {
        count.set(count.get() + 1);
        if count.get() == 20 {
            net.stop();
        }
    });
    let started = Instant::now();
    reactor.run().unwrap();
    assert!(started.elapsed() >= Duration::from_millis(20));
    // A wake-up for each round, and one more where the kernel rounds down.
    assert!(reactor.net().stats().turns <= 2 * 20);
}

#[test]
fn f5_a_timer_cleared_by_one_of_the_same_tick_never_runs() {
    const PAIRS: usize = 100;
    let mut reactor = Reactor::new().unwrap();
    let ran = Rc::new(RefCell::new(Vec::new()));
    let ids = Rc::new(RefCell::new(Vec::<TimerId>::new()));
    for number in 0..2 * PAIRS {
        let (ran, known) = (ran.clone(), ids.clone());
        let id = reactor
            .net()
            .set_timeout(Duration::from_millis(1), move |net| {
                ran.borrow_mut().push(number);
                net.clear_timer(known.borrow()[number]); // itself, while it runs
                net.clear_timer(known.borrow()[number ^ 1]); // its partner, due in the same tick or so
            });
        ids.borrow_mut().push(id);
    }
    stand_still(Duration::from_millis(5));
    reactor.run().unwrap();
    assert!(
        ran.borrow()
            .iter()
            .copied()
            .eq((0..PAIRS).map(|pair| 2 * pair))
    );
    assert!(!reactor.is_alive());
}

#[test]
fn f5_clearing_a_timer_that_has_run_does_not_touch_the_one_in_its_place() {
    let mut reactor = Reactor::new().unwrap();
    let ran = Rc::new(RefCell::new(Vec::new()));
    let timer = |reactor: &mut Reactor, name: &'static str| {
        let ran = ran.clone();
        reactor
            .net()
            .set_timeout(Duration::ZERO, move |_| ran.borrow_mut().push(name))
    };
    let first = timer(&mut reactor, "first");
    reactor.run().unwrap();
    let second = timer(&mut reactor, "second");
    for _ in 0..2 {
        reactor.net().clear_timer(first);
        reactor.net().unref_timer(first);
    }
    reactor.run().unwrap();
    assert_eq!(*ran.borrow(), ["first", "second"]);
    reactor.net().clear_timer(second);
    assert!(!reactor.is_alive());
}

#[test]
fn f5_an_interval_that_clears_itself_stops_and_one_that_is_set_anew_goes_on() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let id = Rc::new(Cell::new(None));
    let (told, own) = (log.clone(), id.clone());
    let interval = reactor.net().set_interval(Duration::ZERO, move |net| {
        told.push("round");
        if told.count("round") == 3 {
            net.clear_timer(own.get().unwrap());
            let told = told.clone();
            net.set_timeout(Duration::ZERO, move |_| told.push("after"));
        }
    });
    id.set(Some(interval));
    reactor.run().unwrap();
    assert_eq!(log.lines(), ["round", "round", "round", "after"]);
}

#[test]
fn f5_an_idle_timeout_set_or_cleared_inside_its_own_callback_comes_once_more_or_never() {
    for again in [true, false] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let setting = reacting("socket", &log, move |socket, event| {
            if let Event::Timeout = event {
                let idle = Duration::from_millis(if again { 1 } else { 0 });
                socket.set_timeout(idle);
            }
        });
        let (id, _peer) = accepted(&mut reactor, setting);
        reactor
            .net()
            .socket(id)
            .unwrap()
            .set_timeout(Duration::from_millis(1));
        turn_until_line(&mut reactor, &log, "socket timeout");
        if again {
            turn_until_lines(&mut reactor, &log, "socket timeout", 3);
        } else {
            assert_eq!(reactor.next_timeout(), None, "nothing is armed");
            assert_eq!(reactor.net().socket(id).unwrap().timeout(), None);
            assert_eq!(log.lines(), ["socket timeout"]);
        }
    }
}

/// The server of F6: echoes, and destroys who is idle for a whole `IDLE`.
fn serve_f6() {
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::from("127.0.0.1:0").backlog(4096);
    let server = reactor.net().listen(options, |socket| {
        socket.set_timeout(IDLE);
        handler_fn(|socket, event| match event {
            Event::Data(bytes) => drop(socket.write(bytes)),
            Event::Timeout => socket.destroy(),
            _ => {}
        })
    });
    eprintln!("{}", server.unwrap().address().unwrap());
    // It is ended by the test; this is for a test that was ended itself.
    reactor
        .net()
        .set_timeout(Duration::from_secs(60), |net| net.stop());
    reactor.run().unwrap();
}

const IDLE: Duration = Duration::from_millis(1200);

#[test]
fn f6_a_process_that_was_stopped_cuts_off_the_silent_and_none_of_those_that_sent() {
    let name =
        "f_timers::f6_a_process_that_was_stopped_cuts_off_the_silent_and_none_of_those_that_sent";
    if role().as_deref() == Some("f6 server") {
        return serve_f6();
    }
    apart(name, ROOM, || {
        // More than one batch of events, so that the last of them is not known of at first.
        const CLIENTS: usize = 1500;
        let mut server = command(name, "f6 server", "exec");
        let server = server
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Kept(server);
        let mut said = BufReader::new(server.0.stderr.take().unwrap());
        let mut address = String::new();
        said.read_line(&mut address).unwrap();
        let address: SocketAddr = address.trim().parse().unwrap();
        let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| plain_peer(address)).collect();
        let mut silent = plain_peer(address);
        let send = |clients: &mut [TcpStream]| {
            clients
                .iter_mut()
                .for_each(|client| client.write_all(b"x").unwrap());
        };
        let hear = |clients: &mut [TcpStream]| {
            for client in clients {
                client
                    .read_exact(&mut [0; 1])
                    .expect("a live client was cut off");
            }
        };
        send(&mut clients);
        silent.write_all(b"x").unwrap();
        hear(&mut clients);
        silent.read_exact(&mut [0; 1]).unwrap();

        server.signal("STOP");
        let deadline = Instant::now() + PATIENCE;
        while server.state() != 'T' {
            assert!(Instant::now() < deadline, "not stopped");
            std::thread::yield_now();
        }
        for _ in 0..4 {
            stand_still(IDLE / 3);
            send(&mut clients);
        }
        server.signal("CONT");
        (0..4).for_each(|_| hear(&mut clients));
        assert_eq!(
            uninterrupted(|| silent.read(&mut [0; 1])).unwrap(),
            0,
            "the silent one is gone"
        );
        send(&mut clients);
        hear(&mut clients);
    });
}

#[test]
fn f6_what_came_while_a_handler_took_its_time_counts_before_its_absence() {
    for timer in [true, false] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (id, other) = accepted(&mut reactor, recorder("other", &log));
        let slow = handler_fn(move |socket, event| {
            if let Event::Data(_) = event {
                let idle = Duration::from_millis(5);
                socket.net().socket(id).unwrap().set_timeout(idle);
                stand_still(3 * idle);
                (&other).write_all(b"x").unwrap();
                // Both have the loop look at the clock again in the course of the turn.
                if !timer {
                    socket.set_timeout(Duration::from_secs(60));
                }
            }
        });
        let (_, mut peer) = accepted(&mut reactor, slow);
        if timer {
            reactor.net().set_timeout(Duration::from_secs(60), |_| ());
        }
        turn_until_quiet(&mut reactor);
        peer.write_all(b"x").unwrap();
        reactor
            .net()
            .socket(id)
            .unwrap()
            .set_timeout(Duration::from_millis(5));
        turn_until_line(&mut reactor, &log, "other data 1");
        assert_eq!(log.lines(), ["other data 1"]);
    }
}

#[test]
fn f7_thousands_of_timers_due_at_once_all_fire_once_in_order_in_bounded_turns() {
    let name =
        "f_timers::f7_thousands_of_timers_due_at_once_all_fire_once_in_order_in_bounded_turns";
    apart(name, ROOM, || {
        const SOCKETS: usize = 5000; // more than a turn looks at
        const TIMERS: usize = 5000;
        let mut reactor = Reactor::new().unwrap();
        let told = Rc::new(RefCell::new(Vec::new()));
        let seen = told.clone();
        let crowd = crowd(&mut reactor, SOCKETS, move |number, _| {
            let seen = seen.clone();
            handler_fn(move |_, event| {
                if let Event::Timeout = event {
                    seen.borrow_mut().push(number);
                }
            })
        });
        let delay = |number: usize| 1 + (number * 7 % 5) as u64;
        let longest = Duration::from_millis(5 + 2);
        // The millisecond at which each is due, which takes several to set them all. An idle timeout
        // counts from the millisecond it was set in, a timer from the very moment.
        let idle_at = |net: &Net, number| net.now().as_millis() as u64 + delay(number);
        let timer_at = |net: &Net, number| {
            let moment = net.now() + Duration::from_millis(delay(number));
            moment.as_nanos().div_ceil(1_000_000) as u64
        };
        let mut idle_due = Vec::new();
        for (number, id) in crowd.ids.iter().enumerate() {
            let mut socket = reactor.net().socket(*id).unwrap();
            socket.set_timeout(Duration::from_millis(delay(number)));
            idle_due.push(idle_at(socket.net(), number));
        }
        let ran = Rc::new(RefCell::new(Vec::new()));
        let mut timer_due = Vec::new();
        for number in 0..TIMERS {
            let ran = ran.clone();
            let delay = Duration::from_millis(delay(number));
            let net = reactor.net(); // once: to ask for it is to look at the clock
            net.set_timeout(delay, move |_| ran.borrow_mut().push(number));
            timer_due.push(timer_at(net, number));
        }
        stand_still(longest);
        let turns = SOCKETS.div_ceil(4096).max(TIMERS.div_ceil(1024));
        for _ in 0..turns {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        for (fired, due, count) in [(told, idle_due, SOCKETS), (ran, timer_due, TIMERS)] {
            let fired = fired.borrow();
            assert!(
                fired.is_sorted_by_key(|&number| due[number]),
                "out of order"
            );
            let mut each: Vec<usize> = fired.clone();
            each.sort_unstable();
            assert!(each.into_iter().eq(0..count), "{} of {count}", fired.len());
        }
        assert_eq!(reactor.next_timeout(), None);
    });
}

#[test]
fn f10_the_idle_timeout_of_a_closed_socket_never_reaches_the_one_in_its_place() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = listen(&mut reactor, |_| handler_fn(|_, _| ()));
    turn_until_quiet(&mut reactor);
    let options = ConnectOptions::from(address).timeout(Duration::from_millis(20));
    let first = reactor
        .net()
        .connect(options, recorder("first", &log))
        .unwrap()
        .id();
    turn_until_line(&mut reactor, &log, "first ready");
    reactor.net().socket(first).unwrap().destroy();
    turn_until_line(&mut reactor, &log, "first close false");
    turn_until_quiet(&mut reactor);
    assert_eq!(reactor.next_timeout(), None, "it went with its socket");
    for _ in 0..4 {
        reactor
            .net()
            .connect(address, recorder("next", &log))
            .unwrap();
    }
    turn_until_lines(&mut reactor, &log, "next ready", 4);
    stand_still(Duration::from_millis(25));
    turn_until_quiet(&mut reactor);
    assert!(
        !log.has("next timeout") && !log.has("first timeout"),
        "{log:?}"
    );
}

#[test]
fn f11_a_timeout_refreshed_by_every_packet_leaves_no_dead_entries_to_wake_for() {
    const PACKETS: u64 = 20_000;
    for set_anew in [false, true] {
        let idle = Duration::from_millis(30);
        let mut reactor = Reactor::new().unwrap();
        let told = Rc::new(Cell::new(0));
        let (count, timeouts) = (told.clone(), Rc::new(Cell::new(0)));
        let fired = timeouts.clone();
        let (id, mut peer) = accepted(
            &mut reactor,
            handler_fn(move |socket, event| match event {
                Event::Data(_) => {
                    count.set(count.get() + 1);
                    if set_anew {
                        socket.set_timeout(idle);
                    }
                }
                Event::Timeout => fired.set(fired.get() + 1),
                _ => {}
            }),
        );
        reactor.net().socket(id).unwrap().set_timeout(idle);
        let (started, before) = (Instant::now(), reactor.net().stats().turns);
        let mut last = started;
        while told.get() < PACKETS {
            last = Instant::now();
            peer.write_all(b"x").unwrap();
            reactor.turn(Some(PATIENCE)).unwrap();
        }
        let idle_periods = (started.elapsed().as_millis() / idle.as_millis()) as u64;
        let turns = reactor.net().stats().turns - before;
        assert!(turns <= PACKETS + idle_periods + 1, "{turns} turns");
        let early = timeouts.get(); // where this process had to wait for its turn

        let before = reactor.net().stats().turns;
        while timeouts.get() == early {
            reactor.turn(Some(PATIENCE)).unwrap();
        }
        assert!(last.elapsed() >= idle);
        // A wake-up for each level of the wheel, the one that finds the entry moved, the timeout.
        let turns = reactor.net().stats().turns - before;
        assert!(turns <= 8, "{turns} turns");
        assert_eq!(reactor.next_timeout(), None);
    }
}
