//! The write queue by example, and then against a plain list of bytes.

use proptest::prelude::*;

use super::*;

/// The slices that `front` offers, after checking what is promised of any of them.
fn offered(queue: &WriteQueue, limit_bytes: usize) -> Vec<&[u8]> {
    let slices = match queue.front(limit_bytes) {
        Front::Empty => vec![],
        Front::One(bytes) => vec![bytes],
        Front::Many(many) => {
            let slices = many.slices();
            let total: usize = slices.as_slice().iter().map(|slice| slice.len()).sum();
            assert_eq!(slices.total_bytes(), total);
            assert!((2..=SLICES_MAX).contains(&slices.as_slice().len()));
            // The same slices, but with the queue's lifetime instead of the array's.
            let mut from = many.chunks.head_taken;
            let whole = many
                .chunks
                .iter()
                .map(|chunk| &chunk[mem::take(&mut from)..]);
            let same = whole.zip(slices.as_slice()).map(|(chunk, slice)| {
                assert_eq!(chunk.as_ptr(), slice.as_ptr());
                &chunk[..slice.len()]
            });
            same.collect()
        }
    };
    assert_eq!(slices.is_empty(), queue.is_empty());
    assert!(slices.iter().all(|slice| !slice.is_empty()));
    assert!(slices.iter().map(|slice| slice.len()).sum::<usize>() <= limit_bytes.max(1));
    slices
}

fn offered_lengths(queue: &WriteQueue) -> Vec<usize> {
    offered(queue, usize::MAX)
        .iter()
        .map(|slice| slice.len())
        .collect()
}

fn slots(queue: &WriteQueue) -> usize {
    queue
        .0
        .as_ref()
        .map_or(0, |chunks| chunks.sealed.capacity())
}

#[test]
fn a_small_write_uses_the_same_memory_every_time() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    let ready = pool.queues_kept();
    let mut addresses = vec![];
    for _ in 0..1000 {
        queue.push_copy(&[7; 64], &mut pool);
        assert_eq!(pool.queues_kept(), ready - 1);
        let Front::One(bytes) = queue.front(usize::MAX) else {
            panic!("one plain send")
        };
        assert_eq!(bytes, [7; 64]);
        addresses.push(bytes.as_ptr());
        queue.advance(64, &mut pool);
        assert!(queue.0.is_none(), "a drained queue owns nothing");
        assert_eq!(pool.queues_kept(), ready);
    }
    addresses.dedup();
    assert_eq!(addresses.len(), 1);
}

#[test]
fn empty_pushes_do_nothing() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    queue.push_copy(&[], &mut pool);
    queue.push_shared(Bytes::new(), &mut pool);
    queue.advance(0, &mut pool);
    queue.clear(&mut pool);
    assert!(queue.is_empty() && offered(&queue, usize::MAX).is_empty());

    queue.push_copy(b"a", &mut pool);
    queue.push_copy(&[], &mut pool);
    queue.push_shared(Bytes::new(), &mut pool);
    queue.advance(0, &mut pool);
    assert_eq!(offered(&queue, usize::MAX), [b"a"]);
}

#[test]
fn small_copies_gather_in_one_chunk_even_behind_a_short_send() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    queue.push_copy(b"never ", &mut pool);
    queue.push_copy(b"odd or", &mut pool);
    queue.advance(8, &mut pool);
    queue.push_copy(b" even", &mut pool);
    assert_eq!(offered(&queue, usize::MAX), [b"d or even"]);
    assert_eq!(queue.len(), 9);
}

#[test]
fn a_copy_longer_than_the_room_fills_the_tail_first() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    queue.push_copy(&[1; 10], &mut pool);
    queue.push_copy(&[2; CHUNK_BYTES], &mut pool);
    assert_eq!(offered_lengths(&queue), [CHUNK_BYTES, 10]);
    queue.push_copy(&[3; CHUNK_BYTES - 10], &mut pool);
    assert_eq!(offered_lengths(&queue), [CHUNK_BYTES, CHUNK_BYTES]);
}

#[test]
fn a_long_copy_to_an_idle_queue_stays_in_one_piece() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    queue.push_copy(&[1; CHUNK_BYTES + 1], &mut pool);
    assert!(matches!(queue.front(usize::MAX), Front::One(_)));
    // Its buffer has no room, so what follows has a chunk of its own.
    queue.push_copy(&[2; 5], &mut pool);
    assert_eq!(offered_lengths(&queue), [CHUNK_BYTES + 1, 5]);
}

