//! The world: hosts, what connects them, and the one clock that they share.

use std::cell::RefCell;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use super::budgets;
use super::dice::Dice;
use super::faults::Faults;
use super::injection::Call;
use super::kernel::HostKernel;
use super::link::Link;
use super::names::{Names, WorldResolver};
use super::network::{Network, nanos};
use super::trace::Kind;
use crate::net::Limits;
use crate::sys::Sys;
use crate::{Net, Reactor};

/// Steps after which a world that should have become quiet has failed to.
const MOST_STEPS: u64 = 2_000_000;
/// How much too late a process that was stopped goes on.
const JUMPS: [Duration; 4] = [
    Duration::from_nanos(1),
    Duration::from_millis(1),
    Duration::from_secs(1),
    Duration::from_secs(24 * 60 * 60),
];

/// Names a host of one world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostId(pub(super) usize);

/// A world of hosts in virtual time. See the [module's documentation](super).
pub struct World {
    pub(super) network: Rc<RefCell<Network>>,
    pub(super) hosts: Vec<Host>,
    names: Rc<RefCell<Names>>,
    seed: u64,
    steps: u64,
}

/// A host: its name, and its loop.
pub(super) struct Host {
    name: String,
    pub(super) reactor: Reactor,
    /// It has said how long it would sleep, and nobody has called it since: from now on only what
    /// its poller can see wakes it.
    asleep: bool,
}

impl World {
    /// A world whose faults, links and budgets are all drawn from the seed: a swarm, in which whole
    /// classes of faults are absent, others frequent.
    pub fn seeded(seed: u64) -> World {
        let mut dice = Dice::new(seed);
        let mut faults = Faults::drawn(&mut dice);
        faults.draw_names(&mut Dice::new(seed ^ 0x6c6f_6f6b_7570));
        let link = Link::drawn(&mut dice);
        World::build(seed, faults, link, dice)
    }

    /// A world with these faults and the default [`Link`]; the seed decides when they strike.
    pub fn with_faults(seed: u64, faults: Faults) -> World {
        World::build(seed, faults, Link::default(), Dice::new(seed))
    }

    fn build(seed: u64, faults: Faults, link: Link, dice: Dice) -> World {
        let network = Network::new(seed, faults, link, dice);
        World {
            network: Rc::new(RefCell::new(network)),
            hosts: Vec::new(),
            names: Rc::new(RefCell::new(Names::new(seed))),
            seed,
            steps: 0,
        }
    }

    /// The number that repeats this run.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What goes wrong from now on. [`Faults::none`] heals the world; what is broken stays broken.
    pub fn set_faults(&mut self, faults: Faults) {
        self.network.borrow_mut().faults = faults;
    }

    /// What goes wrong now.
    pub fn faults(&self) -> Faults {
        self.network.borrow().faults.clone()
    }

    // Hosts.

    /// Adds a host. The first one has the address 10.0.0.1, the next one 10.0.0.2, and so on; each
    /// has 127.0.0.1 for itself.
    pub fn host(&mut self, name: &str) -> HostId {
        let (host, limits) = self.add_host();
        let kernel = HostKernel::new(Rc::clone(&self.network), host, limits.events);
        let mut reactor = Reactor::on(Sys::with_kernel(Box::new(kernel)), limits);
        reactor.net().set_resolver(WorldResolver {
            names: Rc::clone(&self.names),
            network: Rc::clone(&self.network),
        });
        self.hosts.push(Host {
            name: name.to_owned(),
            reactor,
            asleep: false,
        });
        self.set_addresses(name, vec![self.ip(HostId(host))]);
        HostId(host)
    }

    /// What `name` is looked up to on every host, from the next lookup on; without addresses nothing
    /// is found. A host's own name is known from the beginning, `localhost` is not.
    ///
    /// Lookups are late, lost, failed or full of strangers as the [`Faults`] say.
    ///
    /// ```
    /// use netloop::sim::{Faults, World};
    /// use netloop::{Event, handler_fn};
    ///
    /// let mut world = World::with_faults(1, Faults::none());
    /// let (server, client) = (world.host("server"), world.host("client"));
    /// world.net(server).listen(80, |_| handler_fn(|_, _| ())).unwrap();
    /// world.set_addresses("www.example", vec![[10, 9, 9, 9].into(), world.ip(server)]);
    /// for name in ["server", "www.example"] {
    ///     world.net(client).connect((name, 80), handler_fn(|socket, event| {
    ///         if let Event::Ready = event {
    ///             socket.destroy();
    ///         }
    ///     })).unwrap();
    /// }
    /// world.run_until_quiet();
    /// assert!(world.open_descriptors(client).is_empty());
    /// ```
    pub fn set_addresses(&mut self, name: &str, addresses: Vec<IpAddr>) {
        self.names.borrow_mut().set(name, addresses);
    }

