//! Packets that are there: what each changes, whom it wakes, and what is answered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Network;
use super::agenda::Happening;
use super::endpoint::{Endpoint, Stage};
use super::packet::{Load, Packet};
use super::path::nanos;
use super::table::{EndpointId, ListenerId};
use super::watch::Cause;

impl Network {
    pub(super) fn arrive(&mut self, packet: Packet) {
        let Packet { from, to, load } = packet;
        let Some(to) = to else {
            if let Load::Syn { target, attempt } = load {
                self.arrive_syn(from, target, attempt);
            }
            return;
        };
        match load {
            Load::Syn { .. } => {}
            Load::SynAck => self.arrive_syn_ack(from, to),
            Load::Data(bytes) => self.arrive_data(from, to, &bytes),
            Load::Fin => self.arrive_fin(from, to),
            Load::Reset => self.arrive_reset(to),
            Load::Acknowledged(bytes) => {
                if self.endpoint(to).is_some_and(|it| it.acknowledge(bytes)) {
                    self.wake_endpoint(to, Cause::Room);
                }
            }
            Load::Window => {
                if let Some(reader) = self.endpoint(from) {
                    reader.window_update_sent = false;
                }
                self.pump(to);
            }
        }
    }

    fn arrive_syn(&mut self, from: EndpointId, target: SocketAddr, attempt: u32) {
        let Some((client_host, client)) = self.endpoint(from).and_then(|it| {
            let waits = it.stage == Stage::Connecting && it.peer.is_none();
            it.local
                .as_inet()
                .filter(|_| waits)
                .map(|own| (it.host, own))
        }) else {
            return; // given up, or answered already
        };
        let Some(host) = self.route(client_host, target.ip()) else {
            return;
        };
        let target = match target.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, target.port()).into(),
            IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, target.port()).into(),
            IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
                Some(ip) => (ip, target.port()).into(),
                None => target,
            },
            IpAddr::V4(_) => target,
        };
        let takers: Vec<ListenerId> = (0..self.listeners.len())
            .filter(|index| {
                let listener = self.listeners[*index].as_ref();
                listener.is_some_and(|it| it.host == host && it.takes(target))
            })
            .map(ListenerId)
            .collect();
        let latency = self.path(host, client_host).link.latency;
        if takers.is_empty() && target == client {
            return self.meet_itself(from);
        }
        if takers.is_empty() {
            let refusal = Packet {
                from,
                to: Some(from),
                load: Load::Reset,
            };
            return self
                .agenda
                .put(self.now + nanos(latency), Happening::Arrival(refusal));
        }
        let taker = match takers.len() {
            1 => takers[0],
            _ => self.dice.one_of(&takers),
        };
        let link = self.path(host, client_host).link.clone();
        let Some(listener) = self.listener(taker) else {
            return;
        };
        if listener.is_full() {
            return self.resend_later(from, attempt);
        }
        let (local, remote) = (listener.shown(target), listener.shown(client));
        let mut endpoint = Endpoint::new(host, local.into(), remote.into(), &link);
        endpoint.peer = Some(from);
        endpoint.establish();
        let id = self.add_endpoint(endpoint);
        if let Some(client) = self.endpoint(from) {
            client.peer = Some(id);
        }
        let Some(listener) = self.listener(taker) else {
            return;
        };
        listener.waiting.push_back(id);
        let descriptor = listener.descriptor;
        self.wake(host, descriptor, Cause::Input);
        self.reply(id, Load::SynAck);
    }

    /// A SYN that comes back to its sender opens a connection from both of its ends (P13).
    fn meet_itself(&mut self, id: EndpointId) {
        if let Some(endpoint) = self.endpoint(id) {
            endpoint.peer = Some(id);
            endpoint.establish();
            self.wake_endpoint(id, Cause::Change);
            self.pump(id);
        }
    }

    fn arrive_syn_ack(&mut self, from: EndpointId, to: EndpointId) {
        match self.endpoint(to) {
            Some(it) if it.stage == Stage::Connecting => {
                it.establish();
                self.wake_endpoint(to, Cause::Change);
                self.pump(to);
            }
            // The connect was given up meanwhile.
            _ => self.send_back_reset(to, from),
        }
    }

    fn arrive_data(&mut self, from: EndpointId, to: EndpointId, bytes: &[u8]) {
        if let Some(sender) = self.endpoint(from) {
            sender.flying = sender.flying.saturating_sub(bytes.len());
        }
        let Some((receiver_host, is_open)) = self.endpoint(to).map(|it| {
            let is_open = it.stage == Stage::Established && !it.closed;
            (it.host, is_open)
        }) else {
            return self.send_back_reset(to, from);
        };
        if !is_open {
            // Nobody will read this: an end that was closed answers with a reset.
            if let Some(it) = self.endpoint(to) {
                it.abandon();
            }
            self.send_back_reset(to, from);
            return self.forget_if_done(to);
        }
        let sender_host = self.endpoint(from).map_or(receiver_host, |it| it.host);
        let scripted = self.path(sender_host, receiver_host).carry(bytes.len());
        let drawn = self.dice.chance(self.faults.resets);
        let cut = scripted.or_else(|| drawn.then(|| self.dice.size(0..=bytes.len())));
        let arrived = &bytes[..cut.unwrap_or(bytes.len())];
        if let Some(receiver) = self.endpoint(to)
            && !arrived.is_empty()
        {
            receiver.receive(arrived);
            self.wake_endpoint(to, Cause::Input);
        }
        if cut.is_some() {
            self.send_back_reset(to, from);
            self.arrive_reset(to);
        } else {
            self.reply(to, Load::Acknowledged(bytes.len()));
        }
    }

    fn arrive_fin(&mut self, from: EndpointId, to: EndpointId) {
        if let Some(sender) = self.endpoint(from)
            && sender.stage == Stage::Established
        {
            sender.deliver_fin();
        }
        let Some(endpoint) = self.endpoint(to) else {
            return;
        };
        if endpoint.stage == Stage::Established {
            endpoint.receive_fin();
            self.wake_endpoint(to, Cause::Change);
        }
        self.forget_if_done(to);
    }

    pub(super) fn arrive_reset(&mut self, to: EndpointId) {
        let Some(endpoint) = self.endpoint(to) else {
            return;
        };
        if endpoint.stage != Stage::Dead {
            endpoint.receive_reset();
            self.wake_endpoint(to, Cause::Change);
        }
        self.forget_if_done(to);
    }
}
