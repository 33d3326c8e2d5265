//! Addresses as the kernel has them, and as everything above does.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use socket2::{SockAddr, SockRef};

use crate::Address;

/// Where a socket of any family stands.
pub(crate) fn local(socket: &impl AsFd) -> io::Result<Address> {
    from_kernel(&SockRef::from(socket).local_addr()?)
}

/// Whom a socket of any family is connected to.
pub(crate) fn peer(socket: &impl AsFd) -> io::Result<Address> {
    from_kernel(&SockRef::from(socket).peer_addr()?)
}

/// # Errors
///
/// `EAFNOSUPPORT` for an address of a family that nothing here has asked for.
pub(crate) fn from_kernel(address: &SockAddr) -> io::Result<Address> {
    if let Some(inet) = address.as_socket() {
        return Ok(Address::Inet(inet));
    }
    if let Some(path) = address.as_pathname() {
        return Ok(Address::Path(path.to_owned()));
    }
    if let Some(name) = address.as_abstract_namespace() {
        return Ok(Address::Abstract(name.to_owned()));
    }
    match address.is_unix() {
        true => Ok(Address::Unnamed),
        false => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    }
}

/// # Errors
///
/// `EINVAL` for the name of a local socket that can't be one: none, with a zero byte in a path, or
/// longer than the kernel's room for it. It is never cut to fit: what stood under the shorter name
/// would be somebody else.
pub(crate) fn to_kernel(address: &Address) -> io::Result<SockAddr> {
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    match address {
        Address::Inet(inet) => Ok(SockAddr::from(*inet)),
        Address::Path(path) => match path.as_os_str().as_bytes() {
            bytes if bytes.is_empty() || bytes.contains(&0) => Err(invalid()),
            _ => SockAddr::unix(path).map_err(|_| invalid()),
        },
        Address::Abstract(name) => abstract_name(name).ok_or_else(invalid),
        Address::Unnamed => Err(invalid()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(name: &[u8]) -> Option<SockAddr> {
    let name = [&[0], name].concat();
    SockAddr::unix(std::ffi::OsStr::from_bytes(&name)).ok()
}

/// Elsewhere all names stand in the file system.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_name(_name: &[u8]) -> Option<SockAddr> {
    None
}
