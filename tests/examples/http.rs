//! `examples/http`: among clients that others wrote, and with requests that nobody should send.

use crate::support::example::{Example, installed};
use crate::support::idle::assert_idle_timeout;
use crate::support::{PATIENCE, uninterrupted};
use crate::survival::Subject;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn start() -> Example {
    Example::start("http", &["0"])
}

/// One answer: its status, its header fields in lower case, and its content.
#[derive(Debug)]
struct Answer {
    status: u16,
    fields: Vec<String>,
    content: Vec<u8>,
}

impl Answer {
    fn read(from: &mut impl BufRead, has_content: bool) -> Answer {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            from.read_line(&mut line).unwrap();
            assert!(line.ends_with("\r\n"), "{line:?} behind {lines:?}");
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let status = lines[0].strip_prefix("HTTP/1.1 ").expect("a status");
        let fields: Vec<String> = lines[1..].iter().map(|it| it.to_lowercase()).collect();
        let length = fields
            .iter()
            .find_map(|it| it.strip_prefix("content-length: "));
        let length = length.filter(|_| has_content);
        let mut content = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        from.read_exact(&mut content).unwrap();
        let status = status[..3].parse().unwrap();
        Answer {
            status,
            fields,
            content,
        }
    }

    fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|it| it == field)
    }
}

/// Sends `request` and reads all that comes until the server ends: statuses, and the last answer.
fn until_the_end(server: &Example, request: &[u8]) -> (Vec<u16>, Answer) {
    let mut peer = server.connect();
    peer.write_all(request).unwrap();
    let mut from = BufReader::new(peer);
    let mut statuses = Vec::new();
    loop {
        let answer = Answer::read(&mut from, true);
        statuses.push(answer.status);
        if from.fill_buf().unwrap().is_empty() {
            return (statuses, answer);
        }
    }
}

/// Sends `request`, expects this status, and that the connection is kept.
#[track_caller]
fn assert_kept(peer: &mut TcpStream, request: &str, status: u16) -> Answer {
    peer.write_all(request.as_bytes()).unwrap();
    peer.write_all(GET.as_bytes()).unwrap();
    let mut from = BufReader::new(peer);
    let answer = Answer::read(&mut from, !request.starts_with("HEAD"));
    assert_eq!(answer.status, status, "{request:?}");
    let next = Answer::read(&mut from, true);
    assert_eq!((next.status, next.content.len()), (200, 64), "{request:?}");
    assert!(from.buffer().is_empty());
    answer
}

#[test]
fn survives_everything() {
    let server = start();
    let mut peer = server.connect();
    peer.write_all(GET.as_bytes()).unwrap();
    let mut from = BufReader::new(peer);
    let answer = from.fill_buf().unwrap().to_vec(); // in one piece, since it was sent in one
    let date = answer
        .windows(6)
        .position(|it| it == b"Date: ")
        .expect("a date");
    Subject {
        name: "http",
        arguments: vec!["0".into()],
        question: GET.into(),
        varies: date..date + "Date: Thu, 01 Jan 1970 00:00:00 GMT".len(),
        answer,
    }
    .survives_everything();
}

#[test]
fn a_connection_is_kept_and_every_body_is_read() {
    let server = start();
    let mut peer = server.connect();
    let head = assert_kept(&mut peer, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 200);
    assert!(head.has("content-length: 64"));
    let long = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n{}",
        "x".repeat(300_000)
    );
    assert_kept(&mut peer, &long, 200);
    for chunked in [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "5;name=value\r\nhello\r\n1F4\r\n",
        "5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
    ] {
        let more = match chunked.ends_with("1F4\r\n") {
            true => "y".repeat(500) + "\r\n0\r\n\r\n",
            false => String::new(),
        };
        let request = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}{more}"
        );
        assert_kept(&mut peer, &request, 200);
        // The same byte by byte.
        for byte in request.as_bytes() {
            peer.write_all(&[*byte]).unwrap();
        }
        assert_kept(&mut peer, "", 200);
    }
    let answer = assert_kept(
        &mut peer,
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        405,
    );
    assert!(answer.has("allow: get, head, post"));
    let old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    assert!(assert_kept(&mut peer, old, 200).has("connection: keep-alive"));
}

