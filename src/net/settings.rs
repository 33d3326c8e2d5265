//! Settings of a socket that the kernel keeps: when it sends and acknowledges, how it probes, what its
//! packets ask for.
//!
//! Before a connect has begun there is no descriptor to set them on: they are remembered, and
//! applied once with it (R14). A setting that the kernel refuses is no reason to lose a connection
//! (A14).

use super::Net;
use super::entry::SocketEntry;
use super::flags::Flags;
use super::ids::Key;
use crate::options::{SocketOptions, keep_alive_delay, water_mark};
use crate::sys::Sys;
use std::time::Duration;

impl Net {
    pub(super) fn set_no_delay(&mut self, key: Key, no_delay: bool) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if let Some(settings) = entry.settings_mut() {
            settings.no_delay = no_delay;
        } else if entry.flags.contains(Flags::NO_DELAY) != no_delay {
            entry.apply_no_delay(no_delay, &mut self.sys); // only a change is worth a system call
        }
    }

    pub(super) fn set_quick_ack(&mut self, key: Key, quick_ack: bool) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if let Some(settings) = entry.settings_mut() {
            settings.quick_ack = Some(quick_ack);
        } else {
            // Whether it is a change, only the kernel knows.
            entry.apply_quick_ack(quick_ack, &mut self.sys);
        }
    }

    pub(super) fn set_not_sent_low_water_mark(&mut self, key: Key, bytes: usize) {
        let bytes = water_mark(bytes);
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if let Some(settings) = entry.settings_mut() {
            settings.not_sent_low_water_mark = bytes;
        } else {
            entry.apply_not_sent_low_water_mark(bytes, &mut self.sys);
        }
    }

    pub(super) fn set_keep_alive(&mut self, key: Key, enable: bool, initial_delay: Duration) {
        let delay = keep_alive_delay(initial_delay);
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if let Some(settings) = entry.settings_mut() {
            settings.keep_alive = enable;
            settings.keep_alive_initial_delay = delay;
        } else {
            entry.apply_keep_alive(enable, delay, &mut self.sys);
        }
    }

    pub(super) fn set_type_of_service(&mut self, key: Key, value: u8) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if let Some(settings) = entry.settings_mut() {
            settings.type_of_service = Some(value);
        } else {
            entry.apply_type_of_service(value, &mut self.sys);
        }
    }

    pub(super) fn type_of_service(&self, key: Key) -> Option<u8> {
        let entry = self.sockets.get(key)?;
        match &entry.stream {
            Some(stream) => self.sys.type_of_service(stream).ok(),
            None => entry.connecting()?.options.type_of_service,
        }
    }
}

impl SocketEntry {
    /// Gives a fresh descriptor the settings that differ from the system's own.
    pub(super) fn apply(&mut self, options: &SocketOptions, sys: &mut Sys) {
        if options.no_delay {
            self.apply_no_delay(true, sys);
        }
        if let Some(quick_ack) = options.quick_ack {
            self.apply_quick_ack(quick_ack, sys);
        }
        if options.not_sent_low_water_mark > 0 {
            self.apply_not_sent_low_water_mark(options.not_sent_low_water_mark, sys);
        }
        if options.keep_alive {
            self.apply_keep_alive(true, options.keep_alive_initial_delay, sys);
        }
    }

    /// Not one of those: a descriptor has it before it connects, so that the first packet has it as well.
    pub(super) fn apply_type_of_service(&mut self, value: u8, sys: &mut Sys) {
        if let Some(stream) = self.stream.as_ref()
            && !self.lifecycle.is_destroyed()
            && let Err(error) = sys.set_type_of_service(stream, value)
        {
            log::debug!("{stream:?}: type of service: {error}");
        }
    }

    fn apply_no_delay(&mut self, no_delay: bool, sys: &mut Sys) {
        let Some(stream) = self.stream.as_ref() else {
            return;
        };
        if self.lifecycle.is_destroyed() {
            return;
        }
        match sys.set_no_delay(stream, no_delay) {
            Ok(()) if no_delay => self.flags.insert(Flags::NO_DELAY),
            Ok(()) => self.flags.remove(Flags::NO_DELAY),
            Err(error) => log::debug!("{stream:?}: no-delay: {error}"),
        }
    }

    fn apply_quick_ack(&mut self, quick_ack: bool, sys: &mut Sys) {
        if let Some(stream) = self.stream.as_ref()
            && !self.lifecycle.is_destroyed()
            && let Err(error) = sys.set_quick_ack(stream, quick_ack)
        {
            log::debug!("{stream:?}: quick acknowledgements: {error}");
        }
    }

    fn apply_not_sent_low_water_mark(&mut self, bytes: u32, sys: &mut Sys) {
        if let Some(stream) = self.stream.as_ref()
            && !self.lifecycle.is_destroyed()
            && let Err(error) = sys.set_not_sent_low_water_mark(stream, bytes)
        {
            log::debug!("{stream:?}: low-water mark of what is not sent: {error}");
        }
    }

    fn apply_keep_alive(&mut self, enable: bool, initial_delay: Duration, sys: &mut Sys) {
        let Some(stream) = self.stream.as_ref() else {
            return;
        };
        if self.lifecycle.is_destroyed() {
            return;
        }
        let seconds = u32::try_from(initial_delay.as_secs()).ok();
        let seconds = seconds.filter(|&seconds| seconds > 0); // 0 leaves the system's
        if let Err(error) = sys.set_keep_alive(stream, enable, seconds) {
            log::debug!("{stream:?}: keep-alive: {error}");
        }
    }
}
