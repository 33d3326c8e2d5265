//! `examples/kv`: among the clients of Redis, and with bytes that are no requests.

use crate::support::example::{Example, installed};
use crate::support::{PATIENCE, pattern};
use crate::survival::Subject;
use socket2::{Domain, Type};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::Instant;

fn start() -> Example {
    Example::start("kv", &["0"])
}

/// Sends `request` in one piece and expects exactly `reply`.
#[track_caller]
fn assert_reply(peer: &mut TcpStream, request: &[u8], reply: &[u8]) {
    peer.write_all(request).unwrap();
    let mut back = vec![0; reply.len()];
    peer.read_exact(&mut back).unwrap();
    assert_eq!(
        back.escape_ascii().to_string(),
        reply.escape_ascii().to_string()
    );
}

/// A reply of one line.
fn line(peer: &mut TcpStream) -> String {
    let mut line = String::new();
    BufReader::new(peer).read_line(&mut line).unwrap(); // nothing comes behind it
    line
}

/// Asserts that so many seconds are left of `seconds` as may be, whenever since `began` they were set.
#[track_caller]
fn assert_left(left: &str, seconds: i64, began: Instant) {
    let left: i64 = left.trim_end().parse().unwrap();
    let least = seconds - began.elapsed().as_secs() as i64 - 1;
    assert!((least..=seconds).contains(&left), "{left} of {seconds}");
}

/// A request as clients send it.
fn array(words: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend(format!("${}\r\n", word.len()).as_bytes());
        request.extend([word, &b"\r\n"[..]].concat());
    }
    request
}

#[test]
fn survives_everything() {
    let value = vec![b'v'; 100];
    Subject {
        name: "kv",
        arguments: vec!["0".into()],
        varies: 0..0,
        question: array(&[b"ECHO", &value]),
        answer: [&b"$100\r\n"[..], &value, b"\r\n"].concat(),
    }
    .survives_everything();
}

