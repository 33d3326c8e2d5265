//! What is set for the whole loop: how long it looks before it sleeps, and how much a socket may do
//! before others have their turn.
//!
//! Plain values, in `Limits`; the phases of a turn go by them.

use super::Net;
use crate::{Error, Result};
use std::time::Duration;

/// Latency.
impl Net {
    /// Lets the loop poll without sleeping for at most `budget` since it last had something to do,
    /// and sleep only then. Zero, as in the beginning: it sleeps at once.
    ///
    /// What comes in that time is found without the kernel having to wake a thread, which takes
    /// longer than most round trips within a machine. It costs the core: a loop with a budget that
    /// is never over takes all of it, and with one core for both ends it makes everything slower.
    ///
    /// Timers run in time, and what other threads post is found without a system call of theirs.
    /// [`Reactor::turn`](crate::Reactor::turn) takes no longer than it may because of it, and
    /// `turn(Some(Duration::ZERO))` never polls twice: inside another loop, it is that loop that
    /// sleeps, and that would have to poll. For the same reason it is without effect in
    /// `netloop::sim`. More than 584 years count as that.
    ///
    /// ```
    /// # fn main() -> netloop::Result<()> {
    /// use std::time::Duration;
    ///
    /// let mut reactor = netloop::Reactor::new()?;
    /// reactor.net().set_busy_poll(Duration::from_micros(50));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// This is the loop's own polling. What Linux calls busy polling (`SO_BUSY_POLL`) has the kernel
    /// poll the network card, and may be used beside it.
    pub fn set_busy_poll(&mut self, budget: Duration) {
        self.limits.busy_poll_nanos = u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX);
    }

    /// See [`set_busy_poll`](Net::set_busy_poll).
    pub fn busy_poll(&self) -> Duration {
        Duration::from_nanos(self.limits.busy_poll_nanos)
    }

    /// How often one socket is read in a turn before the others have theirs; 16 in the beginning.
    /// What is left is read in the next turn, which comes at once.
    ///
    /// # Errors
    ///
    /// `ERR_OUT_OF_RANGE` for 0, which would never read at all.
    pub fn set_read_budget_calls(&mut self, calls: usize) -> Result<()> {
        self.limits.reads = at_least_one("readBudgetCalls", calls)?;
        Ok(())
    }

    /// See [`set_read_budget_calls`](Net::set_read_budget_calls).
    pub fn read_budget_calls(&self) -> usize {
        self.limits.reads
    }

    /// After how many bytes one socket is read no further in a turn; 256 KiB in the beginning.
    ///
    /// A smaller one lets a quiet socket wait less beside one that floods the loop, and makes the
    /// flood cost more turns. No read is cut for it, so the last one may go over it by up to 64 KiB
    /// less one byte; anything up to the size of a read is one read a turn.
    ///
    /// # Errors
    ///
    /// `ERR_OUT_OF_RANGE` for 0, which would never read at all.
    pub fn set_read_budget_bytes(&mut self, bytes: usize) -> Result<()> {
        self.limits.read_bytes = at_least_one("readBudgetBytes", bytes)?;
        Ok(())
    }

    /// See [`set_read_budget_bytes`](Net::set_read_budget_bytes).
    pub fn read_budget_bytes(&self) -> usize {
        self.limits.read_bytes
    }

    /// How many bytes one socket's queue hands to the kernel at a time before the others have their turn;
    /// 256 KiB in the beginning. What is left goes in the next turn, which comes at once. A socket
    /// that is told several events in a turn may hand over as much behind each.
    ///
    /// It bounds what the loop does by itself. A `write` that reaches the high-water mark, or is
    /// large and goes past the queue, and [`Socket::flush_now`](crate::Socket::flush_now) hand over
    /// as much as the kernel takes.
    ///
    /// # Errors
    ///
    /// `ERR_OUT_OF_RANGE` for 0, which would never write at all.
    pub fn set_write_budget_bytes(&mut self, bytes: usize) -> Result<()> {
        self.limits.write_bytes = at_least_one("writeBudgetBytes", bytes)?;
        self.gathered.bound(&self.limits);
        Ok(())
    }

    /// See [`set_write_budget_bytes`](Net::set_write_budget_bytes).
    pub fn write_budget_bytes(&self) -> usize {
        self.limits.write_bytes
    }
}

fn at_least_one(name: &'static str, value: usize) -> Result<usize> {
    match value {
        0 => Err(Error::not_positive(name)),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use crate::Reactor;
    use std::time::Duration;

    #[test]
    fn no_budget_may_be_zero_and_what_was_set_stays() {
        let mut reactor = Reactor::new().unwrap();
        let net = reactor.net();
        let budgets = |net: &crate::Net| {
            [
                net.read_budget_calls(),
                net.read_budget_bytes(),
                net.write_budget_bytes(),
            ]
        };
        assert_eq!(budgets(net), [16, 256 * 1024, 256 * 1024]);
        net.set_read_budget_calls(1).unwrap();
        net.set_read_budget_bytes(2).unwrap();
        net.set_write_budget_bytes(usize::MAX).unwrap();
        let refused = [
            net.set_read_budget_calls(0).unwrap_err(),
            net.set_read_budget_bytes(0).unwrap_err(),
            net.set_write_budget_bytes(0).unwrap_err(),
        ];
        let names = ["readBudgetCalls", "readBudgetBytes", "writeBudgetBytes"];
        for (error, name) in refused.iter().zip(names) {
            assert_eq!(error.code(), "ERR_OUT_OF_RANGE");
            let text = format!("The value of \"{name}\" is out of range. It must be > 0.");
            assert_eq!(error.to_string(), text);
        }
        assert_eq!(budgets(net), [1, 2, usize::MAX]);
    }

    #[test]
    fn busy_polling_is_off_in_the_beginning_and_its_budget_is_cut_to_what_a_clock_can_count() {
        let mut reactor = Reactor::new().unwrap();
        let net = reactor.net();
        assert_eq!(net.busy_poll(), Duration::ZERO);
        net.set_busy_poll(Duration::from_micros(50));
        assert_eq!(net.busy_poll(), Duration::from_micros(50));
        net.set_busy_poll(Duration::MAX);
        assert_eq!(net.busy_poll(), Duration::from_nanos(u64::MAX));
    }
}
