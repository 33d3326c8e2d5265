//! The network between hosts and the kernels at its ends: one value that all simulated kernels of a
//! world share.
//!
//! Endpoints and listeners know only themselves (`endpoint`, `listener`); a host's table says what
//! its descriptors are (`table`); a registration says which edges it is owed (`watch`). This file
//! carries packets between them and turns what happens into edges.
//!
//! # The strict edge-triggered kernel
//!
//! An edge is owed to a registration (`Network::wake`)
//!
//! - when the state of the socket changes: bytes, a FIN, a reset, a connect's outcome, a connection
//!   in the backlog, room after a write that was refused or cut short;
//! - when it is made or changed while something is true (`Network::register`).
//!
//! A poll hands each edge out once, with everything that is true at that moment and asked for.
//! An injected answer that hides what is there (a short read, a `WouldBlock`) counts as if it had
//! been the truth: what is hidden comes to light later, as a change of its own, unless somebody has
//! found it by then. Without that the loop would rightly sleep for ever.

mod agenda;
mod conditions;
mod endpoint;
mod inspect;
mod listener;
mod path;
mod polling;
mod table;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use agenda::{Agenda, Happening};
use conditions::Conditions;
use endpoint::{Endpoint, Stage};
use listener::Listener;
use path::Path;
pub(super) use path::nanos;
use table::{EndpointId, ListenerId, Object, Table};
use watch::Cause;

use super::dice::Dice;
use super::faults::Faults;
use super::injection::Script;
use super::link::Link;
use super::trace::Trace;

/// Where the ports begin that nobody asked for.
const FIRST_PORT: u16 = 49_152;
/// How often a SYN that nobody answers is sent again: after 1, 2, 4, .. 32 seconds, as Linux does.
const SYN_RETRIES: u32 = 6;
const SECOND_NANOS: u64 = 1_000_000_000;
/// How long an injected answer hides what is there, at most.
const HIDDEN_NANOS: u64 = 5_000_000;

/// The whole outside of all loops.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) seed: u64,
    pub(super) now: u64,
    pub(super) dice: Dice,
    pub(super) faults: Faults,
    pub(super) trace: Trace,
    pub(super) default_link: Link,
    hosts: Vec<Host>,
    endpoints: Vec<Option<Box<Endpoint>>>,
    listeners: Vec<Option<Listener>>,
    paths: BTreeMap<(usize, usize), Path>,
    agenda: Agenda,
    serials: u64,
}

/// One machine.
#[derive(Debug)]
struct Host {
    table: Table,
    /// Descriptors that are owed an edge, in the order in which they came to be.
    ready: VecDeque<u32>,
    /// What its clock shows when the world begins.
    clock_offset: u64,
    next_port: u16,
    script: Script,
}

/// Something on its way from one endpoint to another.
#[derive(Debug)]
pub(super) struct Packet {
    from: EndpointId,
    /// `None`: a SYN, which finds its endpoint by the address.
    to: Option<EndpointId>,
    load: Load,
}

#[derive(Debug)]
enum Load {
    Syn {
        target: SocketAddr,
        attempt: u32,
    },
    SynAck,
    Data(Vec<u8>),
    Fin,
    Reset,
    /// So many bytes have arrived.
    Acknowledged(usize),
    /// There is room to send into.
    Window,
}

impl Network {
    pub(super) fn new(seed: u64, faults: Faults, default_link: Link, dice: Dice) -> Network {
        Network {
            seed,
            now: 0,
            dice,
            faults,
            trace: Trace::new(),
            default_link,
            hosts: Vec::new(),
            endpoints: Vec::new(),
            listeners: Vec::new(),
            paths: BTreeMap::new(),
            agenda: Agenda::default(),
            serials: 0,
        }
    }

    /// Ends the run, with the one number that repeats it.
    #[track_caller]
    pub(super) fn fail(&self, what: impl std::fmt::Display) -> ! {
        panic!("seed {}: {what}", self.seed);
    }

    pub(super) fn add_host(&mut self, clock_offset: u64) -> usize {
        self.hosts.push(Host {
            table: Table::default(),
            ready: VecDeque::new(),
            clock_offset,
            next_port: FIRST_PORT,
            script: Script::default(),
        });
        self.hosts.len() - 1
    }

