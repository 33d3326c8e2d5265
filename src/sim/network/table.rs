//! The descriptor table of a host, which is also the ledger: what is opened has to be closed, once.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::watch::Watch;

/// As on a real system, where 0 to 2 are taken.
const FIRST_DESCRIPTOR: u32 = 3;

/// What stands behind a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    Stream(EndpointId),
    Listener(ListenerId),
    /// A socket that has a local address and is not connecting yet.
    Bound(SocketAddr),
    /// The descriptor that is kept back.
    Spare,
}

/// Names an endpoint; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EndpointId(pub(super) usize);

/// Names a listener; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ListenerId(pub(super) usize);

/// An open descriptor.
#[derive(Debug)]
pub(super) struct Descriptor {
    pub(super) object: Object,
    pub(super) watch: Option<Watch>,
}

/// The open descriptors of one host.
#[derive(Debug, Default)]
pub(super) struct Table {
    open: BTreeMap<u32, Descriptor>,
    /// How many may be open; `None`: any number.
    pub(super) limit: Option<usize>,
}

impl Table {
    /// Whether no further descriptor can be had.
    pub(super) fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.open.len() >= limit)
    }

    /// Whether so many further descriptors can be had.
    pub(super) fn has_room(&self, more: usize) -> bool {
        let all = self.open.len().checked_add(more);
        self.limit
            .is_none_or(|limit| all.is_some_and(|all| all <= limit))
    }

    /// Takes the lowest number that is free, as POSIX has it: what was closed last comes back
    /// soonest, which is where mistaken identities show.
    pub(super) fn open(&mut self, object: Object) -> u32 {
        let mut number = FIRST_DESCRIPTOR;
        for taken in self.open.keys() {
            if *taken != number {
                break;
            }
            number += 1;
        }
        let watch = None;
        self.open.insert(number, Descriptor { object, watch });
        number
    }

    pub(super) fn get(&self, number: u32) -> Option<&Descriptor> {
        self.open.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Descriptor> {
        self.open.get_mut(&number)
    }

    pub(super) fn close(&mut self, number: u32) -> Option<Descriptor> {
        self.open.remove(&number)
    }

    /// In the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Descriptor)> {
        self.open.iter().map(|(number, open)| (*number, open))
    }

    /// The descriptor of the spare.
    pub(super) fn spare(&self) -> Option<u32> {
        let spare = self.iter().find(|(_, open)| open.object == Object::Spare);
        spare.map(|(number, _)| number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_comes_next() {
        let mut table = Table::default();
        let numbers: Vec<u32> = (0..3).map(|_| table.open(Object::Spare)).collect();
        assert_eq!(numbers, [3, 4, 5]);
        assert!(table.close(4).is_some());
        assert!(table.close(4).is_none(), "closed once");
        assert_eq!(table.open(Object::Spare), 4);
        assert_eq!(table.open(Object::Spare), 6);
    }
}
