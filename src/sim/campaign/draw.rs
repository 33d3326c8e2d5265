//! Drawing a list of operations from a seed.

use std::ops::RangeInclusive;

use super::op::{Act, By, Deed, Kind, Op, Terms, Who};
use crate::sim::World;
use crate::sim::dice::Dice;
use crate::sim::errnos;

/// The most hosts of a world, and the least: one has only itself to talk to.
const HOSTS: RangeInclusive<u64> = 1..=6;

/// Draws the operations of a seed, given its world with no host in it yet.
pub(super) fn operations(seed: u64, world: &World) -> Vec<Op> {
    let mut dice = Dice::new(seed ^ 0x6f70_6572_6174_6f72); // another row than the world's own
    let hosts = dice.magnitude(HOSTS) as usize;
    let unit = unit(world, hosts);
    let longest = (unit as u64).saturating_mul(40).min(60_000);
    let mut acts: Vec<u32> = (0..ACTS).map(|_| weight(&mut dice)).collect();
    acts[..WRITES].iter_mut().for_each(|it| *it *= 4); // without bytes little happens
    let deeds: Vec<u32> = (0..DEEDS).map(|_| weight(&mut dice)).collect();
    let mut draw = Draw {
        dice,
        hosts,
        longest,
        acts,
        deeds,
    };
    draw.list()
}

/// The least that a buffer, a segment or a budget of a world with so many hosts holds: how much it
/// moves in one go, and so how much can be sent through it in a reasonable time.
fn unit(world: &World, hosts: usize) -> usize {
    let link = world.network.borrow().default_link.clone();
    let buffers = link.send_buffer.min(link.receive_buffer);
    let loops = (0..hosts).map(|_| {
        let (_, limits) = world.add_host();
        let read = limits.read_buffer_bytes.min(limits.read_bytes);
        read.min(limits.write_bytes)
    });
    loops.fold(link.segment_bytes.min(buffers), usize::min)
}

/// The number of arms in [`Draw::act`] and [`Draw::deed`].
const ACTS: usize = 20;
/// The first arms of [`Draw::act`].
const WRITES: usize = 3;
const DEEDS: usize = 18;

/// A swarm: what may be done is rare in some worlds, frequent in others, and in some absent.
fn weight(dice: &mut Dice) -> u32 {
    match dice.chance(0.3) {
        true => 0,
        false => dice.pick(1..=10) as u32,
    }
}

struct Draw {
    dice: Dice,
    hosts: usize,
    longest: u64,
    acts: Vec<u32>,
    deeds: Vec<u32>,
}

impl Draw {
    fn list(&mut self) -> Vec<Op> {
        let mut ops = vec![Op::Host; self.hosts - 1];
        let length = self.dice.magnitude(10..=150) as usize;
        // What reacts has to be there before what it reacts to.
        self.habits(&mut ops);
        for _ in 0..self.dice.size(0..=length / 2) {
            let kind = self.dice.one_of(&Kind::ALL);
            let nth = self.dice.magnitude(0..=20) as u16;
            let times = self.dice.magnitude(1..=12) as u16;
            let deed = self.deed();
            ops.push(Op::On(kind, nth, times, deed));
        }
        self.stage(&mut ops);
        for _ in 0..length {
            let op = self.op();
            ops.push(op);
        }
        ops
    }

    /// What most programs do, so that there is traffic for the rest to disturb.
    fn habits(&mut self, ops: &mut Vec<Op>) {
        let writers = [
            (Kind::Connect, 0.7),
            (Kind::Connection, 0.5),
            (Kind::Data, 0.4),
            (Kind::Drain, 0.3),
        ];
        for (kind, share) in writers {
            if self.dice.chance(share) {
                let write = self.write();
                self.habit(ops, kind, write);
            }
        }
        for kind in [Kind::Connect, Kind::Connection] {
            if self.dice.chance(0.2) {
                let timeout = Act::Timeout(self.millis());
                self.habit(ops, kind, timeout);
            }
        }
        if self.dice.chance(0.15) {
            let unread = self.unread();
            self.habit(ops, Kind::Data, unread);
        }
        if self.dice.chance(0.3) {
            self.proxy(ops);
        }
        if self.dice.chance(0.2) {
            let kinds = [Kind::Data, Kind::Connection, Kind::Posted, Kind::Timer];
            let kind = self.dice.one_of(&kinds);
            let times = self.dice.magnitude(1..=30) as u16;
            let post = self.post();
            ops.push(Op::On(kind, 0, times, post));
        }
        if self.dice.chance(0.15) {
            self.habit(ops, Kind::Data, Act::Pause);
            let resume = Deed::Later(self.millis(), Who::Me, Act::Resume);
            ops.push(Op::On(Kind::Data, 0, u16::MAX, resume));
        }
    }

