//! Plays a list of operations over a world, and looks after every step at what must hold.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::actor::Planned;
use super::book::{Book, Shared, TimerBook};
use super::deeds::{names, perform, plain};
use super::draw;
use super::model::{Verdict, must, tick};
use super::op::Op;
use super::pipes;
use super::posts::MailBook;
use super::tally::Tally;
use crate::sim::{HostId, World};

/// Steps after which a run that should be over has failed to get there.
const MOST_STEPS: u64 = 300_000;

/// How often a timer can wake a loop before it is due, at most.
const WHEEL_LEVELS: u64 = 11;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Played {
    pub(super) tally: Tally,
    trace: u64,
}

/// Draws the operations of a seed. What they are fitted to is the world that the seed makes.
pub(super) fn draw(seed: u64) -> Vec<Op> {
    draw::operations(seed, &World::seeded(seed))
}

/// Plays these operations in the world of a seed.
pub(super) fn play(seed: u64, ops: &[Op]) -> Result<Played, String> {
    let mut player = Player::new(seed);
    let outcome = player.run(ops);
    let tally = |book: &mut Book| Tally::of_run(player.steps, book.happened());
    let played = Played {
        tally: player.shared.with(tally),
        trace: player.world.trace_hash(),
    };
    if outcome.is_err() {
        // What is broken could break again on its way out.
        std::mem::forget(player);
    }
    outcome.map(|()| played)
}

pub(super) struct Player {
    pub(super) world: World,
    pub(super) shared: Shared,
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
    /// All turns that did nothing, of those that nothing but the loop itself asked for.
    empty_turns: u64,
    /// The last turn was cut short by a panic.
    cut_short: bool,
}

impl Player {
    fn new(seed: u64) -> Player {
        let mut player = Player {
            world: World::seeded(seed),
            shared: Shared::new(seed),
            watched: Vec::new(),
            steps: 0,
        };
        player.add_host();
        player
    }

