//! The other end of a connection, in a process of its own: one that can be killed, and that can stand
//! in another network.
//!
//! It does what it is told, a line for each deed, and answers each with a line once it is done.

use crate::apart::{Kept, command, role};
use crate::support::{PATIENCE, reset};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{ChildStdin, ChildStdout, Stdio};

/// Before what the peer has to say: the test harness says things too.
const MARK: &str = "peer: ";

/// The peer, as the test sees it.
pub(crate) struct Peer {
    process: Kept,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Peer {
    /// Starts one behind `shell`, which listens at `ip` with room for so many in its backlog.
    pub(crate) fn start(shell: &str, ip: &str, backlog: i32) -> Peer {
        let mut command = command("peer::does_what_it_is_told", "peer", shell);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut peer = Peer {
            orders: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            process: Kept(child),
            address: ([0, 0, 0, 0], 0).into(),
        };
        let address = peer.order(&format!("listen {ip} {backlog}"));
        peer.address = address.parse().unwrap();
        peer
    }

    /// Has it do something, and waits until that is done.
    #[track_caller]
    pub(crate) fn order(&mut self, deed: &str) -> String {
        writeln!(self.orders, "{deed}").unwrap();
        loop {
            let mut line = String::new();
            let bytes = self.answers.read_line(&mut line).unwrap();
            assert!(bytes > 0, "the peer is gone, and was to {deed}");
            // The harness leaves a line unfinished that ours may follow.
            if let Some((_, answer)) = line.split_once(MARK) {
                return answer.trim().to_owned();
            }
        }
    }

    /// Ends it by SIGKILL, and waits until it is no more.
    pub(crate) fn kill(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }
}

#[test]
fn does_what_it_is_told() {
    if role().as_deref() != Some("peer") {
        return; // this is not the process of a peer
    }
    let mut orders = std::io::stdin().lines().map(Result::unwrap);
    let told = orders.next().unwrap();
    let words: Vec<&str> = told.split(' ').collect();
    let ip: std::net::IpAddr = words[1].parse().unwrap();
    let domain = socket2::Domain::IPV4;
    let listener = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::new(ip, 0).into()).unwrap();
    listener.listen(words[2].parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    println!("{MARK}{address}");

    let mut listener = Some(listener);
    let (mut stream, mut crowd) = (None, Vec::new());
    for order in orders {
        match order.as_str() {
            "crowd" => crowd.push(TcpStream::connect(address).unwrap()),
            "accept" => {
                let listener = listener.as_ref().expect("it listens");
                let accepted = TcpStream::from(listener.accept().unwrap().0);
                accepted.set_read_timeout(Some(PATIENCE)).unwrap();
                stream = Some(accepted);
            }
            "close" => drop(listener.take()),
            "send" => connected(&mut stream).write_all(b"hello").unwrap(),
            "end" => connected(&mut stream).shutdown(Shutdown::Write).unwrap(),
            "read" => drop(connected(&mut stream).read_to_end(&mut Vec::new()).unwrap()),
            "reset" => reset(stream.take().expect("a connection")),
            other => panic!("what is {other:?}?"),
        }
        println!("{MARK}done");
    }
}

fn connected(stream: &mut Option<TcpStream>) -> &mut TcpStream {
    stream.as_mut().expect("a connection")
}
