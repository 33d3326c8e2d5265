//! Numbers that no cache and no branch predictor can guess.

/// Spreads numbers over all of 64 bits (the finalizer of splitmix64): the same ones in each run.
pub(crate) fn spread(number: u64) -> u64 {
    let mut it = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    it = (it ^ it >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ it >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ it >> 31
}