    /// A host as it was drawn, with no loop yet.
    pub(super) fn add_host(&self) -> (usize, Limits) {
        let network = &mut *self.network.borrow_mut();
        let dice = &mut network.dice;
        let limits = match dice.chance(network.faults.tight_budgets) {
            true => budgets::tight(dice),
            false => Limits::default(),
        };
        let clock_offset = match dice.chance(network.faults.late_clocks) {
            true => late_clock(dice),
            false => 0,
        };
        (network.add_host(clock_offset), limits)
    }

    /// What a handler on this host may reach: to listen, to connect, to set timers.
    pub fn net(&mut self, host: HostId) -> &mut Net {
        let host = &mut self.hosts[host.0];
        host.asleep = false;
        host.reactor.net()
    }

    /// The host's address, for its peers.
    pub fn ip(&self, host: HostId) -> IpAddr {
        Network::address_of(host.0).into()
    }

    /// The host's address with a port.
    pub fn address(&self, host: HostId, port: u16) -> SocketAddr {
        (self.ip(host), port).into()
    }

    /// The name that the host was given.
    pub fn name(&self, host: HostId) -> &str {
        &self.hosts[host.0].name
    }

    /// What the host has open, in words: a listener or a stream a line, with its descriptor. Empty
    /// when everything was closed.
    pub fn open_descriptors(&self, host: HostId) -> Vec<String> {
        self.network.borrow().open_descriptors(host.0)
    }

    /// How many descriptors the host may have open; `None`, as in the beginning: any number.
    pub fn limit_descriptors(&mut self, host: HostId, most: Option<usize>) {
        self.network.borrow_mut().limit_descriptors(host.0, most);
    }

    // What happens to links and calls by the test's own word.

    /// The link between two hosts, in both directions, for what is sent from now on.
    pub fn set_link(&mut self, a: HostId, b: HostId, link: &Link) {
        self.network.borrow_mut().set_link(a.0, b.0, link);
    }

    /// The link between all hosts that have not exchanged anything yet, and were given none.
    pub fn set_default_link(&mut self, link: Link) {
        self.network.borrow_mut().default_link = link;
    }

    /// Nothing gets from one host to the other any more. What is sent waits, as it does where TCP
    /// sends it again and again, until [`heal`](World::heal).
    pub fn partition(&mut self, a: HostId, b: HostId) {
        self.network.borrow_mut().set_cut(a.0, b.0, true);
    }

    /// Takes [`partition`](World::partition) back.
    pub fn heal(&mut self, a: HostId, b: HostId) {
        self.network.borrow_mut().set_cut(a.0, b.0, false);
    }

    /// Resets the connection that carries byte number `byte`, counted from 0, of all that goes from
    /// one host to the other: the bytes before it arrive, it does not.
    pub fn reset_at(&mut self, from: HostId, to: HostId, byte: u64) {
        self.network.borrow_mut().reset_at(from.0, to.0, byte);
    }

    /// Lets the next so many calls of this kind on this host fail with this errno.
    ///
    /// ```
    /// use netloop::sim::{Call, Faults, World};
    ///
    /// let mut world = World::with_faults(1, Faults::none());
    /// let server = world.host("server");
    /// world.fail_calls(server, Call::Accept, 24 /* EMFILE */, 3);
    /// ```
    pub fn fail_calls(&mut self, host: HostId, call: Call, errno: i32, times: u64) {
        let mut network = self.network.borrow_mut();
        network.script(host.0).fail_calls(call, errno, times);
    }

    /// How many calls that can fail this host has made.
    #[cfg(test)]
    pub(super) fn fallible_calls(&self, host: HostId) -> u64 {
        self.network.borrow_mut().script(host.0).calls()
    }

    /// The calls that can fail which this host has made, from the `first`-th on.
    #[cfg(test)]
    pub(super) fn calls_made(&self, host: HostId, first: u64) -> Vec<Call> {
        self.network.borrow_mut().script(host.0).made(first)
    }

    /// Lets no call fail any more that was to, by its place or by its kind.
    pub(super) fn fail_no_more(&self, host: HostId) {
        self.network.borrow_mut().script(host.0).fail_no_more();
    }

    /// Sends a signal to the process of a host. `false` if nobody there listens to it
    /// ([`Net::on_signal`]): then it does nothing here, where a real one does what it does by default.
    #[cfg(feature = "signal")]
    pub fn raise_signal(&mut self, host: HostId, signal: i32) -> bool {
        self.network.borrow_mut().signals(host.0).raise(signal)
    }

    // Running.

