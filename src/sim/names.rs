//! Names in a simulated world: whose they are, and what a resolver makes of them.
//!
//! Has dice of its own, thrown once the world is there: a world in which nobody is asked for is the
//! same with them and without.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use super::dice::Dice;
use super::network::Network;
use crate::{Error, Net, Promise, Question, Resolver};

/// How long an answer takes on a calm day, and on a bad one, at most: longer than anybody waits.
const SOON: u64 = 20_000_000;
const LATE: u64 = 15_000_000_000;

/// What the resolvers of a world know.
pub(super) struct Names {
    addresses: BTreeMap<String, Vec<IpAddr>>,
    dice: Dice,
    /// Never fulfilled.
    lost: Vec<Promise>,
}

impl Names {
    pub(super) fn new(seed: u64) -> Names {
        Names {
            addresses: BTreeMap::new(),
            dice: Dice::new(seed ^ 0x6e61_6d65), // another row than the world's own
            lost: Vec::new(),
        }
    }

    pub(super) fn set(&mut self, name: &str, addresses: Vec<IpAddr>) {
        self.addresses.insert(name.to_owned(), addresses);
    }
}

/// The resolver of every host.
pub(super) struct WorldResolver {
    pub(super) names: Rc<RefCell<Names>>,
    pub(super) network: Rc<RefCell<Network>>,
}

impl Resolver for WorldResolver {
    fn resolve(&self, net: &mut Net, question: Question, promise: Promise) {
        let faults = self.network.borrow().faults.clone();
        let names = &mut *self.names.borrow_mut();
        if names.dice.chance(faults.lost_lookups) {
            return names.lost.push(promise);
        }
        let known = names.addresses.get(question.host());
        let mut answer = Ok(known.cloned().unwrap_or_default());
        let dice = &mut names.dice;
        if dice.chance(faults.failed_lookups) {
            answer = Err(Error::lookup("EAI_AGAIN", question.host()));
        }
        if let Ok(ips) = &mut answer
            && dice.chance(faults.stray_lookups)
        {
            for _ in 0..dice.pick(1..=40) {
                let nobody = Ipv4Addr::new(10, 255, dice.pick(0..=255) as u8, 1);
                ips.insert(0, nobody.into());
            }
        }
        let most = match dice.chance(faults.slow_lookups) {
            true => LATE,
            false => SOON,
        };
        let delay = Duration::from_nanos(dice.magnitude(0..=most));
        let timer = net.set_timeout(delay, move |_| promise.fulfil(answer));
        net.unref_timer(timer);
    }
}
