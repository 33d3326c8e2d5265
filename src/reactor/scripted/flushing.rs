//! `flush_now`: what leaves when, and what of it is told when.

use super::world::{End, READ, WRITE, World, is_write, pattern};
use crate::net::Limits;
use crate::sys::script::{Call, Write};
use crate::{Event, ListenOptions, Socket};

/// A world with one socket that does this with each byte that it gets.
fn world_where(on_data: impl FnMut(&mut Socket<'_>) + 'static) -> (World, End) {
    let mut world = World::new();
    let end = accept_where(&mut world, on_data);
    (world, end)
}

fn accept_where(world: &mut World, mut on_data: impl FnMut(&mut Socket<'_>) + 'static) -> End {
    world.accept_with("a", move |socket, event| {
        if let Event::Data(_) = event {
            on_data(socket);
        }
    })
}

fn ask(world: &mut World, end: End) {
    world.feed(end, b"?");
    world.wake(&[(end.descriptor, READ)]);
}

#[test]
fn what_was_gathered_leaves_now_and_the_rest_when_the_handler_returns() {
    let (mut world, a) = world_where(|socket| {
        socket.flush_now(); // nothing yet
        socket.write(b"one");
        socket.write(b"two");
        socket.flush_now();
        assert_eq!(socket.buffer_size(), 0, "it is with the kernel");
        socket.flush_now(); // nothing any more
        socket.write(b"three");
    });
    ask(&mut world, a);
    let sent = [6, 5].map(|bytes| Call::Write(a.descriptor, bytes));
    assert_eq!(world.calls(is_write), sent);
    assert_eq!(world.script.written(a.descriptor), b"onetwothree");
    assert_eq!(world.settle(), 0);
    world.finish();
}

#[test]
fn a_socket_beside_the_one_that_is_served_is_flushed_at_once_and_not_again() {
    let mut world = World::new();
    let other = world.accept("other");
    let a = accept_where(&mut world, move |socket| {
        let mut other = socket.net().socket(other.id).unwrap();
        other.write(b"news");
        other.flush_now();
        assert_eq!(other.buffer_size(), 0);
    });
    ask(&mut world, a);
    assert_eq!(world.calls(is_write), [Call::Write(other.descriptor, 4)]);
    // From outside of a turn, too.
    world.socket(other).write(b"more");
    world.socket(other).flush_now();
    assert_eq!(world.calls(is_write), [Call::Write(other.descriptor, 4)]);
    world.settle();
    assert_eq!(world.calls(is_write), []);
    world.finish();
}

#[test]
fn where_nothing_may_be_sent_nothing_is() {
    // Corked.
    let (mut world, a) = world_where(|socket| {
        socket.cork();
        socket.write(b"held");
        socket.flush_now();
        assert_eq!(socket.buffer_size(), 4);
    });
    ask(&mut world, a);
    assert_eq!(world.calls(is_write), []);
    world.socket(a).uncork();
    world.socket(a).flush_now();
    assert_eq!(world.calls(is_write), [Call::Write(a.descriptor, 4)]);
    // The kernel has said no.
    world.script.on_write(a.descriptor, Write::Takes(1));
    world.socket(a).write(b"blocked");
    world.socket(a).flush_now();
    world.socket(a).flush_now();
    assert_eq!(world.calls(is_write), [Call::Write(a.descriptor, 7)]);
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.calls(is_write), [Call::Write(a.descriptor, 6)]);
    // Destroyed.
    world.socket(a).destroy();
    world.socket(a).flush_now();
    assert_eq!(world.calls(is_write), []);
    world.settle();
    // Connecting.
    let id = world.connect("client", |_, _| ());
    let mut client = world.net().socket(id).unwrap();
    client.write(b"early");
    client.flush_now();
    world.turn();
    world.net().socket(id).unwrap().flush_now();
    assert_eq!(world.calls(is_write), []);
    world.finish();
}

#[test]
fn a_send_that_fails_is_told_later_and_once() {
    let (mut world, a) = world_where(|socket| {
        socket.write(b"one");
        socket.flush_now();
        assert!(socket.destroyed());
        assert!(!socket.write(b"two"));
        socket.flush_now();
        socket.destroy();
    });
    world.script.on_write(a.descriptor, Write::Err(libc::EPIPE));
    ask(&mut world, a);
    world.settle();
    let told = ["a data ?", "a error write EPIPE", "a close true"];
    assert_eq!(world.log.take(), told);
    world.finish();
}

#[test]
fn completions_drain_and_finish_are_told_after_the_handler() {
    let options = ListenOptions::from("127.0.0.1:80").high_water_mark(8);
    let mut world = World::with(options, Limits::default());
    let log = world.log.clone();
    let a = accept_where(&mut world, move |socket| {
        let written = log.clone();
        socket.write_then(b"one", move |_, outcome| {
            outcome.unwrap();
            written.push("written");
        });
        socket.flush_now();
        log.push("returned");
    });
    ask(&mut world, a);
    world.settle();
    assert_eq!(world.log.take(), ["a data ?", "returned", "written"]);
    // The kernel takes less than the mark, so the answer is false; then there is room.
    world.script.on_write(a.descriptor, Write::Takes(1));
    assert!(!world.socket(a).write(&pattern(20)));
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.log.take(), ["a drain"]);
    world.socket(a).write(b"last");
    world.socket(a).flush_now();
    world.socket(a).end();
    world.socket(a).flush_now();
    world.settle();
    assert_eq!(world.log.take(), ["a finish"]);
    world.finish();
}

#[test]
fn it_goes_beyond_the_budget_and_takes_along_what_the_budget_left() {
    let limits = Limits {
        write_bytes: 10,
        ..Limits::default()
    };
    let mut world = World::with("127.0.0.1:80", limits);
    let a = accept_where(&mut world, |socket| {
        socket.write(&pattern(100));
    });
    ask(&mut world, a);
    let sent = world.script.written(a.descriptor).len();
    assert!(sent < 100, "the budget stops the loop's own flush");
    world.socket(a).flush_now();
    assert_eq!(world.script.written(a.descriptor), pattern(100));
    world.settle();
    assert_eq!(world.script.written(a.descriptor), pattern(100));
    world.finish();
}
