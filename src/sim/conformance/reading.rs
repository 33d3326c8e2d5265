//! Bytes and the FIN behind them.

use super::stage::Answer::{All, Bytes, WouldBlock};
use super::stage::both;
use crate::sys::Interest::{Read, ReadWrite};
use crate::sys::Readiness;

const END: Readiness = Readiness::READ.with(Readiness::READ_CLOSED);

#[test]
fn bytes_are_one_edge_and_reading_part_of_them_makes_no_other() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(theirs, 100);
        assert_eq!(stage.told_to(ours), Readiness::READ);
        assert_eq!(stage.read(ours, 60), Bytes(60));
        assert!(stage.told().is_empty());
        assert_eq!(stage.read(ours, 60), Bytes(40));
        assert_eq!(stage.read(ours, 60), WouldBlock);
        assert!(stage.told().is_empty());
    });
}

#[test]
fn bytes_that_join_unread_ones_are_an_edge_of_their_own() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(theirs, 10);
        stage.told();
        stage.write(theirs, 10);
        assert_eq!(stage.told_to(ours), Readiness::READ);
        assert_eq!(stage.read(ours, 4096), Bytes(20));
    });
}

#[test]
fn p6_bytes_and_the_fin_behind_them_are_told_together_and_not_again() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(theirs, 10);
        stage.shutdown(theirs);
        assert_eq!(stage.told_to(ours), END);
        assert_eq!(stage.read(ours, 4096), Bytes(10));
        assert!(stage.told().is_empty());
        assert_eq!(stage.read(ours, 4096), Bytes(0));
        assert_eq!(stage.read(ours, 4096), Bytes(0));
        assert!(stage.told().is_empty());
    });
}

#[test]
fn a_fin_behind_bytes_that_were_told_is_an_edge_of_its_own() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(theirs, 10);
        stage.told();
        stage.shutdown(theirs);
        assert_eq!(stage.told_to(ours), END);
        stage.read_all(ours);
    });
}

#[test]
fn a_fin_alone_is_the_end_for_ever() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        stage.close(theirs);
        assert_eq!(stage.told_to(ours), END.with(Readiness::WRITE));
        assert_eq!(stage.read(ours, 8), Bytes(0));
        assert_eq!(stage.read(ours, 8), Bytes(0));
        stage.take_error(ours);
        stage.finish_connect(ours);
        assert!(stage.told().is_empty());
    });
}

#[test]
fn a_read_into_nothing_is_nothing_if_there_is_something() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        assert_eq!(stage.read(ours, 0), WouldBlock);
        stage.write(theirs, 10);
        stage.told();
        assert_eq!(stage.read(ours, 0), Bytes(0));
        assert_eq!(stage.read_all(ours), All(Some(10), Box::new(WouldBlock)));
    });
}

#[test]
fn a_reader_that_fell_behind_gets_everything_and_is_told_of_it_once() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        for _ in 0..200 {
            stage.write(theirs, 10);
        }
        assert_eq!(stage.told_to(ours), Readiness::READ);
        stage.read_all(ours);
        assert!(stage.told().is_empty());
    });
}

#[test]
fn both_directions_are_told_in_one() {
    both(|stage| {
        let (ours, theirs) = stage.pair();
        stage.write(theirs, 10);
        stage.watch(ours, ReadWrite);
        stage.watch(theirs, ReadWrite);
        stage.write(ours, 10);
        stage.told();
        stage.read_all(ours);
        stage.read_all(theirs);
        assert!(stage.told().is_empty());
    });
}
