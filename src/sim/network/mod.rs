//! The network between hosts and the kernels at its ends: one value that all simulated kernels of a
//! world share.
//!
//! Endpoints and listeners know only themselves (`endpoint`, `listener`); a host's table says what
//! its descriptors are (`table`); a registration says which edges it is owed (`watch`). A loop's
//! calls (`calls`, `ends`) send packets (`sending`) along paths (`routes`); those that arrive
//! (`arriving`) become edges, and polls hand these out (`polling`). This file holds what there is,
//! and lets time pass over it.
//!
//! # The strict edge-triggered kernel
//!
//! An edge is owed to a registration (`Network::wake`)
//!
//! - when the state of the socket changes: bytes, a FIN, a reset, a connect's outcome, a connection
//!   in the backlog, room after a write that was refused or cut short;
//! - when it is made or changed while something is true (`Network::register`).
//!
//! A poll hands each edge out once, with everything that is true at that moment and asked for.
//! An injected answer that hides what is there (a short read, a `WouldBlock`) counts as if it had
//! been the truth: what is hidden comes to light later, as a change of its own, unless somebody has
//! found it by then. Without that the loop would rightly sleep for ever.

mod agenda;
mod arriving;
mod calls;
mod conditions;
mod endpoint;
mod ends;
mod hidden;
mod inspect;
mod jobs;
mod listener;
mod local;
mod packet;
mod path;
mod polling;
mod routes;
mod sending;
mod table;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use agenda::{Agenda, Happening};
use endpoint::Endpoint;
use jobs::Jobs;
use listener::Listener;
use path::Path;
pub(super) use path::nanos;
use routes::FIRST_PORT;
use table::{EndpointId, ListenerId, Object, Table};
use watch::Cause;

use super::dice::Dice;
use super::faults::Faults;
use super::injection::Script;
use super::link::Link;
use super::trace::Trace;
use crate::sys::Bell;

const SECOND_NANOS: u64 = 1_000_000_000;

/// The whole outside of all loops.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) seed: u64,
    pub(super) now: u64,
    pub(super) dice: Dice,
    pub(super) faults: Faults,
    pub(super) trace: Trace,
    pub(super) default_link: Link,
    hosts: Vec<Host>,
    endpoints: Vec<Option<Box<Endpoint>>>,
    listeners: Vec<Option<Listener>>,
    paths: BTreeMap<(usize, usize), Path>,
    agenda: Agenda,
    serials: u64,
}

/// One machine.
#[derive(Debug)]
struct Host {
    table: Table,
    /// Descriptors that are owed an edge, in the order in which they came to be.
    ready: VecDeque<u32>,
    /// What wakes it from another thread, and the token of that event.
    bell: Option<(Arc<Bell>, u64)>,
    #[cfg(feature = "signal")]
    signals: crate::sys::SignalLine,
    /// What its other threads do.
    jobs: Jobs,
    /// What its clock shows when the world begins.
    clock_offset: u64,
    next_port: u16,
    script: Script,
}

impl Network {
    pub(super) fn new(seed: u64, faults: Faults, default_link: Link, dice: Dice) -> Network {
        Network {
            seed,
            now: 0,
            dice,
            faults,
            trace: Trace::new(),
            default_link,
            hosts: Vec::new(),
            endpoints: Vec::new(),
            listeners: Vec::new(),
            paths: BTreeMap::new(),
            agenda: Agenda::default(),
            serials: 0,
        }
    }

    /// Ends the run, with the one number that repeats it.
    #[track_caller]
    pub(super) fn fail(&self, what: impl std::fmt::Display) -> ! {
        panic!("seed {}: {what}", self.seed);
    }

    pub(super) fn add_host(&mut self, clock_offset: u64) -> usize {
        self.hosts.push(Host {
            table: Table::default(),
            ready: VecDeque::new(),
            clock_offset,
            bell: None,
            #[cfg(feature = "signal")]
            signals: crate::sys::SignalLine::default(),
            jobs: Jobs::default(),
            next_port: FIRST_PORT,
            script: Script::default(),
        });
        self.hosts.len() - 1
    }

