//! How sockets come to an end: closed by their loop, or broken by a fault.

use super::Network;
use super::endpoint::Stage;
use super::packet::Load;
use super::table::{EndpointId, ListenerId, Object};
use super::watch::Cause;

impl Network {
    /// Closes a descriptor. One that is not open, or still registered, is a bug of the loop's.
    pub(in crate::sim) fn close(&mut self, host: usize, number: u32) {
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
            Object::Bound(_) => {}
            Object::Spare => self.fail(format_args!("host {host} closes its spare descriptor")),
        }
    }

    /// Closes all that a host has open, as the end of its process does.
    #[cfg(test)]
    pub(in crate::sim) fn close_all(&mut self, host: usize) {
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
    pub(super) fn drop_with_reset(&mut self, id: EndpointId) {
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
    pub(in crate::sim) fn break_stream(&mut self, host: usize, stream: u32, errno: i32) {
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
    pub(in crate::sim) fn reset_both(&mut self, host: usize, stream: u32) {
        let id = self.stream(host, stream);
        if self.stream_mut(host, stream).stage == Stage::Established {
            self.reply(id, Load::Reset);
            self.arrive_reset(id);
        }
    }
}
