//! One end of a TCP connection, as a kernel keeps it.
//!
//! Bytes, errors and what is true of them; nothing here knows the other end, the time, or who is
//! told. `mod.rs` carries segments between endpoints.

use std::collections::VecDeque;

use super::conditions::Conditions;
use super::table::EndpointId;
use crate::Address;
use crate::sim::link::Link;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Our SYN is under way.
    Connecting,
    Established,
    /// Reset, refused, timed out, or ended by both: only what was received and the error are left.
    Dead,
}

/// One end.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) host: usize,
    /// `None` while it waits in a backlog, and after its close while the kernel goes on sending.
    pub(super) descriptor: Option<u32>,
    pub(super) closed: bool,
    pub(super) local: Address,
    pub(super) remote: Address,
    pub(super) peer: Option<EndpointId>,
    pub(super) stage: Stage,

    received: VecDeque<u8>,
    receive_buffer: usize,
    fin_received: bool,
    /// A read has answered 0.
    end_read: bool,
    /// The peer will hear soon that there is room here.
    pub(super) window_update_sent: bool,

    unsent: VecDeque<u8>,
    send_buffer: usize,
    /// Sent, and not yet acknowledged.
    unacknowledged: usize,
    /// Sent, and not yet arrived.
    pub(super) flying: usize,
    /// `shutdown` was called: nothing more is written.
    shut: bool,
    fin_sent: bool,
    fin_arrived: bool,
    /// A write was refused or cut short; the next room is an edge (P19).
    pub(super) wants_room: bool,

    /// `SO_ERROR`: told once.
    error: Option<i32>,
    pub(super) reset_on_close: bool,
    /// Injected answers that hid what is there; each ends with an edge of its own.
    pub(super) hidden_input: u32,
    pub(super) hidden_room: u32,
}

impl Endpoint {
    pub(super) fn new(host: usize, local: Address, remote: Address, link: &Link) -> Endpoint {
        Endpoint {
            host,
            descriptor: None,
            closed: false,
            local,
            remote,
            peer: None,
            stage: Stage::Connecting,
            received: VecDeque::new(),
            receive_buffer: link.receive_buffer,
            fin_received: false,
            end_read: false,
            window_update_sent: false,
            unsent: VecDeque::new(),
            send_buffer: link.send_buffer,
            unacknowledged: 0,
            flying: 0,
            shut: false,
            fin_sent: false,
            fin_arrived: false,
            wants_room: false,
            error: None,
            reset_on_close: false,
            hidden_input: 0,
            hidden_room: 0,
        }
    }

    /// What is true now, as `tcp_poll` of Linux has it.
    pub(super) fn conditions(&self) -> Conditions {
        let mut now = Conditions::NONE;
        match self.stage {
            Stage::Connecting => {}
            Stage::Established => {
                if !self.received.is_empty() {
                    now = now.with(Conditions::IN);
                }
                if self.fin_received {
                    now = now.with(Conditions::IN).with(Conditions::RDHUP);
                }
                if self.shut || self.has_room() {
                    now = now.with(Conditions::OUT);
                }
                if self.shut && self.fin_received {
                    now = now.with(Conditions::HUP);
                }
            }
            Stage::Dead => {
                now = Conditions::IN
                    .with(Conditions::RDHUP)
                    .with(Conditions::OUT)
                    .with(Conditions::HUP);
            }
        }
        if self.error.is_some() {
            now = now.with(Conditions::ERR);
        }
        now
    }

    /// A read would bring something that no read has brought yet.
    pub(super) fn has_news(&self) -> bool {
        let end = (self.fin_received || self.stage == Stage::Dead) && !self.end_read;
        !self.received.is_empty() || self.error.is_some() || end
    }

    pub(super) fn has_room(&self) -> bool {
        // A third, as Linux has it: a writer is not woken for every byte.
        self.room() * 3 >= self.send_buffer
    }

    /// Whether a write would take anything.
    pub(super) fn would_take(&self) -> bool {
        self.stage == Stage::Established && self.error.is_none() && !self.shut && self.room() > 0
    }

    fn room(&self) -> usize {
        let taken = self.unsent.len() + self.unacknowledged;
        self.send_buffer.saturating_sub(taken)
    }

    /// Bytes that may be on their way here.
    pub(super) fn window(&self) -> usize {
        self.receive_buffer.saturating_sub(self.received.len())
    }

    /// Worth telling the peer that there is room: never one byte at a time.
    pub(super) fn is_half_empty(&self) -> bool {
        self.received.len() * 2 <= self.receive_buffer
    }

    /// Bytes that wait to be read.
    pub(super) fn readable_bytes(&self) -> usize {
        self.received.len()
    }

    // The calls.

