//! What is made of a peer's bytes and of a user's words; only fuzz targets ask for it.

#[cfg(feature = "encoding")]
use std::borrow::Cow;
use std::net::SocketAddr;

#[cfg(feature = "encoding")]
use crate::Encoding;
#[cfg(feature = "encoding")]
use crate::connection;
use crate::options::Bind;
use crate::{ConnectOptions, ListenOptions, Result};

/// Bytes in pieces, read as text.
#[cfg(feature = "encoding")]
#[derive(Debug)]
pub struct Decoder(connection::Decoder);

#[cfg(feature = "encoding")]
#[allow(missing_docs, reason = "each is what it is in the room itself")]
impl Decoder {
    pub fn new(encoding: Encoding) -> Decoder {
        Decoder(connection::Decoder::new(encoding))
    }

    pub fn decode<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, str> {
        self.0.decode(bytes)
    }

    pub fn end(&mut self, bytes: &[u8]) -> String {
        self.0.end(bytes)
    }
}

/// What a text was read as.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    At(SocketAddr),
    AnyHost(u16),
    Named(String, u16),
}

/// Where these options listen.
pub fn resolve_listen(options: &ListenOptions) -> Result<Place> {
    Ok(match options.resolve()? {
        Bind::At(address) => Place::At(address),
        Bind::AnyHost(port) => Place::AnyHost(port),
        Bind::Named(host, port) => Place::Named(host.to_string(), port),
        Bind::Local(_) | Bind::Given(_) => unreachable!("a text says neither"),
    })
}

/// Whom these options connect to.
///
/// # Panics
///
/// On a local socket, which no text names.
pub fn resolve_connect(options: &ConnectOptions) -> Result<Place> {
    Ok(match options.clone().resolve()? {
        crate::options::Place::At(address) => Place::At(address.as_inet().unwrap()),
        crate::options::Place::Named(host, port) => Place::Named(host.to_string(), port),
    })
}
