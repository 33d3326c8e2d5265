//! A listening socket: where it is bound, and who waits in it.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::conditions::Conditions;
use super::table::EndpointId;
use crate::Address;

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) host: usize,
    pub(super) descriptor: u32,
    pub(super) address: Address,
    pub(super) reuse_port: bool,
    pub(super) ipv6_only: bool,
    pub(super) backlog: usize,
    /// Connections that stand and were not accepted, oldest first.
    pub(super) waiting: VecDeque<EndpointId>,
    /// Injected answers that hid the queue; each ends with an edge of its own.
    pub(super) hidden: u32,
}

impl Listener {
    pub(super) fn conditions(&self) -> Conditions {
        match self.waiting.is_empty() {
            true => Conditions::NONE,
            false => Conditions::IN,
        }
    }

    /// Linux takes one more than it was told (P12).
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() > self.backlog
    }

    /// Whether a connection to `target` is for this listener.
    pub(super) fn takes(&self, target: SocketAddr) -> bool {
        self.address.port() == Some(target.port()) && self.covers(target.ip())
    }

    fn covers(&self, ip: IpAddr) -> bool {
        match self.address.ip() {
            Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => ip.is_ipv6() || !self.ipv6_only,
            Some(IpAddr::V4(bound)) if bound.is_unspecified() => ip.is_ipv4(),
            bound => bound == Some(ip),
        }
    }

    /// Whether the two cannot be bound beside each other.
    pub(super) fn collides(&self, address: SocketAddr, reuse_port: bool) -> bool {
        let Some(bound) = self.address.as_inet() else {
            return false;
        };
        let same_port = bound.port() == address.port();
        let overlap = bound.ip().is_unspecified()
            || address.ip().is_unspecified()
            || bound.ip() == address.ip();
        same_port && overlap && !(self.reuse_port && reuse_port)
    }

    /// An address as a socket of this listener shows it: a dual-stack one maps IPv4 (Node shows it
    /// so too).
    pub(super) fn shown(&self, address: SocketAddr) -> SocketAddr {
        match (self.address.ip(), address.ip()) {
            (Some(IpAddr::V6(_)), IpAddr::V4(ip)) => (ip.to_ipv6_mapped(), address.port()).into(),
            _ => address,
        }
    }
}
