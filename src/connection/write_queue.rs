//! Bytes accepted by `write` that the kernel has not taken yet, in order.
//!
//! Knows nothing of sockets, readiness or marks: whoever drains it sends what [`WriteQueue::front`]
//! shows and reports what was taken to [`WriteQueue::advance`]. Where its memory comes from and
//! goes to is [`QueuePool`]'s affair.
//!
//! ```text
//!   sealed                                       tail
//!   [ copied ] [ shared ] [ shared ] [ copied ]  [ copied ...room... ]
//!   ^^^^ head_taken                               copies are added here
//! ```

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;

use bytes::{Bytes, BytesMut};

use super::queue_pool::QueuePool;

/// What a pooled buffer holds: enough for the replies of one turn, small enough to lend to many.
pub(super) const CHUNK_BYTES: usize = 16 * 1024;

/// Shared buffers shorter than this are copied: a chunk of its own costs a slot, a reference count
/// and an `IoSlice`, here and in the kernel, and that is more than so small a copy.
const SHARE_MIN_BYTES: usize = 512;

/// Slices in one vectored send. Sixty-four pooled chunks are 1 MiB, more than a socket usually
/// takes at once, and as an array on the stack they cost 1 KiB.
const SLICES_MAX: usize = 64;
const _: () = assert!(
    SLICES_MAX <= 1024,
    "IOV_MAX: the kernel refuses longer vectors"
);

/// Slots for sealed chunks that an empty queue may keep: those of one full send. One that has held
/// a million chunks must not keep the slots of a million.
const SLOTS_KEPT: usize = SLICES_MAX;

/// The write queue of one connection; while nothing waits it owns nothing.
///
/// Invariant: `Some` exactly while bytes are queued.
#[derive(Default)]
pub(crate) struct WriteQueue(Option<Box<Chunks>>);

const _: () = assert!(
    size_of::<WriteQueue>() == 8,
    "every idle connection pays for it"
);

/// What stands first in a queue, in the shape of the one system call that sends it.
#[derive(Clone, Copy)]
pub(crate) enum Front<'a> {
    /// Nothing is queued.
    Empty,
    /// One plain send, of at least one byte.
    One(&'a [u8]),
    /// One vectored send, of at least two slices.
    Many(Many<'a>),
}

/// Several chunks, not gathered yet: a queue of one chunk does not pay for an array of slices.
#[derive(Clone, Copy)]
pub(crate) struct Many<'a> {
    chunks: &'a Chunks,
    limit_bytes: usize,
}

/// The slices of one vectored send: at most [`SLICES_MAX`], none of them empty.
pub(crate) struct Slices<'a> {
    slices: [IoSlice<'a>; SLICES_MAX],
    used: usize,
    /// Invariant: the sum of the lengths in `slices[..used]`.
    total_bytes: usize,
}

impl WriteQueue {
    /// Queued bytes: accepted, not yet taken by the kernel.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |chunks| chunks.queued_bytes)
    }

    /// Whether the kernel has taken everything. One load and a branch: it is asked at every event.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Queues a copy of `data`, behind everything queued before.
    ///
    /// Small copies share a buffer, so that a million tiny writes are few chunks.
    pub(crate) fn push_copy(&mut self, data: &[u8], pool: &mut QueuePool) {
        if data.is_empty() {
            return;
        }
        if self.0.is_none() {
            self.0 = pool.lend();
        }
        match &mut self.0 {
            Some(chunks) if data.len() <= chunks.room() => chunks.copy_to_tail(data),
            _ => self.push_copy_slowly(data, pool),
        }
    }

    /// Queues `data` itself, behind everything queued before: one buffer sent to ten thousand
    /// sockets stays one buffer, alive until the last of them has sent it. Below
    /// [`SHARE_MIN_BYTES`] it is copied.
    pub(crate) fn push_shared(&mut self, data: Bytes, pool: &mut QueuePool) {
        if data.len() < SHARE_MIN_BYTES {
            return self.push_copy(&data, pool);
        }
        let chunks = self.0.get_or_insert_with(|| pool.lend_or_make());
        chunks.seal_tail();
        chunks.push_sealed(data);
        chunks.check_sum();
    }

    /// The bytes to send next, at most `limit_bytes` of them; `Front::Empty` exactly when the queue
    /// is. A limit of zero counts as one: a send of nothing would make no progress.
    #[inline(always)] // nearly always there is one chunk, and a slice of it is the answer
    pub(crate) fn front(&self, limit_bytes: usize) -> Front<'_> {
        match &self.0 {
            Some(chunks) => chunks.front(limit_bytes.max(1)),
            None => Front::Empty,
        }
    }

    /// Forgets the first `taken` bytes: the kernel has them. A drained queue goes back to the pool
    /// at once. More than `len` is a mistake of the caller's, and drains it.
    pub(crate) fn advance(&mut self, taken: usize, pool: &mut QueuePool) {
        debug_assert!(taken <= self.len(), "more taken than was queued");
        match &mut self.0 {
            Some(chunks) if taken < chunks.queued_bytes => chunks.advance(taken, pool),
            Some(_) => self.clear(pool),
            None => {}
        }
    }

    /// Drops everything queued, as `destroy` does.
    pub(crate) fn clear(&mut self, pool: &mut QueuePool) {
        if let Some(chunks) = self.0.take() {
            pool.give_back(chunks);
        }
    }

    /// When the pool is empty or the tail too short.
    #[cold]
    fn push_copy_slowly(&mut self, data: &[u8], pool: &mut QueuePool) {
        let chunks = self.0.get_or_insert_with(|| pool.lend_or_make());
        chunks.copy_past_tail(data, pool);
        chunks.check_sum();
    }
}

