//! The loop alone, with any number of connections: on a kernel that only says it holds them.

use crate::Outcome;
use crate::proc;
use crate::table::Table;
use netloop::inside::StandIn;
use netloop::{Event, Reactor, handler_fn};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A poll token has this much room for the number of a connection.
pub(crate) const MOST: u32 = 1 << 29;

const IDLE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(1);
/// Rounds with 0.1 % of all active.
const ROUNDS: u32 = 100;
/// How many have a message in one tick, when all have one: a million a second.
const A_TICK: u32 = 1_000;
/// What the stand-in keeps for a connection itself.
const STAND_IN_BYTES: f64 = 8.0;
/// Idle timeouts told. Nobody's own: a handler that held the count would take a connection 32 bytes.
static TIMEOUTS: AtomicU32 = AtomicU32::new(0);
/// More than a connection takes while tables grow: for the question whether there is room.
const ROOM_BYTES: u64 = 256;

pub(crate) fn report(connections: u32) -> Outcome<Table> {
    let mut table = Table::new(format!(
        "{connections} connections on a stand-in kernel, each with an idle timeout: the loop alone"
    ));
    let (needed, available) = (u64::from(connections) * ROOM_BYTES, proc::available()?);
    if needed > available {
        table.row(
            "left out",
            format!("{needed} bytes might be needed, {available} are there"),
        );
        return Ok(table);
    }
    let each = |turns: &Turns| turns.took.as_secs_f64() * 1e9 / f64::from(connections);

    let before = proc::anonymous("self")?;
    let mut army = Army::new()?;
    army.stand_in.peers_connect(connections);
    let all = connections as usize;
    let opening = army.turn_until(|army| army.stand_in.open_connections() == all)?;
    let after = proc::anonymous("self")?;
    let bytes = after.saturating_sub(before) as f64 / f64::from(connections) - STAND_IN_BYTES;
    table.row(
        "memory",
        format!("{bytes:.0} bytes a connection, Anonymous"),
    );
    let rate = f64::from(connections) / opening.took.as_secs_f64();
    table.row("open", format!("{rate:.0} connections a second, {opening}"));

    let mut peers = Peers::of(connections);
    let active = (connections / 1_000).max(1);
    let mut rounds = Turns::default();
    for _ in 0..ROUNDS {
        rounds.add(army.echo(&peers.next(active))?);
    }
    let ns = rounds.took.as_secs_f64() * 1e9 / (f64::from(ROUNDS) * f64::from(active));
    table.row("0.1 % active", format!("{ns:.0} ns a message, {rounds}"));

    army.stand_in.advance(IDLE + TICK);
    let told = TIMEOUTS.load(Ordering::Relaxed);
    let expiring = army.turn_until(|_| timeouts_since(told) == connections)?;
    table.row(
        "expire at once",
        format!("{:.0} ns a timeout, {expiring}", each(&expiring)),
    );

    // Everybody has a message and falls silent again, a thousand in a tick.
    let mut waking = Turns::default();
    let mut left = connections;
    while left > 0 {
        let some = A_TICK.min(left);
        waking.add(army.echo(&peers.next(some))?);
        army.stand_in.advance(TICK);
        left -= some;
    }
    table.row(
        "all active",
        format!("{:.0} ns a message, {waking}", each(&waking)),
    );
    let told = TIMEOUTS.load(Ordering::Relaxed);
    let mut expiring = Turns::default();
    while timeouts_since(told) < connections {
        // As long as a loop would sleep.
        let sleep = army.reactor.next_timeout();
        army.stand_in
            .advance(sleep.ok_or("an idle timeout was lost")?);
        expiring.add(army.turn()?);
    }
    table.row(
        "expire in order",
        format!("{:.0} ns a timeout, {expiring}", each(&expiring)),
    );

    army.stand_in.peers_hang_up();
    let closing = army.turn_until(|army| army.stand_in.open_connections() == 0)?;
    table.row(
        "close",
        format!("{:.0} ns a connection, {closing}", each(&closing)),
    );
    let own = f64::from(connections) * STAND_IN_BYTES;
    let left = proc::anonymous("self")?.saturating_sub(before) as f64 - own;
    table.row(
        "memory then",
        format!("{:.0} KiB in all", left.max(0.0) / 1024.0),
    );
    Ok(table)
}

fn timeouts_since(told: u32) -> u32 {
    TIMEOUTS.load(Ordering::Relaxed).wrapping_sub(told)
}

struct Army {
    stand_in: StandIn,
    reactor: Reactor,
}

impl Army {
    fn new() -> netloop::Result<Army> {
        let stand_in = StandIn::new();
        let mut reactor = stand_in.reactor();
        reactor.net().listen(7000, |socket| {
            socket.set_timeout(IDLE);
            handler_fn(|socket, event| match event {
                Event::Data(bytes) if !socket.write(bytes) => socket.pause(),
                Event::Drain => socket.resume(),
                Event::Timeout => drop(TIMEOUTS.fetch_add(1, Ordering::Relaxed)),
                _ => {}
            })
        })?;
        Ok(Army { stand_in, reactor })
    }

    fn turn(&mut self) -> netloop::Result<Turns> {
        let began = Instant::now();
        self.reactor.turn(Some(Duration::ZERO))?;
        let took = began.elapsed();
        Ok(Turns {
            count: 1,
            took,
            longest: took,
            longest_nth: 1,
        })
    }

    /// These peers send, and get back what they sent.
    fn echo(&mut self, peers: &[u32]) -> Outcome<Turns> {
        let echoes = self.stand_in.echoes() + peers.len() as u64;
        self.stand_in.peers_send(peers);
        self.turn_until(|army| army.stand_in.echoes() == echoes)
    }

    fn turn_until(&mut self, done: impl Fn(&Army) -> bool) -> Outcome<Turns> {
        let mut turns = Turns::default();
        while !done(self) {
            if turns.count > 0 && self.reactor.next_timeout() != Some(Duration::ZERO) {
                return Err("the loop would sleep, and not everything was done".into());
            }
            turns.add(self.turn()?);
        }
        Ok(turns)
    }
}

/// Several turns.
#[derive(Default)]
struct Turns {
    count: u64,
    took: Duration,
    longest: Duration,
    /// Which one that was.
    longest_nth: u64,
}

impl Turns {
    fn add(&mut self, more: Turns) {
        if more.longest > self.longest {
            self.longest = more.longest;
            self.longest_nth = self.count + more.longest_nth;
        }
        self.count += more.count;
        self.took += more.took;
    }
}

impl std::fmt::Display for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Turns {
            count,
            took,
            longest,
            longest_nth,
        } = self;
        let mean = took.checked_div(u32::try_from(*count).unwrap_or(u32::MAX));
        let mean = mean.unwrap_or_default();
        write!(
            f,
            "{took:.1?} in {count} turns: mean {mean:.1?}, longest {longest:.1?} (nr. {longest_nth})"
        )
    }
}

/// Goes round all peers in jumps, so that nobody comes twice before everybody has come.
struct Peers {
    connections: u64,
    at: u64,
}

/// A prime that is more than any number of connections, and so divides none.
const JUMP: u64 = 4_294_967_311;

impl Peers {
    fn of(connections: u32) -> Peers {
        Peers {
            connections: connections.into(),
            at: 0,
        }
    }

    fn next(&mut self, count: u32) -> Vec<u32> {
        let some = (0..count).map(|_| {
            self.at = (self.at + JUMP) % self.connections;
            self.at as u32
        });
        some.collect()
    }
}
