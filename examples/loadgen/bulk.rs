//! A connection that sends as much as it can.
//!
//! One buffer is shared by all that waits to be sent. Whether there is room says `write`; what comes
//! back is counted by the connection as in any other mode, as answers of one buffer each.

use crate::connection::Connection;
use crate::run::{Phase, Run, Shared};
use netloop::{Event, Handler, Net, Socket, SocketId};

/// Writes of one call. A server that takes bytes as fast as they come must not keep the others, and
/// the reading of what comes back, waiting.
const WRITES: usize = 16;

pub(crate) struct Bulk(Connection);

impl Bulk {
    pub(crate) fn new(connection: Connection) -> Bulk {
        Bulk(connection)
    }
}

impl Handler for Bulk {
    /// Everything is as with any connection, and then there is room to be used.
    fn on_event(&mut self, socket: &mut Socket<'_>, event: Event<'_>) {
        event.hand_on(&mut self.0, socket);
        if matches!(event, Event::Connect | Event::Drain) {
            pump(socket, &self.0.run, self.0.slot);
        }
    }

    fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
        self.on_event(socket, Event::Data(data));
    }
}

/// Writes until there is no room; goes on in the next turn if there still is.
pub(crate) fn pump(socket: &mut Socket<'_>, run: &Shared, slot: usize) {
    for _ in 0..WRITES {
        if !run.borrow_mut().write_bulk(socket, slot) {
            return; // `drain` will be told
        }
    }
    let (id, run) = (socket.id(), run.clone());
    socket
        .net()
        .set_immediate(move |net| go_on(net, id, &run, slot));
}

fn go_on(net: &mut Net, id: SocketId, run: &Shared, slot: usize) {
    if let Some(mut socket) = net.socket(id) {
        pump(&mut socket, run, slot);
    }
}

impl Run {
    /// Writes one buffer; answers whether more is welcome.
    fn write_bulk(&mut self, socket: &mut Socket<'_>, slot: usize) -> bool {
        if !(Phase::WarmUp..=Phase::Measure).contains(&self.phase) || !socket.writable() {
            return false;
        }
        let now = self.clock.now();
        self.note_sent(slot, now, now);
        self.write_request(socket, now)
    }
}
