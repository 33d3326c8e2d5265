//! Listening sockets that a service manager has opened for the program.

use std::env;
use std::io;
use std::os::fd::OwnedFd;

use listenfd::ListenFd;

use crate::error::{Error, Quoted, Result};

/// More than a manager hands over, and few enough to be counted out.
const MOST: usize = 1024;

/// A listening socket that came with the process.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inherited {
    /// What the manager calls it (`LISTEN_FDNAMES`; systemd: `FileDescriptorName=`).
    pub name: Option<String>,
    /// To be given to [`Net::listen`](crate::Net::listen).
    pub socket: OwnedFd,
}

/// The listening sockets that a service manager has opened for the program, in its order: what
/// sd_listen_fds(3) answers. None if there is no manager, or if they are for another process.
///
/// A socket that was opened before the program keeps its backlog while the program is replaced, and
/// may have a port that the program could not bind. Each is TCP or local.
///
/// Takes `LISTEN_PID` and `LISTEN_FDS` out of the environment, so that no child believes they are for
/// it, and so a second call answers none. Changing the environment is for the
/// time before there are other threads: call it first thing in `main`.
///
/// ```no_run
/// # fn main() -> netloop::Result<()> {
/// use netloop::{ListenOptions, Reactor, handler_fn, inherited_listeners};
///
/// let inherited = inherited_listeners()?.pop();
/// let mut reactor = Reactor::new()?;
/// let options = match inherited {
///     Some(it) => ListenOptions::from(it.socket),
///     None => ListenOptions::from("127.0.0.1:7000"),
/// };
/// reactor.net().listen(options, |_socket| handler_fn(|_, _| ()))?;
/// reactor.run()
/// # }
/// ```
///
/// # Errors
///
/// `ERR_INVALID_ARG_VALUE` for a count that is no number up to 1,024, `ERR_INVALID_FD_TYPE` if one of
/// the descriptors is closed or no stream socket.
pub fn inherited_listeners() -> Result<Vec<Inherited>> {
    let Ok(count) = env::var("LISTEN_FDS") else {
        return Ok(Vec::new());
    };
    // Asked here, since the crate takes any number, and memory for so many.
    if !matches!(count.parse(), Ok(0..=MOST)) {
        return Err(Error::invalid_argument(format!(
            "LISTEN_FDS is the number of sockets, at most {MOST}. Received '{}'.",
            Quoted(&count)
        )));
    }
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut sockets = ListenFd::from_env();
    let here = sockets.len(); // none, if they are for another process
    let next = |index| {
        let name = names.next().filter(|name| !name.is_empty());
        Ok(Inherited {
            name: name.map(str::to_owned),
            socket: take(&mut sockets, index)?,
        })
    };
    (0..here).map(next).collect()
}

/// Owns the descriptor at `index`; which of the two families it is of does not matter to us.
fn take(sockets: &mut ListenFd, index: usize) -> Result<OwnedFd> {
    if let Ok(Some(listener)) = sockets.take_unix_listener(index) {
        return Ok(listener.into());
    }
    let listener = sockets.take_tcp_listener(index).and_then(|listener| {
        listener.ok_or(io::ErrorKind::NotFound.into()) // taken already: asked for twice
    });
    match listener {
        Ok(listener) => Ok(listener.into()),
        Err(error) => Err(Error::invalid_fd_type("stream socket", &error)),
    }
}
