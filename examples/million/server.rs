//! The server's half: echoes on one port, and on another takes connections that it never reads.

use crate::Outcome;
use netloop::{Event, ListenOptions, Reactor, handler_fn};
use std::io::{self, Write};
use std::thread;
use std::time::Duration;

/// Long enough that no timeout comes, but each connection has its entry in the wheel.
const IDLE: Duration = Duration::from_secs(3600);

/// Serves until standard input ends, which it does with the process that started this one.
pub(crate) fn serve() -> Outcome {
    let mut reactor = Reactor::new()?;
    let net = reactor.net();
    let remote = net.remote()?;
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        remote.stop();
    });

    let echo = net.listen("127.0.0.1:0", |socket| {
        socket.set_timeout(IDLE);
        handler_fn(|socket, event| match event {
            Event::Data(bytes) if !socket.write(bytes) => socket.pause(),
            Event::Drain => socket.resume(),
            _ => {}
        })
    })?;
    let echo = echo.address().ok_or("a server without an address")?;
    let silent = ListenOptions::from("127.0.0.1:0").pause_on_connect(true);
    let silent = net.listen(silent, |_socket| handler_fn(|_, _| ()))?;
    let silent = silent.address().ok_or("a server without an address")?;
    writeln!(io::stdout(), "{echo} {silent}")?;
    reactor.run()?;
    Ok(())
}
