//! Plays a list of operations over a world, and looks after every step at what must hold.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::actor::{self, Planned, plain};
use super::book::{Shared, TimerBook};
use super::draw;
use super::model::{Seen, Verdict, must, tick};
use super::op::{Act, Op};
use crate::sim::{Faults, HostId, World};

/// Steps after which a run that should be over has failed to get there.
const MOST_STEPS: u64 = 300_000;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Played {
    pub(super) steps: u64,
    pub(super) trace: u64,
}

/// Draws the operations of a seed. What they are fitted to is the world that the seed makes.
pub(super) fn draw(seed: u64) -> Vec<Op> {
    let world = Player::new(seed).world;
    draw::operations(seed, world.hosts.len(), world.unit())
}

/// Plays these operations in the world of a seed.
pub(super) fn play(seed: u64, ops: &[Op]) -> Result<Played, String> {
    let mut player = Player::new(seed);
    let outcome = player.run(ops);
    let played = Played {
        steps: player.steps,
        trace: player.world.trace_hash(),
    };
    if outcome.is_err() {
        // What is broken could break again on its way out.
        std::mem::forget(player);
    }
    outcome.map(|()| played)
}

struct Player {
    world: World,
    shared: Shared,
    watched: Vec<Watched>,
    steps: u64,
}

/// What is known of one host's loop.
#[derive(Clone, Copy, Default)]
struct Watched {
    turns: u64,
    /// Calls, events and callbacks so far: what a turn that does something adds to.
    work: u64,
    /// Turns in a row that did nothing and left the loop awake.
    idle_turns: usize,
    /// The last turn was cut short by a panic.
    cut_short: bool,
}

impl Player {
    fn new(seed: u64) -> Player {
        let mut world = World::seeded(seed);
        let hosts = 1 + (seed % 3) as usize;
        for host in 0..hosts {
            world.host(&host.to_string());
        }
        Player {
            world,
            shared: Shared::new(seed),
            watched: vec![Watched::default(); hosts],
            steps: 0,
        }
    }

    fn run(&mut self, ops: &[Op]) -> Verdict {
        for op in ops {
            if let Op::On(kind, first, times, deed) = *op {
                let reaction = (kind, first, times, deed);
                self.shared.with(|book| book.reactions.push(reaction));
            }
        }
        for op in ops {
            self.apply(*op)?;
            self.broken()?;
        }
        self.come_to_rest()?;
        self.end_gracefully()?;
        self.close_all()
    }

    fn apply(&mut self, op: Op) -> Verdict {
        match op {
            Op::On(..) => {}
            Op::Do(host, deed) => self.act(host, |shared, net, host| {
                actor::perform(shared, net, host, None, deed);
            })?,
            Op::Steps(steps) => {
                for _ in 0..steps {
                    self.step(None)?;
                }
            }
            Op::Advance(millis) => {
                let end = self
                    .world
                    .now()
                    .saturating_add(Duration::from_millis(millis));
                while self.step(Some(end))? {}
            }
            Op::Partition(a, b) => {
                let (a, b) = (self.host(a), self.host(b));
                self.world.partition(a, b);
            }
            Op::Heal(a, b) => {
                let (a, b) = (self.host(a), self.host(b));
                self.world.heal(a, b);
            }
            Op::Descriptors(host, most) => {
                let host = self.host(host);
                self.world.limit_descriptors(host, most.map(usize::from));
            }
        }
        Ok(())
    }

    fn host(&self, host: u8) -> HostId {
        HostId(usize::from(host) % self.world.hosts.len())
    }

    /// Does something outside of any turn.
    fn act(&mut self, host: u8, act: impl FnOnce(&Shared, &mut crate::Net, usize)) -> Verdict {
        let host = self.host(host);
        let (world, shared) = (&mut self.world, &self.shared);
        guarded(|| act(shared, world.net(host), host.0))?;
        Ok(())
    }