#[test]
fn a_long_remainder_gets_one_buffer_of_its_exact_size() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    queue.push_copy(&[1; 10], &mut pool);
    queue.push_copy(&[2; 100_000], &mut pool);
    assert_eq!(
        offered_lengths(&queue),
        [CHUNK_BYTES, 100_010 - CHUNK_BYTES]
    );
    queue.advance(CHUNK_BYTES, &mut pool);
    assert_eq!(pool.buffers_kept(), 1, "the pooled one is back");
    queue.clear(&mut pool);
    assert_eq!(
        pool.buffers_kept(),
        0,
        "the tail took it, and the long one is gone"
    );
}

#[test]
fn a_shared_buffer_is_sent_from_where_it_lies() {
    let mut pool = QueuePool::new();
    let broadcast = Bytes::from(vec![5; SHARE_MIN_BYTES]);
    let mut queues: Vec<_> = (0..100).map(|_| WriteQueue::default()).collect();
    for queue in &mut queues {
        queue.push_copy(b"header", &mut pool);
        queue.push_shared(broadcast.clone(), &mut pool);
    }
    for queue in &mut queues {
        assert_eq!(offered(queue, usize::MAX)[1].as_ptr(), broadcast.as_ptr());
        queue.advance(6, &mut pool);
        assert_eq!(offered(queue, usize::MAX)[0].as_ptr(), broadcast.as_ptr());
        queue.clear(&mut pool);
    }
    assert!(broadcast.is_unique(), "no queue holds on to it");
}

#[test]
fn a_short_shared_buffer_is_copied_behind_its_neighbours() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    queue.push_copy(&[1; 10], &mut pool);
    queue.push_shared(Bytes::from(vec![2; SHARE_MIN_BYTES - 1]), &mut pool);
    assert_eq!(offered_lengths(&queue), [10 + SHARE_MIN_BYTES - 1]);
}

#[test]
fn headers_between_shared_bodies_share_one_buffer() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    let body = Bytes::from(vec![0; 1000]);
    for number in 0..20 {
        queue.push_copy(&[number; 4], &mut pool);
        queue.push_shared(body.clone(), &mut pool);
    }
    let slices = offered(&queue, usize::MAX);
    for (number, pair) in slices.chunks(2).enumerate() {
        assert_eq!(pair, [&[number as u8; 4][..], &body]);
        assert_eq!(
            pair[0].as_ptr(),
            slices[0].as_ptr().wrapping_add(4 * number)
        );
    }
}

#[test]
fn a_buffer_that_was_in_parts_is_whole_for_the_next_borrower() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    queue.push_copy(b"warm", &mut pool);
    let address = offered(&queue, usize::MAX)[0].as_ptr();
    queue.advance(4, &mut pool);
    let ends: [fn(&mut WriteQueue, &mut QueuePool); 2] = [
        |queue, pool| queue.clear(pool),
        // The last step finds nothing sealed, but a tail that has lost its beginning.
        |queue, pool| {
            [6, 1000, 6]
                .into_iter()
                .for_each(|taken| queue.advance(taken, pool))
        },
    ];
    for end in ends {
        queue.push_copy(b"header", &mut pool);
        queue.push_shared(Bytes::from(vec![2; 1000]), &mut pool);
        queue.push_copy(b"header", &mut pool);
        end(&mut queue, &mut pool);

        queue.push_copy(&[3; CHUNK_BYTES / 2], &mut pool);
        queue.push_copy(&[3; CHUNK_BYTES / 2], &mut pool);
        let slices = offered(&queue, usize::MAX);
        assert_eq!((slices.len(), slices[0].as_ptr()), (1, address));
        queue.advance(CHUNK_BYTES, &mut pool);
    }
}

#[test]
fn a_send_that_ends_at_a_border_moves_to_the_next_chunk() {
    let chunks = [
        Bytes::from(vec![1; 600]),
        Bytes::from(vec![2; 700]),
        Bytes::from(vec![3; 800]),
    ];
    for (taken, expected) in [
        (599, vec![1, 700, 800]),
        (600, vec![700, 800]),
        (601, vec![699, 800]),
        (1299, vec![1, 800]),
        (1300, vec![800]),
        (1301, vec![799]),
        (2099, vec![1]),
        (2100, vec![]),
    ] {
        for step in [1, 7, taken] {
            let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
            chunks
                .iter()
                .for_each(|chunk| queue.push_shared(chunk.clone(), &mut pool));
            let mut left = taken;
            while left > 0 {
                queue.advance(left.min(step), &mut pool);
                left -= left.min(step);
            }
            assert_eq!(
                offered_lengths(&queue),
                expected,
                "{taken} in steps of {step}"
            );
            assert_eq!(queue.len(), 2100 - taken);
        }
    }
}

