//! Blank queues and empty buffers, kept for the next connection that has to wait for the kernel.
//!
//! Knows nothing of what is queued, nor by whom: it lends what is blank and bounds what it keeps.
//! After a spike it holds 1 MiB of buffers, and in lists an eighth of that, however much was out.

use bytes::BytesMut;

use super::write_queue::{CHUNK_BYTES, Chunks};

/// Queues ready at the start, so that the first turns gather replies without allocating. Their
/// buffers are only address space until someone writes into them.
const QUEUES_AT_START: usize = 16;

/// Queues kept, each with a buffer: so many sockets can wait in one turn for a common flush.
const QUEUES_KEPT: usize = 48;

/// Buffers kept beside those, for queues that grow past their first.
const BUFFERS_KEPT: usize = 16;

const _: () = assert!(
    (QUEUES_KEPT + BUFFERS_KEPT) * CHUNK_BYTES <= 1024 * 1024,
    "what a spike leaves here stays, so it has to be little"
);

/// What drained queues leave for the next ones; one pool serves the whole loop.
pub(crate) struct QueuePool {
    /// The last one in is the first one out: its buffer is still in the cache.
    /// Invariant: each is blank, and there are never more than the capacity, `QUEUES_KEPT`.
    #[expect(
        clippy::vec_box,
        reason = "boxes move between here and the queues, not contents"
    )]
    queues: Vec<Box<Chunks>>,
    /// Invariant: each is empty, with room for `CHUNK_BYTES`, and there are never more than the
    /// capacity, `BUFFERS_KEPT`.
    buffers: Vec<BytesMut>,
}

impl QueuePool {
    /// A pool with a handful of queues ready.
    pub(crate) fn new() -> Self {
        let mut queues = Vec::with_capacity(QUEUES_KEPT);
        queues.resize_with(QUEUES_AT_START, || Box::new(Chunks::new(new_buffer())));
        QueuePool {
            queues,
            buffers: Vec::with_capacity(BUFFERS_KEPT),
        }
    }

    /// Whether a queue can be lent, and a chunk copied into it, without allocating.
    pub(crate) fn can_lend(&self) -> bool {
        !self.queues.is_empty()
    }

    /// A blank queue, if there is one.
    pub(super) fn lend(&mut self) -> Option<Box<Chunks>> {
        let chunks = self.queues.pop();
        debug_assert!(chunks.as_ref().is_none_or(|chunks| chunks.is_blank()));
        chunks
    }

    /// A queue in any case. A new one gets its buffer at its first copy: thousands of slow readers
    /// of shared buffers need none.
    pub(super) fn lend_or_make(&mut self) -> Box<Chunks> {
        self.lend()
            .unwrap_or_else(|| Box::new(Chunks::new(BytesMut::new())))
    }

    /// Takes a queue back, with whatever is still in it.
    pub(super) fn give_back(&mut self, mut chunks: Box<Chunks>) {
        // After one small write, which is nearly every write, only lengths have to change.
        if chunks.forget() && has_room(&self.queues) {
            self.queues.push(chunks);
        } else {
            self.give_back_slowly(chunks);
        }
    }

    #[cold]
    fn give_back_slowly(&mut self, mut chunks: Box<Chunks>) {
        if has_room(&self.queues) {
            chunks.rebuild(self);
            self.queues.push(chunks);
        } else {
            chunks.dismantle(self);
        }
    }

    /// An empty buffer with room for `CHUNK_BYTES`.
    pub(super) fn take_buffer(&mut self) -> BytesMut {
        let buffer = self.buffers.pop().unwrap_or_else(new_buffer);
        debug_assert!(buffer.is_empty() && buffer.capacity() >= CHUNK_BYTES);
        buffer
    }

    /// Takes back part of a buffer. The last part brings back the whole; the others are dropped.
    pub(super) fn recycle(&mut self, mut part: BytesMut) {
        if has_room(&self.buffers) {
            part.clear();
            if part.try_reclaim(CHUNK_BYTES) {
                self.buffers.push(part);
            }
        }
    }
}

/// Whether a push stays within the capacity, which is the bound. Asked in these words, the compiler
/// leaves out the code that would grow the list.
fn has_room<T>(list: &Vec<T>) -> bool {
    list.len() < list.capacity()
}

