//! The calls of a kernel: what a loop asks of its host. Errors are errnos.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::agenda::Happening;
use super::endpoint::Endpoint;
use super::listener::Listener;
use super::packet::{Load, Packet};
use super::path::nanos;
use super::sending::SYN_RETRIES;
use super::table::{EndpointId, ListenerId, Object};
use super::watch::Cause;
use super::{Network, SECOND_NANOS};
use crate::Address;

impl Network {
    pub(in crate::sim) fn listen(
        &mut self,
        host: usize,
        mut address: SocketAddr,
        backlog: u32,
        reuse_port: bool,
        ipv6_only: bool,
    ) -> Result<u32, i32> {
        if self.hosts[host].table.is_full() {
            return Err(libc::EMFILE);
        }
        if self.route(host, address.ip()) != Some(host) {
            return Err(libc::EADDRNOTAVAIL);
        }
        if address.port() == 0 {
            address.set_port(self.free_port(host)?);
        }
        let collides = |it: &Listener| it.host == host && it.collides(address, reuse_port);
        if self.listeners.iter().flatten().any(collides) {
            return Err(libc::EADDRINUSE);
        }
        let id = ListenerId(self.listeners.len());
        let descriptor = self.hosts[host].table.open(Object::Listener(id));
        self.listeners.push(Some(Listener {
            host,
            descriptor,
            address: address.into(),
            reuse_port,
            ipv6_only,
            backlog: backlog as usize,
            waiting: VecDeque::new(),
            hidden: 0,
        }));
        Ok(descriptor)
    }

    pub(in crate::sim) fn accept(
        &mut self,
        host: usize,
        listener: u32,
    ) -> Result<(u32, Address), i32> {
        let id = self.listening(host, listener);
        if self.listener(id).is_none_or(|it| it.waiting.is_empty()) {
            return Err(libc::EAGAIN);
        }
        if self.hosts[host].table.is_full() {
            return Err(libc::EMFILE);
        }
        let endpoint = self.take_waiting(id).ok_or(libc::EAGAIN)?;
        let descriptor = self.hosts[host].table.open(Object::Stream(endpoint));
        let remote = match self.endpoint(endpoint) {
            Some(it) => {
                it.descriptor = Some(descriptor);
                it.remote.clone()
            }
            None => self.fail("a connection vanished from a backlog"),
        };
        Ok((descriptor, remote))
    }

    /// Whether somebody waits to be accepted.
    pub(in crate::sim) fn has_waiting(&mut self, host: usize, listener: u32) -> bool {
        let id = self.listening(host, listener);
        self.listener(id).is_some_and(|it| !it.waiting.is_empty())
    }

    /// Loses the connection that the next accept would have brought.
    pub(in crate::sim) fn lose_waiting(&mut self, host: usize, listener: u32) {
        let id = self.listening(host, listener);
        if let Some(endpoint) = self.take_waiting(id) {
            self.drop_with_reset(endpoint);
        }
    }

    pub(super) fn take_waiting(&mut self, id: ListenerId) -> Option<EndpointId> {
        self.listener(id)?.waiting.pop_front()
    }

    /// A socket with a local address, as one that may use an address again which is still closing.
    pub(in crate::sim) fn bind(&mut self, host: usize, mut local: SocketAddr) -> Result<u32, i32> {
        if self.hosts[host].table.is_full() {
            return Err(libc::EMFILE);
        }
        if self.route(host, local.ip()) != Some(host) {
            return Err(libc::EADDRNOTAVAIL);
        }
        if local.port() == 0 {
            local.set_port(self.free_port(host)?);
        }
        let collides = |it: &Listener| it.host == host && it.collides(local, false);
        if self.listeners.iter().flatten().any(collides) {
            return Err(libc::EADDRINUSE);
        }
        Ok(self.hosts[host].table.open(Object::Bound(local)))
    }

