//! What must hold between two turns, checked for every socket, server, timer and work list.
//!
//! Not in a production build: tests and the simulated world ask for it.

use super::entry::SocketEntry;
use super::flags::Flags;
use super::ids::{Key, Target};
use super::notes::Note;
use super::{Net, idle};
use std::collections::BTreeMap;

impl Net {
    /// Checks that slabs, queues, counts and wheels agree with each other.
    ///
    /// Only between turns, and not after one that a panic cut short: inside a turn lists are half
    /// worked off.
    ///
    /// # Panics
    ///
    /// With what does not agree.
    pub(crate) fn assert_sound(&self) {
        let ready = standing("ready", self.ready.iter());
        let notes = standing("notes", self.notes.iter().copied());
        let closing = standing("closing", self.closing.iter().copied());
        assert!(self.freed.is_empty(), "a turn frees all that it has closed");
        assert_eq!(self.serving, None, "nobody is served between turns");
        assert!(
            self.gathered.is_closed(),
            "who gathers has a handler that runs"
        );

        let (mut alive, mut idle_entries) = (0, 0);
        let mut connections = BTreeMap::new();
        for (key, entry) in self.sockets.iter() {
            let target = Target::Socket(key).to_token();
            let place = |list: &BTreeMap<u64, usize>| list.get(&target).copied().unwrap_or(0);
            let flag = |flag| usize::from(entry.flags.contains(flag));
            assert_eq!(place(&ready), flag(Flags::IN_READY), "{key:?} in ready");
            assert_eq!(place(&notes), flag(Flags::IN_NOTES), "{key:?} in notes");
            let destroyed = entry.lifecycle.is_destroyed();
            assert_eq!(place(&closing), usize::from(destroyed), "{key:?} closing");
            entry.assert_sound(key, self.dirty.contains(&key));
            self.assert_pipes_sound(key, entry);
            alive += flag(Flags::COUNTED);
            if let Some(armed) = entry.idle_entry {
                idle_entries += 1;
                let owner = self.idle.owner(armed);
                assert_eq!(owner, key.index, "{key:?} has another's wheel entry");
                assert!(
                    self.idle.deadline(armed) <= idle::deadline(entry).max(self.tick + 1),
                    "{key:?} is looked at too late for its idle timeout"
                );
            }
            if !destroyed && entry.server.generation != 0 {
                *connections.entry(entry.server.index).or_insert(0) += 1;
            }
        }
        assert_eq!(idle_entries, self.idle.len(), "idle entries of nobody");

        for (key, attempt) in self.attempts.iter() {
            let socket = self.sockets.get(attempt.socket);
            let connecting = socket.and_then(|entry| entry.connecting());
            assert!(
                connecting.is_some_and(|it| it.has_attempt(key)),
                "attempt {key:?} of nobody"
            );
            let target = Target::Attempt(key).to_token();
            let in_ready = ready.get(&target).copied().unwrap_or(0);
            assert_eq!(in_ready, usize::from(attempt.in_ready), "attempt {key:?}");
        }

        for (key, server) in self.servers.iter() {
            let target = Target::Server(key).to_token();
            let place = |list: &BTreeMap<u64, usize>| list.get(&target).copied().unwrap_or(0);
            let open = connections.get(&key.index).copied().unwrap_or(0);
            assert_eq!(server.connections, open, "connections of server {key:?}");
            // One that was closed meanwhile is skipped when its place in the queue comes up.
            assert_eq!(
                place(&ready),
                usize::from(server.in_ready),
                "server {key:?}"
            );
            assert_eq!(
                place(&notes),
                usize::from(server.in_notes),
                "server {key:?}"
            );
            let done = !server.keeps_alive() && open == 0;
            assert_eq!(server.close_noted, done, "the close of server {key:?}");
            assert_eq!(place(&closing), usize::from(done), "server {key:?} closing");
            alive += usize::from(server.keeps_alive() && !server.unref);
        }
        alive += self.timers.assert_sound() + self.offloads.len();
        assert_eq!(alive, self.alive, "alive");
        self.idle.assert_in_time();
    }

