//! `pipe`: what one socket reads is written to another, and neither runs ahead of the other.
//!
//! The source knows its destination, the destination its sources; both stand in the cold parts, and
//! the flag of the source that its input is diverted tells the read path. A source is held back while
//! its destination owes a `drain`, apart from any pause of the user's.
//!
//! Node: [`readable.pipe`](https://nodejs.org/api/stream.html#readablepipedestination-options), but
//! that a source has one destination, and that a destination which is ended, not only one which has
//! finished, is no destination any more.

use super::Net;
use super::entry::SocketEntry;
use super::flags::Flags;
use super::ids::{Key, SocketId};
use super::write::Piece;
use crate::connection::Input;
use crate::{Error, PipeOptions, Result};

/// A socket's place among pipes.
#[derive(Default)]
pub(crate) struct Pipes {
    /// Where what it reads goes to.
    pub(super) to: Option<Pipe>,
    /// Those that are piped into it, each once.
    pub(super) from: Vec<Key>,
    /// The other side of a proxy: not to outlive it.
    pub(super) partner: Option<Key>,
}

pub(super) struct Pipe {
    pub(super) to: Key,
    end: bool,
    /// Invariant: the place of its source among those of the destination, so that it is taken away
    /// at the same cost among many.
    pub(super) at: usize,
}

impl Net {
    /// Writes to `to` whatever `from` reads from now on, no faster than `to` takes it; when `from`
    /// ends, `to` is ended, unless the options say otherwise.
    ///
    /// The handler of `from` is told everything but data: bytes go past it, and past an encoding.
    /// Both handlers hear of `end`, `drain` and the rest as if the handler of `from` had written.
    /// Bytes count as read and as written, for idle timeouts too. `to` never has more queued than
    /// its high-water mark and one read, unless somebody else writes as well.
    ///
    /// - What was given back by [`unread`](crate::Socket::unread) goes first. A `from` that is
    ///   paused is resumed; [`pause`](crate::Socket::pause) holds it again, for as long as the user
    ///   likes. Either may still be connecting.
    /// - When `from` is destroyed before its end, `to` stays as it is. When `to` is ended or
    ///   destroyed, `from` is unpiped, that is, paused: what it has not read is not lost, and it is
    ///   for the user to resume or destroy it.
    /// - Several sources may have one destination; the first that ends, ends it. A socket may be
    ///   piped into itself: that is an echo.
    /// - If `from` was told its end already, `to` is ended at once.
    ///
    /// ```
    /// use netloop::{Event, PipeOptions, handler_fn};
    ///
    /// # fn listen(net: &mut netloop::Net) -> netloop::Result<()> {
    /// net.listen("127.0.0.1:7000", |socket| {
    ///     let id = socket.id();
    ///     socket.net().pipe(id, id, PipeOptions::default()).expect("it is open");
    ///     handler_fn(|_socket, event| println!("{event:?}"))
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `ERR_STREAM_CANNOT_PIPE` if `from` is gone or destroyed, `ERR_STREAM_UNABLE_TO_PIPE` if `to`
    /// is, or was ended; an id of another reactor names nobody here. `ERR_INVALID_ARG_VALUE` if
    /// `from` is piped already: [`unpipe`](Net::unpipe) comes first. (Node copies to both.)
    ///
    /// Node: [`readable.pipe`](https://nodejs.org/api/stream.html#readablepipedestination-options).
    pub fn pipe(&mut self, from: SocketId, to: SocketId, options: PipeOptions) -> Result<()> {
        let (from, to) = self.ends_of_pipe(from, to)?;
        self.lay_pipe(from, to, options.end);
        Ok(())
    }

