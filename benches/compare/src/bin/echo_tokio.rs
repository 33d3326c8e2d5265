//! An echo server on tokio: one thread, and one task for a connection. All tasks read into one buffer
//! of 64 KiB, as the other servers do: what tokio costs is compared, not the size of a buffer. So a task
//! reads and tries to write before anybody else has its turn, and keeps only what the kernel does not
//! take then. With lines each connection has
//! tokio's own `BufReader`.
//!
//! ```text
//! echo_tokio PORT [--idle-timeout-ms N] [--lines]
//! ```

use netloop_compare::server::{self, Arguments, BACKLOG, READ_BYTES, Replies};
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime;

thread_local! {
    /// Nobody holds it across an `await`.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

fn main() -> ExitCode {
    server::main(|arguments| {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(serve(arguments))
    })
}

async fn serve(arguments: Arguments) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(arguments.address())?;
    let listener = socket.listen(BACKLOG as u32)?;
    server::announce(listener.local_addr()?);
    let idle_timeout = arguments.idle_timeout;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error), // the runner sees to it that there are descriptors
        };
        stream.set_nodelay(true)?; // else tails wait for acknowledgements: see the README
        match arguments.replies {
            Replies::Bytes => drop(tokio::spawn(echo(stream, idle_timeout))),
            Replies::LineByLine | Replies::LinesTogether => {
                drop(tokio::spawn(echo_lines(stream, idle_timeout)));
            }
        }
    }
}

async fn echo(mut stream: TcpStream, idle_timeout: Option<Duration>) -> io::Result<()> {
    while let Some(rest) = within(idle_timeout, answer(&mut stream)).await? {
        if !rest.is_empty() {
            within(idle_timeout, stream.write_all(&rest)).await?;
        }
    }
    Ok(())
}

/// Reads once and sends it back; what the kernel did not take, or None at the peer's end.
///
/// Not by `readable` and `try_read`: `poll_read` takes a short read for the last one, which saves a
/// call for each message.
async fn answer(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    poll_fn(|context| {
        BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut read))?;
            Poll::Ready(send(stream, read.filled()))
        })
    })
    .await
}

fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    match stream.try_write(bytes) {
        Ok(taken) => Ok(Some(bytes[taken..].to_vec())),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(bytes.to_vec())),
        Err(error) => Err(error),
    }
}

async fn echo_lines(mut stream: TcpStream, idle_timeout: Option<Duration>) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut reader = (&mut reader).take(READ_BYTES as u64);
        within(idle_timeout, reader.read_until(b'\n', &mut line)).await?;
        if line.last() != Some(&b'\n') {
            return Ok(()); // the peer has ended, or the line is too long
        }
        within(idle_timeout, writer.write_all(&line)).await?;
    }
}

async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await?,
        None => work.await,
    }
}
