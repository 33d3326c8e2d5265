//! Drawing a list of operations from a seed.

use super::op::{Act, Deed, Kind, Op, Terms, Who};
use crate::sim::dice::Dice;

/// Draws the operations of a seed for so many hosts. `unit` is the least that a buffer or a budget
/// of the world holds: a world that moves one byte at a time gets few of them.
pub(super) fn operations(seed: u64, hosts: usize, unit: usize) -> Vec<Op> {
    let mut dice = Dice::new(seed ^ 0x6f70_6572_6174_6f72); // another row than the world's own
    let longest = (unit as u64).saturating_mul(40).min(60_000);
    let mut acts: Vec<u32> = (0..ACTS).map(|_| weight(&mut dice)).collect();
    acts[..WRITES].iter_mut().for_each(|it| *it *= 6); // without bytes little happens
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

/// The number of arms in [`Draw::act`] and [`Draw::deed`].
const ACTS: usize = 20;
/// The first arms of [`Draw::act`].
const WRITES: usize = 3;
const DEEDS: usize = 12;

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
        let mut ops = vec![Op::Do(0, Deed::Listen(self.terms(1)))];
        let length = self.dice.magnitude(6..=150) as usize;
        // What reacts has to be there before what it reacts to.
        for _ in 0..self.dice.size(0..=length / 2) {
            let kind = self.dice.one_of(&Kind::ALL);
            let nth = self.dice.magnitude(0..=20) as u16;
            let times = self.dice.magnitude(1..=12) as u16;
            let deed = self.deed();
            ops.push(Op::On(kind, nth, times, deed));
        }
        for _ in 0..self.dice.pick(1..=4) {
            let host = self.host();
            let deed = self.connect();
            ops.push(Op::Do(host, deed));
        }
        for _ in 0..length {
            let op = self.op();
            ops.push(op);
        }
        ops
    }

    fn op(&mut self) -> Op {
        match self.dice.pick(0..=99) {
            0..=64 => Op::Do(self.host(), self.deed()),
            65..=79 => Op::Steps(self.dice.magnitude(1..=100) as u16),
            80..=93 => Op::Advance(self.dice.magnitude(0..=5_000)),
            94 | 95 => Op::Partition(self.host(), self.host()),
            96 | 97 => Op::Heal(self.host(), self.host()),
            98 => Op::Descriptors(self.host(), Some(self.dice.pick(0..=6) as u8)),
            _ => Op::Descriptors(self.host(), None),
        }
    }

    fn deed(&mut self) -> Deed {
        // Most of what is done is done to sockets.
        if self.dice.chance(0.6) {
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
            14 => Act::Unread(self.dice.magnitude(0..=200) as u16),
            15 => Act::SetHandler,
            16 => Act::Unref,
            17 => Act::Ref,
            18 => Act::NoDelay(self.dice.chance(0.5)),
            _ => Act::KeepAlive(self.dice.chance(0.5)),
        }
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
        let (to, port) = match self.dice.chance(0.8) {
            true => (0, 1),
            false => (self.host(), self.port()),
        };
        Deed::Connect(to, self.terms(port))
    }

    fn terms(&mut self, port: u16) -> Terms {
        Terms {
            port,
            half_open: self.dice.chance(0.3),
            paused: self.dice.chance(0.1),
            mark: match self.dice.chance(0.5) {
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

    fn length(&mut self) -> u32 {
        self.dice.magnitude(0..=self.longest) as u32
    }

    fn millis(&mut self) -> u64 {
        self.dice.magnitude(0..=10_000)
    }
}
