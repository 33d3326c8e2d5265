//! Many connections at once.

use crate::support::*;
use netloop::{Handler, ListenOptions, Reactor, Socket, SocketId};
use std::cell::RefCell;
use std::net::TcpStream;
use std::rc::Rc;

/// Room for a crowd in one process: two descriptors for each connection.
pub(crate) const ROOM: &str = "ulimit -S -n $(ulimit -H -n) && exec";

/// A crowd of connections: ours as ids, the other ends as plain sockets, in the same order.
pub(crate) struct Crowd {
    pub(crate) ids: Vec<SocketId>,
    pub(crate) peers: Vec<TcpStream>,
}

/// Connects `size` plain peers to a server whose sockets get what `accept` makes of their number.
pub(crate) fn crowd<H: Handler + 'static>(
    reactor: &mut Reactor,
    size: usize,
    mut accept: impl FnMut(usize, &mut Socket<'_>) -> H + 'static,
) -> Crowd {
    let ids = Rc::new(RefCell::new(Vec::new()));
    let seen = ids.clone();
    let options = ListenOptions::from("127.0.0.1:0").backlog(4096);
    let server = reactor.net().listen(options, move |socket| {
        let number = seen.borrow().len();
        seen.borrow_mut().push(socket.id());
        accept(number, socket)
    });
    let address = inet(server.unwrap().address().unwrap());
    let mut peers = Vec::new();
    while peers.len() < size {
        // In steps, since the system may cap the backlog below what was asked for.
        let step = (size - peers.len()).min(100);
        peers.extend((0..step).map(|_| plain_peer(address)));
        turn_until(reactor, |_| ids.borrow().len() == peers.len());
    }
    let ids = ids.take();
    Crowd { ids, peers }
}
