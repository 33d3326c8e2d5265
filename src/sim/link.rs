//! How bytes get from one host to another.

use std::time::Duration;

use super::dice::Dice;

/// A link between two hosts, the same in both directions. The default is quick and wide: a tenth of
/// a millisecond, no limit of bandwidth, segments of 1,460 bytes, 64 KiB of buffer at either end.
///
/// ```
/// use netloop::sim::Link;
/// use std::time::Duration;
///
/// let modem = Link::default().latency(Duration::from_millis(120)).bytes_per_second(7_000);
/// # let _ = modem;
/// ```
#[derive(Clone, Debug)]
pub struct Link {
    pub(super) latency: Duration,
    pub(super) bytes_per_second: Option<u64>,
    pub(super) segment_bytes: usize,
    pub(super) send_buffer: usize,
    pub(super) receive_buffer: usize,
}

impl Default for Link {
    fn default() -> Link {
        Link {
            latency: Duration::from_micros(100),
            bytes_per_second: None,
            segment_bytes: 1460,
            send_buffer: 64 * 1024,
            receive_buffer: 64 * 1024,
        }
    }
}

impl Link {
    /// What a host's link to itself is, unless it is set.
    pub(super) fn loopback() -> Link {
        Link {
            latency: Duration::from_micros(10),
            segment_bytes: 65_483,
            ..Link::default()
        }
    }

    /// One of many: near or far, wide or narrow, with large buffers or tiny ones.
    pub(super) fn drawn(dice: &mut Dice) -> Link {
        let narrow = dice.chance(0.3);
        Link {
            latency: Duration::from_nanos(dice.magnitude(0..=200_000_000)),
            bytes_per_second: narrow.then(|| dice.magnitude(2_000..=100_000_000)),
            segment_bytes: dice.magnitude(1..=9_000) as usize,
            send_buffer: dice.magnitude(1..=256 * 1024) as usize,
            receive_buffer: dice.magnitude(1..=256 * 1024) as usize,
        }
    }

    /// The time from one end to the other, on top of what the bandwidth takes.
    pub fn latency(mut self, latency: Duration) -> Link {
        self.latency = latency;
        self
    }

    /// How much all connections over this link may send together, each way; at least 1.
    pub fn bytes_per_second(mut self, bytes: u64) -> Link {
        self.bytes_per_second = Some(bytes.max(1));
        self
    }

    /// The most bytes that arrive at once; at least 1.
    pub fn segment_bytes(mut self, bytes: usize) -> Link {
        self.segment_bytes = bytes.max(1);
        self
    }

    /// What the kernel takes from a writer before the peer has it, for each connection made from
    /// now on; at least 1. In the real world `SO_SNDBUF`.
    pub fn send_buffer(mut self, bytes: usize) -> Link {
        self.send_buffer = bytes.max(1);
        self
    }

    /// What the kernel keeps for a reader before the peer has to wait, for each connection made
    /// from now on; at least 1. In the real world `SO_RCVBUF`.
    pub fn receive_buffer(mut self, bytes: usize) -> Link {
        self.receive_buffer = bytes.max(1);
        self
    }
}
