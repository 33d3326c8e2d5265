//! The knobs of a loop, turned as far down as they go.

use super::dice::Dice;
use crate::net::Limits;

/// Limits with which each phase of a turn has to leave something for the next one. Each knob stays
/// where it was in half of the draws.
pub(super) fn tight(dice: &mut Dice) -> Limits {
    let mut limits = Limits::default();
    let mut knob = |knob: &mut usize, smallest: usize, largest: usize| {
        if dice.chance(0.5) {
            *knob = dice.size(smallest..=largest);
        }
    };
    knob(&mut limits.events, 1, 4);
    knob(&mut limits.read_buffer_bytes, 1, 4096);
    knob(&mut limits.reads, 1, 4);
    knob(&mut limits.read_bytes, 1, 4096);
    knob(&mut limits.write_bytes, 1, 4096);
    knob(&mut limits.accepts, 1, 4);
    knob(&mut limits.timers, 1, 4);
    knob(&mut limits.idle_timeouts, 1, 4);
    knob(&mut limits.direct_write_bytes, 1, 64);
    knob(&mut limits.queued_posts, 1, 4);
    knob(&mut limits.posts, 1, 4);
    if dice.chance(0.5) {
        limits.full_batches = dice.pick(0..=4) as u32;
    }
    limits
}
