//! One direction between two hosts: in order, as quick as its link, sometimes cut.

use std::time::Duration;

use super::packet::Packet;
use crate::sim::link::Link;

/// What is on its way in one direction.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) link: Link,
    /// When the last byte that was sent has left.
    busy_until: u64,
    /// When the last packet arrives: none overtakes another.
    last_arrival: u64,
    /// Partitioned: what is sent waits here.
    pub(super) is_cut: bool,
    pub(super) held: Vec<Packet>,
    /// Bytes of data that have arrived over it.
    carried: u64,
    /// Places in the bytes carried at which the connection is reset that carries them.
    resets_at: Vec<u64>,
}

impl Path {
    pub(super) fn new(link: Link) -> Path {
        Path {
            link,
            busy_until: 0,
            last_arrival: 0,
            is_cut: false,
            held: Vec::new(),
            carried: 0,
            resets_at: Vec::new(),
        }
    }

    /// When a packet with so many bytes of data arrives that is sent now.
    pub(super) fn arrival(&mut self, now: u64, bytes: usize, held_up: Duration) -> u64 {
        let left = match self.link.bytes_per_second {
            Some(rate) => {
                let took = u128::from(bytes as u64) * 1_000_000_000 / u128::from(rate);
                self.busy_until.max(now) + u64::try_from(took).unwrap_or(u64::MAX >> 2)
            }
            None => now,
        };
        self.busy_until = left;
        let arrival = left + nanos(self.link.latency + held_up);
        self.last_arrival = self.last_arrival.max(arrival);
        self.last_arrival
    }

    pub(super) fn reset_at(&mut self, byte: u64) {
        self.resets_at.push(byte);
    }

    pub(super) fn reset_no_more(&mut self) {
        self.resets_at.clear();
    }

    /// Counts data that arrives; `Some` if a reset stands behind so many bytes of it.
    pub(super) fn carry(&mut self, bytes: usize) -> Option<usize> {
        let start = self.carried;
        let end = start + bytes as u64;
        let hit = |at: &&u64| (start..end).contains(*at);
        let first = self.resets_at.iter().filter(hit).min().copied();
        self.resets_at.retain(|at| Some(*at) != first);
        let cut = first.map(|at| (at - start) as usize);
        self.carried += cut.unwrap_or(bytes) as u64;
        cut
    }
}

/// A time as the clock counts it; more than it can count is its half, far enough for everybody.
pub(in crate::sim) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX >> 2)
}
