//! FAULTS group A: errnos of accept, running out of descriptors, backlogs longer than a budget.

use super::world::{FIN, LISTENER, MILLI, READ, RST, World, ZERO, address};
use crate::net::Limits;
use crate::sys::Interest;
use crate::sys::script::{Accept, Call, Kind, Poll, Read};
use crate::{Event, ListenOptions, OutOfDescriptors, handler_fn};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Accept has no descriptor to give, so many times.
fn starve(world: &World, times: usize) {
    for _ in 0..times {
        world.script.on_accept(LISTENER, Accept::Err(libc::EMFILE));
    }
}

fn is_accept(call: &Call) -> bool {
    matches!(call, Call::Accept(_))
}

#[test]
fn a1_a_starved_server_tries_again_every_100_ms_and_tells_it_once() {
    let mut world = World::new();
    starve(&world, 10);
    world.expect_peer("late", |_, _| ());
    world.wake(&[(LISTENER, READ)]);
    assert_eq!(world.log.take(), ["server error accept EMFILE"]);
    assert_eq!(world.reactor.next_timeout(), Some(100 * MILLI));
    world.forget();

    // No event comes when descriptors are free again (P1): only the clock is left to wake it.
    assert_eq!(world.run_for(SECOND - MILLI), 10, "one poll for each retry");
    assert_eq!(world.calls(is_accept).len(), 9);
    assert!(world.log.take().is_empty());
    world.run_for(2 * MILLI);
    assert_eq!(world.log.take(), ["server connection"]);
    assert_eq!(world.net().stats().starved, 1);
    assert_eq!(world.settle(), 0);
    assert_eq!(world.reactor.next_timeout(), None, "no retry is left over");
    world.finish();
}

#[test]
fn a1_a_starved_server_tries_again_as_soon_as_a_socket_of_ours_closes() {
    let mut world = World::new();
    let open = world.accept("open");
    starve(&world, 2);
    world.expect_peer("late", |_, _| ());
    world.wake(&[(LISTENER, READ)]);
    let before = world.now();
    world.socket(open).destroy();
    world.settle(); // this close did not help
    assert_eq!(world.reactor.next_timeout(), Some(100 * MILLI), "no spin");
    let other = world.connect("other", |_, _| ());
    world.net().socket(other).unwrap().destroy(); // it has no descriptor to give back
    world.settle();
    assert_eq!(world.log.count("server connection"), 0);
    let opened = world.connect("opened", |_, _| ());
    world.turn();
    world.net().socket(opened).unwrap().destroy();
    world.settle();
    assert_eq!(world.log.count("server connection"), 1);
    assert_eq!(world.log.count("server error"), 1);
    assert_eq!(world.now(), before, "and nobody slept meanwhile");
    world.finish();
}

#[test]
fn a1_an_episode_lasts_until_nobody_waits() {
    let mut world = World::new();
    starve(&world, 1);
    world.expect_peer("a", |_, _| ());
    starve(&world, 1); // one descriptor came back, and then no more
    world.expect_peer("b", |_, _| ());
    world.wake(&[(LISTENER, READ)]);
    world.run_for(SECOND);
    assert_eq!(
        world.log.take(),
        [
            "server error accept EMFILE",
            "server connection",
            "server connection"
        ]
    );
    starve(&world, 1);
    world.wake(&[(LISTENER, READ)]);
    assert_eq!(world.log.take(), ["server error accept EMFILE"]);
    assert_eq!(world.net().stats().starved, 2);
    world.finish();
}

#[test]
fn a1_a_server_that_is_closed_while_it_starves_leaves_no_retry() {
    let mut world = World::new();
    starve(&world, 1);
    world.wake(&[(LISTENER, READ)]);
    let server = world.server;
    world.net().server(server).unwrap().close().unwrap();
    world.settle();
    assert_eq!(
        world.log.take(),
        ["server error accept EMFILE", "server close"]
    );
    assert_eq!(world.reactor.next_timeout(), None);
    world.finish();
}

fn shedding() -> World {
    let options = ListenOptions::from(address());
    let options = options.when_out_of_descriptors(OutOfDescriptors::Shed);
    World::with(options, Limits::default())
}

