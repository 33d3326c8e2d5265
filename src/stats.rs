//! What a reactor has done so far, as plain numbers.

use crate::sys::Calls;

/// Counters since the reactor was made, and what it holds now. [`Net::stats`](crate::Net::stats)
/// copies them; nothing is reset, so a rate is the difference of two copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Turns of the loop.
    pub turns: u64,
    /// Events that the kernel reported.
    pub events: u64,
    /// Events for a socket that was gone by then; they are skipped.
    pub stale_events: u64,
    /// Sockets open now, those included whose `close` is still to be told.
    pub sockets: usize,
    /// Servers open now, those included whose `close` is still to be told.
    pub servers: usize,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections begun by `connect`.
    pub connects: u64,
    /// Peers turned away by `max_connections`.
    pub dropped: u64,
    /// Peers turned away, and attempts to connect not made, because of a
    /// [`BlockList`](crate::BlockList).
    pub blocked: u64,
    /// Times that a server ran out of descriptors; an episode counts once.
    pub starved: u64,
    /// Peers closed with the spare descriptor while there was no other.
    pub shed: u64,
    /// Closures of [`Remote::post`](crate::Remote::post) that were run, and what else came from
    /// elsewhere: results of work on other threads, answers of resolvers.
    pub posts: u64,
    /// Closures that [`Remote::post`](crate::Remote::post) gave back because too many waited.
    pub refused_posts: u64,
    /// Pieces of work given to other threads.
    pub offloads: u64,
    /// Pieces of work that no thread was given: too many were under way, or the system had no thread.
    pub refused_offloads: u64,
    /// Times that another thread woke the loop, each a system call of that thread. While the loop is
    /// awake nobody does, unless it is the first of all.
    pub wakes: u64,
    /// System calls, by kind.
    pub syscalls: Syscalls,
}

/// System calls made, by kind, failed ones included. Reading the clock is not counted: with the usual
/// sources of time (`tsc`, `kvm-clock`) it does not enter the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Syscalls {
    /// Waits for events, `epoll_wait(2)`.
    pub poll: u64,
    /// `accept4(2)`.
    pub accept: u64,
    /// `connect(2)`, with the socket that it needs.
    pub connect: u64,
    /// `recv(2)`.
    pub read: u64,
    /// `send(2)`.
    pub write: u64,
    /// `sendmsg(2)`: several pieces in one call.
    pub write_vectored: u64,
    /// `shutdown(2)`.
    pub shutdown: u64,
    /// `close(2)`.
    pub close: u64,
    /// `epoll_ctl(2)`, all three kinds.
    pub epoll_ctl: u64,
    /// Everything else: options, addresses, binding and listening.
    pub other: u64,
}

impl Syscalls {
    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.poll
            + self.accept
            + self.connect
            + self.read
            + self.write
            + self.write_vectored
            + self.shutdown
            + self.close
            + self.epoll_ctl
            + self.other
    }
}

impl From<Calls> for Syscalls {
    fn from(calls: Calls) -> Syscalls {
        // Field by field: a kind that is added has to be counted somewhere.
        let Calls {
            poll,
            listen,
            accept,
            bind,
            connect,
            register,
            reregister,
            deregister,
            read,
            write,
            write_vectored,
            shutdown,
            close,
            set_option,
            get_option,
            get_peer,
            waker,
            spare,
            grow,
        } = calls;
        Syscalls {
            poll,
            accept,
            connect,
            read,
            write,
            write_vectored,
            shutdown,
            close,
            epoll_ctl: register + reregister + deregister,
            other: listen + bind + set_option + get_option + get_peer + waker + spare + grow,
        }
    }
}

/// The counters that `net` and `reactor` keep themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) turns: u64,
    pub(crate) events: u64,
    pub(crate) stale_events: u64,
    pub(crate) accepted: u64,
    pub(crate) connects: u64,
    pub(crate) dropped: u64,
    pub(crate) blocked: u64,
    pub(crate) starved: u64,
    pub(crate) shed: u64,
    pub(crate) posts: u64,
    pub(crate) offloads: u64,
    pub(crate) refused_offloads: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_counts_once_among_all_of_them() {
        let calls = Calls {
            poll: 1,
            listen: 1,
            accept: 1,
            bind: 1,
            connect: 1,
            register: 1,
            reregister: 1,
            deregister: 1,
            read: 1,
            write: 1,
            write_vectored: 1,
            shutdown: 1,
            close: 1,
            set_option: 1,
            get_option: 1,
            get_peer: 1,
            waker: 1,
            spare: 1,
            grow: 1,
        };
        assert_eq!(Syscalls::from(calls).total(), 19);
    }
}