    fn add_host(&mut self) {
        self.world.host(&names(self.watched.len()).one);
        self.watched.push(Watched::default());
        self.shared.with(|book| book.mail.push(MailBook::default()));
        let hosts = self.watched.len();
        for last in 0..hosts {
            let others = (0..hosts).filter(|it| *it != last);
            let ips = others.chain([last]).map(|it| self.world.ip(HostId(it)));
            self.world.set_addresses(&names(last).last, ips.collect());
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
        self.close_all()?;
        self.end_loops()
    }

    fn apply(&mut self, op: Op) -> Verdict {
        match op {
            Op::On(..) => {}
            Op::Do(host, deed) => self.act(host, |shared, net, host| {
                perform(shared, net, host, None, deed);
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
            Op::Host => self.add_host(),
            Op::Buffers(a, b, send, receive) => {
                let (a, b) = (self.host(a), self.host(b));
                let link = self.world.network.borrow().default_link.clone();
                let link = link.send_buffer(send as usize);
                self.world
                    .set_link(a, b, &link.receive_buffer(receive as usize));
            }
            Op::ResetAt(from, to, byte) => {
                let (from, to) = (self.host(from), self.host(to));
                self.world.reset_at(from, to, byte);
            }
            Op::FailCalls(host, call, errno, times) => {
                let host = self.host(host);
                self.world.fail_calls(host, call, errno, times.into());
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
    pub(super) fn act(
        &mut self,
        host: u8,
        act: impl FnOnce(&Shared, &mut crate::Net, usize),
    ) -> Verdict {
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

    pub(super) fn run_until_quiet(&mut self) -> Verdict {
        while self.step(None)? {}
        Ok(())
    }

    fn look(&mut self, cut_short: bool) -> Verdict {
        self.broken()?;
        let wakes_for_nothing = {
            let faults = &self.world.network.borrow().faults;
            faults.idle_wakeups > 0.0 || faults.interrupts > 0.0
        };
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
            let empty = work == watched.work && !wakes_for_nothing;
            watched.empty_turns += u64::from(empty);
            watched.work = work;
            watched.idle_turns = if spins { watched.idle_turns + 1 } else { 0 };
            // Idle timeouts that only move on do so within a budget: one for each socket.
            let most = 3 + stats.sockets;
            let idle_turns = watched.idle_turns;
            must!(
                idle_turns <= most,
                "I17: host {number} turned {idle_turns} times for nothing"
            );
            // Whatever is done may arm one timer, which wakes the loop once a level of the wheel.
            must!(
                watched.empty_turns <= WHEEL_LEVELS * (1 + work),
                "I16: host {number} woke up {} times for nothing",
                watched.empty_turns
            );
            // The poller lets go of a descriptor before its slot is free.
            must!(
                stats.stale_events == 0,
                "I4: host {number} was told of a socket that is gone"
            );
            turned = Some(number);
        }
        self.mail_is_heeded(turned.map(|host| (host, cut_short)))?;
        let Some(host) = turned else {
            return Ok(());
        };
        self.link(host);
        self.notice_destroyed(host);
        self.pipes_hold(host)?;
        if !cut_short {
            self.nobody_overslept(host)?;
            let net = self.world.hosts[host].reactor.net_ref();
            guarded(|| net.assert_sound()).map_err(|what| format!("I19: {what}"))?;
        }
        Ok(())
    }

    /// What was piped on this host has arrived where it was piped to.
    fn pipes_hold(&mut self, host: usize) -> Verdict {
        let net = self.world.hosts[host].reactor.net_ref();
        let piped = self.shared.with(|book| {
            let here = |it: &usize| book.ends[*it].host == host && book.ends[*it].pipe.is_some();
            (0..book.ends.len()).filter(here).collect::<Vec<_>>()
        });
        for from in piped {
            pipes::settle(&self.shared, net, from);
        }
        self.shared.check(|book| book.no_partner_is_left(host));
        self.broken()
    }

    /// What was posted keeps its loop going, and is run soon. `turned` is the host that had a turn,
    /// with whether a panic cut it short.
    fn mail_is_heeded(&mut self, turned: Option<(usize, bool)>) -> Verdict {
        let (world, watched) = (&self.world, &self.watched);
        self.shared.with(|book| {
            for (number, mail) in book.mail.iter_mut().enumerate() {
                if turned.is_some_and(|(host, _)| host == number) {
                    let cut_short = turned.is_some_and(|(_, cut_short)| cut_short);
                    mail.turned(watched[number].turns, cut_short)
                        .map_err(|what| format!("{what} on host {number}"))?;
                }
                must!(
                    !mail.is_owed() || world.hosts[number].reactor.is_alive(),
                    "I30: with mail to come host {number} would go"
                );
            }
            Ok(())
        })
    }

    pub(super) fn broken(&self) -> Verdict {
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

    /// Learns the addresses from which clients try to connect: by them a server's end finds its
    /// peer. Of several attempts only one comes to be a connection.
    fn link(&mut self, host: usize) {
        let net = self.world.hosts[host].reactor.net_ref();
        self.shared.with(|book| {
            let mut found = Vec::new();
            for (number, end) in book.ends.iter().enumerate() {
                let waits = !end.connected && !end.closed;
                if end.host != host || !waits {
                    continue;
                }
                let key = end.id.key;
                let its = net.sockets.get(key).and_then(|it| it.stream.as_ref());
                let tried = net.attempts.iter().filter(|(_, it)| it.socket == key);
                for stream in tried.map(|(_, it)| &it.stream).chain(its) {
                    let address = net.sys.local_address(stream).ok();
                    found.extend(address.and_then(|it| it.as_inet()).map(|it| (it, number)));
                }
            }
            for (address, number) in found {
                book.clients
                    .insert(plain(address.ip(), address.port()), number);
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
}

/// Calls the library: `None` after a panic that the list asked for.
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Result<Option<T>, String> {
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
