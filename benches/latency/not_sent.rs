//! How old are bytes when a slow reader gets them?
//!
//! Load: one connection; the loop writes records of 1 KiB with the time in them for as long as `write`
//! answers true (mark: 16 KiB), the reader takes 64 KiB every 10 milliseconds (6 MiB a second) and has
//! a receive buffer of 64 KiB, as a small window has. Unit: milliseconds from `write` to the reader, MiB a
//! second that it got. Its own buffer's worth of age no mark can take away.

use super::measure::{Loop, Times, rounds};
use netloop::{Event, Socket, handler_fn};
use socket2::{Domain, Socket as Raw, Type};
use std::io::Read;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const RECORD: usize = 1024;
const READS: usize = 150;
const KIB: usize = 1024;

pub(crate) fn run() {
    println!("not_sent: age at a slow reader      median       p99      rate");
    println!("                                        ms        ms     MiB/s");
    for mark in [0, 256 * KIB, 64 * KIB, 16 * KIB] {
        let epoch = Instant::now();
        let accept = move |socket: &mut Socket<'_>| {
            socket.set_not_sent_low_water_mark(mark);
            write_on(socket, epoch);
            handler_fn(move |socket, event| {
                if let Event::Drain = event {
                    write_on(socket, epoch);
                }
            })
        };
        let server = Loop::with_high_water_mark(16 * KIB, |_| (), accept);
        let (ages, rate) = read_slowly(server.address, epoch);
        let mark = match mark {
            0 => "no mark".to_owned(),
            mark => format!("mark of {} KiB", mark / KIB),
        };
        let millis = |share| ages.at(share).as_secs_f64() * 1e3;
        let (median, p99) = (millis(0.5), millis(0.99));
        println!("  {mark:<30} {median:>9.1} {p99:>9.1} {rate:>9.1}");
        server.stop();
    }
}

fn write_on(socket: &mut Socket<'_>, epoch: Instant) {
    let mut record = [0; RECORD];
    loop {
        let now = epoch.elapsed().as_nanos() as u64;
        record[..8].copy_from_slice(&now.to_le_bytes());
        if !socket.write(&record) {
            return;
        }
    }
}

fn read_slowly(address: std::net::SocketAddr, epoch: Instant) -> (Times, f64) {
    let raw = Raw::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    raw.set_recv_buffer_size(64 * KIB).expect("a setting");
    raw.connect(&address.into()).expect("a connection");
    let mut peer = TcpStream::from(raw);
    let mut bytes = vec![0; 64 * KIB];
    let (mut ages, mut begun) = (Vec::new(), Instant::now());
    let reads = rounds(READS);
    for read in 0..reads {
        if read == reads / 3 {
            begun = Instant::now(); // the buffers are full by now
            ages.clear();
        }
        thread::sleep(Duration::from_millis(10));
        peer.read_exact(&mut bytes).expect("a flood");
        let now = epoch.elapsed();
        for record in bytes.chunks(RECORD) {
            let written = u64::from_le_bytes(record[..8].try_into().expect("eight bytes"));
            ages.push(now - Duration::from_nanos(written));
        }
    }
    let rate = (ages.len() * RECORD) as f64 / begun.elapsed().as_secs_f64();
    (Times::of(ages), rate / (KIB * KIB) as f64)
}