    /// Reads what is there; `Err` is an errno.
    ///
    /// Bytes come first, then the error, once, then the end for ever (P8). After a FIN the error
    /// stays unread: the end is what a reader sees.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, i32> {
        let bytes = buffer.len().min(self.received.len());
        if !self.received.is_empty() {
            let (head, tail) = self.received.as_slices();
            let from_head = bytes.min(head.len());
            buffer[..from_head].copy_from_slice(&head[..from_head]);
            buffer[from_head..bytes].copy_from_slice(&tail[..bytes - from_head]);
            self.received.drain(..bytes);
            return Ok(bytes);
        }
        if !self.fin_received {
            if let Some(errno) = self.error.take() {
                return Err(errno);
            }
            if self.stage != Stage::Dead {
                return Err(libc::EAGAIN);
            }
        }
        self.end_read |= !buffer.is_empty();
        Ok(0)
    }

    /// Takes of `bytes` what there is room for, at most `most`; `Err` is an errno.
    pub(super) fn write(&mut self, bytes: &[u8], most: usize) -> Result<usize, i32> {
        match self.stage {
            Stage::Connecting => {
                self.wants_room = true;
                return Err(libc::EAGAIN);
            }
            // The error that waits takes the place of the first EPIPE (P9).
            _ if self.error.is_some() => return Err(self.error.take().unwrap_or(libc::EPIPE)),
            Stage::Dead => return Err(libc::EPIPE),
            Stage::Established if self.shut => return Err(libc::EPIPE),
            Stage::Established => {}
        }
        let taken = bytes.len().min(self.room()).min(most);
        self.unsent.extend(&bytes[..taken]);
        if taken < bytes.len() {
            self.wants_room = true;
            if taken == 0 {
                return Err(libc::EAGAIN);
            }
        }
        Ok(taken)
    }

    /// Ends our side; the FIN leaves behind the last byte.
    pub(super) fn shutdown(&mut self) -> Result<(), i32> {
        match self.stage {
            Stage::Established => {
                self.shut = true;
                Ok(())
            }
            Stage::Connecting | Stage::Dead => Err(libc::ENOTCONN),
        }
    }

    pub(super) fn take_error(&mut self) -> Option<i32> {
        self.error.take()
    }

    /// The peer's address, which the kernel forgets with the connection (P8).
    pub(super) fn peer_address(&self) -> Result<Address, i32> {
        match self.stage {
            Stage::Established => Ok(self.remote.clone()),
            Stage::Connecting | Stage::Dead => Err(libc::ENOTCONN),
        }
    }

    // What comes from the network.

    /// The connection stands.
    pub(super) fn establish(&mut self) {
        self.stage = Stage::Established;
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.received.extend(bytes);
    }

    pub(super) fn receive_fin(&mut self) {
        self.fin_received = true;
        self.die_if_ended();
    }

    /// The peer has our FIN.
    pub(super) fn deliver_fin(&mut self) {
        self.fin_arrived = true;
        self.die_if_ended();
    }

    /// A connection that both ends have ended is forgotten: it has no peer any more, and no reset
    /// concerns it.
    fn die_if_ended(&mut self) {
        if self.fin_received && self.fin_arrived {
            self.stage = Stage::Dead;
        }
    }

    /// The end of the connection by a reset. What was received stays, what was not sent is lost.
    pub(super) fn receive_reset(&mut self) {
        let errno = match self.stage {
            Stage::Connecting => libc::ECONNREFUSED,
            // CLOSE_WAIT: the peer was through, only a write can have brought this about.
            Stage::Established if self.fin_received && !self.shut => libc::EPIPE,
            Stage::Established | Stage::Dead => libc::ECONNRESET,
        };
        self.die(errno);
    }

    /// The connection is gone, for this reason.
    pub(super) fn die(&mut self, errno: i32) {
        self.abandon();
        self.error = Some(errno);
    }

    /// The connection is gone, and there is nobody to tell.
    pub(super) fn abandon(&mut self) {
        self.stage = Stage::Dead;
        self.unsent.clear();
    }

    /// The peer has so many more of our bytes. Whether that is room that somebody waits for.
    pub(super) fn acknowledge(&mut self, bytes: usize) -> bool {
        self.unacknowledged = self.unacknowledged.saturating_sub(bytes);
        self.regain_room()
    }

    /// Whether there is room that somebody waits for; asked once.
    pub(super) fn regain_room(&mut self) -> bool {
        let regained = self.wants_room && self.stage == Stage::Established && self.has_room();
        self.wants_room &= !regained;
        regained
    }

    // What goes to the network.

    /// The next segment, of at most `most` bytes.
    pub(super) fn next_segment(&mut self, most: usize) -> Vec<u8> {
        let bytes: Vec<u8> = self.unsent.drain(..self.unsent.len().min(most)).collect();
        self.unacknowledged += bytes.len();
        self.flying += bytes.len();
        bytes
    }

    pub(super) fn unsent_bytes(&self) -> usize {
        self.unsent.len()
    }

    /// Whether the FIN is to leave now; true once.
    pub(super) fn takes_fin(&mut self) -> bool {
        let now = self.shut && !self.fin_sent && self.unsent.is_empty();
        self.fin_sent |= now;
        now
    }

    /// The connection is over on both sides, and nobody holds this end.
    pub(super) fn is_done(&self) -> bool {
        self.closed && (self.stage == Stage::Dead || self.fin_sent && self.fin_received)
    }
}
