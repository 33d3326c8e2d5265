//! Where a scenario is played: two hosts, others who want to be served as well, and the checks.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::net::Limits;
use crate::sim::kernel::HostKernel;
use crate::sim::{Call, Faults, HostId, World};
use crate::sys::Sys;
use crate::{
    Acceptor, ConnectOptions, Event, Handler, ListenOptions, Net, Reactor, Server, ServerId,
    Socket, SocketId, handler_fn,
};

pub(super) const SERVER: HostId = HostId(0);
pub(super) const CLIENT: HostId = HostId(1);
pub(super) const HOSTS: [HostId; 2] = [SERVER, CLIENT];

/// Where a scenario's server listens.
pub(super) const PORT: u16 = 80;
/// Where the others are served.
const OTHERS_PORT: u16 = 81;
const OTHERS: usize = 2;
const OTHERS_ROUNDS: usize = 2;
const OTHERS_BYTES: usize = 10;
const SEED: u64 = 1;

/// A scenario.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) play: fn(&mut Stage),
}

/// One call that fails: the `place`-th that can, on this host, from the beginning of the scenario.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) host: HostId,
    pub(super) place: u64,
    pub(super) call: Call,
    pub(super) errno: i32,
}

/// The calls that can fail, in their order, by host.
pub(super) type Made = [Vec<Call>; 2];

/// What a socket does at an event.
pub(super) type Role = fn(&mut Socket<'_>, Event<'_>, &Rc<Life>);

/// What one socket was told, and what it makes of it.
#[derive(Debug)]
pub(super) struct Life {
    host: HostId,
    id: Cell<Option<SocketId>>,
    pub(super) heard: Cell<usize>,
    said: Cell<usize>,
    ended: Cell<bool>,
    errors: Cell<usize>,
    closes: Cell<usize>,
    was_connected: Cell<bool>,
    /// Completions that were asked for and not told.
    owed: Cell<usize>,
    /// Its loop was dropped: nobody tells it anything any more.
    pub(super) is_forgotten: Cell<bool>,
}

/// The byte at a place of any stream of this file.
fn byte(at: usize) -> u8 {
    (at % 251) as u8
}

fn bytes(from: usize, length: usize) -> Vec<u8> {
    (from..from + length).map(byte).collect()
}

impl Life {
    fn new(host: HostId) -> Rc<Life> {
        Rc::new(Life {
            host,
            id: Cell::new(None),
            heard: Cell::new(0),
            said: Cell::new(0),
            ended: Cell::new(false),
            errors: Cell::new(0),
            closes: Cell::new(0),
            was_connected: Cell::new(false),
            owed: Cell::new(0),
            is_forgotten: Cell::new(false),
        })
    }

    /// Writes so many bytes; what `write` answered.
    pub(super) fn say(&self, socket: &mut Socket<'_>, length: usize) -> bool {
        socket.write(&self.next(length))
    }

    /// As `say`, and waits for the completion.
    pub(super) fn say_then(self: &Rc<Life>, socket: &mut Socket<'_>, length: usize) -> bool {
        let life = Rc::clone(self);
        self.owed.set(self.owed.get() + 1);
        socket.write_then(&self.next(length), move |_, _| {
            // One that never connected has them behind its close (R44).
            let is_late = life.was_connected.get() && life.closes.get() > 0;
            assert!(!is_late, "a completion after close");
            assert!(!life.is_forgotten.get(), "a completion of a dropped loop");
            life.owed.set(life.owed.get() - 1);
        })
    }

    pub(super) fn next(&self, length: usize) -> Vec<u8> {
        let from = self.said.get();
        self.said.set(from + length);
        bytes(from, length)
    }

    /// The whole of an echo.
    pub(super) fn echo(&self, socket: &mut Socket<'_>, event: Event<'_>) {
        match event {
            Event::Data(bytes) if !self.say(socket, bytes.len()) => socket.pause(),
            Event::Drain => socket.resume(),
            _ => {}
        }
    }

