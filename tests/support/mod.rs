//! What the tests share: a log of events, handlers that write it, peers that are plain sockets.
//!
//! Nothing here waits for time: the loop is turned until something has happened, and a test that
//! waits in vain fails after [`PATIENCE`] with the log in its message.
#![allow(dead_code)] // each test binary uses its own part
#![allow(unreachable_pub)] // shared by binaries, so there is no crate to be reachable in

pub mod example;
pub mod idle;

use netloop::{
    Address, ConnectOptions, Event, Handler, ListenOptions, Net, Promise, Question, Reactor,
    ReadyState, Resolver, Socket, SocketId, handler_fn,
};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a test waits for something that should happen at once.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// More bytes than the kernel takes for a peer that does not read.
pub const BIG: usize = 16 << 20;

/// Events in the order in which they were told.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub fn new() -> Log {
        Log::default()
    }

    pub fn push(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// The lines of one speaker, without its name.
    pub fn of(&self, who: &str) -> Vec<String> {
        let prefix = format!("{who} ");
        let lines = self.0.borrow();
        let own = lines.iter().filter_map(|line| line.strip_prefix(&prefix));
        own.map(str::to_owned).collect()
    }

    pub fn has(&self, line: &str) -> bool {
        self.0.borrow().iter().any(|it| it == line)
    }

    pub fn count(&self, line: &str) -> usize {
        self.0.borrow().iter().filter(|it| *it == line).count()
    }

    /// Where a line stands; panics with the log if it does not.
    #[track_caller]
    pub fn at(&self, line: &str) -> usize {
        let at = self.0.borrow().iter().position(|it| it == line);
        at.unwrap_or_else(|| panic!("no {line:?} in {self:?}"))
    }

    /// Asserts that these lines stand in this order, with any others between them.
    #[track_caller]
    pub fn assert_order(&self, lines: &[&str]) {
        for pair in lines.windows(2) {
            let (first, second) = (self.at(pair[0]), self.at(pair[1]));
            assert!(first < second, "{pair:?} the wrong way round in {self:?}");
        }
    }

    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.borrow().iter()).finish()
    }
}

/// An event in a few words: `data 5`, `error ECONNRESET`, `close true`.
pub fn describe(event: &Event<'_>) -> String {
    match event {
        Event::Lookup {
            host,
            answer: Ok(ip),
        } => format!("lookup {host} {ip}"),
        Event::Lookup {
            host,
            answer: Err(error),
        } => format!("lookup {host} {}", error.code()),
        Event::ConnectionAttempt(address) => format!("attempt {address}"),
        Event::ConnectionAttemptFailed { address, error } => {
            format!("attempt failed {address} {}", error.code())
        }
        Event::ConnectionAttemptTimeout(address) => format!("attempt timeout {address}"),
        Event::Connect => "connect".into(),
        Event::Ready => "ready".into(),
        Event::Data(bytes) => format!("data {}", bytes.len()),
        Event::Text(text) => format!("text {text}"),
        Event::End => "end".into(),
        Event::Drain => "drain".into(),
        Event::Finish => "finish".into(),
        Event::Timeout => "timeout".into(),
        Event::Error(error) => format!("error {}", error.code()),
        Event::Close { had_error } => format!("close {had_error}"),
        other => format!("{other:?}"),
    }
}

/// A handler that logs every event as `WHO EVENT`.
pub fn recorder(who: &str, log: &Log) -> impl Handler + use<> {
    reacting(who, log, |_, _| ())
}

/// A handler that logs every event as `WHO EVENT`, and then does what `react` says.
pub fn reacting<F>(who: &str, log: &Log, mut react: F) -> impl Handler + use<F>
where
    F: FnMut(&mut Socket<'_>, Event<'_>) + 'static,
{
    let (who, log) = (who.to_owned(), log.clone());
    handler_fn(move |socket, event| {
        log.push(format!("{who} {}", describe(&event)));
        react(socket, event);
    })
}

/// Asserts that a socket is destroyed by all that it answers.
#[track_caller]
pub fn assert_destroyed(socket: &Socket<'_>) {
    assert!(socket.destroyed() && socket.pending() && !socket.connecting());
    assert!(!socket.readable() && !socket.writable());
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    assert_eq!(socket.buffer_size(), 0);
    assert!(!socket.writable_need_drain());
}

/// A loop, and the log that its handlers are to write.
pub fn fresh() -> (Reactor, Log) {
    (Reactor::new().unwrap(), Log::new())
}

