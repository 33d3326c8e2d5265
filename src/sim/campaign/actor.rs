//! The user's side: handlers, acceptors and timers that check what they are told and then do what
//! the list says.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::Bytes;

use super::book::{Book, ServerBook, Shared, TimerBook};
use super::model::{End, Seen, must};
use super::op::{Act, Deed, Kind, Terms, Who};
use super::payload::Flow;
use crate::sim::network::Network;
use crate::{Acceptor, ConnectOptions, Dropped, Error, Event, Handler, ListenOptions};
use crate::{Net, OutOfDescriptors, Server, Socket};

/// What a handler panics with when the list says so.
pub(super) struct Planned;

/// Something has happened: does what the list says about it.
fn react(shared: &Shared, net: &mut Net, host: usize, kind: Kind, me: Option<usize>) {
    let mut panics = false;
    for deed in shared.reactions(kind) {
        panics |= deed == Deed::Panic;
        perform(shared, net, host, me, deed);
    }
    if panics {
        // Without the hook that would print it.
        std::panic::resume_unwind(Box::new(Planned));
    }
}

/// The handler of one socket.
struct Actor {
    shared: Shared,
    end: usize,
}

impl Handler for Actor {
    fn on_event(&mut self, socket: &mut Socket<'_>, event: Event<'_>) {
        let (shared, end) = (&self.shared, self.end);
        let kind = match event {
            Event::ConnectionAttempt(_) => Kind::Attempt,
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
        let seen = Seen::of(socket);
        shared.check(|book| {
            let heard = book.ends[end].heard;
            let told = |what| format!("socket {end}: {what}");
            book.ends[end].before(&event, &seen).map_err(told)?;
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
        react(shared, socket.net(), host, kind, Some(end));
        shared.with(|book| book.ends[end].after());
    }

    fn on_data(&mut self, _socket: &mut Socket<'_>, _data: &[u8]) {}
}

/// The acceptor of one server.
struct Host {
    shared: Shared,
    server: usize,
    host: usize,
    terms: Terms,
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
        self.shared.check(|book| {
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
        let number = shared.with(|book| {
            let server = &book.servers[self.server];
            if !server.open || !server.listening {
                book.note(Err(
                    "I22: a connection of a server that does not listen".into()
                ));
            }
            let number = book.ends.len();
            let client = peer.and_then(|(ip, port)| book.clients.remove(&plain(ip, port)));
            if let Some(client) = client {
                let flow = book.ends[client].flow;
                end.flow = flow.map(|flow| Flow {
                    from_client: false,
                    ..flow
                });
                end.peer = Some(client);
                book.ends[client].peer = Some(number);
            }
            book.ends.push(end);
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

/// An address as every host sees it.
pub(super) fn plain(ip: IpAddr, port: u16) -> SocketAddr {
    (ip.to_canonical(), port).into()
}

/// Does one thing on one host. `me` is the socket whose event it is.
pub(super) fn perform(shared: &Shared, net: &mut Net, host: usize, me: Option<usize>, deed: Deed) {
    match deed {
        Deed::Listen(terms) => listen(shared, net, host, terms),
        Deed::Connect(to, terms) => connect(shared, net, host, to, terms),
        Deed::CloseServer(nth) => {
            if let Some(server) = server(shared, host, nth) {
                close_server(shared, net, server);
            }
        }
        Deed::MaxConnections(nth, most) => {
            let id = server(shared, host, nth).map(|it| shared.with(|book| book.servers[it].id));
            if let Some(mut server) = id.and_then(|id| net.server(id)) {
                server.set_max_connections(most.map(usize::from));
            }
        }
        Deed::To(who, deed) => {
            if let Some(end) = socket(shared, host, me, who) {
                act(shared, net, end, deed);
            }
        }
        Deed::Later(millis, who, deed) => later(shared, net, host, me, (millis, who, deed)),
        Deed::Soon(who, deed) => {
            shared.with(|book| book.immediates += 1);
            let shared = shared.clone();
            net.set_immediate(move |net| {
                let _inside = shared.enter(Kind::Timer);
                shared.with(|book| book.immediates -= 1);
                unless_calm(&shared, net, host, me, who, deed);
            });
        }
        Deed::Every(millis, times) => every(shared, net, host, millis, times),
        Deed::Clear(nth) => {
            let timer = shared.with(|book| Book::nth(&book.timers, |it| it.host == host, nth));
            if let Some(timer) = timer {
                clear(shared, net, timer);
            }
        }
        Deed::Unref(nth) => {
            let timer = shared.with(|book| {
                let timer = Book::nth(&book.timers, |it| it.host == host, nth)?;
                book.timers[timer].id
            });
            if let Some(id) = timer {
                net.unref_timer(id);
            }
        }
        Deed::Stop => net.stop(),
        Deed::Panic => {}
    }
}

fn socket(shared: &Shared, host: usize, me: Option<usize>, who: Who) -> Option<usize> {
    shared.with(|book| {
        let here = |it: &End| it.host == host;
        match who {
            Who::Me => me.or_else(|| book.ends.iter().rposition(here)),
            Who::Nth(nth) => Book::nth(&book.ends, here, nth),
        }
    })
}

fn server(shared: &Shared, host: usize, nth: u8) -> Option<usize> {
    shared.with(|book| Book::nth(&book.servers, |it| it.host == host, nth))
}

fn listen(shared: &Shared, net: &mut Net, host: usize, terms: Terms) {
    let server = shared.with(|book| book.servers.len());
    let mut options = ListenOptions::from(7000 + terms.port)
        .allow_half_open(terms.half_open)
        .pause_on_connect(terms.paused)
        .high_water_mark(terms.mark);
    if terms.cap.is_some() {
        options = options.write_cap(terms.cap);
    }
    if terms.shed {
        options = options.when_out_of_descriptors(OutOfDescriptors::Shed);
    }
    let shared = shared.clone();
    let acceptor = Host {
        shared: shared.clone(),
        server,
        host,
        terms,
    };
    if let Ok(it) = net.listen_with(options, acceptor) {
        let id = it.id();
        shared.with(|book| {
            book.servers.push(ServerBook {
                host,
                id,
                listening: false,
                open: true,
                closed: false,
            });
        });
    }
}

pub(super) fn close_server(shared: &Shared, net: &mut Net, server: usize) {
    let id = shared.with(|book| book.servers[server].id);
    let found = net.server(id).map(|mut it| it.close().is_ok());
    shared.check(|book| {
        let it = &mut book.servers[server];
        must!(
            found.is_some() || it.closed,
            "I31: server {server} is gone before its close"
        );
        let was_open = std::mem::replace(&mut it.open, false);
        must!(
            found.is_none_or(|ok| ok == was_open),
            "I22: server {server}: {found:?}"
        );
        Ok(())
    });
}

fn connect(shared: &Shared, net: &mut Net, host: usize, to: u8, terms: Terms) {
    let end = shared.with(|book| book.ends.len());
    let address = Network::address_of(to.into());
    let mut options = ConnectOptions::from((address, 7000 + terms.port))
        .allow_half_open(terms.half_open)
        .high_water_mark(terms.mark);
    if terms.cap.is_some() {
        options = options.write_cap(terms.cap);
    }
    let actor = Actor {
        shared: shared.clone(),
        end,
    };
    if let Ok(mut socket) = net.connect(options, actor) {
        let mut it = End::new(host, socket.id(), false, &terms);
        if terms.paused {
            socket.pause();
            it.pause_called(true);
        }
        shared.with(|book| {
            it.flow = Some(book.client_flow());
            book.ends.push(it);
        });
    }
}

fn unless_calm(shared: &Shared, net: &mut Net, host: usize, me: Option<usize>, who: Who, act: Act) {
    if !shared.with(|book| book.calm) {
        perform(shared, net, host, me, Deed::To(who, act));
    }
    react(shared, net, host, Kind::Timer, me);
}

/// Writes a timer down that is armed now.
fn arm(shared: &Shared, host: usize) -> usize {
    shared.with(|book| {
        book.timers.push(TimerBook {
            host,
            id: None,
            due: (0, 0),
            is_set: true,
        });
        book.timers.len() - 1
    })
}

fn due(book: &mut Book, net: &Net, millis: u64) -> (u64, u64) {
    let nanos = net.now().as_nanos() + u128::from(millis.max(1)) * 1_000_000;
    book.armed += 1;
    (nanos.div_ceil(1_000_000) as u64, book.armed)
}

fn later(
    shared: &Shared,
    net: &mut Net,
    host: usize,
    me: Option<usize>,
    (millis, who, deed): (u64, Who, Act),
) {
    let timer = arm(shared, host);
    let theirs = shared.clone();
    let id = net.set_timeout(Duration::from_millis(millis), move |net| {
        let _inside = theirs.enter(Kind::Timer);
        theirs.check(|book| {
            let verdict = book.timer_fired(timer, net);
            book.timers[timer].is_set = false;
            verdict
        });
        unless_calm(&theirs, net, host, me, who, deed);
    });
    shared.with(|book| {
        book.timers[timer].id = Some(id);
        book.timers[timer].due = due(book, net, millis);
    });
}

fn every(shared: &Shared, net: &mut Net, host: usize, millis: u64, times: u8) {
    let timer = arm(shared, host);
    let theirs = shared.clone();
    let mut left = times.max(1);
    let id = net.set_interval(Duration::from_millis(millis), move |net| {
        let _inside = theirs.enter(Kind::Timer);
        theirs.check(|book| book.timer_fired(timer, net));
        left -= 1;
        if left == 0 {
            clear(&theirs, net, timer);
        }
        // Set again below unless it panics, which ends an interval.
        let is_set = theirs.with(|book| std::mem::replace(&mut book.timers[timer].is_set, false));
        react(&theirs, net, host, Kind::Timer, None);
        theirs.with(|book| {
            book.timers[timer].is_set = is_set && book.timers[timer].id.is_some();
            book.timers[timer].due = due(book, net, millis);
        });
    });
    shared.with(|book| {
        book.timers[timer].id = Some(id);
        book.timers[timer].due = due(book, net, millis);
    });
}

fn clear(shared: &Shared, net: &mut Net, timer: usize) {
    let id = shared.with(|book| {
        book.timers[timer].is_set = false;
        book.timers[timer].id.take()
    });
    if let Some(id) = id {
        net.clear_timer(id);
    }
}

/// Does something to a socket, and checks what comes of it at once.
pub(super) fn act(shared: &Shared, net: &mut Net, end: usize, act: Act) {
    let (id, flow, accepted) = shared.with(|book| {
        let it = &book.ends[end];
        (it.id, it.flow, it.accepted)
    });
    let found = net.socket(id).map(|mut socket| Seen::of(&mut socket));
    let Some(before) = found else {
        return shared.check(|book| {
            must!(
                book.ends[end].closed,
                "I31: socket {end} is gone before its close"
            );
            Ok(())
        });
    };
    let bytes = |length: u32| match flow {
        Some(flow) => flow.bytes(accepted, length as usize),
        None => vec![0; length as usize],
    };
    let Some(mut socket) = net.socket(id) else {
        return;
    };
    let mut answer = None;
    match act {
        Act::Write(length) => answer = Some((length, socket.write(&bytes(length)))),
        Act::WriteBytes(length) => {
            let bytes = Bytes::from(bytes(length));
            answer = Some((length, socket.write_bytes(bytes)));
        }
        Act::WriteThen(length) => {
            let completion = shared.with(|book| {
                book.completions += 1;
                book.completions
            });
            let theirs = shared.clone();
            let then = move |net: &mut Net, outcome: crate::Result<()>| {
                completed(&theirs, net, end, completion, outcome.is_ok());
            };
            answer = Some((length, socket.write_then(&bytes(length), then)));
            let after = Seen::of(&mut socket);
            written(shared, end, answer, &before, &after);
            shared.with(|book| book.ends[end].awaits(completion));
            return;
        }
        Act::End | Act::EndWith(_) => {
            if let Act::EndWith(length) = act {
                let answer = Some((length, socket.write(&bytes(length))));
                written(shared, end, answer, &before, &Seen::of(&mut socket));
            }
            socket.end();
            shared.with(|book| book.ends[end].end_called());
        }
        Act::Destroy => socket.destroy(),
        Act::DestroySoon => {
            socket.destroy_soon();
            shared.with(|book| book.ends[end].end_called());
        }
        Act::DestroyWith => socket.destroy_with(Error::other("the list says so")),
        Act::Reset => {
            socket.reset_and_destroy();
            shared.with(|book| book.ends[end].reset_called(&before));
        }
        Act::Pause | Act::Resume => {
            match act {
                Act::Pause => socket.pause(),
                _ => socket.resume(),
            }
            shared.with(|book| book.ends[end].pause_called(act == Act::Pause));
        }
        Act::Cork => socket.cork(),
        Act::Uncork => socket.uncork(),
        Act::Timeout(millis) => {
            let idle = Duration::from_millis(millis);
            socket.set_timeout(idle);
            let seen = Seen::of(&mut socket);
            shared.with(|book| book.ends[end].timeout_set(idle, &seen));
        }
        Act::Unread(most) => {
            let (from, length) = shared.with(|book| {
                let it = &mut book.ends[end];
                let heard = it.heard;
                let length = it.give_back(most.into());
                (heard - length, length)
            });
            let theirs = shared.with(|book| {
                let peer = book.ends[end].peer?;
                book.ends[peer].flow
            });
            if let Some(flow) = theirs {
                socket.unread(&flow.bytes(from, length as usize));
            }
        }
        Act::SetHandler => {
            shared.with(|book| book.ends[end].handler_set());
            let shared = shared.clone();
            socket.set_handler(Actor { shared, end });
        }
        Act::Unref => socket.unref(),
        Act::Ref => socket.r#ref(),
        Act::NoDelay(on) => socket.set_no_delay(on),
        Act::KeepAlive(on) => socket.set_keep_alive(on, Duration::from_secs(1)),
    }
    let after = Seen::of(&mut socket);
    written(shared, end, answer, &before, &after);
    let calm = matches!(act, Act::Destroy | Act::DestroyWith);
    shared.check(|book| {
        must!(
            !calm || after.destroyed,
            "R55: socket {end} is not destroyed"
        );
        book.ends[end].notice(after.destroyed, after.errored);
        Ok(())
    });
}

fn written(shared: &Shared, end: usize, answer: Option<(u32, bool)>, before: &Seen, after: &Seen) {
    if let Some((length, answer)) = answer {
        shared.check(|book| {
            let verdict = book.ends[end].wrote(length.into(), answer, before, after);
            verdict.map_err(|what| format!("socket {end}: {what}"))
        });
    }
}

fn completed(shared: &Shared, net: &mut Net, end: usize, completion: usize, ok: bool) {
    let _inside = shared.enter(Kind::Written);
    shared.check(|book| {
        let verdict = book.ends[end].completed(completion, ok);
        verdict.map_err(|what| format!("socket {end}: {what}"))
    });
    let host = shared.with(|book| book.ends[end].host);
    react(shared, net, host, Kind::Written, Some(end));
}
