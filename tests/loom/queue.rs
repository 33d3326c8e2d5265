//! The queue between threads and the loop, in every order in which they can meet.
//!
//! ```text
//! cargo run --release --manifest-path tests/loom/Cargo.toml
//! ```
//!
//! The file under test is the library's own; only what its threads agree by is loom's. A wake-up
//! that is lost leaves the loop waiting for ever, which loom reports as a deadlock. A program and not
//! a test, since the file's own tests would come along, and they know nothing of loom.

// What the library uses and the models do not.
#[expect(dead_code, unreachable_pub)]
#[path = "../../src/post/queue.rs"]
mod queue;

/// In the place of `src/post/sync.rs`.
mod sync {
    pub(super) use loom::sync::{Mutex, MutexGuard};
}

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use queue::{Queue, Refused, Wake};
use std::collections::VecDeque;
use std::io;

/// A poller: sleeps until it was rung.
#[derive(Default)]
struct Poller {
    rung: Mutex<bool>,
    ring: Condvar,
}

impl Poller {
    fn sleep(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.ring.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// Rings a poller. If it is broken, it fails once.
struct Bell {
    poller: Arc<Poller>,
    broken: AtomicBool,
}

impl Wake for Bell {
    fn wake(&self) -> io::Result<()> {
        if self.broken.swap(false, Ordering::Relaxed) {
            return Err(io::ErrorKind::Other.into());
        }
        *self.poller.rung.lock().unwrap() = true;
        self.poller.ring.notify_one();
        Ok(())
    }
}

type Posts = Queue<u32, Bell>;

/// A queue for at most so many items, of a loop that is awake, and the poller that this one sleeps in.
fn posts(most: usize, broken: bool) -> (Arc<Posts>, Arc<Poller>) {
    let poller = Arc::new(Poller::default());
    let bell = Bell {
        poller: Arc::clone(&poller),
        broken: AtomicBool::new(broken),
    };
    let posts = Queue::new(bell, most);
    posts.wake_up();
    (Arc::new(posts), poller)
}

fn push(posts: &Posts, item: u32) -> Result<(), Refused<u32>> {
    posts.push(item, |item| item)
}

/// A thread that puts these in, one after the other.
fn poster(posts: &Arc<Posts>, items: &'static [u32]) -> loom::thread::JoinHandle<()> {
    let posts = Arc::clone(posts);
    loom::thread::spawn(move || {
        for &item in items {
            push(&posts, item).unwrap();
        }
    })
}

/// One turn of a loop that sleeps if it may. What it has taken comes behind `taken`; whether it was
/// asked to stop.
fn turn(posts: &Posts, poller: &Poller, taken: &mut VecDeque<u32>) -> bool {
    if posts.fall_asleep() {
        poller.sleep();
    }
    posts.wake_up();
    posts.take(usize::MAX, taken)
}

fn l3_two_posters_are_both_heard_each_in_its_order() {
    let (posts, poller) = posts(8, false);
    let threads = [poster(&posts, &[10, 11]), poster(&posts, &[20])];
    let mut taken = VecDeque::new();
    while taken.len() < 3 {
        turn(&posts, &poller, &mut taken);
    }
    let first: Vec<u32> = taken.iter().copied().filter(|it| *it < 20).collect();
    assert_eq!(first, [10, 11]);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// As a host does, which may ask more than once how long it may sleep, and turns for other reasons.
fn l3_a_loop_inside_another_loop_is_woken_between_its_turns() {
    let (posts, poller) = posts(8, false);
    let thread = poster(&posts, &[1, 2]);
    let mut taken = VecDeque::new();
    posts.fall_asleep(); // asked, and then turned without a sleep
    posts.wake_up();
    posts.take(usize::MAX, &mut taken);
    while taken.len() < 2 {
        if posts.fall_asleep() && posts.fall_asleep() {
            poller.sleep();
        }
        posts.wake_up();
        posts.take(usize::MAX, &mut taken);
    }
    assert_eq!(taken, [1, 2]);
    thread.join().unwrap();
}

fn a_wake_happens_at_most_once_for_each_sleep() {
    let (posts, poller) = posts(8, false);
    let threads = [poster(&posts, &[1]), poster(&posts, &[2])];
    let (mut taken, mut sleeps) = (VecDeque::new(), 0);
    while taken.len() < 2 {
        if posts.fall_asleep() {
            sleeps += 1;
            poller.sleep();
        }
        posts.wake_up();
        posts.take(usize::MAX, &mut taken);
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(posts.wakes() <= sleeps);
}

fn a_stop_ends_a_sleep_and_comes_once() {
    let (posts, poller) = posts(1, false);
    let stopper = Arc::clone(&posts);
    let thread = loom::thread::spawn(move || stopper.stop());
    let mut taken = VecDeque::new();
    while !turn(&posts, &poller, &mut taken) {}
    thread.join().unwrap();
    assert!(!posts.is_waiting() && !posts.take(1, &mut taken));
}

fn what_meets_the_end_of_the_loop_is_dropped_or_comes_back_and_never_both() {
    let (posts, poller) = posts(8, false);
    let late = Arc::clone(&posts);
    let thread = loom::thread::spawn(move || [1, 2].map(|item| push(&late, item).is_ok()));
    let mut taken = VecDeque::new();
    posts.take(1, &mut taken);
    posts.fall_asleep();
    taken.extend(posts.close());
    let accepted = thread.join().unwrap();
    assert_eq!(taken.len(), accepted.iter().filter(|it| **it).count());
    assert!(!accepted[1] || accepted[0], "closed is closed");
    assert_eq!(push(&posts, 3), Err(Refused::Closed(3)));
    drop(posts);
    assert_eq!(Arc::strong_count(&poller), 1, "the waker is gone");
}

fn a_full_queue_takes_something_again_once_the_loop_has_taken() {
    let (posts, poller) = posts(1, false);
    let full = Arc::clone(&posts);
    let thread = loom::thread::spawn(move || {
        push(&full, 1).unwrap();
        while push(&full, 2).is_err() {
            loom::thread::yield_now();
        }
    });
    let mut taken = VecDeque::new();
    while taken.len() < 2 {
        turn(&posts, &poller, &mut taken);
        assert!(taken.len() <= 2);
    }
    assert_eq!(taken, [1, 2]);
    thread.join().unwrap();
}

fn after_a_wake_that_failed_the_next_post_wakes() {
    let (posts, poller) = posts(8, true);
    assert!(posts.fall_asleep());
    let threads = [poster(&posts, &[1]), poster(&posts, &[2])];
    poller.sleep(); // the first ring is not heard, the second one is
    let mut taken = VecDeque::new();
    posts.wake_up();
    posts.take(usize::MAX, &mut taken);
    assert_eq!(taken.len(), 2);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// How often a thread is stopped in the middle of what it does. All orders would be too many, and
/// what goes wrong at all goes wrong with two.
const MOST_PREEMPTIONS: usize = 2;

fn main() {
    let models: [(&str, fn()); 7] = [
        (
            "two posters are both heard, each in its order",
            l3_two_posters_are_both_heard_each_in_its_order,
        ),
        (
            "a loop inside another loop is woken between its turns",
            l3_a_loop_inside_another_loop_is_woken_between_its_turns,
        ),
        (
            "a wake happens at most once for each sleep",
            a_wake_happens_at_most_once_for_each_sleep,
        ),
        (
            "a stop ends a sleep and comes once",
            a_stop_ends_a_sleep_and_comes_once,
        ),
        (
            "what meets the end of the loop is dropped or comes back, and never both",
            what_meets_the_end_of_the_loop_is_dropped_or_comes_back_and_never_both,
        ),
        (
            "a full queue takes something again once the loop has taken",
            a_full_queue_takes_something_again_once_the_loop_has_taken,
        ),
        (
            "after a wake that failed the next post wakes",
            after_a_wake_that_failed_the_next_post_wakes,
        ),
    ];
    for (name, model) in models {
        let orders = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counted = std::sync::Arc::clone(&orders);
        let mut orders_of = loom::model::Builder::new();
        orders_of.preemption_bound = Some(MOST_PREEMPTIONS);
        orders_of.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            model();
        });
        let orders = orders.load(Ordering::Relaxed);
        println!("{orders:>8} orders: {name}");
    }
}
