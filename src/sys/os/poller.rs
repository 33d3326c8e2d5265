//! The poller, and the translation between its words and ours.
//!
//! mio is epoll (Linux) or kqueue (macOS and the BSDs), always edge triggered. What its events are
//! called and what they mean on either is known here and nowhere else.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use mio::event::{Event, Source};
use mio::{Events, Poll, Token};

use super::placeholder;
use crate::sys::{Interest, Readiness};

pub(crate) struct Poller {
    poll: Poll,
    events: Events,
    /// Why there can be no waker any more.
    waker_refused: Option<i32>,
}

impl Poller {
    pub(super) fn new(event_capacity: usize) -> io::Result<Poller> {
        debug_assert!(
            event_capacity > 0,
            "a poll that has no room for an event fails"
        );
        Ok(Poller {
            poll: Poll::new()?,
            events: Events::with_capacity(event_capacity),
            waker_refused: None,
        })
    }

    #[inline]
    pub(crate) fn poll(
        &mut self,
        timeout: Option<Duration>,
        each: &mut impl FnMut(u64, Readiness),
    ) -> io::Result<()> {
        self.poll.poll(&mut self.events, timeout)?;
        for event in &self.events {
            // Of an urgent byte alone the readiness is empty: it wakes a parked socket, and there
            // is nothing in it for anybody. But it has taken a place in the batch.
            each(event.token().0 as u64, readiness(event));
        }
        Ok(())
    }

    pub(crate) fn register(
        &self,
        source: &mut impl Source,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        self.poll
            .registry()
            .register(source, mio_token(token), mio_interest(interest))
    }

    pub(crate) fn reregister(
        &self,
        source: &mut impl Source,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        self.poll
            .registry()
            .reregister(source, mio_token(token), mio_interest(interest))
    }

    pub(crate) fn deregister(&self, source: &mut impl Source) -> io::Result<()> {
        self.poll.registry().deregister(source)
    }

    /// Something that lets a poll return from another thread, with an event under `token`.
    ///
    /// mio allows one attempt, and takes the next for a second waker: a panic in a debug build. So it
    /// is asked first whether there is a descriptor, and what fails all the same fails for good.
    pub(crate) fn waker(&mut self, token: u64) -> io::Result<mio::Waker> {
        if let Some(errno) = self.waker_refused {
            return Err(io::Error::from_raw_os_error(errno));
        }
        placeholder::probe()?;
        let waker = mio::Waker::new(self.poll.registry(), mio_token(token));
        waker.inspect_err(|error| self.waker_refused = error.raw_os_error().or(Some(libc::EIO)))
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}

// The crate builds for 64 bits only, so nothing is cut off, here or on the way back.
fn mio_token(token: u64) -> Token {
    Token(token as usize)
}

fn mio_interest(interest: Interest) -> mio::Interest {
    match interest {
        Interest::Read => mio::Interest::READABLE,
        Interest::ReadWrite => mio::Interest::READABLE | mio::Interest::WRITABLE,
        // mio has no empty interest, and this is the nearest to it: epoll reports errors and resets
        // without being asked, and urgent bytes hardly exist.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Interest::Parked => mio::Interest::PRIORITY,
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        Interest::Parked => mio::Interest::WRITABLE,
        Interest::ParkedWrite => mio::Interest::WRITABLE,
    }
}

/// What an event of mio's says, in our bits.
///
/// | mio               | epoll                         | kqueue                        |
/// |-------------------|-------------------------------|-------------------------------|
/// | `is_readable`     | IN or PRI                     | read filter                   |
/// | `is_priority`     | PRI                           | never                         |
/// | `is_writable`     | OUT                           | write filter                  |
/// | `is_read_closed`  | HUP, or IN with RDHUP         | EOF on the read filter        |
/// | `is_write_closed` | HUP, or OUT with ERR, or only ERR | EOF on the write filter   |
/// | `is_error`        | ERR                           | EOF with an errno             |
///
/// RDHUP is a FIN and HUP is both directions shut, by a reset or by a FIN each way. A closed or
/// failed direction counts as ready, because the call that finds it out does not block.
#[inline]
fn readiness(event: &Event) -> Readiness {
    let closed = event.is_read_closed() || event.is_write_closed();
    let other = event.is_writable() || event.is_priority() || event.is_error() || closed;
    if event.is_readable() && !other {
        return Readiness::READ; // nearly always
    }
    let mut ready = Readiness::empty();
    // `is_readable` alone would take an urgent byte for input. No interest of ours asks for both,
    // so whatever comes with PRI is not IN.
    let has_input = event.is_readable() && !event.is_priority();
    if has_input || event.is_read_closed() || event.is_error() {
        ready.insert(Readiness::READ);
    }
    if event.is_writable() || event.is_write_closed() || event.is_error() {
        ready.insert(Readiness::WRITE);
    }
    if event.is_read_closed() {
        ready.insert(Readiness::READ_CLOSED);
    }
    if event.is_error() {
        ready.insert(Readiness::ERROR);
    }
    ready
}
