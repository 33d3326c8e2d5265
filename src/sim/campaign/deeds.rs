//! What is done on a host: servers, connects and timers, each looked up or written down in the book.

use std::net::{IpAddr, SocketAddr};

use super::actor::{Actor, Host};
use super::acts::act;
use super::book::{Book, ServerBook, Shared};
use super::model::{End, must};
use super::op::{By, Deed, Terms, Who};
use super::pipes;
use super::posts;
use super::timers::{clear, every, later, soon};
use crate::sim::network::Network;
use crate::{ConnectOptions, ListenOptions, Net, OutOfDescriptors, Server};

/// Does one thing on one host. `me` is the socket whose event it is.
pub(super) fn perform(shared: &Shared, net: &mut Net, host: usize, me: Option<usize>, deed: Deed) {
    let took_effect = match deed {
        Deed::Listen(terms) => listen(shared, net, host, terms),
        Deed::Connect(to, terms) => connect(shared, net, host, to, terms),
        Deed::CloseServer(nth) => {
            let server = server(shared, host, nth);
            server.is_some_and(|server| close_server(shared, net, server))
        }
        Deed::MaxConnections(nth, most) => {
            let id = server(shared, host, nth).map(|it| shared.with(|book| book.servers[it].id));
            let server = id.and_then(|id| net.server(id));
            let set = |mut it: Server<'_>| it.set_max_connections(most.map(usize::from));
            server.map(set).is_some()
        }
        Deed::To(who, deed) => {
            if let Some(end) = socket(shared, host, me, who) {
                act(shared, net, end, deed);
            }
            false // counted by its own name
        }
        Deed::Later(millis, who, deed) => {
            later(shared, net, host, me, (millis, who, deed));
            true
        }
        Deed::Soon(who, deed) => {
            soon(shared, net, host, me, who, deed);
            true
        }
        Deed::Every(millis, times) => {
            every(shared, net, host, millis, times);
            true
        }
        Deed::Clear(nth) => {
            let timer = timer(shared, host, nth);
            timer.is_some_and(|timer| clear(shared, net, timer))
        }
        Deed::Unref(nth) => {
            let timer = timer(shared, host, nth);
            let id = timer.and_then(|it| shared.with(|book| book.timers[it].id));
            id.map(|id| net.unref_timer(id)).is_some()
        }
        Deed::Stop => {
            net.stop();
            true
        }
        Deed::Pipe(from, to, end) => {
            let both = socket(shared, host, me, from).zip(socket(shared, host, me, to));
            both.is_some_and(|(from, to)| pipes::pipe(shared, net, from, to, end))
        }
        Deed::PipeBoth(a, b) => {
            let both = socket(shared, host, me, a).zip(socket(shared, host, me, b));
            both.is_some_and(|(a, b)| pipes::pipe_both(shared, net, a, b))
        }
        Deed::Unpipe(from) => {
            let from = socket(shared, host, me, from);
            from.is_some_and(|from| pipes::unpipe(shared, net, from))
        }
        Deed::Post(to, times, who, act) => posts::post(shared, net, host, (to, times, who, act)),
        Deed::StopFrom(to) => posts::stop(shared, net, host, to),
        Deed::Offload(returns, who, act) => {
            posts::offload(shared, net, host, me, (returns, who, act));
            true
        }
        Deed::Panic => false, // that is for whoever reacts
    };
    if took_effect {
        shared.with(|book| book.count_done(&deed));
    }
}

fn socket(shared: &Shared, host: usize, me: Option<usize>, who: Who) -> Option<usize> {
    shared.with(|book| {
        let here = |it: &End| it.host == host;
        match who {
            Who::Me => me.or_else(|| book.ends.iter().rposition(here)),
            Who::Newest => book.ends.iter().rposition(here),
            Who::Nth(nth) => Book::nth(&book.ends, here, nth),
        }
    })
}

fn server(shared: &Shared, host: usize, nth: u8) -> Option<usize> {
    shared.with(|book| Book::nth(&book.servers, |it| it.host == host, nth))
}

fn timer(shared: &Shared, host: usize, nth: u8) -> Option<usize> {
    shared.with(|book| Book::nth(&book.timers, |it| it.host == host, nth))
}

fn listen(shared: &Shared, net: &mut Net, host: usize, terms: Terms) -> bool {
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
    let Ok(it) = net.listen_with(options, acceptor) else {
        return false;
    };
    let id = it.id();
    shared.with(|book| {
        book.servers.push(ServerBook {
            host,
            id,
            listening: false,
            open: true,
            closed: false,
            accepted: (0, 0),
        });
    });
    true
}

/// False if it was closed before.
pub(super) fn close_server(shared: &Shared, net: &mut Net, server: usize) -> bool {
    let mut was_open = false;
    let id = shared.with(|book| book.servers[server].id);
    let found = net.server(id).map(|mut it| it.close().is_ok());
    shared.check(|book| {
        let it = &mut book.servers[server];
        must!(
            found.is_some() || it.closed,
            "I31: server {server} is gone before its close"
        );
        was_open = std::mem::replace(&mut it.open, false);
        must!(
            found.is_none_or(|ok| ok == was_open),
            "I22: server {server}: {found:?}"
        );
        Ok(())
    });
    was_open
}

fn connect(shared: &Shared, net: &mut Net, host: usize, to: u8, terms: Terms) -> bool {
    let end = shared.with(|book| book.ends.len());
    let port = 7000 + terms.port;
    let name = shared.with(|book| names(usize::from(to) % book.mail.len()));
    let mut options = match terms.by {
        By::Address => ConnectOptions::from((Network::address_of(to.into()), port)),
        By::Name => ConnectOptions::from((&*name.one, port)),
        By::Names(parallel) => {
            ConnectOptions::from((&*name.last, port)).parallel_attempts(parallel)
        }
    };
    options = options
        .allow_half_open(terms.half_open)
        .high_water_mark(terms.mark);
    if terms.cap.is_some() {
        options = options.write_cap(terms.cap);
    }
    let actor = Actor {
        shared: shared.clone(),
        end,
    };
    let Ok(mut socket) = net.connect(options, actor) else {
        return false;
    };
    let mut it = End::new(host, socket.id(), false, &terms);
    it.goes_by(terms.by, Network::address_of(name.host).into());
    if terms.paused {
        socket.pause();
        it.pause_called(true);
    }
    shared.with(|book| {
        it.flow = Some(book.new_flow(true));
        book.ends.push(it);
    });
    true
}

/// The names of a host.
pub(super) struct Names {
    host: usize,
    /// Of this host only.
    pub(super) one: String,
    /// Of all hosts, this one last.
    pub(super) last: String,
}

pub(super) fn names(host: usize) -> Names {
    Names {
        host,
        one: format!("host-{host}"),
        last: format!("all-{host}"),
    }
}

/// An address as every host sees it.
pub(super) fn plain(ip: IpAddr, port: u16) -> SocketAddr {
    (ip.to_canonical(), port).into()
}
