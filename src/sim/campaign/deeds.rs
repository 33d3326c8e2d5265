//! What is done on a host: servers, connects and timers, each looked up or written down in the book.

use std::net::{IpAddr, SocketAddr};

use super::actor::{Actor, Host};
use super::acts::act;
use super::book::{Book, ServerBook, Shared};
use super::model::{End, must};
use super::op::{Deed, Kind, Terms, Who};
use super::timers::{clear, every, later, unless_calm};
use crate::sim::network::Network;
use crate::{ConnectOptions, ListenOptions, Net, OutOfDescriptors};

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

/// An address as every host sees it.
pub(super) fn plain(ip: IpAddr, port: u16) -> SocketAddr {
    (ip.to_canonical(), port).into()
}
