//! `examples/chat`: everybody hears everybody, and who does not read harms only itself.

use crate::support::example::{Example, installed};
use crate::support::{Process, reset};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn start() -> Example {
    Example::start("chat", &["0"])
}

struct Member {
    from: BufReader<TcpStream>,
    name: SocketAddr,
}

impl Member {
    fn enter(chat: &Example, others: usize) -> Member {
        let peer = chat.connect();
        let name = peer.local_addr().unwrap();
        let from = BufReader::new(peer);
        let mut member = Member { from, name };
        member.hears(&format!("* you are {name}, and {others} others are here"));
        member
    }

    fn says(&mut self, line: &str) {
        self.from.get_mut().write_all(line.as_bytes()).unwrap();
    }

    #[track_caller]
    fn hears(&mut self, expected: &str) {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{expected}\n"));
    }
}

#[test]
fn everybody_but_the_speaker_hears_a_line() {
    let chat = start();
    let mut first = Member::enter(&chat, 0);
    let mut second = Member::enter(&chat, 1);
    let mut third = Member::enter(&chat, 2);
    let (one, two, three) = (first.name, second.name, third.name);
    first.hears(&format!("* {two} is here"));
    first.hears(&format!("* {three} is here"));
    second.hears(&format!("* {three} is here"));
    first.says("hello\r\nthere\n");
    second.says("a \u{1b}[31mred\u{7} word\n"); // nobody's terminal obeys
    for line in ["hello", "there"] {
        second.hears(&format!("{one}: {line}"));
        third.hears(&format!("{one}: {line}"));
    }
    first.hears(&format!("{two}: a [31mred word"));
    third.hears(&format!("{two}: a [31mred word"));
    second.from.get_mut().shutdown(Shutdown::Write).unwrap();
    first.hears(&format!("* {two} has left"));
    third.hears(&format!("* {two} has left"));
    reset(third.from.into_inner());
    first.hears(&format!("* {three} has left"));
}

#[test]
fn a_line_that_is_too_long_costs_its_speaker_the_place() {
    let chat = start();
    let mut first = Member::enter(&chat, 0);
    let mut second = Member::enter(&chat, 1);
    let name = second.name;
    first.hears(&format!("* {name} is here"));
    second.says(&"x".repeat(5000));
    first.hears(&format!("* {name} has left"));
}

#[test]
fn a_member_that_does_not_read_is_shown_out_and_the_others_hear_everything() {
    const LINES: usize = 10_000;

    let chat = start();
    let mut speaker = Member::enter(&chat, 0);
    let mut listener = Member::enter(&chat, 1);
    let slow = chat.connect();
    let socket = socket2::SockRef::from(&slow);
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let name = slow.local_addr().unwrap();
    listener.hears(&format!("* {name} is here"));
    #[cfg(target_os = "linux")]
    let before = chat.memory_kib("VmRSS");

    let line = "x".repeat(2000);
    let expected = format!("{}: {line}\n", speaker.name);
    let mut left = false;
    for _ in 0..LINES {
        speaker.says(&format!("{line}\n"));
        let mut heard = String::new();
        listener.from.read_line(&mut heard).unwrap();
        if heard.starts_with('*') {
            assert_eq!(heard, format!("* {name} has left\n"));
            left = true;
            heard.clear();
            listener.from.read_line(&mut heard).unwrap();
        }
        assert!(heard == expected, "{}", heard.escape_debug());
        if left {
            break;
        }
    }
    assert!(left, "so much is kept for who does not read");
    #[cfg(target_os = "linux")]
    {
        let grown = chat.memory_kib("VmHWM") - before;
        assert!(grown < 2048, "{grown} KiB for one slow member");
    }
    drop(slow); // open until now
}

#[test]
fn who_floods_the_room_rests_so_that_the_others_can_read() {
    const LINES: usize = 200_000;
    const LEAST: Duration = Duration::from_millis(400); // ten for each 64 KiB of 3.8 MB, and fewer

    let chat = start();
    let mut speaker = Member::enter(&chat, 0);
    let mut listener = Member::enter(&chat, 1);
    let expected = format!("{}: x", speaker.name);
    let began = Instant::now();
    let speaking = thread::spawn(move || {
        speaker.says(&"x\n".repeat(LINES));
        speaker
    });
    for _ in 0..LINES {
        listener.hears(&expected);
    }
    assert!(began.elapsed() >= LEAST, "{:?}", began.elapsed());
    speaking.join().unwrap();
}

#[test]
fn a_lack_of_descriptors_is_waited_out() {
    const MOST: u32 = 30;

    let chat = Example::start_with_descriptors(MOST, "chat", &["0"]);
    let mut peers: Vec<TcpStream> = (0..2 * MOST).map(|_| chat.connect()).collect();
    let last = peers.pop().unwrap();
    let name = last.local_addr().unwrap();
    let mut greeting = String::new();
    BufReader::new(&peers[0]).read_line(&mut greeting).unwrap();
    assert!(greeting.ends_with("0 others are here\n"), "{greeting:?}");
    drop(peers);
    let mut from = BufReader::new(last);
    greeting.clear();
    from.read_line(&mut greeting).unwrap();
    assert!(
        greeting.starts_with(&format!("* you are {name}, ")),
        "{greeting:?}"
    );
}

#[test]
fn netcat_takes_part() {
    if !installed("nc", "-h", "OpenBSD netcat") {
        return;
    }
    let chat = start();
    let mut member = Member::enter(&chat, 0);
    let (host, port) = (
        chat.address.ip().to_string(),
        chat.address.port().to_string(),
    );
    let mut netcat = Command::new("nc")
        .args(["-N", &host, &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Process)
        .unwrap();
    let mut lines = BufReader::new(netcat.0.stdout.take().expect("a pipe")).lines();
    let greeting = lines.next().unwrap().unwrap();
    let name = greeting.strip_prefix("* you are ").unwrap();
    let (name, _) = name.split_once(',').unwrap();
    member.hears(&format!("* {name} is here"));
    let mut input = netcat.0.stdin.take().expect("a pipe");
    input.write_all(b"hello\n").unwrap();
    member.hears(&format!("{name}: hello"));
    member.says("good bye\n");
    let heard = lines.next().unwrap().unwrap();
    assert_eq!(heard, format!("{}: good bye", member.name));
    drop(input);
    member.hears(&format!("* {name} has left"));
    assert!(netcat.0.wait().unwrap().success());
}
