//! Servers of plain threads, one for each connection, on a free port. They end with the test's process.

use crate::support::uninterrupted;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What a server has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connections: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

impl Seen {
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
}

/// A connection as its thread has it.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// How many connections the server has had, this one included.
    pub(crate) number: u64,
    seen: Arc<Seen>,
}

impl Peer {
    /// What came next; nothing at the end, however it came.
    pub(crate) fn read<'b>(&mut self, buffer: &'b mut [u8]) -> &'b [u8] {
        let bytes = uninterrupted(|| self.stream.read(buffer)).unwrap_or(0);
        self.seen.bytes.fetch_add(bytes as u64, Ordering::SeqCst);
        &buffer[..bytes]
    }

    /// Fills the buffer; false if the end comes first.
    pub(crate) fn read_exact(&mut self, buffer: &mut [u8]) -> bool {
        let whole = self.stream.read_exact(buffer).is_ok();
        let bytes = if whole { buffer.len() } else { 0 };
        self.seen.bytes.fetch_add(bytes as u64, Ordering::SeqCst);
        whole
    }

    /// Writes all, if the other side still wants it.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }
}

/// A server whose connections are each given to `serve`, and closed when it returns.
pub(crate) fn server(serve: impl Fn(Peer) + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let (serve, counted) = (Arc::new(serve), seen.clone());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            let peer = Peer {
                stream,
                number: counted.connections.fetch_add(1, Ordering::SeqCst) + 1,
                seen: counted.clone(),
            };
            let serve = serve.clone();
            thread::spawn(move || serve(peer));
        }
    });
    Server { address, seen }
}

/// A server that sends back what it gets.
pub(crate) fn echo() -> Server {
    server(|mut peer| {
        let mut buffer = [0; 65_536];
        loop {
            match peer.read(&mut buffer) {
                [] => return,
                bytes => peer.write(bytes),
            }
        }
    })
}

/// A server that answers every request of `size` bytes with `answer`.
pub(crate) fn answering(size: usize, answer: &'static [u8]) -> Server {
    server(move |mut peer| {
        let mut request = vec![0; size];
        while peer.read_exact(&mut request) {
            peer.write(answer);
        }
    })
}
