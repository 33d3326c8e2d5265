//! The truth about a host, for whoever checks what its loop believes.

use super::Network;
use super::conditions::Conditions;
use super::endpoint::Stage;
use super::table::Object;
use super::watch::Owed;

/// What is true of a descriptor, whoever was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Truth {
    /// A read would bring bytes, the end, or an error that no read has brought yet; an accept would
    /// bring a connection.
    pub(in crate::sim) has_input: bool,
    /// A write would take bytes or fail.
    pub(in crate::sim) has_room: bool,
    /// A connect has an outcome.
    pub(in crate::sim) is_decided: bool,
    /// The loop will hear of it: an edge is on its way.
    pub(in crate::sim) edge_to_come: bool,
}

impl Network {
    /// The truth about an open descriptor.
    pub(in crate::sim) fn truth(&self, host: usize, descriptor: u32) -> Truth {
        let Some(open) = self.hosts[host].table.get(descriptor) else {
            self.fail(format_args!(
                "host {host} holds descriptor {descriptor}, which is not open"
            ));
        };
        let edge = |it: &super::watch::Watch| it.owed != Owed::Nothing || it.delayed > 0;
        let mut edge_to_come = open.watch.as_ref().is_some_and(edge);
        let now = self.conditions(host, descriptor);
        let mut has_input = now.has(Conditions::IN);
        let mut is_decided = false;
        match open.object {
            Object::Stream(id) => {
                if let Some(endpoint) = self.endpoints[id.0].as_deref() {
                    edge_to_come |= endpoint.hidden_input > 0 || endpoint.hidden_room > 0;
                    has_input = endpoint.has_news();
                    is_decided = endpoint.stage != Stage::Connecting;
                }
            }
            Object::Listener(id) => {
                let hidden = self.listeners[id.0]
                    .as_ref()
                    .is_some_and(|it| it.hidden > 0);
                edge_to_come |= hidden;
            }
            Object::Bound(_) | Object::Spare => {}
        }
        Truth {
            has_input,
            has_room: now.intersects(Conditions::OUT.with(Conditions::ERR)),
            is_decided,
            edge_to_come,
        }
    }

    /// Everything that is open on a host but the spare, in words.
    pub(in crate::sim) fn open_descriptors(&self, host: usize) -> Vec<String> {
        let table = &self.hosts[host].table;
        let words = table.iter().filter_map(|(number, open)| match open.object {
            Object::Stream(id) => {
                let it = self.endpoints[id.0].as_deref()?;
                Some(format!("{number} stream {} - {}", it.local, it.remote))
            }
            Object::Listener(id) => {
                let it = self.listeners[id.0].as_ref()?;
                Some(format!("{number} listener {}", it.address))
            }
            Object::Bound(address) => Some(format!("{number} bound {address}")),
            Object::Spare => None,
        });
        words.collect()
    }

    /// How many connections wait in a listener.
    #[cfg(test)]
    pub(in crate::sim) fn backlog(&self, host: usize, descriptor: u32) -> usize {
        match self.hosts[host].table.get(descriptor).map(|it| it.object) {
            Some(Object::Listener(id)) => self.listeners[id.0]
                .as_ref()
                .map_or(0, |it| it.waiting.len()),
            _ => 0,
        }
    }
}
