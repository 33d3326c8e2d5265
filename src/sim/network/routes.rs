//! Who reaches whom: addresses, ports that are free, the paths between hosts.

use std::net::{IpAddr, Ipv4Addr};

use super::Network;
use super::endpoint::Endpoint;
use super::listener::Listener;
use super::path::Path;
use super::table::Object;
use crate::sim::link::Link;

/// Where the ports begin that nobody asked for.
pub(super) const FIRST_PORT: u16 = 49_152;

impl Network {
    pub(in crate::sim) fn address_of(host: usize) -> Ipv4Addr {
        let [_, a, b, c] = (host as u32 + 1).to_be_bytes();
        Ipv4Addr::new(10, a, b, c)
    }

    /// The host that an address reaches from `from`.
    pub(super) fn route(&self, from: usize, ip: IpAddr) -> Option<usize> {
        if ip.is_loopback() || ip.is_unspecified() {
            return Some(from);
        }
        let ip = match ip {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(ip) => ip.to_ipv4_mapped()?,
        };
        (0..self.hosts.len()).find(|host| Network::address_of(*host) == ip)
    }

    pub(super) fn path(&mut self, from: usize, to: usize) -> &mut Path {
        let default = &self.default_link;
        self.paths.entry((from, to)).or_insert_with(|| {
            Path::new(match from == to {
                true => Link::loopback(),
                false => default.clone(),
            })
        })
    }

    pub(in crate::sim) fn set_link(&mut self, a: usize, b: usize, link: &Link) {
        for (from, to) in [(a, b), (b, a)] {
            self.path(from, to).link = link.clone();
        }
    }

    pub(in crate::sim) fn set_cut(&mut self, a: usize, b: usize, is_cut: bool) {
        for (from, to) in [(a, b), (b, a)] {
            let path = self.path(from, to);
            path.is_cut = is_cut;
            if !is_cut {
                for packet in std::mem::take(&mut path.held) {
                    self.dispatch(from, to, packet);
                }
            }
        }
    }

    pub(in crate::sim) fn reset_at(&mut self, from: usize, to: usize, byte: u64) {
        self.path(from, to).reset_at(byte);
    }

    /// Forgets the bytes that were not to arrive.
    pub(in crate::sim) fn reset_no_more(&mut self) {
        self.paths.values_mut().for_each(Path::reset_no_more);
    }

    pub(super) fn free_port(&mut self, host: usize) -> Result<u16, i32> {
        for _ in FIRST_PORT..=u16::MAX {
            let port = self.hosts[host].next_port;
            self.hosts[host].next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
            let listens = |it: &Listener| it.host == host && it.address.port() == Some(port);
            let connects = |it: &Endpoint| it.host == host && it.local.port() == Some(port);
            let binds = |object: Object| matches!(object, Object::Bound(it) if it.port() == port);
            let taken = self.hosts[host]
                .table
                .iter()
                .any(|(_, it)| binds(it.object))
                || self.listeners.iter().flatten().any(listens)
                || self.endpoints.iter().flatten().any(|it| connects(it));
            if !taken {
                return Ok(port);
            }
        }
        Err(libc::EADDRNOTAVAIL)
    }
}
