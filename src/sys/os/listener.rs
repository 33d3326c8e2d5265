//! Listening and accepting on the real system.

use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, SockAddr, SockRef, Socket};

use super::local::SocketFile;
use super::{address, socket};
use crate::Address;

/// A socket that takes connections, of whatever family: as with a stream, mio needs to know none.
#[derive(Debug)]
pub(crate) struct Listener {
    /// The name in the file system, if we have made it; there to be dropped. It stands first, to be
    /// dropped first: after the close, the path might be that of a server started meanwhile.
    pub(super) _file: Option<SocketFile>,
    pub(crate) socket: TcpListener,
}

pub(crate) fn listen(
    address: SocketAddr,
    backlog: u32,
    reuse_port: bool,
    ipv6_only: bool,
) -> io::Result<Listener> {
    let socket = socket::open(Domain::for_address(address))?;
    socket.set_reuse_address(true)?;
    if reuse_port {
        share_port(&socket)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(ipv6_only)?;
    }
    socket.bind(&address.into())?;
    // The kernel cuts it down to its own limit (`net.core.somaxconn`).
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    let socket = TcpListener::from_std(socket.into());
    Ok(Listener {
        _file: None,
        socket,
    })
}

pub(crate) fn accept(listener: &Listener) -> io::Result<(TcpStream, Address)> {
    let (socket, peer) = accept_nonblocking(&SockRef::from(&listener.socket))?;
    let stream = TcpStream::from_std(socket.into());
    let peer = address::from_kernel(&peer)?;
    // Refused when the peer has reset the connection meanwhile. Without it a write could end the
    // process, so such a connection is treated as what it is.
    #[cfg(target_vendor = "apple")]
    SockRef::from(&stream)
        .set_nosigpipe(true)
        .map_err(|_| io::Error::from_raw_os_error(libc::ECONNABORTED))?;
    Ok((stream, peer))
}

/// Not mio's own, which knows the addresses of one family only.
#[cfg(not(target_vendor = "apple"))]
fn accept_nonblocking(listener: &Socket) -> io::Result<(Socket, SockAddr)> {
    listener.accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
}

#[cfg(target_vendor = "apple")]
fn accept_nonblocking(listener: &Socket) -> io::Result<(Socket, SockAddr)> {
    let (socket, peer) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((socket, peer))
}

fn share_port(socket: &Socket) -> io::Result<()> {
    // There the older option shares the port, but gives every connection to the last listener.
    #[cfg(target_os = "freebsd")]
    return socket.set_reuse_port_lb(true);
    #[cfg(not(target_os = "freebsd"))]
    return socket.set_reuse_port(true);
}
