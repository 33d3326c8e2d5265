//! One connection of the load: connects, sends, reads answers, and connects again when it is lost.
//!
//! A visit of a churn is the same with one request, after which it closes.

use crate::arguments::Mode;
use crate::bulk::Bulk;
use crate::limits::Lack;
use crate::overdue;
use crate::pace::Nanos;
use crate::pacer;
use crate::protocol::{Answer, Wrong};
use crate::run::{Phase, Run, Shared, Slot, State};
use netloop::{ConnectOptions, Error, Handler, Net, Socket};
use std::time::Duration;

/// How long a slot rests whose connection came to nothing.
const REST: Duration = Duration::from_millis(100);
/// The same if it was this side that had not got what it takes. Many are at rest then, and their asking takes
/// time from those who are at work.
const LONG_REST: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    pub(crate) run: Shared,
    pub(crate) slot: usize,
}

/// Begins a connection for `slot`, which has none.
pub(crate) fn connect(net: &mut Net, run: &Shared, slot: usize) {
    debug_assert_eq!(run.borrow().slots[slot].socket, None);
    let options = run.borrow_mut().begin(slot);
    let connection = Connection {
        run: run.clone(),
        slot,
    };
    let mode = run.borrow().arguments.mode;
    let handler: Box<dyn Handler> = match mode {
        Mode::Bulk => Box::new(Bulk::new(connection)),
        Mode::Closed | Mode::Open | Mode::Churn | Mode::Idle => Box::new(connection),
    };
    match net.connect(options, handler) {
        Ok(socket) => {
            run.borrow_mut().slots[slot].socket = Some(socket.id());
            overdue::watch(net, run, slot);
        }
        Err(error) => run.borrow_mut().fail(net, error), // the address is none
    }
}

/// Begins a visit of a churn: its latency counts from `due`, and connecting is a part of it.
pub(crate) fn visit(net: &mut Net, run: &Shared, slot: usize, due: Nanos) {
    {
        let mut run = run.borrow_mut();
        let now = run.clock.now();
        run.note_sent(slot, due, now);
    }
    connect(net, run, slot);
}

impl Handler for Connection {
    fn on_connect(&mut self, socket: &mut Socket<'_>) {
        self.with_run(socket, |run, socket, slot, now| {
            run.connected(socket, slot, now);
            match run.is_churn() {
                true => drop(run.write_request(socket, now)),
                false if run.phase > Phase::Ramp => run.refill(socket, slot, now),
                false => {}
            }
        });
    }

    fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
        self.with_run(socket, |run, socket, slot, now| {
            if run.slots[slot].state != State::Connected {
                return; // what comes behind the last answer is none
            }
            run.measure.read(run.clock.turn(socket.net()), now);
            run.measure.bytes_in(now, data.len() as u64);
            if let Err(Wrong(what)) = run.take_answers(slot, data, now) {
                run.leave(slot, now);
                run.lose(slot, now, &format!("wrong answer: {what}"));
                socket.destroy();
            } else if run.slots[slot].answers.are_over() {
                // Requests behind the one that was answered last are lost, though nobody is at fault:
                // they had been sent when the server said so.
                run.peer_left(slot, now, "closed behind an earlier answer");
                socket.destroy_soon(); // and its close connects again
            } else if !run.is_churn() {
                // The stamp of what was read is that of what is sent on it, too: no request is ever
                // stamped later than it left.
                run.refill(socket, slot, now);
            } else if run.slots[slot].under_way.is_empty() {
                socket.destroy_soon(); // all is said; the peer's FIN need not be waited for
            }
        });
    }

    fn on_end(&mut self, socket: &mut Socket<'_>) {
        self.with_run(socket, |run, _, slot, now| {
            run.peer_left(slot, now, "closed")
        });
    }

    fn on_error(&mut self, socket: &mut Socket<'_>, error: &Error) {
        self.with_run(socket, |run, socket, slot, now| {
            run.broken(socket.net(), slot, now, error);
        });
    }

    fn on_close(&mut self, socket: &mut Socket<'_>, _had_error: bool) {
        let mut next = Next::Nothing;
        self.with_run(socket, |run, socket, slot, now| {
            overdue::unwatch(socket.net(), run, slot);
            next = run.closed(slot, now);
        });
        match next {
            Next::Nothing => {}
            Next::Connect => self.begin_again(socket.net()),
            Next::ConnectAfter(rest) => {
                let mut again = Connection {
                    run: self.run.clone(),
                    slot: self.slot,
                };
                let timer = socket
                    .net()
                    .set_timeout(rest, move |net| again.begin_again(net));
                socket.net().unref_timer(timer);
            }
        }
    }
}

impl Connection {
    /// Borrows what is shared, with the present time, and afterwards wakes the pacer if a slot has
    /// become free that it waits for.
    pub(crate) fn with_run(
        &mut self,
        socket: &mut Socket<'_>,
        work: impl FnOnce(&mut Run, &mut Socket<'_>, usize, Nanos),
    ) {
        let wake = {
            let mut run = self.run.borrow_mut();
            let now = run.clock.now();
            run.spin.happened();
            work(&mut run, socket, self.slot, now);
            run.take_wake()
        };
        if wake {
            pacer::wake(socket.net(), &self.run);
        }
    }

    fn begin_again(&mut self, net: &mut Net) {
        let (wanted, churn, now) = {
            let run = self.run.borrow();
            (run.wants_connections(), run.is_churn(), run.clock.now())
        };
        match churn {
            _ if !wanted => {} // the run has ended since
            true => visit(net, &self.run, self.slot, now),
            false => connect(net, &self.run, self.slot),
        }
    }
}

/// What becomes of a slot whose connection has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Connect,
    ConnectAfter(Duration),
}

