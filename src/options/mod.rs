//! What `listen`, `connect` and `pipe` are asked for, before anything is done about it.
//!
//! - this file: what both give to each socket
//! - `listen`, `connect`, `pipe`: the builders
//! - `bind`, `place`: where a server is to listen, and whom a connection is to go to
//! - `endpoint`: reading `"host:port"`
//!
//! Plain values: nothing here asks the kernel, and a name is never looked up. A conversion such as
//! `ListenOptions::from("nonsense")` cannot fail, so an option keeps the error until it is used.

mod bind;
mod connect;
mod endpoint;
mod listen;
mod names;
mod pipe;
mod place;

use std::time::Duration;

pub(crate) use bind::Bind;
pub use connect::ConnectOptions;
pub(crate) use connect::LocalOptions;
pub use listen::{ListenOptions, OutOfDescriptors};
pub(crate) use names::{NameDefaults, NameOptions, attempt_timeout};
pub use pipe::PipeOptions;
pub(crate) use place::Place;

/// Bytes that may stand in a write queue before the next write is refused, unless an option says
/// otherwise: 16 MiB.
pub(crate) const DEFAULT_WRITE_CAP: usize = 16 * 1024 * 1024;

/// What a socket is made with, whether it was accepted or connects.
#[derive(Clone, Debug)]
pub(crate) struct SocketOptions {
    pub(crate) allow_half_open: bool,
    /// Set for accepted sockets only.
    pub(crate) pause_on_connect: bool,
    pub(crate) no_delay: bool,
    /// `None` leaves it to the kernel.
    pub(crate) quick_ack: Option<bool>,
    /// In bytes; 0 leaves the system's.
    pub(crate) not_sent_low_water_mark: u32,
    pub(crate) keep_alive: bool,
    /// Invariant: went through [`keep_alive_delay`]. Zero leaves the system's.
    pub(crate) keep_alive_initial_delay: Duration,
    /// Set for connecting sockets only. `None` leaves the system's.
    pub(crate) type_of_service: Option<u8>,
    /// In bytes, for reading and writing.
    pub(crate) high_water_mark: u32,
    /// In bytes; `None` is no cap.
    pub(crate) write_cap: Option<usize>,
}

impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions {
            allow_half_open: false,
            pause_on_connect: false,
            no_delay: false,
            quick_ack: None,
            not_sent_low_water_mark: 0,
            keep_alive: false,
            keep_alive_initial_delay: Duration::ZERO,
            type_of_service: None,
            high_water_mark: 64 * 1024,
            write_cap: Some(DEFAULT_WRITE_CAP),
        }
    }
}

/// `delay` as the kernel takes it: whole seconds, and no more than Linux allows.
pub(crate) fn keep_alive_delay(delay: Duration) -> Duration {
    const MAX_SECONDS: u64 = 32_767; // MAX_TCP_KEEPIDLE; tcp(7) refuses more with EINVAL
    Duration::from_secs(delay.as_secs().min(MAX_SECONDS))
}

/// A water mark as it is kept, here and by the kernel: in four bytes.
pub(crate) fn water_mark(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keep_alive_delay_is_floored_to_seconds_and_capped() {
        for (asked, kept) in [
            (Duration::ZERO, 0),
            (Duration::from_millis(999), 0),
            (Duration::from_millis(1_999), 1),
            (Duration::from_secs(32_767), 32_767),
            (Duration::MAX, 32_767),
        ] {
            assert_eq!(keep_alive_delay(asked), Duration::from_secs(kept));
        }
    }

    #[test]
    fn a_water_mark_is_capped_at_four_gibibytes_less_one() {
        assert_eq!(water_mark(0), 0);
        assert_eq!(water_mark(65_536), 65_536);
        assert_eq!(water_mark(usize::MAX), u32::MAX);
    }

    #[test]
    fn sockets_start_as_node_makes_them_but_for_the_write_cap() {
        let socket = SocketOptions::default();
        assert!(!socket.allow_half_open && !socket.pause_on_connect);
        assert!(!socket.no_delay && !socket.keep_alive);
        assert_eq!(
            (socket.quick_ack, socket.not_sent_low_water_mark),
            (None, 0)
        );
        assert!(socket.keep_alive_initial_delay.is_zero());
        assert_eq!(socket.high_water_mark, 65_536);
        assert_eq!(socket.write_cap, Some(16_777_216));
    }
}