#[test]
fn a_limit_cuts_the_front_but_never_to_nothing() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    queue.push_shared(Bytes::from(vec![1; 600]), &mut pool);
    queue.push_shared(Bytes::from(vec![2; 700]), &mut pool);
    queue.push_copy(&[3; 50], &mut pool);
    for (limit_bytes, expected) in [
        (0, vec![1]),
        (1, vec![1]),
        (600, vec![600]),
        (601, vec![600, 1]),
        (1300, vec![600, 700]),
        (1301, vec![600, 700, 1]),
        (5000, vec![600, 700, 50]),
    ] {
        let lengths: Vec<_> = offered(&queue, limit_bytes)
            .iter()
            .map(|s| s.len())
            .collect();
        assert_eq!(lengths, expected, "limit {limit_bytes}");
    }
}

#[test]
fn thousands_of_chunks_leave_in_vectors_the_kernel_accepts() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    let shared = Bytes::from(vec![9; SHARE_MIN_BYTES]);
    for _ in 0..3000 {
        queue.push_shared(shared.clone(), &mut pool);
    }
    let mut sends = 0;
    while !queue.is_empty() {
        let lengths = offered_lengths(&queue);
        assert_eq!(lengths.len(), SLICES_MAX.min(queue.len() / SHARE_MIN_BYTES));
        queue.advance(lengths.iter().sum(), &mut pool);
        sends += 1;
    }
    assert_eq!(sends, 3000_usize.div_ceil(SLICES_MAX));
}

#[test]
fn more_than_four_gibibytes_are_counted() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    let shared = Bytes::from(vec![0; 64 << 20]);
    for _ in 0..100 {
        queue.push_shared(shared.clone(), &mut pool);
    }
    assert_eq!(queue.len(), 6_710_886_400);
    queue.advance(6_710_886_399, &mut pool);
    assert_eq!(offered_lengths(&queue), [1]);
    queue.advance(1, &mut pool);
    assert!(queue.is_empty());
}

#[test]
fn a_hundred_megabytes_of_tiny_writes_are_few_chunks_to_free() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    for _ in 0..100_000_000 / 64 {
        queue.push_copy(&[1; 64], &mut pool);
    }
    let chunks = queue.0.as_ref().map_or(0, |chunks| chunks.iter().count());
    assert_eq!(chunks, 100_000_000_usize.div_ceil(CHUNK_BYTES));
    queue.clear(&mut pool);
    assert!(queue.0.is_none());
    pool.assert_invariants();
}

#[test]
fn an_emptied_chunk_list_keeps_no_slots_of_a_spike() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    let shared = Bytes::from(vec![9; SHARE_MIN_BYTES]);
    let spike = |queue: &mut WriteQueue, pool: &mut QueuePool| {
        (0..5000).for_each(|_| queue.push_shared(shared.clone(), pool));
        queue.push_copy(b"tail", pool);
        assert!(slots(queue) >= 5000);
    };
    spike(&mut queue, &mut pool);
    queue.advance(5000 * SHARE_MIN_BYTES, &mut pool);
    assert!(slots(&queue) <= SLOTS_KEPT, "when the tail remains");
    spike(&mut queue, &mut pool);
    queue.clear(&mut pool);
    queue.push_copy(b"next", &mut pool);
    assert!(slots(&queue) <= SLOTS_KEPT, "when nothing remains");
}

#[test]
fn the_next_borrower_sees_nothing_of_the_last() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    let ends: [fn(&mut WriteQueue, &mut QueuePool); 3] = [
        |queue, pool| queue.advance(queue.len(), pool),
        |queue, pool| queue.clear(pool),
        |queue, pool| (0..queue.len()).for_each(|_| queue.advance(1, pool)),
    ];
    for end in ends {
        // Three buffers, one of them in two parts, and the head partly taken.
        for size in [100, 600, CHUNK_BYTES, 600, CHUNK_BYTES] {
            queue.push_copy(&vec![1; size], &mut pool);
            queue.push_shared(Bytes::from(vec![2; 600]), &mut pool);
        }
        queue.advance(50, &mut pool);
        end(&mut queue, &mut pool);
        pool.assert_invariants();

        // And as many copies again, so that every buffer left behind is used.
        for _ in 0..4 * CHUNK_BYTES {
            queue.push_copy(&[3], &mut pool);
        }
        let bytes = offered(&queue, usize::MAX).concat();
        assert!(bytes.len() == 4 * CHUNK_BYTES && bytes.iter().all(|&byte| byte == 3));
        queue.clear(&mut pool);
    }
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "more taken than was queued")]
fn taking_more_than_is_queued_is_a_mistake() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    queue.push_copy(b"four", &mut pool);
    queue.advance(5, &mut pool);
}

