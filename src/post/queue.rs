//! A bounded queue from many threads to one loop, and the flag that says who wakes it.
//!
//! The loop is awake or asleep. Whoever puts something in while it is awake makes no system call;
//! the first one after it fell asleep wakes it, and no other. Nothing is lost in between, because
//! queue and flag change under one lock, and the loop falls asleep in one place only,
//! [`Queue::fall_asleep`], if it sees that nothing waits. An item is put in either before that, and
//! seen, or after it, and then its owner sees the flag.

use super::sync::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::{fmt, io, mem};

/// Rings for a loop that sleeps in its poller.
pub(crate) trait Wake {
    /// Lets the poll that runs, or else the next one, return.
    fn wake(&self) -> io::Result<()>;
}

/// A table that is larger than this gives its memory back when it is empty (FAULTS J6).
const KEPT_CAPACITY: usize = 1024;

/// What both sides share.
pub(crate) struct Queue<T, W> {
    state: Mutex<State<T, W>>,
    most: usize,
}

struct State<T, W> {
    items: VecDeque<Item<T>>,
    /// Invariant: how many of the items take room.
    bounded: usize,
    stop: bool,
    /// The loop sleeps, or may do so at any moment. Turned on only while nothing waits; whoever
    /// turns it off has to wake the loop.
    asleep: bool,
    /// How often the loop was woken.
    wakes: u64,
    /// How many items came back because there was no room for them.
    refused: u64,
    /// `None` once the loop is gone.
    waker: Option<W>,
}

struct Item<T> {
    value: T,
    /// It takes some of the room that there is for what may be refused.
    takes_room: bool,
}

/// Why something was not taken, and the thing itself.
///
/// ```
/// # fn retry(remote: &netloop::Remote) {
/// use netloop::Refused;
///
/// match remote.post(|net| net.stop()) {
///     Ok(()) => {}
///     Err(Refused::Full(work)) => drop(remote.post(work)), // once more, or later
///     Err(Refused::Closed(_)) => {}                        // nobody is there to do it
/// }
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Refused<F> {
    /// As much waits for the loop as may wait. It may be taken later.
    Full(F),
    /// The loop is gone.
    Closed(F),
}

impl<T, W: Wake> Queue<T, W> {
    /// A queue for at most so many items, and for a loop that may be asleep: a host may have asked how long to
    /// sleep before there was a queue to tell so.
    pub(crate) fn new(waker: W, most: usize) -> Queue<T, W> {
        Queue {
            state: Mutex::new(State {
                items: VecDeque::new(),
                bounded: 0,
                stop: false,
                asleep: true,
                wakes: 0,
                refused: 0,
                waker: Some(waker),
            }),
            most,
        }
    }

    // What any thread may do.

    /// Puts in what `pack` makes of `value`, which comes back unpacked if it is refused.
    pub(crate) fn push<U>(&self, value: U, pack: impl FnOnce(U) -> T) -> Result<(), Refused<U>> {
        self.put_in(true, value, pack)
    }

    /// Puts in something whose number is bounded elsewhere, and that takes nobody's room; dropped if
    /// the loop is gone.
    pub(crate) fn push_always(&self, item: T) {
        // Dropped out here and not under the lock, since its drop may come back.
        drop(self.put_in(false, item, |item| item));
    }

    fn put_in<U>(
        &self,
        takes_room: bool,
        value: U,
        pack: impl FnOnce(U) -> T,
    ) -> Result<(), Refused<U>> {
        let mut state = self.lock();
        if state.waker.is_none() {
            return Err(Refused::Closed(value));
        }
        if takes_room && state.bounded >= self.most {
            state.refused += 1;
            return Err(Refused::Full(value));
        }
        let value = pack(value);
        state.items.push_back(Item { value, takes_room });
        state.bounded += usize::from(takes_room);
        wake(state);
        Ok(())
    }

