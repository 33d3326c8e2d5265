//! How long does a quiet socket wait beside one that floods the loop, and what does the flood lose?
//!
//! Load: four connections that send as fast as the loop reads, whose bytes are all looked at, and one that
//! sends 64 bytes and waits for them to come back. Unit: microseconds for that round trip, MiB a second of
//! the flood. The peers share a core, so what the scheduler gives to one of them is in the figures.

use super::measure::{Loop, time};
use netloop::{Event, handler_fn};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

const FLOODERS: usize = 4;
const ROUNDS: usize = 500;
const KIB: usize = 1024;

pub(crate) fn run() {
    println!("budgets: 64 B beside four floods    median       p99     flood");
    println!("                                        us        us     MiB/s");
    for (calls, bytes) in [
        (1, 64 * KIB),
        (4, 256 * KIB),
        (16, 256 * KIB),
        (256, usize::MAX),
    ] {
        let set = move |net: &mut netloop::Net| {
            net.set_read_budget_calls(calls).expect("more than zero");
            net.set_read_budget_bytes(bytes).expect("more than zero");
        };
        let flooded = Arc::new(AtomicU64::new(0));
        let count = flooded.clone();
        let server = Loop::start(set, move |socket| {
            socket.set_no_delay(true);
            let count = count.clone();
            handler_fn(move |socket, event| match event {
                Event::Data(bytes) if bytes.len() <= 64 => {
                    socket.write(bytes);
                }
                Event::Data(bytes) => {
                    let sum: u64 = bytes.iter().map(|&byte| u64::from(byte)).sum();
                    std::hint::black_box(sum);
                    count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                }
                _ => {}
            })
        });
        let through = Arc::new(AtomicBool::new(false));
        let flooders: Vec<_> = (0..FLOODERS)
            .map(|_| {
                flood(
                    TcpStream::connect(server.address).expect("a connection"),
                    &through,
                )
            })
            .collect();
        // It sleeps while it waits: awake it would keep the core from the flooders.
        let mut quiet = TcpStream::connect(server.address).expect("a connection");
        quiet.set_nodelay(true).expect("a setting");
        let mut message = [7; 64];
        let (begun, before) = (Instant::now(), flooded.load(Ordering::Relaxed));
        let times = time(ROUNDS, || {
            quiet.write_all(&message).expect("room");
            quiet.read_exact(&mut message).expect("an answer");
        });
        let bytes_flooded = flooded.load(Ordering::Relaxed) - before;
        let rate = bytes_flooded as f64 / begun.elapsed().as_secs_f64() / (KIB * KIB) as f64;
        let bytes = match bytes {
            usize::MAX => "any number of bytes".to_owned(),
            bytes => format!("{} KiB", bytes / KIB),
        };
        let budget = format!("{calls} reads, {bytes}");
        println!("  {budget:<30} {} {rate:>9.0}", times.columns());
        through.store(true, Ordering::Relaxed);
        server.stop();
        flooders
            .into_iter()
            .for_each(|it| it.join().expect("no panic"));
    }
}

/// Sends until it is told to stop, or the loop is gone.
fn flood(mut peer: TcpStream, through: &Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let through = through.clone();
    thread::spawn(move || {
        let bytes = vec![7; 256 * KIB];
        while !through.load(Ordering::Relaxed) && peer.write_all(&bytes).is_ok() {}
        let _ = peer.read(&mut [0]);
    })
}
