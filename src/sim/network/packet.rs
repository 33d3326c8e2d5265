//! What travels between two endpoints.

use std::net::SocketAddr;

use super::table::EndpointId;

/// Something on its way from one endpoint to another.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) from: EndpointId,
    /// `None`: a SYN, which finds its endpoint by the address.
    pub(super) to: Option<EndpointId>,
    pub(super) load: Load,
}

#[derive(Debug)]
pub(super) enum Load {
    Syn {
        target: SocketAddr,
        attempt: u32,
    },
    SynAck,
    Data(Vec<u8>),
    Fin,
    Reset,
    /// So many bytes have arrived.
    Acknowledged(usize),
    /// There is room to send into.
    Window,
}
