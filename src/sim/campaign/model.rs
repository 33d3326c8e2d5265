//! The reference: what one socket may be told, given what was asked of it and what its peer did.
//!
//! Two byte counters, the grammar of events, and what is owed. It predicts no error of the
//! network's; it knows what may never happen, and what has to have happened when all is quiet. The
//! numbers I1 to I31 in its messages are those of the invariants in the library's fault list.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::op::{By, Terms};
use super::payload::{Flow, Stream};
use super::seen::Seen;
use super::tally;
use crate::net::Limits;
use crate::{Address, Event, Net, SocketId};

/// What was asked of one socket, and what it was told.
#[derive(Debug)]
pub(super) struct End {
    pub(super) host: usize,
    pub(super) id: SocketId,
    /// The other end, once both are known.
    pub(super) peer: Option<usize>,
    /// What we write; `None` for an accepted socket whose client was gone before it was known.
    pub(super) flow: Option<Flow>,
    pub(super) half_open: bool,
    cap: usize,

    /// Bytes that writes have accepted.
    pub(super) accepted: u64,
    /// Those bytes, and how many of them are of our flow.
    pub(super) stream: Stream,
    pub(super) own: u64,
    /// Of those, how many completions have said that the kernel has them.
    settled: u64,
    /// Bytes told, less those given back.
    pub(super) heard: u64,
    /// Given back, and not told again yet.
    pub(super) held: u64,
    /// Data is being told.
    in_data: bool,
    /// It was given back by the one who had just been told it: the end drops it then.
    pub(super) refused: bool,

    attempted: bool,
    /// Is connecting by a name, and to several addresses of it.
    named: bool,
    pub(super) races: bool,
    /// What its name stands for, if that is one host.
    only: Option<IpAddr>,
    /// What was looked up, and what was tried; an address is gone from there when it has failed.
    looked_up: Vec<IpAddr>,
    tried: Vec<Address>,
    trying: Vec<Address>,
    /// How many attempts may be under way.
    at_once: usize,
    pub(super) connected: bool,
    pub(super) ready: bool,
    pub(super) end_told: bool,
    /// `end` is being told: our side is ended when it returns.
    in_end: bool,
    /// Our side was ended by a call of ours.
    pub(super) ended: bool,
    pub(super) finished: bool,
    pub(super) errors: u32,
    pub(super) closed: bool,
    /// An accepted socket that has none is told nothing, `close` included.
    pub(super) has_handler: bool,
    /// Destroyed, as far as was seen; with whether an error is due.
    doomed: Option<bool>,
    pub(super) reset_planned: bool,
    pub(super) paused: bool,
    pub(super) needs_drain: bool,
    /// What was piped into it may have filled it.
    pub(super) may_drain: bool,
    /// Where it is piped to, and whether its end goes there, too.
    pub(super) pipe: Option<(usize, bool)>,
    /// What is piped into it.
    pub(super) source: Option<usize>,
    /// The other side of a proxy.
    pub(super) partner: Option<usize>,
    /// Completions to come: each with the bytes that were accepted before it was due.
    completions: VecDeque<(usize, u64)>,

    served: Served,
    idle: Duration,
    /// Since when the socket may have been idle, at the earliest.
    active: Duration,
    /// What had moved when the last timeout was told.
    timed_out: Option<(u64, u64)>,
}

/// What a socket was told within one turn.
#[derive(Clone, Copy, Debug, Default)]
struct Served {
    turn: u64,
    reads: usize,
    read_bytes: usize,
    drains: usize,
}

/// What is broken, in words.
pub(super) type Verdict = Result<(), String>;

macro_rules! must {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}
pub(super) use must;

impl End {
    pub(super) fn new(host: usize, id: SocketId, accepted: bool, terms: &Terms) -> End {
        End {
            host,
            id,
            peer: None,
            flow: None,
            half_open: terms.half_open,
            cap: terms.cap.unwrap_or(16 * 1024 * 1024),
            accepted: 0,
            stream: Stream::default(),
            own: 0,
            settled: 0,
            heard: 0,
            held: 0,
            in_data: false,
            refused: false,
            attempted: accepted,
            named: false,
            only: None,
            races: false,
            looked_up: Vec::new(),
            tried: Vec::new(),
            trying: Vec::new(),
            at_once: 1,
            connected: accepted,
            ready: accepted,
            end_told: false,
            in_end: false,
            ended: false,
            finished: false,
            errors: 0,
            closed: false,
            has_handler: !accepted,
            doomed: None,
            reset_planned: false,
            paused: accepted && terms.paused,
            needs_drain: false,
            may_drain: false,
            pipe: None,
            source: None,
            partner: None,
            completions: VecDeque::new(),
            served: Served::default(),
            idle: Duration::ZERO,
            active: Duration::ZERO,
            timed_out: None,
        }
    }

