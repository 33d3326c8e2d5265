//! The race between the addresses of a host: when each attempt begins, which are given up, which
//! one wins.
//!
//! Knows numbers of addresses and no address, no descriptor, no clock and no error: it is told what
//! happened to an attempt, and answers with what is to be done, one action at a time. Between two
//! of them user code runs, which may end the race.
//!
//! One rule makes both forms of it. A new attempt begins whenever one fails and whenever the timer
//! fires; if as many are under way by then as may be at once, the oldest is given up for it. With
//! one at once that is Node's sequential form, in which the timer is the attempt's timeout (R79,
//! R80); with more it is that of RFC 8305, in which it is the delay between two attempts (section
//! 5, "Connection Attempt Delay"), and attempts that are under way go on.

use std::collections::VecDeque;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// The attempt to this address failed, or could not even begin.
    Failed(usize),
    /// The connection to this address stands.
    Connected(usize),
    /// The timer that was set last fired.
    TimerFired,
}

/// What is to be done about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Tell that the attempt to this address begins, then begin it.
    Attempt(usize),
    /// Tell that this attempt failed.
    TellFailed(usize),
    /// Tell that this attempt took too long, then close its descriptor.
    TimeOut(usize),
    /// Close the descriptor of this attempt, which has lost.
    Abandon(usize),
    /// Let the timer fire one delay from now, and not when it was to fire before.
    SetTimer,
    /// Let it not fire any more.
    CancelTimer,
    /// Use this connection. Nothing follows.
    Won(usize),
    /// Every attempt failed. Nothing follows.
    Lost,
}

/// One race. Made when the addresses are known.
#[derive(Debug)]
pub(crate) struct Race {
    /// How many addresses there are.
    addresses: usize,
    /// How many attempts may be under way at once; at least 1.
    at_once: usize,
    /// The address that is to be tried next.
    next: usize,
    /// Attempts that were given out and have not ended, oldest first.
    ///
    /// Invariant: no longer than `at_once`, each below `next`.
    under_way: VecDeque<usize>,
    /// Not taken yet. Bounded by a few actions for each address.
    actions: VecDeque<Action>,
    over: bool,
}

impl Race {
    /// A race that begins with the first of so many addresses; at least one.
    pub(crate) fn new(addresses: usize, at_once: usize) -> Race {
        let mut race = Race {
            addresses,
            at_once: at_once.max(1),
            next: 0,
            under_way: VecDeque::new(),
            actions: VecDeque::new(),
            over: false,
        };
        race.go_on();
        race
    }

    /// Takes in what happened. Of attempts that have ended it wants to hear nothing more.
    pub(crate) fn handle(&mut self, input: Input) {
        if self.over {
            return;
        }
        match input {
            Input::Failed(address) => {
                if self.leave(address) {
                    self.actions.push_back(Action::CancelTimer);
                    self.actions.push_back(Action::TellFailed(address));
                    self.go_on();
                }
            }
            Input::Connected(address) => {
                if self.leave(address) {
                    self.win(address);
                }
            }
            Input::TimerFired => {
                // One that is to be cancelled, and came first: an attempt has ended in its turn, and
                // the next has a time of its own.
                let cancelled = self.actions.contains(&Action::CancelTimer);
                if self.next < self.addresses && !cancelled {
                    if self.under_way.len() == self.at_once
                        && let Some(oldest) = self.under_way.pop_front()
                    {
                        self.actions.push_back(Action::TimeOut(oldest));
                    }
                    self.go_on();
                }
            }
        }
    }

    /// The attempt to this address was given out and has not ended.
    pub(crate) fn is_under_way(&self, address: usize) -> bool {
        self.under_way.contains(&address)
    }

    /// One attempt has won or all have failed.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// What to do next. To be asked until `None` after every input.
    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Begins the next attempt, or finds that there is none and nothing left to hope for.
    fn go_on(&mut self) {
        if self.next < self.addresses {
            self.under_way.push_back(self.next);
            self.actions.push_back(Action::Attempt(self.next));
            self.next += 1;
            if self.next < self.addresses {
                self.actions.push_back(Action::SetTimer); // the last one has none (R80)
            }
        } else if self.under_way.is_empty() {
            self.over = true;
            self.actions.push_back(Action::Lost);
        }
    }