    /// Pipes two sockets into each other: a proxy.
    ///
    /// Half-close is carried over, so both are made half-open: when the peer of one ends, the other
    /// is ended, and what still comes the other way is still delivered. When all of it is
    /// through both close.
    ///
    /// If one of them fails, or is destroyed before that, the other is reset, so that its peer
    /// won't take a cut for an end; one that is still connecting, or is local and knows no reset,
    /// is destroyed. It is told `close`, without an error. [`unpipe`](Net::unpipe) of either makes them strangers again.
    ///
    /// ```
    /// use netloop::{Socket, handler_fn};
    ///
    /// # fn listen(net: &mut netloop::Net) -> netloop::Result<()> {
    /// net.listen("127.0.0.1:7000", |client: &mut Socket<'_>| {
    ///     let id = client.id();
    ///     let net = client.net();
    ///     let upstream = net.connect("127.0.0.1:8000", handler_fn(|_, _| ())).map(|it| it.id());
    ///     match upstream {
    ///         Ok(upstream) => net.pipe_both(id, upstream).expect("both are open"),
    ///         Err(_) => client.destroy(),
    ///     }
    ///     handler_fn(|_, _| ())
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`pipe`](Net::pipe), in either direction, and `ERR_INVALID_ARG_VALUE` for one socket
    /// twice. Nothing is piped then.
    ///
    /// Node: [`stream.pipeline`](https://nodejs.org/api/stream.html#streampipelinesource-transforms-destination-callback)
    /// both ways, which destroys where this resets.
    pub fn pipe_both(&mut self, a: SocketId, b: SocketId) -> Result<()> {
        if a == b {
            let words = "a proxy has two sockets; to echo, pipe one into itself";
            return Err(Error::invalid_argument(words));
        }
        let back = (b, a);
        self.ends_of_pipe(b, a)?;
        let (a, b) = self.ends_of_pipe(a, b)?;
        for (socket, partner) in [(a, b), (b, a)] {
            self.part(socket);
            if let Some(entry) = self.sockets.get_mut(socket) {
                entry.flags.insert(Flags::HALF_OPEN);
                entry.cold_mut().pipes.partner = Some(partner);
            }
        }
        self.lay_pipe(a, b, true);
        // The poller may have refused what it takes to resume `a`, and then both are gone.
        if self.ends_of_pipe(back.0, back.1).is_ok() {
            self.lay_pipe(b, a, true);
        }
        Ok(())
    }

    /// Takes the pipe out of `from` away: it is paused, and after
    /// [`resume`](crate::Socket::resume) its handler is told data again. Without a pipe it does
    /// nothing.
    ///
    /// Node: [`readable.unpipe`](https://nodejs.org/api/stream.html#readableunpipedestination).
    pub fn unpipe(&mut self, from: SocketId) {
        if let Some(from) = self.standing(from)
            && self.is_piped(from)
        {
            self.pause(from);
            self.take_pipe(from);
            self.part(from);
        }
    }

    /// The socket that `id` names, unless it is gone or destroyed.
    fn standing(&self, id: SocketId) -> Option<Key> {
        let entry = self.sockets.get(id.key)?;
        let stands = id.reactor == self.reactor && !entry.lifecycle.is_destroyed();
        stands.then_some(id.key)
    }

    /// Both ends of a pipe that may be laid.
    fn ends_of_pipe(&self, from: SocketId, to: SocketId) -> Result<(Key, Key)> {
        let from = self.standing(from).ok_or_else(Error::cannot_pipe)?;
        if self.is_piped(from) {
            let words = "the socket is piped already: unpipe comes first";
            return Err(Error::invalid_argument(words));
        }
        let to = self.standing(to).ok_or_else(Error::unable_to_pipe)?;
        let ended = |entry: &SocketEntry| entry.flags.contains(Flags::ENDED);
        if self.sockets.get(to).is_none_or(ended) {
            return Err(Error::unable_to_pipe());
        }
        Ok((from, to))
    }

    fn lay_pipe(&mut self, from: Key, to: Key, end: bool) {
        let at = self.pipes(to).map_or(0, |pipes| pipes.from.len());
        let Some(source) = self.sockets.get_mut(from) else {
            return;
        };
        if source.flags.contains(Flags::END_TOLD) {
            if end {
                self.step(to, Input::End);
            }
            return;
        }
        #[cfg(feature = "encoding")]
        source.hold_begun(); // bytes from now on
        let cold = source.cold_mut();
        cold.held_waits = false; // the destination has not had them
        cold.pipes.to = Some(Pipe { to, end, at });
        source.divert();
        if source.has_held() {
            self.mark_ready(from);
        }
        let Some(destination) = self.sockets.get_mut(to) else {
            return;
        };
        destination.cold_mut().pipes.from.push(from);
        if destination.flags.contains(Flags::NEED_DRAIN) {
            self.hold_back(from);
        }
        self.resume(from);
    }

    /// Writes what `from` has read to where it is piped; false if it is not.
    pub(crate) fn forward(&mut self, from: Key, bytes: &[u8]) -> bool {
        let Some(Pipe { to, .. }) = self.pipes(from).and_then(|pipes| pipes.to.as_ref()) else {
            return false;
        };
        let to = *to;
        if !self.write(to, Piece::Borrowed(bytes), None) && !planted!(PipeRunsAhead) {
            // All of them, or each would bring a read more.
            self.each_source(to, Net::hold_back);
        }
        true
    }

    /// `drain` was told: the sources of `to` read on, unless its handler has filled it again.
    pub(crate) fn after_drain_told(&mut self, to: Key) {
        let full = |entry: &SocketEntry| entry.flags.contains(Flags::NEED_DRAIN);
        if self.sockets.get(to).is_some_and(|entry| !full(entry)) && !planted!(PipeNotLetGo) {
            self.each_source(to, Net::let_go);
        }
    }

    /// `end` was told to `from`: carried over.
    pub(crate) fn end_pipe(&mut self, from: Key) {
        if let Some(Pipe { to, end: true, .. }) = self.take_pipe(from)
            && !planted!(PipeEndForgotten)
        {
            self.step(to, Input::End);
        }
    }

    /// `to` takes no more: its sources are paused, and free.
    pub(super) fn leave_sources(&mut self, to: Key) {
        self.each_source(to, |net, from| {
            net.pause(from);
            net.take_pipe(from);
        });
    }

    /// `key` was destroyed: nobody is piped to it or from it, and the other side of a proxy goes,
    /// too, unless it is through but for what it has queued.
    pub(super) fn leave_pipes(&mut self, key: Key) {
        if self.pipes(key).is_none() {
            return;
        }
        self.leave_sources(key);
        let ended = |entry: &SocketEntry| entry.flags.contains(Flags::END_TOLD);
        if self.sockets.get(key).is_some_and(ended) {
            self.end_pipe(key); // with its own side through before, it goes right after its `end`
        }
        self.take_pipe(key);
        let Some(partner) = self.part(key).filter(|_| !planted!(PartnerForgotten)) else {
            return;
        };
        let Some(entry) = self.sockets.get(partner) else {
            return;
        };
        if ended(entry) && entry.lifecycle.write_ended() {
            return; // what is queued is still delivered
        }
        if entry.lifecycle.is_connecting() || entry.is_local() {
            self.destroy(partner);
        } else {
            self.reset(partner);
        }
    }

    /// Makes both sides of a proxy strangers; gives back the other one.
    fn part(&mut self, key: Key) -> Option<Key> {
        let partner = self.pipes_mut(key)?.partner.take()?;
        if let Some(pipes) = self.pipes_mut(partner) {
            pipes.partner = None;
        }
        Some(partner)
    }

    /// Takes the pipe out of `from`, and lets it read on.
    fn take_pipe(&mut self, from: Key) -> Option<Pipe> {
        let pipe = self.pipes_mut(from)?.to.take()?;
        self.leave_destination(&pipe);
        self.look_again(pipe.to);
        if let Some(source) = self.sockets.get_mut(from) {
            source.divert();
        }
        self.let_go(from);
        Some(pipe)
    }

    /// Takes the source of a pipe off the list of its destination; the last one gets its place.
    fn leave_destination(&mut self, pipe: &Pipe) {
        let Some(destination) = self.pipes_mut(pipe.to) else {
            return;
        };
        destination.from.swap_remove(pipe.at);
        if let Some(&moved) = destination.from.get(pipe.at)
            && let Some(pipes) = self.pipes_mut(moved)
            && let Some(of_moved) = &mut pipes.to
        {
            of_moved.at = pipe.at;
        }
    }

    fn each_source(&mut self, to: Key, mut deed: impl FnMut(&mut Net, Key)) {
        // By index: a deed may take away the one it is done to.
        let mut at = 0;
        while let Some(&from) = self.pipes(to).and_then(|pipes| pipes.from.get(at)) {
            deed(self, from);
            let stays = |pipes: &Pipes| pipes.from.get(at) == Some(&from);
            at += usize::from(self.pipes(to).is_some_and(stays));
        }
    }

    pub(crate) fn is_piped(&self, key: Key) -> bool {
        self.pipes(key).is_some_and(|pipes| pipes.to.is_some())
    }

    fn pipes(&self, key: Key) -> Option<&Pipes> {
        Some(&self.sockets.get(key)?.cold.as_ref()?.pipes)
    }

    fn pipes_mut(&mut self, key: Key) -> Option<&mut Pipes> {
        Some(&mut self.sockets.get_mut(key)?.cold.as_mut()?.pipes)
    }
}

impl SocketEntry {
    /// Its end is for somebody else to bring.
    pub(super) fn has_sources(&self) -> bool {
        let cold = self.cold.as_ref();
        cold.is_some_and(|cold| !cold.pipes.from.is_empty())
    }

    /// Keeps the flag for what the cold part says becomes of input.
    pub(super) fn divert(&mut self) {
        let diverted = self.cold.as_ref().is_some_and(|cold| {
            #[cfg(feature = "encoding")]
            if cold.decoder.is_some() {
                return true;
            }
            cold.pipes.to.is_some()
        });
        match diverted {
            true => self.flags.insert(Flags::DIVERTED),
            false => self.flags.remove(Flags::DIVERTED),
        }
    }
}
