//! How long does a peer wait for a first reply while the handler computes the second?
//!
//! Load: one connection; to each request the handler writes a reply, computes for 200 microseconds, and
//! writes another. Unit: microseconds until the peer, which never sleeps, has the first and the second.

use super::measure::{Loop, Times, compute, rounds, spin_read};
use netloop::{Event, handler_fn};
use std::io::Write;
use std::time::{Duration, Instant};

const ROUNDS: usize = 1000;

pub(crate) fn run() {
    println!("flush_now: 200 us between replies    first       p99    second       p99");
    println!("                                        us        us        us        us");
    for flush in [false, true] {
        let replies = move |socket: &mut netloop::Socket<'_>| {
            socket.set_no_delay(true);
            handler_fn(move |socket, event| {
                if let Event::Data(_) = event {
                    socket.write(b"first");
                    if flush {
                        socket.flush_now();
                    }
                    compute(Duration::from_micros(200));
                    socket.write(b"second");
                }
            })
        };
        let server = Loop::start(|_| (), replies);
        let mut peer = server.connect();
        let mut round = |_| {
            let begun = Instant::now();
            peer.write_all(b"?").expect("room");
            spin_read(&mut peer, &mut [0; 5]);
            let first = begun.elapsed();
            spin_read(&mut peer, &mut [0; 6]);
            (first, begun.elapsed())
        };
        for warm_up in 0..rounds(50) {
            round(warm_up);
        }
        let (first, second) = (0..rounds(ROUNDS)).map(round).unzip();
        let (first, second) = (Times::of(first), Times::of(second));
        let how = if flush { "flush_now" } else { "gathered" };
        println!("  {how:<30} {} {}", first.columns(), second.columns());
        server.stop();
    }
}
