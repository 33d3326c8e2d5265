//! What the loop keeps for one socket: two cache lines that a message touches, the rest apart.
//!
//! Layout lives here, and the questions that take several fields. What the fields mean together is
//! decided in `connection`, and what is done about it in the files of this room that are named
//! after the deed.

use super::connecting::Connecting;
use super::flags::Flags;
use super::ids::Key;
use super::notes::Notes;
use super::pipe::Pipes;
use super::slots::Tenant;
#[cfg(feature = "encoding")]
use crate::connection::Decoder;
use crate::connection::{Latch, Lifecycle, Refusal, WriteQueue};
use crate::options::SocketOptions;
use crate::sys::Stream;
use crate::time::{ENTRY_BYTES, EntryId};
use crate::{Address, Error, Family, Handler, Net, Result};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Runs once the bytes of a write are with the kernel, or with the reason why they never will be.
pub(crate) type OnWritten = Box<dyn FnOnce(&mut Net, Result<()>)>;

/// One socket. With its entry in the idle wheel at most 128 bytes.
pub(crate) struct SocketEntry {
    /// Taken out while it runs; `None` besides only between accept and announcement.
    pub(crate) handler: Option<Box<dyn Handler>>,
    pub(crate) cold: Option<Box<Cold>>,
    pub(crate) queue: WriteQueue,
    pub(crate) bytes_read: u64,
    /// Accepted from the user, whether with the kernel yet or not (R52).
    pub(crate) bytes_written: u64,
    /// The tick in which a byte last moved: what idle timeouts count from.
    pub(crate) active: u64,
    /// The accepting server; generation 0 for a socket that connects.
    pub(crate) server: Key,
    pub(crate) peer: Peer,
    /// `None` before the connect begins.
    pub(crate) stream: Option<Stream>,
    pub(crate) generation: u32,
    /// 0: no idle timeout.
    pub(crate) idle_ms: u32,
    pub(crate) idle_entry: Option<EntryId>,
    pub(crate) high_water_mark: u32,
    pub(crate) latch: Latch,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) flags: Flags,
    pub(crate) notes: Notes,
}

/// What an idle connection may cost, its entry in the idle wheel included.
const MOST_BYTES: usize = 128;

// With mio's debug assertions the stream is more than its descriptor.
const _: () = assert!(
    cfg!(debug_assertions) || size_of::<SocketEntry>() + ENTRY_BYTES <= MOST_BYTES,
    "the promise to whoever holds very many connections"
);

/// What few sockets have, or what a message does not touch.
pub(crate) struct Cold {
    /// A peer whose address does not fit into the entry.
    pub(crate) peer: Option<Address>,
    /// Given back by `unread`, told again before anything newer.
    pub(crate) held: Vec<u8>,
    /// `held` was told as it is and came back: nobody wants it before something newer has come.
    pub(crate) held_waits: bool,
    /// Reads the peer's bytes as text: what `set_encoding` asked for.
    #[cfg(feature = "encoding")]
    pub(crate) decoder: Option<Decoder>,
    pub(super) pipes: Pipes,
    pub(crate) completions: VecDeque<Completion>,
    pub(crate) error: Option<Error>,
    /// How many `uncork` calls are still to come.
    pub(crate) corked: u32,
    /// More than so many bytes queued, and the next write destroys the socket.
    pub(crate) write_cap: usize,
    /// What is left to do until the connection stands.
    pub(crate) connect: Option<Box<Connecting>>,
    /// Where attempts went to, if there was more than one address to try.
    pub(crate) attempted: Vec<Address>,
}

/// A write whose end somebody waits for.
pub(crate) struct Completion {
    /// Due when so many bytes in all are with the kernel.
    pub(crate) at: u64,
    /// Why the bytes will never be with the kernel; due at once.
    pub(crate) failed: Option<Error>,
    pub(crate) run: OnWritten,
}

/// The default of [`Cold::write_cap`], for sockets that have no cold part.
pub(crate) const WRITE_CAP: usize = crate::options::DEFAULT_WRITE_CAP;

impl Default for Cold {
    fn default() -> Cold {
        Cold {
            peer: None,
            held: Vec::new(),
            held_waits: false,
            #[cfg(feature = "encoding")]
            decoder: None,
            pipes: Pipes::default(),
            completions: VecDeque::new(),
            error: None,
            corked: 0,
            write_cap: WRITE_CAP,
            connect: None,
            attempted: Vec::new(),
        }
    }
}

