//! A slab whose slots know which generation stands in them.
//!
//! Generations come from one counter for the whole slab, so two tenants of a slot differ until
//! 2^32 others have come and gone (FAULTS E3).

use super::ids::Key;
use slab::Slab;

/// What stands in a slot carries its own generation, so that it packs with its neighbours.
pub(crate) trait Tenant {
    fn generation(&self) -> u32;
}

/// A slab of tenants, found by slot and generation.
pub(crate) struct Slots<T> {
    slab: Slab<T>,
    /// The generation of the newest tenant. Never 0: a key of zeros names nothing.
    generation: u32,
    /// How many tenants there is always room for.
    reserved: usize,
}

/// The places that a table keeps when it is emptied, if no more are reserved.
const KEPT: usize = 1024;

impl<T: Tenant> Slots<T> {
    pub(crate) fn new() -> Slots<T> {
        Slots {
            slab: Slab::new(),
            generation: 0,
            reserved: 0,
        }
    }

    /// Makes room for so many tenants in all, and keeps it when they go.
    pub(crate) fn reserve(&mut self, tenants: usize) {
        self.reserved = tenants;
        let more = tenants.saturating_sub(self.slab.len());
        self.slab.reserve_exact(more);
    }

    /// Puts in what `make` builds for its key.
    pub(crate) fn insert(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        self.generation = self.generation.wrapping_add(1).max(1);
        let vacant = self.slab.vacant_entry();
        let key = Key {
            index: vacant.key() as u32,
            generation: self.generation,
        };
        let tenant = vacant.insert(make(key));
        debug_assert_eq!(tenant.generation(), key.generation);
        key
    }

    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let tenant = self.slab.get(key.index as usize)?;
        (tenant.generation() == key.generation).then_some(tenant)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let tenant = self.slab.get_mut(key.index as usize)?;
        (tenant.generation() == key.generation).then_some(tenant)
    }

    /// The key of whatever stands in a slot now: for owners that cancel what names a bare slot
    /// before the slot is freed, as the wheels' entries are.
    pub(crate) fn key_at(&self, index: u32) -> Option<Key> {
        let generation = self.slab.get(index as usize)?.generation();
        Some(Key { index, generation })
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let tenant = self.slab.remove(key.index as usize);
        // After a spike the table goes back, once nobody stands in it (FAULTS J6): down to what was
        // reserved, or it would be missed in the next storm.
        if self.slab.is_empty() && self.slab.capacity() > self.reserved.max(KEPT) {
            self.slab = Slab::with_capacity(self.reserved);
        }
        Some(tenant)
    }

    /// Every tenant with its key, by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slab.iter().map(|(index, tenant)| {
            let index = index as u32;
            let generation = tenant.generation();
            (Key { index, generation }, tenant)
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    #[cfg(test)]
    pub(crate) fn set_generation(&mut self, generation: u32) {
        self.generation = generation;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Guest(u32);

    impl Tenant for Guest {
        fn generation(&self) -> u32 {
            self.0
        }
    }

    fn slots() -> Slots<Guest> {
        Slots::new()
    }

    fn put(slots: &mut Slots<Guest>) -> Key {
        slots.insert(|key| Guest(key.generation))
    }

    #[test]
    fn a_key_of_a_former_tenant_finds_nothing() {
        let mut slots = slots();
        let first = put(&mut slots);
        assert!(slots.remove(first).is_some());
        let second = put(&mut slots);
        assert_eq!(first.index, second.index, "the slot is used again");
        assert!(slots.get(first).is_none());
        assert!(slots.get_mut(first).is_none());
        assert!(slots.remove(first).is_none());
        assert!(slots.get(second).is_some());
    }

    #[test]
    fn generations_wrap_past_zero() {
        let mut slots = slots();
        slots.set_generation(u32::MAX - 1);
        let last = put(&mut slots);
        assert_eq!(last.generation, u32::MAX);
        let next = put(&mut slots);
        assert_eq!(next.generation, 1);
        assert!(slots.get(last).is_some() && slots.get(next).is_some());
    }

    #[test]
    fn room_that_was_reserved_outlives_those_who_stood_in_it_and_no_more_does() {
        let mut slots = slots();
        slots.reserve(3000);
        let places = slots.slab.capacity();
        assert!(places >= 3000);
        for tenants in [2000, 3000, 5000, 10] {
            let keys: Vec<Key> = (0..tenants).map(|_| put(&mut slots)).collect();
            assert!(tenants > 3000 || slots.slab.capacity() == places);
            for key in keys {
                assert!(slots.remove(key).is_some());
            }
            assert_eq!(slots.slab.capacity(), places, "after {tenants}");
        }
        slots.reserve(0);
        let last = put(&mut slots);
        slots.remove(last);
        assert!(slots.slab.capacity() < 1024, "taken back");
    }

    #[test]
    fn room_counts_those_who_are_there() {
        let mut slots = slots();
        let keys: Vec<Key> = (0..100).map(|_| put(&mut slots)).collect();
        slots.reserve(50);
        slots.reserve(2000);
        assert!((2000..3000).contains(&slots.slab.capacity()));
        assert!(keys.iter().all(|key| slots.get(*key).is_some()));
    }

    #[test]
    fn an_emptied_table_gives_its_memory_back_and_keeps_its_generations() {
        let mut slots = slots();
        let keys: Vec<Key> = (0..5000).map(|_| put(&mut slots)).collect();
        for key in &keys {
            slots.remove(*key);
        }
        assert_eq!(slots.len(), 0);
        assert!(slots.slab.capacity() < 1024);
        let next = put(&mut slots);
        assert_eq!(next.generation, 5001);
    }
}
