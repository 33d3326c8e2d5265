//! What must hold when everybody is asleep.

use super::World;
use super::network::Network;
use crate::Net;

impl World {
    /// Checks that no loop sleeps through something: a socket that reads and has input, one with
    /// something queued and room for it, a connect with an outcome, a server with somebody
    /// waiting, a post. The kernel knows what is true, and will not tell again.
    ///
    /// Runs by itself whenever all loops are asleep.
    ///
    /// # Panics
    ///
    /// With the seed and the socket, if one does.
    pub fn check_no_lost_wakeups(&self) {
        let network = self.network.borrow();
        for (number, host) in self.hosts.iter().enumerate() {
            let net = host.reactor.net_ref();
            if let Some(lost) = lost_wakeup(net, &network, number) {
                drop(network);
                self.fail(format_args!("a lost wakeup on host {number}: {lost}"));
            }
        }
    }
}

fn lost_wakeup(net: &Net, network: &Network, host: usize) -> Option<String> {
    // A loop that is about to turn loses nothing.
    if net.sleep().is_some_and(|sleep| sleep.is_zero()) {
        return None;
    }
    if net.has_mail() {
        return Some("a post waits".to_owned());
    }
    for (key, socket) in net.sockets.iter() {
        let Some(stream) = &socket.stream else {
            continue;
        };
        let truth = network.truth(host, stream.descriptor());
        if truth.edge_to_come || socket.lifecycle.is_destroyed() {
            continue;
        }
        let lifecycle = socket.lifecycle;
        let sleeps_through = if lifecycle.is_connecting() {
            truth.is_decided.then_some("its connect has an outcome")
        } else if lifecycle.is_reading() && !socket.latch.is_paused() && truth.has_input {
            Some("it has input")
        } else if lifecycle.is_sending() && socket.has_unsent() && truth.has_room {
            Some("it has something to send, and there is room")
        } else {
            None
        };
        if let Some(what) = sleeps_through {
            return Some(format!(
                "socket {key:?} in {lifecycle:?}: {what}; {truth:?}"
            ));
        }
    }
    for (key, attempt) in net.attempts.iter() {
        let truth = network.truth(host, attempt.stream.descriptor());
        if truth.is_decided && !truth.edge_to_come {
            return Some(format!("attempt {key:?} has an outcome; {truth:?}"));
        }
    }
    for (key, server) in net.servers.iter() {
        let Some(listener) = &server.listener else {
            continue;
        };
        let truth = network.truth(host, listener.descriptor());
        // One without descriptors tries again by its own clock.
        let tries_again = server.starved && net.retry_accepts_at.is_some();
        if truth.has_input && !truth.edge_to_come && !tries_again {
            return Some(format!("server {key:?}: somebody waits; {truth:?}"));
        }
    }
    None
}