#[test]
fn a1_shedding_closes_who_waits_with_the_spare_and_then_sleeps() {
    let mut world = shedding();
    starve(&world, 1);
    world.script.on_accept(LISTENER, Accept::Peer(address()));
    starve(&world, 1); // the spare is held again
    world.wake(&[(LISTENER, READ)]);
    let shed = [
        Call::Accept(LISTENER),
        Call::ReleaseSpare,
        Call::Accept(LISTENER),
        Call::Close(4),
        Call::HoldSpare,
    ];
    let nobody = [
        Call::Accept(LISTENER),
        Call::ReleaseSpare,
        Call::Accept(LISTENER),
        Call::HoldSpare,
    ];
    let calls = world.calls(|call| !matches!(call, Call::Poll(_)));
    assert_eq!(calls, [&shed[..], &nobody[..]].concat());
    assert_eq!(world.log.take(), ["server error accept EMFILE"]);
    assert_eq!(world.net().stats().shed, 1);
    assert_eq!(
        world.reactor.next_timeout(),
        None,
        "nobody waits to be shed"
    );
    world.finish();
}

#[test]
fn a1_shedding_without_the_spare_is_pausing() {
    let mut world = shedding();
    starve(&world, 2); // somebody else took what the spare had held
    world.expect_peer("late", |_, _| ());
    world.wake(&[(LISTENER, READ)]);
    assert_eq!(world.net().stats().shed, 0);
    assert_eq!(world.run_for(99 * MILLI), 1);
    world.run_for(MILLI);
    assert_eq!(
        world.log.take(),
        ["server error accept EMFILE", "server connection"]
    );
    world.finish();
}

#[test]
fn a2_whatever_the_system_lacks_the_server_waits_for_it() {
    for (errno, code) in [
        (libc::EMFILE, "EMFILE"),
        (libc::ENFILE, "ENFILE"),
        (libc::ENOBUFS, "ENOBUFS"),
        (libc::ENOMEM, "ENOMEM"),
    ] {
        let mut world = World::new();
        world.script.on_accept(LISTENER, Accept::Err(errno));
        world.expect_peer("late", |_, _| ());
        world.wake(&[(LISTENER, READ)]);
        assert_eq!(world.log.take(), [format!("server error accept {code}")]);
        world.run_for(100 * MILLI);
        assert_eq!(world.log.take(), ["server connection"], "{code}");
        world.finish();
    }
}

#[test]
fn a3_a_connection_lost_before_accept_is_skipped_in_silence() {
    let errnos = [
        libc::ECONNABORTED,
        libc::EPROTO,
        libc::ENETDOWN,
        libc::ENOPROTOOPT,
        libc::EHOSTDOWN,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        libc::ENONET,
        libc::EHOSTUNREACH,
        libc::EOPNOTSUPP,
        libc::ENETUNREACH,
    ];
    for errno in errnos {
        let mut world = World::new();
        world.script.on_accept(LISTENER, Accept::Err(errno));
        world.expect_peer("next", |_, _| ());
        world.wake(&[(LISTENER, READ)]);
        assert_eq!(world.log.take(), ["server connection"], "errno {errno}");
        assert_eq!(world.settle(), 0);
        world.finish();
    }
}

#[test]
fn a3_a_batch_of_lost_connections_does_not_hide_the_peer_behind_it() {
    let mut world = World::new();
    for _ in 0..100 {
        world
            .script
            .on_accept(LISTENER, Accept::Err(libc::ECONNABORTED));
    }
    world.expect_peer("next", |_, _| ());
    world.wake(&[(LISTENER, READ)]);
    world.settle();
    assert_eq!(world.log.take(), ["server connection"]);
    world.finish();
}

#[test]
fn a3_losses_that_take_nobody_from_the_backlog_do_not_spin() {
    let mut world = World::new();
    for _ in 0..20_000 {
        world
            .script
            .on_accept(LISTENER, Accept::Err(libc::EOPNOTSUPP));
    }
    world.wake(&[(LISTENER, READ)]);
    world.settle();
    assert_eq!(world.log.take(), ["server error accept ENOTSUP"]);
    assert_eq!(world.reactor.next_timeout(), Some(100 * MILLI));
    world.finish();
}

