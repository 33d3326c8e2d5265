//! Shutdowns and closes, one end after the other.

use super::stage::Answer::{All, Bytes, Done, Errno, WouldBlock};
use super::stage::both;
use crate::sys::Interest::{Parked, ParkedWrite, Read, ReadWrite};

#[test]
fn our_own_shutdown_is_an_edge_and_ends_writing() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        assert_eq!(stage.shutdown(ours), Done);
        stage.told();
        assert_eq!(stage.write(ours, 1), Errno(libc::EPIPE));
        assert_eq!(stage.write(ours, 0), Errno(libc::EPIPE));
        assert_eq!(stage.read(ours, 1), WouldBlock);
        stage.read_all(theirs);
    });
}

#[test]
fn a_second_shutdown_is_as_good_as_the_first() {
    both(|stage| {
        let (ours, _theirs) = stage.watched(ReadWrite);
        stage.shutdown(ours);
        assert_eq!(stage.shutdown(ours), Done);
        stage.told();
    });
}

#[test]
fn a_half_closed_connection_carries_bytes_the_other_way() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.watch(theirs, Read);
        stage.shutdown(theirs);
        stage.told();
        assert_eq!(stage.write(ours, 100), Bytes(100));
        stage.told();
        assert_eq!(stage.read_all(theirs), All(Some(100), Box::new(WouldBlock)));
        stage.close(ours);
        stage.told();
        stage.read_all(theirs);
    });
}

#[test]
fn both_ways_shut_is_a_hang_up_that_is_told_whatever_the_interest() {
    for interest in [Read, ReadWrite, Parked, ParkedWrite] {
        both(|stage| {
            let (ours, theirs) = stage.watched(interest);
            stage.watch(theirs, interest);
            stage.shutdown(theirs);
            stage.told();
            stage.shutdown(ours);
            stage.told();
            stage.rewatch(ours, interest);
            stage.rewatch(theirs, interest);
            stage.told();
        });
    }
}

#[test]
fn a_connection_that_both_ended_has_no_peer_and_no_error() {
    both(|stage| {
        let (ours, theirs) = stage.pair();
        stage.shutdown(theirs);
        stage.shutdown(ours);
        for end in [ours, theirs] {
            stage.take_error(end);
            stage.finish_connect(end);
            stage.read(end, 1);
            stage.write(end, 1);
            stage.shutdown(end);
        }
    });
}

#[test]
fn a_reset_of_a_connection_that_both_ended_reaches_nobody() {
    both(|stage| {
        for resets_first in [true, false] {
            let (ours, theirs) = stage.pair();
            stage.watch(ours, ReadWrite);
            stage.watch(theirs, ReadWrite);
            stage.shutdown(theirs);
            stage.shutdown(ours);
            stage.told();
            let (resetting, other) = match resets_first {
                true => (ours, theirs),
                false => (theirs, ours),
            };
            stage.abort(resetting);
            stage.told();
            stage.take_error(other);
            stage.read(other, 1);
        }
    });
}

#[test]
fn bytes_before_a_shutdown_both_ways_are_there_to_be_read() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(theirs, 100);
        stage.shutdown(theirs);
        stage.shutdown(ours);
        stage.told();
        stage.read_all(ours);
        stage.read_all(theirs);
    });
}

#[test]
fn a_close_that_left_bytes_unread_is_a_reset() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(ours, 100);
        stage.close(theirs);
        stage.told();
        assert_eq!(stage.read(ours, 1), Errno(libc::ECONNRESET));
    });
}

#[test]
fn p7_a_close_that_left_bytes_unread_destroys_what_was_not_sent() {
    both(|stage| {
        let (ours, theirs) = stage.pair();
        stage.write(theirs, 100);
        stage.fill(ours);
        stage.close(ours);
        let reset = Errno(libc::ECONNRESET);
        assert_eq!(stage.read_whatever(theirs), All(None, Box::new(reset)));
        stage.read(theirs, 1);
    });
}

#[test]
fn a_close_behind_a_full_buffer_loses_nothing() {
    both(|stage| {
        let (ours, theirs) = stage.pair();
        stage.fill(ours);
        stage.close(ours);
        assert_eq!(stage.read_whatever(theirs), All(None, Box::new(Bytes(0))));
    });
}

#[test]
fn a_fin_waits_behind_what_does_not_fit() {
    both(|stage| {
        let (ours, theirs) = stage.pair();
        stage.watch(theirs, Read);
        stage.fill(ours);
        stage.told();
        stage.shutdown(ours);
        stage.told();
        stage.read_whatever(theirs);
        stage.told();
    });
}

#[test]
fn bytes_for_one_that_was_closed_reset_the_connection() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Parked);
        stage.close(theirs);
        stage.told();
        stage.write(ours, 1);
        stage.told();
        stage.rewatch(ours, Read);
        stage.told();
    });
}

#[test]
fn a_close_of_both_at_once_leaves_nothing() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.close(ours);
        stage.close(theirs);
        assert!(stage.told().is_empty());
    });
}