    fn habit(&mut self, ops: &mut Vec<Op>, kind: Kind, act: Act) {
        let nth = self.dice.magnitude(0..=4) as u16;
        let times = self.dice.magnitude(1..=30) as u16;
        ops.push(Op::On(kind, nth, times, Deed::To(Who::Me, act)));
    }

    /// Servers that hand on what they get: back, or to where they connect themselves.
    fn proxy(&mut self, ops: &mut Vec<Op>) {
        let nth = self.dice.magnitude(0..=4) as u16;
        let times = self.dice.magnitude(1..=6) as u16;
        let piped = match self.dice.pick(0..=3) {
            0 => Deed::Pipe(Who::Me, Who::Me, self.dice.chance(0.8)),
            1 => Deed::Pipe(Who::Me, Who::Newest, self.dice.chance(0.8)),
            _ => Deed::PipeBoth(Who::Me, Who::Newest),
        };
        let connect = self.connect();
        ops.push(Op::On(Kind::Connection, nth, times, connect));
        ops.push(Op::On(Kind::Connection, nth, times, piped));
    }

    /// The world as it is when the first socket comes.
    fn stage(&mut self, ops: &mut Vec<Op>) {
        for a in 0..self.hosts as u8 {
            // Buffers that the traffic can fill.
            if self.dice.chance(0.5) {
                ops.push(Op::Buffers(a, 0, self.buffer(), self.buffer()));
            }
        }
        ops.push(Op::Do(0, Deed::Listen(self.terms(1))));
        if self.dice.chance(0.2) {
            let most = self.dice.pick(0..=3) as u8;
            ops.push(Op::Do(0, Deed::MaxConnections(0, Some(most))));
        }
        if self.dice.chance(0.2) {
            let reset = self.reset();
            ops.push(reset);
        }
        if self.dice.chance(0.3) {
            let failing = self.failing_calls();
            ops.push(failing);
        }
        for _ in 0..self.dice.magnitude(1..=12) {
            let host = self.host();
            let deed = self.connect();
            ops.push(Op::Do(host, deed));
        }
        // Mostly what comes next meets connections that stand.
        if self.dice.chance(0.7) {
            ops.push(Op::Advance(self.dice.magnitude(0..=1_000)));
        }
    }

    fn op(&mut self) -> Op {
        match self.dice.pick(0..=99) {
            0..=64 => Op::Do(self.host(), self.deed()),
            65..=76 => Op::Steps(self.dice.magnitude(1..=100) as u16),
            77..=88 => Op::Advance(self.dice.magnitude(0..=5_000)),
            89 | 90 => Op::Partition(self.host(), self.host()),
            91 | 92 => Op::Heal(self.host(), self.host()),
            93 => Op::Descriptors(self.host(), Some(self.dice.pick(0..=6) as u8)),
            94 => Op::Descriptors(self.host(), None),
            95 => self.reset(),
            96 => Op::Buffers(self.host(), self.host(), self.buffer(), self.buffer()),
            _ => self.failing_calls(),
        }
    }

    fn reset(&mut self) -> Op {
        let byte = self.dice.magnitude(0..=self.longest * 4);
        Op::ResetAt(self.host(), self.host(), byte)
    }

    fn failing_calls(&mut self) -> Op {
        let call = self.dice.one_of(&errnos::CALLS);
        let errno = self.dice.one_of(errnos::of(call));
        let times = self.dice.magnitude(1..=5) as u8;
        Op::FailCalls(self.host(), call, errno, times)
    }

    fn deed(&mut self) -> Deed {
        // Most of what is done is done to sockets.
        if self.dice.chance(0.5) {
            return Deed::To(self.who(), self.act());
        }
        match self.weighed(|it| &it.deeds) {
            0 => {
                let port = self.port();
                Deed::Listen(self.terms(port))
            }
            1 => self.connect(),
            2 => Deed::CloseServer(self.nth()),
            3 => {
                let most = self.dice.chance(0.7).then(|| self.dice.pick(0..=3) as u8);
                Deed::MaxConnections(self.nth(), most)
            }
            4 => Deed::Later(self.millis(), self.who(), self.act()),
            5 => Deed::Soon(self.who(), self.act()),
            6 => Deed::Every(self.millis(), self.dice.pick(1..=5) as u8),
            7 => Deed::Clear(self.nth()),
            8 => Deed::Unref(self.nth()),
            9 => Deed::Stop,
            10 => Deed::Panic,
            11 => self.post(),
            12 => Deed::StopFrom(self.host()),
            13 => Deed::Offload(self.dice.chance(0.8), self.who(), self.act()),
            14 => Deed::Pipe(self.who(), self.who(), self.dice.chance(0.8)),
            15 => Deed::PipeBoth(self.who(), self.who()),
            16 => Deed::Unpipe(self.who()),
            _ => Deed::To(Who::Me, self.act()),
        }
    }

