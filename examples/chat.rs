//! A room in which everybody hears what each one says, line by line.
//!
//! ```text
//! cargo run --release --example chat -- [ADDRESS | PORT]
//! ```
//!
//! A bare port means 127.0.0.1; without either it is 127.0.0.1:7000. Try it with `nc 127.0.0.1 7000` in
//! two terminals.
//!
//! What it shows: one buffer for a message, however many hear it, and a list of ids that handlers
//! share without a lock. A member that does not read holds nobody up: what it has not read waits for
//! it, and with more than 256 KiB of that it is shown out. (Leaving messages out instead would make
//! a conversation that nobody had.) So that nobody shows the others out by talking, a member that has said
//! much rests for a moment, and meanwhile they can read.

#[path = "common/mod.rs"]
mod common;

use bytes::Bytes;
use common::Failure;
use netloop::frame::{Framed, Lines};
use netloop::{Handler, Reactor, Socket, SocketId};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

/// How much may wait for a member that does not read.
const MAX_WAITING_BYTES: usize = 256 * 1024;
const MAX_LINE_BYTES: usize = 4096;
/// How much of one member the others hear at a time: a read of short lines is ten times as long with a name
/// at each.
const MAX_SAID_BYTES: usize = 64 * 1024;
const REST: Duration = Duration::from_millis(10);

#[derive(Clone, Default)]
struct Room(Rc<RefCell<Vec<SocketId>>>);

impl Room {
    /// Tells everybody but `speaker`.
    fn tell(&self, speaker: &mut Socket<'_>, message: String) {
        let (id, message) = (speaker.id(), Bytes::from(message));
        let net = speaker.net();
        for &member in self.0.borrow().iter().filter(|member| **member != id) {
            let Some(mut member) = net.socket(member) else {
                continue; // never: it leaves the list when its `close` is told, and has a socket until then
            };
            member.write_bytes(message.clone());
            if member.buffer_size() > MAX_WAITING_BYTES {
                member.destroy();
            }
        }
    }
}

struct Member {
    name: String,
    room: Room,
    /// Since the last rest.
    said: usize,
}

impl Member {
    /// It goes on hearing, and is heard again after a while. Its lines wait in `Framed` until then, and those
    /// that still come in the kernel.
    fn rest(&mut self, socket: &mut Socket<'_>) {
        self.said = 0;
        socket.pause();
        let id = socket.id();
        socket.net().set_timeout(REST, move |net| {
            if let Some(mut socket) = net.socket(id) {
                socket.resume();
            }
        });
    }
}

impl Handler for Member {
    fn on_data(&mut self, socket: &mut Socket<'_>, line: &[u8]) {
        // What a terminal would obey stays out of other people's.
        let line = String::from_utf8_lossy(line);
        let text: String = line.chars().filter(|it| !it.is_control()).collect();
        let message = format!("{}: {text}\n", self.name);
        self.said += message.len();
        self.room.tell(socket, message);
        if self.said >= MAX_SAID_BYTES {
            self.rest(socket);
        }
    }

    fn on_close(&mut self, socket: &mut Socket<'_>, _had_error: bool) {
        let id = socket.id();
        self.room.0.borrow_mut().retain(|member| *member != id);
        self.room
            .tell(socket, format!("* {} has left\n", self.name));
    }
}

fn enter(room: &Room, socket: &mut Socket<'_>) -> Framed<Lines, Member> {
    let address = socket.peer_address();
    let name = address.map_or("somebody".into(), |address| address.to_string());
    let others = room.0.borrow().len();
    socket.write(format!("* you are {name}, and {others} others are here\n").as_bytes());
    room.0.borrow_mut().push(socket.id());
    room.tell(socket, format!("* {name} is here\n"));
    let member = Member {
        name,
        room: room.clone(),
        said: 0,
    };
    Framed::new(Lines::new(), member).max_frame_bytes(MAX_LINE_BYTES)
}

fn serve(address: SocketAddr, words: Vec<String>) -> Result<(), Failure> {
    common::no_more(&words)?;
    let mut reactor = Reactor::new()?;
    let room = Room::default();
    let options = common::listen_options(address);
    let server = reactor
        .net()
        .listen(options, move |socket| enter(&room, socket))?;
    common::announce(&server);
    Ok(reactor.run()?)
}

fn main() -> ExitCode {
    common::run("usage: chat [ADDRESS | PORT]", serve)
}
