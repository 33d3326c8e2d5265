//! Two networks with a cable between them, which can be pulled: the test's own, and another one.

use crate::peer::Peer;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A network beside ours, with a cable between them. It lasts as long as a shell in it does.
pub(crate) struct OtherNetwork(Child);

const US: &str = "10.77.0.1";
pub(crate) const THEM: &str = "10.77.0.2";

/// The cable, and a kernel that gives up sooner than it would: the page tells both times.
pub(crate) const CABLE: &str = "ip link add us type veth peer name them address 02:00:00:00:00:02 \
                     && unshare -n true && (cd /proc/sys/net/ipv4 \
                     && echo 1 > tcp_syn_retries && echo 1 > tcp_retries2 \
                     && echo 1 > tcp_keepalive_time && echo 1 > tcp_keepalive_intvl \
                     && echo 1 > tcp_keepalive_probes)";

impl OtherNetwork {
    pub(crate) fn new() -> OtherNetwork {
        let mut shell = Command::new("unshare");
        shell.args(["-n", "sh", "-c", "echo here; read wait"]);
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut shell = shell.unwrap();
        let mut line = String::new();
        let said = shell.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut line).unwrap();
        assert_eq!(line, "here\n");
        let there = OtherNetwork(shell);
        run(&format!("ip link set them netns {}", there.0.id()));
        there.run(&format!(
            "ip addr add {THEM}/24 dev them && ip link set them up"
        ));
        there.run("ip link set lo up");
        run(&format!("ip addr add {US}/24 dev us && ip link set us up"));
        // As behind a router, which goes on taking what is sent: nobody says that there is no way.
        run(&format!(
            "ip neigh replace {THEM} lladdr 02:00:00:00:00:02 dev us nud permanent"
        ));
        // From here on what is sent arrives.
        let peer = Peer::start(&there.shell(), THEM, 1);
        TcpStream::connect(peer.address).unwrap();
        there
    }

    /// What puts a command there.
    pub(crate) fn shell(&self) -> String {
        format!("exec nsenter -n -t {}", self.0.id())
    }

    fn run(&self, script: &str) {
        run(&format!("nsenter -n -t {} sh -c '{script}'", self.0.id()));
    }

    pub(crate) fn pull_the_cable(&self) {
        self.run("ip link set them down");
    }
}

impl Drop for OtherNetwork {
    fn drop(&mut self) {
        let _ = self.0.stdin.take().map(|mut stdin| stdin.write_all(b"\n"));
        let _ = self.0.wait();
    }
}

#[track_caller]
fn run(script: &str) {
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {complaint}");
}