    fn act(&mut self) -> Act {
        match self.weighed(|it| &it.acts) {
            0 => Act::Write(self.length()),
            1 => Act::WriteBytes(self.length()),
            2 => Act::WriteThen(self.length()),
            3 => Act::End,
            4 => Act::EndWith(self.length()),
            5 => Act::Destroy,
            6 => Act::DestroySoon,
            7 => Act::DestroyWith,
            8 => Act::Reset,
            9 => Act::Pause,
            10 => Act::Resume,
            11 => Act::Cork,
            12 => Act::Uncork,
            13 => Act::Timeout(self.millis()),
            14 => self.unread(),
            15 => Act::SetHandler,
            16 => Act::Unref,
            17 => Act::Ref,
            18 => match self.dice.chance(0.5) {
                true => Act::NoDelay(true),
                false => Act::FlushNow,
            },
            _ => Act::KeepAlive(self.dice.chance(0.5)),
        }
    }

    fn write(&mut self) -> Act {
        let length = self.length();
        match self.dice.pick(0..=2) {
            0 => Act::Write(length),
            1 => Act::WriteBytes(length),
            _ => Act::WriteThen(length),
        }
    }

    fn post(&mut self) -> Deed {
        let times = self.dice.pick(1..=8) as u8;
        Deed::Post(self.host(), times, self.who(), self.act())
    }

    fn unread(&mut self) -> Act {
        Act::Unread(self.dice.magnitude(0..=200) as u16)
    }

    /// An arm, by its weight; the first one if all are absent.
    fn weighed(&mut self, weights: impl Fn(&Draw) -> &Vec<u32>) -> usize {
        let total: u32 = weights(self).iter().sum();
        if total == 0 {
            return 0;
        }
        let mut left = self.dice.pick(1..=u64::from(total)) as u32;
        let beyond = |weight: &u32| match left > *weight {
            true => {
                left -= weight;
                false
            }
            false => true,
        };
        weights(self).iter().position(beyond).unwrap_or(0)
    }

    fn connect(&mut self) -> Deed {
        // Mostly to where somebody listens.
        let (to, port) = match self.dice.chance(0.9) {
            true => (0, 1),
            false => (self.host(), self.port()),
        };
        Deed::Connect(to, self.terms(port))
    }

    fn terms(&mut self, port: u16) -> Terms {
        Terms {
            port,
            by: match self.dice.pick(0..=9) {
                0..=6 => By::Address,
                7 => By::Name,
                _ => By::Names(self.dice.chance(0.5)),
            },
            half_open: self.dice.chance(0.3),
            paused: self.dice.chance(0.1),
            mark: match self.dice.chance(0.2) {
                true => 64 * 1024,
                false => self.dice.magnitude(0..=self.longest) as usize,
            },
            cap: match self.dice.chance(0.8) {
                true => None,
                false => Some(self.dice.magnitude(0..=self.longest) as usize),
            },
            shed: self.dice.chance(0.1),
        }
    }

    fn host(&mut self) -> u8 {
        self.dice.size(0..=self.hosts - 1) as u8
    }

    fn port(&mut self) -> u16 {
        self.dice.pick(1..=3) as u16
    }

    fn nth(&mut self) -> u8 {
        self.dice.pick(0..=7) as u8
    }

    fn who(&mut self) -> Who {
        match self.dice.chance(0.5) {
            true => Who::Me,
            false => Who::Nth(self.nth()),
        }
    }

    fn buffer(&mut self) -> u32 {
        let smallest = (self.longest / 40).max(1); // what is written must get through in time
        self.dice.magnitude(smallest..=self.longest) as u32
    }

    fn length(&mut self) -> u32 {
        match self.dice.chance(0.15) {
            true => self.dice.pick(self.longest / 2..=self.longest) as u32,
            false => self.dice.magnitude(0..=self.longest) as u32,
        }
    }

    fn millis(&mut self) -> u64 {
        self.dice.magnitude(0..=10_000)
    }
}
