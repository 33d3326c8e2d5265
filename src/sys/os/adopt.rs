//! Descriptors that somebody else has opened: what they are is found out, and what is ours by habit
//! (never blocks, closed on exec) is set.

use std::io;
use std::os::fd::OwnedFd;

use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Socket, Type};

use super::address;
use super::listener::Listener;
use crate::Address;

/// A socket that is bound, whether it listens already or not.
///
/// # Errors
///
/// `EINVAL` for what can't listen, as Node has it.
pub(crate) fn listener(descriptor: OwnedFd, backlog: u32) -> io::Result<Listener> {
    let socket = stream_socket(descriptor);
    let socket = socket.map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    let socket = TcpListener::from_std(socket.into());
    Ok(Listener {
        _file: None,
        socket,
    })
}

/// A socket that is connected, and to whom.
pub(crate) fn stream(descriptor: OwnedFd) -> io::Result<(TcpStream, Address)> {
    let socket = stream_socket(descriptor)?;
    let peer = address::peer(&socket)?;
    #[cfg(target_vendor = "apple")]
    socket.set_nosigpipe(true)?;
    Ok((TcpStream::from_std(socket.into()), peer))
}

/// # Errors
///
/// `ENOTSOCK` for what is no socket, `EPROTOTYPE` for one without a stream, `EAFNOSUPPORT` for a
/// family that is not known here.
fn stream_socket(descriptor: OwnedFd) -> io::Result<Socket> {
    let socket = Socket::from(descriptor);
    if socket.r#type()? != Type::STREAM {
        return Err(io::Error::from_raw_os_error(libc::EPROTOTYPE));
    }
    let domain = socket.local_addr()?.domain();
    if ![Domain::IPV4, Domain::IPV6, Domain::UNIX].contains(&domain) {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    }
    socket.set_nonblocking(true)?;
    socket.set_cloexec(true)?;
    Ok(socket)
}
