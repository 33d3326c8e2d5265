//! Everything that the oracles know of one run, shared by all callbacks in it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

use super::model::{End, Verdict, must};
use super::op::{Deed, Kind};
use super::payload::Flow;
use super::posts::MailBook;
use super::tally;
use crate::{Net, ServerId, TimerId};

/// The book of a run, and whether a callback is writing in it. A run has one thread, but what is
/// posted has to be fit for another.
#[derive(Clone)]
pub(super) struct Shared {
    book: Arc<Mutex<Book>>,
    /// A callback is on the stack.
    inside: Arc<AtomicBool>,
}

pub(super) struct Book {
    pub(super) seed: u64,
    /// Nothing is done any more of what was drawn: the world is to come to rest.
    pub(super) calm: bool,
    pub(super) ends: Vec<End>,
    pub(super) servers: Vec<ServerBook>,
    pub(super) timers: Vec<TimerBook>,
    /// What other threads bring, by host.
    pub(super) mail: Vec<MailBook>,
    /// Which client has which address.
    pub(super) clients: BTreeMap<SocketAddr, usize>,
    /// Clients that are connected, and sockets that were accepted, which have not met in the book.
    connected: BTreeMap<SocketAddr, usize>,
    accepted: BTreeMap<SocketAddr, usize>,
    pub(super) connections: usize,
    pub(super) completions: usize,
    /// How much work was given to other threads.
    pub(super) tasks: usize,
    /// Immediates that were asked for and have not run.
    pub(super) immediates: usize,
    /// The last turn of each host in which timers ran, and how many.
    pub(super) ran: BTreeMap<usize, (u64, usize)>,
    /// How many timers were armed, which orders those of one tick.
    pub(super) armed: u64,
    /// Each with the first event that it is for, and how many there are.
    pub(super) reactions: Vec<(Kind, u16, u16, Deed)>,
    /// How often each kind of event was told.
    told: [u64; Kind::ALL.len()],
    /// How often anything else happened, by its name.
    happened: BTreeMap<String, u64>,
    /// How many callbacks ran.
    pub(super) callbacks: u64,
    /// The first thing that was broken.
    pub(super) broken: Option<String>,
}

pub(super) struct ServerBook {
    pub(super) host: usize,
    pub(super) id: ServerId,
    pub(super) listening: bool,
    pub(super) open: bool,
    pub(super) closed: bool,
    /// The last turn that it accepted in, and how many.
    pub(super) accepted: (u64, usize),
}

pub(super) struct TimerBook {
    pub(super) host: usize,
    pub(super) id: Option<TimerId>,
    /// The tick at which it is due, then its place among those of that tick.
    pub(super) due: (u64, u64),
    pub(super) is_set: bool,
}

impl Shared {
    pub(super) fn new(seed: u64) -> Shared {
        let book = Book {
            seed,
            calm: false,
            ends: Vec::new(),
            servers: Vec::new(),
            timers: Vec::new(),
            mail: Vec::new(),
            clients: BTreeMap::new(),
            connected: BTreeMap::new(),
            accepted: BTreeMap::new(),
            connections: 0,
            completions: 0,
            tasks: 0,
            immediates: 0,
            ran: BTreeMap::new(),
            armed: 0,
            reactions: Vec::new(),
            told: [0; Kind::ALL.len()],
            happened: BTreeMap::new(),
            callbacks: 0,
            broken: None,
        };
        Shared {
            book: Arc::new(Mutex::new(book)),
            inside: Arc::default(),
        }
    }

    /// Looks something up or writes it down. Nothing of the library's is called meanwhile.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Book) -> T) -> T {
        match self.book.try_lock() {
            Ok(mut book) => look(&mut book),
            Err(TryLockError::Poisoned(book)) => look(&mut book.into_inner()),
            Err(TryLockError::WouldBlock) => panic!("the book is open already"),
        }
    }

    /// A check of which only the first one that fails is kept.
    pub(super) fn check(&self, check: impl FnOnce(&mut Book) -> Verdict) {
        self.with(|book| {
            let verdict = check(book);
            book.note(verdict);
        });
    }

    /// Begins a callback, which ends when the answer is dropped.
    pub(super) fn enter(&self, kind: Kind) -> Inside {
        let nested = self.inside.swap(true, Ordering::Relaxed);
        self.with(|book| {
            book.callbacks += 1;
            if nested {
                book.note(Err(format!("I5: {kind:?} inside a callback")));
            }
        });
        Inside(Arc::clone(&self.inside))
    }

    /// What is to be done in an event of this kind that has just come.
    pub(super) fn reactions(&self, kind: Kind) -> Vec<Deed> {
        self.with(|book| {
            let count = &mut book.told[kind as usize];
            let nth = *count;
            *count += 1;
            if book.calm {
                return Vec::new();
            }
            let due = |it: &&(Kind, u16, u16, Deed)| {
                let (its, first, times, _) = **it;
                let first = u64::from(first);
                its == kind && (first..first + u64::from(times)).contains(&nth)
            };
            book.reactions.iter().filter(due).map(|it| it.3).collect()
        })
    }
}

