//! The kernel facts of a strict edge-triggered TCP, each on two hosts with nothing between them and
//! the calls. The names P1 to P19 are those of the facts as measured on Linux.

use std::net::SocketAddr;

use super::Network;
use crate::sim::dice::Dice;
use crate::sim::faults::Faults;
use crate::sim::link::Link;
use crate::sys::Interest::{Parked, ParkedWrite, Read, ReadWrite};
use crate::sys::{Interest, Readiness};

const SERVER: usize = 0;
const CLIENT: usize = 1;
const PORT: u16 = 80;
/// The token of whatever a test watches.
const TOKEN: u64 = 7;

const READ: Readiness = Readiness::READ;
const WRITE: Readiness = Readiness::WRITE;
const END: Readiness = READ.with(Readiness::READ_CLOSED);
const GONE: Readiness = END.with(WRITE);
const FAILED: Readiness = GONE.with(Readiness::ERROR);

/// Two hosts, and whatever is open on them.
struct Pair {
    network: Network,
    listener: u32,
    /// The accepted end, on the server.
    ours: u32,
    /// The end that connected.
    theirs: u32,
}

fn network(link: Link) -> Network {
    let mut network = Network::new(1, Faults::none(), link, Dice::new(1));
    network.add_host(0);
    network.add_host(0);
    network
}

fn target() -> SocketAddr {
    (Network::address_of(SERVER), PORT).into()
}

fn listen(network: &mut Network, backlog: u32) -> u32 {
    network
        .listen(SERVER, target(), backlog, false, false)
        .unwrap()
}

/// Lets everything happen that is on its way.
fn settle(network: &mut Network) {
    while let Some(next) = network.next_happening() {
        network.advance_to(next);
    }
}

fn pair_over(link: Link) -> Pair {
    let mut network = network(link);
    let listener = listen(&mut network, 16);
    let theirs = network.connect(CLIENT, target(), None).unwrap();
    settle(&mut network);
    let (ours, _) = network.accept(SERVER, listener).unwrap();
    Pair {
        network,
        listener,
        ours,
        theirs,
    }
}

/// A pair whose accepted end is watched, with nothing left to tell.
fn watched(interest: Interest) -> Pair {
    let mut pair = pair_over(Link::default());
    let ours = pair.ours;
    pair.network
        .register(SERVER, ours, TOKEN, interest)
        .unwrap();
    pair.told();
    pair
}

impl Pair {
    /// What the server's poll finds once everything has happened.
    fn told(&mut self) -> Vec<Readiness> {
        settle(&mut self.network);
        let events = self.network.poll(SERVER, 16);
        events.into_iter().map(|(_, ready)| ready).collect()
    }

    fn rewatch(&mut self, interest: Interest) {
        let ours = self.ours;
        self.network
            .reregister(SERVER, ours, TOKEN, interest)
            .unwrap();
    }

    fn peer_writes(&mut self, bytes: &[u8]) {
        let taken = self.network.write(CLIENT, self.theirs, bytes, bytes.len());
        assert_eq!(taken, Ok(bytes.len()));
    }

    fn peer_ends(&mut self) {
        self.network.shutdown(CLIENT, self.theirs).unwrap();
    }

    fn peer_resets(&mut self) {
        self.network.reset_on_close(CLIENT, self.theirs);
        self.network.close(CLIENT, self.theirs);
    }

    fn read(&mut self) -> Result<usize, i32> {
        self.network.read(SERVER, self.ours, &mut [0; 4096])
    }

    fn write(&mut self, bytes: usize) -> Result<usize, i32> {
        let bytes = vec![b'x'; bytes];
        self.network.write(SERVER, self.ours, &bytes, bytes.len())
    }
}

#[test]
fn p1_a_backlog_that_was_told_is_not_told_again_until_it_is_registered_anew() {
    let mut network = network(Link::default());
    let listener = listen(&mut network, 16);
    network.register(SERVER, listener, TOKEN, Read).unwrap();
    for _ in 0..3 {
        network.connect(CLIENT, target(), None).unwrap();
    }
    settle(&mut network);
    assert_eq!(
        network.poll(SERVER, 16),
        [(TOKEN, READ)],
        "three are one edge"
    );
    network.limit_descriptors(SERVER, Some(1));
    assert_eq!(network.accept(SERVER, listener), Err(libc::EMFILE));
    network.limit_descriptors(SERVER, None);
    assert_eq!(network.backlog(SERVER, listener), 3);
    assert!(!network.has_events(SERVER));
    network.reregister(SERVER, listener, TOKEN, Read).unwrap();
    assert_eq!(network.poll(SERVER, 16), [(TOKEN, READ)]);
}