#[test]
#[cfg(not(debug_assertions))]
fn taking_more_than_is_queued_drains_the_queue() {
    let (mut pool, mut queue) = (QueuePool::new(), WriteQueue::default());
    queue.push_copy(b"four", &mut pool);
    queue.advance(5, &mut pool);
    assert!(queue.is_empty());
    queue.advance(5, &mut pool);
    pool.assert_invariants();
}

/// A queue beside the plain list of bytes it should behave like.
struct Pair {
    queue: WriteQueue,
    /// Every byte ever pushed, and how many of them have left.
    accepted: Vec<u8>,
    sent: usize,
    /// Added to every byte, so that no byte of one queue could be one of the other.
    mark: u8,
}

#[derive(Clone, Debug)]
enum Step {
    Copy(usize),
    Share(usize),
    /// The kernel takes this many of a thousand parts of what is queued.
    Take(usize),
    /// It takes what one send offers, less or more so many bytes.
    TakeOffered(isize),
    Clear,
}

impl Pair {
    fn new(mark: u8) -> Self {
        Pair {
            queue: WriteQueue::default(),
            accepted: vec![],
            sent: 0,
            mark,
        }
    }

    /// The next bytes of the stream. The period is a prime, so that no two chunks look alike.
    fn next_bytes(&self, size: usize) -> Vec<u8> {
        let start = self.accepted.len();
        (start..start + size)
            .map(|position| (position % 127) as u8 + self.mark)
            .collect()
    }

    fn apply(&mut self, step: &Step, pool: &mut QueuePool) {
        match *step {
            Step::Copy(size) => {
                let data = self.next_bytes(size);
                self.queue.push_copy(&data, pool);
                self.accepted.extend(data);
            }
            Step::Share(size) => {
                let data = Bytes::from(self.next_bytes(size));
                self.queue.push_shared(data.clone(), pool);
                self.accepted.extend(data);
            }
            Step::Take(parts) => self.take((self.queue.len() * parts).div_ceil(1000), pool),
            Step::TakeOffered(more) => {
                let head = offered(&self.queue, usize::MAX)
                    .first()
                    .map_or(0, |head| head.len());
                self.take(head.saturating_add_signed(more), pool);
            }
            Step::Clear => {
                self.queue.clear(pool);
                self.sent = self.accepted.len();
            }
        }
    }

    fn take(&mut self, taken: usize, pool: &mut QueuePool) {
        let taken = taken.min(self.queue.len());
        self.queue.advance(taken, pool);
        self.sent += taken;
    }

    fn check(&self, limit_bytes: usize) {
        let waiting = &self.accepted[self.sent..];
        assert_eq!(self.queue.len(), waiting.len());
        assert_eq!(self.queue.is_empty(), waiting.is_empty());
        let all = offered(&self.queue, usize::MAX);
        if all.len() < SLICES_MAX {
            assert_eq!(all.concat(), waiting);
        }
        let some = offered(&self.queue, limit_bytes).concat();
        assert!(waiting.starts_with(&some));
        assert_eq!(
            some.len(),
            limit_bytes
                .clamp(1, waiting.len().max(1))
                .min(all.concat().len())
        );
    }
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step, usize)>> {
    const SIZES: [usize; 10] = [0, 1, 63, 511, 512, 4095, 16_383, 16_384, 16_385, 100_000];
    let size = prop_oneof![prop::sample::select(&SIZES[..]), 0..2000_usize];
    let step = prop_oneof![
        6 => size.clone().prop_map(Step::Copy),
        4 => size.prop_map(Step::Share),
        3 => (0..=1000_usize).prop_map(Step::Take),
        4 => (-2..=2_isize).prop_map(Step::TakeOffered),
        1 => Just(Step::Clear),
    ];
    let limit_bytes = prop_oneof![0..1000_usize, 0..100_000_usize];
    prop::collection::vec((0..2_usize, step, limit_bytes), 1..60)
}

proptest! {
    // Nothing is written beside the sources; a failure prints its steps.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn two_queues_on_one_pool_behave_like_two_plain_lists_of_bytes(steps in steps()) {
        let mut pool = QueuePool::new();
        let mut pairs = [Pair::new(0), Pair::new(128)];
        for (which, step, limit_bytes) in &steps {
            pairs[*which].apply(step, &mut pool);
            pairs.iter().for_each(|pair| pair.check(*limit_bytes));
            pool.assert_invariants();
        }
        for pair in &mut pairs {
            while !pair.queue.is_empty() {
                pair.take(5000, &mut pool);
                pair.check(100);
            }
            prop_assert_eq!(pair.sent, pair.accepted.len());
        }
    }
}
