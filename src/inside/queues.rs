//! Bytes that wait for the kernel.

use bytes::Bytes;

use crate::connection::{self, Front};

/// Several write queues on one pool.
pub struct WriteQueues {
    queues: Vec<connection::WriteQueue>,
    pool: connection::QueuePool,
}

#[allow(missing_docs, reason = "each is what it is in the room itself")]
impl WriteQueues {
    pub fn new(queues: usize) -> WriteQueues {
        WriteQueues {
            queues: (0..queues).map(|_| Default::default()).collect(),
            pool: connection::QueuePool::new(),
        }
    }

    pub fn len(&self, which: usize) -> usize {
        self.queues[which].len()
    }

    pub fn is_empty(&self, which: usize) -> bool {
        self.queues[which].is_empty()
    }

    pub fn push_copy(&mut self, which: usize, data: &[u8]) {
        self.queues[which].push_copy(data, &mut self.pool);
    }

    pub fn push_shared(&mut self, which: usize, data: Bytes) {
        self.queues[which].push_shared(data, &mut self.pool);
    }

    pub fn advance(&mut self, which: usize, taken: usize) {
        self.queues[which].advance(taken, &mut self.pool);
    }

    pub fn clear(&mut self, which: usize) {
        self.queues[which].clear(&mut self.pool);
    }

    /// Shows `each` the slices of the next send, in order.
    pub fn front(&self, which: usize, limit_bytes: usize, mut each: impl FnMut(&[u8])) {
        match self.queues[which].front(limit_bytes) {
            Front::Empty => {}
            Front::One(bytes) => each(bytes),
            Front::Many(many) => many.slices().as_slice().iter().for_each(|it| each(it)),
        }
    }
}
