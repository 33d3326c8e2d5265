//! The user's side: handlers and acceptors that check what they are told and then do what the list
//! says.

use std::panic::AssertUnwindSafe;

use super::acts::write;
use super::book::{ServerBook, Shared};
use super::deeds::{perform, plain};
use super::model::{End, must};
use super::op::{Act, Deed, Kind, Terms, Who};
use super::pipes;
use super::seen::Seen;
use crate::{Acceptor, Dropped, Error, Event, Handler, Net, Server, Socket};

/// What a handler panics with when the list says so.
pub(super) struct Planned;

/// Something has happened: does what the list says about it.
pub(super) fn react(shared: &Shared, net: &mut Net, host: usize, kind: Kind, me: Option<usize>) {
    do_all(shared, net, host, me, shared.reactions(kind));
}

fn do_all(shared: &Shared, net: &mut Net, host: usize, me: Option<usize>, deeds: Vec<Deed>) {
    let mut panics = false;
    for deed in deeds {
        panics |= deed == Deed::Panic;
        perform(shared, net, host, me, deed);
    }
    if panics {
        shared.with(|book| book.count_done(&Deed::Panic));
        // Without the hook that would print it.
        std::panic::resume_unwind(Box::new(Planned));
    }
}

/// The handler of one socket.
pub(super) struct Actor {
    pub(super) shared: Shared,
    pub(super) end: usize,
}

impl Handler for Actor {
    fn on_event(&mut self, socket: &mut Socket<'_>, event: Event<'_>) {
        let (shared, end) = (&self.shared, self.end);
        let kind = match event {
            Event::ConnectionAttempt(_) => Kind::Attempt,
            Event::ConnectionAttemptFailed { .. } => Kind::AttemptFailed,
            Event::Lookup { .. } => Kind::Lookup,
            Event::ConnectionAttemptTimeout(_) => Kind::AttemptTimeout,
            Event::Connect => Kind::Connect,
            Event::Ready => Kind::Ready,
            Event::Data(_) => Kind::Data,
            #[cfg(feature = "encoding")]
            Event::Text(_) => Kind::Data,
            Event::End => Kind::End,
            Event::Drain => Kind::Drain,
            Event::Finish => Kind::Finish,
            Event::Timeout => Kind::Timeout,
            Event::Error(_) => Kind::Error,
            Event::Close { .. } => Kind::Close,
        };
        let _inside = shared.enter(kind);
        pipes::settle(shared, socket.bare_net(), end);
        let seen = Seen::of(socket);
        let (id, limits) = (socket.id(), socket.bare_net().limits);
        if kind == Kind::Connect
            && let Some(address) = socket.address()
            && let Some(from) = address.as_inet()
        {
            let from = plain(from.ip(), from.port());
            shared.with(|book| book.client_connects(end, from));
        }
        shared.check(|book| {
            let its = book.ends[end].id;
            must!(id == its, "I4: {kind:?} of {its:?} told to {id:?}");
            if let Event::Error(error) = &event {
                book.count(format!("error {}", error.code()));
            }
            let heard = book.ends[end].heard;
            let told = |what| format!("socket {end}: {what}");
            book.ends[end]
                .before(&event, &seen, &limits)
                .map_err(told)?;
            match event {
                Event::Data(bytes) => book.check_bytes(end, heard, bytes).map_err(told),
                Event::End => match book.ends[end].peer {
                    Some(peer) => book.ends[end].heard_all_of(&book.ends[peer]).map_err(told),
                    None => Ok(()),
                },
                _ => Ok(()),
            }
        });
        let host = shared.with(|book| book.ends[end].host);
        let mut deeds = shared.reactions(kind);
        self.write_first(socket, &mut deeds);
        if !deeds.is_empty() {
            do_all(shared, socket.net(), host, Some(end), deeds);
            pipes::settle(shared, socket.net(), end);
        }
        shared.with(|book| {
            book.ends[end].after();
            if kind == Kind::End {
                book.carry_end(end);
            }
        });
    }

