//! `inherited_listeners` in processes that a service manager might have started (feature
//! `listen-fds`).
//!
//! A shell is the manager: it puts its standard input where the first socket is expected, and says
//! for whom it is.

use netloop::{ListenOptions, Reactor, handler_fn, inherited_listeners};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};

/// What the child is to be told by its environment; `$$` is its own number.
const FOR_IT: &str = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web:";

/// Starts this test binary with `socket` as descriptor 3.
fn started(environment: &str, socket: impl Into<OwnedFd>) -> Child {
    let script = format!("export {environment}; exec \"$0\" \"$@\" 3<&0");
    Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_program", "--nocapture"])
        .env("INHERITED_TEST", "1")
        .stdin(socket.into())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the child said of what it found, or of what was wrong, once it has ended.
fn said(child: &mut Child) -> String {
    let mut all = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut all).unwrap();
    assert!(child.wait().unwrap().success(), "{all}");
    let mut found = all.lines().filter_map(|line| line.strip_prefix("found "));
    found
        .next()
        .expect("the child says what it found")
        .to_owned()
}

/// The program that is started: it serves one client on each socket that it finds, and ends.
#[test]
fn a_program() {
    if std::env::var_os("INHERITED_TEST").is_none() {
        return; // run by the others only
    }
    println!(); // the test harness has begun a line
    let found = match inherited_listeners() {
        Ok(found) => found,
        Err(error) => return println!("found {error}"),
    };
    assert!(inherited_listeners().unwrap().is_empty(), "taken");
    let names: Vec<_> = found.iter().map(|it| it.name.clone()).collect();
    println!("found {names:?}");
    let mut reactor = Reactor::new().unwrap();
    for it in found {
        let server = reactor
            .net()
            .listen(ListenOptions::from(it.socket), |socket| {
                socket.write(b"hello");
                socket.destroy_soon();
                let server = socket.server().unwrap();
                socket.net().server(server).unwrap().close().unwrap();
                handler_fn(|_, _| ())
            });
        server.unwrap();
    }
    reactor.run().unwrap();
}

fn hears(mut client: impl Read) -> String {
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_tcp_listener_is_found_by_its_name_and_serves_who_waited_in_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut child = started(FOR_IT, listener);
    assert_eq!(said(&mut child), "[Some(\"web\")]");
    assert_eq!(hears(client), "hello");
}

#[test]
fn a_local_listener_is_found_too() {
    let path = std::env::temp_dir().join(format!("netloop-inherited-{}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut child = started("LISTEN_PID=$$ LISTEN_FDS=1", listener);
    assert_eq!(said(&mut child), "[None]");
    assert_eq!(hears(client), "hello");
}

#[test]
fn what_is_for_another_process_or_for_nobody_is_not_taken() {
    for environment in [
        "LISTEN_PID=1 LISTEN_FDS=1",
        "LISTEN_PID=$$",
        "LISTEN_PID=$$ LISTEN_FDS=0",
    ] {
        let mut child = started(environment, TcpListener::bind("127.0.0.1:0").unwrap());
        assert_eq!(said(&mut child), "[]", "{environment}");
    }
}

#[test]
fn what_cannot_be_listened_on_is_an_error() {
    for environment in [
        "LISTEN_FDS=many",
        "LISTEN_FDS=-1",
        "LISTEN_FDS=1025",
        "LISTEN_FDS=",
    ] {
        let mut child = started(environment, UnixDatagram::unbound().unwrap());
        let count = environment.split_once('=').unwrap().1;
        let expected =
            format!("LISTEN_FDS is the number of sockets, at most 1024. Received '{count}'.");
        assert_eq!(said(&mut child), expected);
    }
    let mut child = started(FOR_IT, UnixDatagram::unbound().unwrap());
    let expected = "Unsupported fd type: no stream socket (fd 3 is not a valid tcp socket)";
    assert_eq!(said(&mut child), expected);
}