    /// Begins to connect, from where `bound` stands if it is given. If this fails, nothing is left
    /// open, `bound` neither.
    pub(in crate::sim) fn connect(
        &mut self,
        host: usize,
        target: SocketAddr,
        bound: Option<u32>,
    ) -> Result<u32, i32> {
        let from = bound.and_then(|it| self.local_address(host, it)?.as_inet());
        if let Some(number) = bound {
            self.close(host, number); // opened again below, perhaps under another number
        }
        if self.hosts[host].table.is_full() {
            return Err(libc::EMFILE);
        }
        let to = self.route(host, target.ip()).ok_or(libc::ENETUNREACH)?;
        let port = match from {
            Some(local) => local.port(),
            None => self.free_port(host)?,
        };
        let named = from.map(|it| it.ip()).filter(|it| !it.is_unspecified());
        let source = named.unwrap_or_else(|| match target.ip() {
            ip if ip.is_loopback() => ip,
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Network::address_of(host).to_ipv6_mapped().into(),
            IpAddr::V4(_) => Network::address_of(host).into(),
        });
        let source = SocketAddr::from((source, port));
        let same = |it: &Endpoint| it.host == host && it.local == source && it.remote == target;
        if self.endpoints.iter().flatten().any(|it| same(it)) {
            return Err(libc::EADDRNOTAVAIL);
        }
        let link = self.path(host, to).link.clone();
        let endpoint = Endpoint::new(host, source.into(), target.into(), &link);
        let id = self.add_endpoint(endpoint);
        let descriptor = self.hosts[host].table.open(Object::Stream(id));
        if let Some(it) = self.endpoint(id) {
            it.descriptor = Some(descriptor);
        }
        if self.dice.chance(self.faults.refused_connects) {
            let refusal = Packet {
                from: id,
                to: Some(id),
                load: Load::Reset,
            };
            self.agenda.put(
                self.now + nanos(link.latency) * 2,
                Happening::Arrival(refusal),
            );
        } else if self.dice.chance(self.faults.lost_connects) {
            self.resend_later(id, SYN_RETRIES - 1);
        } else if self.dice.chance(self.faults.slow_connects) {
            let slow = self.dice.magnitude(0..=3 * SECOND_NANOS);
            self.agenda.put(self.now + slow, Happening::Resend(id, 0));
        } else {
            self.send_syn(id, 0);
        }
        Ok(descriptor)
    }

    pub(in crate::sim) fn read(
        &mut self,
        host: usize,
        stream: u32,
        buffer: &mut [u8],
    ) -> Result<usize, i32> {
        let id = self.stream(host, stream);
        let endpoint = self.stream_mut(host, stream);
        let read = endpoint.read(buffer)?;
        // Where the peer had to wait for room, it hears of it.
        if read > 0 && endpoint.is_half_empty() && !endpoint.window_update_sent {
            endpoint.window_update_sent = true;
            self.reply(id, Load::Window);
        }
        Ok(read)
    }

    /// Bytes that a read would bring.
    pub(in crate::sim) fn readable_bytes(&mut self, host: usize, stream: u32) -> usize {
        self.stream_mut(host, stream).readable_bytes()
    }

    pub(in crate::sim) fn has_news(&mut self, host: usize, stream: u32) -> bool {
        self.stream_mut(host, stream).has_news()
    }

    /// Whether a write would take anything.
    pub(in crate::sim) fn would_take(&mut self, host: usize, stream: u32) -> bool {
        self.stream_mut(host, stream).would_take()
    }

    pub(in crate::sim) fn write(
        &mut self,
        host: usize,
        stream: u32,
        bytes: &[u8],
        most: usize,
    ) -> Result<usize, i32> {
        let id = self.stream(host, stream);
        let taken = self.stream_mut(host, stream).write(bytes, most)?;
        self.pump(id);
        Ok(taken)
    }

    pub(in crate::sim) fn shutdown(&mut self, host: usize, stream: u32) -> Result<(), i32> {
        let id = self.stream(host, stream);
        let answer = self.stream_mut(host, stream).shutdown();
        self.pump(id);
        self.wake_endpoint(id, Cause::Change); // even if there was nothing to shut
        answer
    }

    pub(in crate::sim) fn take_error(&mut self, host: usize, stream: u32) -> Option<i32> {
        self.stream_mut(host, stream).take_error()
    }

    pub(in crate::sim) fn peer_address(
        &mut self,
        host: usize,
        stream: u32,
    ) -> Result<Address, i32> {
        self.stream_mut(host, stream).peer_address()
    }

    pub(in crate::sim) fn local_address(&self, host: usize, descriptor: u32) -> Option<Address> {
        match self.hosts[host].table.get(descriptor)?.object {
            Object::Stream(id) => Some(self.endpoints[id.0].as_deref()?.local.clone()),
            Object::Listener(id) => Some(self.listeners[id.0].as_ref()?.address.clone()),
            Object::Bound(address) => Some(address.into()),
            Object::Spare => None,
        }
    }

    pub(in crate::sim) fn reset_on_close(&mut self, host: usize, stream: u32) {
        self.stream_mut(host, stream).reset_on_close = true;
    }

    /// A table of this world is never too small: only the limit says no.
    pub(in crate::sim) fn grow_descriptor_table(
        &mut self,
        host: usize,
        more: usize,
    ) -> Result<(), i32> {
        match self.hosts[host].table.has_room(more) {
            true => Ok(()),
            false => Err(libc::EMFILE),
        }
    }

    pub(in crate::sim) fn hold_spare(&mut self, host: usize) -> Result<(), i32> {
        let table = &mut self.hosts[host].table;
        if table.spare().is_none() {
            if table.is_full() {
                return Err(libc::EMFILE);
            }
            table.open(Object::Spare);
        }
        Ok(())
    }

    pub(in crate::sim) fn release_spare(&mut self, host: usize) -> bool {
        let table = &mut self.hosts[host].table;
        match table.spare() {
            Some(number) => table.close(number).is_some(),
            None => false,
        }
    }
}
