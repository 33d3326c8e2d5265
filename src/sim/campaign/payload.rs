//! Bytes of which each says where it belongs: words that count up, keyed by seed, connection and
//! direction, and mixed so that no two streams look alike.

/// One direction of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) seed: u64,
    pub(super) connection: usize,
    pub(super) from_client: bool,
}

impl Flow {
    pub(super) fn bytes(self, from: u64, length: usize) -> Vec<u8> {
        let key = self.key();
        let mut bytes = Vec::with_capacity(length + 16);
        let first_word = from / 8;
        let skip = (from % 8) as usize;
        let words = (skip + length).div_ceil(8) as u64;
        for word in first_word..first_word + words {
            bytes.extend_from_slice(&mix(key.wrapping_add(word)).to_le_bytes());
        }
        bytes.truncate(skip + length);
        bytes.drain(..skip);
        bytes
    }

    fn key(self) -> u64 {
        let flow = (self.connection as u64) << 1 | u64::from(self.from_client);
        // Apart by more than any stream is long, so that no two overlap.
        mix(self.seed).wrapping_add(flow << 40)
    }

    /// Where in this flow's first `length` bytes these bytes stand.
    pub(super) fn find(self, bytes: &[u8], length: u64) -> Option<usize> {
        let all = self.bytes(0, length as usize);
        all.windows(bytes.len().clamp(1, 8))
            .position(|it| bytes.starts_with(it))
    }
}

/// A permutation of the 64-bit words (the finalizer of MurmurHash3).
fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    word = (word ^ word >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ word >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_the_same_wherever_it_is_cut_out_and_tells_its_place() {
        let flow = |connection| Flow {
            seed: 7,
            connection,
            from_client: true,
        };
        let all = flow(1).bytes(0, 100);
        assert_eq!(flow(1).bytes(13, 50), all[13..63]);
        assert_eq!(flow(1).find(&all[13..63], 100), Some(13));
        assert_eq!(flow(2).find(&all[13..63], 100), None);
    }
}
