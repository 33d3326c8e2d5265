//! Room, and writes to who is gone.

use super::stage::Answer::{Bytes, Done, Errno, NoError, WouldBlock};
use super::stage::both;
use crate::sys::Interest::{ParkedWrite, Read, ReadWrite};
use crate::sys::Readiness;

#[test]
fn p19_a_write_that_was_taken_whole_makes_no_edge() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        assert_eq!(stage.write(ours, 1000), Bytes(1000));
        stage.read_all(theirs);
        assert!(stage.told().is_empty());
    });
}

#[test]
fn p19_room_is_an_edge_after_a_write_that_was_refused() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        assert_eq!(stage.fill(ours), Done);
        assert!(stage.told().is_empty());
        assert_eq!(stage.write(ours, 1), WouldBlock);
        stage.read_whatever(theirs);
        assert_eq!(stage.told_to(ours), Readiness::WRITE);
        assert_eq!(stage.write(ours, 1), Bytes(1));
        assert!(stage.told().is_empty());
    });
}

#[test]
fn who_asks_for_input_alone_is_not_told_of_room() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.fill(ours);
        stage.read_whatever(theirs);
        assert!(stage.told().is_empty());
        stage.rewatch(ours, ReadWrite);
        assert_eq!(stage.told_to(ours), Readiness::WRITE);
    });
}

#[test]
fn a_full_socket_that_asks_for_room_late_is_told_when_there_is_some() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.fill(ours);
        stage.rewatch(ours, ParkedWrite);
        assert!(stage.told().is_empty());
        stage.read_whatever(theirs);
        assert_eq!(stage.told_to(ours), Readiness::WRITE);
    });
}

#[test]
fn a_full_socket_is_told_of_the_peers_fin_without_room() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        stage.fill(ours);
        stage.shutdown(theirs);
        let end = Readiness::READ.with(Readiness::READ_CLOSED);
        assert_eq!(stage.told_to(ours), end);
    });
}

#[test]
fn a_full_socket_is_told_of_a_reset_with_everything() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.fill(ours);
        stage.abort(theirs);
        stage.told();
        stage.write(ours, 1);
        stage.write(ours, 1);
        stage.read(ours, 1);
    });
}

#[test]
fn p9_a_peer_that_is_gone_takes_one_write_and_then_none() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        stage.close(theirs);
        stage.told();
        assert_eq!(stage.write(ours, 1), Bytes(1));
        stage.told();
        assert_eq!(stage.write(ours, 1), Errno(libc::EPIPE));
        assert_eq!(stage.write(ours, 1), Errno(libc::EPIPE));
        assert_eq!(stage.take_error(ours), NoError);
        assert_eq!(stage.read(ours, 1), Bytes(0));
        stage.told();
    });
}

#[test]
fn p9_the_error_of_a_peer_that_is_gone_is_either_taken_or_written_into() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        stage.close(theirs);
        stage.told();
        stage.write(ours, 1);
        stage.told();
        assert_eq!(stage.take_error(ours), Errno(libc::EPIPE));
        assert_eq!(stage.write(ours, 1), Errno(libc::EPIPE));
    });
}

#[test]
fn sig_a_vectored_write_to_a_peer_that_is_gone_is_an_errno_too() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        stage.close(theirs);
        stage.told();
        assert_eq!(stage.write_vectored(ours, &[1, 2]), Bytes(3));
        stage.told();
        for _ in 0..2 {
            assert_eq!(stage.write_vectored(ours, &[1, 2]), Errno(libc::EPIPE));
        }
        stage.told();
    });
}

#[test]
fn a_vectored_write_is_one_write_of_all_its_slices() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        assert_eq!(stage.write_vectored(ours, &[10, 0, 20, 30]), Bytes(60));
        stage.read_all(theirs);
        assert_eq!(stage.fill(ours), Done);
        assert_eq!(stage.write_vectored(ours, &[1, 1]), WouldBlock);
        stage.read_whatever(theirs);
        assert_eq!(stage.told_to(ours), Readiness::WRITE);
        stage.shutdown(ours);
        assert_eq!(stage.write_vectored(ours, &[1, 1]), Errno(libc::EPIPE));
        stage.told();
    });
}

#[test]
fn bytes_of_a_peer_that_is_gone_outlive_the_write_that_found_out() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        stage.write(theirs, 100);
        stage.close(theirs);
        stage.told();
        stage.write(ours, 1);
        stage.told();
        stage.read_all(ours);
        stage.read(ours, 1);
        stage.write(ours, 1);
    });
}

#[test]
fn a_write_of_nothing_is_nothing_until_the_connection_is_gone() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        assert_eq!(stage.write(ours, 0), Bytes(0));
        stage.abort(theirs);
        stage.told();
        assert_eq!(stage.write(ours, 0), Errno(libc::ECONNRESET));
        assert_eq!(stage.write(ours, 0), Errno(libc::EPIPE));
    });
}

#[test]
fn a_write_of_nothing_to_a_full_socket_is_nothing() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        stage.fill(ours);
        stage.write(ours, 0);
        stage.read_whatever(theirs);
        stage.told();
    });
}
