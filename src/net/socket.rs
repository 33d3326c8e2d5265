//! The view of one socket that a handler works with.
//!
//! An id and a borrow of `Net`: every method looks its socket up and changes state. What takes more
//! than a line stands in the files of this room that are named after the deed; what a socket says
//! of itself, in `answers`.

mod answers;

pub use answers::ReadyState;

use super::Net;
use super::entry::SocketEntry;
use super::flags::Flags;
use super::ids::{Key, SocketId};
use super::write::Piece;
#[cfg(feature = "encoding")]
use crate::Encoding;
use crate::connection::{Input, Lifecycle};
use crate::{Error, Handler, Result};
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// One socket, for as long as a call lasts.
///
/// What is kept is its [`id`](Socket::id); [`Net::socket`] makes a view of it again, or says that
/// the socket is gone. Take the id into a local before calling [`net`](Socket::net).
///
/// No method calls a handler: what they lead to is told after the present handler has returned. On
/// a socket that is destroyed they do nothing, and say so where they can.
///
/// Node: [`net.Socket`](https://nodejs.org/api/net.html#class-netsocket).
pub struct Socket<'net> {
    net: &'net mut Net,
    key: Key,
}

impl<'net> Socket<'net> {
    pub(crate) fn new(net: &'net mut Net, key: Key) -> Socket<'net> {
        Socket { net, key }
    }

    /// The name to keep.
    pub fn id(&self) -> SocketId {
        SocketId {
            key: self.key,
            reactor: self.net.reactor,
        }
    }

    /// Everything else that a handler may reach, this socket included.
    pub fn net(&mut self) -> &mut Net {
        self.parts().0
    }

    /// The loop, with what is gathered: for whoever calls the handler.
    #[inline]
    pub(crate) fn bare_net(&mut self) -> &mut Net {
        self.net
    }

    /// The loop and the socket's key, with nothing gathered any more: the way of everything but a
    /// write, so that nobody else has to know of what is gathered.
    #[inline]
    fn parts(&mut self) -> (&mut Net, Key) {
        self.net.queue_gathered(self.key);
        (self.net, self.key)
    }

    fn entry(&self) -> Option<&SocketEntry> {
        self.net.sockets.get(self.key)
    }

    fn entry_mut(&mut self) -> Option<&mut SocketEntry> {
        let (net, key) = self.parts();
        net.sockets.get_mut(key)
    }

    fn flag(&self, flag: Flags) -> bool {
        self.entry().is_some_and(|entry| entry.flags.contains(flag))
    }

    fn state(&self) -> Option<Lifecycle> {
        self.entry().map(|entry| entry.lifecycle)
    }
}

/// Writing.
impl Socket<'_> {
    /// Sends a copy of `data`; answers whether more is welcome.
    ///
    /// `true`: go on. `false`: the queue has reached the high-water mark and the kernel takes no
    /// more for now; wait for `drain`. Nothing is lost either way. A few KiB and more go to the
    /// kernel at once; small writes gather and leave in one call when the handler returns.
    ///
    /// A handler that goes on although the answer was `false` is stopped at the write cap: a write
    /// that finds more than that queued destroys the socket with `ENOBUFS`. One single large write
    /// is never refused.
    ///
    /// After [`end`](Socket::end) it answers `false` and the socket is destroyed with
    /// `ERR_STREAM_WRITE_AFTER_END`, or with `EPIPE` if the peer has ended too; after
    /// [`destroy`](Socket::destroy) it answers `false` and that is all.
    ///
    /// Node: [`socket.write`](https://nodejs.org/api/net.html#socketwritedata-encoding-callback).
    #[inline]
    pub fn write(&mut self, data: &[u8]) -> bool {
        self.net.gathered.add(data) || self.write_at_once(data)
    }

    /// A write that has to look at the socket.
    #[inline(never)]
    fn write_at_once(&mut self, data: &[u8]) -> bool {
        let (net, key) = self.parts();
        net.write(key, Piece::Borrowed(data), None)
    }

    /// As [`write`](Socket::write), sharing `data` where it has to wait: one buffer sent to ten
    /// thousand sockets is one buffer.
    #[doc(alias = "write")]
    pub fn write_bytes(&mut self, data: Bytes) -> bool {
        let (net, key) = self.parts();
        net.write(key, Piece::Shared(data), None)
    }