    /// It connects this way.
    pub(super) fn goes_by(&mut self, by: By, to: IpAddr) {
        self.named = by != By::Address;
        self.only = (by == By::Name).then_some(to);
        self.races = self.named; // there may be strangers among the addresses of one host
        if by == By::Names(true) {
            self.at_once = 8;
        }
    }

    pub(super) fn was_accepted(&self) -> bool {
        self.flow.is_some_and(|it| !it.from_client)
    }

    pub(super) fn is_named(&self) -> bool {
        self.named
    }

    /// Not destroyed, as far as was seen.
    pub(super) fn is_alive(&self) -> bool {
        self.doomed.is_none() && !self.closed
    }

    /// Notices that the socket was destroyed.
    pub(super) fn notice(&mut self, destroyed: bool, errored: bool) {
        if destroyed && self.doomed.is_none() {
            self.doomed = Some(errored);
        }
    }

    /// Its acceptor panicked: without a handler it will never be heard of again.
    pub(super) fn give_up(&mut self) {
        self.notice(true, false);
        self.closed = !self.has_handler;
    }

    /// It has a handler, and be it to hear its close.
    pub(super) fn handler_set(&mut self) {
        self.closed &= self.has_handler;
        self.has_handler = true;
    }

    /// Checks an event that is about to be handled.
    pub(super) fn before(&mut self, event: &Event<'_>, seen: &Seen, limits: &Limits) -> Verdict {
        let what = || tally::name(event); // without the bytes
        must!(!self.closed, "I1, I2: {} after close", what());
        self.notice(seen.destroyed, seen.errored);
        let quiet = matches!(event, Event::Error(_) | Event::Close { .. });
        must!(quiet || !seen.destroyed, "I2: {} after destruction", what());
        let listens = matches!(event, Event::Data(_) | Event::End);
        must!(!listens || !self.paused, "I12: {} while paused", what());
        must!(!listens || self.ready, "I3: {} before ready", what());
        must!(!listens || !self.end_told, "I3: {} after end", what());
        if self.served.turn != seen.turn {
            self.served = Served {
                turn: seen.turn,
                ..Served::default()
            };
        }
        match *event {
            Event::Lookup { answer, .. } => {
                must!(self.named && !self.attempted, "I3: lookup out of place");
                let stranger = |it: IpAddr| matches!(it, IpAddr::V4(it) if it.octets()[1] == 255);
                if let (Ok(ip), Some(only)) = (answer, self.only) {
                    must!(ip == only || stranger(ip), "G7: {ip} is another's answer");
                }
                self.looked_up.extend(answer.ok());
                self.looked_up.sort_unstable();
                self.looked_up.dedup(); // an answer may say one twice
                self.active = seen.now;
                self.timed_out = None;
                must!(self.looked_up.len() <= 32, "I11: more than 32 addresses");
            }
            Event::ConnectionAttempt(address) => {
                let known = address.ip().is_some_and(|it| self.looked_up.contains(&it));
                must!(!self.connected, "I3: an attempt after connect");
                must!(known || !self.named, "G: an attempt at {address}");
                must!(self.named || !self.attempted, "I3: a second attempt");
                must!(!self.tried.contains(address), "I3: {address} tried twice");
                self.attempted = true;
                self.tried.push(address.clone());
                self.trying.push(address.clone());
                let trying = self.trying.len();
                must!(trying <= self.at_once, "I11: {trying} attempts at once");
            }
            Event::ConnectionAttemptFailed { address, .. }
            | Event::ConnectionAttemptTimeout(address) => {
                let at = self.trying.iter().position(|it| it == address);
                let Some(at) = at.filter(|_| !self.connected) else {
                    return Err("I3: a failed attempt out of place".to_owned());
                };
                self.trying.remove(at);
            }
            Event::Connect => {
                must!(
                    !self.trying.is_empty() && !self.connected,
                    "I3: connect out of place"
                );
                self.connected = true;
                self.active = seen.now;
                self.timed_out = None;
            }
            Event::Ready => {
                must!(self.connected && !self.ready, "I3: ready out of place");
                self.ready = true;
            }
            Event::Data(_) if self.pipe.is_some() => {
                return Err("pipe: bytes told beside it".into());
            }
            Event::Data(bytes) => self.data(bytes.len(), seen, limits)?,
            #[cfg(feature = "encoding")]
            Event::Text(_) => return Err("I3: text that nobody asked for".into()),
            Event::End => {
                must!(
                    self.held == 0 || self.refused,
                    "I6: end before what was given back"
                );
                self.end_told = true;
                self.in_end = true;
                self.active = seen.now;
                self.timed_out = None;
            }
            Event::Drain => {
                let waits = self.needs_drain || self.may_drain;
                must!(waits, "I10: drain that nobody waits for");
                must!(!self.write_ended(), "I10: drain after end");
                must!(seen.queued == 0, "I10: drain with {} queued", seen.queued);
                self.served.drains += 1;
                must!(self.served.drains == 1, "I15: a second drain in one turn");
                self.needs_drain = false;
                self.may_drain = false;
            }
            Event::Finish => {
                must!(!self.finished, "I3: finish twice");
                must!(self.write_ended(), "I3: finish without an end");
                must!(seen.queued == 0, "I7: finish with {} queued", seen.queued);
                self.finished = true;
            }
            Event::Timeout => self.timeout(seen)?,
            Event::Error(_) => {
                must!(self.errors == 0, "I3: error twice");
                must!(seen.destroyed, "I3: error on a socket that lives on");
                must!(self.doomed == Some(true), "I2: error after destroy()");
                self.errors += 1;
            }
            Event::Close { had_error } => {
                must!(seen.destroyed, "I3: close of a socket that lives on");
                must!(had_error == (self.errors > 0), "I3: close({had_error})");
                must!(
                    self.doomed != Some(true) || had_error,
                    "I3: an error kept back"
                );
                must!(seen.queued == 0, "I9: {} queued at close", seen.queued);
                let unsettled = self.completions.len();
                must!(
                    !self.connected || unsettled == 0,
                    "I8: {unsettled} unsettled at close"
                );
                self.closed = true;
            }
        }
        Ok(())
    }

