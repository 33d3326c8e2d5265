//! Whether a server is correct, before anybody measures how fast it is: order, half-close,
//! back-pressure, and what its mode adds. Blocking sockets and threads; every wait has a limit.

use crate::scenario::Mode;
use rustix::net::sockopt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// What was expected and did not come, in words.
type Check = Result<(), String>;

/// For a server that shares a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that is wrong with the server; nothing if it may be measured.
///
/// A short idle timeout cuts off any client that this machine holds up for so long, and rightly so: with
/// one, nothing else is tried.
pub fn run(server: SocketAddr, mode: Mode, idle_timeout: Duration) -> Vec<String> {
    let checks: Vec<(&str, Check)> = match mode {
        Mode::Idle => vec![("idle timeouts", idle_timeouts(server, idle_timeout))],
        Mode::Plain | Mode::Lines => vec![
            (
                "whole lines",
                if mode == Mode::Lines {
                    whole_lines(server)
                } else {
                    Ok(())
                },
            ),
            ("half-close", half_close(server)),
            ("order", order(server)),
            ("resets", resets(server)),
            ("back-pressure", back_pressure(server, mode)),
        ],
    };
    let wrong = |(name, check): (&str, Check)| check.err().map(|wrong| format!("{name}: {wrong}"));
    checks.into_iter().filter_map(wrong).collect()
}

/// After the client's FIN comes what is left, and then the server's.
fn half_close(server: SocketAddr) -> Check {
    for bytes in [0, 1, 2000, 70_000, 300_000] {
        let text = lines(bytes, bytes as u64 + 1);
        both_ways(server, &text, text.len().max(1))?;
    }
    Ok(())
}

/// Many at once, in pieces of all sizes.
fn order(server: SocketAddr) -> Check {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..16)
            .map(|client| {
                scope.spawn(move || {
                    let text = lines(200_000 + client as usize * 1000, client + 99);
                    both_ways(server, &text, 1 + 997 * client as usize)
                })
            })
            .collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().map_err(|_| "a client panicked")?)
    })
}

/// Peers that vanish in the middle hurt nobody else.
fn resets(server: SocketAddr) -> Check {
    let text = lines(100_000, 7);
    for _ in 0..20 {
        let mut stream = connect(server)?;
        stream.set_nonblocking(true).map_err(told("O_NONBLOCK"))?;
        let _ = stream.write(&text); // as much as goes
        sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).map_err(told("SO_LINGER"))?;
    }
    both_ways(server, &text, text.len())
}

/// A server that cannot write stops reading: what a client gets rid of without reading is what the
/// kernels hold. Then it all comes back.
fn back_pressure(server: SocketAddr, mode: Mode) -> Check {
    /// More than both ends' buffers together, as any machine has them.
    const MOST: usize = 128 << 20;
    const QUIET: Duration = Duration::from_millis(200);
    let text = lines(1 << 20, 11);
    let mut stream = connect(server)?;
    stream
        .set_write_timeout(Some(QUIET))
        .map_err(told("SO_SNDTIMEO"))?;
    let mut taken = 0;
    loop {
        match stream.write(&text[taken % text.len()..]) {
            Ok(bytes) => taken += bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break, // it reads no more
            Err(error) => return Err(format!("write after {taken} bytes: {error}")),
        }
        if taken > MOST {
            return Err(format!(
                "took {} MiB from a client that reads nothing",
                taken >> 20
            ));
        }
    }
    stream.shutdown(Shutdown::Write).map_err(told("shutdown"))?;
    let least = match mode {
        Mode::Plain | Mode::Idle => taken,
        // A line that was cut off by the end is not part of the promise.
        Mode::Lines => taken - taken % text.len() + newline_before(&text[..taken % text.len()]),
    };
    let mut buffer = vec![0; 256 * 1024];
    let mut got = 0;
    loop {
        let bytes = read(&stream, &mut buffer)
            .map_err(|error| format!("read after {got} bytes: {error}"))?;
        if bytes == 0 {
            break;
        }
        for piece in buffer[..bytes].chunks(64) {
            let at = got % text.len();
            let fits = piece.len().min(text.len() - at);
            if piece[..fits] != text[at..at + fits] || piece[fits..] != text[..piece.len() - fits] {
                return Err(format!("wrong bytes near {got}"));
            }
            got += piece.len();
        }
    }
    match (least..=taken).contains(&got) {
        true => Ok(()),
        false => Err(format!("{got} of {taken} bytes came back")),
    }
}