    /// The signals of a host's process.
    #[cfg(feature = "signal")]
    pub(super) fn signals(&mut self, host: usize) -> &mut crate::sys::SignalLine {
        &mut self.hosts[host].signals
    }

    pub(super) fn host_clock(&self, host: usize) -> u64 {
        self.now.saturating_add(self.hosts[host].clock_offset)
    }

    pub(super) fn script(&mut self, host: usize) -> &mut Script {
        &mut self.hosts[host].script
    }

    pub(super) fn limit_descriptors(&mut self, host: usize, most: Option<usize>) {
        self.hosts[host].table.limit = most;
    }

    // Time.

    /// When the next thing happens by itself.
    pub(super) fn next_happening(&self) -> Option<u64> {
        self.agenda.next()
    }

    /// Lets time pass until `target`, and everything happen on the way, each thing at its time: a
    /// network does not stand still because a process does.
    pub(super) fn advance_to(&mut self, target: u64) {
        let target = target.max(self.now);
        while let Some((at, happening)) = self.agenda.pop(target) {
            self.now = self.now.max(at);
            match happening {
                Happening::Arrival(packet) => self.arrive(packet),
                Happening::Late {
                    host,
                    descriptor,
                    serial,
                } => self.report_late(host, descriptor, serial),
                Happening::Unhidden(id, cause) => self.unhide(id, cause),
                Happening::UnhiddenBacklog(id) => self.unhide_backlog(id),
                Happening::Resend(id, attempt) => self.send_syn(id, attempt),
                Happening::JobDone { host, pool } => self.do_job(host, pool),
            }
        }
        self.now = target;
    }

    fn endpoint(&mut self, id: EndpointId) -> Option<&mut Endpoint> {
        self.endpoints.get_mut(id.0)?.as_deref_mut()
    }

    fn listener(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.listeners.get_mut(id.0)?.as_mut()
    }

    fn add_endpoint(&mut self, endpoint: Endpoint) -> EndpointId {
        self.endpoints.push(Some(Box::new(endpoint)));
        EndpointId(self.endpoints.len() - 1)
    }

    fn forget_if_done(&mut self, id: EndpointId) {
        if self.endpoint(id).is_some_and(|it| it.is_done()) {
            self.endpoints[id.0] = None;
        }
    }

    /// The endpoint behind a descriptor. To use one that is not open is a bug of the loop's.
    fn stream(&mut self, host: usize, descriptor: u32) -> EndpointId {
        match self.hosts[host].table.get(descriptor).map(|it| it.object) {
            Some(Object::Stream(id)) => id,
            other => self.fail(format_args!(
                "host {host} uses descriptor {descriptor} as a stream, but it is {other:?}"
            )),
        }
    }

    fn listening(&mut self, host: usize, descriptor: u32) -> ListenerId {
        match self.hosts[host].table.get(descriptor).map(|it| it.object) {
            Some(Object::Listener(id)) => id,
            other => self.fail(format_args!(
                "host {host} uses descriptor {descriptor} as a listener, but it is {other:?}"
            )),
        }
    }

    /// The endpoint behind a descriptor, to be looked at and changed.
    fn stream_mut(&mut self, host: usize, descriptor: u32) -> &mut Endpoint {
        let id = self.stream(host, descriptor);
        self.endpoints[id.0]
            .as_deref_mut()
            .expect("an endpoint lives as long as its descriptor")
    }

    fn wake_endpoint(&mut self, id: EndpointId, cause: Cause) {
        let Some(endpoint) = self.endpoint(id) else {
            return;
        };
        if let (host, Some(descriptor)) = (endpoint.host, endpoint.descriptor) {
            self.wake(host, descriptor, cause);
        }
    }
}
