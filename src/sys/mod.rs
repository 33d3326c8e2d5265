//! The only room that makes system calls.
//!
//! [`Sys`] is everything that comes from outside: readiness, bytes, connections, the clock. Each of
//! its methods is one thing asked of the kernel together with the rule that goes with it (call
//! again after a signal, deregister before close), and counts itself. What the answers mean for a
//! connection is not known here, and no type of the poller below leaves the room.
//!
//! The methods stand in several files: this one (the poll and the clock), `listener`, `connect`,
//! `stream`, `settings`, `threads` and `signals`. `os/` is the real system. In tests and in the
//! simulated world a `Kernel` stands in its place.

mod calls;
mod connect;
mod handle;
mod interest;
mod listener;
mod os;
mod readiness;
mod settings;
#[cfg(feature = "signal")]
mod signals;
mod stream;
mod threads;

#[cfg(any(test, feature = "sim"))]
mod kernel;
#[cfg(test)]
mod loopback;
#[cfg(test)]
pub(crate) mod script;

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

pub(crate) use calls::Calls;
pub(crate) use interest::Interest;
#[cfg(any(test, feature = "sim"))]
pub(crate) use kernel::{Bell, Kernel};
pub(crate) use listener::Listener;
pub(crate) use os::names::look_up;
pub(crate) use readiness::Readiness;
#[cfg(all(feature = "signal", any(test, feature = "sim")))]
pub(crate) use signals::SignalLine;
pub(crate) use stream::Stream;
pub(crate) use threads::{Job, Pool, QUEUED_JOBS, Waker};

use os::Os;

/// The longest single sleep. A loop that wakes once an hour for nothing costs nothing, and a longer
/// sleep is where pollers have had their overflows.
const LONGEST_SLEEP: Duration = Duration::from_secs(60 * 60);

/// The outside world of one loop.
pub(crate) struct Sys {
    backend: Backend,
    pub(crate) calls: Calls,
}

/// Who answers. A production build has one variant, and a `match` on it is no branch.
enum Backend {
    Os(Os),
    #[cfg(any(test, feature = "sim"))]
    Kernel(Box<dyn Kernel>),
}

impl Sys {
    /// Opens a poller that hands out at most `event_capacity` events at a time; at least 1.
    pub(crate) fn new(event_capacity: usize) -> io::Result<Sys> {
        Ok(Sys {
            backend: Backend::Os(Os::new(event_capacity)?),
            calls: Calls::default(),
        })
    }

    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn with_kernel(kernel: Box<dyn Kernel>) -> Sys {
        Sys {
            backend: Backend::Kernel(kernel),
            calls: Calls::default(),
        }
    }

    /// Nanoseconds since this `Sys` was made; never goes back, and stands still while the machine
    /// is suspended.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        match &self.backend {
            Backend::Os(os) => os.clock.now(),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.now(),
        }
    }

    /// Sleeps until something is ready, at most `timeout` (`None`: for ever), and hands each event
    /// to `each`.
    ///
    /// Never wakes before a timeout that is over within the hour: where the system counts in
    /// milliseconds, the rest is rounded up. It may wake early for nothing, because of a signal or
    /// after an hour.
    #[inline]
    pub(crate) fn poll(
        &mut self,
        timeout: Option<Duration>,
        mut each: impl FnMut(u64, Readiness),
    ) -> io::Result<()> {
        self.calls.poll += 1;
        let timeout = timeout.map(|timeout| timeout.min(LONGEST_SLEEP));
        match self.poll_once(timeout, &mut each) {
            // Slept no further: the time that has passed is the caller's to subtract. But looked
            // at, since a process that was stopped and goes on is told so in this way, with a lot
            // waiting for it (F6).
            Err(error) if is_interrupted(&error) => {
                match self.poll_once(Some(Duration::ZERO), &mut each) {
                    Err(error) if is_interrupted(&error) => Ok(()),
                    answer => answer,
                }
            }
            answer => answer,
        }
    }

    fn poll_once(
        &mut self,
        timeout: Option<Duration>,
        each: &mut impl FnMut(u64, Readiness),
    ) -> io::Result<()> {
        match &mut self.backend {
            Backend::Os(os) => os.poller.poll(timeout, each),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(kernel) => kernel.poll(timeout, each),
        }
    }

    /// The descriptor of the poller, readable when a poll would find something: for a loop inside
    /// another loop.
    ///
    /// # Panics
    ///
    /// On a `Kernel`, which has no descriptor that another poller could watch.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.backend {
            Backend::Os(os) => os.poller.as_fd(),
            #[cfg(any(test, feature = "sim"))]
            Backend::Kernel(_) => {
                panic!("a Kernel has no descriptor to wait on: it is polled, not watched")
            }
        }
    }
}