#[test]
fn a3_losses_are_in_a_row_only_until_the_backlog_is_empty() {
    let mut world = World::new();
    for _ in 0..5 {
        for _ in 0..4_000 {
            world
                .script
                .on_accept(LISTENER, Accept::Err(libc::ECONNABORTED));
        }
        world.wake(&[(LISTENER, READ)]);
        world.settle(); // and then nobody waits
    }
    assert_eq!(world.log.take(), [""; 0]);
    assert_eq!(world.reactor.next_timeout(), None);
    world.finish();
}

#[test]
fn a3_a_listener_that_is_broken_says_so_and_stays() {
    let mut world = World::new();
    world.script.on_accept(LISTENER, Accept::Err(libc::EINVAL));
    world.wake(&[(LISTENER, READ)]);
    assert_eq!(world.log.take(), ["server error accept EINVAL"]);
    assert_eq!(world.settle(), 0, "it is not tried for ever");
    world.expect_peer("next", |_, _| ());
    world.wake(&[(LISTENER, READ)]);
    assert_eq!(world.log.take(), ["server connection"]);
    world.finish();
}

#[test]
fn a4_a_signal_disturbs_neither_accept_nor_poll() {
    let mut world = World::new();
    world.script.on_accept(LISTENER, Accept::Err(libc::EINTR));
    world.expect_peer("a", |_, _| ());
    world.script.on_poll(Poll::Err(libc::EINTR));
    world.turn();
    world.wake(&[(LISTENER, READ)]);
    assert_eq!(world.log.take(), ["server connection"]);
    world.finish();
}

#[test]
fn a4_a_sleep_cut_short_by_a_signal_goes_on_for_what_is_left_of_it() {
    let mut world = World::new();
    let log = world.log.clone();
    world
        .net()
        .set_timeout(50 * MILLI, move |_| log.push("rang"));
    world.script.advance(30 * MILLI);
    world.script.on_poll(Poll::Err(libc::EINTR));
    world.reactor.turn(None).unwrap();
    assert!(world.log.take().is_empty());
    world.script.take_calls();
    world.reactor.turn(None).unwrap();
    let slept = [Call::Poll(Some(20 * MILLI))];
    assert_eq!(world.calls(|call| matches!(call, Call::Poll(_))), slept);
    assert_eq!(world.log.take(), ["rang"]);
    world.finish();
}

#[test]
fn a_poller_that_fails_ends_the_run_and_loses_nothing() {
    let mut world = World::new();
    let a = world.accept("a");
    world.socket(a).write(b"queued");
    world.script.on_poll(Poll::Err(libc::EBADF));
    let error = world.reactor.run().unwrap_err();
    assert_eq!(
        (error.code(), error.syscall()),
        ("EBADF", Some("epoll_wait"))
    );
    world.turn();
    assert_eq!(world.script.written(a.descriptor), b"queued");
    world.finish();
}

#[test]
fn a5_one_edge_brings_the_whole_backlog_in_batches_with_others_in_between() {
    const PEERS: usize = 500;
    let limits = Limits {
        read_buffer_bytes: 4,
        reads: 1,
        ..Limits::default()
    };
    let mut world = World::with(address(), limits);
    let talker = world.accept("talker");
    for _ in 0..PEERS {
        world.expect_peer("peer", |_, _| ());
        world.feed(talker, b"talk"); // a full buffer, so that there may always be more
    }
    world.on_poll(&[(LISTENER, READ), (talker.descriptor, READ)]);
    for turn in 0..PEERS.div_ceil(limits.accepts) {
        world.turn();
        let lines = world.log.take();
        let accepted = lines.iter().filter(|it| *it == "server connection");
        let left = PEERS - turn * limits.accepts;
        assert_eq!(accepted.count(), limits.accepts.min(left));
        assert!(lines.contains(&"talker data talk".to_owned()));
        assert_eq!(world.reactor.next_timeout(), Some(ZERO));
    }
    assert_eq!(world.net().stats().accepted, PEERS as u64 + 1);
    world.finish();
}

