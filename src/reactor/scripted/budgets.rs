//! What a budget of one socket leaves to the others.

use super::world::{End, READ, World, ZERO, is_write, pattern};
use crate::net::Limits;
use crate::sys::script::Call;

/// A world of small reads, with a socket that has much to read and one with little, ready at once.
fn flooder_beside_quiet() -> (World, End, End) {
    let limits = Limits {
        read_buffer_bytes: 4,
        ..Limits::default()
    };
    let mut world = World::with("127.0.0.1:80", limits);
    let (flooder, quiet) = (world.accept("flooder"), world.accept("quiet"));
    world.feed(flooder, &pattern(24));
    world.feed(quiet, b"q");
    (world, flooder, quiet)
}

/// How many reads of the flooder come before the quiet one is served.
fn reads_before_the_quiet_one(budget: impl FnOnce(&mut crate::Net)) -> usize {
    let (mut world, flooder, quiet) = flooder_beside_quiet();
    budget(world.net());
    world.wake(&[(flooder.descriptor, READ), (quiet.descriptor, READ)]);
    let order = world.log.take();
    assert_eq!(order.iter().filter(|it| *it == "quiet data q").count(), 1);
    if order.len() < 7 {
        assert_eq!(world.reactor.next_timeout(), Some(ZERO), "the rest waits");
    }
    world.settle();
    let all = order.len() - 1 + world.log.take().len();
    assert_eq!(all, 6, "nothing of the flood is lost");
    world.finish();
    order.iter().position(|it| it == "quiet data q").unwrap()
}

#[test]
fn a_quiet_socket_waits_for_as_many_reads_as_the_budget_has() {
    assert_eq!(reads_before_the_quiet_one(|_| ()), 6);
    for calls in [1, 2, 5] {
        let budget = |net: &mut crate::Net| net.set_read_budget_calls(calls).unwrap();
        assert_eq!(reads_before_the_quiet_one(budget), calls);
    }
    // No read is cut: with 4 bytes a read, 5 bytes are two of them.
    for (bytes, reads) in [(1, 1), (4, 1), (5, 2), (8, 2), (1000, 6)] {
        let budget = |net: &mut crate::Net| net.set_read_budget_bytes(bytes).unwrap();
        assert_eq!(reads_before_the_quiet_one(budget), reads, "{bytes}");
    }
}

#[test]
fn a_budget_for_writing_sends_a_long_queue_in_pieces() {
    let mut world = World::new();
    let a = world.accept("a");
    world.net().set_write_budget_bytes(100).unwrap();
    world.socket(a).write(&pattern(250));
    world.turn();
    assert_eq!(world.script.written(a.descriptor).len(), 100);
    assert_eq!(world.reactor.next_timeout(), Some(ZERO), "the rest waits");
    world.settle();
    assert_eq!(world.script.written(a.descriptor), pattern(250));
    let pieces = [100, 100, 50].map(|bytes| Call::Write(a.descriptor, bytes));
    assert_eq!(world.calls(is_write), pieces);
    world.finish();
}