    fn note(&self, socket: &Socket<'_>, event: &Event<'_>) {
        assert!(!self.is_forgotten.get(), "{event:?} of a dropped loop");
        assert_eq!(self.closes.get(), 0, "{event:?} after close");
        match event {
            Event::Data(data) => {
                let from = self.heard.get();
                assert!(!self.ended.get(), "bytes after the end");
                assert!(**data == bytes(from, data.len()), "misplaced bytes");
                self.heard.set(from + data.len());
            }
            Event::End => {
                assert!(!self.ended.replace(true), "a second end");
            }
            Event::Error(_) => {
                assert_eq!(self.errors.replace(1), 0, "a second error");
            }
            Event::Close { had_error } => {
                assert_eq!(*had_error, self.errors.get() == 1, "close and error differ");
                self.was_connected.set(socket.peer_address().is_some());
                let settled = self.owed.get() == 0 || !self.was_connected.get();
                assert!(settled, "completions that were not told");
                self.closes.set(1);
            }
            _ => {}
        }
    }
}

/// A handler that plays a role and keeps account.
pub(super) fn handler(life: Rc<Life>, role: Role) -> impl Handler {
    handler_fn(move |socket: &mut Socket<'_>, event| {
        life.note(socket, &event);
        role(socket, event, &life);
    })
}

type Lives = Rc<RefCell<Vec<Rc<Life>>>>;