/// Turns the loop until `done` says so.
#[track_caller]
pub fn turn_until(reactor: &mut Reactor, mut done: impl FnMut(&mut Net) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done(reactor.net()) {
        assert!(Instant::now() < deadline, "waited in vain");
        reactor.turn(Some(Duration::from_millis(10))).unwrap();
    }
}

/// Turns the loop until the log has a line.
#[track_caller]
pub fn turn_until_line(reactor: &mut Reactor, log: &Log, line: &str) {
    turn_until_lines(reactor, log, line, 1);
}

/// Turns the loop until the log has a line so many times.
#[track_caller]
pub fn turn_until_lines(reactor: &mut Reactor, log: &Log, line: &str, times: usize) {
    let deadline = Instant::now() + PATIENCE;
    while log.count(line) < times {
        assert!(
            Instant::now() < deadline,
            "waited in vain for {line:?}, got {log:?}"
        );
        reactor.turn(Some(Duration::from_millis(10))).unwrap();
    }
}

/// Turns the loop, without sleeping, until it has nothing left to do by itself and the kernel has
/// said nothing for a while of turns: for asserting that something did *not* happen. What one end
/// of a loopback connection has sent is at the other end when the call returns, so this waits for
/// no packet.
#[track_caller]
pub fn turn_until_quiet(reactor: &mut Reactor) {
    let deadline = Instant::now() + PATIENCE;
    let mut quiet = 0;
    while quiet < 3 {
        assert!(Instant::now() < deadline, "never quiet");
        let before = reactor.net().stats().events;
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let busy = reactor.next_timeout() == Some(Duration::ZERO);
        let woken = reactor.net().stats().events != before;
        quiet = if busy || woken { 0 } else { quiet + 1 };
    }
}

/// A server of ours on a free port of 127.0.0.1 whose sockets get what `accept` makes.
pub fn listen<H: Handler + 'static>(
    reactor: &mut Reactor,
    accept: impl FnMut(&mut Socket<'_>) -> H + 'static,
) -> SocketAddr {
    let server = reactor.net().listen("127.0.0.1:0", accept).unwrap();
    inet(server.address().unwrap())
}

/// The view of a socket that is open.
#[track_caller]
pub fn at(reactor: &mut Reactor, id: SocketId) -> Socket<'_> {
    reactor.net().socket(id).expect("an open socket")
}

pub fn inet(address: Address) -> SocketAddr {
    address.as_inet().expect("an IP address")
}

/// Both ends of one connection in one loop: `server` and `client` handlers, connected and ready.
/// Returns the ids as (client, server).
pub fn connected(
    reactor: &mut Reactor,
    client: impl Handler + 'static,
    server: impl Handler + 'static,
) -> (SocketId, SocketId) {
    let accepted = Rc::new(Cell::new(None));
    let (seen, mut server) = (accepted.clone(), Some(server));
    let listener = reactor
        .net()
        .listen("127.0.0.1:0", move |socket| {
            seen.set(Some(socket.id()));
            Box::new(server.take().expect("one connection")) as Box<dyn Handler>
        })
        .unwrap();
    let (id, address) = (listener.id(), listener.address().unwrap());
    let client = reactor.net().connect(address, client).unwrap().id();
    turn_until(reactor, |net| {
        let connecting = net.socket(client).is_some_and(|s| s.connecting());
        !connecting && accepted.get().is_some()
    });
    reactor.net().server(id).unwrap().close().unwrap();
    (client, accepted.get().unwrap())
}

/// One end in our loop, accepted with `handler`; the other a plain blocking socket.
pub fn accepted(reactor: &mut Reactor, handler: impl Handler + 'static) -> (SocketId, TcpStream) {
    accepted_by(reactor, "127.0.0.1:0", handler)
}

/// As [`accepted`], by a server with these options.
pub fn accepted_by(
    reactor: &mut Reactor,
    options: impl Into<ListenOptions>,
    handler: impl Handler + 'static,
) -> (SocketId, TcpStream) {
    let seen = Rc::new(Cell::new(None));
    let (id, mut handler) = (seen.clone(), Some(handler));
    let accept = move |socket: &mut Socket<'_>| {
        id.set(Some(socket.id()));
        Box::new(handler.take().expect("one connection")) as Box<dyn Handler>
    };
    let server = reactor.net().listen(options, accept).unwrap();
    let peer = plain_peer(inet(server.address().unwrap()));
    turn_until(reactor, |_| seen.get().is_some());
    (seen.get().unwrap(), peer)
}