    pub(super) fn host_clock(&self, host: usize) -> u64 {
        self.now.saturating_add(self.hosts[host].clock_offset)
    }

    pub(super) fn script(&mut self, host: usize) -> &mut Script {
        &mut self.hosts[host].script
    }

    pub(super) fn limit_descriptors(&mut self, host: usize, most: Option<usize>) {
        self.hosts[host].table.limit = most;
    }

    // Time.

    /// When the next thing happens by itself.
    pub(super) fn next_happening(&self) -> Option<u64> {
        self.agenda.next()
    }

    /// Lets time pass until `target`, and everything happen on the way, each thing at its time: a
    /// network does not stand still because a process does.
    pub(super) fn advance_to(&mut self, target: u64) {
        let target = target.max(self.now);
        while let Some((at, happening)) = self.agenda.pop(target) {
            self.now = self.now.max(at);
            match happening {
                Happening::Arrival(packet) => self.arrive(packet),
                Happening::Late {
                    host,
                    descriptor,
                    serial,
                } => self.report_late(host, descriptor, serial),
                Happening::Unhidden(id, cause) => self.unhide(id, cause),
                Happening::UnhiddenBacklog(id) => self.unhide_backlog(id),
                Happening::Resend(id, attempt) => self.send_syn(id, attempt),
            }
        }
        self.now = target;
    }

    // Addresses and paths.

    pub(super) fn address_of(host: usize) -> Ipv4Addr {
        let [_, a, b, c] = (host as u32 + 1).to_be_bytes();
        Ipv4Addr::new(10, a, b, c)
    }

    /// The host that an address reaches from `from`.
    fn route(&self, from: usize, ip: IpAddr) -> Option<usize> {
        if ip.is_loopback() || ip.is_unspecified() {
            return Some(from);
        }
        let ip = match ip {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(ip) => ip.to_ipv4_mapped()?,
        };
        (0..self.hosts.len()).find(|host| Network::address_of(*host) == ip)
    }

    fn path(&mut self, from: usize, to: usize) -> &mut Path {
        let default = &self.default_link;
        self.paths.entry((from, to)).or_insert_with(|| {
            Path::new(match from == to {
                true => Link::loopback(),
                false => default.clone(),
            })
        })
    }

    pub(super) fn set_link(&mut self, a: usize, b: usize, link: &Link) {
        for (from, to) in [(a, b), (b, a)] {
            self.path(from, to).link = link.clone();
        }
    }

