//! Write queues that share a pool, each against the plain list of bytes it should behave like.
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use netloop::inside::WriteQueues;

/// The most slices that a vectored send may have (`IOV_MAX`).
const SLICES_MAX: usize = 1024;
/// What one input may push, so that no input is slow.
const BUDGET_BYTES: usize = 128 * 1024;

#[derive(Arbitrary, Debug)]
struct Step {
    second: bool,
    limit_bytes: u16,
    deed: Deed,
}

#[derive(Arbitrary, Debug)]
enum Deed {
    Copy(Size),
    Share(Size),
    Take(u32),
    /// The kernel takes what one send offers, or a little less.
    TakeOffered {
        less: u8,
    },
    Clear,
}

#[derive(Arbitrary, Debug)]
enum Size {
    Small(u8),
    Any(u16),
    /// A length at which something changes, less or more a byte.
    Brink(u8, i8),
}

impl Size {
    fn bytes(&self) -> usize {
        const BRINKS: [usize; 4] = [1, 512, 16 * 1024, 64 * 1024];
        match *self {
            Size::Small(bytes) => bytes.into(),
            Size::Any(bytes) => bytes.into(),
            Size::Brink(which, more) => {
                BRINKS[usize::from(which) % 4].saturating_add_signed((more % 2).into())
            }
        }
    }
}

#[derive(Default)]
struct Model {
    /// Every byte ever pushed, and how many of them have left.
    accepted: Vec<u8>,
    sent: usize,
    /// Added to every byte, so that no byte of one queue could be one of the other.
    mark: u8,
}

impl Model {
    /// The next bytes of the stream. The period is a prime, so that no two chunks look alike.
    fn push(&mut self, bytes: usize) -> &[u8] {
        let start = self.accepted.len();
        let mark = self.mark;
        let next = (start..start + bytes).map(|at| (at % 127) as u8 + mark);
        self.accepted.extend(next);
        &self.accepted[start..]
    }

    fn waiting(&self) -> &[u8] {
        &self.accepted[self.sent..]
    }

    /// Checks what the queue offers, and tells how much that is.
    fn check(&self, queues: &WriteQueues, which: usize, limit_bytes: usize) -> usize {
        let waiting = self.waiting();
        assert_eq!(queues.len(which), waiting.len());
        assert_eq!(queues.is_empty(which), waiting.is_empty());
        let (mut offered, mut slices) = (0, 0);
        queues.front(which, limit_bytes, |slice| {
            assert!(!slice.is_empty());
            assert!(waiting[offered..].starts_with(slice), "misplaced bytes");
            offered += slice.len();
            slices += 1;
        });
        assert!(offered <= limit_bytes.max(1) && slices <= SLICES_MAX);
        assert_eq!(offered == 0, waiting.is_empty(), "a send makes progress");
        offered
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let mut queues = WriteQueues::new(2);
    let mut models = [0, 128].map(|mark| Model {
        mark,
        ..Model::default()
    });
    let mut budget = BUDGET_BYTES;
    for step in &steps {
        let which = usize::from(step.second);
        let model = &mut models[which];
        let limit_bytes = step.limit_bytes.into();
        match &step.deed {
            Deed::Copy(size) | Deed::Share(size) => {
                let bytes = size.bytes().min(budget);
                budget -= bytes;
                let bytes = model.push(bytes);
                match step.deed {
                    Deed::Copy(_) => queues.push_copy(which, bytes),
                    _ => queues.push_shared(which, Bytes::copy_from_slice(bytes)),
                }
            }
            Deed::Take(taken) => {
                let taken = model.waiting().len().min(*taken as usize);
                queues.advance(which, taken);
                model.sent += taken;
            }
            Deed::TakeOffered { less } => {
                let offered = model.check(&queues, which, limit_bytes);
                let taken = offered.saturating_sub((*less).into());
                queues.advance(which, taken);
                model.sent += taken;
            }
            Deed::Clear => {
                queues.clear(which);
                model.sent = model.accepted.len();
            }
        }
        model.check(&queues, which, limit_bytes);
    }
    for (which, model) in models.iter_mut().enumerate() {
        while !queues.is_empty(which) {
            let offered = model.check(&queues, which, usize::MAX);
            queues.advance(which, offered);
            model.sent += offered;
        }
        assert!(model.waiting().is_empty());
    }
});