    /// The time since the world began. Hosts' clocks may have begun elsewhere.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.network.borrow().now)
    }

    /// Does the next thing: a turn of a loop that has something to do or, when all are asleep, lets
    /// time pass until something happens. `false` if nothing ever will.
    ///
    /// # Panics
    ///
    /// When a loop sleeps through something (see
    /// [`check_no_lost_wakeups`](World::check_no_lost_wakeups)), when one uses a descriptor that it
    /// does not hold, and with a panic of a handler's.
    pub fn step(&mut self) -> bool {
        self.step_until(None)
    }

    /// Steps until nothing happens any more by itself. Servers may listen, and sockets be open: all
    /// that matters is that nothing is on its way and no timer is set.
    ///
    /// # Panics
    ///
    /// As [`step`](World::step), and when there is no end to it.
    pub fn run_until_quiet(&mut self) {
        let first = self.steps;
        while self.step() {
            if self.steps - first > MOST_STEPS {
                self.fail(format_args!(
                    "not quiet after {MOST_STEPS} steps and {:?}",
                    self.now()
                ));
            }
        }
    }

    /// Steps until this much time has passed. A fault that stops the process may make it more.
    ///
    /// # Panics
    ///
    /// As [`step`](World::step), and when time does not get on.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now().saturating_add(time);
        let first = self.steps;
        while self.step_until(Some(end)) {
            if self.steps - first > MOST_STEPS {
                self.fail(format_args!(
                    "{MOST_STEPS} steps, and still {:?}",
                    self.now()
                ));
            }
        }
    }

    /// Everything that has happened, as one number: every call of every loop with its answer, every
    /// event, every byte. The same seed and the same program give the same number on every machine.
    pub fn trace_hash(&self) -> u64 {
        self.network.borrow().trace.hash()
    }

    /// As [`step`](World::step); time does not pass beyond `end`, and there `false` is the answer.
    pub(super) fn step_until(&mut self, end: Option<Duration>) -> bool {
        self.steps += 1;
        if let Some(host) = self.next_host() {
            self.turn(host);
            return true;
        }
        self.check_no_lost_wakeups();
        self.pass_time(end)
    }

    /// A host whose loop would not sleep: it has work, or a poll would find something.
    fn next_host(&mut self) -> Option<usize> {
        let mut network = self.network.borrow_mut();
        let mut awake = Vec::new();
        for host in 0..self.hosts.len() {
            if network.has_events(host) {
                awake.push(host);
            }
        }
        drop(network); // a loop looks at its clock to know how long it may sleep
        for host in 0..self.hosts.len() {
            let it = &mut self.hosts[host];
            let sleeps = it.reactor.next_timeout() != Some(Duration::ZERO);
            if sleeps {
                it.asleep = true;
            } else if !awake.contains(&host) {
                if it.asleep && it.reactor.net_ref().has_mail() {
                    self.fail(format_args!(
                        "a lost wakeup on host {host}: a post rings no bell"
                    ));
                }
                awake.push(host);
            }
        }
        let mut network = self.network.borrow_mut();
        match awake.len() {
            0 => {}
            1 => return awake.pop(),
            _ => return Some(network.dice.one_of(&awake)),
        }
        let idle_wakeups = network.faults.idle_wakeups;
        let wakes = !self.hosts.is_empty() && network.dice.chance(idle_wakeups);
        wakes.then(|| network.dice.size(0..=self.hosts.len() - 1))
    }

    fn turn(&mut self, host: usize) {
        let mut network = self.network.borrow_mut();
        let now = network.now;
        network.trace.note(Kind::Turn, host, now, 0);
        drop(network);
        self.hosts[host].asleep = false;
        if let Err(error) = self.hosts[host].reactor.turn(Some(Duration::ZERO)) {
            let name = &self.hosts[host].name;
            self.fail(format_args!("the loop of {name} cannot go on: {error}"));
        }
    }

    /// Everybody is asleep: moves the clock to whatever comes first.
    fn pass_time(&mut self, end: Option<Duration>) -> bool {
        let sleeps = self.hosts.iter().map(|it| it.reactor.next_timeout());
        let shortest = sleeps.flatten().min();
        let mut network = self.network.borrow_mut();
        let timer = shortest.map(|it| network.now.saturating_add(nanos(it)));
        let next = network.next_happening().into_iter().chain(timer).min();
        let end = end.map(nanos);
        let target = match (next, end) {
            (Some(next), Some(end)) if next > end => None,
            (next, _) => next,
        };
        let Some(mut target) = target else {
            network.advance_to(end.unwrap_or(0));
            return false;
        };
        let jumps = network.faults.time_jumps;
        if network.dice.chance(jumps) {
            let jump = network.dice.one_of(&JUMPS);
            target = target.saturating_add(nanos(jump));
        }
        network.advance_to(target);
        let now = network.now;
        network.trace.note(Kind::Time, 0, now, 0);
        true
    }

    /// Ends the run, with the one number that repeats it.
    #[track_caller]
    pub(super) fn fail(&self, what: impl fmt::Display) -> ! {
        panic!("seed {}: {what}", self.seed);
    }
}

/// A moment at which some counter of a clock is about to overflow.
fn late_clock(dice: &mut Dice) -> u64 {
    const MILLI: u64 = 1_000_000;
    let brink = dice.one_of(&[(1 << 32) * MILLI, (1 << 36) * MILLI, u64::MAX / 2]);
    brink - dice.magnitude(0..=60_000 * MILLI)
}

impl Drop for World {
    /// Says which seed it was when a test fails in the middle of it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "this was the world of seed {}, after {:?}",
                self.seed,
                self.now()
            );
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.seed)
            .field("now", &self.now())
            .field("hosts", &self.hosts.len())
            .finish_non_exhaustive()
    }
}