/// Where the peer is. Addresses of IPv4, mapped ones too, stand in the entry itself.
#[derive(Clone, Copy)]
pub(crate) enum Peer {
    Unknown,
    V4([u8; 4], u16),
    MappedV4([u8; 4], u16),
    /// A local socket without a name.
    Unnamed,
    /// In [`Cold::peer`].
    Cold,
}

impl Peer {
    /// `None` if the address does not fit.
    fn of(address: &Address) -> Option<Peer> {
        match address {
            Address::Inet(SocketAddr::V4(v4)) => Some(Peer::V4(v4.ip().octets(), v4.port())),
            Address::Inet(SocketAddr::V6(v6)) => match v6.ip().to_ipv4_mapped() {
                Some(v4) if v6.flowinfo() == 0 && v6.scope_id() == 0 => {
                    Some(Peer::MappedV4(v4.octets(), v6.port()))
                }
                _ => None,
            },
            Address::Unnamed => Some(Peer::Unnamed),
            Address::Path(_) | Address::Abstract(_) => None,
        }
    }
}

impl SocketEntry {
    pub(crate) fn new(
        key: Key,
        lifecycle: Lifecycle,
        latch: Latch,
        options: &SocketOptions,
    ) -> Self {
        let mut entry = SocketEntry {
            handler: None,
            cold: None,
            queue: WriteQueue::default(),
            bytes_read: 0,
            bytes_written: 0,
            active: 0,
            server: NO_SERVER,
            peer: Peer::Unknown,
            stream: None,
            generation: key.generation,
            idle_ms: 0,
            idle_entry: None,
            high_water_mark: options.high_water_mark,
            latch,
            lifecycle,
            flags: Flags::default(),
            notes: Notes::default(),
        };
        if options.allow_half_open {
            entry.flags.insert(Flags::HALF_OPEN);
        }
        let cap = options.write_cap.unwrap_or(usize::MAX);
        if cap != WRITE_CAP {
            entry.cold_mut().write_cap = cap;
        }
        entry
    }

