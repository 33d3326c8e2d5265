//! An echo server on epoll by hand: level-triggered, one buffer for all, one read and one send for an
//! event. The floor that libraries are measured against.
//!
//! ```text
//! echo_epoll PORT [--idle-timeout-ms N] [--lines [--gather]]
//! ```

use netloop_compare::server::{
    self, Arguments, BACKLOG, IdleList, Kept, Links, READ_BYTES, Replies,
};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What epoll calls the listening socket; connections are called by their slot.
const LISTENER: u64 = u64::MAX;

struct Slot {
    /// None while the slot is free.
    socket: Option<OwnedFd>,
    kept: Kept,
    links: Links,
}

impl AsMut<Links> for Slot {
    fn as_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

struct Server {
    epoll: OwnedFd,
    listener: OwnedFd,
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
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let listener =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&listener, true)?;
        rustix::net::bind(&listener, &arguments.address())?;
        rustix::net::listen(&listener, BACKLOG)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &listener,
            EventData::new_u64(LISTENER),
            EventFlags::IN,
        )?;
        server::announce(rustix::net::getsockname(&listener)?.try_into()?);
        Ok(Server {
            epoll,
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
        let mut events: Vec<Event> = Vec::with_capacity(1024);
        loop {
            let sleep = self.sleep();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), sleep.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if self.idle.is_some() {
                self.now = Instant::now();
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    // One whose slot got another owner in this batch costs a read that finds nothing.
                    slot => self.serve(slot as usize, event.flags),
                }
            }
            self.expire();
        }
    }

    /// Until the first timeout; a millisecond more, since epoll counts in whole ones.
    fn sleep(&mut self) -> Option<Timespec> {
        let rest = self.idle.as_ref()?.sleep(&mut self.slots, self.now)?;
        let rest = rest + Duration::from_millis(1);
        Some(Timespec {
            tv_sec: rest.as_secs() as i64,
            tv_nsec: i64::from(rest.subsec_millis()) * 1_000_000,
        })
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = match rustix::net::accept_with(&self.listener, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(error) => return Err(error.into()), // the runner sees to it that there are descriptors
            };
            sockopt::set_tcp_nodelay(&socket, true)?; // else tails wait for acknowledgements: see the README
            let index = self.free.pop().unwrap_or_else(|| {
                self.slots.push(Slot {
                    socket: None,
                    kept: Kept::default(),
                    links: Links::none(self.now),
                });
                self.slots.len() - 1
            });
            epoll::add(
                &self.epoll,
                &socket,
                EventData::new_u64(index as u64),
                EventFlags::IN,
            )?;
            self.slots[index].socket = Some(socket);
            if let Some(idle) = &mut self.idle {
                idle.add(&mut self.slots, index, self.now);
            }
        }
    }

    fn serve(&mut self, index: usize, ready: EventFlags) {
        let slot = &mut self.slots[index];
        let Some(socket) = &slot.socket else { return };
        let done = match slot.kept.must_send() {
            true if ready.intersects(EventFlags::OUT | EventFlags::ERR | EventFlags::HUP) => {
                send_rest(&self.epoll, index, socket, &mut slot.kept)
            }
            true => return,
            false => echo(
                &self.epoll,
                index,
                socket,
                &mut slot.kept,
                self.replies,
                &mut self.buffer,
            ),
        };
        match done {
            Ok(Done::Something) => {
                if let Some(idle) = &mut self.idle {
                    idle.touch(&mut self.slots, index, self.now);
                }
            }
            Ok(Done::Nothing) => {}
            Ok(Done::All) | Err(_) => self.close(index),
        }
    }

    fn expire(&mut self) {
        while let Some(index) = self
            .idle
            .as_ref()
            .and_then(|idle| idle.due(&mut self.slots, self.now))
        {
            self.close(index);
        }
    }

    fn close(&mut self, index: usize) {
        if let Some(idle) = &mut self.idle {
            idle.remove(&mut self.slots, index);
        }
        let slot = &mut self.slots[index];
        slot.socket = None; // which takes it out of epoll too
        slot.kept = Kept::default();
        self.free.push(index);
    }
}

enum Done {
    Something,
    Nothing,
    /// The peer has ended, and everything was sent.
    All,
}

fn echo(
    epoll: &OwnedFd,
    index: usize,
    socket: &OwnedFd,
    kept: &mut Kept,
    replies: Replies,
    buffer: &mut [u8],
) -> io::Result<Done> {
    let bytes = match rustix::net::recv(socket, &mut *buffer, RecvFlags::empty()) {
        Ok((0, _)) => return Ok(Done::All),
        Ok((bytes, _)) => bytes,
        Err(Errno::AGAIN | Errno::INTR) => return Ok(Done::Nothing),
        Err(error) => return Err(error.into()),
    };
    kept.answer(&buffer[..bytes], replies, READ_BYTES, |bytes| {
        send(socket, bytes)
    })?;
    if kept.must_send() {
        epoll::modify(
            epoll,
            socket,
            EventData::new_u64(index as u64),
            EventFlags::OUT,
        )?;
    }
    Ok(Done::Something)
}

fn send_rest(epoll: &OwnedFd, index: usize, socket: &OwnedFd, kept: &mut Kept) -> io::Result<Done> {
    kept.send_rest(|bytes| send(socket, bytes))?;
    if !kept.must_send() {
        epoll::modify(
            epoll,
            socket,
            EventData::new_u64(index as u64),
            EventFlags::IN,
        )?;
    }
    Ok(Done::Something)
}

fn send(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)?)
}