fn new_buffer() -> BytesMut {
    BytesMut::with_capacity(CHUNK_BYTES)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::write_queue::{Front, WriteQueue};
    use super::*;

    impl QueuePool {
        pub(crate) fn queues_kept(&self) -> usize {
            self.queues.len()
        }

        pub(crate) fn buffers_kept(&self) -> usize {
            self.buffers.len()
        }

        pub(crate) fn assert_invariants(&self) {
            assert!(self.queues.iter().all(|chunks| chunks.is_blank()));
            let whole = |buffer: &BytesMut| buffer.is_empty() && buffer.capacity() >= CHUNK_BYTES;
            assert!(self.buffers.iter().all(whole));
            assert_eq!(self.queues.capacity(), QUEUES_KEPT);
            assert_eq!(self.buffers.capacity(), BUFFERS_KEPT);
        }
    }

    fn queue_of(size: usize, pool: &mut QueuePool) -> WriteQueue {
        let mut queue = WriteQueue::default();
        // In pieces, as one long copy would not come from the pool.
        for piece in vec![1; size].chunks(1000) {
            queue.push_copy(piece, pool);
        }
        queue
    }

    fn address(queue: &WriteQueue) -> *const u8 {
        match queue.front(1) {
            Front::One(bytes) => bytes.as_ptr(),
            _ => panic!("something is queued"),
        }
    }

    #[test]
    fn a_new_pool_lends_a_handful_of_queues_without_allocating() {
        let mut pool = QueuePool::new();
        pool.assert_invariants();
        let mut lent = vec![];
        while pool.can_lend() {
            lent.push(queue_of(64, &mut pool));
        }
        assert_eq!(lent.len(), QUEUES_AT_START);
    }

    #[test]
    fn an_exhausted_pool_makes_queues_and_keeps_them() {
        let mut pool = QueuePool::new();
        let mut lent: Vec<_> = (0..QUEUES_AT_START + 1)
            .map(|_| queue_of(64, &mut pool))
            .collect();
        assert!(!pool.can_lend());
        lent.iter_mut()
            .for_each(|queue| queue.advance(64, &mut pool));
        assert_eq!(pool.queues_kept(), QUEUES_AT_START + 1);
        pool.assert_invariants();
    }

    #[test]
    fn the_last_queue_in_is_the_first_one_out() {
        let mut pool = QueuePool::new();
        let (mut first, mut second) = (queue_of(64, &mut pool), queue_of(64, &mut pool));
        let (first_address, second_address) = (address(&first), address(&second));
        second.clear(&mut pool);
        first.clear(&mut pool);
        assert_eq!(address(&queue_of(64, &mut pool)), first_address);
        assert_ne!(first_address, second_address);
    }

    #[test]
    fn a_queue_too_many_still_leaves_its_buffers() {
        let mut pool = QueuePool::new();
        let mut lent: Vec<_> = (0..QUEUES_KEPT + 1)
            .map(|_| queue_of(64, &mut pool))
            .collect();
        lent.iter_mut().for_each(|queue| queue.clear(&mut pool));
        assert_eq!((pool.queues_kept(), pool.buffers_kept()), (QUEUES_KEPT, 1));
    }

    #[test]
    fn a_spike_leaves_no_more_than_the_bounds() {
        let mut pool = QueuePool::new();
        let mut spike: Vec<_> = (0..3000)
            .map(|_| queue_of(2 * CHUNK_BYTES, &mut pool))
            .collect();
        for (number, queue) in spike.iter_mut().enumerate() {
            match number % 2 {
                0 => queue.clear(&mut pool),
                _ => (0..4).for_each(|_| queue.advance(CHUNK_BYTES / 2, &mut pool)),
            }
            pool.assert_invariants();
        }
        assert_eq!(
            (pool.queues_kept(), pool.buffers_kept()),
            (QUEUES_KEPT, BUFFERS_KEPT)
        );
    }

    #[test]
    fn buffers_beyond_the_first_are_used_again() {
        let mut pool = QueuePool::new();
        let mut rounds = vec![];
        for _ in 0..3 {
            let mut queue = queue_of(5 * CHUNK_BYTES, &mut pool);
            let mut addresses = vec![];
            while !queue.is_empty() {
                addresses.push(address(&queue));
                queue.advance(CHUNK_BYTES, &mut pool);
            }
            addresses.sort();
            addresses.dedup();
            assert_eq!(addresses.len(), 5);
            rounds.push(addresses);
        }
        rounds.dedup();
        assert_eq!(rounds.len(), 1);
    }

    #[test]
    fn a_buffer_in_parts_comes_back_once_and_whole() {
        let mut pool = QueuePool::new();
        let mut buffer = pool.take_buffer();
        let address = buffer.as_ptr();
        buffer.extend_from_slice(&[1; 100]);
        let first = buffer.split();
        buffer.extend_from_slice(&[2; 200]);
        pool.recycle(first);
        assert_eq!(pool.buffers_kept(), 0, "the other part is still out");
        pool.recycle(buffer);
        assert_eq!(pool.buffers_kept(), 1);
        pool.assert_invariants();
        assert_eq!(pool.take_buffer().as_ptr(), address);
    }

    #[test]
    fn a_queue_of_shared_buffers_gets_a_buffer_of_its_own_only_in_the_pool() {
        let mut pool = QueuePool::new();
        while pool.lend().is_some() {}
        let mut queue = WriteQueue::default();
        queue.push_shared(Bytes::from(vec![1; 1000]), &mut pool);
        queue.advance(1000, &mut pool);
        assert_eq!(pool.queues_kept(), 1);
        pool.assert_invariants();
    }
}