    fn on_data(&mut self, _socket: &mut Socket<'_>, _data: &[u8]) {}
}

impl Actor {
    /// Does the writes that stand first in the list as a handler would that does nothing else: what it
    /// writes gathers. All else goes by the loop, which ends that.
    fn write_first(&self, socket: &mut Socket<'_>, deeds: &mut Vec<Deed>) {
        let is_write = |deed: &Deed| matches!(deed, Deed::To(Who::Me, Act::Write(_)));
        let writes = deeds.iter().take_while(|deed| is_write(deed)).count();
        for deed in deeds.drain(..writes) {
            if let Deed::To(_, Act::Write(length)) = deed {
                write(&self.shared, socket, self.end, length);
            }
        }
    }
}

/// The acceptor of one server.
pub(super) struct Host {
    pub(super) shared: Shared,
    pub(super) server: usize,
    pub(super) host: usize,
    pub(super) terms: Terms,
}

impl Host {
    fn event(
        &mut self,
        server: &mut Server<'_>,
        kind: Kind,
        check: impl FnOnce(&mut ServerBook) -> bool,
    ) {
        let _inside = self.shared.enter(kind);
        let number = self.server;
        let id = server.id();
        self.shared.check(|book| {
            let its = book.servers[number].id;
            must!(id == its, "I4: {kind:?} of {its:?} told to {id:?}");
            must!(
                check(&mut book.servers[number]),
                "I22: {kind:?} of server {number}"
            );
            Ok(())
        });
        react(&self.shared, server.net(), self.host, kind, None);
    }
}

impl Acceptor for Host {
    fn on_connection(&mut self, socket: &mut Socket<'_>) -> Box<dyn Handler> {
        let shared = self.shared.clone();
        let _inside = shared.enter(Kind::Connection);
        let mut end = End::new(self.host, socket.id(), true, &self.terms);
        let peer = socket
            .peer_address()
            .and_then(|it| Some((it.ip()?, it.port()?)));
        let (turn, most) = (socket.net().counters.turns, socket.net().limits.accepts);
        let number = shared.with(|book| {
            let server = &mut book.servers[self.server];
            if server.accepted.0 != turn {
                server.accepted = (turn, 0);
            }
            server.accepted.1 += 1;
            let (accepted, is_open) = (server.accepted.1, server.open && server.listening);
            if accepted > most {
                book.note(Err(format!("I15: {accepted} accepted in one turn")));
            }
            if !is_open {
                book.note(Err(
                    "I22: a connection of a server that does not listen".into()
                ));
            }
            let number = book.ends.len();
            end.flow = Some(book.new_flow(false));
            book.ends.push(end);
            if let Some((ip, port)) = peer {
                book.server_accepts(number, plain(ip, port));
            }
            number
        });
        let calm = shared.with(|book| book.calm);
        let (net, host) = (socket.net(), self.host);
        if calm {
            perform(
                &shared,
                net,
                host,
                Some(number),
                Deed::To(Who::Me, Act::Resume),
            );
        }
        let reaction = AssertUnwindSafe(|| {
            react(&shared, net, host, Kind::Connection, Some(number));
        });
        if let Err(panic) = std::panic::catch_unwind(reaction) {
            // It never gets a handler, so nobody is told its close.
            shared.with(|book| book.ends[number].give_up());
            std::panic::resume_unwind(panic);
        }
        shared.with(|book| book.ends[number].has_handler = true);
        Box::new(Actor {
            shared,
            end: number,
        })
    }

    fn on_listening(&mut self, server: &mut Server<'_>) {
        self.event(server, Kind::Listening, |it| {
            it.open && !std::mem::replace(&mut it.listening, true)
        });
    }

    fn on_drop(&mut self, server: &mut Server<'_>, _dropped: &Dropped) {
        self.event(server, Kind::Dropped, |it| it.open);
    }

    fn on_error(&mut self, server: &mut Server<'_>, _error: &Error) {
        self.event(server, Kind::ServerError, |it| !it.closed);
    }

    fn on_close(&mut self, server: &mut Server<'_>) {
        let connections = server.connections();
        self.event(server, Kind::ServerClose, |it| {
            connections == 0 && !it.open && !std::mem::replace(&mut it.closed, true)
        });
    }
}
