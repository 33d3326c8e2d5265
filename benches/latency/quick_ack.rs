//! What does a request cost that is sent in two pieces, and which option helps?
//!
//! Load: one connection between two loops; a request is 16 bytes, sent, and 48 more; the reply is 64
//! bytes, and the next request follows. Unit: microseconds from the first piece to the reply. Without
//! options the second piece waits for the acknowledgement of the first, and that for a reply to go with.

use super::measure::{Loop, Times, rounds};
use netloop::{Event, Reactor, Socket, handler_fn};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

const ROUNDS: usize = 60;

#[derive(Clone, Copy)]
struct Terms {
    what: &'static str,
    /// Of whoever sends in two pieces.
    no_delay: bool,
    /// Of whoever gets them, after each read.
    quick_ack: bool,
    /// The pieces leave each by itself.
    pieces: bool,
}

const PLAIN: Terms = Terms {
    what: "neither",
    no_delay: false,
    quick_ack: false,
    pieces: true,
};

pub(crate) fn run() {
    println!("quick_ack: write, write, read       median       p99");
    println!("                                        us        us");
    let all = [
        PLAIN,
        Terms {
            what: "no_delay",
            no_delay: true,
            ..PLAIN
        },
        Terms {
            what: "quick_ack after each read",
            quick_ack: true,
            ..PLAIN
        },
        Terms {
            what: "neither, but gathered",
            pieces: false,
            ..PLAIN
        },
    ];
    for terms in all {
        let server = Loop::start(
            |_| (),
            move |_| {
                let mut read = 0;
                handler_fn(move |socket, event| {
                    if let Event::Data(bytes) = event {
                        read += bytes.len();
                        if terms.quick_ack {
                            socket.set_quick_ack(true);
                        }
                        if read == 64 {
                            read = 0;
                            socket.write(&[7; 64]);
                        }
                    }
                })
            },
        );
        let times = Rc::new(RefCell::new(Vec::new()));
        let mut client = Reactor::new().expect("a loop");
        let (log, mut begun, mut read) = (times.clone(), Instant::now(), 0);
        let asks = handler_fn(move |socket, event| match event {
            Event::Ready => begun = ask(socket, terms),
            Event::Data(bytes) => {
                read += bytes.len();
                if read == 64 {
                    read = 0;
                    log.borrow_mut().push(begun.elapsed());
                    if log.borrow().len() == rounds(ROUNDS) {
                        return socket.destroy();
                    }
                    begun = ask(socket, terms);
                }
            }
            _ => {}
        });
        client
            .net()
            .connect(server.address, asks)
            .expect("a connect");
        client.run().expect("a loop that goes on");
        let times = Times::of(times.take());
        println!("  {:<30} {}", terms.what, times.columns());
        server.stop();
    }
}

fn ask(socket: &mut Socket<'_>, terms: Terms) -> Instant {
    socket.set_no_delay(terms.no_delay);
    let begun = Instant::now();
    socket.write(&[7; 16]);
    if terms.pieces {
        socket.flush_now();
    }
    socket.write(&[7; 48]);
    begun
}
