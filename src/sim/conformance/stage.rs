//! Where a scenario is played: two loops' worth of `Sys`, one at each end, on either kernel.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::sim::dice::Dice;
use crate::sim::faults::Faults;
use crate::sim::kernel::HostKernel;
use crate::sim::link::Link;
use crate::sim::network::Network;
use crate::sys::{Interest, Listener, Readiness, Stream, Sys};

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

/// What a call answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Bytes(usize),
    WouldBlock,
    Errno(i32),
    NoError,
    /// Of calls that the poller may refuse before the kernel is asked.
    Refused(io::ErrorKind),
    /// All that could be read: how many bytes, and what came behind them.
    All(Option<usize>, Box<Answer>),
    Accepted(Shown),
    Address(Shown),
    /// What was told since the last look, by the socket.
    Told(BTreeMap<End, Readiness>),
}

use Answer::{Accepted, Address, All, Bytes, Done, Errno, NoError, Refused, Told, WouldBlock};

/// An address, as far as it can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    is_ipv6: bool,
    is_mapped_ipv4: bool,
    /// It is that of the other end.
    fits: bool,
}

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

#[derive(Clone, Debug, PartialEq)]
struct Line {
    call: String,
    answer: Answer,
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

    // Sockets.

    /// A listener on a port of its own.
    pub(super) fn listen(&mut self, backlog: u32) -> End {
        self.listen_at(Ipv4Addr::LOCALHOST.into(), backlog, false)
    }

    /// A listener at an address of ours; the loopback one stands for where the other end finds us.
    pub(super) fn listen_at(&mut self, ip: IpAddr, backlog: u32, ipv6_only: bool) -> End {
        let ip = match ip {
            IpAddr::V4(ip) if ip.is_loopback() => self.server_ip(),
            ip => ip,
        };
        let answer = self.sides[SERVER].listen((ip, 0).into(), backlog, false, ipv6_only);
        self.add(SERVER, Object::Listener(answer.unwrap()))
    }

    /// Listens once more at the address of a listener.
    pub(super) fn listen_again(&mut self, listener: End) -> Answer {
        let address = self.listener_address(listener);
        self.call(format!("listen again at {listener:?}"), |stage, _| {
            let answer = stage.sides[SERVER].listen(address, 16, false, false);
            answer.map_or_else(failed, |listener| {
                stage.sides[SERVER].close_listener(listener);
                Done
            })
        })
    }

    /// Begins to connect to a listener.
    pub(super) fn connect(&mut self, listener: End) -> End {
        let port = self.listener_address(listener).port();
        let address = (self.server_ip(), port).into();
        self.connect_to(address)
    }

    /// Begins to connect to where nobody listens.
    pub(super) fn connect_to_nobody(&mut self) -> End {
        let ip = self.server_ip();
        let port = match &mut self.place {
            Place::Model(_) => 9,
            Place::Kernel(kernel) => {
                let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                deaf.bind(&SocketAddr::from((ip, 0)).into()).unwrap();
                let address = deaf.local_addr().unwrap().as_socket().unwrap();
                kernel.deaf.push(deaf);
                address.port()
            }
        };
        self.connect_to((ip, port).into())
    }

    fn connect_to(&mut self, address: SocketAddr) -> End {
        let stream = self.sides[CLIENT].connect(address).unwrap();
        // Or small writes would wait for each other's acknowledgement, up to 40 ms.
        self.sides[CLIENT].set_no_delay(&stream, true).unwrap();
        let end = self.add(CLIENT, Object::Stream(stream));
        self.settle();
        end
    }

    /// Takes a connection from a listener; the end that is new, if there is one.
    pub(super) fn accept(&mut self, listener: End) -> Option<End> {
        let mut accepted = None;
        self.call(format!("accept from {listener:?}"), |stage, _| {
            let open = &mut stage.open[listener.0];
            let Object::Listener(it) = &mut open.object else {
                panic!("{listener:?} is no listener");
            };
            match stage.sides[SERVER].accept(it) {
                Ok((stream, from)) => {
                    stage.sides[SERVER].set_no_delay(&stream, true).unwrap();
                    let shown = stage.shown(from);
                    accepted = Some(stage.add(SERVER, Object::Stream(stream)));
                    Accepted(shown)
                }
                Err(error) => failed(error),
            }
        });
        accepted
    }

