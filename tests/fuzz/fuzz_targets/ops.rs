//! Operations on a simulated world: connections whose two ends do what the input says, from outside
//! and from inside their own events, while calls fail and the network breaks.
//!
//! What is checked: each end hears exactly the bytes that the other wrote, `drain`, `finish`, `end`,
//! `error` and `close` come in order and as often as promised, `write` answers by the mark, nothing
//! is told to a socket that is paused or destroyed, and in the end nothing is open.
#![no_main]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use netloop::sim::{Call, Faults, HostId, Link, World};
use netloop::{ConnectOptions, Event, Handler, ListenOptions, Net, Socket, SocketId, handler_fn};

/// Connections that one input may make. Each has a server of its own, which tells it apart.
const MOST_CONNECTIONS: usize = 6;
/// Bytes that one input may write, so that no input is slow.
const BUDGET_BYTES: usize = 12_000;
const FIRST_PORT: u16 = 7000;

#[derive(Arbitrary, Debug)]
struct Input {
    seed: u16,
    /// Without it the seed decides what goes wrong.
    calm: Option<Buffers>,
    ops: Vec<Op>,
}

#[derive(Arbitrary, Debug)]
struct Buffers {
    segment_bytes: u16,
    send_buffer: u16,
    receive_buffer: u16,
}

#[derive(Arbitrary, Debug)]
enum Op {
    Connect(Making, Making),
    Do(Who, Deed),
    /// At the next such moment of one end, something is done to an end on the same host.
    React(Who, Moment, u8, Deed),
    Steps(u8),
    Pass {
        millis: u16,
    },
    CloseServer(u8),
    Cut,
    Heal,
    ResetAt {
        by_server: bool,
        byte: u16,
    },
    FailCalls {
        on_server: bool,
        call: u8,
        errno: u8,
        times: u8,
    },
}

