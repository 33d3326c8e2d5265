//! What a handler writes to its own socket: when it leaves, in how many calls, and what of it can be
//! seen meanwhile.

use super::world::{End, READ, WRITE, World, address, is_write, pattern};
use crate::sys::script::{Call, Write};
use crate::{Event, ListenOptions, Socket};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A socket that does `react` when data comes, and its world.
fn answering(react: impl FnMut(&mut Socket<'_>) + 'static) -> (World, End) {
    answering_with(address().into(), react)
}

fn answering_with(
    options: ListenOptions,
    mut react: impl FnMut(&mut Socket<'_>) + 'static,
) -> (World, End) {
    let mut world = World::with(options, Default::default());
    let a = world.accept_with("a", move |socket, event| {
        if let Event::Data(_) = event {
            react(socket);
        }
    });
    (world, a)
}

/// Lets data come, and gives back the sends that this led to.
fn ask(world: &mut World, a: End) -> Vec<Call> {
    world.feed(a, b"?");
    world.wake(&[(a.descriptor, READ)]);
    world.calls(is_write)
}

#[test]
fn sixteen_replies_to_one_read_leave_in_one_send() {
    let (mut world, a) = answering(|socket| {
        for nth in 0..16_u8 {
            assert!(socket.write(&[nth; 64]));
        }
    });
    assert_eq!(ask(&mut world, a), [Call::Write(a.descriptor, 1024)]);
    let sent = world.script.written(a.descriptor);
    assert!(
        sent.chunks(64)
            .zip(0..)
            .all(|(reply, nth)| reply == [nth; 64])
    );
    assert_eq!(world.socket(a).bytes_written(), 1024);
    world.finish();
}

#[test]
fn what_was_written_counts_at_once_and_leaves_when_the_handler_returns() {
    let (mut world, a) = answering(|socket| {
        assert_eq!((socket.bytes_written(), socket.buffer_size()), (0, 0));
        socket.write(b"abc");
        socket.write(b"de");
        assert_eq!((socket.bytes_written(), socket.buffer_size()), (5, 5));
        let id = socket.id();
        let again = socket.net().socket(id).expect("it is open");
        assert_eq!((again.bytes_written(), again.buffer_size()), (5, 5));
    });
    assert_eq!(ask(&mut world, a), [Call::Write(a.descriptor, 5)]);
    assert_eq!(world.socket(a).buffer_size(), 0);
    world.finish();
}

#[test]
fn what_the_kernel_does_not_take_waits_in_order() {
    let (mut world, a) = answering(|socket| {
        socket.write(b"abc");
        socket.write(b"def");
    });
    world.script.on_write(a.descriptor, Write::Takes(2));
    assert_eq!(ask(&mut world, a), [Call::Write(a.descriptor, 6)]);
    assert_eq!(world.socket(a).buffer_size(), 4);
    assert_eq!(world.socket(a).bytes_written(), 6);
    // Others come before the kernel has room: nothing overtakes what waits.
    assert_eq!(ask(&mut world, a), []);
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.script.written(a.descriptor), b"abcdefabcdef");
    world.finish();
}

#[test]
fn a_send_that_fails_is_told_once_and_fails_the_socket() {
    let (mut world, a) = answering(|socket| {
        assert!(socket.write(b"abc"));
    });
    world.script.on_write(a.descriptor, Write::Err(libc::EPIPE));
    ask(&mut world, a);
    world.settle();
    assert_eq!(
        world.log.take(),
        ["a data ?", "a error write EPIPE", "a close true"]
    );
    world.finish();
}

#[test]
fn a_reply_before_a_cork_leaves_and_one_behind_it_is_held_back() {
    let (mut world, a) = answering(|socket| {
        socket.write(b"before");
        socket.cork();
        assert!(socket.write(b"behind"));
    });
    assert_eq!(ask(&mut world, a), [Call::Write(a.descriptor, 6)]);
    assert_eq!(world.script.written(a.descriptor), b"before");
    world.socket(a).uncork();
    world.settle();
    assert_eq!(world.script.written(a.descriptor), b"beforebehind");
    world.finish();
}

#[test]
fn a_reply_leaves_before_the_fin_and_before_a_destruction() {
    let ends: [fn(&mut Socket<'_>); 3] = [|it| it.end(), |it| it.destroy_soon(), |it| it.destroy()];
    for end in ends {
        let (mut world, a) = answering(move |socket| {
            socket.write(b"last");
            end(socket);
            assert!(!socket.write(b"too late"));
        });
        world.feed(a, b"?");
        world.wake(&[(a.descriptor, READ)]);
        assert_eq!(world.script.written(a.descriptor), b"last");
        world.finish();
    }
}

#[test]
fn a_large_reply_keeps_its_place_behind_small_ones() {
    let large = pattern(10_000);
    let expected = [b"small", &large[..], b"more"].concat();
    let (mut world, a) = answering(move |socket| {
        socket.write(b"small");
        socket.write(&large);
        socket.write(b"more");
    });
    world.script.on_write(a.descriptor, Write::Takes(3));
    ask(&mut world, a);
    world.wake(&[(a.descriptor, WRITE)]);
    assert_eq!(world.script.written(a.descriptor), expected);
    world.finish();
}

#[test]
fn replies_that_reach_the_mark_ask_the_kernel_before_the_answer_is_no() {
    for (taken, welcome) in [(Write::All, true), (Write::Err(libc::EAGAIN), false)] {
        let options = ListenOptions::from(address()).high_water_mark(8);
        let (mut world, a) = answering_with(options, move |socket| {
            assert!(socket.write(b"1234567"), "below the mark");
            assert_eq!(socket.write(b"8"), welcome, "at the mark");
        });
        world.script.on_write(a.descriptor, taken);
        assert_eq!(ask(&mut world, a), [Call::Write(a.descriptor, 8)]);
        assert_eq!(world.socket(a).writable_need_drain(), !welcome);
        world.finish();
    }
}

#[test]
fn replies_through_another_view_of_the_socket_keep_their_order() {
    let (mut world, a) = answering(|socket| {
        socket.write(b"one ");
        let id = socket.id();
        socket.net().socket(id).expect("it is open").write(b"two ");
        socket.write(b"three");
    });
    assert_eq!(ask(&mut world, a), [Call::Write(a.descriptor, 13)]);
    assert_eq!(world.script.written(a.descriptor), b"one two three");
    world.finish();
}

#[test]
fn a_reply_to_another_socket_is_not_taken_for_one_to_the_own() {
    let (mut world, a) = answering(|_| ());
    let b = world.accept_with("b", move |socket, event| {
        if let Event::Data(_) = event {
            socket.write(b"to b");
            socket
                .net()
                .socket(a.id)
                .expect("it is open")
                .write(b"to a");
            socket.write(b" too");
        }
    });
    world.feed(b, b"?");
    world.wake(&[(b.descriptor, READ)]);
    assert_eq!(world.script.written(a.descriptor), b"to a");
    assert_eq!(world.script.written(b.descriptor), b"to b too");
    world.finish();
}

#[test]
fn a_reply_of_a_handler_that_panics_goes_to_nobody_else() {
    let (mut world, a) = answering(|socket| {
        socket.write(b"lost");
        panic!("on purpose");
    });
    let b = world.accept_with("b", |socket, event| {
        if let Event::Data(_) = event {
            socket.write(b"hello");
        }
    });
    world.feed(a, b"?");
    world.feed(b, b"?");
    world.on_poll(&[(a.descriptor, READ), (b.descriptor, READ)]);
    catch_unwind(AssertUnwindSafe(|| world.turn())).expect_err("it panics");
    assert_eq!(world.socket(a).bytes_written(), 4, "accepted all the same");
    world.settle();
    assert_eq!(world.script.written(b.descriptor), b"hello");
    assert_eq!(world.script.written(a.descriptor), b"");
    world.finish();
}

#[test]
fn e7_a_handler_that_panics_as_it_goes_costs_its_socket_and_not_its_reply() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let bad = Bad;
    let (mut world, a) = answering(move |socket| {
        let _ = &bad;
        socket.write(b"last");
        socket.set_handler(crate::handler_fn(|_, _| ()));
    });
    world.feed(a, b"?");
    world.on_poll(&[(a.descriptor, READ)]);
    catch_unwind(AssertUnwindSafe(|| world.turn())).expect_err("it panics");
    assert_eq!(world.script.written(a.descriptor), b"last");
    assert!(world.socket(a).destroyed());
    world.settle();
    assert_eq!(world.net().stats().sockets, 0, "and nothing keeps it");
    world.finish();
}

#[test]
fn what_is_written_in_a_timeout_counts_as_activity() {
    let mut world = World::new();
    let a = world.accept_with("a", |socket, event| {
        if let Event::Timeout = event {
            socket.write(b"still there?");
        }
    });
    let idle = std::time::Duration::from_millis(100);
    world.socket(a).set_timeout(idle);
    world.run_for(idle * 5);
    let told = world.log.take();
    assert!(
        (4..=5).contains(&told.len()),
        "{told:?}: it is armed anew each time"
    );
    world.finish();
}