    /// Asks the loop to stop, whatever waits.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stop = true;
        wake(state);
    }

    // What the loop does.

    /// From now on whoever puts something in wakes the loop. `false`, and nothing has changed, if
    /// something waits already.
    pub(crate) fn fall_asleep(&self) -> bool {
        let mut state = self.lock();
        let nothing_waits = state.items.is_empty() && !state.stop;
        state.asleep |= nothing_waits;
        nothing_waits
    }

    /// From now on nobody needs to wake the loop: it will look before it falls asleep.
    pub(crate) fn wake_up(&self) {
        self.lock().asleep = false;
    }

    /// Something waits for the loop.
    pub(crate) fn is_waiting(&self) -> bool {
        let state = self.lock();
        !state.items.is_empty() || state.stop
    }

    /// Moves at most `most` items to the end of `taken`, oldest first; whether the loop was asked to
    /// stop since it last took something.
    pub(crate) fn take(&self, most: usize, taken: &mut VecDeque<T>) -> bool {
        let mut state = self.lock();
        for _ in 0..most {
            let Some(item) = state.items.pop_front() else {
                break;
            };
            state.bounded -= usize::from(item.takes_room);
            taken.push_back(item.value);
        }
        if state.items.is_empty() && state.items.capacity() > KEPT_CAPACITY {
            state.items = VecDeque::new();
        }
        mem::take(&mut state.stop)
    }

    /// Refuses everything from now on and answers with what was not taken, to be dropped.
    pub(crate) fn close(&self) -> VecDeque<T> {
        let mut state = self.lock();
        state.waker = None;
        let items = mem::take(&mut state.items);
        items.into_iter().map(|item| item.value).collect()
    }

    /// How often the loop was woken.
    pub(crate) fn wakes(&self) -> u64 {
        self.lock().wakes
    }

    /// How many items came back because there was no room for them.
    pub(crate) fn refused(&self) -> u64 {
        self.lock().refused
    }

    /// No foreign code runs with the lock held, so nothing is half done behind a poisoned one.
    fn lock(&self) -> MutexGuard<'_, State<T, W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the loop if it sleeps. With the lock held, so that of two the second sees whether the first
/// one could; the loop wants the lock only after its poll.
fn wake<T, W: Wake>(mut state: MutexGuard<'_, State<T, W>>) {
    if !state.asleep {
        return;
    }
    let outcome = state.waker.as_ref().map_or(Ok(()), W::wake);
    if outcome.is_ok() {
        state.asleep = false;
        state.wakes += 1;
    }
    drop(state); // before a logger, which may come back
    if let Err(error) = outcome {
        log::warn!("the loop could not be woken: {error}");
    }
}

impl<F> fmt::Debug for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Full(_) => "Full(..)",
            Refused::Closed(_) => "Closed(..)",
        })
    }
}

impl<F> fmt::Display for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Full(_) => "too much waits for the loop already",
            Refused::Closed(_) => "the loop is gone",
        })
    }
}