    /// Checks that the two ends of each pipe know each other, and that whoever is held back will be
    /// let go.
    fn assert_pipes_sound(&self, key: Key, entry: &SocketEntry) {
        let pipes = |key| Some(&self.sockets.get(key)?.cold.as_ref()?.pipes);
        let Some(own) = pipes(key) else {
            assert!(!entry.latch.is_held_back(), "{key:?} is held back");
            return;
        };
        for &from in &own.from {
            let to = pipes(from).and_then(|pipes| Some(pipes.to.as_ref()?.to));
            assert_eq!(to, Some(key), "{from:?} is no source of {key:?}");
        }
        if let Some(partner) = own.partner {
            let other = pipes(partner).and_then(|pipes| pipes.partner);
            assert_eq!(other, Some(key), "the partner of {key:?}");
        }
        let to = own.to.as_ref().map(|pipe| pipe.to);
        if let Some(pipe) = &own.to {
            let from = pipes(pipe.to).map_or(&[][..], |pipes| &pipes.from);
            let times = from.iter().filter(|&&source| source == key).count();
            assert_eq!(times, 1, "{key:?} among the sources of {:?}", pipe.to);
            assert_eq!(from[pipe.at], key, "the place of {key:?} among them");
            assert!(entry.flags.contains(Flags::DIVERTED), "{key:?} is piped");
        }
        if entry.latch.is_held_back() && !entry.lifecycle.is_destroyed() {
            let owes_drain = |entry: &SocketEntry| entry.flags.contains(Flags::NEED_DRAIN);
            let waits = to.and_then(|to| self.sockets.get(to));
            assert!(waits.is_some_and(owes_drain), "{key:?} is held for ever");
        }
        let standing = !entry.lifecycle.is_destroyed();
        let nothing = to.is_none() && own.from.is_empty() && own.partner.is_none();
        assert!(standing || nothing, "{key:?} is destroyed with pipes");
    }

    /// Checks that nothing is left of anything: every socket, server and timer has had its end.
    pub(crate) fn assert_empty(&self) {
        assert_eq!(self.sockets.len(), 0, "sockets are left");
        assert_eq!(self.servers.len(), 0, "servers are left");
        assert_eq!(self.timers.len(), 0, "timers are left");
        assert_eq!(self.attempts.len(), 0, "attempts are left");
        assert_eq!(self.lookups.len(), 0, "lookups are left");
        assert_eq!(self.offloads.len(), 0, "work on other threads is left");
        assert!(!self.has_work(), "work is left");
        assert_eq!(self.alive, 0, "nothing is there to keep the loop going");
    }
}

/// How often each target stands in a work list.
fn standing(list: &str, targets: impl Iterator<Item = Target>) -> BTreeMap<u64, usize> {
    let mut standing = BTreeMap::new();
    for target in targets {
        let times = standing.entry(target.to_token()).or_insert(0);
        *times += 1;
        assert_eq!(*times, 1, "{target:?} stands in {list} more than once");
    }
    standing
}

impl SocketEntry {
    fn assert_sound(&self, key: Key, is_dirty: bool) {
        let lifecycle = self.lifecycle;
        let has = |flag| self.flags.contains(flag);
        assert!(self.bytes_written >= self.queue.len() as u64, "{key:?}");
        // What was noted while notes are told may have been told with them.
        let noted = self.notes.is_empty() || has(Flags::IN_NOTES);
        assert!(noted, "{key:?} has {:?} to be told and no turn", self.notes);
        if lifecycle.is_destroyed() {
            assert!(self.queue.is_empty(), "{key:?} is destroyed with a queue");
            assert!(!self.has_held(), "{key:?} is destroyed with held bytes");
            assert!(self.idle_entry.is_none() && self.idle_ms == 0, "{key:?}");
            return;
        }
        let waits_idle = self.idle_ms > 0 && !has(Flags::IDLE_TOLD);
        assert_eq!(self.idle_entry.is_some(), waits_idle, "{key:?} idle entry");
        if self.may_read() || self.has_held() && lifecycle.is_reading() && !self.latch.is_paused() {
            assert!(has(Flags::IN_READY), "{key:?} has input and no turn");
        }
        if !self.queue.is_empty() && self.may_send() {
            let turn = has(Flags::IN_READY) || has(Flags::DIRTY) && is_dirty;
            assert!(turn, "{key:?} has room for its queue and no turn");
        }
        if self.tells_written() {
            assert!(self.notes.contains(Note::Written), "{key:?} completions");
        }
        let drained = has(Flags::NEED_DRAIN) && self.queue.is_empty();
        if drained && !lifecycle.write_ended() {
            assert!(self.notes.contains(Note::Drain), "{key:?} drain");
        }
    }
}
