//! The ready queue: what the kernel reported and what a budget left undone, oldest first.
//!
//! Knows neither sockets nor servers; that nothing stands in it twice is a flag on each of them.

use super::ids::Target;

/// First in, first out, in rounds: a turn serves those that stood in the queue when it began.
///
/// A list and a cursor instead of a ring: within a round nothing wraps, and at its end there is
/// hardly anything left to move.
#[derive(Default)]
pub(crate) struct ReadyQueue {
    /// Tokens, as the kernel hands them out: smaller than what they name.
    tokens: Vec<u64>,
    /// How many of `tokens` were taken out in this round.
    /// Invariant: not more than there are.
    taken: usize,
}

impl ReadyQueue {
    /// Begins a round and says how many stand in the queue.
    pub(crate) fn begin_round(&mut self) -> usize {
        self.tokens.drain(..self.taken);
        self.taken = 0;
        self.tokens.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, target: Target) {
        self.push_token(target.to_token());
    }

    /// As [`push`](ReadyQueue::push), of what a token names.
    #[inline]
    pub(crate) fn push_token(&mut self, token: u64) {
        self.tokens.push(token);
    }

    /// Makes room for so many in all.
    pub(super) fn reserve(&mut self, targets: usize) {
        let more = targets.saturating_sub(self.tokens.len());
        self.tokens.reserve(more);
    }

    /// Takes out the oldest.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Target> {
        let token = *self.tokens.get(self.taken)?;
        self.taken += 1;
        Some(Target::from_token(token))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.taken == self.tokens.len()
    }

    /// All that stand in it, oldest first. Not needed by the loop itself.
    #[cfg(feature = "sim")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Target> {
        let waiting = self.tokens[self.taken..].iter();
        waiting.map(|&token| Target::from_token(token))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::Key;
    use super::*;

    fn target(index: u32) -> Target {
        Target::Socket(Key {
            index,
            generation: 1,
        })
    }

    #[test]
    fn a_round_is_those_that_stood_in_the_queue_when_it_began() {
        let mut queue = ReadyQueue::default();
        assert_eq!((queue.begin_round(), queue.pop()), (0, None));
        queue.push(target(1));
        queue.push(target(2));
        assert_eq!(queue.begin_round(), 2);
        assert_eq!(queue.pop(), Some(target(1)));
        queue.push(target(1)); // served, and ready again
        assert_eq!(queue.pop(), Some(target(2)));
        assert!(!queue.is_empty());
        assert_eq!(queue.begin_round(), 1);
        assert_eq!(queue.pop(), Some(target(1)));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_round_that_was_cut_short_loses_nobody() {
        let mut queue = ReadyQueue::default();
        (0..4).for_each(|index| queue.push(target(index)));
        assert_eq!(queue.begin_round(), 4);
        assert_eq!(queue.pop(), Some(target(0)));
        // A panic: the next round goes on behind the one that was taken out.
        assert_eq!(queue.begin_round(), 3);
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(rest, [target(1), target(2), target(3)]);
    }

    #[test]
    fn the_memory_of_a_long_life_is_that_of_its_longest_round() {
        let mut queue = ReadyQueue::default();
        for index in 0..100_000 {
            queue.push(target(index));
            assert_eq!(queue.begin_round(), 1);
            assert_eq!(queue.pop(), Some(target(index)));
        }
        assert!(queue.tokens.capacity() < 16);
    }
}
