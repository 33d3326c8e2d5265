//! The clients' half: does as it is told on standard input, a line an order, and answers each with a
//! line.
//!
//! - `use N`: has N connections in all, each of which has had a message echoed; answers `used`
//! - `fill N`: makes N more to a server that does not read, and writes until nothing more goes in;
//!   answers `filled BYTES`, which is what the kernel has taken

use crate::Outcome;
use netloop::{ConnectOptions, Event, Reactor, SocketId, handler_fn};
use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Under way at the same time: fewer than fit into the server's backlog.
const AT_ONCE: u32 = 256;
/// The ports to call from. Left to choose one, the kernel searches, the longer the more are taken.
const FIRST_PORT: u32 = 10_000;
const PORTS: u32 = 50_000;
const MESSAGE: &[u8] = &[b'x'; 64];
/// Nothing here takes longer, even with all the descriptors that a machine may have.
const PATIENCE: Duration = Duration::from_secs(120);
/// So long nothing more went into a full connection.
const QUIET: Duration = Duration::from_millis(300);

pub(crate) fn follow_orders(echo: &str, silent: &str) -> Outcome {
    let mut clients = Clients {
        reactor: Reactor::new()?,
        began: 0,
        barred: Rc::default(),
        used: Rc::default(),
        failed: Rc::default(),
        deadline: Instant::now() + PATIENCE,
    };
    for order in io::stdin().lines() {
        let order = order?;
        match order.split_once(' ') {
            Some(("use", count)) => {
                clients.use_each(echo, count.parse()?)?;
                writeln!(io::stdout(), "used")?;
            }
            Some(("fill", count)) => {
                let bytes = clients.fill(silent, count.parse()?)?;
                writeln!(io::stdout(), "filled {bytes}")?;
            }
            _ => return Err(format!("what is {order:?}?").into()),
        }
    }
    Ok(())
}

struct Clients {
    reactor: Reactor,
    /// Connections begun, and how many of them came to nothing because somebody else has the port.
    began: u32,
    barred: Rc<Cell<u32>>,
    /// Connections whose message has come back.
    used: Rc<Cell<u32>>,
    failed: Rc<Cell<Option<netloop::Error>>>,
    deadline: Instant,
}

impl Clients {
    fn use_each(&mut self, address: &str, count: u32) -> Outcome {
        while self.used.get() < count {
            let under_way = |it: &Clients| it.began - it.barred.get() - it.used.get();
            while self.used.get() + under_way(self) < count && under_way(self) < AT_ONCE {
                let (used, failed) = (Rc::clone(&self.used), Rc::clone(&self.failed));
                let barred = Rc::clone(&self.barred);
                let mut left = MESSAGE.len();
                let handler = handler_fn(move |socket, event| match event {
                    Event::Connect => drop(socket.write(MESSAGE)),
                    Event::Data(bytes) => {
                        left -= bytes.len().min(left);
                        if left == 0 {
                            used.set(used.get() + 1);
                            socket.set_handler(handler_fn(|_, _| ())); // it has done its work
                        }
                    }
                    Event::Error(error) if error.code() == "EADDRINUSE" => {
                        barred.set(barred.get() + 1);
                    }
                    Event::Error(error) => failed.set(Some(error.clone())),
                    _ => {}
                });
                let (ours, port) = place(self.began);
                let options = ConnectOptions::from(address).local_address(ours);
                let options = options.local_port(port);
                self.reactor.net().connect(options, handler)?;
                self.began += 1;
            }
            self.turn(PATIENCE)?;
        }
        Ok(())
    }

    /// How much the kernel has taken.
    fn fill(&mut self, address: &str, count: u32) -> Outcome<u64> {
        let ids: Rc<RefCell<Vec<SocketId>>> = Rc::default();
        for _ in 0..count {
            let (ids, failed) = (Rc::clone(&ids), Rc::clone(&self.failed));
            let chunk = vec![b'x'; 64 * 1024];
            let handler = handler_fn(move |socket, event| match event {
                Event::Connect => {
                    ids.borrow_mut().push(socket.id());
                    while socket.write(&chunk) {}
                }
                Event::Drain => while socket.write(&chunk) {},
                Event::Error(error) => failed.set(Some(error.clone())),
                _ => {}
            });
            self.reactor.net().connect(address, handler)?;
        }
        loop {
            let events = self.reactor.net().stats().events;
            self.turn(QUIET)?;
            let net = self.reactor.net();
            if net.stats().events == events && ids.borrow().len() == count as usize {
                let sockets = ids.borrow();
                let taken = sockets.iter().filter_map(|&id| {
                    let socket = net.socket(id)?;
                    Some(socket.bytes_written() - socket.buffer_size() as u64)
                });
                return Ok(taken.sum());
            }
        }
    }

    /// Waits for what comes, but not beyond the deadline.
    fn turn(&mut self, timeout: Duration) -> Outcome {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.reactor.turn(Some(timeout.min(left)))?;
        if let Some(error) = self.failed.take() {
            return Err(error.into());
        }
        if Instant::now() >= self.deadline {
            return Err("the clients had two minutes".into());
        }
        Ok(())
    }
}

/// Where the nth connection calls from. The address is nobody else's, as it has this process's number
/// in it; a port may be that of a server which listens on all addresses. Linux answers under all of 127.0.0.0/8, so that there are more places than one address has ports.
fn place(nth: u32) -> (Ipv4Addr, u16) {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let group = 1 + (nth / PORTS % 254) as u8; // twelve million places, and more are taken twice
    let port = FIRST_PORT + nth % PORTS;
    (Ipv4Addr::new(127, group, high, low), port as u16)
}