/// What a socket is made with.
#[derive(Arbitrary, Debug)]
struct Making {
    half_open: bool,
    high_water_mark: u16,
    small_cap: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Who {
    number: u8,
    server: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Deed {
    Write(u16),
    WriteBytes(u16),
    WriteThen(u16),
    End,
    Destroy,
    DestroySoon,
    Reset,
    Pause,
    Resume,
    Cork,
    Uncork,
    Timeout(u16),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Moment {
    Connect,
    Data,
    End,
    Drain,
    Finish,
    Timeout,
    Error,
    Close,
}

impl Moment {
    fn of(event: &Event<'_>) -> Option<Moment> {
        Some(match event {
            Event::Connect => Moment::Connect,
            Event::Data(_) => Moment::Data,
            Event::End => Moment::End,
            Event::Drain => Moment::Drain,
            Event::Finish => Moment::Finish,
            Event::Timeout => Moment::Timeout,
            Event::Error(_) => Moment::Error,
            Event::Close { .. } => Moment::Close,
            _ => return None,
        })
    }
}

const CALLS: [Call; 10] = [
    Call::Listen,
    Call::Accept,
    Call::Connect,
    Call::Read,
    Call::Write,
    Call::Shutdown,
    Call::Register,
    Call::Reregister,
    Call::Deregister,
    Call::SetOption,
];

/// `EINTR`, `EAGAIN`, `ENOMEM`, `EMFILE`, `EPIPE`, `ECONNABORTED`, `ECONNRESET`, `ENOBUFS`,
/// `ETIMEDOUT` of Linux.
const ERRNOS: [i32; 9] = [4, 11, 12, 24, 32, 103, 104, 105, 110];

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// One end of one connection.
#[derive(Clone, Copy)]
struct End {
    number: usize,
    side: usize,
}

impl End {
    /// Byte `at` of all that this end writes: it says where it belongs.
    fn byte(self, at: usize) -> u8 {
        let stream = self.number * 2 + self.side;
        (at.wrapping_mul(31) ^ (at >> 8).wrapping_mul(17) ^ (stream * 101)) as u8
    }

    fn peer(self) -> End {
        End {
            side: 1 - self.side,
            ..self
        }
    }
}

/// What is known of one end.
#[derive(Default)]
struct Account {
    id: Option<SocketId>,
    reactions: Vec<(Moment, u8, Deed)>,
    /// Bytes that `write` accepted, and that the handler was told.
    written: usize,
    heard: usize,
    /// Completions that were asked for, and that came.
    asked: usize,
    completed: usize,
    waits_for_drain: bool,
    connected: bool,
    ended: bool,
    finished: bool,
    failed: bool,
    closed: bool,
}

struct Book {
    seed: u64,
    budget: usize,
    /// The two ends of each connection.
    accounts: Vec<[Account; 2]>,
}

type Shared = Rc<RefCell<Book>>;

impl Book {
    fn of(&mut self, end: End) -> &mut Account {
        &mut self.accounts[end.number][end.side]
    }

    fn end(&self, number: u8, side: usize) -> Option<End> {
        let number = usize::from(number).checked_rem(self.accounts.len())?;
        Some(End { number, side })
    }

    #[track_caller]
    fn claim(&self, holds: bool, end: End, promise: &str) {
        let side = ["client", "server"][end.side];
        assert!(
            holds,
            "seed {}: {side} {}: {promise}",
            self.seed, end.number
        );
    }

    /// The order and the number of events, and every byte.
    fn check(&mut self, end: End, socket: &Socket<'_>, event: &Event<'_>) {
        let told = &self.accounts[end.number][end.side];
        let peer = &self.accounts[end.number][1 - end.side];
        let claim = |holds, promise: &str| self.claim(holds, end, promise);
        claim(!told.closed, "nothing is told behind close");
        let last = matches!(event, Event::Error(_) | Event::Close { .. });
        claim(
            last == socket.destroyed(),
            "who is destroyed is told only how",
        );
        match event {
            Event::Connect => {
                claim(end.side == CLIENT && !told.connected, "connects once");
            }
            Event::Data(bytes) => {
                claim(!socket.is_paused(), "nothing is told while paused");
                claim(!told.ended && !bytes.is_empty(), "data comes before end");
                let known = told.heard + bytes.len() <= peer.written;
                claim(known, "nothing comes that was not written");
                let mut own = (told.heard..).map(|at| end.peer().byte(at));
                let same = bytes.iter().all(|it| own.next() == Some(*it));
                claim(same, "bytes come in order");
            }
            Event::End => {
                claim(!socket.is_paused() && !told.ended, "ends once");
                let all = !peer.finished || told.heard == peer.written;
                claim(all, "end comes behind the last byte");
            }
            Event::Drain => {
                claim(told.waits_for_drain, "drain follows a write's false");
                claim(socket.buffer_size() == 0, "drain means empty");
            }
            Event::Finish => {
                claim(!told.finished && socket.writable_ended(), "finishes once");
                claim(socket.buffer_size() == 0, "finish means empty");
            }
            Event::Error(_) => claim(!told.failed, "fails once"),
            Event::Close { had_error } => {
                claim(*had_error == told.failed, "close knows of the error");
            }
            _ => {}
        }
        let told = self.of(end);
        match event {
            Event::Connect => told.connected = true,
            Event::Data(bytes) => told.heard += bytes.len(),
            Event::End => told.ended = true,
            Event::Drain => told.waits_for_drain = false,
            Event::Finish => told.finished = true,
            Event::Error(_) => told.failed = true,
            Event::Close { .. } => told.closed = true,
            _ => {}
        }
    }
}

/// The handler of every socket.
fn observer(shared: &Shared, end: End) -> impl Handler + use<> {
    let shared = Rc::clone(shared);
    handler_fn(move |socket: &mut Socket<'_>, event| {
        let mut book = shared.borrow_mut();
        book.check(end, socket, &event);
        let moment = Moment::of(&event);
        let reactions = &mut book.of(end).reactions;
        let Some(at) = reactions.iter().position(|it| Some(it.0) == moment) else {
            return;
        };
        let (_, whom, deed) = reactions.remove(at);
        let whom = book.end(whom, end.side);
        drop(book);
        if let Some(whom) = whom {
            act(socket.net(), &shared, whom, deed);
        }
    })
}

fn act(net: &mut Net, shared: &Shared, end: End, deed: Deed) {
    let Some(id) = shared.borrow_mut().of(end).id else {
        return;
    };
    let Some(mut socket) = net.socket(id) else {
        let closed = shared.borrow_mut().of(end).closed;
        return shared
            .borrow()
            .claim(closed, end, "an id lives until close");
    };
    match deed {
        Deed::Write(_) | Deed::WriteBytes(_) | Deed::WriteThen(_) => {
            write(&mut socket, shared, end, deed);
        }
        Deed::End => socket.end(),
        Deed::Destroy => socket.destroy(),
        Deed::DestroySoon => socket.destroy_soon(),
        Deed::Reset => socket.reset_and_destroy(),
        Deed::Pause => socket.pause(),
        Deed::Resume => socket.resume(),
        Deed::Cork => socket.cork(),
        Deed::Uncork => socket.uncork(),
        Deed::Timeout(millis) => socket.set_timeout(Duration::from_millis(millis.into())),
    }
}

fn write(socket: &mut Socket<'_>, shared: &Shared, end: End, deed: Deed) {
    let mut book = shared.borrow_mut();
    let (Deed::Write(size) | Deed::WriteBytes(size) | Deed::WriteThen(size)) = deed else {
        return;
    };
    let size = usize::from(size % 5000).min(book.budget);
    book.budget -= size;
    let start = book.of(end).written;
    let bytes: Vec<u8> = (start..start + size).map(|at| end.byte(at)).collect();
    let writable = socket.writable();
    let welcome = match deed {
        Deed::WriteThen(_) => {
            let place = book.of(end).asked;
            book.of(end).asked += 1;
            let shared = Rc::clone(shared);
            socket.write_then(&bytes, move |_, _| {
                let mut book = shared.borrow_mut();
                let in_order = book.of(end).completed == place;
                book.claim(in_order, end, "writes complete in order, once");
                book.of(end).completed += 1;
            })
        }
        Deed::WriteBytes(_) => socket.write_bytes(bytes.into()),
        _ => socket.write(&bytes),
    };
    let total = socket.bytes_written() as usize;
    let all_or_nothing = total == start || total == start + size;
    book.claim(
        all_or_nothing,
        end,
        "a write is accepted whole or not at all",
    );
    book.claim(writable || total == start, end, "a refused write is none");
    book.of(end).written = total;
    let queued = socket.buffer_size();
    let full = queued > 0 && queued >= socket.writable_high_water_mark();
    let refused = !writable || socket.destroyed();
    book.claim(
        welcome != (full || refused),
        end,
        "write answers by the mark",
    );
    book.of(end).waits_for_drain |= full && !refused;
}

struct Play {
    world: World,
    hosts: [HostId; 2],
    shared: Shared,
    servers: Vec<Option<netloop::ServerId>>,
}

impl Play {
    fn new(input: &Input) -> Play {
        let seed = input.seed.into();
        let mut world = match &input.calm {
            None => World::seeded(seed),
            Some(buffers) => {
                let mut world = World::with_faults(seed, Faults::none());
                world.set_default_link(
                    Link::default()
                        .segment_bytes(buffers.segment_bytes.into())
                        .send_buffer(buffers.send_buffer.into())
                        .receive_buffer(buffers.receive_buffer.into()),
                );
                world
            }
        };
        let hosts = [world.host("client"), world.host("server")];
        let book = Book {
            seed,
            budget: BUDGET_BYTES,
            accounts: Vec::new(),
        };
        Play {
            world,
            hosts,
            shared: Rc::new(RefCell::new(book)),
            servers: Vec::new(),
        }
    }

    fn apply(&mut self, op: &Op) {
        let [client, server] = self.hosts;
        match op {
            Op::Connect(ours, theirs) => self.connect(ours, theirs),
            Op::Do(who, deed) => self.act(*who, *deed),
            Op::React(who, moment, whom, deed) => {
                let mut book = self.shared.borrow_mut();
                if let Some(end) = book.end(who.number, who.server.into()) {
                    book.of(end).reactions.push((*moment, *whom, *deed));
                }
            }
            Op::Steps(steps) => (0..*steps).for_each(|_| _ = self.world.step()),
            Op::Pass { millis } => self.world.run_for(Duration::from_millis((*millis).into())),
            Op::CloseServer(number) => {
                if let Some(at) = usize::from(*number).checked_rem(self.servers.len()) {
                    self.close_server(at);
                }
            }
            Op::Cut => self.world.partition(client, server),
            Op::Heal => self.world.heal(client, server),
            Op::ResetAt { by_server, byte } => {
                let (from, to) = match by_server {
                    true => (server, client),
                    false => (client, server),
                };
                self.world.reset_at(from, to, (*byte).into());
            }
            Op::FailCalls {
                on_server,
                call,
                errno,
                times,
            } => {
                let host = self.hosts[usize::from(*on_server)];
                let call = CALLS[usize::from(*call) % CALLS.len()];
                let errno = ERRNOS[usize::from(*errno) % ERRNOS.len()];
                self.world
                    .fail_calls(host, call, errno, u64::from(times % 4));
            }
        }
    }

    fn connect(&mut self, ours: &Making, theirs: &Making) {
        let number = self.servers.len();
        if number == MOST_CONNECTIONS {
            return;
        }
        let port = FIRST_PORT + number as u16;
        self.shared.borrow_mut().accounts.push(Default::default());
        let end = move |side| End { number, side };
        let cap = |it: &Making| Some(if it.small_cap { 2_000 } else { 1 << 20 });

        let shared = Rc::clone(&self.shared);
        let options = ListenOptions::from(port)
            .allow_half_open(theirs.half_open)
            .high_water_mark((theirs.high_water_mark % 4096).into())
            .write_cap(cap(theirs));
        let net = self.world.net(self.hosts[SERVER]);
        let listening = net.listen(options, move |socket| {
            let mut book = shared.borrow_mut();
            let known = book.of(end(SERVER)).id.replace(socket.id());
            book.claim(known.is_none(), end(SERVER), "is accepted once");
            drop(book);
            observer(&shared, end(SERVER))
        });
        self.servers.push(listening.ok().map(|it| it.id()));

        let address = self.world.address(self.hosts[SERVER], port);
        let options = ConnectOptions::from(address)
            .allow_half_open(ours.half_open)
            .high_water_mark((ours.high_water_mark % 4096).into())
            .write_cap(cap(ours));
        let handler = observer(&self.shared, end(CLIENT));
        let net = self.world.net(self.hosts[CLIENT]);
        let id = net.connect(options, handler).unwrap().id();
        self.shared.borrow_mut().of(end(CLIENT)).id = Some(id);
    }

    fn act(&mut self, who: Who, deed: Deed) {
        let end = self.shared.borrow().end(who.number, who.server.into());
        if let Some(end) = end {
            let net = self.world.net(self.hosts[end.side]);
            act(net, &self.shared, end, deed);
        }
    }

    fn close_server(&mut self, at: usize) {
        if let Some(id) = self.servers[at]
            && let Some(mut server) = self.world.net(self.hosts[SERVER]).server(id)
        {
            let _ = server.close(); // a second time it is a mistake, and nothing more
        }
    }

    /// Heals the world and ends what the input left open. Answers the trace hash.
    fn finish(&mut self) -> u64 {
        let [client, server] = self.hosts;
        self.world.set_faults(Faults::none());
        self.world.heal(client, server);
        for ends in &mut self.shared.borrow_mut().accounts {
            ends.iter_mut().for_each(|it| it.reactions.clear());
        }
        self.end_all();
        self.world.run_until_quiet();
        self.end_all(); // those that have been accepted since
        (0..self.servers.len()).for_each(|at| self.close_server(at));
        self.world.run_until_quiet();

        let book = self.shared.borrow();
        for (number, ends) in book.accounts.iter().enumerate() {
            for (side, it) in ends.iter().enumerate() {
                let end = End { number, side };
                let settled = it.id.is_none() || it.closed && it.asked == it.completed;
                book.claim(settled, end, "everything is closed in the end");
            }
        }
        for host in self.hosts {
            let open = self.world.open_descriptors(host);
            assert!(open.is_empty(), "seed {}: {open:?}", book.seed);
            let stats = self.world.net(host).stats();
            assert_eq!((stats.sockets, stats.servers), (0, 0), "seed {}", book.seed);
        }
        self.world.trace_hash()
    }

    fn end_all(&mut self) {
        for number in 0..self.servers.len() as u8 {
            for server in [false, true] {
                let who = Who { number, server };
                self.act(who, Deed::Resume);
                self.act(who, Deed::End);
            }
        }
    }
}

fn play(input: &Input) -> u64 {
    let mut play = Play::new(input);
    input.ops.iter().for_each(|op| play.apply(op));
    play.finish()
}

fuzz_target!(|input: Input| {
    let hash = play(&input);
    if input.seed.is_multiple_of(16) {
        assert_eq!(
            hash,
            play(&input),
            "seed {}: not the same again",
            input.seed
        );
    }
});
