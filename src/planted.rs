//! Bugs planted on purpose: the proof that the simulated world can fail.
//!
//! `planted!(Name)` stands in the library's code where that bug would be made. It is `false`, and
//! so nothing at all, unless `--cfg netloop_planted` is given to the compiler, which no feature of
//! the crate can do. With it one build plays them all, one at a time:
//!
//! ```text
//! RUSTFLAGS="--cfg netloop_planted" cargo test --release --features sim --lib planted -- --nocapture
//! ```
//!
//! Each bug must be found by a campaign within 20,000 seeds. Printed is how many it took, and what
//! was noticed. `CARGO_PROFILE_RELEASE_LTO=off` makes the build a short one.

#[cfg(not(netloop_planted))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

#[cfg(netloop_planted)]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is_on($crate::planted::Bug::$bug)
    };
}

#[cfg(netloop_planted)]
pub(crate) use bugs::{Bug, is_on};

#[cfg(netloop_planted)]
mod bugs {
    use std::cell::Cell;

    /// Makes the enum and the list of all from one list of names.
    macro_rules! bugs {
        ($($(#[$doc:meta])* $name:ident,)+) => {
            /// What can be planted.
            #[derive(Clone, Copy, PartialEq, Eq, Debug)]
            pub(crate) enum Bug { $($(#[$doc])* $name,)+ }

            #[cfg(all(test, feature = "sim"))]
            pub(super) const ALL: &[Bug] = &[$(Bug::$name,)+];
        };
    }

    bugs! {
        // Readiness.
        /// A short read counts as the last one although a FIN was announced with it.
        ShortReadEndsLoop,
        /// An event replaces what was latched before it.
        LatchOverwritten,
        /// `resume` leaves the interest parked.
        NoRearmOnResume,
        /// A socket that is paused inside the read loop is read on.
        PauseIgnoredInReadLoop,
        /// What is readable gets its turn again and again although it is paused.
        SpinWhilePaused,
        /// The interest in input is kept when an event reaches a paused socket.
        InterestKeptWhilePaused,

        // Budgets and batches.
        /// A read budget is used up, and the socket not queued again.
        NoRequeueAfterReads,
        /// A write budget is used up, and the socket not queued again.
        NoRequeueAfterWrites,
        /// An accept budget is used up, and the server not queued again.
        NoRequeueAfterAccepts,
        /// `stop` drops what is still in the ready queue.
        BatchDroppedOnStop,
        /// A server that found no descriptor never tries again.
        NoRetryWithoutDescriptors,

        // Identity. An event for a socket that is gone is not among them: its descriptor leaves the
        // poller before its slot is free, so the kernel has none to send.
        /// The id of a socket that is gone finds the one in its slot now.
        StaleSocketId,
        /// The id of a timer that is gone clears the one in its slot now.
        StaleTimerId,

        // Writing.
        /// A write that was taken whole counts as one that was cut short.
        WaitAfterFullWrite,
        /// After a short write the last byte that was taken is sent once more.
        PartialWriteOffByOne,
        /// A write of nothing goes to the kernel, and its 0 counts as a full buffer.
        ZeroLengthWrite,
        /// A completion runs before its bytes are with the kernel.
        WrittenBeforeFlush,
        /// What is written to a socket that is not the one being served waits for an event.
        DirtyForgotten,
        /// `drain` is told although bytes were queued again.
        DrainWithBytesQueued,
        /// `drain` is told after `end`.
        DrainAfterEnd,

        // Ends.
        /// `finish` is told when `end` is called.
        FinishBeforeFlush,
        /// The FIN goes out before the queue is empty.
        FinBeforeLastChunk,
        /// What was read together with the FIN is lost to it.
        EndBeforeLastData,
        /// A socket that was destroyed and then fails is closed twice.
        DoubleClose,
        /// `close` does not wait for what is noted.
        CloseBeforeError,

        // Time.
        /// The wheel hands out an entry a tick early.
        WheelOneTickEarly,
        /// A timer that was cleared keeps its place in the wheel.
        ClearedTimerLeft,
        /// A socket that is gone keeps its place in the wheel.
        IdleEntryLeft,

        // Names.
        /// An answer goes to whoever asks in the place of the one who has asked.
        StaleLookup,
        /// An answer is told to a socket that was destroyed meanwhile.
        LookupAfterDestroy,
        /// The attempts that have lost stay open.
        LosersKept,

        // Pipes.
        /// A source is told nothing of its destination's `drain`.
        PipeNotLetGo,
        /// A source is read on although its destination is full.
        PipeRunsAhead,
        /// The end of a source does not end its destination.
        PipeEndForgotten,
        /// What is piped is told as well.
        PipedAndTold,
        /// One side of a proxy outlives the other.
        PartnerForgotten,

        // Other threads.
        /// The loop goes to sleep without a look at what came since it took the mail.
        WakerFlagClearedAfterDraining,
        /// A post that finds the loop asleep does not wake it.
        WakeForgotten,
        /// What is posted does not keep the loop going.
        PostLostAtExit,
        /// A panic in a posted closure takes those behind it along.
        PostsLostInPanic,
        /// What was posted last runs first.
        PostsOutOfOrder,
        /// All that was posted runs in one turn.
        PostsWithoutBudget,

        // Panics.
        /// A handler that panicked is not put back.
        HandlerLostInPanic,
        /// A panic in a completion takes those behind it along.
        CompletionsLostInPanic,
    }

    thread_local! {
        static ON: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether this thread's world has this bug.
    pub(crate) fn is_on(bug: Bug) -> bool {
        ON.get() == Some(bug)
    }

    /// Gives all that this thread does from now on this bug, and no other.
    #[cfg(all(test, feature = "sim"))]
    pub(super) fn plant(bug: Option<Bug>) {
        ON.set(bug);
    }
}

#[cfg(all(test, netloop_planted, feature = "sim"))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::bugs::{ALL, Bug, plant};
    use crate::sim::campaign;

    /// Within so many seeds a bug has to be found.
    const SEEDS: u64 = 20_000;

    /// What a seed notices in a world with this bug.
    fn noticed(seed: u64, bug: Option<Bug>) -> Option<String> {
        plant(bug);
        let played = catch_unwind(AssertUnwindSafe(|| campaign::check(seed)));
        plant(None);
        match played {
            Ok(Ok(_)) => None,
            Ok(Err(failure)) => Some(failure.to_string()),
            Err(_) => Some(format!("seed {seed}: a panic outside of any step")),
        }
    }

    /// What the first seed notices that finds a bug, and how many were played until then.
    fn find(bug: Bug) -> Option<(u64, String)> {
        (0..SEEDS).find_map(|seed| {
            let what = noticed(seed, Some(bug))?;
            // One that breaks without the bug has not found it.
            noticed(seed, None).is_none().then_some((seed + 1, what))
        })
    }

    #[test]
    fn every_planted_bug_is_found() {
        // The checks of the library's own would each be printed with their backtrace.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let found = Mutex::new(vec![None; ALL.len()]);
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(&bug) = ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                let first = find(bug);
                match &first {
                    Some((seeds, what)) => {
                        let what = what.lines().next().unwrap_or_default();
                        println!("{seeds:>6} {bug:?}: {what}");
                    }
                    None => println!("  none {bug:?}"),
                }
                found.lock().unwrap()[bug as usize] = first;
            }
        };
        thread::scope(|scope| {
            scope.spawn(work);
            work();
        });
        std::panic::set_hook(hook);
        let found = found.into_inner().unwrap();
        let missed = ALL.iter().zip(&found).filter(|(_, found)| found.is_none());
        let missed: Vec<&Bug> = missed.map(|(bug, _)| bug).collect();
        assert!(missed.is_empty(), "not found in {SEEDS} seeds: {missed:?}");
    }
}
