//! How a run ends: everything is healed, and what was asked for has to have happened; then everything
//! is closed, and nothing may be left.

use super::acts;
use super::deeds::close_server;
use super::model::{Verdict, must};
use super::op::Act;
use super::pipes;
use super::play::{Player, guarded};
use super::posts;
use super::seen::Seen;
use crate::sim::{Faults, HostId};

impl Player {
    /// Heals everything, lets everybody read and write, and waits until nothing happens.
    pub(super) fn come_to_rest(&mut self) -> Verdict {
        self.shared.with(|book| book.calm = true);
        self.world.set_faults(Faults::none());
        self.world.network.borrow_mut().reset_no_more();
        let hosts: Vec<HostId> = (0..self.world.hosts.len()).map(HostId).collect();
        for &a in &hosts {
            self.world.limit_descriptors(a, None);
            self.world.fail_no_more(a);
            for &b in &hosts {
                self.world.heal(a, b);
            }
        }
        for end in self.alive() {
            while self.seen(end)?.is_some_and(|it| it.corked > 0) {
                self.to(end, Act::Uncork)?;
            }
        }
        self.resume_all()?;
        for end in self.alive() {
            let Some(seen) = self.seen(end)? else {
                continue;
            };
            self.shared
                .with(|book| {
                    let it = &book.ends[end];
                    it.at_rest(&seen)?;
                    let peer = it.peer.map(|peer| &book.ends[peer]);
                    if let Some(peer) = peer.filter(|peer| peer.is_alive()) {
                        it.heard_all_of(peer)?;
                        must!(!peer.write_ended() || it.end_told, "I14: end never came");
                    }
                    Ok(())
                })
                .map_err(|what| format!("socket {end}: {what}"))?;
        }
        self.shared.with(|book| {
            let timers = book.timers.iter().filter(|it| it.is_set).count();
            must!(timers == 0, "I24: {timers} timers never came");
            must!(
                book.immediates == 0,
                "{} immediates never came",
                book.immediates
            );
            for (number, it) in book.mail.iter().enumerate() {
                must!(!it.is_owed(), "I30: mail of host {number} never came");
            }
            for (number, it) in book.servers.iter().enumerate() {
                must!(
                    !it.open || it.listening,
                    "I22: server {number} was never told listening"
                );
            }
            Ok(())
        })
    }

    /// Lets everybody read, and once more those whose pipe has ended meanwhile.
    fn resume_all(&mut self) -> Verdict {
        loop {
            self.run_until_quiet()?;
            let mut resumed = false;
            for end in self.alive() {
                if self.seen(end)?.is_some_and(|it| it.paused) {
                    resumed = true;
                    self.to(end, Act::Resume)?;
                }
            }
            if !resumed {
                return Ok(());
            }
        }
    }

    /// Ends every socket: what both ends agree on closes without an error.
    pub(super) fn end_gracefully(&mut self) -> Verdict {
        for end in self.alive() {
            let host = self.shared.with(|book| book.ends[end].host as u8);
            self.act(host, |shared, net, _| {
                pipes::unpipe(shared, net, end);
            })?;
        }
        self.resume_all()?;
        let alive = self.alive();
        // One side of a proxy may take the other along.
        let is_single = |it: &&usize| self.shared.with(|book| book.ends[**it].partner.is_none());
        let single: Vec<usize> = alive.iter().filter(is_single).copied().collect();
        for end in &alive {
            self.to(*end, Act::End)?;
        }
        self.run_until_quiet()?;
        self.shared.with(|book| {
            for &end in &alive {
                let it = &book.ends[end];
                must!(it.closed, "I14: socket {end} was ended and never closed");
                let is_single = |it: &usize| single.contains(it);
                if is_single(&end) && it.peer.as_ref().is_some_and(is_single) {
                    must!(
                        it.errors == 0 && it.end_told,
                        "I7: socket {end} ended with an error"
                    );
                }
            }
            Ok(())
        })
    }

    /// Closes what is left, and looks whether anything is.
    pub(super) fn close_all(&mut self) -> Verdict {
        for server in 0..self.shared.with(|book| book.servers.len()) {
            let (host, open) = self.shared.with(|book| {
                let it = &book.servers[server];
                (it.host as u8, it.open)
            });
            if open {
                self.act(host, |shared, net, _| {
                    close_server(shared, net, server);
                })?;
            }
        }
        self.run_until_quiet()?;
        self.shared.with(|book| {
            for (number, it) in book.ends.iter().enumerate() {
                must!(it.closed, "I1: socket {number} was never closed");
                must!(
                    it.unsettled() == 0,
                    "I8: socket {number} has completions to come"
                );
            }
            for (number, it) in book.servers.iter().enumerate() {
                must!(it.closed, "I22: server {number} was never closed");
            }
            Ok(())
        })?;
        for host in 0..self.world.hosts.len() {
            let open = self.world.open_descriptors(HostId(host));
            must!(open.is_empty(), "I18: host {host} leaks {open:?}");
            let net = self.world.hosts[host].reactor.net_ref();
            guarded(|| net.assert_empty()).map_err(|what| format!("I20: host {host}: {what}"))?;
        }
        Ok(())
    }

    /// The loops go: what is posted to them from now on comes back, and nothing is run any more.
    pub(super) fn end_loops(&mut self) -> Verdict {
        let hosts = 0..self.world.hosts.len();
        for host in hosts.clone() {
            posts::knock(&self.shared, host);
            self.shared.with(|book| book.mail[host].loop_goes());
        }
        self.world.hosts.clear();
        for host in hosts {
            posts::knock(&self.shared, host);
        }
        self.broken()
    }

    fn alive(&self) -> Vec<usize> {
        self.shared.with(|book| {
            let alive = book.ends.iter().enumerate().filter(|(_, it)| it.is_alive());
            alive.map(|(number, _)| number).collect()
        })
    }

    fn to(&mut self, end: usize, act: Act) -> Verdict {
        let host = self.shared.with(|book| book.ends[end].host as u8);
        self.act(host, |shared, net, _| acts::act(shared, net, end, act))?;
        self.broken()
    }

    fn seen(&mut self, end: usize) -> Result<Option<Seen>, String> {
        let (host, id) = self
            .shared
            .with(|book| (book.ends[end].host, book.ends[end].id));
        let world = &mut self.world;
        let seen = guarded(|| {
            let mut socket = world.net(HostId(host)).socket(id)?;
            Some(Seen::of(&mut socket))
        })?;
        Ok(seen.flatten())
    }
}
