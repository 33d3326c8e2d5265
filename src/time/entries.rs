//! The memory of the wheel's entries, and the lists they are threaded into.
//!
//! Knows nothing of time: a deadline and a slot are kept here for the wheel, never looked into.

use std::num::NonZeroU32;

use super::slot::Slot;

/// Nodes kept when the last entry goes. What a spike took beyond that is given back: 24 KiB stay.
const KEPT_NODES: usize = 1024;

/// Nodes that a table has room for when it begins to grow: 192 KiB of address space, of which only what
/// is used becomes memory. Above 128 KiB an allocator gives a table pages of its own and lets it grow
/// where it is; below, each table that was outgrown stays behind in the heap.
const FIRST_NODES: usize = 8 * 1024;

/// Names an entry from the moment it is armed until it comes out or is cancelled.
///
/// After that the name may pass to a newcomer: forgetting it in time is the owner's duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryId(
    /// One more than the node's index.
    NonZeroU32,
);

const _: () = assert!(
    size_of::<Option<EntryId>>() == 4,
    "no entry must cost a socket no more than an entry"
);

impl EntryId {
    fn of_index(index: usize) -> EntryId {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        EntryId(number.expect("fewer than 2^32 entries at a time"))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// One entry, or an unused place for one.
#[derive(Debug)]
struct Node {
    deadline: u64,
    /// The neighbour ahead in the slot's list.
    prev: Option<EntryId>,
    /// The neighbour behind in the slot's list. In an unused node: the next unused one.
    next: Option<EntryId>,
    owner: u32,
    /// Invariant: `Some` as long as the node is linked into that slot's list, `None` while unused.
    slot: Option<Slot>,
}

/// What one entry costs its owner, besides the `EntryId`.
pub(crate) const ENTRY_BYTES: usize = size_of::<Node>();

const _: () = assert!(
    ENTRY_BYTES == 24,
    "a socket's memory is promised with 24 bytes for its entry"
);

/// The ends of one slot's list, in the order in which its entries were armed.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    /// Invariant: `None` if and only if `last` is.
    first: Option<EntryId>,
    last: Option<EntryId>,
}

impl List {
    pub(super) const EMPTY: List = List {
        first: None,
        last: None,
    };

    pub(super) fn first(&self) -> Option<EntryId> {
        self.first
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

/// Every entry of one wheel, and the nodes that wait for their next use.
#[derive(Debug)]
pub(super) struct Entries {
    nodes: Vec<Node>,
    /// The first unused node; the others follow by `next`.
    unused: Option<EntryId>,
    /// Invariant: the nodes that are not on the chain of `unused`.
    len: usize,
    /// How many nodes there is always room for.
    reserved: usize,
}

impl Entries {
    pub(super) fn new() -> Entries {
        Entries {
            nodes: Vec::new(),
            unused: None,
            len: 0,
            reserved: 0,
        }
    }

    /// Makes room for so many entries in all, and keeps it when they go.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.reserved = entries;
        let more = entries.saturating_sub(self.nodes.len());
        self.nodes.reserve_exact(more);
    }

    #[cfg(any(test, feature = "sim"))]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The slot `entry` is linked into; `None` for a name that has outlived its entry.
    ///
    /// A name from outside is asked here first. The wheel then does nothing with one that is out of
    /// use, so a caller's mistake can harm the caller's timers, but never the lists.
    pub(super) fn slot(&self, entry: EntryId) -> Option<Slot> {
        let slot = self.nodes.get(entry.index()).and_then(|node| node.slot);
        debug_assert!(slot.is_some(), "{entry:?} came out or was cancelled before");
        slot
    }

    #[cfg(feature = "sim")]
    pub(super) fn owner(&self, entry: EntryId) -> u32 {
        self.node(entry).owner
    }

    pub(super) fn deadline(&self, entry: EntryId) -> u64 {
        self.node(entry).deadline
    }

    /// The entry behind `entry` in its list.
    pub(super) fn next(&self, entry: EntryId) -> Option<EntryId> {
        self.node(entry).next
    }

    /// A new entry, linked nowhere as yet.
    pub(super) fn insert(&mut self, deadline: u64, owner: u32) -> EntryId {
        let node = Node {
            deadline,
            prev: None,
            next: None,
            owner,
            slot: None,
        };
        self.len += 1;
        let Some(entry) = self.unused else {
            if self.nodes.len() == self.nodes.capacity() {
                self.nodes
                    .reserve(FIRST_NODES.saturating_sub(self.nodes.len()).max(1));
            }
            self.nodes.push(node);
            return EntryId::of_index(self.nodes.len() - 1);
        };
        self.unused = self.node(entry).next;
        *self.node_mut(entry) = node;
        entry
    }

    /// Ends an entry that has been unlinked, and tells whose it was.
    pub(super) fn remove(&mut self, entry: EntryId) -> u32 {
        debug_assert!(self.node(entry).slot.is_none(), "unlinked first");
        let owner = self.node(entry).owner;
        self.node_mut(entry).next = self.unused;
        self.unused = Some(entry);
        self.len -= 1;
        if self.len == 0 {
            // With no name left in use no node has to stay where it is. A table that has grown
            // beyond what is kept has paid for this with as many insertions.
            self.nodes.clear();
            self.nodes.shrink_to(self.reserved.max(KEPT_NODES));
            self.unused = None;
        }
        owner
    }

    pub(super) fn set_deadline(&mut self, entry: EntryId, deadline: u64) {
        self.node_mut(entry).deadline = deadline;
    }

    /// Links `entry` to the end of `list`, which is the list of `slot`.
    pub(super) fn push_back(&mut self, list: &mut List, slot: Slot, entry: EntryId) {
        let ahead = list.last.replace(entry);
        let node = self.node_mut(entry);
        node.slot = Some(slot);
        node.prev = ahead;
        node.next = None;
        match ahead {
            Some(ahead) => self.node_mut(ahead).next = Some(entry),
            None => list.first = Some(entry),
        }
    }

    /// Takes `entry` out of `list`, wherever in it it stands.
    pub(super) fn unlink(&mut self, list: &mut List, entry: EntryId) {
        let node = self.node_mut(entry);
        node.slot = None;
        let (ahead, behind) = (node.prev, node.next);
        match ahead {
            Some(ahead) => self.node_mut(ahead).next = behind,
            None => list.first = behind,
        }
        match behind {
            Some(behind) => self.node_mut(behind).prev = ahead,
            None => list.last = ahead,
        }
    }

    fn node(&self, entry: EntryId) -> &Node {
        &self.nodes[entry.index()]
    }

    fn node_mut(&mut self, entry: EntryId) -> &mut Node {
        &mut self.nodes[entry.index()]
    }
}

#[cfg(test)]
impl Entries {
    /// Nodes there is memory for.
    pub(super) fn capacity(&self) -> usize {
        self.nodes.capacity()
    }

