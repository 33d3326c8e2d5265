//! One buffer of 1 KiB to ten thousand sockets: no copy and no allocation for those that take it whole.
//!
//! On a stand-in kernel, since a process may hold fewer real ones; `allocations` has the same with
//! real sockets. In a binary of its own, which has the counting allocator to itself.

use allocation_counter::measure;
use bytes::Bytes;
use netloop::inside::StandIn;
use netloop::{Event, Reactor, SocketId, handler_fn};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const CROWD: u32 = 10_000;
const TIMES: u64 = 3;

fn turn(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_broadcast_to_ten_thousand_copies_nothing_and_allocates_nothing() {
    let stand_in = StandIn::new();
    let mut reactor = stand_in.reactor();
    let news = Bytes::from(vec![7; 1024]);
    stand_in.watch(&news);
    let crowd: Rc<RefCell<Vec<SocketId>>> = Rc::default();
    let (members, shared) = (crowd.clone(), news.clone());
    let listening = reactor.net().listen(7000, move |socket| {
        members.borrow_mut().push(socket.id());
        let (members, shared) = (members.clone(), shared.clone());
        handler_fn(move |socket, event| {
            if let Event::Data(_) = event {
                for &member in members.borrow().iter() {
                    let mut member = socket.net().socket(member).unwrap();
                    assert!(member.write_bytes(shared.clone()));
                }
            }
        })
    });
    listening.unwrap();
    stand_in.peers_connect(CROWD);
    while crowd.borrow().len() < CROWD as usize {
        turn(&mut reactor);
    }

    // The first time may allocate: lists grow to their size and are kept.
    stand_in.peers_send(&[3]);
    turn(&mut reactor);
    assert_eq!(stand_in.uncopied_writes(), CROWD.into());
    let counted = measure(|| {
        for _ in 0..TIMES {
            stand_in.peers_send(&[3]);
            turn(&mut reactor);
        }
    });
    assert_eq!(counted.count_total, 0);
    assert_eq!(stand_in.uncopied_writes(), (1 + TIMES) * u64::from(CROWD));
    let writes = reactor.net().stats().syscalls;
    assert_eq!(
        writes.write + writes.write_vectored,
        stand_in.uncopied_writes()
    );
}
