//! Group I on local sockets (R94, and what R6, R12, R61, R64, R87, R89, R96 and R98 say of them), and
//! descriptors that others have opened.

use crate::support::*;
use netloop::{
    Acceptor, Address, ConnectOptions, Dropped, Event, Family, Handler, ListenOptions, Reactor,
    Server, Socket, handler_fn,
};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

fn deaf(_: &mut Socket<'_>) -> impl Handler + use<> {
    handler_fn(|_, _| ())
}

/// Sends back what comes, and ends when the peer does.
fn echo(_: &mut Socket<'_>) -> impl Handler + use<> {
    handler_fn(|socket, event| {
        if let Event::Data(bytes) = event {
            socket.write(bytes);
        }
    })
}

fn rights(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The whole text of the error that a connect ends with, and what was told.
fn failure(reactor: &mut Reactor, options: impl Into<ConnectOptions>) -> (String, Vec<String>) {
    let (log, texts) = (Log::new(), Log::new());
    let text = texts.clone();
    let client = reacting("client", &log, move |_, event| {
        if let Event::Error(error) = event {
            text.push(error.to_string());
        }
    });
    reactor.net().connect(options, client).unwrap();
    turn_until_line(reactor, &log, "client close true");
    (texts.lines()[0].clone(), log.of("client"))
}

#[test]
fn r94_a_server_listens_on_a_path_and_clients_find_it_there() {
    let directory = Directory::new();
    let path = directory.path("echo.sock");
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let address = Address::Path(path.clone());

    let server = reactor.net().listen(path.as_path(), echo).unwrap();
    assert!(server.listening(), "R87: at once");
    assert_eq!(server.address(), Some(address.clone()));
    assert_eq!(rights(&path), 0o600);

    let client = reacting("client", &log, |socket, event| match event {
        Event::Connect => {
            socket.write(b"hello");
        }
        Event::Data(bytes) => {
            assert_eq!(bytes, b"hello");
            socket.end();
        }
        _ => {}
    });
    reactor.net().connect(path.as_path(), client).unwrap();
    turn_until_line(&mut reactor, &log, "client close false");
    let attempt = format!("attempt {address}");
    #[rustfmt::skip]
    let told = [&attempt, "connect", "ready", "data 5", "finish", "end", "close false"];
    assert_eq!(log.of("client"), told, "R6: and no lookup");
}

#[test]
fn r61_a_local_socket_has_the_addresses_of_its_family_and_no_port() {
    let directory = Directory::new();
    let path = directory.path("a.sock");
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let lines = log.clone();
    let named = move |socket: &mut Socket<'_>| {
        let (own, peer) = (socket.address().unwrap(), socket.peer_address().unwrap());
        lines.push(format!("{own} to {peer}"));
        assert_eq!(socket.local_family(), Some(Family::Unix));
        assert_eq!(socket.remote_family(), Some(Family::Unix));
        let ips = (socket.local_address(), socket.remote_address());
        assert_eq!(ips, (None, None));
        assert_eq!((socket.local_port(), socket.remote_port()), (None, None));
    };
    let at_server = named.clone();
    let accept = move |socket: &mut Socket<'_>| {
        at_server(socket);
        handler_fn(|_, _| ())
    };
    reactor.net().listen(path.clone(), accept).unwrap();
    let client = reacting("client", &log, move |socket, event| {
        if let Event::Ready = event {
            named(socket);
        }
    });
    reactor.net().connect(path.clone(), client).unwrap();
    let path = path.display();
    turn_until_line(&mut reactor, &log, &format!("(unnamed) to {path}"));
    turn_until_line(&mut reactor, &log, &format!("{path} to (unnamed)"));
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn r94_an_abstract_name_stands_in_no_file_system() {
    let name = format!("netloop-test-{}\0\n", std::process::id()).into_bytes();
    let address = Address::Abstract(name);
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let server = reactor.net().listen(address.clone(), deaf).unwrap();
    let id = server.id();
    assert_eq!(server.address(), Some(address.clone()));
    let again = reactor.net().listen(address.clone(), deaf).unwrap_err();
    assert_eq!(again.code(), "EADDRINUSE");
    let client = recorder("client", &log);
    reactor.net().connect(address.clone(), client).unwrap();
    turn_until_line(&mut reactor, &log, "client ready");
    reactor.net().server(id).unwrap().close().unwrap();
    let (text, _) = failure(&mut reactor, address);
    assert!(text.starts_with("connect ECONNREFUSED @netloop-test-"));
    assert!(text.ends_with(r"\x00\n"), "{text}");
}

#[test]
fn r94_readable_all_and_writable_all_open_the_path_to_everybody() {
    let directory = Directory::new();
    let mut reactor = Reactor::new().unwrap();
    for (name, readable, writable, expected) in [
        ("r", true, false, 0o644),
        ("w", false, true, 0o622),
        ("rw", true, true, 0o666),
    ] {
        let path = directory.path(name);
        let options = ListenOptions::path(&path)
            .readable_all(readable)
            .writable_all(writable);
        reactor.net().listen(options, deaf).unwrap();
        assert_eq!(rights(&path), expected, "{name}");
    }
}

