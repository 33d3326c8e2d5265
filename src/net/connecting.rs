//! How far a socket has come on its way to a connection.
//!
//! Stands behind a pointer in the cold part of its socket, and is gone once the connection stands
//! or the socket is destroyed. What is done with it stands in `connect.rs`.

use super::entry::SocketEntry;
use super::ids::Key;
use super::{Net, TimerId};
use crate::connect::{MOST_ANSWERS, Race, in_order};
use crate::options::{LocalOptions, NameOptions, SocketOptions};
use crate::resolver::{Answer, Question, Resolver};
use crate::sys::Stream;
use crate::{Address, BlockList, Error, Family};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

/// A connection that does not stand yet.
pub(crate) struct Connecting {
    /// What the connection is to be made with; setters change it as long as there is no descriptor.
    pub(crate) options: SocketOptions,
    pub(super) local: LocalOptions,
    pub(super) block_list: Option<BlockList>,
    /// `None` if the address was given.
    pub(super) host: Option<Host>,
    /// Addresses of the host that are still to be told.
    pub(super) answers: VecDeque<IpAddr>,
    /// Why it has none; still to be told by `lookup`.
    pub(super) no_answer: Option<Error>,
    /// The same, told by `lookup` and still to be told by `error`.
    pub(super) failed: Option<Error>,
    /// Where attempts go to, in this order; empty until the host is looked up.
    pub(super) addresses: Vec<Address>,
    /// `None` until there are addresses.
    pub(super) race: Option<Race>,
    /// Bound to the local address, where one was asked for, before its attempt is told.
    pub(super) bound: Option<Stream>,
    /// Attempts beside each other; the only attempt to a single address is not among them.
    pub(super) attempts: Vec<Key>,
    /// What went wrong with which address, in the order in which it did.
    pub(super) errors: Vec<(usize, Error)>,
    /// Lets the race go on.
    pub(super) attempt_timer: Option<TimerId>,
    /// Ends all of it.
    pub(super) deadline: Option<TimerId>,
}

/// A host by name.
pub(super) struct Host {
    pub(super) question: Question,
    pub(super) port: u16,
    /// `None`: that of the loop.
    pub(super) resolver: Option<Rc<dyn Resolver>>,
    /// Attempts that may be under way at once.
    pub(super) at_once: usize,
    /// Between the beginnings of two attempts.
    pub(super) attempt_delay: Duration,
    /// The resolver was asked, or is being asked.
    pub(super) asked: bool,
    /// Until the answer is there.
    pub(super) lookup: Option<Key>,
}

impl Connecting {
    fn new(options: SocketOptions, local: LocalOptions) -> Connecting {
        Connecting {
            options,
            local,
            block_list: None,
            host: None,
            answers: VecDeque::new(),
            no_answer: None,
            failed: None,
            addresses: Vec::new(),
            race: None,
            bound: None,
            attempts: Vec::new(),
            errors: Vec::new(),
            attempt_timer: None,
            deadline: None,
        }
    }

    /// To an address.
    pub(super) fn to(
        address: Address,
        options: SocketOptions,
        local: LocalOptions,
    ) -> Box<Connecting> {
        let mut connecting = Connecting::new(options, local);
        connecting.race = Some(Race::new(1, 1));
        connecting.addresses = vec![address];
        Box::new(connecting)
    }

    /// To a host that is to be looked up.
    pub(super) fn to_host(
        host: Host,
        options: SocketOptions,
        local: LocalOptions,
    ) -> Box<Connecting> {
        let mut connecting = Connecting::new(options, local);
        connecting.host = Some(host);
        Box::new(connecting)
    }

    /// Turns the answer of a resolver into addresses to try, or into an error to tell.
    pub(super) fn take_answer(&mut self, answer: Answer) {
        let Some(host) = &mut self.host else {
            return;
        };
        host.lookup = None;
        let mut ips = match answer {
            Ok(ips) => ips,
            Err(error) => {
                self.no_answer = Some(error);
                return;
            }
        };
        let first = ips.first().map_or(Family::Ipv4, |&ip| Family::of(ip));
        ips.retain(|&ip| host.question.wants(Family::of(ip)));
        ips.truncate(if host.question.all { MOST_ANSWERS } else { 1 });
        let order = in_order(&ips);
        if order.is_empty() {
            let name = &host.question.host;
            self.no_answer = Some(Error::invalid_address_family(first, name, host.port)); // R8
            return;
        }
        ips.retain(|ip| order.contains(ip));
        self.answers = ips.into();
        self.race = Some(Race::new(order.len(), host.at_once));
        let port = host.port;
        let addresses = order.into_iter().map(|ip| SocketAddr::new(ip, port).into());
        self.addresses = addresses.collect();
    }

    /// Where it goes to, if there is but one place.
    pub(super) fn only_address(&self) -> Option<&Address> {
        match &self.addresses[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Several addresses are tried, so each attempt has a descriptor of its own (R78).
    pub(super) fn is_race(&self) -> bool {
        self.addresses.len() > 1
    }

    /// Whether this attempt is one of those under way.
    #[cfg(feature = "sim")]
    pub(super) fn has_attempt(&self, attempt: Key) -> bool {
        self.attempts.contains(&attempt)
    }

    /// The race has not decided about this attempt.
    pub(super) fn is_under_way(&self, place: usize) -> bool {
        (self.race.as_ref()).is_some_and(|race| race.is_under_way(place))
    }

    /// It has been decided how this ends; it is only to be told.
    pub(super) fn is_decided(&self) -> bool {
        self.no_answer.is_some() || self.race.as_ref().is_some_and(Race::is_over)
    }

    /// Adds to the error of an attempt where it went to, and where it came from if both parts of
    /// that were asked for.
    pub(super) fn refused(&self, place: usize, error: Error) -> Error {
        let error = match self.addresses.get(place) {
            Some(address) => error.with_address(address.clone()),
            None => error,
        };
        match self.local.told() {
            Some(local) => error.with_local_address(local),
            None => error,
        }
    }
}

impl SocketEntry {
    /// What is left to do until the connection stands.
    pub(super) fn connecting(&self) -> Option<&Connecting> {
        self.cold.as_ref()?.connect.as_deref()
    }
}

impl Net {
    pub(super) fn connecting_mut(&mut self, key: Key) -> Option<&mut Connecting> {
        self.sockets
            .get_mut(key)?
            .cold
            .as_mut()?
            .connect
            .as_deref_mut()
    }

    /// Whether several addresses of one host are tried, and how.
    pub(super) fn host(&self, question: Question, port: u16, options: &NameOptions) -> Host {
        let attempt_delay = match options.parallel {
            true => options.attempt_timeout.unwrap_or(PARALLEL_DELAY),
            false => options
                .attempt_timeout
                .unwrap_or(self.names_default.attempt_timeout),
        };
        Host {
            question,
            port,
            resolver: options.resolver.clone(),
            at_once: if options.parallel { MOST_AT_ONCE } else { 1 },
            attempt_delay,
            asked: false,
            lookup: None,
        }
    }
}

/// Attempts of a parallel race that may be under way at once: more would be a burst that a server
/// with many addresses can do without.
const MOST_AT_ONCE: usize = 8;

/// RFC 8305, section 5: the recommended delay between two attempts.
const PARALLEL_DELAY: Duration = Duration::from_millis(250);