    /// The event was handled.
    pub(super) fn after(&mut self) {
        self.in_end = false;
        self.in_data = false;
    }

    fn data(&mut self, length: usize, seen: &Seen, limits: &Limits) -> Verdict {
        must!(length > 0, "I3: data without bytes");
        // What is told again was not read now.
        let read = length.saturating_sub(self.held as usize);
        must!(
            read <= limits.read_buffer_bytes,
            "I11: {read} bytes in one read"
        );
        if read > 0 {
            must!(
                self.served.reads < limits.reads && self.served.read_bytes < limits.read_bytes,
                "I15: {:?} and reads on",
                self.served
            );
            self.served.reads += 1;
            self.served.read_bytes += read;
        }
        let length = length as u64;
        // Given back by the one who was told it last of all, before an end that a pause has put off.
        let dropped = match self.refused {
            true => self.held.saturating_sub(length),
            false => 0,
        };
        self.held -= dropped;
        self.heard += dropped;
        // What is given back is told by itself, or, if nobody wanted it so, with something newer.
        must!(
            length >= self.held,
            "I6: {length} told, {} given back",
            self.held
        );
        if length > self.held {
            self.active = seen.now; // what is told once more has not moved again
        } else {
            self.timed_out = None; // but the end may have been read that comes after it
        }
        self.held = 0;
        self.in_data = true;
        self.refused = false;
        self.heard += length;
        must!(
            seen.read == self.heard,
            "I9: read {} of {}",
            seen.read,
            self.heard
        );
        Ok(())
    }

    fn timeout(&mut self, seen: &Seen) -> Verdict {
        let silent = seen.now.saturating_sub(self.active);
        must!(
            self.idle > Duration::ZERO,
            "I24: a timeout that was turned off"
        );
        must!(
            silent >= self.idle,
            "I23: timeout {:?} after {silent:?}",
            self.idle
        );
        let moved = (seen.read, seen.written - seen.queued as u64);
        must!(
            self.timed_out != Some(moved),
            "I24: a second timeout in one silence"
        );
        self.timed_out = Some(moved);
        Ok(())
    }

    /// Our side is ended, by us or because the peer's is.
    pub(super) fn write_ended(&self) -> bool {
        self.ended || self.end_told && !self.half_open && !self.in_end
    }