#[test]
fn r94_close_removes_the_path_at_once_and_r98_the_address_with_it() {
    let directory = Directory::new();
    let path = directory.path("a.sock");
    let mut reactor = Reactor::new().unwrap();
    let mut server = reactor.net().listen(path.clone(), deaf).unwrap();
    server.close().unwrap();
    assert!(!path.exists());
    assert_eq!(server.address(), None); // Node goes on answering with the path
    reactor.net().listen(path, deaf).unwrap();
}

#[test]
fn r94_dropping_the_reactor_removes_the_path_too() {
    let directory = Directory::new();
    let path = directory.path("a.sock");
    let mut reactor = Reactor::new().unwrap();
    reactor.net().listen(path.clone(), deaf).unwrap();
    assert!(path.exists());
    drop(reactor);
    assert!(!path.exists());
}

#[test]
fn r89_a_path_that_is_taken_is_told_with_the_path() {
    let directory = Directory::new();
    let path = directory.path("a.sock");
    let mut reactor = Reactor::new().unwrap();
    reactor.net().listen(path.clone(), deaf).unwrap();
    let error = reactor.net().listen(path.clone(), deaf).unwrap_err();
    let text = format!(
        "listen EADDRINUSE: address already in use {}",
        path.display()
    );
    assert_eq!(error.to_string(), text);
    assert_eq!(error.address(), Some(Address::Path(path.clone())));
    assert!(path.exists(), "and nothing was removed");
}

#[test]
fn r12_a_connect_to_a_path_tells_code_and_path() {
    let directory = Directory::new();
    let path = directory.path("nobody.sock");
    let mut reactor = Reactor::new().unwrap();
    let (text, told) = failure(&mut reactor, path.clone());
    let path = path.display();
    assert_eq!(text, format!("connect ENOENT {path}"));
    let attempt = format!("attempt {path}");
    let failed = format!("attempt failed {path} ENOENT");
    assert_eq!(told, [&attempt, &failed, "error ENOENT", "close true"]);
}

#[test]
fn r64_a_local_socket_has_no_reset_and_is_destroyed_with_an_error() {
    let directory = Directory::new();
    let path = directory.path("a.sock");
    for connected in [true, false] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let server = reactor.net().listen(path.clone(), deaf).unwrap().id();
        let client = recorder("client", &log);
        let id = reactor.net().connect(path.clone(), client).unwrap().id();
        if connected {
            turn_until_line(&mut reactor, &log, "client ready");
        }
        reactor.net().socket(id).unwrap().reset_and_destroy();
        turn_until_line(&mut reactor, &log, "client close true");
        assert!(log.has("client error ERR_INVALID_HANDLE_TYPE"));
        reactor.net().server(server).unwrap().close().unwrap();
    }
}

#[test]
fn r64_neither_has_one_that_was_accepted() {
    let directory = Directory::new();
    let path = directory.path("a.sock");
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let lines = log.clone();
    let accept = move |socket: &mut Socket<'_>| {
        socket.reset_and_destroy();
        recorder("socket", &lines)
    };
    reactor.net().listen(path.clone(), accept).unwrap();
    let _peer = UnixStream::connect(path).unwrap();
    turn_until_line(&mut reactor, &log, "socket close true");
    let told = ["error ERR_INVALID_HANDLE_TYPE", "close true"];
    assert_eq!(log.of("socket"), told);
}

struct Dropping(Log);

impl Acceptor for Dropping {
    fn on_connection(&mut self, _: &mut Socket<'_>) -> Box<dyn Handler> {
        self.0.push("connection");
        Box::new(handler_fn(|_, _| ()))
    }
    fn on_drop(&mut self, _: &mut Server<'_>, dropped: &Dropped) {
        let family = dropped.local.as_ref().map(Address::family);
        assert_eq!(family, Some(Family::Unix));
        assert_eq!(dropped.remote, Address::Unnamed);
        self.0.push("drop");
    }
}

#[test]
fn r96_a_peer_beyond_max_connections_is_told_as_dropped_and_sees_its_end() {
    let directory = Directory::new();
    let path = directory.path("a.sock");
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let options = ListenOptions::path(&path).max_connections(1);
    let acceptor = Dropping(log.clone());
    reactor.net().listen_with(options, acceptor).unwrap();
    let _first = UnixStream::connect(&path).unwrap();
    let mut second = UnixStream::connect(&path).unwrap();
    turn_until_line(&mut reactor, &log, "drop");
    assert_eq!(log.lines(), ["connection", "drop"]);
    assert_eq!(second.read(&mut [0; 1]).unwrap(), 0);
}

// Descriptors.

