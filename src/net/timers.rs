//! Timers of the user's: once, again and again, and as soon as possible.
//!
//! The same wheel as for idle timeouts, in an instance of its own, so that neither counts against
//! the other's budget. A callback is taken out while it runs and may do anything, clear itself
//! included.

use super::ids::{Key, TimerId};
use super::slots::{Slots, Tenant};
use super::{NANOS_PER_TICK, Net};
use crate::time::{EntryId, Wheel};
use std::collections::VecDeque;
use std::time::Duration;

/// Runs once.
pub(crate) type Once = Box<dyn FnOnce(&mut Net)>;
/// Runs again and again.
pub(crate) type Every = Box<dyn FnMut(&mut Net)>;

/// The user's timers.
pub(crate) struct Timers {
    wheel: Wheel,
    slots: Slots<Timer>,
    immediates: VecDeque<Once>,
}

struct Timer {
    generation: u32,
    unref: bool,
    /// `None` while an interval's callback runs.
    armed: Option<EntryId>,
    work: Work,
}

enum Work {
    Once(Once),
    /// `None` while it runs.
    Every(Option<Every>, Duration),
}

/// A timer that is due, taken out to be run.
pub(crate) enum Due {
    Once(Once),
    /// To be given back by [`Net::rearm`], or dropped by [`Net::clear`].
    Every(Key, Every),
}

impl Tenant for Timer {
    fn generation(&self) -> u32 {
        self.generation
    }
}

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            wheel: Wheel::new(0),
            slots: Slots::new(),
            immediates: VecDeque::new(),
        }
    }

    /// Ticks at which something is due, or has to be looked at.
    pub(crate) fn next_wake(&self) -> Option<u64> {
        self.wheel.next_wake()
    }

    #[cfg(feature = "sim")]
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Checks that every timer has its own entry of the wheel and no entry is left over; answers
    /// how many keep the loop going.
    #[cfg(feature = "sim")]
    pub(crate) fn assert_sound(&self) -> usize {
        let mut alive = 0;
        for (key, timer) in self.slots.iter() {
            let armed = timer.armed.expect("a timer is armed unless it runs");
            assert_eq!(self.wheel.owner(armed), key.index, "timer {key:?}");
            alive += usize::from(!timer.unref);
        }
        assert_eq!(self.slots.len(), self.wheel.len(), "entries of no timer");
        self.wheel.assert_in_time();
        alive
    }

    pub(crate) fn immediates(&self) -> usize {
        self.immediates.len()
    }

    pub(crate) fn next_immediate(&mut self) -> Option<Once> {
        self.immediates.pop_front()
    }
}

impl Net {
    /// Calls `callback` once, `delay` from now.
    ///
    /// Never early, and late by no more than two milliseconds and the turn that is running
    /// ([`time`](crate::book::time)). A delay below one millisecond counts as one (Node's rule); one
    /// beyond the end of the clock never comes. The timer keeps the loop alive; see
    /// [`unref_timer`](Net::unref_timer).
    ///
    /// ```
    /// # fn main() -> netloop::Result<()> {
    /// use std::time::Duration;
    ///
    /// let mut reactor = netloop::Reactor::new()?;
    /// reactor.net().set_timeout(Duration::from_millis(5), |_net| println!("five later"));
    /// reactor.run()
    /// # }
    /// ```
    ///
    /// Node: [`setTimeout`](https://nodejs.org/api/timers.html#settimeoutcallback-delay-args).
    #[doc(alias = "setTimeout")]
    pub fn set_timeout(
        &mut self,
        delay: Duration,
        callback: impl FnOnce(&mut Net) + 'static,
    ) -> TimerId {
        self.add_timer(delay, Work::Once(Box::new(callback)))
    }

    /// Calls `callback` every `period`, for the first time one period from now.
    ///
    /// The next call is counted from the end of the last one, so calls never bunch up.
    /// As with [`set_timeout`](Net::set_timeout) the least is one millisecond.
    ///
    /// Node: [`setInterval`](https://nodejs.org/api/timers.html#setintervalcallback-delay-args).
    #[doc(alias = "setInterval")]
    pub fn set_interval(
        &mut self,
        period: Duration,
        callback: impl FnMut(&mut Net) + 'static,
    ) -> TimerId {
        self.add_timer(period, Work::Every(Some(Box::new(callback)), period))
    }

    /// Calls `callback` in the next turn, before any sleep.
    ///
    /// Called from inside a callback of the same kind, it waits for the turn after, so that sockets
    /// get theirs in between.
    ///
    /// Node: [`setImmediate`](https://nodejs.org/api/timers.html#setimmediatecallback-args).
    #[doc(alias = "setImmediate")]
    pub fn set_immediate(&mut self, callback: impl FnOnce(&mut Net) + 'static) {
        self.timers.immediates.push_back(Box::new(callback));
    }

