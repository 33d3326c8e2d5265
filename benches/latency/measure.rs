//! Times and CPU, and how they are printed.

use netloop::{Handler, ListenOptions, Net, Reactor, Socket};
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Times of single round trips.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Times {
        times.sort_unstable();
        Times(times)
    }

    /// The time that so much of all lie below; 0 to 1. It is one of those that were measured, that of
    /// the nearest rank.
    pub(crate) fn at(&self, share: f64) -> Duration {
        let last = self.0.len() - 1;
        self.0[(last as f64 * share).round() as usize]
    }

    /// Median and 99th percentile, in columns.
    pub(crate) fn columns(&self) -> String {
        format!("{:>9} {:>9}", micros(self.at(0.5)), micros(self.at(0.99)))
    }
}

/// Whether the figures are to be looked at. As criterion has it: `cargo bench` says so, everybody else
/// only wants to see that it runs.
pub(crate) fn measures() -> bool {
    std::env::args().any(|it| it == "--bench")
}

/// So many, or hardly any where nothing is measured.
pub(crate) fn rounds(many: usize) -> usize {
    if measures() { many } else { many.min(3) }
}

/// Microseconds, with one digit after the point.
pub(crate) fn micros(time: Duration) -> String {
    format!("{:.1}", time.as_nanos() as f64 / 1e3)
}

/// Times `round` so often, after some that are not counted.
pub(crate) fn time(rounds: usize, mut round: impl FnMut()) -> Times {
    let rounds = self::rounds(rounds);
    (0..rounds / 20).for_each(|_| round());
    let one = |_| {
        let begun = Instant::now();
        round();
        begun.elapsed()
    };
    Times::of((0..rounds).map(one).collect())
}

/// Does nothing for so long, without giving the core away.
pub(crate) fn compute(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Keeps this thread, and those that it starts from now on, on one core: two threads that do not sleep
/// must not be put on the same. Without `taskset` the scheduler has its way.
pub(crate) fn stay_on(core: &str) {
    let Ok(thread) = fs::read_link("/proc/thread-self") else {
        return;
    };
    let Some(id) = thread.file_name() else { return };
    let taskset = Command::new("taskset")
        .args(["-cp", core])
        .arg(id)
        .stdout(Stdio::null())
        .status();
    if !taskset.is_ok_and(|status| status.success()) {
        eprintln!("(a thread could not be kept on core {core})");
    }
}

/// Says so if the two cores below are threads of one.
pub(crate) fn warn_of_one_core() {
    let file = format!("/sys/devices/system/cpu/cpu{LOOPS}/topology/thread_siblings_list");
    // `0`, `0,64` or `0-1`, in ascending order; nothing where the system does not tell.
    let siblings = fs::read_to_string(file).unwrap_or_default();
    let mut parts = siblings.trim().split(',');
    if siblings.starts_with(&format!("{LOOPS}-")) || parts.any(|it| it == PEERS) {
        eprintln!("(cores {LOOPS} and {PEERS} are threads of one: loop and peers slow each other)");
    }
}

/// Where loops run.
pub(crate) const LOOPS: &str = "0";
/// Where whoever talks to them does.
pub(crate) const PEERS: &str = "1";

/// Reads until `buffer` is full, without sleeping: a sleeping peer's wake-up would be in the figure.
pub(crate) fn spin_read(peer: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    while filled < buffer.len() {
        match peer.read(&mut buffer[filled..]) {
            Ok(0) => panic!("the loop has closed the connection"),
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A loop on a thread of its own, with a server.
pub(crate) struct Loop {
    pub(crate) address: SocketAddr,
    remote: netloop::Remote,
    thread: JoinHandle<()>,
}

impl Loop {
    /// `set` turns the knobs, `accept` makes handlers.
    pub(crate) fn start<H: Handler + 'static>(
        set: impl FnOnce(&mut Net) + Send + 'static,
        accept: impl FnMut(&mut Socket<'_>) -> H + Send + 'static,
    ) -> Loop {
        Loop::with_high_water_mark(64 * 1024, set, accept)
    }

    /// As [`start`](Loop::start), with a high-water mark for its sockets.
    pub(crate) fn with_high_water_mark<H: Handler + 'static>(
        bytes: usize,
        set: impl FnOnce(&mut Net) + Send + 'static,
        accept: impl FnMut(&mut Socket<'_>) -> H + Send + 'static,
    ) -> Loop {
        let (send, receive) = mpsc::channel();
        let thread = thread::spawn(move || {
            stay_on(LOOPS);
            let mut reactor = Reactor::new().expect("a loop");
            let net = reactor.net();
            set(net);
            let options = ListenOptions::from("127.0.0.1:0").high_water_mark(bytes);
            let server = net.listen(options, accept).expect("a server");
            let address = server.address().and_then(|it| it.as_inet());
            let remote = net.remote().expect("a remote");
            let address = address.expect("an address");
            send.send((address, remote)).expect("somebody who waits");
            reactor.run().expect("a loop that goes on");
        });
        let (address, remote) = receive.recv().expect("a loop that has started");
        Loop {
            address,
            remote,
            thread,
        }
    }

    /// A connection to it that never sleeps.
    pub(crate) fn connect(&self) -> TcpStream {
        let peer = TcpStream::connect(self.address).expect("a connection");
        peer.set_nonblocking(true).expect("a setting");
        peer.set_nodelay(true).expect("a setting");
        peer
    }

    /// The CPU time that its thread has had; `None` where the system does not tell.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let (send, receive) = mpsc::channel();
        let ask = move |_: &mut Net| {
            let _ = send.send(cpu_of_this_thread());
        };
        self.remote.post(ask).ok()?;
        receive.recv().ok()?
    }

    pub(crate) fn stop(self) {
        self.remote.stop();
        self.thread.join().expect("a loop without a panic");
    }
}

fn cpu_of_this_thread() -> Option<Duration> {
    // Nanoseconds on a processor, nanoseconds waiting for one, and how often.
    let stat = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = stat.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// What share of the time that `work` took the loop's thread was on a processor, in percent; `-`
/// where that cannot be known.
pub(crate) fn cpu_share<T>(of: &Loop, work: impl FnOnce() -> T) -> (T, String) {
    let (begun, before) = (Instant::now(), of.cpu());
    let outcome = work();
    let (passed, after) = (begun.elapsed(), of.cpu());
    let share = before.zip(after).map(|(before, after)| {
        let share = (after - before).as_secs_f64() / passed.as_secs_f64();
        format!("{:.0}", share * 100.0)
    });
    (outcome, share.unwrap_or_else(|| "-".into()))
}