impl<F> std::error::Error for Refused<F> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    /// Counts how often it was rung, or is broken.
    #[derive(Clone, Default)]
    struct Bell {
        rings: Rc<Cell<u32>>,
        broken: Rc<Cell<bool>>,
    }

    impl Wake for Bell {
        fn wake(&self) -> io::Result<()> {
            self.rings.set(self.rings.get() + 1);
            match self.broken.get() {
                true => Err(io::ErrorKind::Other.into()),
                false => Ok(()),
            }
        }
    }

    /// The queue of a loop that is awake.
    fn queue(most: usize) -> (Queue<u32, Bell>, Bell) {
        let bell = Bell::default();
        let queue = Queue::new(bell.clone(), most);
        queue.wake_up();
        (queue, bell)
    }

    fn push(queue: &Queue<u32, Bell>, item: u32) -> Result<(), Refused<u32>> {
        queue.push(item, |item| item)
    }

    fn taken(queue: &Queue<u32, Bell>, most: usize) -> Vec<u32> {
        let mut taken = VecDeque::new();
        queue.take(most, &mut taken);
        taken.into()
    }

    #[test]
    fn only_the_first_one_wakes_a_loop_that_sleeps_and_nobody_one_that_is_awake() {
        let (queue, bell) = queue(10);
        push(&queue, 1).unwrap();
        assert_eq!(bell.rings.get(), 0);
        assert_eq!(taken(&queue, 9), [1]);
        assert!(queue.fall_asleep());
        for item in 2..5 {
            push(&queue, item).unwrap();
        }
        assert_eq!(bell.rings.get(), 1);
        queue.wake_up();
        push(&queue, 5).unwrap();
        assert_eq!((bell.rings.get(), queue.wakes()), (1, 1));
        assert_eq!(taken(&queue, 9), [2, 3, 4, 5]);
    }

    #[test]
    fn a_loop_that_has_said_nothing_yet_may_be_asleep() {
        let bell = Bell::default();
        let queue = Queue::new(bell.clone(), 10);
        push(&queue, 1).unwrap();
        push(&queue, 2).unwrap();
        assert_eq!(bell.rings.get(), 1);
    }

    #[test]
    fn a_loop_does_not_fall_asleep_over_something_that_waits() {
        let (queue, bell) = queue(10);
        push(&queue, 1).unwrap();
        assert!(!queue.fall_asleep());
        push(&queue, 2).unwrap();
        assert_eq!(bell.rings.get(), 0, "it is still awake");
        assert_eq!(taken(&queue, 2), [1, 2]);
        queue.stop();
        assert!(queue.is_waiting() && !queue.fall_asleep());
        assert!(queue.take(1, &mut VecDeque::new()), "stop comes once");
        assert!(!queue.take(1, &mut VecDeque::new()));
        assert!(queue.fall_asleep() && !queue.is_waiting());
        queue.stop();
        assert_eq!(bell.rings.get(), 1);
    }

    #[test]
    fn what_is_too_much_comes_back_and_what_is_owed_does_not() {
        let (queue, _) = queue(2);
        push(&queue, 1).unwrap();
        push(&queue, 2).unwrap();
        assert!(queue.push(3, |_| panic!("packed")) == Err(Refused::Full(3)));
        queue.push_always(4);
        assert_eq!(
            taken(&queue, 1),
            [1],
            "the oldest first, and no more than asked for"
        );
        push(&queue, 5).unwrap(); // what is owed takes nobody's room
        assert_eq!(push(&queue, 6), Err(Refused::Full(6)));
        assert_eq!(taken(&queue, 9), [2, 4, 5]);
        push(&queue, 7).unwrap();
        assert_eq!(queue.refused(), 2);
    }

    #[test]
    fn a_closed_queue_takes_nothing_and_wakes_nobody() {
        let (queue, bell) = queue(2);
        push(&queue, 1).unwrap();
        assert_eq!(queue.close(), [1]);
        assert_eq!(push(&queue, 2), Err(Refused::Closed(2)));
        queue.push_always(3);
        queue.stop();
        assert!(queue.close().is_empty());
        assert_eq!(bell.rings.get(), 0);
        assert_eq!(Rc::strong_count(&bell.rings), 1, "the waker is gone");
    }

    #[test]
    fn a_wake_that_fails_is_tried_again_by_the_next_one_and_loses_nothing() {
        let (queue, bell) = queue(9);
        assert!(queue.fall_asleep());
        bell.broken.set(true);
        push(&queue, 1).unwrap();
        push(&queue, 2).unwrap();
        assert_eq!((bell.rings.get(), queue.wakes()), (2, 0));
        assert!(!queue.fall_asleep());
        bell.broken.set(false);
        push(&queue, 3).unwrap();
        push(&queue, 4).unwrap();
        assert_eq!((bell.rings.get(), queue.wakes()), (3, 1));
        assert_eq!(taken(&queue, 9), [1, 2, 3, 4]);
    }

    #[test]
    fn after_a_flood_the_table_goes_back() {
        let (queue, _) = queue(100_000);
        for item in 0..100_000 {
            push(&queue, item).unwrap();
        }
        taken(&queue, 50_000);
        assert!(queue.lock().items.capacity() >= 50_000);
        taken(&queue, 50_000);
        assert!(queue.lock().items.capacity() <= KEPT_CAPACITY);
    }
}
