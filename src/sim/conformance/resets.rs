//! Resets, in each state of the connection that they end.

use super::stage::Answer::{All, Bytes, Errno, NoError};
use super::stage::both;
use crate::sys::Interest::{Parked, ParkedWrite, Read, ReadWrite};

#[test]
fn p3_a_reset_is_told_once_whatever_the_interest_and_again_by_each_change() {
    for interest in [Read, ReadWrite, Parked, ParkedWrite] {
        both(|stage| {
            let (ours, theirs) = stage.watched(interest);
            stage.abort(theirs);
            stage.told();
            assert!(stage.told().is_empty());
            stage.rewatch(ours, interest);
            stage.told();
        });
    }
}

#[test]
fn a_reset_is_told_to_one_call_only() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.abort(theirs);
        stage.told();
        assert_eq!(stage.read(ours, 1), Errno(libc::ECONNRESET));
        assert_eq!(stage.take_error(ours), NoError);
        assert_eq!(stage.write(ours, 1), Errno(libc::EPIPE));
        assert_eq!(stage.read(ours, 1), Bytes(0));
        stage.rewatch(ours, Read);
        stage.told();
    });
}

#[test]
fn a_reset_whose_error_was_taken_is_an_end_to_a_reader() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.abort(theirs);
        stage.told();
        assert_eq!(stage.take_error(ours), Errno(libc::ECONNRESET));
        assert_eq!(stage.read(ours, 1), Bytes(0));
        stage.shutdown(ours);
        stage.told();
    });
}

#[test]
fn a_reset_whose_error_a_write_had_is_an_end_to_a_reader() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.abort(theirs);
        stage.told();
        assert_eq!(stage.write(ours, 1), Errno(libc::ECONNRESET));
        assert_eq!(stage.write(ours, 1), Errno(libc::EPIPE));
        assert_eq!(stage.read(ours, 1), Bytes(0));
    });
}

#[test]
fn bytes_before_a_reset_are_read_before_it() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(theirs, 100);
        stage.told();
        stage.abort(theirs);
        stage.told();
        let reset = Errno(libc::ECONNRESET);
        assert_eq!(stage.read_all(ours), All(Some(100), Box::new(reset)));
        stage.read(ours, 1);
    });
}

#[test]
fn bytes_before_a_reset_are_read_after_its_error_was_taken() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(theirs, 100);
        stage.abort(theirs);
        stage.told();
        stage.take_error(ours);
        stage.read_all(ours);
    });
}

#[test]
fn a_reset_behind_a_fin_is_an_error_that_no_read_tells() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.shutdown(theirs);
        stage.told();
        stage.abort(theirs);
        stage.told();
        assert_eq!(stage.read(ours, 1), Bytes(0));
        assert_eq!(stage.take_error(ours), Errno(libc::EPIPE));
        stage.write(ours, 1);
    });
}

#[test]
fn a_reset_behind_bytes_and_a_fin_leaves_the_bytes() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(theirs, 100);
        stage.shutdown(theirs);
        stage.abort(theirs);
        stage.told();
        stage.read_all(ours);
        stage.take_error(ours);
    });
}

#[test]
fn a_reset_after_our_own_fin_is_a_reset() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.shutdown(ours);
        stage.told();
        stage.abort(theirs);
        stage.told();
        assert_eq!(stage.read(ours, 1), Errno(libc::ECONNRESET));
        stage.write(ours, 1);
    });
}

#[test]
fn a_reset_connection_cannot_be_shut() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.abort(theirs);
        stage.told();
        assert_eq!(stage.shutdown(ours), Errno(libc::ENOTCONN));
        stage.told();
        stage.read(ours, 1);
    });
}

#[test]
fn a_reset_connection_has_no_peer_but_its_own_address() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.abort(theirs);
        stage.told();
        stage.local_address(ours);
        stage.finish_connect(ours);
        stage.finish_connect(ours);
    });
}

#[test]
fn a_reset_of_a_socket_with_unread_bytes_is_a_reset_as_well() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(ours, 100);
        stage.abort(theirs);
        stage.told();
        stage.read(ours, 1);
    });
}