    /// As [`write`](Socket::write), and calls `then` exactly once, later: with `Ok` when the bytes
    /// are with the kernel, else with the reason why they never will be.
    ///
    /// Calls come in the order of the writes, before the `error` that they share a cause with.
    ///
    /// Node: the callback of `socket.write`.
    #[doc(alias = "write")]
    pub fn write_then(
        &mut self,
        data: &[u8],
        then: impl FnOnce(&mut Net, Result<()>) + 'static,
    ) -> bool {
        let then = Some(Box::new(then) as _);
        let (net, key) = self.parts();
        net.write(key, Piece::Borrowed(data), then)
    }

    /// Hands what was gathered to the kernel now, and not when the handler returns: for a handler
    /// that goes on computing, and whose peer can use the first replies already.
    ///
    /// What is queued after it is what the kernel does not take. Where nothing may be sent
    /// (corked, connecting, the kernel has said no, destroyed) it does nothing. Each call that finds
    /// something is a system call; without it all writes of a handler leave in one. A send that fails
    /// is told later, by `on_error`.
    ///
    /// ```
    /// use netloop::Socket;
    ///
    /// fn answer(socket: &mut Socket<'_>) {
    ///     socket.write(b"102 processing\n");
    ///     socket.flush_now(); // the peer has it while we compute
    ///     let sum: u64 = (0..1_000_000).sum();
    ///     socket.write(format!("200 {sum}\n").as_bytes());
    /// }
    /// # let _ = answer;
    /// ```
    ///
    /// Node sends at once, and has no need for it.
    pub fn flush_now(&mut self) {
        let (net, key) = self.parts();
        net.flush_now(key);
    }

    /// Ends our side: what is queued is sent, the FIN behind it, then `finish` is told. The peer
    /// may still send; the socket closes when it has ended too.
    ///
    /// While connecting it is remembered. Calling it again does nothing.
    ///
    /// Node: [`socket.end`](https://nodejs.org/api/net.html#socketenddata-encoding-callback).
    pub fn end(&mut self) {
        let (net, key) = self.parts();
        net.step(key, Input::End);
    }

    /// [`write`](Socket::write), then [`end`](Socket::end).
    #[doc(alias = "end")]
    pub fn end_with(&mut self, data: &[u8]) {
        self.write(data);
        self.end();
    }

    /// Holds writes back until as many [`uncork`](Socket::uncork) calls have followed, or
    /// [`end`](Socket::end): then they leave in one call.
    ///
    /// Node: [`writable.cork`](https://nodejs.org/api/stream.html#writablecork).
    pub fn cork(&mut self) {
        let (net, key) = self.parts();
        net.send_dirty(key); // only what comes after it is held back
        if let Some(entry) = self.entry_mut()
            && !entry.lifecycle.is_destroyed()
            && !entry.lifecycle.write_ended()
        {
            entry.cold_mut().corked += 1;
            entry.flags.insert(Flags::CORKED);
        }
    }

    /// Takes one [`cork`](Socket::cork) back. One too many does nothing.
    ///
    /// Node: [`writable.uncork`](https://nodejs.org/api/stream.html#writableuncork).
    pub fn uncork(&mut self) {
        let key = self.key;
        let Some(entry) = self.entry_mut() else {
            return;
        };
        let Some(cold) = &mut entry.cold else {
            return;
        };
        cold.corked = cold.corked.saturating_sub(1);
        if cold.corked == 0 && entry.flags.contains(Flags::CORKED) {
            entry.flags.remove(Flags::CORKED);
            self.net.mark_dirty(key);
        }
    }

    /// How many [`uncork`](Socket::uncork) calls are still to come.
    #[doc(alias = "writableCorked")]
    pub fn writable_corked(&self) -> u32 {
        let cold = self.entry().and_then(|entry| entry.cold.as_ref());
        cold.map_or(0, |cold| cold.corked)
    }

    /// Bytes accepted by `write` that the kernel has not taken yet: Node's `writableLength`.
    #[doc(alias = "writableLength")]
    #[doc(alias = "bufferSize")]
    pub fn buffer_size(&self) -> usize {
        let gathered = self.net.gathered.len();
        self.entry().map_or(0, |entry| entry.queue.len() + gathered)
    }

    /// A write answered `false`, and `drain` is still to come.
    #[doc(alias = "writableNeedDrain")]
    pub fn writable_need_drain(&self) -> bool {
        self.flag(Flags::NEED_DRAIN) && !self.flag(Flags::ENDED) && !self.destroyed()
    }

