//! The sockets of a scenario: how they come to be, and how they are closed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use super::answer::Answer::{self, Accepted, Done};
use super::answer::{Shown, failed};
use super::{CLIENT, End, Object, Open, Place, SERVER, Stage};
use crate::Address;
use crate::sim::network::Network;
use crate::sys::{Interest, Stream, Sys};

impl Stage {
    /// A listener on a port of its own.
    pub(in crate::sim::conformance) fn listen(&mut self, backlog: u32) -> End {
        self.listen_at(Ipv4Addr::LOCALHOST.into(), backlog, false)
    }

    /// A listener at an address of ours; the loopback one stands for where the other end finds us.
    pub(in crate::sim::conformance) fn listen_at(
        &mut self,
        ip: IpAddr,
        backlog: u32,
        ipv6_only: bool,
    ) -> End {
        let ip = match ip {
            IpAddr::V4(ip) if ip.is_loopback() => self.server_ip(),
            ip => ip,
        };
        let answer = self.sides[SERVER].listen((ip, 0).into(), backlog, false, ipv6_only);
        self.add(SERVER, Object::Listener(answer.unwrap()))
    }

    /// Listens once more at the address of a listener.
    pub(in crate::sim::conformance) fn listen_again(&mut self, listener: End) -> Answer {
        let address = self.listener_address(listener);
        self.call(format!("listen again at {listener:?}"), |stage, _| {
            let answer = stage.sides[SERVER].listen(address, 16, false, false);
            answer.map_or_else(failed, |listener| {
                stage.sides[SERVER].close_listener(listener);
                Done
            })
        })
    }

    /// Begins to connect to a listener.
    pub(in crate::sim::conformance) fn connect(&mut self, listener: End) -> End {
        let port = self.listener_address(listener).port();
        let address = (self.server_ip(), port).into();
        self.connect_to(address)
    }

    /// Begins to connect to where nobody listens.
    pub(in crate::sim::conformance) fn connect_to_nobody(&mut self) -> End {
        let ip = self.server_ip();
        let port = match &mut self.place {
            Place::Model(_) => 9,
            Place::Kernel(kernel) => {
                let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                deaf.bind(&SocketAddr::from((ip, 0)).into()).unwrap();
                let address = deaf.local_addr().unwrap().as_socket().unwrap();
                kernel.deaf.push(deaf);
                address.port()
            }
        };
        self.connect_to((ip, port).into())
    }

    /// Connects a socket to its own local address.
    pub(in crate::sim::conformance) fn connect_to_itself(&mut self) -> End {
        let bound = self.sides[CLIENT].bind((Ipv4Addr::LOCALHOST, 0).into());
        let bound = bound.unwrap();
        let address = self.sides[CLIENT].local_address(&bound).unwrap();
        self.connect_from(Some(bound), address)
    }

    fn connect_to(&mut self, address: SocketAddr) -> End {
        self.connect_from(None, address.into())
    }

    fn connect_from(&mut self, bound: Option<Stream>, address: Address) -> End {
        let stream = self.sides[CLIENT].connect(&address, bound, None).unwrap();
        // Or small writes would wait for each other's acknowledgement, up to 40 ms.
        self.sides[CLIENT].set_no_delay(&stream, true).unwrap();
        let end = self.add(CLIENT, Object::Stream(stream));
        self.settle();
        end
    }

    /// Takes a connection from a listener; the end that is new, if there is one.
    pub(in crate::sim::conformance) fn accept(&mut self, listener: End) -> Option<End> {
        let mut accepted = None;
        self.call(format!("accept from {listener:?}"), |stage, _| {
            let open = &mut stage.open[listener.0];
            let Object::Listener(it) = &mut open.object else {
                panic!("{listener:?} is no listener");
            };
            match stage.sides[SERVER].accept(it) {
                Ok((stream, from)) => {
                    stage.sides[SERVER].set_no_delay(&stream, true).unwrap();
                    let shown = stage.shown(from.as_inet().unwrap());
                    accepted = Some(stage.add(SERVER, Object::Stream(stream)));
                    Accepted(shown)
                }
                Err(error) => failed(error),
            }
        });
        accepted
    }

    /// A connection, nobody watching it: the accepted end, and the one that connected.
    pub(in crate::sim::conformance) fn pair(&mut self) -> (End, End) {
        let listener = self.listen(16);
        let theirs = self.connect(listener);
        let ours = self.accept(listener).expect("somebody waits");
        self.close(listener);
        (ours, theirs)
    }

    /// A connection whose accepted end is watched, with nothing left to tell.
    pub(in crate::sim::conformance) fn watched(&mut self, interest: Interest) -> (End, End) {
        let (ours, theirs) = self.pair();
        self.watch(ours, interest);
        self.told();
        (ours, theirs)
    }

    pub(in crate::sim::conformance) fn close(&mut self, end: End) {
        self.end_of(end, Sys::close);
    }

    /// Closes with a reset.
    pub(in crate::sim::conformance) fn abort(&mut self, end: End) {
        self.end_of(end, Sys::abort);
    }

    fn end_of(&mut self, end: End, close: fn(&mut Sys, Stream)) {
        self.settle();
        let open = &mut self.open[end.0];
        let sys = &mut self.sides[open.side];
        match std::mem::replace(&mut open.object, Object::Closed) {
            Object::Listener(listener) => sys.close_listener(listener),
            // One that is not registered is not deregistered, which only costs a line in the log.
            Object::Stream(stream) => close(sys, stream),
            Object::Closed => panic!("{end:?} is closed already"),
        }
        self.told.remove(&end);
        self.settle();
    }

    fn add(&mut self, side: usize, object: Object) -> End {
        self.open.push(Open {
            side,
            is_watched: false,
            object,
        });
        End(self.open.len() - 1)
    }

    fn server_ip(&self) -> IpAddr {
        match &self.place {
            Place::Model(_) => Network::address_of(SERVER).into(),
            Place::Kernel(_) => Ipv4Addr::LOCALHOST.into(),
        }
    }

    fn listener_address(&self, listener: End) -> SocketAddr {
        match &self.open[listener.0].object {
            Object::Listener(it) => {
                let address = self.sides[SERVER].listener_address(it).unwrap();
                address.as_inet().unwrap()
            }
            _ => panic!("{listener:?} is no listener"),
        }
    }

    pub(super) fn shown(&self, address: SocketAddr) -> Shown {
        let mapped = match address.ip() {
            IpAddr::V6(ip) => ip.to_ipv4_mapped(),
            IpAddr::V4(_) => None,
        };
        let port = |open: &Open| match &open.object {
            Object::Stream(it) => self.sides[open.side].local_address(it).ok(),
            Object::Listener(_) | Object::Closed => None,
        };
        Shown {
            is_ipv6: address.is_ipv6(),
            is_mapped_ipv4: mapped.is_some(),
            fits: self
                .open
                .iter()
                .filter_map(port)
                .any(|it| it.port() == Some(address.port())),
        }
    }
}
