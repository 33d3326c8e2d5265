//! Who has been silent for longest: a list through the servers' own slots, oldest first.
//!
//! Everybody's timeout is the same, so whoever was active last is due last, and a list does what a
//! heap or a wheel would do for less. Knows no sockets; slots are told apart by their index.

use std::time::{Duration, Instant};

const NONE: u32 = u32::MAX;

/// What a slot keeps for the list.
#[derive(Clone, Copy)]
pub struct Links {
    before: u32,
    after: u32,
    last_active: Instant,
}

pub struct IdleList {
    timeout: Duration,
    oldest: u32,
    youngest: u32,
}

impl IdleList {
    pub fn new(timeout: Duration) -> IdleList {
        IdleList {
            timeout,
            oldest: NONE,
            youngest: NONE,
        }
    }

    /// Adds a slot that is in no list yet.
    pub fn add<S: AsMut<Links>>(&mut self, slots: &mut [S], index: usize, now: Instant) {
        *slots[index].as_mut() = Links {
            before: self.youngest,
            after: NONE,
            last_active: now,
        };
        match self.youngest {
            NONE => self.oldest = index as u32,
            youngest => slots[youngest as usize].as_mut().after = index as u32,
        }
        self.youngest = index as u32;
    }

    pub fn remove<S: AsMut<Links>>(&mut self, slots: &mut [S], index: usize) {
        let Links { before, after, .. } = *slots[index].as_mut();
        match before {
            NONE => self.oldest = after,
            before => slots[before as usize].as_mut().after = after,
        }
        match after {
            NONE => self.youngest = before,
            after => slots[after as usize].as_mut().before = before,
        }
    }

    /// A byte was read or written.
    pub fn touch<S: AsMut<Links>>(&mut self, slots: &mut [S], index: usize, now: Instant) {
        if self.youngest == index as u32 {
            slots[index].as_mut().last_active = now;
        } else {
            self.remove(slots, index);
            self.add(slots, index, now);
        }
    }

    /// How long the loop may sleep; for ever if there is nobody.
    pub fn sleep<S: AsMut<Links>>(&self, slots: &mut [S], now: Instant) -> Option<Duration> {
        let oldest = slots.get_mut(self.oldest as usize)?.as_mut();
        Some((oldest.last_active + self.timeout).saturating_duration_since(now))
    }

    /// The one who is due, if anybody is. It stays in the list until it is removed.
    pub fn due<S: AsMut<Links>>(&self, slots: &mut [S], now: Instant) -> Option<usize> {
        let rest = self.sleep(slots, now)?;
        rest.is_zero().then_some(self.oldest as usize)
    }
}

impl Links {
    /// Of a slot that is in no list.
    pub fn none(now: Instant) -> Links {
        Links {
            before: NONE,
            after: NONE,
            last_active: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Slot(Links);

    impl AsMut<Links> for Slot {
        fn as_mut(&mut self) -> &mut Links {
            &mut self.0
        }
    }

    #[test]
    fn whoever_was_active_last_is_due_last() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut slots: Vec<Slot> = (0..4).map(|_| Slot(Links::none(start))).collect();
        let mut list = IdleList::new(Duration::from_millis(100));
        assert_eq!(list.sleep(&mut slots, start), None);
        for index in 0..4 {
            list.add(&mut slots, index, at(index as u64));
        }
        list.touch(&mut slots, 0, at(50));
        list.touch(&mut slots, 3, at(51)); // in the middle by now
        list.touch(&mut slots, 3, at(52)); // the youngest already
        list.remove(&mut slots, 2);
        assert_eq!(
            list.sleep(&mut slots, at(60)),
            Some(Duration::from_millis(41))
        );
        assert_eq!(list.due(&mut slots, at(100)), None);
        let mut order = Vec::new();
        while let Some(index) = list.due(&mut slots, at(200)) {
            list.remove(&mut slots, index);
            order.push(index);
        }
        assert_eq!(order, [1, 0, 3]);
        assert_eq!(list.sleep(&mut slots, at(200)), None);
    }
}
