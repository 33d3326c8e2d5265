//! How much of a round trip is the wake-up of a thread that sleeps?
//!
//! Load: one connection, 64 bytes there and back, with no pause or 200 microseconds between two
//! messages; the peer never sleeps. Unit: microseconds for a round trip, percent of a core for the loop. Needs
//! two cores that nobody else wants.

use super::measure::{Loop, Times, compute, cpu_share, rounds, spin_read};
use netloop::{Event, handler_fn};
use std::io::Write;
use std::time::{Duration, Instant};

const ROUNDS: usize = 10_000;

pub(crate) fn run() {
    println!("busy_poll: 64 B there and back      median       p99   CPU");
    println!("                                        us        us     %");
    for pause in [0, 200] {
        for budget in [0, 50, 1000] {
            let (pause, budget) = (Duration::from_micros(pause), Duration::from_micros(budget));
            let set = move |net: &mut netloop::Net| net.set_busy_poll(budget);
            let echo = |socket: &mut netloop::Socket<'_>| {
                socket.set_no_delay(true);
                handler_fn(|socket, event| {
                    if let Event::Data(bytes) = event {
                        socket.write(bytes);
                    }
                })
            };
            let echo = Loop::start(set, echo);
            let mut peer = echo.connect();
            let mut message = [7; 64];
            let rounds = rounds(if pause.is_zero() { ROUNDS } else { ROUNDS / 5 });
            let (times, cpu) = cpu_share(&echo, || {
                let round = |_| {
                    compute(pause);
                    let begun = Instant::now();
                    peer.write_all(&message).expect("room");
                    spin_read(&mut peer, &mut message);
                    begun.elapsed()
                };
                Times::of((0..rounds).map(round).collect())
            });
            let how = format!("budget {budget:?}, pause {pause:?}");
            println!("  {how:<31} {}  {cpu:>4}", times.columns());
            echo.stop();
        }
    }
}