#[test]
fn r87_a_listener_that_others_have_opened_is_a_server_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut early = TcpStream::connect(address).unwrap();
    let server = reactor.net().listen(OwnedFd::from(listener), echo).unwrap();
    assert!(server.listening());
    assert_eq!(server.address().unwrap(), address);
    let client = recorder("client", &log);
    reactor.net().connect(address, client).unwrap();
    turn_until_line(&mut reactor, &log, "client ready");
    early.write_all(b"hi").unwrap();
    let mut answer = [0; 2];
    read_exactly(&mut reactor, &mut early, &mut answer);
    assert_eq!(&answer, b"hi");
}

fn read_exactly(reactor: &mut Reactor, peer: &mut TcpStream, into: &mut [u8]) {
    peer.set_nonblocking(true).unwrap();
    let mut read = 0;
    turn_until(reactor, |_| {
        read += peer.read(&mut into[read..]).unwrap_or(0);
        read == into.len()
    });
}

#[test]
fn r94_the_path_of_a_listener_that_others_have_opened_stays_theirs() {
    let directory = Directory::new();
    let path = directory.path("a.sock");
    let mut reactor = Reactor::new().unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let mut server = reactor.net().listen(OwnedFd::from(listener), deaf).unwrap();
    assert_eq!(server.address(), Some(Address::Path(path.clone())));
    server.close().unwrap();
    assert!(path.exists());
}

#[test]
fn r89_a_descriptor_that_cannot_listen_is_einval() {
    let mut reactor = Reactor::new().unwrap();
    let connected = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(connected.local_addr().unwrap()).unwrap();
    let wrong: [OwnedFd; 4] = [
        std::io::pipe().unwrap().0.into(),
        UdpSocket::bind("127.0.0.1:0").unwrap().into(),
        UnixDatagram::unbound().unwrap().into(),
        connected.into(),
    ];
    for descriptor in wrong {
        let error = reactor.net().listen(descriptor, deaf).unwrap_err();
        assert_eq!(error.to_string(), "listen EINVAL: invalid argument");
    }
    assert!(!reactor.is_alive());
}

#[test]
fn a_descriptor_is_given_to_one_server_only() {
    let mut reactor = Reactor::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = ListenOptions::from(OwnedFd::from(listener));
    reactor.net().listen(options.clone(), deaf).unwrap();
    let error = reactor.net().listen(options, deaf).unwrap_err();
    assert_eq!(error.code(), "ERR_INVALID_ARG_VALUE");
}

#[test]
fn a_stream_that_others_have_opened_reads_and_writes_and_ends_like_any_other() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let handler = reacting("socket", &log, |socket, event| {
        if let Event::Data(bytes) = event {
            socket.write(bytes);
        }
    });
    let socket = reactor.net().adopt(ours, handler).unwrap();
    assert_eq!(socket.peer_address(), Some(Address::Unnamed));
    assert_eq!(socket.ready_state().to_string(), "open");
    theirs.write_all(b"hello").unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    turn_until_line(&mut reactor, &log, "socket close false");
    let told = ["data 5", "end", "finish", "close false"];
    assert_eq!(log.of("socket"), told);
    let mut echoed = String::new();
    theirs.read_to_string(&mut echoed).unwrap();
    assert_eq!(echoed, "hello");
}

#[test]
fn what_is_no_connected_stream_is_not_adopted() {
    let mut reactor = Reactor::new().unwrap();
    let wrong: [OwnedFd; 5] = [
        std::io::pipe().unwrap().1.into(),
        TcpListener::bind("127.0.0.1:0").unwrap().into(),
        UdpSocket::bind("127.0.0.1:0").unwrap().into(),
        UnixDatagram::pair().unwrap().0.into(),
        std::fs::File::open("/dev/null").unwrap().into(),
    ];
    for descriptor in wrong {
        let error = reactor.net().adopt(descriptor, handler_fn(|_, _| ()));
        let error = error.unwrap_err();
        assert_eq!(error.code(), "ERR_INVALID_FD_TYPE", "{error}");
    }
    assert!(!reactor.is_alive());
}

#[test]
fn r14_a_type_of_service_is_remembered_while_connecting_and_can_be_changed_later() {
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let Ok(server) = reactor.net().listen(host, deaf) else {
            continue; // no IPv6 here
        };
        let options = ConnectOptions::from(server.address().unwrap()).type_of_service(0x20);
        let client = recorder("client", &log);
        let mut socket = reactor.net().connect(options, client).unwrap();
        assert_eq!(socket.type_of_service(), Some(0x20));
        socket.set_type_of_service(0x40);
        assert_eq!(socket.type_of_service(), Some(0x40));
        let id = socket.id();
        turn_until_line(&mut reactor, &log, "client ready");
        let mut socket = reactor.net().socket(id).unwrap();
        assert_eq!(socket.type_of_service(), Some(0x40));
        socket.set_type_of_service(0x60);
        assert_eq!(socket.type_of_service(), Some(0x60));
    }
}