    fn win(&mut self, address: usize) {
        self.over = true;
        // What has not begun does not begin any more; what is to be told is told.
        let mut unbegun = Vec::new();
        self.actions.retain(|action| match action {
            Action::Attempt(address) => {
                unbegun.push(*address);
                false
            }
            Action::SetTimer => false,
            Action::TellFailed(_)
            | Action::TimeOut(_)
            | Action::Abandon(_)
            | Action::CancelTimer
            | Action::Won(_)
            | Action::Lost => true,
        });
        self.actions.push_back(Action::CancelTimer);
        let losers = std::mem::take(&mut self.under_way);
        let losers = losers.into_iter().filter(|it| !unbegun.contains(it));
        self.actions.extend(losers.map(Action::Abandon));
        self.actions.push_back(Action::Won(address));
    }

    /// Takes an attempt out of those under way; false if it was not among them.
    fn leave(&mut self, address: usize) -> bool {
        let place = self.under_way.iter().position(|&it| it == address);
        place.is_some_and(|place| self.under_way.remove(place).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::Action::*;
    use super::Input::*;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn actions(race: &mut Race) -> Vec<Action> {
        std::iter::from_fn(|| race.poll_action()).collect()
    }

    /// Plays a race: what it begins with, then each input with the actions it leads to.
    fn play(addresses: usize, at_once: usize, script: &[(Option<Input>, &[Action])]) {
        let mut race = Race::new(addresses, at_once);
        for (place, (input, expected)) in script.iter().enumerate() {
            if let Some(input) = input {
                race.handle(*input);
            }
            assert_eq!(actions(&mut race), *expected, "step {place}, {input:?}");
        }
    }

    #[test]
    fn r78_one_address_has_no_timer_and_ends_as_its_attempt_does() {
        play(
            1,
            1,
            &[
                (None, &[Attempt(0)]),
                (Some(Connected(0)), &[CancelTimer, Won(0)]),
            ],
        );
        play(
            1,
            8,
            &[
                (None, &[Attempt(0)]),
                (Some(Failed(0)), &[CancelTimer, TellFailed(0), Lost]),
            ],
        );
    }

    #[test]
    fn r79_r80_one_at_once_a_timeout_gives_the_attempt_up_before_the_next_begins() {
        play(
            3,
            1,
            &[
                (None, &[Attempt(0), SetTimer]),
                (Some(TimerFired), &[TimeOut(0), Attempt(1), SetTimer]),
                (Some(Connected(0)), &[]), // can no longer win
                (Some(Failed(0)), &[]),
                (
                    Some(Failed(1)),
                    &[CancelTimer, TellFailed(1), Attempt(2)], // the last has no timer
                ),
                (Some(TimerFired), &[]),
                (Some(Connected(2)), &[CancelTimer, Won(2)]),
                (Some(Failed(2)), &[]),
            ],
        );
    }

    #[test]
    fn r82_when_all_have_failed_the_race_is_lost_once() {
        play(
            2,
            1,
            &[
                (None, &[Attempt(0), SetTimer]),
                (Some(Failed(0)), &[CancelTimer, TellFailed(0), Attempt(1)]),
                (Some(Failed(1)), &[CancelTimer, TellFailed(1), Lost]),
                (Some(Failed(1)), &[]),
                (Some(TimerFired), &[]),
            ],
        );
    }

    #[test]
    fn several_at_once_go_on_until_their_place_is_needed() {
        play(
            4,
            2,
            &[
                (None, &[Attempt(0), SetTimer]),
                (Some(TimerFired), &[Attempt(1), SetTimer]),
                (Some(TimerFired), &[TimeOut(0), Attempt(2), SetTimer]),
                (Some(Failed(1)), &[CancelTimer, TellFailed(1), Attempt(3)]),
                (Some(Failed(3)), &[CancelTimer, TellFailed(3)]), // one is still under way
                (Some(Failed(2)), &[CancelTimer, TellFailed(2), Lost]),
            ],
        );
    }

    #[test]
    fn the_first_success_closes_the_others() {
        play(
            9,
            8,
            &[
                (None, &[Attempt(0), SetTimer]),
                (Some(TimerFired), &[Attempt(1), SetTimer]),
                (Some(TimerFired), &[Attempt(2), SetTimer]),
                (
                    Some(Connected(1)),
                    &[CancelTimer, Abandon(0), Abandon(2), Won(1)],
                ),
                (Some(Connected(2)), &[]),
            ],
        );
    }

    #[test]
    fn a_success_beside_a_failure_in_one_batch_tells_the_failure_and_begins_nothing_more() {
        let mut race = Race::new(4, 8);
        race.handle(TimerFired);
        assert_eq!(
            actions(&mut race),
            [Attempt(0), SetTimer, Attempt(1), SetTimer]
        );
        race.handle(Failed(0));
        race.handle(Connected(1));
        assert_eq!(
            actions(&mut race),
            [CancelTimer, TellFailed(0), CancelTimer, Won(1)]
        );
    }

    #[test]
    fn a_timer_that_fires_beside_a_failure_is_the_one_that_is_to_be_cancelled() {
        for at_once in [1, 2] {
            let mut race = Race::new(4, at_once);
            assert_eq!(actions(&mut race), [Attempt(0), SetTimer]);
            race.handle(Failed(0));
            race.handle(TimerFired);
            assert_eq!(
                actions(&mut race),
                [CancelTimer, TellFailed(0), Attempt(1), SetTimer]
            );
        }
    }

    fn any_input() -> impl Strategy<Value = Input> {
        prop_oneof![
            3 => (0..8usize).prop_map(Failed),
            1 => (0..8usize).prop_map(Connected),
            3 => Just(TimerFired),
        ]
    }

    /// The outside of a race, written down naively: descriptors, a timer, an outcome.
    #[derive(Default)]
    struct Outside {
        begun: Vec<usize>,
        open: BTreeSet<usize>,
        timer: bool,
        told: BTreeSet<usize>,
        outcome: Option<Action>,
    }

    impl Outside {
        fn carry_out(&mut self, action: Action) {
            assert_eq!(self.outcome, None, "{action:?} follows the end");
            match action {
                Attempt(it) => {
                    assert_eq!(it, self.begun.len(), "in order, each once");
                    self.begun.push(it);
                    self.open.insert(it);
                }
                TellFailed(it) => {
                    self.open.remove(&it);
                    assert!(self.told.insert(it), "{it} was told to have ended");
                }
                TimeOut(it) => {
                    assert!(self.open.remove(&it), "{it} is not open");
                    assert!(self.told.insert(it), "{it} was told to have ended");
                }
                Abandon(it) => assert!(self.open.remove(&it), "{it} is not open"),
                SetTimer => self.timer = true,
                CancelTimer => self.timer = false,
                Won(_) | Lost => self.outcome = Some(action),
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_one_wins_or_all_have_failed_and_no_descriptor_is_left(
            addresses in 1..8usize,
            at_once in 1..4usize,
            inputs in prop::collection::vec(any_input(), 0..40),
        ) {
            let mut race = Race::new(addresses, at_once);
            let mut outside = Outside::default();
            actions(&mut race).into_iter().for_each(|it| outside.carry_out(it));
            for input in inputs {
                // Only what can happen: an attempt that is open, a timer that is set.
                let happens = match input {
                    Failed(it) | Connected(it) => outside.open.contains(&it),
                    TimerFired => outside.timer,
                };
                if !happens || outside.outcome.is_some() {
                    race.handle(input);
                    prop_assert!(outside.outcome.is_none() || race.poll_action().is_none());
                    actions(&mut race).into_iter().for_each(|it| outside.carry_out(it));
                    continue;
                }
                outside.timer &= input != TimerFired;
                race.handle(input);
                actions(&mut race).into_iter().for_each(|it| outside.carry_out(it));
                prop_assert!(outside.open.len() <= at_once.max(1) || outside.outcome.is_some());
                if let Connected(it) = input {
                    prop_assert_eq!(outside.outcome, Some(Won(it)));
                    prop_assert_eq!(outside.open.iter().copied().collect::<Vec<_>>(), [it]);
                }
                let more = outside.begun.len() < addresses && outside.outcome.is_none();
                prop_assert!(!more || outside.timer, "nothing would begin the next attempt");
            }
            // Let everything fail that is left: then all was tried, and all was told.
            while outside.outcome.is_none() {
                let open = outside.open.first().copied();
                race.handle(open.map_or(TimerFired, Failed));
                actions(&mut race).into_iter().for_each(|it| outside.carry_out(it));
            }
            if outside.outcome == Some(Lost) {
                prop_assert_eq!(outside.begun.len(), addresses);
                prop_assert_eq!(outside.told.len(), addresses);
                prop_assert!(outside.open.is_empty());
            }
        }
    }
}