#[test]
fn a6_a_peer_that_reset_before_accept_is_told_with_its_address() {
    let mut world = World::new();
    let a = world.accept_with("a", |socket, event| {
        if let Event::Error(_) = event {
            assert_eq!(socket.peer_address(), Some(address().into()));
        }
    });
    world
        .script
        .on_read(a.descriptor, Read::Err(libc::ECONNRESET));
    world.wake(&[(a.descriptor, RST)]);
    assert_eq!(
        world.log.take(),
        ["a error read ECONNRESET", "a close true"]
    );
    world.finish();
}

#[test]
fn a8_no_connection_comes_after_a_close_in_the_middle_of_a_batch() {
    let mut world = World::new();
    let accepted = Rc::new(Cell::new(0));
    let (count, own) = (accepted.clone(), Rc::new(Cell::new(None)));
    let id = own.clone();
    let server = world.net().listen(address(), move |socket| {
        count.set(count.get() + 1);
        let mut server = socket.net().server(id.get().unwrap()).unwrap();
        server.close().unwrap();
        assert!(!server.listening());
        handler_fn(|_, _| ())
    });
    own.set(Some(server.unwrap().id()));
    for _ in 0..3 {
        world.script.on_accept(4, Accept::Peer(address()));
    }
    world.wake(&[(4, READ)]);
    world.settle();
    assert_eq!(accepted.get(), 1);
    // The backlog goes with the listener; the one that was taken lives on.
    assert_eq!(world.script.open_descriptors(), [LISTENER, 5]);
    world.finish();
}

#[test]
fn a9_a_peer_that_is_turned_away_needs_no_address_of_ours() {
    let options = ListenOptions::from(address()).max_connections(0);
    let mut world = World::with(options, Limits::default());
    world.script.answer(Kind::LocalAddress, Err(libc::EINVAL));
    world.script.on_accept(LISTENER, Accept::Peer(address()));
    world.wake(&[(LISTENER, READ)]);
    assert_eq!(world.log.take(), ["server drop 127.0.0.1:80"]);
    assert_eq!(world.script.open_descriptors(), [LISTENER]);
    world.finish();
}

#[test]
fn a14_an_option_that_cannot_be_set_turns_nobody_away() {
    let options = ListenOptions::from(address());
    let options = options.no_delay(true).keep_alive(true);
    let mut world = World::with(options, Limits::default());
    world.script.answer(Kind::SetOption, Err(libc::EINVAL));
    world.script.answer(Kind::SetOption, Err(libc::EINVAL));
    let a = world.accept("a");
    world.feed(a, b"hello");
    world.feed_end(a);
    world.wake(&[(a.descriptor, FIN)]);
    world.settle();
    assert_eq!(
        world.log.take(),
        ["a data hello", "a end", "a finish", "a close false"]
    );
    world.finish();
}

#[test]
fn a15_a_socket_that_cannot_be_watched_is_closed_and_the_next_is_served() {
    for (errno, code) in [(libc::ENOSPC, "ENOSPC"), (libc::ENOMEM, "ENOMEM")] {
        let mut world = World::new();
        world.script.on_accept(LISTENER, Accept::Peer(address()));
        world.script.answer(Kind::Register, Err(errno));
        world.expect_peer("next", |_, _| ());
        world.wake(&[(LISTENER, READ)]);
        assert_eq!(
            world.log.take(),
            [
                "server connection".into(),
                format!("server error accept {code}")
            ]
        );
        let expected = [
            Call::Accept(LISTENER),
            Call::Register(4, Interest::Read),
            Call::Close(4),
            Call::Accept(LISTENER),
            Call::Register(4, Interest::Read),
            Call::Accept(LISTENER),
        ];
        let calls = world.calls(|call| !matches!(call, Call::Poll(_)));
        assert_eq!(calls, expected);
        let server = world.server;
        let server = world.net().server(server).unwrap();
        assert_eq!(server.connections(), 1, "the one that is left");
        assert_eq!(world.net().stats().sockets, 1);
        world.finish();
    }
}
