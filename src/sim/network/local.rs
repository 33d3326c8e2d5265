//! Local sockets: names that stand on one host, and connections that are there at once.
//!
//! A connection between two of them is one over the host's loopback that nobody had to shake hands
//! for: streams in order, with TCP's ends (a close is a FIN where Linux has a hang-up at once). A
//! name is there as long as its listener; rights are for hosts with users, and these have none.

use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt;

use super::Network;
use super::endpoint::Endpoint;
use super::listener::Listener;
use super::table::{ListenerId, Object};
use super::watch::Cause;
use crate::Address;

/// The longest path or abstract name, as Linux has it.
const MOST_BYTES: usize = 107;

impl Network {
    pub(in crate::sim) fn listen_local(
        &mut self,
        host: usize,
        name: &Address,
        backlog: u32,
    ) -> Result<u32, i32> {
        check(name)?;
        if self.hosts[host].table.is_full() {
            return Err(libc::EMFILE);
        }
        if self.listener_named(host, name).is_some() {
            return Err(libc::EADDRINUSE);
        }
        let id = ListenerId(self.listeners.len());
        let descriptor = self.hosts[host].table.open(Object::Listener(id));
        self.listeners.push(Some(Listener {
            host,
            descriptor,
            address: name.clone(),
            reuse_port: false,
            ipv6_only: false,
            backlog: backlog as usize,
            waiting: VecDeque::new(),
            hidden: 0,
        }));
        Ok(descriptor)
    }

    /// Connects or fails, at once: where TCP would wait for room in a backlog, this is `EAGAIN`, and
    /// nothing is under way (P10b).
    pub(in crate::sim) fn connect_local(
        &mut self,
        host: usize,
        name: &Address,
    ) -> Result<u32, i32> {
        check(name)?;
        if self.hosts[host].table.is_full() {
            return Err(libc::EMFILE);
        }
        let Some(id) = self.listener_named(host, name) else {
            return Err(match name {
                Address::Path(_) => libc::ENOENT,
                Address::Inet(_) | Address::Abstract(_) | Address::Unnamed => libc::ECONNREFUSED,
            });
        };
        if self.listener(id).is_some_and(|it| it.is_full()) {
            return Err(libc::EAGAIN);
        }
        let link = self.path(host, host).link.clone();
        let new = |local, remote| {
            let mut endpoint = Endpoint::new(host, local, remote, &link);
            endpoint.establish();
            endpoint
        };
        let client = self.add_endpoint(new(Address::Unnamed, name.clone()));
        let server = self.add_endpoint(new(name.clone(), Address::Unnamed));
        let descriptor = self.hosts[host].table.open(Object::Stream(client));
        if let Some(it) = self.endpoint(client) {
            it.descriptor = Some(descriptor);
            it.peer = Some(server);
        }
        if let Some(it) = self.endpoint(server) {
            it.peer = Some(client);
        }
        if let Some(listener) = self.listener(id) {
            listener.waiting.push_back(server);
            let descriptor = listener.descriptor;
            self.wake(host, descriptor, Cause::Input);
        }
        Ok(descriptor)
    }

    fn listener_named(&self, host: usize, name: &Address) -> Option<ListenerId> {
        let named = |it: &Listener| it.host == host && it.address == *name;
        let at = (self.listeners.iter()).position(|it| it.as_ref().is_some_and(named));
        at.map(ListenerId)
    }
}

fn check(name: &Address) -> Result<(), i32> {
    let fits = match name {
        Address::Path(path) => {
            let bytes = path.as_os_str().as_bytes();
            (1..=MOST_BYTES).contains(&bytes.len()) && !bytes.contains(&0)
        }
        Address::Abstract(name) => name.len() <= MOST_BYTES,
        Address::Inet(_) | Address::Unnamed => false,
    };
    match fits {
        true => Ok(()),
        false => Err(libc::EINVAL),
    }
}