    /// Stops a timer. One that has run, or was cleared already, is left in peace.
    ///
    /// Node: [`clearTimeout`](https://nodejs.org/api/timers.html#cleartimeouttimeout),
    /// `clearInterval`.
    #[doc(alias = "clearTimeout")]
    #[doc(alias = "clearInterval")]
    pub fn clear_timer(&mut self, id: TimerId) {
        if id.reactor == self.reactor {
            if planted!(StaleTimerId)
                && let Some(newcomer) = self.timers.slots.key_at(id.key.index)
            {
                self.clear(newcomer);
            }
            self.clear(id.key);
        }
    }

    /// Lets the loop end although this timer is still to come.
    ///
    /// Node: [`timeout.unref`](https://nodejs.org/api/timers.html#timeoutunref).
    #[doc(alias = "unref")]
    pub fn unref_timer(&mut self, id: TimerId) {
        self.set_timer_unref(id, true);
    }

    /// Takes [`unref_timer`](Net::unref_timer) back.
    #[doc(alias = "ref")]
    pub fn ref_timer(&mut self, id: TimerId) {
        self.set_timer_unref(id, false);
    }

    /// A timer of the loop's own, which does not keep it going.
    pub(super) fn set_alarm(
        &mut self,
        delay: Duration,
        ring: impl FnOnce(&mut Net) + 'static,
    ) -> TimerId {
        let alarm = self.set_timeout(delay, ring);
        self.unref_timer(alarm);
        alarm
    }

    fn add_timer(&mut self, delay: Duration, work: Work) -> TimerId {
        let deadline = self.deadline(delay);
        let Timers { wheel, slots, .. } = &mut self.timers;
        let key = slots.insert(|key| Timer {
            generation: key.generation,
            unref: false,
            armed: Some(wheel.arm(deadline, key.index)),
            work,
        });
        self.alive += 1;
        TimerId {
            key,
            reactor: self.reactor,
        }
    }

    /// The first tick at which `delay` has passed, or the least that counts; the clock is read
    /// anew, since the turn may have been running for a while.
    fn deadline(&mut self, delay: Duration) -> u64 {
        self.read_clock();
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        let at = self.now.saturating_add(nanos.max(NANOS_PER_TICK));
        if at == u64::MAX {
            return u64::MAX;
        }
        at.div_ceil(NANOS_PER_TICK)
    }

    /// Takes the next timer that is due at `tick`.
    pub(crate) fn next_timer(&mut self, tick: u64) -> Option<Due> {
        let Timers { wheel, slots, .. } = &mut self.timers;
        loop {
            let index = wheel.pop_due(tick)?;
            let Some(key) = slots.key_at(index) else {
                continue;
            };
            let Some(timer) = slots.get_mut(key) else {
                continue;
            };
            timer.armed = None;
            if let Work::Every(callback, _) = &mut timer.work {
                match callback.take() {
                    Some(callback) => return Some(Due::Every(key, callback)),
                    None => continue,
                }
            }
            if !timer.unref {
                self.alive -= 1;
            }
            if let Some(Timer {
                work: Work::Once(callback),
                ..
            }) = slots.remove(key)
            {
                return Some(Due::Once(callback));
            }
        }
    }

    /// Gives an interval's callback back, unless it cleared itself.
    pub(crate) fn rearm(&mut self, key: Key, callback: Every) {
        let Some(timer) = self.timers.slots.get(key) else {
            return;
        };
        let Work::Every(_, period) = timer.work else {
            return;
        };
        let deadline = self.deadline(period);
        let Timers { wheel, slots, .. } = &mut self.timers;
        if let Some(timer) = slots.get_mut(key) {
            timer.armed = Some(wheel.arm(deadline, key.index));
            timer.work = Work::Every(Some(callback), period);
        }
    }

    /// Drops a timer.
    pub(crate) fn clear(&mut self, key: Key) {
        let Some(timer) = self.timers.slots.remove(key) else {
            return;
        };
        if let Some(armed) = timer.armed
            && !planted!(ClearedTimerLeft)
        {
            self.timers.wheel.cancel(armed);
        }
        if !timer.unref {
            self.alive -= 1;
        }
    }

    fn set_timer_unref(&mut self, id: TimerId, unref: bool) {
        if id.reactor != self.reactor {
            return;
        }
        let Some(timer) = self.timers.slots.get_mut(id.key) else {
            return;
        };
        match (timer.unref, unref) {
            (false, true) => self.alive -= 1,
            (true, false) => self.alive += 1,
            (true, true) | (false, false) => {}
        }
        timer.unref = unref;
    }
}
