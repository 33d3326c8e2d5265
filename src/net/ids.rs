//! Names for sockets, servers and timers that outlive what they name.
//!
//! A name is a slot and the generation of what stood in it when the name was given. A late event,
//! timer or reply whose generation no longer matches finds nothing instead of a stranger.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

const _: () = assert!(
    usize::BITS == 64,
    "a poll token holds a 32-bit index and a 32-bit generation"
);

/// Names a socket of one reactor. Kept freely: once the socket is gone it finds nothing.
///
/// ```
/// # fn take(net: &mut netloop::Net, id: netloop::SocketId) {
/// // A reply that took a while: is the client still there?
/// if let Some(mut socket) = net.socket(id) {
///     socket.write(b"here you are\n");
/// }
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId {
    pub(crate) key: Key,
    pub(crate) reactor: u32,
}

/// Names a server of one reactor. Kept freely: once the server is gone it finds nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerId {
    pub(crate) key: Key,
    pub(crate) reactor: u32,
}

/// Names a timer of one reactor. Kept freely: once the timer has run it finds nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimerId {
    pub(crate) key: Key,
    pub(crate) reactor: u32,
}

/// Names a listener to a signal. Kept freely: once it was taken back it finds nothing.
#[cfg(feature = "signal")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignalId {
    pub(crate) key: Key,
    pub(crate) reactor: u32,
}

/// A slot and the generation of what stands in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// What an event or a work-list entry is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Socket(Key),
    Server(Key),
    /// One of several attempts to connect, which has a descriptor of its own.
    Attempt(Key),
}

/// The token of the loop's waker: no socket and no server has it, since no generation is 0.
pub(crate) const WAKER_TOKEN: u64 = u32::MAX as u64;

/// The token of all signals, as little anybody else's.
#[cfg(feature = "signal")]
pub(crate) const SIGNAL_TOKEN: u64 = WAKER_TOKEN - 1;

/// The index bit that tells a server's token from a socket's.
const SERVER: u32 = 1 << 31;
/// The one that tells an attempt's from a socket's.
const ATTEMPT: u32 = 1 << 30;

impl Target {
    pub(crate) fn to_token(self) -> u64 {
        let (index, generation) = match self {
            Target::Socket(key) => (key.index, key.generation),
            Target::Server(key) => (key.index | SERVER, key.generation),
            Target::Attempt(key) => (key.index | ATTEMPT, key.generation),
        };
        u64::from(generation) << 32 | u64::from(index)
    }

    /// Any number is a target; whether anything stands there is asked of the slots.
    pub(crate) fn from_token(token: u64) -> Target {
        let (index, generation) = (token as u32, (token >> 32) as u32);
        let key = |index| Key { index, generation };
        let kind = index & (SERVER | ATTEMPT);
        match kind {
            0 => Target::Socket(key(index)),
            ATTEMPT => Target::Attempt(key(index & !kind)),
            _ => Target::Server(key(index & !kind)),
        }
    }
}

/// A number for each reactor of the process, so that an id is never asked of the wrong one.
pub(crate) fn next_reactor() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.index, self.generation)
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocketId({:?})", self.key)
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerId({:?})", self.key)
    }
}

#[cfg(feature = "signal")]
impl fmt::Debug for SignalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalId({:?})", self.key)
    }
}

impl fmt::Debug for TimerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimerId({:?})", self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gives_back_the_target_it_was_made_from() {
        for index in [0, 1, ATTEMPT - 1] {
            for generation in [1, 7, u32::MAX] {
                let key = Key { index, generation };
                for target in [Target::Socket, Target::Server, Target::Attempt] {
                    let target = target(key);
                    assert_eq!(Target::from_token(target.to_token()), target);
                }
            }
        }
    }

    #[test]
    fn two_reactors_never_share_a_number() {
        assert_ne!(next_reactor(), next_reactor());
    }
}