fn newline_before(text: &[u8]) -> usize {
    text.iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1)
}

/// No byte of a line comes back before its newline was sent.
fn whole_lines(server: SocketAddr) -> Check {
    let mut stream = connect(server)?;
    for (piece, reply) in [
        ("ab", ""),
        ("c\n", "abc\n"),
        ("\n", "\n"),
        ("d\n\ne", "d\n\n"),
        ("f\ngh", "ef\n"),
        ("\n", "gh\n"),
    ] {
        stream.write_all(piece.as_bytes()).map_err(told("write"))?;
        let mut got = vec![0; reply.len()];
        stream
            .read_exact(&mut got)
            .map_err(|error| format!("read of {reply:?}: {error}"))?;
        if got != reply.as_bytes() {
            return Err(format!(
                "{:?} instead of {reply:?}",
                String::from_utf8_lossy(&got)
            ));
        }
        stream
            .set_read_timeout(Some(Duration::from_millis(20)))
            .map_err(told("SO_RCVTIMEO"))?;
        match read(&stream, &mut [0; 8]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            more => return Err(format!("after {piece:?} there is more: {more:?}")),
        }
        stream
            .set_read_timeout(Some(PATIENCE))
            .map_err(told("SO_RCVTIMEO"))?;
    }
    Ok(())
}

/// Whoever is silent for so long is closed, and nobody who is not.
fn idle_timeouts(server: SocketAddr, timeout: Duration) -> Check {
    const ATTEMPTS: usize = 5;
    for _ in 0..ATTEMPTS {
        let mut longest_pause = Duration::ZERO;
        let check = busy_and_silent(server, timeout, &mut longest_pause);
        if check.is_ok() || longest_pause < timeout / 2 {
            return check;
        }
        // The busy one was held up on this side, and the server had reason to close it.
    }
    Err("this machine is too busy to tell".into())
}

fn busy_and_silent(server: SocketAddr, timeout: Duration, longest_pause: &mut Duration) -> Check {
    let (silent, mut busy, mut once) = (connect(server)?, connect(server)?, connect(server)?);
    let start = Instant::now();
    once.write_all(b"once\n").map_err(told("write"))?;
    once.read_exact(&mut [0; 5]).map_err(told("read"))?;
    silent.set_nonblocking(true).map_err(told("O_NONBLOCK"))?;
    let mut last = start;
    while start.elapsed() < timeout * 2 {
        let now = Instant::now();
        *longest_pause = now.duration_since(last).max(*longest_pause);
        last = now;
        busy.write_all(b"busy\n")
            .map_err(told("the busy one, write"))?;
        busy.read_exact(&mut [0; 5])
            .map_err(told("the busy one, read"))?;
        let early = read(&silent, &mut [0; 1]);
        let too_early = start.elapsed() < timeout / 2;
        if too_early
            && !early
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        {
            return Err(format!("a silent one is closed too early: {early:?}"));
        }
        thread::sleep(timeout / 8);
    }
    silent.set_nonblocking(false).map_err(told("O_NONBLOCK"))?;
    for stream in [silent, once] {
        stream
            .set_read_timeout(Some(timeout))
            .map_err(told("SO_RCVTIMEO"))?;
        match read(&stream, &mut [0; 1]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            open => return Err(format!("one that was silent is not closed: {open:?}")),
        }
    }
    Ok(())
}

fn connect(server: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect_timeout(&server, PATIENCE).map_err(told("connect"))?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .map_err(told("SO_RCVTIMEO"))?;
    stream
        .set_write_timeout(Some(PATIENCE))
        .map_err(told("SO_SNDTIMEO"))?;
    stream.set_nodelay(true).map_err(told("TCP_NODELAY"))?;
    Ok(stream)
}

/// Sends in pieces and reads at the same time, to the end.
fn both_ways(server: SocketAddr, text: &[u8], piece_bytes: usize) -> Check {
    let stream = connect(server)?;
    thread::scope(|scope| {
        let writer = scope.spawn(|| feed(&stream, text, piece_bytes));
        let read = expect(&stream, text);
        if read.is_err() {
            let _ = stream.shutdown(Shutdown::Both); // else the writer waits for a server that waits
        }
        let written = writer.join().map_err(|_| "the writer panicked")?;
        read.and(written)
    })
}

/// Sends in pieces, then FIN.
fn feed(mut stream: &TcpStream, text: &[u8], piece_bytes: usize) -> Check {
    for piece in text.chunks(piece_bytes) {
        stream.write_all(piece).map_err(told("write"))?;
    }
    stream.shutdown(Shutdown::Write).map_err(told("shutdown"))
}