    /// A step of the world, then a look at it. False if nothing happens any more, or not before
    /// `end`.
    fn step(&mut self, end: Option<Duration>) -> Result<bool, String> {
        self.steps += 1;
        must!(
            self.steps < MOST_STEPS,
            "I14, I17: no end to it, at {:?}",
            self.world.now()
        );
        let world = &mut self.world;
        let went_on = guarded(|| world.step_until(end))?;
        let cut_short = went_on.is_none();
        self.look(cut_short)?;
        Ok(went_on.unwrap_or(true))
    }

    fn run_until_quiet(&mut self) -> Verdict {
        while self.step(None)? {}
        Ok(())
    }

    fn look(&mut self, cut_short: bool) -> Verdict {
        self.broken()?;
        let mut turned = None;
        for (number, (watched, host)) in self.watched.iter_mut().zip(&self.world.hosts).enumerate()
        {
            let stats = host.reactor.net_ref().stats();
            if stats.turns == watched.turns {
                continue;
            }
            watched.turns = stats.turns;
            watched.cut_short = cut_short;
            let callbacks = self.shared.with(|book| book.callbacks);
            let work = stats.events + stats.syscalls.total() - stats.syscalls.poll + callbacks;
            let spins = work == watched.work && host.reactor.next_timeout() == Some(Duration::ZERO);
            watched.work = work;
            watched.idle_turns = if spins { watched.idle_turns + 1 } else { 0 };
            // Idle timeouts that only move on do so within a budget: one for each socket.
            let most = 3 + stats.sockets;
            let idle_turns = watched.idle_turns;
            must!(
                idle_turns <= most,
                "I17: host {number} turned {idle_turns} times for nothing"
            );
            turned = Some(number);
        }
        let Some(host) = turned else {
            return Ok(());
        };
        self.link(host);
        self.notice_destroyed(host);
        if !cut_short {
            self.nobody_overslept(host)?;
            let net = self.world.hosts[host].reactor.net_ref();
            guarded(|| net.assert_sound()).map_err(|what| format!("I19: {what}"))?;
        }
        Ok(())
    }

    fn broken(&self) -> Verdict {
        match self.shared.with(|book| book.broken.take()) {
            Some(what) => Err(what),
            None => Ok(()),
        }
    }

    /// A loop that would sleep now has run every timer that is due.
    fn nobody_overslept(&self, host: usize) -> Verdict {
        let reactor = &self.world.hosts[host].reactor;
        if reactor.next_timeout() == Some(Duration::ZERO) {
            return Ok(());
        }
        let now = tick(reactor.net_ref());
        self.shared.with(|book| {
            let late = |it: &&TimerBook| it.host == host && it.is_set && it.due.0 <= now;
            match book.timers.iter().find(late) {
                Some(it) => Err(format!("I23: at tick {now} {:?} has not run", it.due)),
                None => Ok(()),
            }
        })
    }

    /// Learns the addresses of clients whose connect has begun: by them a server's end finds its
    /// peer.
    fn link(&mut self, host: usize) {
        let net = self.world.hosts[host].reactor.net_ref();
        self.shared.with(|book| {
            for (number, end) in book.ends.iter().enumerate() {
                if end.host != host || end.connected || end.closed || end.peer.is_some() {
                    continue;
                }
                let stream = net
                    .sockets
                    .get(end.id.key)
                    .and_then(|it| it.stream.as_ref());
                if let Some(stream) = stream
                    && let Ok(address) = net.sys.local_address(stream)
                    && let Some(address) = address.as_inet()
                {
                    book.clients
                        .insert(plain(address.ip(), address.port()), number);
                }
            }
        });
    }

    fn notice_destroyed(&mut self, host: usize) {
        let net = self.world.hosts[host].reactor.net_ref();
        self.shared.with(|book| {
            for end in book
                .ends
                .iter_mut()
                .filter(|it| it.host == host && it.is_alive())
            {
                if let Some(entry) = net.sockets.get(end.id.key) {
                    end.notice(entry.lifecycle.is_destroyed(), entry.error().is_some());
                }
            }
        });
    }