/// Gives each peer the same role.
struct Accepts {
    host: HostId,
    lives: Lives,
    role: Role,
    greet: fn(&mut Socket<'_>, &Rc<Life>),
    at_listening: fn(&mut Server<'_>),
    closes: Rc<Cell<usize>>,
}

impl Acceptor for Accepts {
    fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler> {
        assert_eq!(
            self.closes.get(),
            0,
            "a connection after the server's close"
        );
        let life = Life::new(self.host);
        life.id.set(Some(socket.id()));
        self.lives.borrow_mut().push(Rc::clone(&life));
        (self.greet)(socket, &life);
        Box::new(handler(life, self.role))
    }

    fn on_listening(&mut self, server: &mut Server<'_>) {
        (self.at_listening)(server);
    }

    fn on_close(&mut self, _server: &mut Server<'_>) {
        assert_eq!(self.closes.replace(1), 0, "a server's second close");
    }
}

/// Two hosts and who lives on them.
pub(super) struct Stage {
    pub(super) world: World,
    lives: Lives,
    servers: Vec<(HostId, ServerId, Rc<Cell<usize>>)>,
    others: Vec<Rc<Life>>,
}

impl Stage {
    fn new() -> Stage {
        let mut world = World::with_faults(SEED, Faults::none());
        world.host("server");
        world.host("client");
        let mut stage = Stage {
            world,
            lives: Lives::default(),
            servers: Vec::new(),
            others: Vec::new(),
        };
        stage.serve_on(OTHERS_PORT, |socket, event, life| life.echo(socket, event));
        for _ in 0..OTHERS {
            let other = stage.connect_to(OTHERS_PORT, talk);
            stage.others.push(other);
        }
        stage
    }

    // What scenarios are made of.

    /// A server for the scenario.
    pub(super) fn serve(&mut self, role: Role) {
        self.serve_on(PORT, role);
    }

    fn serve_on(&mut self, port: u16, role: Role) {
        self.serve_with(ListenOptions::from(port), role, |_, _| (), |_| ());
    }

    pub(super) fn serve_with(
        &mut self,
        options: ListenOptions,
        role: Role,
        greet: fn(&mut Socket<'_>, &Rc<Life>),
        at_listening: fn(&mut Server<'_>),
    ) {
        let closes = Rc::new(Cell::new(0));
        let accepts = Accepts {
            host: SERVER,
            lives: Rc::clone(&self.lives),
            role,
            greet,
            at_listening,
            closes: Rc::clone(&closes),
        };
        // One that cannot listen has nothing to answer for; its clients are refused.
        if let Ok(server) = self.world.net(SERVER).listen_with(options, accepts) {
            let id = server.id();
            self.servers.push((SERVER, id, closes));
        }
    }

    /// A client of the scenario's server.
    pub(super) fn connect(&mut self, role: Role) -> Rc<Life> {
        self.connect_to(PORT, role)
    }

    pub(super) fn connect_to(&mut self, port: u16, role: Role) -> Rc<Life> {
        let options = ConnectOptions::from(self.world.address(SERVER, port));
        self.connect_with(options, role)
    }

    pub(super) fn connect_with(&mut self, options: ConnectOptions, role: Role) -> Rc<Life> {
        let life = Life::new(CLIENT);
        self.lives.borrow_mut().push(Rc::clone(&life));
        let ours = handler(Rc::clone(&life), role);
        let socket = self.world.net(CLIENT).connect(options, ours);
        life.id.set(Some(socket.expect("a good address").id()));
        life
    }

    pub(super) fn options(&self) -> ConnectOptions {
        ConnectOptions::from(self.world.address(SERVER, PORT))
    }

    /// Acts on a socket from outside, if it is there still.
    pub(super) fn on(&mut self, life: &Rc<Life>, act: impl FnOnce(&mut Socket<'_>, &Rc<Life>)) {
        let net = self.world.net(life.host);
        if let Some(mut socket) = life.id.get().and_then(|id| net.socket(id)) {
            act(&mut socket, life);
        }
    }

    /// Acts on each socket that the scenario's server has accepted.
    pub(super) fn on_accepted(&mut self, act: fn(&mut Socket<'_>, &Rc<Life>)) {
        for life in self.of_scenario().iter().filter(|it| it.host == SERVER) {
            self.on(life, act);
        }
    }

    /// The sockets of the scenario; before them stand both ends of the others.
    fn of_scenario(&self) -> Vec<Rc<Life>> {
        let lives = self.lives.borrow();
        lives.iter().skip(OTHERS * 2).cloned().collect()
    }

    /// Closes the scenario's server.
    pub(super) fn close_server(&mut self) {
        if let Some((host, id, _)) = self.servers.get(1) {
            let server = self.world.net(*host).server(*id);
            server.map(|mut it| it.close());
        }
    }

    pub(super) fn run(&mut self) {
        self.world.run_until_quiet();
    }

    pub(super) fn run_for(&mut self, millis: u64) {
        self.world.run_for(Duration::from_millis(millis));
    }

    /// Drops the loop of a host with everything that is open, as the end of its process does.
    pub(super) fn drop_loop(&mut self, host: HostId) {
        for life in self.lives.borrow().iter().filter(|it| it.host == host) {
            life.is_forgotten.set(life.closes.get() == 0);
        }
        self.servers.retain(|(it, _, _)| *it != host);
        let limits = Limits::default();
        let kernel = HostKernel::new(Rc::clone(&self.world.network), host.0, limits.events);
        let next = Reactor::on(Sys::with_kernel(Box::new(kernel)), limits);
        drop(std::mem::replace(
            &mut self.world.hosts[host.0].reactor,
            next,
        ));
        self.world.network.borrow_mut().close_all(host.0);
    }

    // The frame around a scenario.

    /// Lets the others talk while the scenario is played.
    fn begin_talks(&mut self) {
        for other in self.others.clone() {
            self.on(&other, |socket, life| {
                life.say(socket, OTHERS_BYTES);
            });
        }
    }

    fn check_others(&mut self, faults: usize) {
        if self.lives.borrow().iter().any(|it| it.is_forgotten.get()) {
            return; // they lost one of their ends
        }
        let whole = |it: &Rc<Life>| it.heard.get() == OTHERS_BYTES * OTHERS_ROUNDS;
        let harmed = self.others.iter().filter(|it| !whole(it)).count();
        assert!(harmed <= faults, "{harmed} others are not served");
    }

    fn check_newcomer(&mut self) {
        if self.servers.is_empty() {
            return; // its server went with its loop
        }
        let newcomer = self.connect_to(OTHERS_PORT, |socket, event, life| match event {
            Event::Connect => {
                life.say(socket, OTHERS_BYTES);
            }
            Event::Data(_) if life.heard.get() == OTHERS_BYTES => socket.end(),
            _ => {}
        });
        self.run();
        let whole = newcomer.heard.get() == OTHERS_BYTES && newcomer.errors.get() == 0;
        assert!(whole, "a newcomer is not served: {newcomer:?}");
    }

    /// Ends what the scenario left open, while calls still fail.
    fn close_scenario(&mut self) {
        self.close_server();
        self.destroy_all(&self.of_scenario());
    }

    fn close_everything(&mut self) {
        for (host, id, _) in &self.servers {
            if let Some(mut server) = self.world.net(*host).server(*id) {
                let _ = server.close(); // the scenario may have done so
            }
        }
        let lives = self.lives.borrow().clone();
        self.destroy_all(&lives);
    }

    fn destroy_all(&mut self, lives: &[Rc<Life>]) {
        for life in lives.iter().filter(|it| !it.is_forgotten.get()) {
            self.on(life, |socket, _| socket.destroy());
        }
        self.run();
    }

    fn check_all_closed(&mut self) {
        for life in self.lives.borrow().iter() {
            let closes = usize::from(!life.is_forgotten.get());
            assert_eq!(life.closes.get(), closes, "closes of {life:?}");
            let settled = life.owed.get() == 0 || life.is_forgotten.get();
            assert!(settled, "completions of {life:?}");
        }
        for (_, _, closes) in &self.servers {
            assert_eq!(closes.get(), 1, "a server was not told its close");
        }
        for host in HOSTS {
            let open = self.world.open_descriptors(host);
            assert!(open.is_empty(), "{host:?} leaks {open:?}");
            let net: &Net = self.world.net(host);
            let live = net.sockets.iter().count() + net.servers.iter().count();
            assert_eq!(live, 0, "entries of {host:?} that outlive their close");
        }
    }
}

/// What the others do: a few rounds with the echo, a moment between them.
fn talk(socket: &mut Socket<'_>, event: Event<'_>, life: &Rc<Life>) {
    let heard = life.heard.get();
    let goes_on = heard.is_multiple_of(OTHERS_BYTES) && heard < OTHERS_BYTES * OTHERS_ROUNDS;
    if let Event::Data(_) = event
        && goes_on
    {
        let (id, life) = (socket.id(), Rc::clone(life));
        socket
            .net()
            .set_timeout(Duration::from_millis(1), move |net| {
                if let Some(mut socket) = net.socket(id) {
                    life.say(&mut socket, OTHERS_BYTES);
                }
            });
    }
}

/// Plays a scenario with these faults and checks it; the calls that could have failed.
pub(super) fn run(scenario: &Scenario, faults: &[Fault]) -> Made {
    let _told = Told(scenario.name, faults);
    let mut stage = Stage::new();
    stage.run();
    let begin = HOSTS.map(|host| stage.world.fallible_calls(host));
    for fault in faults {
        let place = begin[fault.host.0] + fault.place;
        let mut network = stage.world.network.borrow_mut();
        let script = network.script(fault.host.0);
        script.fail_call_at(place, fault.call, fault.errno);
    }
    stage.begin_talks();
    (scenario.play)(&mut stage);
    stage.run();
    stage.check_others(faults.len());
    stage.close_scenario();
    let made = HOSTS.map(|host| stage.world.calls_made(host, begin[host.0]));
    for host in HOSTS {
        stage.world.fail_no_more(host);
    }
    stage.check_newcomer();
    stage.close_everything();
    stage.check_all_closed();
    made
}

/// Says what was played when a check fails in the middle of it.
struct Told<'a>(&'a str, &'a [Fault]);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was seed {SEED}, scenario {:?}, with {self}", self.0);
        }
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1.is_empty() {
            return f.write_str("no fault");
        }
        for fault in self.1 {
            write!(f, "{fault:?}; ")?;
        }
        Ok(())
    }
}