    /// Nodes that have ever been used, and so take memory.
    pub(super) fn used(&self) -> usize {
        self.nodes.len()
    }

    /// The entries of `list` from first to last, having checked the links of each.
    pub(super) fn walk(&self, list: &List, slot: Slot) -> Vec<EntryId> {
        let mut walked = Vec::new();
        let mut next = list.first;
        while let Some(entry) = next {
            let node = self.node(entry);
            assert_eq!(node.slot, Some(slot));
            assert_eq!(node.prev, walked.last().copied());
            walked.push(entry);
            assert!(walked.len() <= self.len, "the list runs in a circle");
            next = node.next;
        }
        assert_eq!(list.last, walked.last().copied());
        walked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_order_whichever_entry_leaves() {
        let slot = Slot::new(0, 0);
        for leaver in 0..3 {
            let (mut entries, mut list) = (Entries::new(), List::EMPTY);
            let mut names: Vec<_> = (0..3).map(|owner| entries.insert(0, owner)).collect();
            for &entry in &names {
                entries.push_back(&mut list, slot, entry);
            }
            let entry = names.remove(leaver);
            entries.unlink(&mut list, entry);
            assert_eq!(entries.walk(&list, slot), names);
            assert_eq!(entries.remove(entry), leaver as u32);
        }
    }

    #[test]
    fn a_node_is_used_again_before_the_table_grows() {
        let mut entries = Entries::new();
        let (kept, freed) = (entries.insert(0, 0), entries.insert(0, 1));
        entries.remove(freed);
        assert_eq!(entries.insert(0, 2), freed);
        assert_ne!(entries.insert(0, 3), kept);
        assert_eq!(entries.nodes.len(), 3);
    }

    #[test]
    fn memory_of_a_spike_goes_back_when_the_last_entry_goes() {
        let mut entries = Entries::new();
        let names: Vec<_> = (0..50_000).map(|owner| entries.insert(0, owner)).collect();
        for entry in names {
            assert!(entries.capacity() >= 50_000);
            entries.remove(entry);
        }
        assert_eq!(entries.len(), 0);
        assert!(entries.capacity() <= KEPT_NODES);
    }

    #[test]
    fn a_table_that_grows_leaves_nothing_behind_in_the_heap() {
        let mut entries = Entries::new();
        let names: Vec<_> = (0..10).map(|owner| entries.insert(0, owner)).collect();
        assert!(entries.capacity() * ENTRY_BYTES > 128 * 1024);
        // What is kept of it is less, and it grows back at once.
        for entry in names {
            entries.remove(entry);
        }
        assert_eq!(entries.capacity(), KEPT_NODES);
        (0..=KEPT_NODES as u32).for_each(|owner| {
            entries.insert(0, owner);
        });
        assert!(entries.capacity() * ENTRY_BYTES > 128 * 1024);
    }

    #[test]
    fn room_that_was_reserved_stays_when_the_last_entry_goes() {
        let mut entries = Entries::new();
        entries.reserve(3_000);
        let room = entries.capacity();
        for owners in [2_000, 50_000, 10] {
            let names: Vec<_> = (0..owners).map(|owner| entries.insert(0, owner)).collect();
            for entry in names {
                entries.remove(entry);
            }
            assert_eq!(entries.capacity(), room, "after {owners}");
        }
        entries.reserve(0);
        let last = entries.insert(0, 0);
        entries.remove(last);
        assert!(entries.capacity() <= KEPT_NODES, "taken back");
    }
}
