//! What the library logs: never a byte of a peer's, and no name as its owner wrote it (FAULTS I32). A
//! binary of its own, since a process has one logger.
#![cfg(all(target_os = "linux", feature = "encoding"))] // peers with abstract names, and text

mod support;

use log::{LevelFilter, Metadata, Record};
use netloop::{
    Address, ConnectOptions, Encoding, Error, Event, ListenOptions, PipeOptions, Reactor,
    handler_fn,
};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use support::*;

/// What a peer sends, and what names have in them: a line of its own, the colours of a terminal, and
/// bytes that are no text.
const EVIL: &[u8] = b"evil\r\nERROR forged\x1b[31m\x07\x7f\xff";
/// What can be found of it however it was written.
const MARKS: [&str; 2] = ["evil", "forged"];

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // Where netloop logs; others' lines are theirs.
        if record.target().starts_with("netloop") {
            let line = format!("{} {}", record.level(), record.args());
            LINES.lock().unwrap().push(line);
        }
    }

    fn flush(&self) {}
}

/// The lines since this was called last.
fn lines() -> Vec<String> {
    std::mem::take(&mut LINES.lock().unwrap())
}

/// A peer that has given itself a name.
fn named_peer(name: &[u8], server: &SockAddr) -> Socket {
    let peer = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let name = [b"\0", name].concat();
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&name);
    peer.bind(&SockAddr::unix(name).unwrap()).unwrap();
    peer.connect(server).unwrap();
    peer
}

#[test]
fn no_line_has_a_peers_bytes_in_it() {
    log::set_logger(&Logger).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let mut reactor = Reactor::new().unwrap();
    let log = Log::new();

    // Bytes: told, written back, piped, as text, given back, in an error, in a panic of a thread.
    let server = reactor.net().listen("127.0.0.1:0", |socket| {
        socket.set_encoding(Encoding::Latin1);
        handler_fn(|socket, event| match event {
            Event::Text(text) => {
                let text = text.to_owned();
                socket.write(text.as_bytes());
                let id = socket.id();
                let net = socket.net();
                let _ = net.pipe(id, id, PipeOptions::default());
                let work = move || -> u32 { std::panic::resume_unwind(Box::new(text)) };
                net.offload(work, |_, _| ());
            }
            Event::End => socket.destroy_with(Error::other("gone")),
            _ => {}
        })
    });
    let address = inet(server.unwrap().address().unwrap());
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(EVIL).unwrap();
    turn_until(&mut reactor, |net| net.stats().offloads == 1);
    peer.write_all(EVIL).unwrap();
    turn_until(&mut reactor, |net| net.stats().syscalls.read >= 2);
    drop(peer);
    turn_until(&mut reactor, |net| net.stats().sockets == 0);
    let told = lines();
    assert!(told.iter().any(|it| it.contains("read")), "{told:?}");
    for line in &told {
        let found = MARKS.iter().any(|it| line.contains(it));
        assert!(!found && !line.contains(char::is_control), "{line:?}");
    }

    // Names: of a server, of peers that are turned away, of what is connected to and not there.
    let directory = Directory::new();
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(EVIL);
    let path = directory.path("").join(name);
    let options = ListenOptions::path(&path).max_connections(0);
    reactor
        .net()
        .listen(options, |_| handler_fn(|_, _| ()))
        .unwrap();
    let server = SockAddr::unix(&path).unwrap();
    let peers = [0, 1, 2].map(|it| named_peer(&[EVIL, &[it]].concat(), &server));
    turn_until(&mut reactor, |net| net.stats().dropped == 3);
    let nowhere = path.with_extension("gone");
    let abstract_name = Address::Abstract(EVIL.to_vec());
    for options in [ConnectOptions::path(nowhere), abstract_name.into()] {
        reactor
            .net()
            .connect(options, recorder("client", &log))
            .unwrap();
    }
    turn_until_lines(&mut reactor, &log, "client close true", 2);
    for mut peer in peers {
        assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    }
    let told = lines();
    assert!(told.iter().any(|it| it.contains("evil\\r\\n")), "{told:?}");
    for line in &told {
        assert!(
            !line.contains(char::is_control) && line.is_ascii(),
            "{line:?}"
        );
    }
    let turned_away = told.iter().filter(|it| it.starts_with("WARN")).count();
    assert!((1..=2).contains(&turned_away), "once a second: {told:?}");

    // And hosts, which are refused before anything is looked up.
    let host = String::from_utf8_lossy(EVIL).into_owned();
    let refused = reactor.net().connect((&*host, 80), handler_fn(|_, _| ()));
    let words = refused.unwrap_err().to_string();
    assert!(!words.contains(char::is_control), "{words:?}");
}