    /// The mark, in bytes, at which `write` begins to answer `false`. 65,536 unless the options
    /// said otherwise.
    #[doc(alias = "writableHighWaterMark")]
    pub fn writable_high_water_mark(&self) -> usize {
        self.entry()
            .map_or(0, |entry| entry.high_water_mark as usize)
    }
}

/// Reading.
impl Socket<'_> {
    /// Stops reading: nothing more is told of what the peer does, neither data nor its end nor its
    /// reset, and nothing is lost. The kernel's buffers fill up, and then the peer has to wait.
    /// What was written goes on leaving; if that fails, the error is told and ends the socket all
    /// the same.
    ///
    /// Node: [`socket.pause`](https://nodejs.org/api/net.html#socketpause). Node reads on until its
    /// buffer is full, and tells `end` and resets to some paused sockets; here one rule holds.
    pub fn pause(&mut self) {
        let (net, key) = self.parts();
        net.pause(key);
    }

    /// Reads again. Whatever waits is told later, never inside this call, with data before an end
    /// or a reset.
    ///
    /// Node: [`socket.resume`](https://nodejs.org/api/net.html#socketresume).
    pub fn resume(&mut self) {
        let (net, key) = self.parts();
        net.resume(key);
    }

    /// Whether [`pause`](Socket::pause) holds.
    #[doc(alias = "isPaused")]
    pub fn is_paused(&self) -> bool {
        self.entry()
            .is_some_and(|entry| entry.latch.is_paused_by_user())
    }

    /// Gives back bytes that the next handler should see: they are told as data again, before
    /// anything newer, at most once a turn, and `end` waits for them.
    ///
    /// For handing a connection on with [`set_handler`](Socket::set_handler), and for going on after a
    /// [`pause`](Socket::pause). What is told again and given back whole waits: for a
    /// [`resume`](Socket::resume) in a later event, or for more from the peer, with which it is told
    /// together. Before `end` it is told once more; who gives it back whole even then, and neither pauses
    /// nor sets another handler, does not want it, and it is dropped. Of what was taken in part the rest
    /// is told in turn (as text not behind the end).
    ///
    /// While connecting, once `end` was told and on a destroyed socket it does nothing. What it makes
    /// `on_data` see may be longer than one read.
    ///
    /// Node: [`readable.unshift`](https://nodejs.org/api/stream.html#readableunshiftchunk-encoding).
    #[doc(alias = "unshift")]
    pub fn unread(&mut self, bytes: &[u8]) {
        let (net, key) = self.parts();
        net.unread(key, bytes);
    }

    /// Has what the peer sends told as text, by [`Handler::on_text`] instead of
    /// [`Handler::on_data`]; with `None` as bytes again.
    ///
    /// A character that a read has cut in two is told when the rest of it has come, and bytes that
    /// are no character are replaced as Node replaces them. What is left incomplete at the peer's
    /// end is told as it is, right before `end`; a reset drops it.
    ///
    /// Holds from the next byte on, and may be called at any time, before the connection stands
    /// too. A change in mid-stream loses nothing: the bytes of a character that is not complete yet
    /// are read anew, in the new encoding. (Node drops them.) [`unread`](Socket::unread) takes bytes
    /// as the peer sends them, [`bytes_read`](Socket::bytes_read) counts those, and a handler that
    /// is set later finds the encoding as it is. On a destroyed socket it does nothing.
    ///
    /// ```
    /// # fn configure(socket: &mut netloop::Socket<'_>) {
    /// use netloop::Encoding;
    ///
    /// socket.set_encoding(Encoding::Utf8);
    /// socket.set_encoding(None); // bytes again
    /// # }
    /// ```
    ///
    /// Node: [`socket.setEncoding`](https://nodejs.org/api/net.html#socketsetencodingencoding).
    #[cfg(feature = "encoding")]
    #[doc(alias = "setEncoding")]
    pub fn set_encoding(&mut self, encoding: impl Into<Option<Encoding>>) {
        let (net, key) = self.parts();
        net.set_encoding(key, encoding.into());
    }

    /// What [`set_encoding`](Socket::set_encoding) was called with last; `None` if the peer's bytes
    /// are told as they are.
    #[cfg(feature = "encoding")]
    #[doc(alias = "readableEncoding")]
    pub fn readable_encoding(&self) -> Option<Encoding> {
        let decoder = self.entry()?.cold.as_ref()?.decoder.as_ref()?;
        Some(decoder.encoding())
    }

    /// For an adaptor that makes several events of one: whether more may be told, before what the
    /// handler has just given back.
    pub(crate) fn wants_more(&self) -> bool {
        let may = |entry: &SocketEntry| {
            !entry.lifecycle.is_destroyed() && !entry.latch.is_paused() && !entry.has_given_back()
        };
        self.entry().is_some_and(may) && !self.is_handed_on()
    }

    /// For an adaptor: as [`unread`](Socket::unread), of bytes that came behind those that its handler
    /// has given back meanwhile.
    pub(crate) fn unread_behind(&mut self, bytes: &[u8]) {
        let (net, key) = self.parts();
        net.unread_behind(key, bytes);
    }

    /// For an adaptor, while it is told an event: what comes next is for somebody else, another handler
    /// or a pipe, or for the same one as text.
    pub(crate) fn is_handed_on(&self) -> bool {
        let another = |entry: &SocketEntry| entry.handler.is_some(); // else its place is empty now
        self.entry().is_some_and(another) || self.flag(Flags::DIVERTED)
    }

    /// Lets `handler` have all further events. The present one, if it is running, finishes first
    /// and is then dropped.
    #[doc(alias = "on")]
    pub fn set_handler(&mut self, handler: impl Handler + 'static) {
        let (net, key) = self.parts();
        net.set_handler(key, Box::new(handler));
    }
}

