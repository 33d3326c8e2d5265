//! Messages that all differ, each ended by its only newline, so that they are lines as well.

pub(super) struct Payload {
    bytes: Vec<u8>,
    message_bytes: usize,
    messages: usize,
}

impl Payload {
    /// At least `pipelined` messages, and so few bytes that they stay in the cache.
    pub(super) fn new(message_bytes: usize, pipelined: usize) -> Payload {
        let messages = (64 * 1024 / message_bytes).max(pipelined);
        let mut bytes = random_letters(messages * message_bytes);
        for end in bytes
            .iter_mut()
            .skip(message_bytes - 1)
            .step_by(message_bytes)
        {
            *end = b'\n';
        }
        Payload {
            bytes,
            message_bytes,
            messages,
        }
    }

    /// `count` messages, beginning with number `first`.
    pub(super) fn batch(&self, first: usize, count: usize) -> &[u8] {
        &self.bytes[first * self.message_bytes..][..count * self.message_bytes]
    }

    /// Where the batch behind this one begins.
    pub(super) fn next(&self, first: usize, count: usize) -> usize {
        match first + 2 * count <= self.messages {
            true => first + count,
            false => 0,
        }
    }

    /// Where the first batch of a connection begins: elsewhere than its neighbours'.
    pub(super) fn start(&self, connection: usize, count: usize) -> usize {
        connection * 7 % (self.messages - count + 1)
    }
}

/// Letters of a small generator (xorshift): the same ones each time.
pub(super) fn random_letters(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b'a' + (state >> 32) as u8 % 26
    };
    (0..count).map(|_| letter()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_batch_is_whole_lines_within_the_payload() {
        for (message_bytes, pipelined) in [(64, 1), (64, 16), (4096, 1), (64 * 1024, 3)] {
            let payload = Payload::new(message_bytes, pipelined);
            for connection in 0..3000 {
                let mut first = payload.start(connection, pipelined);
                for _ in 0..3 {
                    let batch = payload.batch(first, pipelined);
                    let newlines = batch.iter().filter(|&&byte| byte == b'\n').count();
                    assert_eq!((newlines, batch.last()), (pipelined, Some(&b'\n')));
                    first = payload.next(first, pipelined);
                }
            }
        }
    }
}