    /// A connection, nobody watching it: the accepted end, and the one that connected.
    pub(super) fn pair(&mut self) -> (End, End) {
        let listener = self.listen(16);
        let theirs = self.connect(listener);
        let ours = self.accept(listener).expect("somebody waits");
        self.close(listener);
        (ours, theirs)
    }

    /// A connection whose accepted end is watched, with nothing left to tell.
    pub(super) fn watched(&mut self, interest: Interest) -> (End, End) {
        let (ours, theirs) = self.pair();
        self.watch(ours, interest);
        self.told();
        (ours, theirs)
    }

    // Calls.

    pub(super) fn read(&mut self, end: End, most: usize) -> Answer {
        self.call(format!("read {most} from {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            sys.read(stream, &mut vec![0; most])
                .map_or_else(failed, Bytes)
        })
    }

    /// Reads until something else than bytes comes.
    pub(super) fn read_all(&mut self, end: End) -> Answer {
        self.read_to_the_end(end, true)
    }

    /// As `read_all`, where how many bytes there are depends on buffers.
    pub(super) fn read_whatever(&mut self, end: End) -> Answer {
        self.read_to_the_end(end, false)
    }

    fn read_to_the_end(&mut self, end: End, counts: bool) -> Answer {
        let mut read = 0;
        self.call(format!("read all from {end:?}"), |stage, _| {
            let mut buffer = vec![0; 1 << 20];
            loop {
                let (sys, stream) = stage.stream(end);
                let last = match sys.read(stream, &mut buffer) {
                    Ok(0) => Bytes(0),
                    Ok(bytes) => {
                        read += bytes;
                        stage.settle();
                        continue;
                    }
                    Err(error) => failed(error),
                };
                return All(counts.then_some(read), Box::new(last));
            }
        })
    }

    pub(super) fn write(&mut self, end: End, bytes: usize) -> Answer {
        self.call(format!("write {bytes} to {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            sys.write(stream, &vec![b'x'; bytes])
                .map_or_else(failed, Bytes)
        })
    }

    /// Writes until nothing more is taken, however long one waits. What this end is told meanwhile
    /// is used up.
    pub(super) fn fill(&mut self, end: End) -> Answer {
        self.call(format!("fill {end:?}"), |stage, _| {
            let bytes = vec![b'x'; 1 << 18];
            let mut refusals = 0;
            while refusals < 2 {
                let (sys, stream) = stage.stream(end);
                match sys.write(stream, &bytes) {
                    Ok(_) => refusals = 0,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => refusals += 1,
                    Err(error) => return failed(error),
                }
                stage.settle();
            }
            stage.look();
            stage.told.remove(&end);
            Done
        })
    }

    pub(super) fn shutdown(&mut self, end: End) -> Answer {
        self.call(format!("shut {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            let answer = sys.shutdown_write(stream);
            if answer.is_ok() {
                stage.shut.insert(end);
            }
            answer.map_or_else(failed, |()| Done)
        })
    }

    pub(super) fn take_error(&mut self, end: End) -> Answer {
        self.call(format!("take the error of {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            sys.take_error(stream).unwrap().map_or(NoError, failed)
        })
    }

    /// Whether a connect is through: `Bytes(1)` it is, `Bytes(0)` it is not.
    pub(super) fn finish_connect(&mut self, end: End) -> Answer {
        self.call(format!("finish {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            let answer = sys.finish_connect(stream);
            answer.map_or_else(failed, |done| Bytes(done.into()))
        })
    }

    pub(super) fn local_address(&mut self, end: End) -> Answer {
        self.call(format!("address of {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            let address = sys.local_address(stream);
            address.map_or_else(failed, |it| Address(stage.shown(it)))
        })
    }

    pub(super) fn watch(&mut self, end: End, interest: Interest) -> Answer {
        self.call(format!("watch {end:?} for {interest:?}"), |stage, _| {
            let open = &mut stage.open[end.0];
            let sys = &mut stage.sides[open.side];
            let answer = match &mut open.object {
                Object::Stream(it) => sys.register(it, end.0 as u64, interest),
                Object::Listener(it) => sys.register_listener(it, end.0 as u64),
                Object::Closed => panic!("{end:?} is closed"),
            };
            open.is_watched |= answer.is_ok();
            answer.map_or_else(|error| Refused(error.kind()), |()| Done)
        })
    }

