//! A fresh socket, before it is known whether it will listen or connect.

use std::io;

use socket2::{Domain, Socket, Type};

/// A stream socket of one family, which never blocks and is closed on exec.
///
/// Not mio's own: its listener has a fixed backlog, and its connect gives the descriptor away with
/// the error.
pub(super) fn open(domain: Domain) -> io::Result<Socket> {
    // No protocol named: TCP is what IP has for streams, and local sockets have none.
    let protocol = None;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), protocol)?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let socket = {
        let socket = Socket::new(domain, Type::STREAM, protocol)?;
        socket.set_nonblocking(true)?;
        socket
    };
    Ok(socket)
}