impl<'a> Many<'a> {
    /// As many slices as one vectored send may have, within the limit in bytes.
    pub(crate) fn slices(self) -> Slices<'a> {
        let mut slices = Slices {
            slices: [IoSlice::new(&[]); SLICES_MAX],
            used: 0,
            total_bytes: 0,
        };
        let mut skip = self.chunks.head_taken;
        for chunk in self.chunks.iter() {
            let bytes = at_most(self.limit_bytes - slices.total_bytes, &chunk[skip..]);
            skip = 0;
            // Empty: the limit is reached, or this is a tail that holds nothing.
            if bytes.is_empty() || slices.used == SLICES_MAX {
                break;
            }
            slices.slices[slices.used] = IoSlice::new(bytes);
            slices.used += 1;
            slices.total_bytes += bytes.len();
        }
        slices
    }
}

impl<'a> Slices<'a> {
    /// What to hand to the kernel.
    pub(crate) fn as_slice(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.used]
    }

    /// How many bytes that is: a send that takes fewer was a short one.
    pub(crate) fn total_bytes(&self) -> usize {
        self.total_bytes
    }
}

/// What a queue owns while bytes wait; between two uses it stands in the pool, blank.
pub(super) struct Chunks {
    /// Invariant: the sum of the lengths in `sealed` and `tail`, less `head_taken`.
    queued_bytes: usize,
    /// How much of the first chunk the kernel has taken.
    /// Invariant: less than the length of that chunk, or zero when there is none.
    head_taken: usize,
    /// Where copies go; it stands behind everything in `sealed`.
    /// Invariant: it is asked for no more than its `room`, so that it never grows or moves.
    tail: BytesMut,
    /// Chunks that nothing is added to any more. Invariant: none is empty.
    sealed: VecDeque<Chunk>,
}

enum Chunk {
    /// Part of a pooled buffer, which goes back when its last part has been sent.
    Pooled(BytesMut),
    /// A caller's buffer, or a long copy of its exact size: released when sent.
    Unpooled(Bytes),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Chunk::Pooled(part) => part,
            Chunk::Unpooled(bytes) => bytes,
        }
    }
}

/// Between two queues: what the pool does with it.
impl Chunks {
    /// Nothing queued, and `tail` to copy into. Without room it is replaced at the first copy.
    pub(super) fn new(tail: BytesMut) -> Self {
        Chunks {
            queued_bytes: 0,
            head_taken: 0,
            tail,
            sealed: VecDeque::new(),
        }
    }

    /// Whether it could be lent to anyone: nothing queued, and a whole buffer to copy into.
    pub(super) fn is_blank(&self) -> bool {
        self.queued_bytes == 0
            && self.head_taken == 0
            && self.tail.is_empty()
            && self.has_only_a_whole_tail()
    }

    /// Forgets what is queued, by lengths alone. Says whether that left it blank; if not, `rebuild`
    /// does.
    pub(super) fn forget(&mut self) -> bool {
        self.queued_bytes = 0;
        self.head_taken = 0;
        self.tail.clear();
        self.has_only_a_whole_tail()
    }