    /// `close` was told: the id finds nothing any more.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Closed(_))
    }

    pub(crate) fn cold_mut(&mut self) -> &mut Cold {
        self.cold.get_or_insert_with(Box::default)
    }

    /// What a setter remembers a value in as long as there is no descriptor.
    pub(crate) fn settings_mut(&mut self) -> Option<&mut SocketOptions> {
        match self.stream {
            Some(_) => None,
            None => Some(&mut self.cold.as_mut()?.connect.as_mut()?.options),
        }
    }

    pub(crate) fn allows_half_open(&self) -> bool {
        self.flags.contains(Flags::HALF_OPEN)
    }

    /// Why no write is accepted; `None` if one is. A reset that was asked for behind the end, while connecting,
    /// leaves the end out of the lifecycle.
    pub(crate) fn refuses_write(&self) -> Option<Refusal> {
        let ended = || {
            self.flags
                .contains(Flags::ENDED)
                .then_some(Refusal::AfterEnd)
        };
        self.lifecycle
            .refuses_write(self.allows_half_open())
            .or_else(ended)
    }

    /// Bytes that are with the kernel, of all that were accepted.
    pub(crate) fn flushed(&self) -> u64 {
        self.bytes_written - self.queue.len() as u64
    }

    pub(crate) fn write_cap(&self) -> usize {
        self.cold.as_ref().map_or(WRITE_CAP, |cold| cold.write_cap)
    }

    pub(crate) fn error(&self) -> Option<&Error> {
        self.cold.as_ref()?.error.as_ref()
    }

    /// Bytes that were given back are to be told again.
    pub(crate) fn has_held(&self) -> bool {
        let cold = self.cold.as_ref();
        cold.is_some_and(|cold| !cold.held.is_empty() && !cold.held_waits)
    }

    /// Takes all `cork` calls back.
    pub(crate) fn uncork_fully(&mut self) {
        self.flags.remove(Flags::CORKED);
        if let Some(cold) = &mut self.cold {
            cold.corked = 0;
        }
    }

    /// The queue has reached the mark: `write` answers `false` (R40). An empty one never has.
    pub(crate) fn is_full(&self) -> bool {
        !self.queue.is_empty() && self.queue.len() >= self.high_water_mark as usize
    }

    /// Open both ways with an empty queue, and nothing waits for that: a write leads to nothing but bytes
    /// that leave, a read to nothing but a call of the handler.
    #[inline(always)] // once a message
    pub(crate) fn is_plain(&self) -> bool {
        self.lifecycle == Lifecycle::Open
            && self.queue.is_empty()
            && !self.flags.contains(Flags::NOT_PLAIN)
    }

    /// The kernel would be asked to take bytes now.
    pub(crate) fn may_send(&self) -> bool {
        self.lifecycle.is_sending()
            && self.latch.is_writable()
            && !self.flags.contains(Flags::CORKED)
    }

    /// Something is queued that nothing holds back: it waits for the kernel alone.
    #[cfg(feature = "sim")]
    pub(crate) fn has_unsent(&self) -> bool {
        !self.queue.is_empty() && !self.flags.contains(Flags::CORKED)
    }

    /// Nothing is queued, and the kernel has reported no error.
    pub(crate) fn is_quiet(&self) -> bool {
        self.queue.is_empty() && !self.latch.has_error()
    }

    /// A read would be made now.
    pub(crate) fn may_read(&self) -> bool {
        self.lifecycle.is_reading() && self.latch.may_read()
    }

    /// The connection stood at some time. If it never did, write completions come after `close`
    /// (R44), all of them, so that they keep their order.
    pub(crate) fn was_connected(&self) -> bool {
        !matches!(self.peer, Peer::Unknown)
    }

    /// Its peer is a local socket, or will be.
    pub(crate) fn is_local(&self) -> bool {
        let cold = self.cold.as_ref();
        let address = match self.peer {
            Peer::V4(..) | Peer::MappedV4(..) => return false,
            Peer::Unnamed => return true,
            Peer::Cold => cold.and_then(|cold| cold.peer.as_ref()),
            Peer::Unknown => cold.and_then(|cold| cold.connect.as_ref()?.only_address()),
        };
        address.is_some_and(|address| address.family() == Family::Unix)
    }

    pub(crate) fn set_peer(&mut self, address: Address) {
        self.peer = match Peer::of(&address) {
            Some(peer) => peer,
            None => {
                self.cold_mut().peer = Some(address);
                Peer::Cold
            }
        };
    }

    pub(crate) fn peer(&self) -> Option<Address> {
        let inet = |ip: IpAddr, port| Some(Address::Inet((ip, port).into()));
        match self.peer {
            Peer::Unknown => None,
            Peer::V4(ip, port) => inet(Ipv4Addr::from(ip).into(), port),
            Peer::MappedV4(ip, port) => inet(Ipv4Addr::from(ip).to_ipv6_mapped().into(), port),
            Peer::Unnamed => Some(Address::Unnamed),
            Peer::Cold => self.cold.as_ref()?.peer.clone(),
        }
    }
}

/// The server of sockets that have none.
pub(crate) const NO_SERVER: Key = Key {
    index: 0,
    generation: 0,
};

impl Tenant for SocketEntry {
    fn generation(&self) -> u32 {
        self.generation
    }
}

#[cfg(test)]
mod tests {
    use super::super::slots::Slots;
    use super::*;
    use crate::sys::Interest;

    fn accepted(slots: &mut Slots<SocketEntry>) -> Key {
        slots.insert(|key| {
            let latch = Latch::accepted(Interest::Read, false);
            SocketEntry::new(key, Lifecycle::Open, latch, &SocketOptions::default())
        })
    }

    #[test]
    fn an_idle_connection_costs_its_slot_and_a_wheel_entry_128_bytes_together() {
        let mut slots = Slots::new();
        let keys = [accepted(&mut slots), accepted(&mut slots)];
        let [first, second] = keys.map(|key| std::ptr::from_ref(slots.get(key).unwrap()).addr());
        let slot_bytes = second - first;
        assert_eq!(
            slot_bytes,
            size_of::<SocketEntry>(),
            "the slab's own mark fits into the entry"
        );
        // Here the stream is more than its descriptor; a build for use has the assertion above.
        let stream_bytes = size_of::<Option<Stream>>() - size_of::<i32>();
        let in_use = (slot_bytes - stream_bytes).next_multiple_of(align_of::<SocketEntry>());
        assert!(in_use + ENTRY_BYTES <= MOST_BYTES, "{in_use} bytes");
    }

    #[test]
    fn a_fresh_connection_owns_nothing_outside_its_entry() {
        let mut slots = Slots::new();
        let key = accepted(&mut slots);
        let entry = slots.get(key).unwrap();
        assert!(entry.cold.is_none(), "default options need no cold part");
        assert!(entry.queue.is_empty(), "and an empty queue is no queue");
    }
}