    pub(super) fn set_cut(&mut self, a: usize, b: usize, is_cut: bool) {
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

    pub(super) fn reset_at(&mut self, from: usize, to: usize, byte: u64) {
        self.path(from, to).reset_at(byte);
    }

    fn free_port(&mut self, host: usize) -> Result<u16, i32> {
        for _ in FIRST_PORT..=u16::MAX {
            let port = self.hosts[host].next_port;
            self.hosts[host].next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
            let listens = |it: &Listener| it.host == host && it.address.port() == port;
            let connects = |it: &Endpoint| it.host == host && it.local.port() == port;
            let taken = self.listeners.iter().flatten().any(listens)
                || self.endpoints.iter().flatten().any(|it| connects(it));
            if !taken {
                return Ok(port);
            }
        }
        Err(libc::EADDRNOTAVAIL)
    }

    // Endpoints and listeners.

    fn endpoint(&mut self, id: EndpointId) -> Option<&mut Endpoint> {
        self.endpoints.get_mut(id.0)?.as_deref_mut()
    }

    fn listener(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.listeners.get_mut(id.0)?.as_mut()
    }

    fn add_endpoint(&mut self, endpoint: Endpoint) -> EndpointId {
        self.endpoints.push(Some(Box::new(endpoint)));
        EndpointId(self.endpoints.len() - 1)
    }

    fn forget_if_done(&mut self, id: EndpointId) {
        if self.endpoint(id).is_some_and(|it| it.is_done()) {
            self.endpoints[id.0] = None;
        }
    }

    /// The endpoint behind a descriptor. To use one that is not open is a bug of the loop's.
    fn stream(&mut self, host: usize, descriptor: u32) -> EndpointId {
        match self.hosts[host].table.get(descriptor).map(|it| it.object) {
            Some(Object::Stream(id)) => id,
            other => self.fail(format_args!(
                "host {host} uses descriptor {descriptor} as a stream, but it is {other:?}"
            )),
        }
    }

    fn listening(&mut self, host: usize, descriptor: u32) -> ListenerId {
        match self.hosts[host].table.get(descriptor).map(|it| it.object) {
            Some(Object::Listener(id)) => id,
            other => self.fail(format_args!(
                "host {host} uses descriptor {descriptor} as a listener, but it is {other:?}"
            )),
        }
    }

    /// The endpoint behind a descriptor, to be looked at and changed.
    fn stream_mut(&mut self, host: usize, descriptor: u32) -> &mut Endpoint {
        let id = self.stream(host, descriptor);
        self.endpoints[id.0]
            .as_deref_mut()
            .expect("an endpoint lives as long as its descriptor")
    }

    // The calls. Errors are errnos.

    pub(super) fn listen(
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
            address,
            reuse_port,
            ipv6_only,
            backlog: backlog as usize,
            waiting: VecDeque::new(),
            hidden: 0,
        }));
        Ok(descriptor)
    }

    pub(super) fn accept(&mut self, host: usize, listener: u32) -> Result<(u32, SocketAddr), i32> {
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
                it.remote
            }
            None => self.fail("a connection vanished from a backlog"),
        };
        Ok((descriptor, remote))
    }

    /// Whether somebody waits to be accepted.
    pub(super) fn has_waiting(&mut self, host: usize, listener: u32) -> bool {
        let id = self.listening(host, listener);
        self.listener(id).is_some_and(|it| !it.waiting.is_empty())
    }

    /// Loses the connection that the next accept would have brought.
    pub(super) fn lose_waiting(&mut self, host: usize, listener: u32) {
        let id = self.listening(host, listener);
        if let Some(endpoint) = self.take_waiting(id) {
            self.drop_with_reset(endpoint);
        }
    }

    fn take_waiting(&mut self, id: ListenerId) -> Option<EndpointId> {
        self.listener(id)?.waiting.pop_front()
    }

    pub(super) fn connect(&mut self, host: usize, target: SocketAddr) -> Result<u32, i32> {
        if self.hosts[host].table.is_full() {
            return Err(libc::EMFILE);
        }
        let to = self.route(host, target.ip()).ok_or(libc::ENETUNREACH)?;
        let port = self.free_port(host)?;
        let source = match target.ip() {
            ip if ip.is_loopback() => ip,
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Network::address_of(host).to_ipv6_mapped().into(),
            IpAddr::V4(_) => Network::address_of(host).into(),
        };
        let link = self.path(host, to).link.clone();
        let endpoint = Endpoint::new(host, (source, port).into(), target, &link);
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

    pub(super) fn read(
        &mut self,
        host: usize,
        stream: u32,
        buffer: &mut [u8],
    ) -> Result<usize, i32> {
        let id = self.stream(host, stream);
        self.input_is_looked_at(host, stream);
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
    pub(super) fn readable_bytes(&mut self, host: usize, stream: u32) -> usize {
        self.stream_mut(host, stream).readable_bytes()
    }

    pub(super) fn has_news(&mut self, host: usize, stream: u32) -> bool {
        self.stream_mut(host, stream).has_news()
    }

    /// Whether a write would take anything.
    pub(super) fn would_take(&mut self, host: usize, stream: u32) -> bool {
        self.stream_mut(host, stream).would_take()
    }

    pub(super) fn write(
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

    pub(super) fn shutdown(&mut self, host: usize, stream: u32) -> Result<(), i32> {
        let id = self.stream(host, stream);
        let answer = self.stream_mut(host, stream).shutdown();
        self.pump(id);
        self.wake_endpoint(id, Cause::Change); // even if there was nothing to shut
        answer
    }

    pub(super) fn take_error(&mut self, host: usize, stream: u32) -> Option<i32> {
        self.stream_mut(host, stream).take_error()
    }

    pub(super) fn peer_address(&mut self, host: usize, stream: u32) -> Result<SocketAddr, i32> {
        self.stream_mut(host, stream).peer_address()
    }

    pub(super) fn local_address(&self, host: usize, descriptor: u32) -> Option<SocketAddr> {
        match self.hosts[host].table.get(descriptor)?.object {
            Object::Stream(id) => Some(self.endpoints[id.0].as_deref()?.local),
            Object::Listener(id) => Some(self.listeners[id.0].as_ref()?.address),
            Object::Spare => None,
        }
    }

    pub(super) fn reset_on_close(&mut self, host: usize, stream: u32) {
        self.stream_mut(host, stream).reset_on_close = true;
    }

    /// Closes a descriptor. One that is not open, or still registered, is a bug of the loop's.
    pub(super) fn close(&mut self, host: usize, number: u32) {
        let Some(descriptor) = self.hosts[host].table.close(number) else {
            self.fail(format_args!(
                "host {host} closes descriptor {number}, which is not open"
            ));
        };
        if descriptor.watch.is_some() {
            self.fail(format_args!(
                "host {host} closes descriptor {number} before it deregisters it"
            ));
        }
        match descriptor.object {
            Object::Stream(id) => self.close_stream(id),
            Object::Listener(id) => self.close_listener(id),
            Object::Spare => self.fail(format_args!("host {host} closes its spare descriptor")),
        }
    }

    /// Closes all that a host has open, as the end of its process does.
    #[cfg(test)]
    pub(super) fn close_all(&mut self, host: usize) {
        self.release_spare(host);
        let open: Vec<u32> = self.hosts[host].table.iter().map(|(it, _)| it).collect();
        for descriptor in open {
            let _ = self.deregister(host, descriptor);
            self.close(host, descriptor);
        }
    }

    fn close_stream(&mut self, id: EndpointId) {
        let Some(endpoint) = self.endpoint(id) else {
            return;
        };
        endpoint.descriptor = None;
        endpoint.closed = true;
        // Bytes that were not read make the close a reset, and what was not sent is lost (P7).
        if endpoint.reset_on_close || endpoint.readable_bytes() > 0 {
            return self.drop_with_reset(id);
        }
        match endpoint.stage {
            // Nobody is told; if the SYN is answered, the answer is a reset.
            Stage::Connecting => endpoint.abandon(),
            Stage::Established => {
                let _ = endpoint.shutdown();
                self.pump(id);
            }
            Stage::Dead => {}
        }
        self.forget_if_done(id);
    }

    /// Connections that nobody accepted are reset (P11).
    fn close_listener(&mut self, id: ListenerId) {
        if let Some(listener) = self.listeners[id.0].take() {
            for endpoint in listener.waiting {
                self.drop_with_reset(endpoint);
            }
        }
    }

    /// Ends a connection that nobody on this side holds, with a reset to the other.
    fn drop_with_reset(&mut self, id: EndpointId) {
        if let Some(endpoint) = self.endpoint(id) {
            endpoint.closed = true;
            let was_alive = endpoint.stage == Stage::Established;
            endpoint.abandon();
            if was_alive {
                self.reply(id, Load::Reset);
            }
        }
        self.forget_if_done(id);
    }

    /// Breaks a connection in the middle: both ends hear of it, this one first.
    pub(super) fn break_stream(&mut self, host: usize, stream: u32, errno: i32) {
        let id = self.stream(host, stream);
        let endpoint = self.stream_mut(host, stream);
        if endpoint.stage == Stage::Established {
            endpoint.die(errno);
            endpoint.take_error(); // which the caller has just been told
            self.reply(id, Load::Reset);
            self.wake_endpoint(id, Cause::Change);
        }
    }

    /// Resets a connection in the middle for both ends; neither has been told yet.
    pub(super) fn reset_both(&mut self, host: usize, stream: u32) {
        let id = self.stream(host, stream);
        if self.stream_mut(host, stream).stage == Stage::Established {
            self.reply(id, Load::Reset);
            self.arrive_reset(id);
        }
    }

    pub(super) fn hold_spare(&mut self, host: usize) -> Result<(), i32> {
        let table = &mut self.hosts[host].table;
        if table.spare().is_none() {
            if table.is_full() {
                return Err(libc::EMFILE);
            }
            table.open(Object::Spare);
        }
        Ok(())
    }

    pub(super) fn release_spare(&mut self, host: usize) -> bool {
        let table = &mut self.hosts[host].table;
        match table.spare() {
            Some(number) => table.close(number).is_some(),
            None => false,
        }
    }

    // Packets.

    fn send_syn(&mut self, id: EndpointId, attempt: u32) {
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
        let (host, target) = (endpoint.host, endpoint.remote);
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

    fn resend_later(&mut self, id: EndpointId, attempt: u32) {
        let wait = SECOND_NANOS << attempt;
        self.agenda
            .put(self.now + wait, Happening::Resend(id, attempt + 1));
    }

    /// Sends to the other end, if there is one.
    fn reply(&mut self, from: EndpointId, load: Load) {
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

    fn dispatch(&mut self, from: usize, to: usize, packet: Packet) {
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
    fn pump(&mut self, id: EndpointId) {
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

    fn arrive(&mut self, packet: Packet) {
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
            waits.then_some((it.host, it.local))
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
        let mut endpoint = Endpoint::new(host, local, remote, &link);
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

    fn arrive_reset(&mut self, to: EndpointId) {
        let Some(endpoint) = self.endpoint(to) else {
            return;
        };
        if endpoint.stage != Stage::Dead {
            endpoint.receive_reset();
            self.wake_endpoint(to, Cause::Change);
        }
        self.forget_if_done(to);
    }

    /// Answers `to` with a reset in the name of `from`, which may be gone.
    fn send_back_reset(&mut self, from: EndpointId, to: EndpointId) {
        let Some(host) = self.endpoint(to).map(|it| it.host) else {
            return;
        };
        let from_host = self.endpoint(from).map_or(host, |it| it.host);
        let load = Load::Reset;
        let to = Some(to);
        self.dispatch(from_host, host, Packet { from, to, load });
    }

    // What injected answers have hidden.

    /// An answer said that there was nothing more to read, though there is.
    pub(super) fn hide_input(&mut self, host: usize, stream: u32) {
        let id = self.stream(host, stream);
        self.stream_mut(host, stream).hidden_input += 1;
        self.hide(Happening::Unhidden(id, Cause::Input));
    }

    /// An answer said that there was no room, though there is.
    pub(super) fn hide_room(&mut self, host: usize, stream: u32) {
        let id = self.stream(host, stream);
        let endpoint = self.stream_mut(host, stream);
        endpoint.hidden_room += 1;
        endpoint.wants_room = true;
        self.hide(Happening::Unhidden(id, Cause::Room));
    }

    /// An answer said that nobody waits, though somebody does.
    pub(super) fn hide_backlog(&mut self, host: usize, listener: u32) {
        let id = self.listening(host, listener);
        if let Some(listener) = self.listener(id) {
            listener.hidden += 1;
        }
        self.hide(Happening::UnhiddenBacklog(id));
    }

    fn hide(&mut self, end: Happening) {
        let hidden = self.dice.magnitude(1..=HIDDEN_NANOS);
        self.agenda.put(self.now + hidden, end);
    }

    fn unhide(&mut self, id: EndpointId, cause: Cause) {
        let Some(endpoint) = self.endpoint(id) else {
            return;
        };
        match cause {
            Cause::Room => {
                endpoint.hidden_room -= 1;
                if endpoint.regain_room() {
                    self.wake_endpoint(id, Cause::Room);
                }
            }
            Cause::Input | Cause::Change => {
                endpoint.hidden_input -= 1;
                if endpoint.has_news() {
                    // A FIN or an error that was hidden is a change again.
                    let only_bytes = endpoint.conditions() == {
                        let room = endpoint.conditions().has(Conditions::OUT);
                        match room {
                            true => Conditions::IN.with(Conditions::OUT),
                            false => Conditions::IN,
                        }
                    };
                    let cause = match only_bytes {
                        true => Cause::Input,
                        false => Cause::Change,
                    };
                    self.wake_endpoint(id, cause);
                }
            }
        }
    }

    fn unhide_backlog(&mut self, id: ListenerId) {
        let Some(listener) = self.listener(id) else {
            return;
        };
        listener.hidden -= 1;
        if !listener.waiting.is_empty() {
            let (host, descriptor) = (listener.host, listener.descriptor);
            self.wake(host, descriptor, Cause::Input);
        }
    }

    fn wake_endpoint(&mut self, id: EndpointId, cause: Cause) {
        let Some(endpoint) = self.endpoint(id) else {
            return;
        };
        if let (host, Some(descriptor)) = (endpoint.host, endpoint.descriptor) {
            self.wake(host, descriptor, cause);
        }
    }
}