    /// Makes it blank after `forget` could not.
    pub(super) fn rebuild(&mut self, pool: &mut QueuePool) {
        // Sealed parts first: while one of them lives, the tail cannot have the whole buffer back.
        self.release_sealed(pool);
        if !self.tail.try_reclaim(CHUNK_BYTES) {
            self.tail = pool.take_buffer();
        }
    }

    /// Gives its buffers up.
    pub(super) fn dismantle(mut self, pool: &mut QueuePool) {
        self.release_sealed(pool);
        pool.recycle(self.tail);
    }

    fn has_only_a_whole_tail(&self) -> bool {
        self.sealed.is_empty() && self.tail.capacity() >= CHUNK_BYTES
    }

    fn release_sealed(&mut self, pool: &mut QueuePool) {
        while !self.sealed.is_empty() {
            self.release_head(pool);
        }
    }
}

/// In a queue: what `WriteQueue` asks of it.
impl Chunks {
    #[inline(always)]
    fn front(&self, limit_bytes: usize) -> Front<'_> {
        let Some(head) = self.sealed.front() else {
            return Front::One(at_most(limit_bytes, &self.tail[self.head_taken..]));
        };
        let head = &head.bytes()[self.head_taken..];
        if head.len() == self.queued_bytes || head.len() >= limit_bytes {
            Front::One(at_most(limit_bytes, head))
        } else {
            Front::Many(Many {
                chunks: self,
                limit_bytes,
            })
        }
    }

    /// Every chunk in order; the last is the tail, which may be empty.
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.sealed.iter().map(Chunk::bytes).chain([&*self.tail])
    }

    /// Bytes that can be added to the tail where it stands.
    fn room(&self) -> usize {
        self.tail.capacity() - self.tail.len()
    }

    /// Adds no more than there is `room` for.
    fn copy_to_tail(&mut self, data: &[u8]) {
        self.queued_bytes += data.len();
        self.tail.extend_from_slice(data);
    }

    /// Fills the tail and begins a new chunk with the remainder.
    fn copy_past_tail(&mut self, data: &[u8], pool: &mut QueuePool) {
        // An empty tail is no chunk to fill: a long write to an idle queue stays in one piece.
        let stays_whole = self.tail.is_empty() && data.len() > CHUNK_BYTES;
        let (fitting, rest) = data.split_at(if stays_whole { 0 } else { self.room() });
        self.copy_to_tail(fitting);
        self.seal_tail();
        if rest.len() > CHUNK_BYTES {
            self.push_sealed(Bytes::copy_from_slice(rest));
        } else {
            self.tail = pool.take_buffer();
            self.copy_to_tail(rest);
        }
    }

    /// Adds a chunk behind those sealed; the tail has been sealed before.
    fn push_sealed(&mut self, data: Bytes) {
        debug_assert!(self.tail.is_empty());
        self.queued_bytes += data.len();
        self.sealed.push_back(Chunk::Unpooled(data));
    }

    /// Ends the chunk in the tail, so that what is queued next stands behind it.
    ///
    /// The room left in its buffer remains the tail: when a short header goes before each shared
    /// body, the headers still share a buffer.
    fn seal_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let part = match self.room() {
            // A remainder of no bytes would still keep the buffer from being whole again.
            0 => mem::take(&mut self.tail),
            _ => self.tail.split(),
        };
        self.sealed.push_back(Chunk::Pooled(part));
    }

    /// Forgets fewer bytes than are queued, so that a head remains.
    #[inline(never)] // so that the usual case, which leaves nothing, needs no stack frame
    fn advance(&mut self, taken: usize, pool: &mut QueuePool) {
        self.queued_bytes -= taken;
        self.head_taken += taken;
        while let Some(head) = self.sealed.front()
            && self.head_taken >= head.bytes().len()
        {
            self.head_taken -= head.bytes().len();
            self.release_head(pool);
        }
        self.check_sum();
    }

    fn release_head(&mut self, pool: &mut QueuePool) {
        if let Some(Chunk::Pooled(part)) = self.sealed.pop_front() {
            pool.recycle(part);
        }
        if self.sealed.is_empty() && self.sealed.capacity() > SLOTS_KEPT {
            self.sealed = VecDeque::new();
        }
    }

    fn check_sum(&self) {
        // Summing a long queue at every step would make debug builds quadratic.
        debug_assert!(
            self.sealed.len() > SLICES_MAX
                || self.queued_bytes + self.head_taken == self.iter().map(<[u8]>::len).sum()
        );
    }
}

fn at_most(limit_bytes: usize, bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(limit_bytes)]
}

#[cfg(test)]
mod tests;