/// A connection's part of the run.
impl Run {
    /// Where a new connection goes, and with what.
    fn begin(&mut self, slot: usize) -> ConnectOptions {
        self.renew(slot);
        self.connecting += 1;
        self.attempts += 1;
        self.slots[slot].state = State::Connecting;
        self.slots[slot].connect_began = self.clock.now();
        self.target.options(self.attempts)
    }

    pub(crate) fn connected(&mut self, socket: &Socket<'_>, slot: usize, now: Nanos) {
        if let Some(address) = socket.peer_address() {
            self.target.has_answered(address);
        }
        self.connecting -= 1;
        let slot = &mut self.slots[slot];
        slot.state = State::Connected;
        let took = now.saturating_sub(slot.connect_began);
        let again = std::mem::replace(&mut slot.was_connected, true);
        self.measure.connected(now);
        match self.is_churn() {
            true => self.measure.visit_connect_took(now, took),
            false => {
                self.measure.connect_took(took);
                self.measure.reconnects += u64::from(again);
            }
        }
    }

    fn take_answers(&mut self, slot: usize, data: &[u8], now: Nanos) -> Result<(), Wrong> {
        let Run {
            slots,
            under_way,
            measure,
            ..
        } = self;
        let mut unasked = false;
        let Slot {
            answers,
            under_way: requests,
            has_answered,
            ..
        } = &mut slots[slot];
        let read = answers.read(data, |answer| match requests.pop_front() {
            Some(request) => {
                *has_answered = true;
                *under_way -= 1;
                measure.answered(request, now, answer == Answer::Refusal);
                if answer == Answer::Nil {
                    measure.nil(request);
                }
            }
            None => unasked = true,
        });
        match unasked {
            true => Err(Wrong("more answers than requests")),
            false => read,
        }
    }

    /// The peer has closed, or said that it will, or is gone.
    pub(crate) fn peer_left(&mut self, slot: usize, now: Nanos, how: &str) {
        let through = self.is_churn() && self.slots[slot].under_way.is_empty();
        if self.slots[slot].state == State::Connected && !through {
            self.measure.closed_by_peer += 1;
        }
        self.leave(slot, now);
        self.lose(slot, now, how);
    }

    fn broken(&mut self, net: &mut Net, slot: usize, now: Nanos, error: &Error) {
        if self.slots[slot].state != State::Connecting {
            return self.peer_left(slot, now, error.code());
        }
        self.leave(slot, now);
        self.measure.connect_failed(error.code());
        self.slots[slot].lack = Lack::of(error.code());
        self.lose(slot, now, &format!("connect {}", error.code()));
        // A server that answers now and then is worth measuring, one that never does is not.
        let failed = self.measure.connect_errors.values().sum::<u64>();
        if self.measure.opened == 0 && failed >= self.arguments.connections as u64 {
            self.fail(net, error.clone());
        }
    }

    fn closed(&mut self, slot: usize, now: Nanos) -> Next {
        self.leave(slot, now);
        self.lose(slot, now, "closed");
        self.slots[slot].socket = None;
        if self.is_churn() {
            self.slots[slot].state = State::Vacant;
        }
        if !self.wants_connections() || self.slots[slot].is_given_up() {
            return Next::Nothing;
        }
        if self.is_churn() && self.is_paced() {
            self.list(slot);
            return Next::Nothing;
        }
        let slot = &self.slots[slot];
        match (slot.has_answered, slot.lack) {
            (true, _) => Next::Connect,
            // Else who refuses or talks nonsense would be asked without end.
            (false, None) => Next::ConnectAfter(REST),
            (false, Some(_)) => Next::ConnectAfter(LONG_REST),
        }
    }

    /// Whether a connection that is lost is replaced. Who is missing after the ramp is tried again
    /// then, and an army at rest is counted, not filled up.
    fn wants_connections(&self) -> bool {
        self.arguments.mode != Mode::Idle
            && match self.phase {
                Phase::Ramp | Phase::Over => false,
                Phase::WarmUp | Phase::Measure => true,
                Phase::Drain => self.next_due().is_some(),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments;
    use netloop::Reactor;
    use std::io;

    #[test]
    fn who_lacks_something_of_this_side_asks_later_or_not_again() {
        let mut reactor = Reactor::new().unwrap();
        let arguments = arguments::parse(["-c5".to_string()]).unwrap();
        let mut run = Run::new(arguments, reactor.net());
        run.phase = Phase::Measure;
        run.measure.opened = 1; // nobody is at the server, and yet the run goes on
        for (errno, next) in [
            (libc::ECONNREFUSED, Next::ConnectAfter(REST)),
            (libc::EADDRNOTAVAIL, Next::ConnectAfter(LONG_REST)),
            (libc::EADDRINUSE, Next::ConnectAfter(LONG_REST)),
            (libc::ENOBUFS, Next::ConnectAfter(LONG_REST)),
            (libc::EMFILE, Next::Nothing),
        ] {
            let slot = run.add_slot();
            drop(run.begin(slot));
            let error = Error::from(io::Error::from_raw_os_error(errno));
            run.broken(reactor.net(), slot, 0, &error);
            assert_eq!(run.closed(slot, 0), next, "{error}");
            assert_eq!(run.slots[slot].is_given_up(), errno == libc::EMFILE);
        }
    }
}