#[test]
fn pipelined_requests_are_answered_in_order_and_up_to_the_last() {
    let server = start();
    let request = GET.repeat(1000) + "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + GET;
    let (statuses, last) = until_the_end(&server, request.as_bytes());
    assert_eq!(statuses, [200; 1001]);
    assert!(last.has("connection: close"));
    let (statuses, _) = until_the_end(&server, b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(statuses, [200]);
}

#[test]
fn what_cannot_be_served_is_refused_by_its_status_and_ends_the_connection() {
    let server = start();
    let post = "POST / HTTP/1.1\r\nHost: x\r\n";
    let long = "x".repeat(9000);
    for (request, status) in [
        ("nonsense\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400), // no host
        ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n".into(), 400),
        // To others an LF without its CR ends a line, or a head, or is a byte of a value.
        ("GET / HTTP/1.1\nHost: x\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: x\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: x\r\n\n".into(), 400),
        ("GET / HTTP/1.1\nHost: x\n\n".into(), 400),
        ("\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".into(), 400),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\n\r\n\r\n"),
            400,
        ),
        (format!("{post}Content-Length: +1\r\n\r\n"), 400),
        (
            format!("{post}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            400,
        ),
        (
            format!("{post}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400,
        ),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\nx\r\n"),
            400,
        ),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\n1\r\nab"),
            400,
        ),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\n1;{long}"),
            400,
        ),
        // Lines before a chunk that others read otherwise: without a digit, with a bare LF in the
        // extension, and too long although it came in one piece.
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\n\r\n\r\n"),
            400,
        ),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\n;x\r\n\r\n"),
            400,
        ),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\nab\r\n0\r\n\r\n"),
            400,
        ),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\n0;{long}\r\n\r\n"),
            400,
        ),
        (
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            400,
        ),
        (format!("{post}Content-Length: 16777217\r\n\r\n"), 413),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\n1000001\r\n"),
            413,
        ),
        (format!("GET / HTTP/1.1\r\nHost: x\r\nLong: {long}"), 431),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\nLong: {long}\r\n\r\n"),
            431,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(64)),
            431,
        ),
        (format!("{post}Transfer-Encoding: gzip\r\n\r\n"), 501),
        ("GET / HTTP/2.0\r\nHost: x\r\n\r\n".into(), 505),
    ] {
        // What came before it is answered, and what is behind it is not taken for a request.
        let request = format!("{GET}{request}{GET}");
        let (statuses, last) = until_the_end(&server, request.as_bytes());
        assert_eq!(statuses, [200, status], "{request:?}");
        assert!(last.has("connection: close"));
    }
}

#[test]
fn a_refusal_carries_the_present_date() {
    let server = start();
    let date = || {
        let (_, answer) = until_the_end(&server, b"nonsense\r\n\r\n");
        let mut fields = answer.fields.into_iter();
        fields.find(|field| field.starts_with("date: ")).unwrap()
    };
    let (first, deadline) = (date(), Instant::now() + PATIENCE);
    while date() == first {
        assert!(Instant::now() < deadline, "always {first}");
    }
}

#[test]
fn who_was_refused_cannot_go_on_sending_for_ever() {
    let server = start();
    let mut peer = server.connect();
    let post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n";
    peer.write_all(post).unwrap();
    peer.read_to_end(&mut Vec::new()).unwrap(); // the server has said all
    let deadline = Instant::now() + PATIENCE;
    // A byte now and then, so that the connection is never idle.
    while peer.write_all(b"x").is_ok() {
        assert!(Instant::now() < deadline, "the server still takes bytes");
        std::thread::sleep(Duration::from_millis(50)); // the pace of the bytes, awaited by nobody
    }
}

#[test]
fn a_head_has_an_end_of_its_time_however_lively_its_client_is() {
    let server = Example::start("http", &["0", "--headers-timeout-ms", "2000"]);
    // A client whose head has come in two pieces: the first was read with what is answered here.
    let mut kept = server.connect();
    let (first, second) = GET.split_at(10);
    kept.write_all(format!("{GET}{first}").as_bytes()).unwrap();
    let mut from = BufReader::new(kept.try_clone().unwrap());
    assert_eq!(Answer::read(&mut from, true).status, 200);
    kept.write_all(second.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut from, true).status, 200);

    let slow = server.connect();
    let mut sends = slow.try_clone().unwrap();
    let mut from_slow = BufReader::new(slow);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            sends.write_all(b"GET / HTTP/1.1\r\nX: ").unwrap();
            let deadline = Instant::now() + PATIENCE;
            while sends.write_all(b"x").is_ok() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(50)); // the pace of the bytes
            }
        });
        let answer = Answer::read(&mut from_slow, true);
        assert_eq!(answer.status, 408);
        assert!(answer.has("connection: close"));
        assert_eq!(
            uninterrupted(|| from_slow.read(&mut [0])).unwrap(),
            0,
            "an end"
        );
        from_slow.get_ref().shutdown(Shutdown::Both).unwrap(); // whose bytes are at an end as well
    });
    // The other one's time was over earlier, if it had gone on.
    kept.write_all(GET.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut from, true).status, 200);
}

