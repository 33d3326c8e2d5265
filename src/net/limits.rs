//! What one turn may do before it lets others have theirs.
//!
//! One private runtime value, so that tests and simulations can make every bound tiny.

/// Budgets and capacities of a reactor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Events taken from the kernel in one poll.
    pub(crate) events: usize,
    /// Bytes of the one read buffer: the longest chunk that `data` gets (R19).
    pub(crate) read_buffer_bytes: usize,
    /// Reads of one socket in a turn.
    pub(crate) reads: usize,
    /// Bytes read from one socket in a turn.
    pub(crate) read_bytes: usize,
    /// Bytes written from one socket's queue at a time, before others get their turn.
    pub(crate) write_bytes: usize,
    /// Accepts of one server in a turn.
    pub(crate) accepts: usize,
    /// User timers run in a turn.
    pub(crate) timers: usize,
    /// Idle entries of the wheel looked at in a turn.
    pub(crate) idle_timeouts: usize,
    /// A write of at least so many bytes to an empty queue goes to the kernel from the caller's
    /// slice; a shorter one is gathered until the handler returns.
    pub(crate) direct_write_bytes: usize,
    /// Closures from other threads that may wait.
    pub(crate) queued_posts: usize,
    /// Closures from other threads run in a turn.
    pub(crate) posts: usize,
    /// Pieces of work for other threads whose `done` is still to be called.
    pub(crate) offloads: usize,
    /// Nanoseconds for which the loop polls without sleeping since it last had something to do; 0:
    /// it sleeps at once.
    pub(crate) busy_poll_nanos: u64,
    /// Polls with a full batch after which idle timeouts are looked at all the same.
    pub(crate) full_batches: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            events: 1024,
            read_buffer_bytes: 64 * 1024,
            reads: 16,
            read_bytes: 256 * 1024,
            write_bytes: 256 * 1024,
            accepts: 16,
            timers: 1024,
            idle_timeouts: 4096,
            direct_write_bytes: 4 * 1024,
            queued_posts: 65_536,
            posts: 256,
            offloads: 1024,
            busy_poll_nanos: 0,
            full_batches: 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `1,024`; kibibytes as `64 KiB`.
    fn written(number: usize) -> String {
        match number {
            number if number >= 100_000 || number == 64 * 1024 => format!("{} KiB", number / 1024),
            number if number >= 1000 => format!("{},{:03}", number / 1000, number % 1000),
            number => number.to_string(),
        }
    }

    #[test]
    fn the_page_about_fairness_names_the_bounds_that_hold() {
        let page = include_str!("../book/fairness.md");
        let limits = Limits::default();
        let row = |phase: &str, bounds: &[usize]| {
            let bounds: Vec<String> = bounds.iter().map(|&it| written(it)).collect();
            let row = format!("| {phase} | {} |", bounds.join(", or "));
            assert!(page.contains(&row), "{row}");
        };
        row("events taken from the kernel", &[limits.events]);
        row("reads of one socket", &[limits.reads, limits.read_bytes]);
        let longest = "one read, the longest slice that `on_data` gets";
        row(longest, &[limits.read_buffer_bytes]);
        row("bytes sent from one socket's queue", &[limits.write_bytes]);
        row("connections accepted by one server", &[limits.accepts]);
        row("timers", &[limits.timers]);
        row("idle timeouts looked at", &[limits.idle_timeouts]);
        let posts = "closures from other threads, results of offloaded work and lookups among them";
        row(posts, &[limits.posts]);
        assert!(page.contains("65,536 closures") && limits.queued_posts == 65_536);
        assert!(page.contains("1,024 pieces of offloaded work") && limits.offloads == 1024);
    }
}
