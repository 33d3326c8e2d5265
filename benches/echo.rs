//! What does a round trip through the whole library cost?
//!
//! Load: 1 or 400 connections over loopback, both ends in one reactor (they fit into the 1,024 descriptors
//! that a process has as a rule), each with one message of 64 B or 16 KiB under way. Unit: time until every
//! connection has had one message echoed; the throughput line counts messages. Both ends and the kernel's work for them are in the figure, so
//! it compares one commit with the next, not netloop with others.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use netloop::{Event, Reactor, SocketId, handler_fn};
use std::cell::Cell;
use std::rc::Rc;

struct Army {
    reactor: Reactor,
    clients: Vec<SocketId>,
    /// Bytes that have come back.
    echoed: Rc<Cell<usize>>,
}

impl Army {
    fn new(connections: usize) -> netloop::Result<Army> {
        let mut reactor = Reactor::new()?;
        let echoed = Rc::new(Cell::new(0));
        // Its backlog has room for all: they connect before the first is accepted.
        let server = reactor.net().listen("127.0.0.1:0", |_socket| {
            handler_fn(|socket, event| {
                if let Event::Data(bytes) = event {
                    socket.write(bytes);
                }
            })
        })?;
        let address = server.address().expect("a server that listens");
        let mut clients = Vec::new();
        for _ in 0..connections {
            let count = echoed.clone();
            let client = handler_fn(move |_socket, event| match event {
                Event::Data(bytes) => count.set(count.get() + bytes.len()),
                Event::Error(error) => panic!("{error}"), // its echo would be waited for in vain
                _ => {}
            });
            clients.push(reactor.net().connect(address.clone(), client)?.id());
        }
        Ok(Army {
            reactor,
            clients,
            echoed,
        })
    }

    fn round_trip(&mut self, message: &[u8]) -> netloop::Result<()> {
        self.echoed.set(0);
        for &client in &self.clients {
            if let Some(mut socket) = self.reactor.net().socket(client) {
                socket.write(message);
            }
        }
        while self.echoed.get() < self.clients.len() * message.len() {
            self.reactor.turn(None)?;
        }
        Ok(())
    }
}

fn echo(c: &mut Criterion) {
    let mut group = c.benchmark_group("echo");
    for connections in [1, 400] {
        let mut army = Army::new(connections).expect("a loop that connects");
        group.throughput(Throughput::Elements(connections as u64));
        for bytes in [64, 16 * 1024] {
            let message = vec![b'x'; bytes];
            let id = BenchmarkId::new(format!("{connections} connections"), bytes);
            group.bench_function(id, |bencher| {
                bencher.iter(|| army.round_trip(&message).expect("a loop that turns"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, echo);
criterion_main!(benches);
