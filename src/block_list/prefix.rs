//! The first bits of an address, and what they cover.
//!
//! There is one space of 128 bits: an IPv4 address stands in it where IPv6 maps it to,
//! `::ffff:a.b.c.d`, so that both spellings of an address are one and the same.

use std::iter;
use std::net::IpAddr;

/// How long an address is.
pub(super) const BITS: u8 = 128;

/// Where an IPv4 address begins in the space of IPv6.
pub(super) const MAPPED: u8 = 96;

/// An address as a number.
pub(super) fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    /// The lowest address. Invariant: all bits behind the first `len` are zero.
    first: u128,
    /// How many bits count, at most [`BITS`].
    len: u8,
}

impl Prefix {
    /// The addresses that share their first `len` bits with `address`.
    pub(super) fn around(address: u128, len: u8) -> Prefix {
        debug_assert!(len <= BITS);
        let first = address & !behind(len);
        Prefix { first, len }
    }

    pub(super) fn first(self) -> u128 {
        self.first
    }

    pub(super) fn last(self) -> u128 {
        self.first | behind(self.len)
    }

    pub(super) fn contains(self, address: u128) -> bool {
        (self.first ^ address) & !behind(self.len) == 0
    }

    /// The narrowest prefix that covers both.
    pub(super) fn common(self, other: Prefix) -> Prefix {
        let equal = (self.first ^ other.first).leading_zeros() as u8;
        Prefix::around(self.first, equal.min(self.len).min(other.len))
    }

    /// In which half of this prefix an address of it lies: the first bit that is left open.
    ///
    /// A whole address has no halves; asking it is a mistake.
    pub(super) fn half(self, address: u128) -> usize {
        debug_assert!(self.len < BITS && self.contains(address));
        usize::from(address >> (BITS - 1 - self.len) & 1 == 1)
    }

    /// The fewest prefixes that cover from `first` to `last`, both included: 254 at most.
    pub(super) fn covering(first: u128, last: u128) -> impl Iterator<Item = Prefix> {
        debug_assert!(first <= last);
        let mut next = Some(first);
        iter::from_fn(move || {
            let first = next?;
            // As wide as its start is aligned, and no wider than what is left.
            let aligned = first.trailing_zeros();
            let left = (last - first).checked_add(1).map_or(128, u128::ilog2);
            let prefix = Prefix {
                first,
                len: BITS - aligned.min(left) as u8,
            };
            next = prefix.last().checked_add(1).filter(|next| *next <= last);
            Some(prefix)
        })
    }
}

/// A mask of the bits behind the first `len`.
fn behind(len: u8) -> u128 {
    u128::MAX.checked_shr(len.into()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covering(first: u128, last: u128) -> Vec<(u128, u8)> {
        let prefixes = Prefix::covering(first, last);
        prefixes.map(|it| (it.first, it.len)).collect()
    }

    #[test]
    fn an_ipv4_address_and_its_mapped_form_are_one_number() {
        let v4: IpAddr = "1.2.3.4".parse().unwrap();
        let mapped: IpAddr = "::ffff:1.2.3.4".parse().unwrap();
        let compatible: IpAddr = "::1.2.3.4".parse().unwrap();
        assert_eq!(number(v4), number(mapped));
        assert_ne!(number(v4), number(compatible));
    }

    #[test]
    fn a_range_is_covered_by_the_fewest_prefixes() {
        assert_eq!(covering(0, u128::MAX), [(0, 0)]);
        assert_eq!(covering(5, 5), [(5, 128)]);
        assert_eq!(covering(4, 7), [(4, 126)]);
        assert_eq!(
            covering(1, 8),
            [(1, 128), (2, 127), (4, 126), (8, 128)],
            "each as wide as its start is aligned and as is left"
        );
        assert_eq!(covering(u128::MAX, u128::MAX), [(u128::MAX, 128)]);
        assert_eq!(covering(1, u128::MAX - 1).len(), 254);
    }

    #[test]
    fn a_prefix_forgets_the_bits_behind_it() {
        let prefix = Prefix::around(0b1011, 126);
        assert_eq!((prefix.first(), prefix.last()), (0b1000, 0b1011));
        assert!(prefix.contains(0b1010) && !prefix.contains(0b1100));
        assert_eq!(Prefix::around(u128::MAX, 0).first(), 0);
        assert_eq!(Prefix::around(7, 128).last(), 7);
    }

    #[test]
    fn what_two_prefixes_have_in_common_is_no_longer_than_either() {
        let common = |a: (u128, u8), b: (u128, u8)| {
            let common = Prefix::around(a.0, a.1).common(Prefix::around(b.0, b.1));
            (common.first, common.len)
        };
        assert_eq!(common((4, 128), (5, 128)), (4, 127));
        assert_eq!(common((4, 128), (4, 128)), (4, 128));
        assert_eq!(common((4, 126), (4, 128)), (4, 126));
        assert_eq!(common((0, 1), (u128::MAX, 128)), (0, 0));
    }
}
