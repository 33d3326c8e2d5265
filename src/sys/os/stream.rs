//! Connecting, bytes and options on the real system.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use socket2::{Domain, SockRef, TcpKeepalive};

use super::{address, socket};
use crate::Address;

/// Keeps a write to a peer that is gone from raising SIGPIPE. Rust's own `main` ignores the signal,
/// but a library inside another program dies of it. Apple has no such flag and sets an option at
/// birth instead: socket2 does in `connect`, we do in `accept`.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: i32 = 0;

pub(crate) fn bind(local: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket::open(Domain::for_address(local))?;
    socket.set_reuse_address(true)?;
    socket.bind(&local.into())?;
    Ok(TcpStream::from_std(socket.into()))
}

pub(crate) fn connect(
    peer: &Address,
    bound: Option<TcpStream>,
    type_of_service: Option<u8>,
) -> io::Result<TcpStream> {
    let peer = address::to_kernel(peer)?;
    let socket = match bound {
        Some(stream) => stream,
        None => TcpStream::from_std(socket::open(peer.domain())?.into()),
    };
    if let Some(value) = type_of_service
        && let Err(error) = set_type_of_service(&socket, value)
    {
        log::debug!("{socket:?}: type of service: {error}");
    }
    match SockRef::from(&socket).connect(&peer) {
        Ok(()) => {}
        Err(error) if is_under_way(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(socket)
}

/// An interrupted connect goes on by itself, and calling again would only answer `EALREADY`.
fn is_under_way(error: &io::Error) -> bool {
    // Not EAGAIN: a local socket says so when the backlog is full, and then nothing is under way,
    // however writable it looks (P10b).
    matches!(
        error.raw_os_error(),
        Some(libc::EINPROGRESS | libc::EINTR | libc::EALREADY)
    )
}

#[inline]
pub(crate) fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    stream.read(buffer)
}

#[inline]
pub(crate) fn write(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    stream.write(bytes) // std's own send, which has the flag where there is one
}

#[inline]
pub(crate) fn write_vectored(stream: &TcpStream, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    // Not std's: that one is writev, which takes no flags.
    SockRef::from(stream).send_vectored_with_flags(buffers, NO_SIGNAL)
}

pub(crate) fn shutdown_write(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn set_quick_ack(stream: &TcpStream, on: bool) -> io::Result<()> {
    SockRef::from(stream).set_tcp_quickack(on)
}

/// Others have no such option.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn set_quick_ack(_stream: &TcpStream, _on: bool) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOPROTOOPT))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn set_not_sent_low_water_mark(stream: &TcpStream, bytes: u32) -> io::Result<()> {
    SockRef::from(stream).set_tcp_notsent_lowat(bytes)
}

/// Apple has the option too, but no safe way to it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn set_not_sent_low_water_mark(_stream: &TcpStream, _bytes: u32) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOPROTOOPT))
}

pub(crate) fn set_keep_alive(
    stream: &TcpStream,
    on: bool,
    initial_delay_secs: Option<u32>,
) -> io::Result<()> {
    let socket = SockRef::from(stream);
    match initial_delay_secs {
        Some(secs) if on => socket.set_tcp_keepalive(&probes_after(secs)),
        _ => socket.set_keepalive(on),
    }
}

fn probes_after(secs: u32) -> TcpKeepalive {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(secs.into()));
    // OpenBSD has no such times for one socket.
    #[cfg(not(target_os = "openbsd"))]
    let keepalive = keepalive
        .with_interval(Duration::from_secs(1))
        .with_retries(10);
    keepalive
}

pub(crate) fn set_type_of_service(stream: &TcpStream, value: u8) -> io::Result<()> {
    let socket = SockRef::from(stream);
    match socket.local_addr()?.domain() {
        Domain::IPV4 => socket.set_tos_v4(value.into()),
        Domain::IPV6 => {
            socket.set_tclass_v6(value.into())?;
            // Where the peer is an IPv4 one, the packets have that header; not every system has
            // the option on an IPv6 socket.
            let _ = socket.set_tos_v4(value.into());
            Ok(())
        }
        _ => Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
    }
}

pub(crate) fn type_of_service(stream: &TcpStream) -> io::Result<u8> {
    let socket = SockRef::from(stream);
    let value = match socket.local_addr()?.domain() {
        Domain::IPV4 => socket.tos_v4()?,
        Domain::IPV6 => socket.tclass_v6()?,
        _ => return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
    };
    Ok(u8::try_from(value).unwrap_or(u8::MAX))
}

pub(crate) fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}
