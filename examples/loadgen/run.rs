//! One run of the generator: what all its connections and timers share.
//!
//! A single `Rc<RefCell<Run>>`, borrowed for as long as a handler or a timer works. That can't fail:
//! netloop never calls a handler from inside another. Whoever has it borrowed calls nothing but
//! methods of sockets and of the loop, which only leave notes.
//!
//! Owns the slots, a slot being a place for a connection that outlives the sockets that take it, and
//! decides which slot sends and which waits.

use crate::arguments::{Arguments, Mode};
use crate::clock::{Clock, nanos};
use crate::cost::{Cost, Meter, Spin};
use crate::limits::{Lack, Limits};
use crate::measure::{Measure, Request};
use crate::pace::{Nanos, Pace};
use crate::protocol::{self, Answers};
use crate::target::Target;
use bytes::Bytes;
use netloop::{Error, Net, Socket, SocketId, TimerId};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Bytes from which on a request is shared and not copied.
const SHARED_FROM: usize = 4096;

pub(crate) type Shared = Rc<RefCell<Run>>;

/// How far a run has come. Only ever forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Connections are opened; nothing is sent.
    Ramp,
    /// Load, not measured.
    WarmUp,
    Measure,
    /// The window is over; what was due in it is still sent and waited for.
    Drain,
    Over,
}

pub(crate) struct Run {
    pub(crate) arguments: Arguments,
    pub(crate) clock: Clock,
    pub(crate) phase: Phase,
    pub(crate) measure: Measure,
    pub(crate) slots: Vec<Slot>,
    pub(crate) target: Target,
    request: Bytes,
    /// The schedule of an open loop.
    pace: Option<Pace>,
    /// Slots that may send at once, longest idle first. Only an open loop keeps it.
    free: VecDeque<usize>,
    /// When the last one was taken from it, if it is empty.
    none_free_since: Nanos,
    /// The timer of the schedule sleeps because no slot was free; who frees one has to wake it.
    pub(crate) pacer_waits: bool,
    /// Requests under way.
    pub(crate) under_way: usize,
    /// Slots whose connection is on its way.
    pub(crate) connecting: usize,
    /// Connections begun, of all slots together.
    pub(crate) attempts: u64,
    pub(crate) limits: Limits,
    meter: Meter,
    pub(crate) spin: Spin,
    /// What the window has cost, while it is open: what had been used when it began.
    pub(crate) cost: Cost,
    /// Ended by a signal.
    pub(crate) interrupted: bool,
    /// Why there is nothing to report.
    pub(crate) failed: Option<Error>,
}

pub(crate) struct Slot {
    /// From `connect` until `close` was told, which is later in the turn than the loss of the connection.
    /// A slot has never two: what is told of a socket is taken for news of its slot.
    pub(crate) socket: Option<SocketId>,
    pub(crate) state: State,
    /// As long as it has a socket: see `overdue.rs`.
    pub(crate) watch: Option<TimerId>,
    /// What this side had not got when it last tried to connect.
    pub(crate) lack: Option<Lack>,
    /// Requests without an answer, oldest first.
    pub(crate) under_way: VecDeque<Request>,
    pub(crate) answers: Answers,
    pub(crate) connect_began: Nanos,
    /// Its present connection has answered something.
    pub(crate) has_answered: bool,
    /// It has had a connection before.
    pub(crate) was_connected: bool,
    /// Stands in `Run::free`.
    is_listed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing has been tried yet, or in a churn: between two visits.
    Vacant,
    Connecting,
    Connected,
    /// The last attempt failed, or the connection is gone.
    Gone,
}

impl Slot {
    /// It isn't tried again: those who have a descriptor keep it.
    pub(crate) fn is_given_up(&self) -> bool {
        self.lack == Some(Lack::Descriptors)
    }
}

impl Run {
    pub(crate) fn new(arguments: Arguments, net: &Net) -> Run {
        // Before anything else: what stands between the loop's reading of its clock and this one, such as
        // the making of a large request, would be missing in every turn lag.
        let clock = Clock::start(net);
        let request = protocol::request(&arguments);
        Run {
            clock,
            phase: Phase::Ramp,
            measure: Measure::new(),
            slots: Vec::new(),
            target: Target::new(&arguments),
            request,
            pace: None,
            free: VecDeque::new(),
            none_free_since: 0,
            pacer_waits: false,
            under_way: 0,
            connecting: 0,
            attempts: 0,
            limits: Limits::read(),
            meter: Meter::open(),
            spin: Spin::default(),
            cost: Cost::default(),
            interrupted: false,
            failed: None,
            arguments,
        }
    }

