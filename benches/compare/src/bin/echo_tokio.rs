//! An echo server on tokio: one thread, one task and one buffer for a connection. The buffer has the
//! 8 KiB of tokio's own `copy`.
//!
//! ```text
//! echo_tokio PORT [--idle-timeout-ms N] [--lines]
//! ```

use netloop_compare::server::{self, Arguments, BACKLOG, READ_BYTES, Replies};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime;

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
        match arguments.replies {
            Replies::Bytes => drop(tokio::spawn(echo(stream, idle_timeout))),
            Replies::LineByLine | Replies::LinesTogether => {
                stream.set_nodelay(true)?; // else a reply waits until the one before was acknowledged
                drop(tokio::spawn(echo_lines(stream, idle_timeout)));
            }
        }
    }
}

async fn echo(mut stream: TcpStream, idle_timeout: Option<Duration>) -> io::Result<()> {
    let mut buffer = vec![0; 8 * 1024];
    loop {
        let bytes = within(idle_timeout, stream.read(&mut buffer)).await?;
        if bytes == 0 {
            return Ok(());
        }
        within(idle_timeout, stream.write_all(&buffer[..bytes])).await?;
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
