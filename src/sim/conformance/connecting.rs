//! Connects, from the first poll to their outcome.

use super::stage::Answer::{Bytes, Errno, NoError, WouldBlock};
use super::stage::both;
use crate::sys::Interest::{Parked, ParkedWrite, Read, ReadWrite};
use crate::sys::Readiness;

#[test]
fn a_connect_that_stands_is_room() {
    both(|stage| {
        let listener = stage.listen(16);
        let theirs = stage.connect(listener);
        stage.watch(theirs, ReadWrite);
        assert_eq!(stage.told_to(theirs), Readiness::WRITE);
        assert_eq!(stage.finish_connect(theirs), Bytes(1));
        stage.local_address(theirs);
        assert!(stage.told().is_empty());
    });
}

#[test]
fn a_connect_stands_before_anybody_accepts_it() {
    both(|stage| {
        let listener = stage.listen(16);
        let theirs = stage.connect(listener);
        assert_eq!(stage.write(theirs, 10), Bytes(10));
        let ours = stage.accept(listener).unwrap();
        stage.read_all(ours);
    });
}

#[test]
fn a_refused_connect_has_its_reason_once() {
    both(|stage| {
        let theirs = stage.connect_to_nobody();
        stage.watch(theirs, ReadWrite);
        stage.told();
        assert_eq!(stage.take_error(theirs), Errno(libc::ECONNREFUSED));
        assert_eq!(stage.take_error(theirs), NoError);
        stage.finish_connect(theirs);
        stage.rewatch(theirs, ReadWrite);
        stage.told();
    });
}

#[test]
fn a_refused_connect_tells_its_reason_to_a_read_too() {
    both(|stage| {
        let theirs = stage.connect_to_nobody();
        assert_eq!(stage.read(theirs, 8), Errno(libc::ECONNREFUSED));
        stage.read(theirs, 8);
        stage.write(theirs, 8);
        stage.shutdown(theirs);
    });
}

#[test]
fn a_refused_connect_tells_its_reason_to_a_write_too() {
    both(|stage| {
        let theirs = stage.connect_to_nobody();
        assert_eq!(stage.write(theirs, 8), Errno(libc::ECONNREFUSED));
        stage.write(theirs, 8);
        stage.take_error(theirs);
    });
}

#[test]
fn a_refusal_is_told_whatever_the_interest() {
    for interest in [Read, ReadWrite, Parked, ParkedWrite] {
        both(|stage| {
            let theirs = stage.connect_to_nobody();
            stage.watch(theirs, interest);
            stage.told();
            stage.finish_connect(theirs);
        });
    }
}

#[test]
fn p12_a_full_backlog_leaves_a_connect_under_way() {
    both(|stage| {
        let listener = stage.listen(0);
        let first = stage.connect(listener);
        let second = stage.connect(listener);
        stage.watch(second, ReadWrite);
        assert!(stage.told().is_empty());
        assert_eq!(stage.finish_connect(first), Bytes(1));
        assert_eq!(stage.finish_connect(second), Bytes(0));
        assert_eq!(stage.read(second, 8), WouldBlock);
        assert_eq!(stage.write(second, 8), WouldBlock);
        assert_eq!(stage.take_error(second), NoError);
        stage.close(second);
    });
}

#[test]
fn p13_a_socket_that_connects_to_itself_hears_itself() {
    both(|stage| {
        let itself = stage.connect_to_itself();
        stage.watch(itself, ReadWrite);
        assert_eq!(stage.told_to(itself), Readiness::WRITE);
        assert_eq!(stage.write(itself, 10), Bytes(10));
        assert!(stage.told_to(itself).contains(Readiness::READ));
        assert_eq!(stage.read(itself, 100), Bytes(10));
        // So `Sys` says that nobody was there (B7).
        assert_eq!(stage.finish_connect(itself), Errno(libc::ECONNREFUSED));
        stage.told();
        stage.shutdown(itself);
        stage.told();
        assert_eq!(stage.read(itself, 100), Bytes(0));
    });
}

#[test]
fn the_backlog_takes_one_more_than_it_was_told() {
    both(|stage| {
        let listener = stage.listen(2);
        let ends = [(); 5].map(|()| stage.connect(listener));
        for end in ends {
            stage.finish_connect(end);
        }
    });
}