    pub(super) fn rewatch(&mut self, end: End, interest: Interest) -> Answer {
        self.call(format!("rewatch {end:?} for {interest:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            let answer = sys.reregister(stream, end.0 as u64, interest);
            answer.map_or_else(|error| Refused(error.kind()), |()| Done)
        })
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

    pub(super) fn close(&mut self, end: End) {
        self.end_of(end, Sys::close);
    }

    /// Closes with a reset.
    pub(super) fn abort(&mut self, end: End) {
        self.end_of(end, Sys::abort);
    }

    fn end_of(&mut self, end: End, close: fn(&mut Sys, Stream)) {
        self.settle();
        let open = &mut self.open[end.0];
        let sys = &mut self.sides[open.side];
        match std::mem::replace(&mut open.object, Object::Closed) {
            Object::Listener(listener) => sys.close_listener(listener),
            // One that is not registered is not deregistered, which only costs a line in the log.
            Object::Stream(stream) => close(sys, stream),
            Object::Closed => panic!("{end:?} is closed already"),
        }
        self.told.remove(&end);
        self.settle();
    }

    pub(super) fn is_open(&self, end: End) -> bool {
        !matches!(self.open[end.0].object, Object::Closed)
    }

    pub(super) fn is_watched(&self, end: End) -> bool {
        self.open[end.0].is_watched
    }

    // Below the calls.

    fn add(&mut self, side: usize, object: Object) -> End {
        self.open.push(Open {
            side,
            is_watched: false,
            object,
        });
        End(self.open.len() - 1)
    }

    fn stream(&mut self, end: End) -> (&mut Sys, &mut Stream) {
        let open = &mut self.open[end.0];
        match &mut open.object {
            Object::Stream(stream) => (&mut self.sides[open.side], stream),
            _ => panic!("{end:?} is not open, or no stream"),
        }
    }

    fn server_ip(&self) -> IpAddr {
        match &self.place {
            Place::Model(_) => Network::address_of(SERVER).into(),
            Place::Kernel(_) => Ipv4Addr::LOCALHOST.into(),
        }
    }

    fn listener_address(&self, listener: End) -> SocketAddr {
        match &self.open[listener.0].object {
            Object::Listener(it) => self.sides[SERVER].listener_address(it).unwrap(),
            _ => panic!("{listener:?} is no listener"),
        }
    }

    fn shown(&self, address: SocketAddr) -> Shown {
        let mapped = match address.ip() {
            IpAddr::V6(ip) => ip.to_ipv4_mapped(),
            IpAddr::V4(_) => None,
        };
        let port = |open: &Open| match &open.object {
            Object::Stream(it) => self.sides[open.side].local_address(it).ok(),
            Object::Listener(_) | Object::Closed => None,
        };
        Shown {
            is_ipv6: address.is_ipv6(),
            is_mapped_ipv4: mapped.is_some(),
            fits: self
                .open
                .iter()
                .filter_map(port)
                .any(|it| it.port() == address.port()),
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

/// Whether it is too early to say that this answer is another one than expected.
fn may_change(answer: &Answer) -> bool {
    match answer {
        WouldBlock | NoError | Bytes(0) => true,
        All(_, last) => **last == WouldBlock,
        _ => false,
    }
}

/// Whether some of what was expected is not told yet, and nothing else was.
fn is_part(told: &BTreeMap<End, Readiness>, expected: &BTreeMap<End, Readiness>) -> bool {
    let fits = |(end, ready): (&End, &Readiness)| {
        let expected = expected.get(end);
        expected.is_some_and(|it| it.contains(*ready))
    };
    told != expected && told.iter().all(fits)
}

fn failed(error: io::Error) -> Answer {
    match error.raw_os_error() {
        Some(libc::EAGAIN) => WouldBlock,
        Some(errno) => Errno(errno),
        None => Refused(error.kind()),
    }
}

struct Story<'a>(&'a [Line]);

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.0 {
            writeln!(f, "  {}: {:?}", line.call, line.answer)?;
        }
        Ok(())
    }
}