/// As [`accepted`] the other way round: our end is the one that connects, with what `configure`
/// makes of its options, and `before` is done to it before anything is turned.
pub fn dialled(
    reactor: &mut Reactor,
    configure: impl FnOnce(ConnectOptions) -> ConnectOptions,
    handler: impl Handler + 'static,
    before: impl FnOnce(&mut Socket<'_>),
) -> (SocketId, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = configure(listener.local_addr().unwrap().into());
    let mut socket = reactor.net().connect(options, handler).unwrap();
    before(&mut socket);
    let id = socket.id();
    turn_until(reactor, |net| {
        net.socket(id).is_none_or(|socket| !socket.connecting())
    });
    (id, patient(listener.accept().unwrap().0))
}

/// A socket `us` that is connecting, and the plain listener that it connects to.
pub fn connecting(
    reactor: &mut Reactor,
    log: &Log,
    options: impl FnOnce(ConnectOptions) -> ConnectOptions,
) -> (SocketId, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = options(listener.local_addr().unwrap().into());
    let socket = reactor.net().connect(options, recorder("us", log));
    (socket.unwrap().id(), listener)
}

/// An accepted socket `us` with a full queue: `write` has answered `false` once.
pub fn full(reactor: &mut Reactor, log: &Log) -> (SocketId, TcpStream) {
    let (us, peer) = accepted(reactor, recorder("us", log));
    assert!(!at(reactor, us).write(&vec![0; BIG]));
    (us, peer)
}

/// An address of 127.0.0.1 that refuses connects for as long as the socket is kept: bound, so that
/// nobody else gets the port, and not listening.
pub fn refusing() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any_port.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// Makes `call` until no signal has ended it.
///
/// When a child ends, any thread of this process may get the signal, and a call with a timeout does not go on
/// behind one by itself (signal(7)). `read_exact`, `write_all` and their like do so anyway.
pub fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}

/// An address that answers no connect for as long as the sockets are kept: its backlog is full.
pub fn unanswering() -> (impl Sized, SocketAddr) {
    let (listener, address) = refusing();
    listener.listen(0).unwrap(); // which has room for one
    let filling = TcpStream::connect(address).unwrap();
    ((listener, filling), address)
}

/// Makes a port of a loopback address answer no connect for as long as the sockets are kept: on
/// Linux all of 127.0.0.0/8 is one's own.
pub fn black_hole(ip: [u8; 4], port: u16) -> impl Sized + use<> {
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let address = SocketAddr::from((ip, port));
    listener.bind(&address.into()).unwrap();
    listener.listen(0).unwrap(); // which has room for one
    let filling = TcpStream::connect(address).unwrap();
    (listener, filling)
}

/// A resolver that knows one answer, and gives it at once.
pub fn answering(answer: &[IpAddr]) -> impl Resolver + use<> {
    let answer = answer.to_vec();
    move |_: &mut Net, _: Question, promise: Promise| promise.fulfil(Ok(answer.clone()))
}

/// Lets real time pass while the loop stands still: for tests whose subject is time. What comes
/// after may be late for any reason, never early.
pub fn let_pass(time: Duration) {
    std::thread::sleep(time);
}

/// Runs the loop until nothing keeps it going; fails if that never happens.
pub fn run_to_its_end(reactor: &mut Reactor) {
    let net = reactor.net();
    let guard = net.set_timeout(PATIENCE, |_| panic!("something keeps the loop going"));
    net.unref_timer(guard);
    reactor.run().unwrap();
    reactor.net().clear_timer(guard);
}

/// A plain blocking socket, with time-outs so that a failing test ends.
pub fn plain_peer(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).unwrap())
}

fn patient(peer: TcpStream) -> TcpStream {
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.set_write_timeout(Some(PATIENCE)).unwrap();
    peer.set_nodelay(true).unwrap();
    peer
}

/// Accepts a plain blocking socket, with time-outs. On Linux the one for reading holds for `accept`
/// too (socket(7)), so that a test to which nobody connects fails.
#[track_caller]
pub fn accept(listener: &TcpListener) -> TcpStream {
    let limited = socket2::SockRef::from(listener);
    limited.set_read_timeout(Some(PATIENCE)).unwrap();
    patient(listener.accept().expect("a connection in time").0)
}

/// Closes a plain socket with an RST.
pub fn reset(peer: TcpStream) {
    let peer = socket2::Socket::from(peer);
    peer.set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
}

/// Makes the kernel's buffers of a plain socket small, so that back-pressure comes early.
pub fn small_buffers(peer: &TcpStream) {
    let peer = socket2::SockRef::from(peer);
    peer.set_recv_buffer_size(4096).unwrap();
    peer.set_send_buffer_size(4096).unwrap();
}