    /// Heals everything, lets everybody read and write, and waits until nothing happens.
    fn come_to_rest(&mut self) -> Verdict {
        self.shared.with(|book| book.calm = true);
        self.world.set_faults(Faults::none());
        let hosts: Vec<HostId> = (0..self.world.hosts.len()).map(HostId).collect();
        for &a in &hosts {
            self.world.limit_descriptors(a, None);
            for &b in &hosts {
                self.world.heal(a, b);
            }
        }
        for end in self.alive() {
            self.to(end, Act::Resume)?;
            while self.seen(end)?.is_some_and(|(_, corked)| corked > 0) {
                self.to(end, Act::Uncork)?;
            }
        }
        self.run_until_quiet()?;
        for end in self.alive() {
            let Some((seen, _)) = self.seen(end)? else {
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
            for (number, it) in book.servers.iter().enumerate() {
                must!(
                    !it.open || it.listening,
                    "I22: server {number} was never told listening"
                );
            }
            Ok(())
        })
    }

    /// Ends every socket: what both ends agree on closes without an error.
    fn end_gracefully(&mut self) -> Verdict {
        let alive = self.alive();
        for end in &alive {
            self.to(*end, Act::End)?;
        }
        self.run_until_quiet()?;
        self.shared.with(|book| {
            for &end in &alive {
                let it = &book.ends[end];
                must!(it.closed, "I14: socket {end} was ended and never closed");
                if it.peer.is_some_and(|peer| alive.contains(&peer)) {
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
    fn close_all(&mut self) -> Verdict {
        for server in 0..self.shared.with(|book| book.servers.len()) {
            let (host, open) = self.shared.with(|book| {
                let it = &book.servers[server];
                (it.host as u8, it.open)
            });
            if open {
                self.act(host, |shared, net, _| {
                    actor::close_server(shared, net, server)
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

    fn alive(&self) -> Vec<usize> {
        self.shared.with(|book| {
            let alive = book.ends.iter().enumerate().filter(|(_, it)| it.is_alive());
            alive.map(|(number, _)| number).collect()
        })
    }

    fn to(&mut self, end: usize, act: Act) -> Verdict {
        let host = self.shared.with(|book| book.ends[end].host as u8);
        self.act(host, |shared, net, _| actor::act(shared, net, end, act))?;
        self.broken()
    }

    fn seen(&mut self, end: usize) -> Result<Option<(Seen, u32)>, String> {
        let (host, id) = self
            .shared
            .with(|book| (book.ends[end].host, book.ends[end].id));
        let world = &mut self.world;
        let seen = guarded(|| {
            let mut socket = world.net(HostId(host)).socket(id)?;
            let corked = socket.writable_corked();
            Some((Seen::of(&mut socket), corked))
        })?;
        Ok(seen.flatten())
    }
}

/// Calls the library: `None` after a panic that the list asked for.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<Option<T>, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) => Ok(Some(answer)),
        Err(panic) if panic.is::<Planned>() => Ok(None),
        Err(panic) => Err(match panic.downcast::<String>() {
            Ok(what) => *what,
            Err(panic) => match panic.downcast::<&str>() {
                Ok(what) => (*what).to_owned(),
                Err(_) => "a panic without words".to_owned(),
            },
        }),
    }
}

impl World {
    /// The least that a buffer, a segment or a budget of this world holds: how much it moves in one
    /// go, and so how much can be sent through it in a reasonable time.
    fn unit(&self) -> usize {
        let link = self.network.borrow().default_link.clone();
        let link = link
            .segment_bytes
            .min(link.send_buffer)
            .min(link.receive_buffer);
        let loops = self.hosts.iter().map(|host| {
            let limits = host.reactor.net_ref().limits;
            let read = limits.read_buffer_bytes.min(limits.read_bytes);
            read.min(limits.write_bytes)
        });
        loops.chain([link]).min().unwrap_or(link)
    }
}