/// Closing.
impl Socket<'_> {
    /// Closes the socket without waiting: what the kernel has not taken is dropped, nothing more is
    /// told but `close`, and the peer sees a reset if it had sent what was not read.
    ///
    /// Node: [`socket.destroy`](https://nodejs.org/api/net.html#socketdestroyerror).
    pub fn destroy(&mut self) {
        let (net, key) = self.parts();
        net.destroy(key);
    }

    /// [`destroy`](Socket::destroy) with a reason: `on_error` gets it, then `on_close` with
    /// `had_error`. On a socket that is destroyed it does nothing.
    #[doc(alias = "destroy")]
    pub fn destroy_with(&mut self, error: impl Into<Error>) {
        let (net, key) = self.parts();
        net.send_last(key);
        net.fail(key, error.into());
    }

    /// [`end`](Socket::end), and destroys the socket at `finish` without waiting for the peer.
    ///
    /// Node: [`socket.destroySoon`](https://nodejs.org/api/net.html#socketdestroysoon).
    #[doc(alias = "destroySoon")]
    pub fn destroy_soon(&mut self) {
        let (net, key) = self.parts();
        net.destroy_soon(key);
    }

    /// Closes the socket with a reset: the peer gets `ECONNRESET`. While connecting it waits for
    /// `connect`. A local socket has no reset: it is destroyed with `ERR_INVALID_HANDLE_TYPE`, where
    /// Node throws.
    ///
    /// Node: [`socket.resetAndDestroy`](https://nodejs.org/api/net.html#socketresetanddestroy).
    #[doc(alias = "resetAndDestroy")]
    pub fn reset_and_destroy(&mut self) {
        let (net, key) = self.parts();
        net.reset(key);
    }
}