/// How the peer of a plain socket closed: after how many bytes, and by what error.
pub fn how_it_closed(mut peer: impl Read) -> (usize, Option<io::ErrorKind>) {
    let mut got = Vec::new();
    let outcome = peer.read_to_end(&mut got);
    (got.len(), outcome.err().map(|error| error.kind()))
}

/// Reads from a plain peer while the loop turns, until `enough` bytes, the end, or an error.
pub fn read_while_turning(
    reactor: &mut Reactor,
    peer: &mut TcpStream,
    enough: usize,
) -> io::Result<Vec<u8>> {
    peer.set_nonblocking(true)?;
    let deadline = Instant::now() + PATIENCE;
    let mut got = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let outcome = loop {
        assert!(Instant::now() < deadline, "waited in vain for bytes");
        if got.len() >= enough {
            break Ok(got);
        }
        match peer.read(&mut buffer) {
            Ok(0) => break Ok(got),
            Ok(bytes) => got.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                reactor.turn(Some(Duration::from_millis(1))).unwrap();
            }
            Err(error) => break Err(error),
        }
    };
    peer.set_nonblocking(false)?;
    outcome
}

/// Writes to a plain peer while the loop turns, all of `bytes`.
pub fn write_while_turning(reactor: &mut Reactor, peer: &mut TcpStream, bytes: &[u8]) {
    peer.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut sent = 0;
    while sent < bytes.len() {
        assert!(Instant::now() < deadline, "waited in vain for room");
        match peer.write(&bytes[sent..]) {
            Ok(taken) => sent += taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                reactor.turn(Some(Duration::from_millis(1))).unwrap();
            }
            Err(error) => panic!("write: {error}"),
        }
    }
    peer.set_nonblocking(false).unwrap();
}

/// Writes to a plain peer, without turning the loop, until the kernels on the way take no more;
/// gives back how many bytes they took.
pub fn write_until_full(peer: &mut TcpStream, bytes: &[u8]) -> usize {
    peer.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while sent < bytes.len() {
        match peer.write(&bytes[sent..]) {
            Ok(taken) => sent += taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => panic!("write: {error}"),
        }
    }
    peer.set_nonblocking(false).unwrap();
    sent
}

/// Bytes whose value tells their place, so that a lost or doubled one shows.
pub fn pattern(bytes: usize) -> Vec<u8> {
    let once: Vec<u8> = (0..251).collect();
    let mut pattern = once.repeat(bytes.div_ceil(once.len()));
    pattern.truncate(bytes);
    pattern
}

/// As [`accepted`], with options for the accepted socket.
pub fn accepted_with(
    reactor: &mut Reactor,
    options: impl FnOnce(ListenOptions) -> ListenOptions,
    handler: impl Handler + 'static,
) -> (SocketId, TcpStream) {
    let options = options(ListenOptions::from("127.0.0.1:0"));
    accepted_by(reactor, options, handler)
}

/// The completion of a write: logs `WHAT ok`, or `WHAT CODE`.
pub fn completion(
    what: &str,
    log: &Log,
) -> impl FnOnce(&mut Net, netloop::Result<()>) + 'static + use<> {
    let (what, log) = (what.to_owned(), log.clone());
    move |_, outcome| match outcome {
        Ok(()) => log.push(format!("{what} ok")),
        Err(error) => log.push(format!("{what} {}", error.code())),
    }
}

/// How often the kernel was asked to take bytes.
pub fn sends(net: &Net) -> u64 {
    let syscalls = net.stats().syscalls;
    syscalls.write + syscalls.write_vectored
}

/// A child process that does not outlive its test.
pub struct Process(pub Child);

impl Process {
    /// Sends a signal: `STOP`. By the shell, which has the command built in: `kill` as a program is
    /// not on every machine.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let script = format!("kill -{name} {}", self.0.id());
        let outcome = Command::new("sh").args(["-c", &script]).status().unwrap();
        assert!(outcome.success(), "{script}");
    }

    /// All that it prints to a piped standard output until it ends.
    #[track_caller]
    pub fn output(mut self) -> Vec<u8> {
        let mut stdout = self.0.stdout.take().expect("a pipe");
        let mut printed = Vec::new();
        stdout.read_to_end(&mut printed).unwrap();
        let outcome = self.0.wait().unwrap();
        assert!(outcome.success(), "{outcome}");
        printed
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if it has ended by itself, and then there is nothing left to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A directory of this test's own, which goes with everything in it.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Directory {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("netloop-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}
