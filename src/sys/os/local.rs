//! Local sockets that listen: made with their rights, and removed by nobody but their maker.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mio::net::TcpListener;
use socket2::{Domain, Socket};

use super::listener::Listener;
use super::{address, socket};
use crate::Address;

/// Listens under the name of a local socket. A path gets the rights in `mode` before anybody can
/// connect to it: a socket that is bound and does not listen yet refuses everybody.
pub(crate) fn listen(name: &Address, backlog: u32, mode: u32) -> io::Result<Listener> {
    let kernel_name = address::to_kernel(name)?;
    let mut socket = socket::open(Domain::UNIX)?;
    let file = match name {
        Address::Path(path) => {
            socket = to_be_born_with(mode, socket);
            socket.bind(&kernel_name)?;
            Some(SocketFile::of(path, mode)?)
        }
        Address::Inet(_) | Address::Abstract(_) | Address::Unnamed => {
            socket.bind(&kernel_name)?;
            None
        }
    };
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    let socket = TcpListener::from_std(socket.into());
    Ok(Listener {
        _file: file,
        socket,
    })
}

/// Gives the file that a bind will make its rights in advance, which Linux takes from the socket
/// itself, less the umask. Elsewhere it fails, and the rights are set between bind and listen.
fn to_be_born_with(mode: u32, socket: Socket) -> Socket {
    let as_file = File::from(OwnedFd::from(socket));
    if let Err(error) = as_file.set_permissions(Permissions::from_mode(mode)) {
        log::trace!("a socket takes no rights before its bind: {error}");
    }
    OwnedFd::from(as_file).into()
}

/// The file that a bind has made. Dropping it removes it, if it still is that file: what somebody
/// else has put in its place since stays.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// As long as the socket is open the number is not given to another file.
    inode: u64,
    device: u64,
}

impl SocketFile {
    fn of(path: &Path, mode: u32) -> io::Result<SocketFile> {
        let found = fs::symlink_metadata(path)?;
        let file = SocketFile {
            path: path.to_owned(),
            inode: found.ino(),
            device: found.dev(),
        };
        // The umask has taken something away, or the rights did not come with the bind.
        if found.mode() & 0o777 != mode {
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        Ok(file)
    }

    fn is_still_ours(&self) -> bool {
        fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.ino(), found.dev()) == (self.inode, self.device))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_still_ours()
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("the socket {:?} stays: {error}", self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path that no other test has.
    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("netloop-{}-{name}", std::process::id()))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn h4_a_file_has_its_rights_from_the_bind_on() {
        let path = path("born.sock");
        let name = address::to_kernel(&Address::Path(path.clone())).unwrap();
        let socket = to_be_born_with(0o600, socket::open(Domain::UNIX).unwrap());
        socket.bind(&name).unwrap();
        let rights = fs::metadata(&path).unwrap().mode() & 0o777;
        fs::remove_file(&path).unwrap();
        assert_eq!(rights, 0o600);
    }

    #[test]
    fn a_listen_that_fails_leaves_nothing_behind() {
        let file = path("file");
        fs::write(&file, "no socket").unwrap();
        let wrong = listen(&Address::Path(file.clone()), 1, 0o600);
        assert_eq!(wrong.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read(&file).unwrap(), b"no socket");
        fs::remove_file(&file).unwrap();
    }
}