    pub(crate) fn add_slot(&mut self) -> usize {
        self.slots.push(Slot {
            socket: None,
            state: State::Vacant,
            watch: None,
            lack: None,
            under_way: VecDeque::new(),
            answers: Answers::new(self.arguments.protocol, &self.request),
            connect_began: 0,
            has_answered: false,
            was_connected: false,
            is_listed: false,
        });
        self.slots.len() - 1
    }

    /// A new connection has to be read from its first byte.
    pub(crate) fn renew(&mut self, slot: usize) {
        let answers = Answers::new(self.arguments.protocol, &self.request);
        let slot = &mut self.slots[slot];
        slot.answers = answers;
        slot.has_answered = false;
        slot.lack = None;
    }

    /// Whether requests are fixed to a schedule, in whatever mode.
    pub(crate) fn is_paced(&self) -> bool {
        self.arguments.rate.is_some()
    }

    pub(crate) fn is_churn(&self) -> bool {
        self.arguments.mode == Mode::Churn
    }

    pub(crate) fn cost_so_far(&mut self, net: &Net) -> Cost {
        self.meter.read(net, &self.spin)
    }

    /// Starts the schedule.
    pub(crate) fn start_pace(&mut self) {
        let now = self.clock.now();
        self.pace = self.arguments.rate.map(|rate| Pace::new(now, rate));
    }

    /// Ends the schedule. What was due by then is still to be sent.
    pub(crate) fn stop_pace(&mut self, now: Nanos) {
        if let Some(pace) = &mut self.pace {
            pace.stop_at(now);
        }
    }

    /// When the next request is due, past or to come; `None` if there is none.
    pub(crate) fn next_due(&self) -> Option<Nanos> {
        self.pace.as_ref()?.next()
    }

    /// Takes a request that is due, together with the time at which it was.
    fn take_due(&mut self, now: Nanos) -> Option<Nanos> {
        self.pace.as_mut()?.take(now)
    }

    /// Gives up what is due and was never sent.
    pub(crate) fn drop_due(&mut self, now: Nanos) {
        while let Some(due) = self.take_due(now) {
            self.measure.sent(due);
            self.measure.never_sent(due, now);
        }
    }

    /// Whether everything that was due is answered or lost.
    pub(crate) fn is_through(&self) -> bool {
        self.under_way == 0 && self.next_due().is_none()
    }

    /// Notes a request of `slot` as under way.
    pub(crate) fn note_sent(&mut self, slot: usize, due: Nanos, now: Nanos) {
        self.measure.sent(due);
        self.under_way += 1;
        self.spin.happened();
        let request = Request { due, sent: now };
        self.slots[slot].under_way.push_back(request);
    }

    /// Writes one request.
    ///
    /// Its stamp is taken before the bytes leave: they are gathered and go to the kernel together
    /// when the handler has returned, or late in the turn. What that takes counts as latency.
    pub(crate) fn send(&mut self, socket: &mut Socket<'_>, slot: usize, due: Nanos, now: Nanos) {
        self.note_sent(slot, due, now);
        self.write_request(socket, now);
    }

    /// Answers whether more is welcome. A small request is copied to where the others of this turn
    /// are gathered, a large one is shared.
    pub(crate) fn write_request(&mut self, socket: &mut Socket<'_>, now: Nanos) -> bool {
        self.measure.bytes_out(now, self.request.len() as u64);
        match self.request.len() {
            ..SHARED_FROM => socket.write(&self.request),
            _ => socket.write_bytes(self.request.clone()),
        }
    }

    /// Lets a slot that is connected send what it may by now: in a closed loop the next batch, in an
    /// open one what is due and had to wait for a connection.
    pub(crate) fn refill(&mut self, socket: &mut Socket<'_>, slot: usize, now: Nanos) {
        if self.is_paced() {
            self.refill_paced(socket, slot, now);
        } else if self.arguments.mode == Mode::Closed
            && (Phase::WarmUp..=Phase::Measure).contains(&self.phase)
        {
            self.send_batch(socket, slot, now);
        }
    }

