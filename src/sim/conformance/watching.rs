//! Registrations: what they are told at once, what they miss, and when they are refused.

use std::io::ErrorKind;

use super::stage::Answer::{Bytes, Refused};
use super::stage::both;
use crate::sys::Interest::{Parked, ParkedWrite, Read, ReadWrite};
use crate::sys::Readiness;

#[test]
fn p2_a_parked_socket_is_told_of_no_bytes_and_of_all_when_it_comes_back() {
    for interest in [Parked, ParkedWrite] {
        both(|stage| {
            let (ours, theirs) = stage.watched(Read);
            stage.rewatch(ours, interest);
            stage.told();
            for _ in 0..20 {
                stage.write(theirs, 10);
                assert!(stage.told().is_empty());
            }
            stage.rewatch(ours, Read);
            assert_eq!(stage.told_to(ours), Readiness::READ);
            assert_eq!(stage.read(ours, 4096), Bytes(200));
        });
    }
}

#[test]
fn p3_a_fin_is_bare_room_to_who_asks_for_room_and_nothing_to_who_is_parked() {
    for (interest, fin) in [
        (Parked, Readiness::empty()),
        (ParkedWrite, Readiness::WRITE),
    ] {
        both(|stage| {
            let (ours, theirs) = stage.watched(interest);
            stage.shutdown(theirs);
            assert_eq!(stage.told_to(ours), fin);
            stage.rewatch(ours, Read);
            let end = Readiness::READ.with(Readiness::READ_CLOSED);
            assert_eq!(stage.told_to(ours), end);
        });
    }
}

#[test]
fn p5_a_registration_is_told_what_is_true_already() {
    for interest in [Read, ReadWrite, Parked, ParkedWrite] {
        both(|stage| {
            let (ours, theirs) = stage.pair();
            stage.write(theirs, 10);
            stage.watch(ours, interest);
            stage.told();
            assert!(stage.told().is_empty());
            stage.rewatch(ours, interest);
            stage.told();
        });
    }
}

#[test]
fn p5_each_change_of_interest_tells_again_what_is_true_of_it() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(theirs, 10);
        stage.shutdown(theirs);
        for before in [Read, ReadWrite, Parked, ParkedWrite] {
            for after in [Read, ReadWrite, Parked, ParkedWrite] {
                stage.rewatch(ours, before);
                stage.told();
                stage.rewatch(ours, after);
                stage.told();
            }
        }
    });
}

#[test]
fn a_change_of_interest_before_the_look_asks_for_what_it_says() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        stage.write(theirs, 10);
        stage.rewatch(ours, Parked);
        assert!(stage.told().is_empty());
    });
}

#[test]
fn bytes_that_were_read_before_the_look_are_not_told() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(theirs, 10);
        stage.read_all(ours);
        assert!(stage.told().is_empty());
    });
}

#[test]
fn a_registration_before_the_connect_is_through_hears_of_it() {
    both(|stage| {
        let listener = stage.listen(16);
        let theirs = stage.connect(listener);
        stage.watch(theirs, Read);
        assert!(stage.told().is_empty());
        stage.rewatch(theirs, ReadWrite);
        assert_eq!(stage.told_to(theirs), Readiness::WRITE);
    });
}

#[test]
fn a_second_registration_is_refused() {
    both(|stage| {
        let (ours, _theirs) = stage.watched(Read);
        let refused = Refused(ErrorKind::AlreadyExists);
        assert_eq!(stage.watch(ours, Read), refused);
    });
}

#[test]
fn a_change_of_no_registration_is_refused() {
    both(|stage| {
        let (ours, _theirs) = stage.pair();
        let refused = Refused(ErrorKind::NotFound);
        assert_eq!(stage.rewatch(ours, Read), refused);
    });
}

#[test]
fn events_of_one_that_was_closed_are_gone() {
    both(|stage| {
        let (ours, theirs) = stage.watched(Read);
        stage.write(theirs, 10);
        stage.close(ours);
        assert!(stage.told().is_empty());
    });
}

#[test]
fn the_next_socket_under_a_number_hears_nothing_of_the_last_one() {
    both(|stage| {
        let (ours, theirs) = stage.watched(ReadWrite);
        stage.write(theirs, 10);
        stage.close(ours);
        let (next, _) = stage.watched(ReadWrite);
        assert_eq!(stage.told_to(next), Readiness::empty());
    });
}