/// A request and its answer, which is sent in one piece.
fn get(peer: &mut TcpStream) -> io::Result<()> {
    peer.write_all(GET.as_bytes())?;
    match uninterrupted(|| peer.read(&mut [0; 4096]))? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

#[test]
fn an_idle_timeout_closes_the_silent_wherever_they_stop_and_keeps_the_active() {
    let server = Example::start("http", &["0", "--idle-timeout-ms", "60"]);
    let half_a_body = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab";
    let last_words = ["", &GET[..10], half_a_body, GET].map(str::as_bytes);
    assert_idle_timeout(&server, Duration::from_millis(60), &last_words, get);
}

#[test]
fn bad_options_exit_2() {
    for arguments in [
        &["0", "--headers-timeout-ms"][..],
        &["0", "--headers-timeout-ms", "0"],
        &["0", "--headers-timeout-ms", "soon"],
        &["0", "--idle-timeout-ms"],
        &["0", "--idle-timeout-ms", "0"],
        &["0", "--idle-timeout-ms", "-1"],
    ] {
        let (code, words) = Example::refused("http", arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {words}");
        let names_it = words.starts_with(&format!("{} takes a number", arguments[1]));
        assert!(names_it, "{arguments:?}: {words}");
    }
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let server = start();
    let mut peer = server.connect();
    peer.write_all(
        b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    )
    .unwrap();
    let mut from = BufReader::new(peer.try_clone().unwrap());
    assert_eq!(Answer::read(&mut from, false).status, 100);
    peer.write_all(b"ab").unwrap();
    assert_eq!(Answer::read(&mut from, true).status, 200);
    // One that is too large is refused instead.
    let large =
        b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n";
    let (statuses, _) = until_the_end(&server, large);
    assert_eq!(statuses, [413]);
}

#[test]
fn half_a_request_has_no_answer() {
    let server = start();
    for half in [
        "GET / HTT",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab",
    ] {
        let mut peer = server.connect();
        peer.write_all(half.as_bytes()).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        peer.read_to_end(&mut back).unwrap();
        assert!(back.is_empty(), "{half:?}: {}", back.escape_ascii());
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
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
fn curl_gets_its_answers_on_one_connection() {
    if !installed("curl", "--version", "curl") {
        return;
    }
    let server = start();
    let url = format!("http://{}/", server.address);
    let large = "x".repeat(100_000); // curl asks with `Expect` first, where it still does that
    let ways: [&[&str]; 4] = [
        &[],
        &["--head"],
        &["--data-binary", &large],
        &["--data-binary", &large, "-H", "Transfer-Encoding: chunked"],
    ];
    for more in ways {
        let asked = [
            "-sS",
            "-m",
            "20",
            "-w",
            " %{http_code} %{num_connects}\n",
            "-o",
            "/dev/null",
        ];
        let arguments = [&asked, more, &[&url, "-o", "/dev/null", &url]].concat();
        assert_eq!(
            output("curl", &arguments),
            " 200 1\n 200 0\n",
            "{:?}",
            &more[..more.len().min(1)]
        );
    }
}

#[test]
fn nodes_client_gets_its_answers_on_one_connection() {
    if installed("node", "--version", "v") {
        let server = start();
        let (host, port) = (
            server.address.ip().to_string(),
            server.address.port().to_string(),
        );
        output("node", &["tests/examples/client.js", &host, &port]);
    }
}

#[test]
fn wrk_finds_nothing_wrong() {
    if !installed("wrk", "--version", "wrk") {
        return;
    }
    let server = start();
    let url = format!("http://{}/", server.address);
    let words = output("wrk", &["-t1", "-c50", "-d1s", &url]);
    assert!(words.contains("Requests/sec"), "{words}");
    for trouble in ["Socket errors", "Non-2xx"] {
        assert!(!words.contains(trouble), "{words}");
    }
}