/// Settings.
impl Socket<'_> {
    /// Tells `timeout` after `idle` without a byte read or written; the socket stays open.
    ///
    /// Counted from the turn in which the last byte moved or the peer's end came, never early, late
    /// by at most two milliseconds and a turn, and told once until a byte moves again.
    /// `Duration::ZERO` turns it off; more than 2^31 - 1 ms is cut to that. On a destroyed socket
    /// it does nothing.
    ///
    /// Node: [`socket.setTimeout`](https://nodejs.org/api/net.html#socketsettimeouttimeout-callback).
    #[doc(alias = "setTimeout")]
    pub fn set_timeout(&mut self, idle: Duration) {
        let (net, key) = self.parts();
        net.set_idle_timeout(key, idle);
    }

    /// The idle timeout; `None` if there is none.
    pub fn timeout(&self) -> Option<Duration> {
        let millis = self.entry()?.idle_ms;
        (millis > 0).then(|| Duration::from_millis(millis.into()))
    }

    /// Sends small writes, and the tails of large ones, at once instead of waiting for more to go with
    /// them (`TCP_NODELAY`): for answers and for bulk, as
    /// [`latency`](crate::book::latency#tcp_nodelay-and-tcp_quickack) tells. Remembered while connecting.
    ///
    /// Node: [`socket.setNoDelay`](https://nodejs.org/api/net.html#socketsetnodelaynodelay).
    #[doc(alias = "setNoDelay")]
    pub fn set_no_delay(&mut self, no_delay: bool) {
        let (net, key) = self.parts();
        net.set_no_delay(key, no_delay);
    }

    /// Acknowledges what comes at once instead of waiting for an answer to go with it
    /// (`TCP_QUICKACK`); `false` lets it wait. Remembered while connecting. Linux and Android;
    /// elsewhere, and on a local socket, it is without effect.
    ///
    /// It does not last. An acknowledgement that is owed leaves in this call, and those of what comes
    /// next leave at once, until the kernel sees bytes go both ways and lets them wait again: who
    /// wants it for good says it after each read, a system call each time. Only a peer that waits
    /// for the acknowledgement gains by it, as one does that has not set `TCP_NODELAY` and writes in
    /// two pieces.
    ///
    /// Source: [tcp(7)](https://man7.org/linux/man-pages/man7/tcp.7.html). Node has nothing of the kind.
    #[doc(alias = "TCP_QUICKACK")]
    pub fn set_quick_ack(&mut self, quick_ack: bool) {
        let (net, key) = self.parts();
        net.set_quick_ack(key, quick_ack);
    }

    /// Lets the kernel take about so many bytes that it cannot send yet, and no more
    /// (`TCP_NOTSENT_LOWAT`); 0 leaves it to the system. Remembered while connecting. Linux and
    /// Android; elsewhere, and on a local socket, it is without effect.
    ///
    /// Without it a peer that reads slowly has megabytes before it that were written long ago. With
    /// it they stay here, where `write` answers `false`, and `drain` is told when less than half of
    /// the mark is unsent: what is written then is fresh when it arrives. Bytes that were sent and
    /// not acknowledged do not count, so a few KiB cost no throughput. A mark, not a cap: the write
    /// that reaches it may bring up to one packet (64 KiB) more. More than 4 GiB − 1 counts as that.
    ///
    /// Source: `tcp_notsent_lowat` in Linux's
    /// [ip-sysctl](https://docs.kernel.org/networking/ip-sysctl.html). Node has nothing of the kind.
    #[doc(alias = "TCP_NOTSENT_LOWAT")]
    pub fn set_not_sent_low_water_mark(&mut self, bytes: usize) {
        let (net, key) = self.parts();
        net.set_not_sent_low_water_mark(key, bytes);
    }

    /// What the packets ask of the network (`IP_TOS`, `IPV6_TCLASS`): the DSCP in the upper six bits;
    /// the lower two are the kernel's, for congestion. Remembered while connecting. Without effect
    /// on a local socket.
    ///
    /// Node: [`socket.setTypeOfService`](https://nodejs.org/api/net.html#socketsettypeofservicetos).
    #[doc(alias = "setTypeOfService")]
    pub fn set_type_of_service(&mut self, value: u8) {
        let (net, key) = self.parts();
        net.set_type_of_service(key, value);
    }

    /// What was set by [`set_type_of_service`](Socket::set_type_of_service), or else what the system
    /// has set; `None` where there is nothing of the kind: on a local socket, and before the
    /// attempt if nothing was set.
    #[doc(alias = "getTypeOfService")]
    pub fn type_of_service(&self) -> Option<u8> {
        self.net.type_of_service(self.key)
    }

    /// Probes a silent peer, for the first time after `initial_delay` (whole seconds, rounded down;
    /// zero leaves the system's). Remembered while connecting.
    ///
    /// Node: [`socket.setKeepAlive`](https://nodejs.org/api/net.html#socketsetkeepaliveenable-initialdelay).
    #[doc(alias = "setKeepAlive")]
    pub fn set_keep_alive(&mut self, enable: bool, initial_delay: Duration) {
        let (net, key) = self.parts();
        net.set_keep_alive(key, enable, initial_delay);
    }

    /// Lets the loop end although this socket is open.
    ///
    /// Node: [`socket.unref`](https://nodejs.org/api/net.html#socketunref).
    pub fn unref(&mut self) {
        if let Some(entry) = self.entry_mut() {
            entry.flags.insert(Flags::UNREF);
        }
        let (net, key) = self.parts();
        net.recount(key);
    }

    /// Takes [`unref`](Socket::unref) back. Node: `socket.ref`, a word that Rust has taken.
    pub fn r#ref(&mut self) {
        if let Some(entry) = self.entry_mut() {
            entry.flags.remove(Flags::UNREF);
        }
        let (net, key) = self.parts();
        net.recount(key);
    }
}

impl fmt::Debug for Socket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.id())
            .field("ready_state", &self.ready_state())
            .finish_non_exhaustive()
    }
}
