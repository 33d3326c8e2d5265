//! Connections of the generator, and the events on them.

use super::{During, Result};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A server that does nothing for so long has stalled.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Connects number `serial`, from an address of 127.1.x.y: a port is free again a minute after its
/// connection, and one address has too few of them.
pub(super) fn connect(server: SocketAddr, serial: usize) -> Result<TcpStream> {
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .during("socket")?;
    let [x, y] = [serial / 250 % 16, serial % 250 + 1].map(|part| part as u8);
    let ours = SocketAddr::from((Ipv4Addr::new(127, 1, x, y), 0));
    rustix::net::bind(&socket, &ours).during("bind")?;
    sockopt::set_tcp_nodelay(&socket, true).during("TCP_NODELAY")?;
    sockopt::set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE)).during("SO_SNDTIMEO")?; // of connect too
    sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).during("SO_RCVTIMEO")?;
    rustix::net::connect(&socket, &server).during("connect")?;
    Ok(TcpStream::from(socket))
}

/// Connects numbers `from` to `to`, a few at a time, each of which has a message echoed: so the server
/// has accepted it and used it once, and its backlog never overflows.
pub(super) fn connect_all(server: SocketAddr, from: usize, to: usize) -> Result<Vec<TcpStream>> {
    const AT_A_TIME: usize = 100;
    let greeting = b"hello\n";
    let mut streams: Vec<TcpStream> = Vec::with_capacity(to - from);
    while streams.len() < to - from {
        let first = streams.len();
        for serial in from + first..to.min(from + first + AT_A_TIME) {
            let mut stream = connect(server, serial)?;
            stream.write_all(greeting).during("first message")?;
            streams.push(stream);
        }
        for mut stream in &streams[first..] {
            let mut echoed = [0; 6];
            stream.read_exact(&mut echoed).during("first echo")?;
            if echoed != *greeting {
                return Err("the first echo has other bytes than were sent".into());
            }
        }
    }
    for stream in &streams {
        stream.set_nonblocking(true).during("O_NONBLOCK")?;
    }
    Ok(streams)
}

/// Closes with a reset: no port is left waiting.
pub(super) fn reset(stream: TcpStream) {
    let _ = sockopt::set_socket_linger(&stream, Some(Duration::ZERO)); // else it is an ordinary close
}

/// How many bytes there were; none is None, the peer's end an error.
pub(super) fn read(mut stream: &TcpStream, buffer: &mut [u8]) -> Result<Option<usize>> {
    match stream.read(buffer) {
        Ok(0) => Err("the server closed the connection".into()),
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(format!("read: {error}")),
    }
}

/// Sends what an empty send buffer must have room for.
pub(super) fn send_batch(mut stream: &TcpStream, batch: &[u8]) -> Result<()> {
    match stream.write(batch).during("write")? {
        bytes if bytes == batch.len() => Ok(()),
        bytes => Err(format!(
            "the kernel took {bytes} of a batch of {} bytes",
            batch.len()
        )),
    }
}

/// Level-triggered.
pub(super) struct Poller {
    epoll: OwnedFd,
    pub(super) events: Vec<Event>,
    sleep: Timespec,
}

impl Poller {
    /// One that spins answers soonest, and takes a CPU of its own.
    pub(super) fn new(spin: bool) -> Result<Poller> {
        let millis = if spin { 0 } else { 20 };
        Ok(Poller {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).during("epoll_create")?,
            events: Vec::with_capacity(1024),
            sleep: Timespec {
                tv_sec: 0,
                tv_nsec: millis * 1_000_000,
            },
        })
    }

    pub(super) fn add(&self, stream: &TcpStream, index: usize, interest: EventFlags) -> Result<()> {
        epoll::add(
            &self.epoll,
            stream,
            EventData::new_u64(index as u64),
            interest,
        )
        .during("epoll_ctl")
    }

    pub(super) fn change(
        &self,
        stream: &TcpStream,
        index: usize,
        interest: EventFlags,
    ) -> Result<()> {
        let index = EventData::new_u64(index as u64);
        epoll::modify(&self.epoll, stream, index, interest).during("epoll_ctl")
    }

    /// Fills `events`, with none after a while.
    pub(super) fn wait(&mut self) -> Result<()> {
        self.events.clear();
        match epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            Some(&self.sleep),
        ) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(format!("epoll_wait: {error}")),
        }
    }
}
