//! Where a scenario is played: two loops' worth of `Sys`, one at each end, on either kernel.
//!
//! Scenarios are written in what `sockets` and `calls` offer. This file plays one on both kernels,
//! looks at what is told, and compares answers (`answer`).

mod answer;
mod calls;
mod sockets;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use socket2::Socket;

pub(super) use answer::Answer;
use answer::Answer::Told;
use answer::{Line, Story, is_part, may_change};

use crate::sim::dice::Dice;
use crate::sim::faults::Faults;
use crate::sim::kernel::HostKernel;
use crate::sim::link::Link;
use crate::sim::network::Network;
use crate::sys::{Listener, Readiness, Stream, Sys};

/// How long the real kernel has to come to the model's answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much time passes in the model where the real kernel is given the time to settle: far more
/// than a round trip, far less than until a SYN is sent again.
const SETTLED_NANOS: u64 = 100_000_000;
const EVENTS: usize = 64;

/// The side that listens.
const SERVER: usize = 0;
/// The side that connects.
const CLIENT: usize = 1;

/// Names a socket of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End(usize);

enum Place {
    Model(Rc<RefCell<Network>>),
    Kernel(Kernel),
}

/// The real system, beside the sockets of the scenario.
struct Kernel {
    /// What the model answered.
    expected: Vec<Line>,
    /// A connection of its own: what is sent over it arrives after what was sent before.
    barrier: (TcpStream, TcpStream),
    /// Bound and not listening: ports at which nobody is, and nobody else can be.
    deaf: Vec<Socket>,
}

struct Open {
    side: usize,
    is_watched: bool,
    object: Object,
}

enum Object {
    Stream(Stream),
    Listener(Listener),
    Closed,
}

pub(super) struct Stage {
    place: Place,
    sides: [Sys; 2],
    open: Vec<Open>,
    /// Told and not yet looked at.
    told: BTreeMap<End, Readiness>,
    /// Ends of ours whose FIN may not be acknowledged yet.
    shut: BTreeSet<End>,
    lines: Vec<Line>,
}

/// Plays a scenario on both kernels and compares.
#[track_caller]
pub(super) fn both(scenario: impl Fn(&mut Stage)) {
    let mut model = Stage::on_model();
    scenario(&mut model);
    let expected = model.end();
    let mut kernel = Stage::on_kernel(expected.clone());
    scenario(&mut kernel);
    assert_eq!(kernel.end(), expected);
}

/// Whether the machine has IPv6; without it there is nothing to compare with.
pub(super) fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

impl Stage {
    fn on_model() -> Stage {
        let mut network = Network::new(1, Faults::none(), Link::default(), Dice::new(1));
        let sides = [network.add_host(0), network.add_host(0)];
        let network = Rc::new(RefCell::new(network));
        let sides = sides.map(|host| {
            let kernel = HostKernel::new(Rc::clone(&network), host, EVENTS);
            Sys::with_kernel(Box::new(kernel))
        });
        Stage::new(Place::Model(network), sides)
    }

    fn on_kernel(expected: Vec<Line>) -> Stage {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (receiver, _) = listener.accept().unwrap();
        sender.set_nodelay(true).unwrap();
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        let kernel = Kernel {
            expected,
            barrier: (sender, receiver),
            deaf: Vec::new(),
        };
        let sides = [SERVER, CLIENT].map(|_| Sys::new(EVENTS).unwrap());
        Stage::new(Place::Kernel(kernel), sides)
    }

    fn new(place: Place, sides: [Sys; 2]) -> Stage {
        Stage {
            place,
            sides,
            open: Vec::new(),
            told: BTreeMap::new(),
            shut: BTreeSet::new(),
            lines: Vec::new(),
        }
    }

    fn stream(&mut self, end: End) -> (&mut Sys, &mut Stream) {
        let open = &mut self.open[end.0];
        match &mut open.object {
            Object::Stream(stream) => (&mut self.sides[open.side], stream),
            _ => panic!("{end:?} is not open, or no stream"),
        }
    }

    /// Makes a call that may have to be made again until it answers as it did in the model.
    #[track_caller]
    fn call(
        &mut self,
        call: String,
        mut make: impl FnMut(&mut Stage, Option<&Answer>) -> Answer,
    ) -> Answer {
        self.settle();
        let expected = match &self.place {
            Place::Model(_) => None,
            Place::Kernel(kernel) => kernel.expected.get(self.lines.len()).cloned(),
        };
        let expected = expected.map(|it| it.answer);
        let deadline = Instant::now() + PATIENCE;
        let answer = loop {
            let answer = make(self, expected.as_ref());
            let is_early = expected.as_ref().is_some_and(|it| *it != answer);
            if !is_early || !may_change(&answer) || Instant::now() > deadline {
                break answer;
            }
            std::thread::yield_now();
        };
        if let Some(expected) = expected
            && answer != expected
        {
            panic!(
                "{call}: the kernel answers {answer:?}, the model {expected:?}, after\n{}",
                Story(&self.lines)
            );
        }
        self.lines.push(Line {
            call,
            answer: answer.clone(),
        });
        answer
    }

    /// Everything that the ends were told since the last look.
    pub(super) fn told(&mut self) -> BTreeMap<End, Readiness> {
        let answer = self.call("look".into(), |stage, expected| {
            let deadline = Instant::now() + PATIENCE;
            loop {
                stage.settle();
                stage.look();
                let waits = match expected {
                    Some(Told(expected)) => {
                        stage.forgive_acknowledgements(expected);
                        is_part(&stage.told, expected)
                    }
                    _ => false,
                };
                if !waits || Instant::now() > deadline {
                    return Told(std::mem::take(&mut stage.told));
                }
                std::thread::yield_now();
            }
        });
        match answer {
            Told(told) => told,
            other => panic!("a look that answers {other:?}"),
        }
    }

    /// As `told`, of one end alone.
    pub(super) fn told_to(&mut self, end: End) -> Readiness {
        self.told().remove(&end).unwrap_or_default()
    }

    /// Waits until what is on its way has arrived.
    fn settle(&mut self) {
        match &mut self.place {
            Place::Model(network) => {
                let mut network = network.borrow_mut();
                let settled = network.now + SETTLED_NANOS;
                network.advance_to(settled);
            }
            Place::Kernel(kernel) => {
                let (sender, receiver) = &mut kernel.barrier;
                sender.write_all(b"!").unwrap();
                receiver.read_exact(&mut [0]).unwrap();
            }
        }
    }

    /// Polls both sides until neither has anything to tell.
    fn look(&mut self) {
        for sys in &mut self.sides {
            let mut is_quiet = false;
            while !is_quiet {
                is_quiet = true;
                sys.poll(Some(Duration::ZERO), |token, ready| {
                    is_quiet = false;
                    self.told
                        .entry(End(token as usize))
                        .or_default()
                        .insert(ready);
                })
                .unwrap();
            }
        }
    }

    /// Linux tells a socket once more what is true when the peer has acknowledged its FIN, and how
    /// late the peer does that is the peer's choice. The model is stricter: it tells nothing then.
    fn forgive_acknowledgements(&mut self, expected: &BTreeMap<End, Readiness>) {
        let shut = &mut self.shut;
        self.told
            .retain(|end, _| expected.contains_key(end) || !shut.remove(end));
    }

    fn end(mut self) -> Vec<Line> {
        for end in (0..self.open.len()).map(End) {
            if self.is_open(end) {
                self.close(end);
            }
        }
        std::mem::take(&mut self.lines)
    }
}
