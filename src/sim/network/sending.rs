//! Packets on their way out: when one leaves, and when it will be there.

use std::time::Duration;

use super::agenda::Happening;
use super::endpoint::Stage;
use super::packet::{Load, Packet};
use super::table::EndpointId;
use super::watch::Cause;
use super::{Network, SECOND_NANOS};

/// How often a SYN that nobody answers is sent again: after 1, 2, 4, .. 32 seconds, as Linux does.
pub(super) const SYN_RETRIES: u32 = 6;

impl Network {
    pub(super) fn send_syn(&mut self, id: EndpointId, attempt: u32) {
        let Some(endpoint) = self.endpoint(id) else {
            return;
        };
        if endpoint.stage != Stage::Connecting {
            return;
        }
        if attempt > SYN_RETRIES {
            endpoint.die(libc::ETIMEDOUT);
            return self.wake_endpoint(id, Cause::Change);
        }
        let (host, remote) = (endpoint.host, endpoint.remote.as_inet());
        let Some(target) = remote else {
            return; // local sockets shake no hands
        };
        match self.route(host, target.ip()) {
            Some(to) => self.dispatch(
                host,
                to,
                Packet {
                    from: id,
                    to: None,
                    load: Load::Syn { target, attempt },
                },
            ),
            None => self.resend_later(id, attempt),
        }
    }

    pub(super) fn resend_later(&mut self, id: EndpointId, attempt: u32) {
        let wait = SECOND_NANOS << attempt;
        self.agenda
            .put(self.now + wait, Happening::Resend(id, attempt + 1));
    }

    /// Sends to the other end, if there is one.
    pub(super) fn reply(&mut self, from: EndpointId, load: Load) {
        let Some(endpoint) = self.endpoint(from) else {
            return;
        };
        let (host, Some(peer)) = (endpoint.host, endpoint.peer) else {
            return;
        };
        // An end that is gone and done hears nothing.
        if let Some(to) = self.endpoint(peer).map(|it| it.host) {
            let to_id = Some(peer);
            self.dispatch(
                host,
                to,
                Packet {
                    from,
                    to: to_id,
                    load,
                },
            );
        }
    }

    pub(super) fn dispatch(&mut self, from: usize, to: usize, packet: Packet) {
        let held_up = match self.dice.chance(self.faults.slow_segments) {
            true => Duration::from_nanos(self.dice.magnitude(0..=SECOND_NANOS)),
            false => Duration::ZERO,
        };
        let now = self.now;
        let path = self.path(from, to);
        if path.is_cut {
            return path.held.push(packet);
        }
        let bytes = match &packet.load {
            Load::Data(bytes) => bytes.len(),
            _ => 0,
        };
        let at = path.arrival(now, bytes, held_up);
        self.agenda.put(at, Happening::Arrival(packet));
    }

    /// Sends what may be sent: bytes as far as the peer has room, the FIN behind the last of them.
    pub(super) fn pump(&mut self, id: EndpointId) {
        loop {
            let Some((host, peer)) = self.endpoint(id).and_then(|it| {
                let ready = it.stage == Stage::Established;
                ready.then_some(it.host).zip(it.peer)
            }) else {
                return;
            };
            // An end that is gone takes anything, and answers with a reset.
            let window = self.endpoint(peer).map_or(usize::MAX, |it| it.window());
            let peer_host = self.endpoint(peer).map_or(host, |it| it.host);
            let segment_bytes = self.path(host, peer_host).link.segment_bytes;
            let small = self.dice.chance(self.faults.small_segments);
            let most = match small {
                true => self.dice.size(1..=segment_bytes),
                false => segment_bytes,
            };
            let Some(endpoint) = self.endpoint(id) else {
                return;
            };
            let load = if endpoint.unsent_bytes() > 0 {
                let free = window.saturating_sub(endpoint.flying);
                if free == 0 {
                    return;
                }
                Load::Data(endpoint.next_segment(most.min(free)))
            } else if endpoint.takes_fin() {
                Load::Fin
            } else {
                return;
            };
            self.reply(id, load);
        }
    }

    /// Answers `to` with a reset in the name of `from`, which may be gone.
    pub(super) fn send_back_reset(&mut self, from: EndpointId, to: EndpointId) {
        let Some(host) = self.endpoint(to).map(|it| it.host) else {
            return;
        };
        let from_host = self.endpoint(from).map_or(host, |it| it.host);
        let load = Load::Reset;
        let to = Some(to);
        self.dispatch(from_host, host, Packet { from, to, load });
    }
}