#[test]
fn p2_a_parked_socket_is_told_of_no_data_and_of_all_of_it_when_it_comes_back() {
    for interest in [Parked, ParkedWrite] {
        let mut pair = watched(Read);
        pair.rewatch(interest);
        pair.told();
        for _ in 0..200 {
            pair.peer_writes(b"x");
            assert_eq!(pair.told(), []);
        }
        pair.rewatch(Read);
        assert_eq!(pair.told(), [READ]);
        assert_eq!(pair.read(), Ok(200));
    }
}

#[test]
fn p3_a_fin_is_bare_room_to_who_asks_for_room_and_nothing_to_who_is_parked() {
    for (interest, fin) in [(ParkedWrite, vec![WRITE]), (Parked, vec![])] {
        let mut pair = watched(interest);
        pair.peer_ends();
        assert_eq!(pair.told(), fin);
        assert_eq!(pair.told(), []);
        pair.rewatch(Read);
        assert_eq!(pair.told(), [END]);
    }
}

#[test]
fn p3_a_reset_is_told_once_whatever_the_interest_and_again_by_each_change() {
    for interest in [Read, ReadWrite, Parked, ParkedWrite] {
        let mut pair = watched(interest);
        pair.peer_resets();
        assert_eq!(pair.told(), [FAILED], "{interest:?}");
        assert_eq!(pair.told(), []);
        pair.rewatch(interest);
        assert_eq!(pair.told(), [FAILED]);
    }
}

#[test]
fn p5_a_registration_is_told_what_is_true_already() {
    let mut pair = pair_over(Link::default());
    pair.peer_writes(b"early");
    settle(&mut pair.network);
    let ours = pair.ours;
    pair.network.register(SERVER, ours, TOKEN, Read).unwrap();
    assert_eq!(pair.told(), [READ]);
    assert_eq!(pair.told(), []);
    pair.rewatch(ReadWrite);
    assert_eq!(pair.told(), [READ.with(WRITE)]);
}

#[test]
fn p6_bytes_and_the_fin_behind_them_are_one_edge() {
    let mut pair = watched(Read);
    pair.peer_writes(b"0123456789");
    pair.peer_ends();
    assert_eq!(pair.told(), [END]);
    assert_eq!(pair.read(), Ok(10));
    assert_eq!(pair.told(), []);
    assert_eq!(pair.read(), Ok(0));
    assert_eq!(pair.read(), Ok(0));
}

#[test]
fn p7_a_close_with_unread_input_is_a_reset_that_loses_what_was_not_sent() {
    let mut pair = pair_over(Link::default().receive_buffer(1000));
    pair.peer_writes(b"never read");
    settle(&mut pair.network);
    assert_eq!(pair.write(50_000), Ok(50_000));
    settle(&mut pair.network);
    pair.network.close(SERVER, pair.ours);
    settle(&mut pair.network);
    let mut buffer = [0; 4096];
    let mut read = || pair.network.read(CLIENT, pair.theirs, &mut buffer);
    assert_eq!(read(), Ok(1000), "what had arrived is still there");
    assert_eq!(read(), Err(libc::ECONNRESET));
    assert_eq!(read(), Ok(0), "errors are told once");
}

#[test]
fn p8_a_connection_that_was_reset_before_accept_is_accepted_with_its_address() {
    let mut network = network(Link::default());
    let listener = listen(&mut network, 16);
    let theirs = network.connect(CLIENT, target(), None).unwrap();
    settle(&mut network);
    let client = network.local_address(CLIENT, theirs).unwrap();
    network.reset_on_close(CLIENT, theirs);
    network.close(CLIENT, theirs);
    settle(&mut network);
    let (ours, from) = network.accept(SERVER, listener).unwrap();
    assert_eq!(from, client);
    assert_eq!(network.peer_address(SERVER, ours), Err(libc::ENOTCONN));
    let mut read = || network.read(SERVER, ours, &mut [0; 8]);
    assert_eq!(read(), Err(libc::ECONNRESET));
    assert_eq!(read(), Ok(0));
}

