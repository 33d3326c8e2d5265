//! Frames that say how long they are.

use super::{Decoded, Decoder};
use crate::Result;

/// Frames behind their length, an unsigned number of 1, 2, 4 or 8 bytes. The length counts what
/// follows it, and only that is told.
///
/// What the number may be is limited by [`Framed::max_frame_bytes`](super::Framed::max_frame_bytes)
/// as soon as it has come, before anything is kept for it.
#[derive(Clone, Debug)]
pub struct LengthPrefix {
    width: usize,
    order: Order,
}

/// Which byte of the length comes first.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// The most significant.
    Big,
    /// The least significant.
    Little,
}

impl LengthPrefix {
    /// One byte: frames of at most 255.
    pub fn u8() -> LengthPrefix {
        LengthPrefix::new(1, Order::Big)
    }

    /// Two bytes, the most significant first.
    pub fn u16_be() -> LengthPrefix {
        LengthPrefix::new(2, Order::Big)
    }

    /// Two bytes, the least significant first.
    pub fn u16_le() -> LengthPrefix {
        LengthPrefix::new(2, Order::Little)
    }

    /// Four bytes, the most significant first.
    pub fn u32_be() -> LengthPrefix {
        LengthPrefix::new(4, Order::Big)
    }

    /// Four bytes, the least significant first.
    pub fn u32_le() -> LengthPrefix {
        LengthPrefix::new(4, Order::Little)
    }

    /// Eight bytes, the most significant first.
    pub fn u64_be() -> LengthPrefix {
        LengthPrefix::new(8, Order::Big)
    }

    /// Eight bytes, the least significant first.
    pub fn u64_le() -> LengthPrefix {
        LengthPrefix::new(8, Order::Little)
    }

    fn new(width: usize, order: Order) -> LengthPrefix {
        LengthPrefix { width, order }
    }

    fn length(&self, prefix: &[u8]) -> usize {
        let digit = |length, &byte| length << 8 | usize::from(byte);
        match self.order {
            Order::Big => prefix.iter().fold(0, digit),
            Order::Little => prefix.iter().rev().fold(0, digit),
        }
    }
}

impl Decoder for LengthPrefix {
    fn decode(&mut self, bytes: &[u8]) -> Result<Decoded> {
        let Some(prefix) = bytes.get(..self.width) else {
            let at_least = self.width;
            return Ok(Decoded::Incomplete { at_least });
        };
        // One that no memory could hold is longer than any limit, too.
        let end = self.width.saturating_add(self.length(prefix));
        Ok(match bytes.len() >= end {
            true => Decoded::Frame {
                told: self.width..end,
                end,
            },
            false => Decoded::Incomplete { at_least: end },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_in_every_width_and_order() {
        for (mut decoder, prefix) in [
            (LengthPrefix::u8(), &[3][..]),
            (LengthPrefix::u16_be(), &[0, 3]),
            (LengthPrefix::u16_le(), &[3, 0]),
            (LengthPrefix::u32_be(), &[0, 0, 0, 3]),
            (LengthPrefix::u32_le(), &[3, 0, 0, 0]),
            (LengthPrefix::u64_be(), &[0, 0, 0, 0, 0, 0, 0, 3]),
            (LengthPrefix::u64_le(), &[3, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            let (begins, end) = (prefix.len(), prefix.len() + 3);
            let bytes = [prefix, b"abcd"].concat();
            for cut in 1..bytes.len() {
                let expected = match cut {
                    _ if cut < begins => Decoded::Incomplete { at_least: begins },
                    _ if cut < end => Decoded::Incomplete { at_least: end },
                    _ => Decoded::Frame {
                        told: begins..end,
                        end,
                    },
                };
                assert_eq!(decoder.decode(&bytes[..cut]).unwrap(), expected);
            }
        }
    }

    #[test]
    fn a_length_of_several_bytes_keeps_them_in_order() {
        let prefix = [1, 2, 3, 4, 5, 6, 7, 8];
        let big = 0x0102_0304_0506_0708;
        assert_eq!(LengthPrefix::u64_be().length(&prefix), big);
        assert_eq!(LengthPrefix::u64_le().length(&prefix), big.swap_bytes());
    }

    #[test]
    fn a_length_beyond_all_memory_is_more_than_any_limit() {
        let decoded = LengthPrefix::u64_be().decode(&[0xff; 9]).unwrap();
        let at_least = usize::MAX;
        assert_eq!(decoded, Decoded::Incomplete { at_least });
    }

    #[test]
    fn a_length_of_zero_is_an_empty_frame() {
        let decoded = LengthPrefix::u16_be().decode(&[0, 0, 9]).unwrap();
        assert_eq!(decoded, Decoded::Frame { told: 2..2, end: 2 });
    }
}
