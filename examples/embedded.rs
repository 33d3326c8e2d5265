//! A reactor inside a loop that is somebody else's: here one of mio's, which has a UDP socket.
//!
//! ```text
//! cargo run --release --example embedded -- [ADDRESS | PORT]
//! ```
//!
//! A bare port means 127.0.0.1; without either it is 127.0.0.1:7000. It sends back what it gets, by
//! TCP (that is netloop's) and by UDP on the same port (that is the host's). Try it with
//! `nc 127.0.0.1 7000` and `nc -u 127.0.0.1 7000`.
//!
//! What it shows: all that a host owes a reactor. It watches the reactor's descriptor, sleeps no
//! longer than `next_timeout` says, and calls `turn` without letting it sleep.

#[path = "common/mod.rs"]
mod common;

use common::Failure;
use common::output::complain;
use mio::net::UdpSocket;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use netloop::{Handler, Net, Reactor, Socket};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use std::time::Duration;

const REACTOR: Token = Token(0);
const UDP: Token = Token(1);

/// How many ports the system may choose before we give up.
const MOST_CHOICES: usize = 16;

const DATAGRAMS_A_TURN: usize = 64;
/// No datagram is longer.
const LONGEST_DATAGRAM: usize = 65_535;

struct Echo;

impl Handler for Echo {
    fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
        if !socket.write(data) {
            socket.pause();
        }
    }

    fn on_drain(&mut self, socket: &mut Socket<'_>) {
        socket.resume();
    }
}

/// The host's loop, with all that it watches.
struct Host {
    poll: Poll,
    reactor: Reactor,
    udp: UdpSocket,
}

impl Host {
    fn new(reactor: Reactor, mut udp: UdpSocket) -> io::Result<Host> {
        let poll = Poll::new()?;
        let descriptor = reactor.as_fd().as_raw_fd();
        let mut watched = SourceFd(&descriptor);
        poll.registry()
            .register(&mut watched, REACTOR, Interest::READABLE)?;
        poll.registry()
            .register(&mut udp, UDP, Interest::READABLE)?;
        Ok(Host { poll, reactor, udp })
    }

    fn run(&mut self) -> netloop::Result<()> {
        let mut events = Events::with_capacity(16);
        let mut buffer = vec![0; LONGEST_DATAGRAM];
        let mut datagrams_wait = false;
        while self.reactor.is_alive() {
            let timeout = match datagrams_wait {
                true => Some(Duration::ZERO),
                false => self.reactor.next_timeout(),
            };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome?,
            }
            // Mio tells only once, so what is known has to be kept until all of it was read.
            datagrams_wait |= events.iter().any(|event| event.token() == UDP);
            if datagrams_wait {
                datagrams_wait = self.echo_datagrams(&mut buffer);
            }
            // After each sleep, whatever it was that ended it: a timer may be due.
            self.reactor.turn(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    /// Echoes a few datagrams, so that the reactor has its turn; whether more may wait. What there is
    /// no room for is lost, as datagrams may be.
    fn echo_datagrams(&mut self, buffer: &mut [u8]) -> bool {
        for _ in 0..DATAGRAMS_A_TURN {
            match self.udp.recv_from(buffer) {
                Ok((bytes, from)) => {
                    let _ = self.udp.send_to(&buffer[..bytes], from);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => complain(format_args!("udp: {error}")),
            }
        }
        true
    }
}

/// Listens by TCP, and answers with a UDP socket on the same port.
///
/// Port 0 lets the system choose, which it does for TCP; where UDP is taken it has to choose again.
fn listen(net: &mut Net, address: SocketAddr) -> netloop::Result<UdpSocket> {
    let mut in_vain = Vec::new();
    let udp = loop {
        let server = net.listen(common::listen_options(address), |_socket| Echo)?;
        let bound = server.address().and_then(|address| address.as_inet());
        match UdpSocket::bind(bound.unwrap_or(address)) {
            Ok(udp) => {
                common::announce(&server);
                break udp;
            }
            Err(error) => {
                in_vain.push(server.id());
                let may_choose = address.port() == 0 && in_vain.len() < MOST_CHOICES;
                if !may_choose || error.kind() != ErrorKind::AddrInUse {
                    return Err(error.into());
                }
            }
        }
    };
    // Not earlier, or the system would choose the same again.
    for id in in_vain {
        if let Some(mut server) = net.server(id) {
            server.close()?;
        }
    }
    Ok(udp)
}

fn serve(address: SocketAddr, words: Vec<String>) -> Result<(), Failure> {
    common::no_more(&words)?;
    let mut reactor = Reactor::new()?;
    let udp = listen(reactor.net(), address)?;
    let mut host = Host::new(reactor, udp).map_err(netloop::Error::from)?;
    Ok(host.run()?)
}

fn main() -> ExitCode {
    common::run("usage: embedded [ADDRESS | PORT]", serve)
}