/// Exactly that text, then the end.
fn expect(stream: &TcpStream, text: &[u8]) -> Check {
    let mut buffer = vec![0; 48 * 1024];
    let mut got = 0;
    loop {
        let bytes = read(stream, &mut buffer)
            .map_err(|error| format!("after {got} of {} bytes: {error}", text.len()))?;
        if bytes == 0 {
            break;
        }
        if !text[got..].starts_with(&buffer[..bytes]) {
            return Err(format!("wrong bytes after {got} of {}", text.len()));
        }
        got += bytes;
    }
    match got == text.len() {
        true => Ok(()),
        false => Err(format!("closed after {got} of {} bytes", text.len())),
    }
}

fn read(mut stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn told<E: std::fmt::Display>(during: &'static str) -> impl Fn(E) -> String {
    move |error| format!("{during}: {error}")
}

/// Lines of different lengths and content, the last one whole.
fn lines(bytes: usize, seed: u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes);
    let mut number = seed;
    while text.len() < bytes {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..number >> 60 {
            text.extend_from_slice(format!("{number:x}").as_bytes());
        }
        text.push(b'\n');
    }
    text.truncate(bytes);
    if let Some(last) = text.last_mut() {
        *last = b'\n';
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server of one thread for each client, which ends with the test.
    fn serve(client: fn(TcpStream) -> io::Result<()>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                thread::spawn(move || client(stream));
            }
        });
        address
    }

    fn wrong(mode: Mode, client: fn(TcpStream) -> io::Result<()>) -> String {
        run(serve(client), mode, Duration::from_millis(200)).join("; ")
    }

    fn echo(mut stream: TcpStream) -> io::Result<()> {
        io::copy(&mut stream.try_clone()?, &mut stream)?;
        Ok(())
    }

    #[test]
    fn a_plain_echo_is_correct_and_nothing_else() {
        assert_eq!(wrong(Mode::Plain, echo), "");
        assert!(wrong(Mode::Lines, echo).starts_with("whole lines: "));
        assert!(wrong(Mode::Idle, echo).starts_with("idle timeouts: "));
    }

    #[test]
    fn a_server_that_answers_by_lines_is_correct() {
        assert_eq!(
            wrong(Mode::Lines, |mut stream| {
                use std::io::BufRead;
                let mut reader = io::BufReader::new(stream.try_clone()?);
                let mut line = Vec::new();
                while reader.read_until(b'\n', &mut line)? > 0 {
                    stream.write_all(&line)?;
                    line.clear();
                }
                Ok(())
            }),
            ""
        );
    }

    #[test]
    fn a_server_that_cuts_off_whoever_is_silent_is_correct() {
        assert_eq!(
            wrong(Mode::Idle, |stream| {
                stream.set_read_timeout(Some(Duration::from_millis(200)))?;
                echo(stream)
            }),
            ""
        );
    }

    #[test]
    fn a_server_that_cuts_off_everybody_is_found_out() {
        let told = wrong(Mode::Idle, |stream| {
            thread::sleep(Duration::from_millis(10));
            stream.shutdown(Shutdown::Both)
        });
        assert!(told.starts_with("idle timeouts: "), "{told}");
    }

    #[test]
    fn a_server_that_forgets_the_rest_at_the_end_is_found_out() {
        let told = wrong(Mode::Plain, |mut stream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all)?;
            stream.write_all(&all[..all.len() / 2])
        });
        assert!(told.contains("half-close: closed after"), "{told}");
    }

    #[test]
    fn a_server_that_swaps_bytes_is_found_out() {
        let told = wrong(Mode::Plain, |mut stream| {
            let mut buffer = vec![0; 8192];
            loop {
                let bytes = match stream.read(&mut buffer)? {
                    0 => return Ok(()),
                    bytes => bytes,
                };
                if bytes > 5000 {
                    buffer.swap(3, 4000);
                }
                stream.write_all(&buffer[..bytes])?;
            }
        });
        assert!(told.contains("order: wrong bytes"), "{told}");
    }

    #[test]
    fn a_server_that_reads_without_end_is_found_out() {
        let told = wrong(Mode::Plain, |mut stream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all)?;
            stream.write_all(&all)
        });
        assert!(told.contains("back-pressure: took"), "{told}");
    }

    #[test]
    fn nobody_at_all_is_found_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(run(address, Mode::Plain, Duration::ZERO).len(), 4);
    }
}