    // What is asked of the socket. Each is told what the socket said before and after.

    pub(super) fn wrote(
        &mut self,
        length: u64,
        answer: bool,
        before: &Seen,
        after: &Seen,
    ) -> Verdict {
        let writable = self.is_alive() && !self.write_ended();
        let known = self.reset_planned || before.destroyed != self.doomed.is_some();
        must!(
            known || before.writable == writable,
            "R46: writable {}",
            before.writable
        );
        let refused = !before.writable || before.queued > self.cap;
        if !refused {
            must!(
                after.queued as u64 <= before.queued as u64 + length,
                "I11: {length} bytes more, {} queued",
                after.queued
            );
            self.accepted += length;
            self.stream.push(self.flow, self.own, length);
            self.own += length;
            if after.destroyed {
                must!(!answer, "I10: true from a write that failed");
            } else {
                let full = after.queued > 0 && after.queued >= after.mark;
                must!(
                    answer != full,
                    "I10: {answer} with {} of {}",
                    after.queued,
                    after.mark
                );
                self.needs_drain |= full;
            }
        } else {
            must!(!answer, "I10: true from a write that was refused");
            must!(after.destroyed, "R46: refused without consequence");
        }
        must!(
            after.queued as u64 <= self.cap as u64 + length,
            "I11: {} queued",
            after.queued
        );
        must!(
            after.written == self.accepted,
            "I9: wrote {}",
            after.written
        );
        self.notice(after.destroyed, after.errored);
        Ok(())
    }

    /// A completion for all that was accepted so far.
    pub(super) fn awaits(&mut self, completion: usize) {
        self.completions.push_back((completion, self.accepted));
    }

    pub(super) fn completed(&mut self, completion: usize, ok: bool) -> Verdict {
        must!(
            !ok || !self.closed || !self.has_handler,
            "I8: written after close"
        );
        match self.completions.pop_front() {
            Some((first, at)) if first == completion => {
                if ok {
                    self.settled = at;
                }
                Ok(())
            }
            other => Err(format!("I8: completion {completion} before {other:?}")),
        }
    }

    pub(super) fn end_called(&mut self) {
        self.ended |= self.is_alive();
    }

    pub(super) fn reset_called(&mut self, before: &Seen) {
        self.reset_planned |= before.connecting;
    }

    pub(super) fn pause_called(&mut self, paused: bool) {
        if self.is_alive() {
            self.paused = paused;
        }
    }

    pub(super) fn timeout_set(&mut self, idle: Duration, seen: &Seen) {
        self.idle = idle;
        self.active = seen.now;
        self.timed_out = None;
    }

    /// How many of `bytes` can be given back; they count as not heard from now on.
    pub(super) fn give_back(&mut self, bytes: u64) -> u64 {
        let reads = self.connected && !self.end_told && self.is_alive() && !self.reset_planned;
        let bytes = bytes.min(self.heard);
        if reads {
            self.heard -= bytes;
            self.held += bytes;
            self.refused |= self.in_data && bytes > 0;
        }
        bytes
    }

    /// What stands between a live socket and its rest, once nothing breaks any more.
    pub(super) fn at_rest(&self, seen: &Seen) -> Verdict {
        must!(!seen.connecting, "I14: still connecting");
        must!(seen.queued == 0, "I14: {} still queued", seen.queued);
        must!(
            self.completions.is_empty(),
            "I8: completions are still to come"
        );
        must!(
            !self.needs_drain || self.write_ended(),
            "I10: drain never came"
        );
        must!(
            !self.write_ended() || self.finished,
            "I14: finish never came"
        );
        must!(seen.paused == self.paused, "I12: paused is {}", seen.paused);
        Ok(())
    }

    /// Checks the end of what `self` hears against the one who wrote it.
    pub(super) fn heard_all_of(&self, writer: &End) -> Verdict {
        let (heard, accepted) = (self.heard + self.held, writer.accepted);
        if writer.is_alive() || writer.finished {
            must!(heard == accepted, "I7: end after {heard} of {accepted}");
        }
        must!(
            heard >= writer.settled,
            "I8: end after {heard} of {}",
            writer.settled
        );
        Ok(())
    }

    pub(super) fn unsettled(&self) -> usize {
        self.completions.len()
    }
}

/// The time of a host, as its timers count it.
pub(super) fn tick(net: &Net) -> u64 {
    (net.now().as_nanos() / 1_000_000) as u64
}