#[test]
fn each_command_answers_as_redis_does() {
    let kv = start();
    let mut peer = kv.connect();
    let began = Instant::now();
    for (request, reply) in [
        ("PING", "+PONG\r\n"),
        ("ping hello", "$5\r\nhello\r\n"),
        ("ECHO hello", "$5\r\nhello\r\n"),
        ("GET a", "$-1\r\n"),
        ("SET a 1", "+OK\r\n"),
        ("get a", "$1\r\n1\r\n"),
        ("SET a 2 NX", "$-1\r\n"),
        ("SET a 3 xx", "+OK\r\n"),
        ("SET b 3 XX", "$-1\r\n"),
        ("SET b 3 NX EX 100", "+OK\r\n"),
        ("TTL b", ":100\r\n"),
        ("TTL a", ":-1\r\n"),
        ("TTL nothing", ":-2\r\n"),
        ("SET a 1 NX XX", "-ERR syntax error\r\n"),
        ("SET a 1 EX", "-ERR syntax error\r\n"),
        ("SET a 1 EX 1 PX 1", "-ERR syntax error\r\n"),
        (
            "SET a 1 EX 0",
            "-ERR invalid expire time in 'set' command\r\n",
        ),
        (
            "SET a 1 EX 9223372036854775807",
            "-ERR invalid expire time in 'set' command\r\n",
        ),
        (
            "SET a 1 PX x",
            "-ERR value is not an integer or out of range\r\n",
        ),
        ("INCR a", ":4\r\n"),
        ("INCR n", ":1\r\n"),
        ("SET n 9223372036854775807", "+OK\r\n"),
        ("INCR n", "-ERR increment or decrement would overflow\r\n"),
        ("SET n 01", "+OK\r\n"),
        ("INCR n", "-ERR value is not an integer or out of range\r\n"),
        ("INCR b", ":4\r\n"),
        ("TTL b", ":100\r\n"), // INCR leaves it as it is
        ("SET b 1", "+OK\r\n"),
        ("TTL b", ":-1\r\n"), // SET does not
        ("EXPIRE b 50", ":1\r\n"),
        ("TTL b", ":50\r\n"),
        ("EXPIRE nothing 50", ":0\r\n"),
        (
            "EXPIRE b soon",
            "-ERR value is not an integer or out of range\r\n",
        ),
        (
            "EXPIRE b 9223372036854775807",
            "-ERR invalid expire time in 'expire' command\r\n",
        ),
        // More than is left of the time that sixty-four bits can name.
        (
            "SET b 1 PX 9223372036854775807",
            "-ERR invalid expire time in 'set' command\r\n",
        ),
        (
            "EXPIRE b 9223372036854775",
            "-ERR invalid expire time in 'expire' command\r\n",
        ),
        (
            "EXPIRE nothing 9223372036854775",
            "-ERR invalid expire time in 'expire' command\r\n",
        ),
        ("TTL b", ":50\r\n"), // they change nothing
        ("SET b 1 PX 9200000000000000500", "+OK\r\n"),
        ("EXPIRE b -1", ":1\r\n"),
        ("EXISTS b", ":0\r\n"),
        ("DBSIZE", ":2\r\n"),
        ("EXISTS a n a b", ":3\r\n"),
        ("DEL a b", ":1\r\n"),
        ("SELECT 0", "+OK\r\n"),
        ("SELECT 1", "-ERR DB index is out of range\r\n"),
        ("CLIENT SETNAME me", "+OK\r\n"),
        ("COMMAND", "*0\r\n"),
        ("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        ("CONFIG GET port", "*0\r\n"),
        ("FLUSHALL", "+OK\r\n"),
        ("DBSIZE", ":0\r\n"),
        (
            "GET",
            "-ERR wrong number of arguments for 'get' command\r\n",
        ),
        (
            "GET a b",
            "-ERR wrong number of arguments for 'get' command\r\n",
        ),
        (
            "FOO a",
            "-ERR unknown command 'FOO', with args beginning with: 'a' \r\n",
        ),
    ] {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        match reply[1..].trim_end().parse() {
            Ok(seconds @ 0..) if words[0] == b"TTL" => {
                peer.write_all(&array(&words)).unwrap();
                assert_left(&line(&mut peer)[1..], seconds, began);
            }
            _ => assert_reply(&mut peer, &array(&words), reply.as_bytes()),
        }
    }
}

#[test]
fn a_key_is_gone_when_its_time_is_over() {
    let kv = start();
    let mut peer = kv.connect();
    // In one piece, so that no time is over between them: the first timer of `b` must not remove
    // what it has then.
    assert_reply(
        &mut peer,
        b"SET a 1 PX 1\r\nSET b 1 PX 1\r\nSET b 2\r\n",
        b"+OK\r\n+OK\r\n+OK\r\n",
    );
    let deadline = Instant::now() + PATIENCE;
    // By the timer alone: nobody asks for the key itself.
    let mut size = [0; 4];
    while size != *b":1\r\n" {
        assert!(Instant::now() < deadline, "the time is never over");
        peer.write_all(b"DBSIZE\r\n").unwrap();
        peer.read_exact(&mut size).unwrap();
    }
    assert_reply(&mut peer, b"GET a\r\nGET b\r\n", b"$-1\r\n$1\r\n2\r\n");
}

#[test]
fn a_count_begins_anew_once_when_its_time_is_over() {
    const BATCH: usize = 100;

    let kv = start();
    let mut peer = kv.connect();
    let mut from = BufReader::new(peer.try_clone().unwrap());
    let mut line = String::new();
    let batch = b"INCR c\r\n".repeat(BATCH);
    for _ in 0..10 {
        peer.write_all(b"SET c 0 PX 5\r\n").unwrap();
        // Two are under way at a time, so that the server has requests to serve when time is over.
        peer.write_all(&batch).unwrap();
        from.read_line(&mut line).unwrap();
        assert_eq!(line, "+OK\r\n");
        let (mut before, mut falls, mut behind) = (0, 0, 0);
        let deadline = Instant::now() + PATIENCE;
        while behind < 10 {
            assert!(Instant::now() < deadline, "the time is never over");
            peer.write_all(&batch).unwrap();
            for _ in 0..BATCH {
                line.clear();
                from.read_line(&mut line).unwrap();
                let count: usize = line[1..].trim_end().parse().unwrap();
                if count != before + 1 {
                    assert_eq!((count, falls), (1, 0), "behind {before}");
                    falls = 1;
                }
                before = count;
            }
            behind += falls;
        }
        for _ in 0..BATCH {
            line.clear();
            from.read_line(&mut line).unwrap();
        }
        line.clear();
    }
}

#[test]
fn a_value_of_the_largest_size_reaches_a_slow_reader() {
    const LARGEST: usize = 16 << 20;

    let kv = start();
    let mut peer = kv.connect();
    assert_reply(
        &mut peer,
        &array(&[b"SET", b"k", &pattern(LARGEST)]),
        b"+OK\r\n",
    );
    let slow = kv.connect();
    let socket = socket2::SockRef::from(&slow);
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    (&slow).write_all(&b"GET k\r\n".repeat(3)).unwrap();
    assert_reply(&mut peer, b"PING\r\n", b"+PONG\r\n"); // a turn later, and not a byte was read
    socket.set_recv_buffer_size(1 << 20).unwrap(); // it makes up for it
    let mut from = BufReader::with_capacity(1 << 20, &slow);
    let mut reply = vec![0; LARGEST + "$16777216\r\n\r\n".len()];
    for _ in 0..3 {
        from.read_exact(&mut reply).unwrap();
        assert!(reply.starts_with(b"$16777216\r\n") && reply.ends_with(b"\r\n"));
    }
}

/// The line end behind the largest value is written with all of it in the queue, if the kernel takes
/// nothing: the cap must not be met then. For that the kernel has to be full while the queue is below
/// its mark, so that the server still takes a request. So the value is asked for behind more and more
/// replies, each a fraction of the mark, up to more than the kernel keeps.
#[test]
fn the_largest_value_may_wait_as_a_whole() {
    const LARGEST: usize = 16 << 20;
    const STEP: usize = 12 << 10;
    /// Where the kernel keeps as much as Linux 6.18 does, it fails behind 8 without a higher cap.
    const STEPS: std::ops::Range<usize> = 5..15;

    let kv = start();
    let mut other = kv.connect();
    let set = array(&[b"SET", b"k", &pattern(LARGEST)]);
    assert_reply(&mut other, &set, b"+OK\r\n");
    let echo = array(&[b"ECHO", &[b'e'; STEP]]);
    let echoed = format!("${STEP}\r\n").len() + STEP + 2;
    let reply = [&b"$16777216\r\n"[..], &pattern(LARGEST), b"\r\n"].concat();
    for steps in STEPS {
        // With short segments the kernel keeps little for a peer that does not read.
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_tcp_mss(536).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&kv.address.into()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut slow = TcpStream::from(socket);
        for _ in 0..steps {
            slow.write_all(&echo).unwrap();
            assert_reply(&mut other, b"PING\r\n", b"+PONG\r\n"); // it has had its turn
        }
        slow.write_all(b"GET k\r\n").unwrap();
        assert_reply(&mut other, b"PING\r\n", b"+PONG\r\n");
        let socket = socket2::SockRef::from(&slow);
        socket.set_recv_buffer_size(1 << 20).unwrap(); // it makes up for it
        let ahead = echoed * steps;
        let mut back = vec![0; ahead + reply.len()];
        let read = slow.read_exact(&mut back);
        assert!(read.is_ok(), "behind {steps} replies: {read:?}");
        assert!(back[ahead..] == reply, "behind {steps} replies");
    }
}

#[test]
fn keys_and_values_are_bytes_and_may_come_in_any_pieces() {
    let kv = start();
    let mut peer = kv.connect();
    let every_byte: Vec<u8> = (0..=255).collect();
    let large = every_byte.repeat(1000);
    for value in [&b""[..], b"\r\n", &every_byte, &large] {
        let request = [
            array(&[b"SET", &every_byte, value]),
            array(&[b"GET", &every_byte]),
        ];
        let head = format!("+OK\r\n${}\r\n", value.len());
        let reply = [head.as_bytes(), value, b"\r\n"].concat();
        assert_reply(&mut peer, &request.concat(), &reply);
        if value.len() < 300 {
            let (last, bytes) = (reply.len() - 1, request.concat());
            for byte in &bytes[..bytes.len() - 1] {
                peer.write_all(&[*byte]).unwrap();
            }
            let mut back = vec![0; last + 1];
            peer.write_all(&bytes[bytes.len() - 1..]).unwrap();
            peer.read_exact(&mut back).unwrap();
            assert_eq!(back, reply);
        }
    }
}

#[test]
fn requests_of_many_words_and_of_none() {
    let kv = start();
    let mut peer = kv.connect();
    let words: Vec<&[u8]> = [&b"EXISTS"[..]]
        .into_iter()
        .chain([&b"k"[..]; 20])
        .collect();
    let request = [&b"\r\n*0\r\n*-1\r\nSET k v\r\n"[..], &array(&words)].concat();
    assert_reply(&mut peer, &request, b"+OK\r\n:20\r\n");
}

#[test]
fn bytes_that_are_no_request_are_answered_and_end_the_connection() {
    let kv = start();
    let long = [b'x'; 70_000];
    for (request, mistake) in [
        (&b"*x\r\n"[..], "invalid multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (
            &[b"*", &b"0"[..].repeat(30)[..]].concat(),
            "invalid multibulk length",
        ),
        (b"*1\r\nx", "expected '$', got 'x'"),
        (b"*2\r\n$4\r\nPING\r\n!", "expected '$', got '!'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$16777217\r\n", "invalid bulk length"),
        (b"*1\r\n$1\n\n", "invalid bulk length"),
        (&long, "too big inline request"),
    ] {
        let mut peer = kv.connect();
        // What came before it is answered, and what is behind it is not read as a request.
        let request = [b"PING\r\n", request, b"PING\r\n"].concat();
        let reply = format!("+PONG\r\n-ERR Protocol error: {mistake}\r\n");
        peer.write_all(&request).unwrap();
        let mut back = Vec::new();
        peer.read_to_end(&mut back).unwrap();
        assert_eq!(String::from_utf8_lossy(&back), reply);
    }
    // Nor does a reset overtake the answer, however much is sent behind the mistake.
    let mut peer = kv.connect();
    peer.write_all(b"*x\r\n").unwrap();
    peer.write_all(&vec![b'x'; 4_000_000]).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    peer.read_to_end(&mut back).unwrap();
    assert!(back.starts_with(b"-ERR Protocol error: "));

    let mut peer = kv.connect();
    peer.write_all(b"QUIT\r\nPING\r\n").unwrap();
    let mut back = Vec::new();
    peer.read_to_end(&mut back).unwrap();
    assert_eq!(back, b"+OK\r\n");
}

fn on_port(kv: &Example, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(["-p", &kv.address.port().to_string()])
        .args(arguments)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {words}{errors}"
    );
    words
}