/// A callback is on the stack.
pub(super) struct Inside(Arc<AtomicBool>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Book {
    /// Counts something that happened.
    pub(super) fn count(&mut self, what: String) {
        *self.happened.entry(what).or_default() += 1;
    }

    /// Counts an operation that took effect.
    pub(super) fn count_done(&mut self, what: &impl fmt::Debug) {
        self.count(format!("do {}", tally::name(what)));
    }

    /// Everything that happened, by its name.
    pub(super) fn happened(&self) -> BTreeMap<String, u64> {
        let mut happened = self.happened.clone();
        for (kind, &times) in Kind::ALL.iter().zip(&self.told) {
            if times > 0 {
                happened.insert(format!("on {kind:?}"), times);
            }
        }
        happened.insert("a socket".to_owned(), self.ends.len() as u64);
        happened.insert(
            "a socket with a peer".to_owned(),
            self.ends.iter().filter(|it| it.peer.is_some()).count() as u64,
        );
        let heard = self.ends.iter().map(|it| it.heard).sum();
        happened.insert("a byte heard".to_owned(), heard);
        happened.retain(|_, times| *times > 0);
        happened
    }

    pub(super) fn note(&mut self, verdict: Verdict) {
        if let (Err(what), None) = (verdict, &self.broken) {
            self.broken = Some(what);
        }
    }

    /// What a new end writes.
    pub(super) fn new_flow(&mut self, from_client: bool) -> Flow {
        self.connections += 1;
        Flow {
            seed: self.seed,
            connection: self.connections,
            from_client,
        }
    }

    /// A client is connected, from this address: it is the peer of whom a server has accepted from
    /// there, or will.
    pub(super) fn client_connects(&mut self, client: usize, from: SocketAddr) {
        self.connected.insert(from, client);
        self.link(from);
    }

    /// A server has accepted somebody from this address.
    pub(super) fn server_accepts(&mut self, end: usize, from: SocketAddr) {
        self.accepted.insert(from, end);
        // A client with one attempt has it; others say which one it was when they are connected.
        if let Some(&client) = self.clients.get(&from)
            && !self.ends[client].races
        {
            self.connected.insert(from, client);
        }
        self.link(from);
    }

    fn link(&mut self, from: SocketAddr) {
        if let (Some(&client), Some(&end)) = (self.connected.get(&from), self.accepted.get(&from)) {
            self.connected.remove(&from);
            self.accepted.remove(&from);
            self.ends[end].peer = Some(client);
            self.ends[client].peer = Some(end);
        }
    }

    /// An end is about to be told these bytes, which begin at `from`: are they its peer's?
    pub(super) fn check_bytes(&self, end: usize, from: u64, bytes: &[u8]) -> Verdict {
        let Some(peer) = self.ends[end].peer.map(|peer| &self.ends[peer]) else {
            return Err(format!("I6: {} bytes from nobody", bytes.len()));
        };
        let to = from + bytes.len() as u64;
        must!(to <= peer.accepted, "I6: heard {to} of {}", peer.accepted);
        if peer.stream.bytes(from, bytes.len()) == bytes {
            return Ok(());
        }
        let origin = self.ends.iter().enumerate().find_map(|(number, end)| {
            let at = end.flow?.find(bytes, end.own)?;
            Some(format!("byte {at} of what {number} wrote"))
        });
        let origin = origin.unwrap_or_else(|| "nobody's".to_owned());
        Err(format!("I6: at byte {from} stands what is {origin}"))
    }

    /// The so-manieth of those on a host, wrapped round.
    pub(super) fn nth<T>(of: &[T], on: impl Fn(&T) -> bool, nth: u8) -> Option<usize> {
        let here: Vec<usize> = (0..of.len()).filter(|at| on(&of[*at])).collect();
        let count = here.len().max(1);
        here.get(usize::from(nth) % count).copied()
    }

    /// A timer has come up: is it its turn?
    pub(super) fn timer_fired(&mut self, timer: usize, net: &Net) -> Verdict {
        let TimerBook {
            host, due, is_set, ..
        } = self.timers[timer];
        let now = super::model::tick(net);
        let (turn, ran) = self.ran.entry(host).or_default();
        if *turn != net.counters.turns {
            (*turn, *ran) = (net.counters.turns, 0);
        }
        *ran += 1;
        must!(*ran <= net.limits.timers, "I15: {ran} timers in one turn");
        must!(is_set, "I24: a timer that was cleared or has run");
        must!(now >= due.0, "I23: at tick {now}, due at {}", due.0);
        let earlier = |it: &&TimerBook| it.host == host && it.is_set && it.due < due;
        if let Some(it) = self.timers.iter().find(earlier) {
            return Err(format!("I25: {due:?} before {:?}", it.due));
        }
        Ok(())
    }
}