#[test]
fn p9_a_peer_that_is_gone_takes_one_write_and_then_none() {
    let mut pair = pair_over(Link::default());
    pair.network.close(CLIENT, pair.theirs);
    settle(&mut pair.network);
    assert_eq!(pair.write(1), Ok(1));
    settle(&mut pair.network);
    assert_eq!(pair.write(1), Err(libc::EPIPE));
    assert_eq!(pair.write(1), Err(libc::EPIPE));
    assert_eq!(pair.network.take_error(SERVER, pair.ours), None);
}

#[test]
fn a_reset_behind_a_fin_is_an_error_that_no_read_tells() {
    // Measured like the P facts: recv answers 0 for ever, SO_ERROR is EPIPE.
    let mut pair = watched(Read);
    pair.peer_ends();
    pair.told();
    pair.peer_resets();
    assert_eq!(pair.told(), [FAILED]);
    assert_eq!(pair.read(), Ok(0));
    assert_eq!(
        pair.network.take_error(SERVER, pair.ours),
        Some(libc::EPIPE)
    );
}

#[test]
fn p11_closing_a_listener_resets_who_waits_in_it() {
    let mut network = network(Link::default());
    let listener = listen(&mut network, 16);
    let theirs = network.connect(CLIENT, target(), None).unwrap();
    settle(&mut network);
    network.close(SERVER, listener);
    settle(&mut network);
    let answer = network.read(CLIENT, theirs, &mut [0; 8]);
    assert_eq!(answer, Err(libc::ECONNRESET));
}

#[test]
fn p12_a_full_backlog_leaves_a_connect_without_an_answer() {
    let mut network = network(Link::default());
    let listener = listen(&mut network, 0);
    let first = network.connect(CLIENT, target(), None).unwrap();
    let second = network.connect(CLIENT, target(), None).unwrap();
    network.advance_to(500_000_000);
    assert!(network.peer_address(CLIENT, first).is_ok());
    assert_eq!(network.peer_address(CLIENT, second), Err(libc::ENOTCONN));
    assert_eq!(network.take_error(CLIENT, second), None);
    // The SYN is sent again, and finds room by then.
    network.accept(SERVER, listener).unwrap();
    settle(&mut network);
    assert!(network.peer_address(CLIENT, second).is_ok());
}

#[test]
fn a_connect_that_nobody_answers_times_out_after_two_minutes() {
    let mut network = network(Link::default());
    listen(&mut network, 0);
    network.connect(CLIENT, target(), None).unwrap();
    let second = network.connect(CLIENT, target(), None).unwrap();
    network.register(CLIENT, second, TOKEN, ReadWrite).unwrap();
    settle(&mut network);
    assert_eq!(network.now / 1_000_000_000, 127);
    assert_eq!(network.poll(CLIENT, 1), [(TOKEN, FAILED)]);
    assert_eq!(network.take_error(CLIENT, second), Some(libc::ETIMEDOUT));
}

#[test]
fn p19_room_is_an_edge_only_after_a_write_that_was_refused_or_cut_short() {
    let link = Link::default().send_buffer(3000).receive_buffer(3000);
    let mut pair = pair_over(link);
    let ours = pair.ours;
    pair.network
        .register(SERVER, ours, TOKEN, ReadWrite)
        .unwrap();
    assert_eq!(pair.told(), [WRITE]);
    assert_eq!(pair.write(3000), Ok(3000), "taken whole");
    assert_eq!(pair.told(), [], "so nobody waits for room");
    assert_eq!(pair.write(4000), Ok(3000), "cut short");
    assert_eq!(pair.told(), [], "the peer has not read yet");
    let mut buffer = [0; 3000];
    pair.network.read(CLIENT, pair.theirs, &mut buffer).unwrap();
    assert_eq!(pair.told(), [WRITE]);
    assert_eq!(pair.told(), []);
}