#[test]
fn redis_cli_reads_what_it_wrote() {
    if !installed("redis-cli", "--version", "redis-cli") {
        return;
    }
    let kv = start();
    for (arguments, reply) in [
        (&["set", "greeting", "hello, world"][..], "OK\n"),
        (&["get", "greeting"], "hello, world\n"),
        (&["incr", "visits"], "1\n"),
        (&["set", "session", "x", "ex", "100"], "OK\n"),
        (&["--no-raw", "get", "nothing"], "(nil)\n"),
        (&["--no-raw", "del", "greeting", "session"], "(integer) 2\n"),
    ] {
        assert_eq!(on_port(&kv, "redis-cli", arguments), reply);
    }
    let began = Instant::now();
    on_port(&kv, "redis-cli", &["set", "session", "x", "ex", "100"]);
    let left = on_port(&kv, "redis-cli", &["ttl", "session"]);
    assert_left(&left, 100, began);
    on_port(&kv, "redis-cli", &["del", "session"]);
    assert!(on_port(&kv, "redis-cli", &["info"]).contains("db0:keys=1"));
}

#[test]
fn redis_benchmark_gets_an_answer_to_every_request() {
    if !installed("redis-benchmark", "--version", "redis-benchmark") {
        return;
    }
    let kv = start();
    for pipelined in ["1", "16"] {
        let arguments = [
            "-t",
            "ping,set,get,incr",
            "-P",
            pipelined,
            "-n",
            "20000",
            "-r",
            "1000",
            "--csv",
        ];
        let words = on_port(&kv, "redis-benchmark", &arguments);
        let tests: Vec<&str> = words.lines().filter(|line| !line.contains("rps")).collect();
        assert_eq!(tests.len(), 5, "{words}"); // PING both inline and as an array
        assert!(!words.contains("WARNING"), "{words}");
    }
}
