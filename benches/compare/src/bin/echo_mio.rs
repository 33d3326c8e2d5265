//! An echo server on mio by hand: edge-triggered as mio always is, one buffer for all; a short read
//! ends the reading unless the peer's end was announced with it.
//!
//! ```text
//! echo_mio PORT [--idle-timeout-ms N] [--lines]
//! ```

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use netloop_compare::server::{self, Arguments, IdleList, Kept, Links, READ_BYTES, Replies};
use std::io::{self, ErrorKind, Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const LISTENER: Token = Token(usize::MAX);

struct Slot {
    /// None while the slot is free.
    stream: Option<TcpStream>,
    kept: Kept,
    links: Links,
}

impl AsMut<Links> for Slot {
    fn as_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    slots: Vec<Slot>,
    free: Vec<usize>,
    idle: Option<IdleList>,
    replies: Replies,
    buffer: Vec<u8>,
    now: Instant,
}

fn main() -> ExitCode {
    server::main(|arguments| Server::new(arguments)?.run())
}

impl Server {
    fn new(arguments: Arguments) -> io::Result<Server> {
        let mut listener = TcpListener::bind(arguments.address())?;
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        server::announce(listener.local_addr()?);
        Ok(Server {
            poll,
            listener,
            slots: Vec::new(),
            free: Vec::new(),
            idle: arguments.idle_timeout.map(IdleList::new),
            replies: arguments.replies,
            buffer: vec![0; READ_BYTES],
            now: Instant::now(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let sleep = self
                .idle
                .as_ref()
                .and_then(|idle| idle.sleep(&mut self.slots, self.now));
            match self.poll.poll(
                &mut events,
                sleep.map(|rest| rest + Duration::from_millis(1)),
            ) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            if self.idle.is_some() {
                self.now = Instant::now();
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(index) => self.serve(index, event),
                }
            }
            while let Some(index) = self
                .idle
                .as_ref()
                .and_then(|idle| idle.due(&mut self.slots, self.now))
            {
                self.close(index);
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => continue,
                    _ => return Err(error), // the runner sees to it that there are descriptors
                },
            };
            stream.set_nodelay(true)?; // else tails wait for acknowledgements: see the README
            let index = self.free.pop().unwrap_or_else(|| {
                self.slots.push(Slot {
                    stream: None,
                    kept: Kept::default(),
                    links: Links::none(self.now),
                });
                self.slots.len() - 1
            });
            self.poll
                .registry()
                .register(&mut stream, Token(index), Interest::READABLE)?;
            self.slots[index].stream = Some(stream);
            if let Some(idle) = &mut self.idle {
                idle.add(&mut self.slots, index, self.now);
            }
        }
    }

    fn serve(&mut self, index: usize, event: &Event) {
        let slot = &mut self.slots[index];
        let Some(stream) = &mut slot.stream else {
            return;
        };
        let open = match slot.kept.must_send() {
            true => send_rest(&self.poll, index, stream, &mut slot.kept),
            false => echo(
                &self.poll,
                index,
                stream,
                &mut slot.kept,
                self.replies,
                &mut self.buffer,
                event,
            ),
        };
        match open {
            Ok(true) => {
                if let Some(idle) = &mut self.idle {
                    idle.touch(&mut self.slots, index, self.now);
                }
            }
            Ok(false) | Err(_) => self.close(index),
        }
    }

    fn close(&mut self, index: usize) {
        if let Some(idle) = &mut self.idle {
            idle.remove(&mut self.slots, index);
        }
        let slot = &mut self.slots[index];
        slot.stream = None; // which takes it out of the poll too
        slot.kept = Kept::default();
        self.free.push(index);
    }
}

/// Whether the connection is still open.
fn echo(
    poll: &Poll,
    index: usize,
    stream: &mut TcpStream,
    kept: &mut Kept,
    replies: Replies,
    buffer: &mut [u8],
    event: &Event,
) -> io::Result<bool> {
    loop {
        let bytes = match stream.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(bytes) => bytes,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Ok(true),
                ErrorKind::Interrupted => continue,
                _ => return Err(error),
            },
        };
        kept.answer(&buffer[..bytes], replies, READ_BYTES, |bytes| {
            stream.write(bytes)
        })?;
        if kept.must_send() {
            poll.registry()
                .reregister(stream, Token(index), Interest::WRITABLE)?;
            return Ok(true);
        }
        if bytes < buffer.len() && !event.is_read_closed() {
            return Ok(true);
        }
    }
}

/// Whether the connection is still open. To register anew tells what waits to be read, though its
/// edge is long past.
fn send_rest(
    poll: &Poll,
    index: usize,
    stream: &mut TcpStream,
    kept: &mut Kept,
) -> io::Result<bool> {
    kept.send_rest(|bytes| stream.write(bytes))?;
    if !kept.must_send() {
        poll.registry()
            .reregister(stream, Token(index), Interest::READABLE)?;
    }
    Ok(true)
}