#[test]
fn a_refused_connect_has_its_reason_once() {
    let mut network = network(Link::default());
    let theirs = network.connect(CLIENT, target(), None).unwrap();
    network.register(CLIENT, theirs, TOKEN, ReadWrite).unwrap();
    assert!(!network.has_events(CLIENT));
    settle(&mut network);
    assert_eq!(network.poll(CLIENT, 1), [(TOKEN, FAILED)]);
    let reason = Some(libc::ECONNREFUSED);
    assert_eq!(network.take_error(CLIENT, theirs), reason);
    assert_eq!(network.take_error(CLIENT, theirs), None);
}

#[test]
fn a_half_closed_connection_carries_bytes_the_other_way() {
    let mut pair = watched(Read);
    pair.peer_ends();
    assert_eq!(pair.told(), [END]);
    assert_eq!(pair.read(), Ok(0));
    assert_eq!(pair.write(5), Ok(5));
    pair.network.shutdown(SERVER, pair.ours).unwrap();
    assert_eq!(pair.told(), [GONE], "both ways are shut");
    let mut buffer = [0; 8];
    assert_eq!(pair.network.read(CLIENT, pair.theirs, &mut buffer), Ok(5));
    assert_eq!(pair.network.read(CLIENT, pair.theirs, &mut buffer), Ok(0));
}

#[test]
fn an_edge_of_a_closed_descriptor_vanishes() {
    let mut pair = watched(Read);
    pair.peer_writes(b"late");
    settle(&mut pair.network);
    pair.network.deregister(SERVER, pair.ours).unwrap();
    pair.network.close(SERVER, pair.ours);
    assert_eq!(pair.told(), []);
    pair.network.close(SERVER, pair.listener);
    assert!(pair.network.open_descriptors(SERVER).is_empty());
}

#[test]
fn a_hidden_answer_comes_to_light_as_an_edge_of_its_own() {
    let mut pair = watched(Read);
    pair.peer_writes(b"hidden");
    assert_eq!(pair.told(), [READ]);
    pair.network.hide_input(SERVER, pair.ours);
    assert!(pair.network.truth(SERVER, pair.ours).edge_to_come);
    assert_eq!(pair.told(), [READ]);
    pair.network.hide_input(SERVER, pair.ours);
    assert_eq!(pair.read(), Ok(6), "found meanwhile");
    assert_eq!(pair.told(), [], "so there is nothing to tell");
}

#[test]
#[should_panic(expected = "seed 1: host 0 closes descriptor 4, which is not open")]
fn a_second_close_ends_the_run_with_its_seed() {
    let mut pair = pair_over(Link::default());
    pair.network.close(SERVER, pair.ours);
    pair.network.close(SERVER, pair.ours);
}

#[test]
#[should_panic(expected = "before it deregisters it")]
fn a_close_before_the_deregistration_ends_the_run() {
    let mut pair = watched(Read);
    pair.network.close(SERVER, pair.ours);
}

#[test]
fn a_bound_socket_connects_from_where_it_stands_and_only_once_to_one_address() {
    let mut network = network(Link::default());
    let listener = listen(&mut network, 16);
    let local = (Network::address_of(CLIENT), 4000).into();
    let bound = network.bind(CLIENT, local).unwrap();
    let theirs = network.connect(CLIENT, target(), Some(bound)).unwrap();
    settle(&mut network);
    let (_, remote) = network.accept(SERVER, listener).unwrap();
    assert_eq!(remote, local);
    assert_eq!(network.local_address(CLIENT, theirs), Some(local.into()));

    // The second one has the same two addresses: it fails, and leaves nothing open.
    let bound = network.bind(CLIENT, local).unwrap();
    let again = network.connect(CLIENT, target(), Some(bound));
    assert_eq!(again, Err(libc::EADDRNOTAVAIL));
    assert_eq!(network.open_descriptors(CLIENT).len(), 1);
}

#[test]
fn an_address_where_somebody_listens_or_of_another_host_cannot_be_bound() {
    let mut network = network(Link::default());
    listen(&mut network, 16);
    assert_eq!(network.bind(SERVER, target()), Err(libc::EADDRINUSE));
    assert_eq!(network.bind(CLIENT, target()), Err(libc::EADDRNOTAVAIL));
}
