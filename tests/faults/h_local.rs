//! Group H: local sockets, and B10, a backlog that is full.

use crate::apart::{Kept, apart, command, not_run, role, succeeds};
use crate::support::*;
use netloop::{
    Address, ConnectOptions, Event, Handler, ListenOptions, Reactor, Socket, handler_fn,
};
use socket2::{Domain, MsgHdr, SockAddr, SockRef, Type};
use std::io::{BufRead, BufReader, IoSlice, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;

fn deaf(_: &mut Socket<'_>) -> impl Handler + use<> {
    handler_fn(|_, _| ())
}

fn rights(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn refusal(reactor: &mut Reactor, options: impl Into<ListenOptions>) -> String {
    reactor
        .net()
        .listen(options, deaf)
        .unwrap_err()
        .code()
        .into()
}

/// What a connect ends with: `ready` or the code of its error.
fn outcome(reactor: &mut Reactor, options: impl Into<ConnectOptions>) -> String {
    let log = Log::new();
    let client = recorder("client", &log);
    reactor.net().connect(options, client).unwrap();
    turn_until(reactor, |_| {
        log.has("client ready") || log.has("client close true")
    });
    match log.has("client ready") {
        true => "ready".into(),
        false => log.of("client")[2].clone(), // behind the attempt and its failure
    }
}

/// A path in the directory with so many bytes.
fn long(directory: &Directory, bytes: usize) -> PathBuf {
    let missing = bytes - directory.path("").as_os_str().len();
    directory.path(&"x".repeat(missing))
}

#[test]
fn h1_a_path_that_does_not_fit_is_refused_and_never_cut() {
    let directory = Directory::new();
    let mut reactor = Reactor::new().unwrap();
    let fits = long(&directory, 107);
    reactor.net().listen(fits.clone(), deaf).unwrap();
    assert_eq!(outcome(&mut reactor, fits), "ready");
    for bad in [
        long(&directory, 108),
        long(&directory, 10_000),
        PathBuf::new(),
        directory.path("a\0b"),
        PathBuf::from("\0abstract"),
    ] {
        assert_eq!(refusal(&mut reactor, bad.clone()), "EINVAL", "{bad:?}");
        assert_eq!(outcome(&mut reactor, bad), "error EINVAL");
    }
    assert_eq!(refusal(&mut reactor, Address::Unnamed), "EINVAL");
    assert_eq!(outcome(&mut reactor, Address::Unnamed), "error EINVAL");
    let too_long = Address::Abstract(vec![b'x'; 108]);
    assert_eq!(refusal(&mut reactor, too_long), "EINVAL");
}

#[test]
fn h2_a_path_that_nobody_listens_on_any_more_is_in_use_and_refuses() {
    let directory = Directory::new();
    let path = directory.path("stale.sock");
    drop(UnixListener::bind(&path).unwrap());
    let mut reactor = Reactor::new().unwrap();
    assert_eq!(refusal(&mut reactor, path.clone()), "EADDRINUSE");
    assert_eq!(outcome(&mut reactor, path.clone()), "error ECONNREFUSED");
    assert!(path.exists(), "what others have made is not removed");
}

#[test]
fn h3_close_removes_only_the_file_that_the_server_has_made() {
    let directory = Directory::new();
    let path = directory.path("a.sock");
    let mut reactor = Reactor::new().unwrap();
    let first = reactor.net().listen(path.clone(), deaf).unwrap().id();
    std::fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    reactor.net().server(first).unwrap().close().unwrap();
    UnixStream::connect(&path).expect("the other server's file is there");
    drop(other);
    std::fs::remove_file(&path).unwrap();

    let second = reactor.net().listen(path.clone(), deaf).unwrap().id();
    std::fs::remove_file(&path).unwrap();
    reactor.net().server(second).unwrap().close().unwrap();
    assert!(!path.exists(), "and a file that is gone is no error");
}

#[test]
fn h4_the_rights_of_a_path_do_not_go_by_the_umask() {
    let name = "h_local::h4_the_rights_of_a_path_do_not_go_by_the_umask";
    for umask in ["0", "077"] {
        apart(name, &format!("umask {umask} && exec"), || {
            let directory = Directory::new();
            let mut reactor = Reactor::new().unwrap();
            let private = directory.path("private");
            reactor.net().listen(private.clone(), deaf).unwrap();
            assert_eq!(rights(&private), 0o600);
            let public = directory.path("public");
            let options = ListenOptions::path(&public)
                .readable_all(true)
                .writable_all(true);
            reactor.net().listen(options, deaf).unwrap();
            assert_eq!(rights(&public), 0o666);
        });
    }
}

#[test]
fn h5_what_the_file_system_says_is_told() {
    let directory = Directory::new();
    let file = directory.path("file");
    std::fs::write(&file, "no socket").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let missing = directory.path("missing/a.sock");
    for (path, on_listen, on_connect) in [
        (missing, "ENOENT", "ENOENT"),
        (file.join("a.sock"), "ENOTDIR", "ENOTDIR"),
        (file.clone(), "EADDRINUSE", "ECONNREFUSED"),
    ] {
        assert_eq!(refusal(&mut reactor, path.clone()), on_listen);
        assert_eq!(outcome(&mut reactor, path), format!("error {on_connect}"));
    }
    assert_eq!(std::fs::read(file).unwrap(), b"no socket");
}

/// Only whoever is not root can be told so: in a user namespace that maps nobody, root is nobody.
#[test]
fn h5_what_rights_forbid_is_told() {
    let name = "h_local::h5_what_rights_forbid_is_told";
    if role().is_none() && !succeeds("unshare -U true") {
        return not_run(name, "no user namespace may be made");
    }
    apart(name, "exec unshare -U", || {
        let directory = Directory::new();
        let mut reactor = Reactor::new().unwrap();
        let (open, locked) = (directory.path("open.sock"), directory.path("locked"));
        reactor.net().listen(open.clone(), deaf).unwrap();
        std::fs::create_dir(&locked).unwrap();
        let allow = |path: &Path, mode| {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        };
        allow(&open, 0);
        allow(&locked, 0);
        assert_eq!(outcome(&mut reactor, open), "error EACCES");
        let inside = locked.join("a.sock");
        assert_eq!(refusal(&mut reactor, inside.clone()), "EACCES");
        assert_eq!(outcome(&mut reactor, inside), "error EACCES");
        allow(&locked, 0o700); // so that it can be removed
    });
}

/// An accepted local socket that was paused at once, and its peer.
fn paused(reactor: &mut Reactor, log: &Log, path: &Path) -> (netloop::SocketId, UnixStream) {
    let seen = std::rc::Rc::new(std::cell::Cell::new(None));
    let (id, lines) = (seen.clone(), log.clone());
    let accept = move |socket: &mut Socket<'_>| {
        id.set(Some(socket.id()));
        socket.pause();
        recorder("socket", &lines)
    };
    reactor.net().listen(path, accept).unwrap();
    let peer = UnixStream::connect(path).unwrap();
    turn_until(reactor, |_| seen.get().is_some());
    (seen.get().unwrap(), peer)
}

#[test]
fn h6_a_paused_socket_whose_peer_closes_does_not_spin_and_tells_all_after_resume() {
    let directory = Directory::new();
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = paused(&mut reactor, &log, &directory.path("a.sock"));
    peer.write_all(b"last words").unwrap();
    drop(peer); // a HUP, and no reset: nothing of ours was left unread there
    turn_until_quiet(&mut reactor);
    let before = reactor.net().stats().events;
    for _ in 0..20 {
        reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
    }
    assert_eq!(reactor.net().stats().events, before, "it spins");
    assert_eq!(log.of("socket"), [""; 0]);

    reactor.net().socket(id).unwrap().resume();
    turn_until(&mut reactor, |net| net.socket(id).is_none());
    let told = ["data 10", "end", "finish", "close false"];
    assert_eq!(log.of("socket"), told);
}

#[test]
fn h6_a_peer_that_closes_with_input_unread_is_a_reset_after_the_data() {
    let directory = Directory::new();
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let (id, mut peer) = paused(&mut reactor, &log, &directory.path("a.sock"));
    reactor.net().socket(id).unwrap().write(b"never read");
    reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
    peer.write_all(b"last words").unwrap();
    drop(peer);
    turn_until_quiet(&mut reactor);
    assert_eq!(log.of("socket"), [""; 0]);
    reactor.net().socket(id).unwrap().resume();
    turn_until_line(&mut reactor, &log, "socket close true");
    let told = ["data 10", "error ECONNRESET", "close true"];
    assert_eq!(log.of("socket"), told);
}

/// A control message that carries a descriptor so many times, as cmsg(3) lays it out.
fn rights_message(descriptor: i32, times: usize) -> Vec<u8> {
    let header = 16;
    let mut message = Vec::new();
    message.extend((header + 4 * times).to_ne_bytes());
    message.extend(libc::SOL_SOCKET.to_ne_bytes());
    message.extend(libc::SCM_RIGHTS.to_ne_bytes());
    for _ in 0..times {
        message.extend(descriptor.to_ne_bytes());
    }
    message
}

#[test]
fn h7_descriptors_that_are_sent_to_us_do_not_arrive() {
    let name = "h_local::h7_descriptors_that_are_sent_to_us_do_not_arrive";
    apart(name, "exec", || {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::new();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let handler = recorder("socket", &log);
        reactor.net().adopt(ours, handler).unwrap();
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = count();
        let control = rights_message(theirs.as_raw_fd(), 250);
        for number in 1..=4 {
            let bytes = [IoSlice::new(b"x")];
            let message = MsgHdr::new().with_buffers(&bytes).with_control(&control);
            SockRef::from(&theirs).sendmsg(&message, 0).unwrap();
            turn_until_lines(&mut reactor, &log, "socket data 1", number);
        }
        assert_eq!(count(), before);
    });
}

/// A local listener with room for one, and somebody in it.
fn full(path: &Path) -> impl Sized {
    let listener = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(path).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let waiting = UnixStream::connect(path).unwrap();
    (listener, waiting)
}

#[test]
fn b10_a_full_backlog_is_eagain_and_never_connected() {
    let directory = Directory::new();
    let path = directory.path("full.sock");
    let _full = full(&path);
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    let mut socket = (reactor.net())
        .connect(path.clone(), recorder("client", &log))
        .unwrap();
    socket.write(b"is there room?");
    turn_until_line(&mut reactor, &log, "client close true");
    let attempt = format!("attempt {}", path.display());
    let failed = format!("attempt failed {} EAGAIN", path.display());
    let told = [&attempt, &failed, "error EAGAIN", "close true"];
    assert_eq!(log.of("client"), told);
}

#[test]
fn h8_of_many_connectors_each_hears_that_there_is_no_room_and_leaves_nothing_open() {
    let directory = Directory::new();
    let path = directory.path("full.sock");
    let _full = full(&path);
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();
    for _ in 0..1000 {
        let client = reacting("client", &log, |_, event| {
            assert!(!matches!(event, Event::Connect));
        });
        reactor.net().connect(path.clone(), client).unwrap();
    }
    turn_until_lines(&mut reactor, &log, "client close true", 1000);
    assert_eq!(log.count("client error EAGAIN"), 1000);
    turn_until_quiet(&mut reactor);
    assert_eq!(reactor.net().stats().sockets, 0);
}

/// Listens at both places once it is told to, says what came of it, and holds them to its end.
fn race_for(port: u16, path: &Path) {
    let mut reactor = Reactor::new().unwrap();
    let mut words = std::io::stdin().lines();
    assert_eq!(words.next().unwrap().unwrap(), "go");
    for options in [
        ListenOptions::from(("127.0.0.1", port)),
        ListenOptions::path(path),
    ] {
        match reactor.net().listen(options, deaf) {
            Ok(_) => eprintln!("listens"),
            Err(error) => eprintln!("{}", error.code()),
        }
    }
    assert!(words.next().is_none());
}

#[test]
fn h9_of_two_processes_that_race_for_an_address_one_wins() {
    let name = "h_local::h9_of_two_processes_that_race_for_an_address_one_wins";
    if let Some(places) = role().and_then(|role| Some(role.strip_prefix("h9 ")?.to_owned())) {
        let (port, path) = places.split_once(' ').unwrap();
        return race_for(port.parse().unwrap(), Path::new(path));
    }
    if role().is_some() {
        return;
    }
    let directory = Directory::new();
    let path = directory.path("a.sock");
    let (bound, address) = refusing();
    let role = format!("h9 {} {}", address.port(), path.display());
    let mut racers = [(); 2].map(|()| {
        let mut racer = command(name, &role, "exec");
        let racer = racer.stdin(Stdio::piped()).stdout(Stdio::null());
        Kept(racer.stderr(Stdio::piped()).spawn().unwrap())
    });
    drop(bound);
    let mut guns = racers.each_mut().map(|racer| racer.0.stdin.take().unwrap());
    guns.iter_mut()
        .for_each(|gun| gun.write_all(b"go\n").unwrap());
    let said = racers
        .each_mut()
        .map(|racer| racer.0.stderr.take().unwrap());
    let mut said = said.map(|said| BufReader::new(said).lines());
    for place in ["the port", "the path"] {
        let mut heard = said.each_mut().map(|lines| lines.next().unwrap().unwrap());
        heard.sort();
        assert_eq!(heard, ["EADDRINUSE", "listens"], "{place}");
    }
    drop(guns);
    for racer in &mut racers {
        assert!(racer.0.wait().unwrap().success());
    }
    assert!(!path.exists(), "whoever made it has removed it");
}