/// Makes `call` until a signal does not get in its way.
#[inline(always)] // a read and a write are too short for a call of their own
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if is_interrupted(&error) => {}
            answer => return answer,
        }
    }
}

fn is_interrupted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

#[cfg(test)]
mod tests {
    use super::loopback::{Pair, real_sys, wait_for};
    use super::script::{Call, Event, Poll, Script};
    use super::*;

    #[test]
    fn a_poll_that_a_signal_ends_looks_once_more_without_sleeping() {
        let script = Script::new();
        let mut sys = script.sys();
        script.on_poll(Poll::Err(libc::EINTR));
        script.on_poll(Poll::Events(vec![Event::Token(9, Readiness::READ)]));
        let mut reported = Vec::new();
        sys.poll(None, |token, _| reported.push(token)).unwrap();
        assert_eq!(reported, [9]);
        let expected = [Call::Poll(None), Call::Poll(Some(Duration::ZERO))];
        assert_eq!(script.take_calls(), expected);
        assert_eq!(sys.calls.poll, 1, "made again, counted once");

        script.on_poll(Poll::Err(libc::EINTR));
        script.on_poll(Poll::Err(libc::EINTR));
        sys.poll(None, |_, _| panic!("no event")).unwrap();
        script.on_poll(Poll::Err(libc::EBADF));
        assert!(sys.poll(None, |_, _| panic!("no event")).is_err());
    }

    #[test]
    fn no_poll_sleeps_longer_than_an_hour_but_for_ever_stays_for_ever() {
        let script = Script::new();
        let mut sys = script.sys();
        sys.poll(Some(Duration::MAX), |_, _| {}).unwrap();
        sys.poll(Some(Duration::from_nanos(1)), |_, _| {}).unwrap();
        sys.poll(None, |_, _| {}).unwrap();
        let expected = [
            Call::Poll(Some(LONGEST_SLEEP)),
            Call::Poll(Some(Duration::from_nanos(1))),
            Call::Poll(None),
        ];
        assert_eq!(script.take_calls(), expected);
    }

    #[test]
    fn events_come_in_order_with_their_tokens() {
        let script = Script::new();
        let mut sys = script.sys();
        let batch = [
            (9, Readiness::READ),
            (u64::MAX, Readiness::WRITE),
            (9, Readiness::ERROR),
        ];
        let events = batch.map(|(token, ready)| Event::Token(token, ready));
        script.on_poll(Poll::Events(events.to_vec()));
        let mut reported = Vec::new();
        sys.poll(None, |token, ready| reported.push((token, ready)))
            .unwrap();
        assert_eq!(reported, batch);
    }

    #[test]
    fn a_poll_never_wakes_before_its_timeout() {
        let mut sys = real_sys();
        let before = sys.now();
        let timeout = Duration::from_micros(1_300);
        sys.poll(Some(timeout), |_, _| panic!("no event")).unwrap();
        assert!(sys.now() - before >= 1_300_000);
    }

    #[test]
    fn a_batch_of_one_loses_nothing() {
        let mut first = Pair::new();
        let mut second = Pair::new();
        let mut sys = Sys::new(1).unwrap();
        sys.register(&mut first.stream, 1, Interest::ReadWrite)
            .unwrap();
        sys.register(&mut second.stream, 2, Interest::ReadWrite)
            .unwrap();
        let mut reported = Vec::new();
        for _ in 0..2 {
            sys.poll(Some(Duration::ZERO), |token, _| reported.push(token))
                .unwrap();
        }
        reported.sort_unstable();
        assert_eq!(reported, [1, 2]);
    }

    #[test]
    fn a_token_keeps_all_its_bits() {
        let mut pair = Pair::registered(u64::MAX - 1, Interest::ReadWrite);
        wait_for(&mut pair.sys, u64::MAX - 1, Readiness::WRITE);
        pair.sys.close(pair.stream);
    }

    #[test]
    fn the_descriptor_of_the_poller_is_readable_when_something_is_ready() {
        let pair = Pair::registered(1, Interest::ReadWrite);
        let mut host = real_sys();
        let mut events = 0;
        // The poller is a descriptor like any other, and can be watched by another poller.
        let mut watched = mio::net::TcpStream::from_std(
            std::os::fd::AsFd::as_fd(&pair.sys.as_fd())
                .try_clone_to_owned()
                .unwrap()
                .into(),
        );
        match &host.backend {
            Backend::Os(os) => os.poller.register(&mut watched, 2, Interest::Read).unwrap(),
            Backend::Kernel(_) => unreachable!("made for the real system"),
        }
        host.poll(Some(Duration::from_secs(10)), |token, ready| {
            assert_eq!(token, 2);
            assert!(ready.contains(Readiness::READ));
            events += 1;
        })
        .unwrap();
        assert_eq!(events, 1);
    }
}
