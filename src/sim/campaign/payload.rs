//! Bytes of which each says where it belongs: words that count up, keyed by seed, connection and
//! direction, and mixed so that no two streams look alike. What one end sends is a stream made of
//! pieces of flows: of its own and, where something is piped into it, of others.

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

/// What one end has written, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    pieces: Vec<Piece>,
    pub(super) length: u64,
}

/// A part of a flow, or of what was written before its flow was known.
#[derive(Clone, Copy, Debug)]
struct Piece {
    flow: Option<Flow>,
    from: u64,
    length: u64,
}

impl Stream {
    /// So many bytes more of a flow, which stand at `from` in it.
    pub(super) fn push(&mut self, flow: Option<Flow>, from: u64, length: u64) {
        self.length += length;
        match self.pieces.last_mut() {
            Some(last) if last.flow == flow && last.from + last.length == from => {
                last.length += length;
            }
            _ => self.pieces.push(Piece { flow, from, length }),
        }
    }

    /// So many bytes more of another stream, which stand at `from` in it.
    pub(super) fn push_from(&mut self, other: &Stream, from: u64, length: u64) {
        for Piece { flow, from, length } in other.cut(from, length) {
            self.push(flow, from, length);
        }
    }

    pub(super) fn bytes(&self, from: u64, length: usize) -> Vec<u8> {
        let pieces = self.cut(from, length as u64);
        let mut bytes = Vec::with_capacity(length);
        for Piece { flow, from, length } in pieces {
            match flow {
                Some(flow) => bytes.append(&mut flow.bytes(from, length as usize)),
                None => bytes.resize(bytes.len() + length as usize, 0),
            }
        }
        bytes
    }

    fn cut(&self, from: u64, length: u64) -> Vec<Piece> {
        let mut at = 0;
        let mut cut = Vec::new();
        for piece in &self.pieces {
            let (first, last) = (from.max(at), (from + length).min(at + piece.length));
            if first < last {
                cut.push(Piece {
                    from: piece.from + first - at,
                    length: last - first,
                    ..*piece
                });
            }
            at += piece.length;
        }
        cut
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
    fn a_stream_is_cut_across_its_pieces() {
        let flow = |connection| Flow {
            seed: 7,
            connection,
            from_client: true,
        };
        let mut stream = Stream::default();
        stream.push(Some(flow(1)), 0, 10);
        stream.push(Some(flow(1)), 10, 10);
        stream.push(None, 0, 5);
        let mut other = Stream::default();
        other.push(Some(flow(2)), 3, 30);
        stream.push_from(&other, 10, 5);
        assert_eq!((stream.length, stream.pieces.len()), (30, 3));
        let all = [flow(1).bytes(0, 20), vec![0; 5], flow(2).bytes(13, 5)].concat();
        assert_eq!(stream.bytes(0, 30), all);
        assert_eq!(stream.bytes(18, 9), all[18..27]);
    }

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
