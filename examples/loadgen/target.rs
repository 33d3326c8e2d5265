//! Where connections go to, and from which address of ours.

use crate::arguments::{Arguments, Mode};
use netloop::{Address, ConnectOptions};
use std::net::{IpAddr, Ipv4Addr};

/// So many connections one address of ours is good for.
const FEW: u64 = 10_000;

pub(crate) struct Target {
    arguments: Arguments,
    /// What was asked for; once somebody has answered, its address, so that a host by name is not
    /// looked up for each connection and all of them go to the same place.
    options: ConnectOptions,
    is_known: bool,
    is_loopback: bool,
}

impl Target {
    pub(crate) fn new(arguments: &Arguments) -> Target {
        let address = arguments.address.as_str();
        let options = match address.contains('/') {
            true => ConnectOptions::path(address),
            false => ConnectOptions::from(address),
        };
        Target {
            options: with_settings(options, arguments),
            is_known: false,
            is_loopback: false,
            arguments: arguments.clone(),
        }
    }

    /// A connection to `address` stands.
    pub(crate) fn has_answered(&mut self, address: Address) {
        if !self.is_known {
            self.is_known = true;
            self.is_loopback = is_loopback(&address);
            self.options = with_settings(address.into(), &self.arguments);
        }
    }

    /// Options for the n-th attempt to connect.
    pub(crate) fn options(&self, attempt: u64) -> ConnectOptions {
        let options = self.options.clone();
        match self.is_loopback && self.needs_many_ports(attempt) {
            true => options.local_address(nth_loopback(attempt)),
            false => options,
        }
    }

    /// A client's port is taken for a minute after its connection (TIME_WAIT), and there are 28,000
    /// of them from one address to one peer. A machine that is Linux has 16 million addresses to
    /// itself. In any mode a server may close so often that they are needed.
    fn needs_many_ports(&self, attempt: u64) -> bool {
        let most = self.arguments.connections as u64;
        let many = self.arguments.mode == Mode::Churn || most.max(attempt) > FEW;
        cfg!(target_os = "linux") && many
    }
}

/// Small requests leave at once, and nobody is waited for longer than the timeout. What waits to be
/// sent is bounded by what the arguments allow to be under way: a cap below that would destroy sockets
/// of which the report would then say that the server had closed them.
fn with_settings(options: ConnectOptions, arguments: &Arguments) -> ConnectOptions {
    options
        .no_delay(true)
        .connect_timeout(arguments.timeout)
        .write_cap(None)
}

fn is_loopback(address: &Address) -> bool {
    matches!(address.ip(), Some(IpAddr::V4(ip)) if ip.is_loopback())
}

/// From 127.1.0.1 on, each for a thousand connections in a row.
fn nth_loopback(attempt: u64) -> Ipv4Addr {
    let nth = (attempt / 1000) % (256 * 250);
    Ipv4Addr::new(127, 1, (nth / 250) as u8, (nth % 250 + 1) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_change_every_thousand_attempts() {
        assert_eq!(nth_loopback(0), Ipv4Addr::new(127, 1, 0, 1));
        assert_eq!(nth_loopback(999), Ipv4Addr::new(127, 1, 0, 1));
        assert_eq!(nth_loopback(1000), Ipv4Addr::new(127, 1, 0, 2));
        assert_eq!(nth_loopback(250_000), Ipv4Addr::new(127, 1, 1, 1));
        assert_eq!(nth_loopback(256 * 250_000), Ipv4Addr::new(127, 1, 0, 1));
    }
}