    /// Sends as many requests as may be under way, all at once, when the last answer to those before has
    /// come.
    ///
    /// One for each answer would keep as many under way, and measure something else: a server that
    /// answers one by one is then asked one by one, and what pipelining spares, a system call and a wake-up
    /// for each request, is spared neither it nor the generator.
    fn send_batch(&mut self, socket: &mut Socket<'_>, slot: usize, now: Nanos) {
        if !self.slots[slot].under_way.is_empty() {
            return;
        }
        // Small ones gather by themselves; long ones would each have a call of their own.
        let corks = self.request.len() >= SHARED_FROM && self.arguments.pipeline > 1;
        if corks {
            socket.cork();
        }
        for _ in 0..self.arguments.pipeline {
            self.send(socket, slot, now, now);
        }
        if corks {
            socket.uncork();
        }
    }

    fn refill_paced(&mut self, socket: &mut Socket<'_>, slot: usize, now: Nanos) {
        // While others are free nobody is held back, and the pacer shares out what is due.
        while self.free.is_empty() && self.has_room(slot) {
            let Some(due) = self.take_due(now) else {
                break;
            };
            self.note_lateness(due, now);
            self.send(socket, slot, due, now);
        }
        self.list(slot);
    }

    /// Puts a slot that has room into the list of those that may send.
    pub(crate) fn list(&mut self, slot: usize) {
        if self.has_room(slot) && !self.slots[slot].is_listed {
            self.slots[slot].is_listed = true;
            self.free.push_back(slot);
        }
    }

    pub(crate) fn list_if_paced(&mut self, slot: usize) {
        if self.is_paced() {
            self.list(slot);
        }
    }

    fn has_room(&self, slot: usize) -> bool {
        let churn = self.is_churn();
        let slot = &self.slots[slot];
        match slot.state {
            State::Vacant => churn && slot.under_way.is_empty(),
            State::Connected => !churn && slot.under_way.len() < self.arguments.pipeline,
            State::Connecting | State::Gone => false,
        }
    }

    /// The next request that is due, and the slot that is to send it; `None` if none is due, or no
    /// slot is free.
    pub(crate) fn next_assignment(&mut self, now: Nanos) -> Option<(usize, Nanos)> {
        loop {
            let slot = *self.free.front()?;
            let due = match self.has_room(slot) {
                true => Some(self.take_due(now)?),
                false => None, // its connection has gone since
            };
            self.free.pop_front();
            self.slots[slot].is_listed = false;
            if self.free.is_empty() {
                self.none_free_since = now;
            }
            if let Some(due) = due {
                self.note_lateness(due, now);
                return Some((slot, due));
            }
        }
    }

    /// A request leaves at `now`. Whose doing it is that this is late is known from when it was due:
    /// if no connection was free then, the server's, which owes answers on all of them; if one was,
    /// the generator's, which was not there. Answers that had come and were not read yet count as owed:
    /// how long they lay about is the turn lag.
    fn note_lateness(&mut self, due: Nanos, now: Nanos) {
        match self.free.is_empty() && due > self.none_free_since {
            true => self.measure.held_back(due, now),
            false => self.measure.late(due, now),
        }
    }

    pub(crate) fn has_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Whether the pacer has to be woken: it waits for a free slot, and there is one.
    pub(crate) fn take_wake(&mut self) -> bool {
        let wake = self.pacer_waits && self.has_free();
        self.pacer_waits &= !wake;
        wake
    }

    /// Notes that the connection of `slot` is gone.
    pub(crate) fn leave(&mut self, slot: usize, now: Nanos) {
        match std::mem::replace(&mut self.slots[slot].state, State::Gone) {
            State::Connecting => self.connecting -= 1,
            State::Connected => self.measure.left(now),
            State::Vacant | State::Gone => {}
        }
    }

    /// Ends the run without a report.
    pub(crate) fn fail(&mut self, net: &mut Net, error: Error) {
        self.failed.get_or_insert(error);
        self.phase = Phase::Over;
        net.stop();
    }

    /// Gives up what `slot` has under way.
    pub(crate) fn lose(&mut self, slot: usize, now: Nanos, why: &str) {
        while let Some(request) = self.slots[slot].under_way.pop_front() {
            self.under_way -= 1;
            self.measure.lost(request, now, why);
        }
    }

    /// As [`lose`](Run::lose), for requests that were waited for in vain.
    pub(crate) fn give_up(&mut self, slot: usize, now: Nanos) {
        let timeout = self.timeout();
        while let Some(request) = self.slots[slot].under_way.pop_front() {
            self.under_way -= 1;
            self.measure.timed_out(request.due, now, timeout);
        }
    }

    pub(crate) fn request_bytes(&self) -> usize {
        self.request.len()
    }

    pub(crate) fn timeout(&self) -> Nanos {
        nanos(self.arguments.timeout)
    }
}
