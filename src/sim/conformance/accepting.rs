//! Listeners and who waits in them.

use std::net::Ipv6Addr;

use super::stage::Answer::{Bytes, Errno};
use super::stage::{both, has_ipv6};
use crate::sys::Interest::Read;
use crate::sys::Readiness;

#[test]
fn p1_three_who_wait_are_one_edge_and_accepting_one_of_them_makes_no_other() {
    both(|stage| {
        let listener = stage.listen(16);
        stage.watch(listener, Read);
        for _ in 0..3 {
            stage.connect(listener);
        }
        assert_eq!(stage.told_to(listener), Readiness::READ);
        stage.accept(listener).unwrap();
        assert_eq!(stage.told_to(listener), Readiness::empty());
        stage.accept(listener).unwrap();
        stage.accept(listener).unwrap();
        assert_eq!(stage.accept(listener), None);
    });
}

#[test]
fn each_newcomer_is_an_edge_even_while_others_wait() {
    both(|stage| {
        let listener = stage.listen(16);
        stage.watch(listener, Read);
        for _ in 0..3 {
            stage.connect(listener);
            assert_eq!(stage.told_to(listener), Readiness::READ);
        }
    });
}

#[test]
fn a_listener_that_is_watched_late_is_told_who_waits() {
    both(|stage| {
        let listener = stage.listen(16);
        stage.connect(listener);
        stage.watch(listener, Read);
        assert_eq!(stage.told_to(listener), Readiness::READ);
        stage.accept(listener);
        stage.told();
        stage.accept(listener);
    });
}

#[test]
fn a_listener_nobody_comes_to_is_told_nothing() {
    both(|stage| {
        let listener = stage.listen(16);
        stage.watch(listener, Read);
        assert!(stage.told().is_empty());
        assert_eq!(stage.accept(listener), None);
    });
}

#[test]
fn p8_one_that_was_reset_before_accept_is_accepted_with_its_address() {
    both(|stage| {
        let listener = stage.listen(16);
        stage.watch(listener, Read);
        let theirs = stage.connect(listener);
        stage.abort(theirs);
        stage.told();
        let ours = stage.accept(listener).unwrap();
        stage.watch(ours, Read);
        stage.told();
        stage.local_address(ours);
        assert_eq!(stage.read(ours, 8), Errno(libc::ECONNRESET));
        assert_eq!(stage.read(ours, 8), Bytes(0));
        assert_eq!(stage.write(ours, 8), Errno(libc::EPIPE));
    });
}

#[test]
fn p8_one_that_was_reset_before_accept_has_no_peer() {
    both(|stage| {
        let listener = stage.listen(16);
        let theirs = stage.connect(listener);
        stage.abort(theirs);
        let ours = stage.accept(listener).unwrap();
        assert_eq!(stage.finish_connect(ours), Errno(libc::ECONNRESET));
        assert_eq!(stage.finish_connect(ours), Bytes(0));
    });
}

#[test]
fn one_that_wrote_and_was_reset_before_accept_still_has_its_bytes() {
    both(|stage| {
        let listener = stage.listen(16);
        let theirs = stage.connect(listener);
        stage.write(theirs, 100);
        stage.abort(theirs);
        let ours = stage.accept(listener).unwrap();
        stage.watch(ours, Read);
        stage.told();
        stage.read_all(ours);
        stage.read(ours, 8);
    });
}

#[test]
fn one_that_wrote_and_ended_before_accept_is_whole() {
    both(|stage| {
        let listener = stage.listen(16);
        let theirs = stage.connect(listener);
        stage.write(theirs, 100);
        stage.close(theirs);
        let ours = stage.accept(listener).unwrap();
        stage.watch(ours, Read);
        stage.told();
        stage.read_all(ours);
        stage.write(ours, 5);
        stage.told();
        stage.write(ours, 5);
    });
}

#[test]
fn p11_closing_a_listener_resets_who_waits_in_it() {
    both(|stage| {
        let listener = stage.listen(16);
        let theirs = stage.connect(listener);
        stage.watch(theirs, Read);
        stage.told();
        stage.close(listener);
        stage.told();
        assert_eq!(stage.read(theirs, 8), Errno(libc::ECONNRESET));
    });
}

#[test]
fn closing_a_listener_leaves_those_alone_that_were_accepted() {
    both(|stage| {
        let listener = stage.listen(16);
        let theirs = stage.connect(listener);
        let ours = stage.accept(listener).unwrap();
        stage.close(listener);
        stage.write(theirs, 3);
        stage.read_all(ours);
    });
}

#[test]
fn an_address_that_somebody_listens_at_is_in_use() {
    both(|stage| {
        let listener = stage.listen(16);
        assert_eq!(stage.listen_again(listener), Errno(libc::EADDRINUSE));
    });
}

#[test]
fn a_dual_stack_listener_shows_ipv4_peers_mapped() {
    if !has_ipv6() {
        return eprintln!("no IPv6 here: nothing to compare with");
    }
    both(|stage| {
        let listener = stage.listen_at(Ipv6Addr::UNSPECIFIED.into(), 16, false);
        let theirs = stage.connect(listener);
        let ours = stage.accept(listener).unwrap();
        stage.local_address(ours);
        stage.local_address(theirs);
    });
}

#[test]
fn a_listener_for_ipv6_alone_refuses_ipv4() {
    if !has_ipv6() {
        return eprintln!("no IPv6 here: nothing to compare with");
    }
    both(|stage| {
        let listener = stage.listen_at(Ipv6Addr::UNSPECIFIED.into(), 16, true);
        let theirs = stage.connect(listener);
        stage.take_error(theirs);
    });
}
