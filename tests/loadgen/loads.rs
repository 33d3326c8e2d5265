//! Every kind of load against servers that do as they should: what is reported is what they saw.

use crate::server::{answering, echo, server};
use crate::support::example::Example;
use crate::{
    assert_accounted, count, errors, in_time, number, report, report_of, start, wait_until, window,
};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn in_a_closed_loop_the_server_has_seen_what_is_reported() {
    let echo = echo();
    let address = echo.address.to_string();
    let it = report(&[
        "closed", &address, "-c", "5", "-p", "3", "-s", "100", "-d", "400ms", "--warmup", "0",
    ]);
    let sent = count(&it, "/requests/sent");
    assert!(sent > 15, "{it:#}");
    assert_eq!(sent % 3, 0, "batches are sent whole: {it:#}");
    assert_eq!(sent * 100, echo.seen.bytes());
    assert_eq!(count(&it, "/requests/answered"), sent);
    assert_eq!(count(&it, "/latency/count"), sent);
    assert_eq!(count(&it, "/bytes/sent"), sent * 100);
    assert_eq!(count(&it, "/connections/opened"), 5);
    assert_eq!(echo.seen.connections(), 5);
    assert_eq!(errors(&it), 0);

    // The course of time adds up to the whole, as far as it lies in the window.
    let rows = it["intervals"]["answers"].as_array().unwrap();
    let answers: u64 = rows.iter().map(|row| row.as_u64().unwrap()).sum();
    let rate = number(&it, "/rate") * number(&it, "/seconds");
    assert!((answers as f64 - rate).abs() < 0.5, "{answers} and {rate}");
    assert!(
        answers <= sent && answers + 15 >= sent,
        "{answers} of {sent}"
    );
}

#[test]
fn as_much_may_be_under_way_as_was_asked_for() {
    // Twice what a socket queues unless it is told otherwise.
    let echo = echo();
    let address = echo.address.to_string();
    let it = report(&[&address, "-c1", "-p512", "-s65536", "-d200ms", "--warmup=0"]);
    assert!(count(&it, "/requests/answered") >= 512, "{it:#}");
    assert_eq!(errors(&it), 0, "{it:#}");
    assert_eq!(count(&it, "/connections/closed_by_peer"), 0, "{it:#}");
    assert_accounted(&it);
}

#[test]
fn the_warm_up_is_load_that_is_not_counted() {
    let echo = echo();
    let address = echo.address.to_string();
    let it = report(&[&address, "-c2", "-d200ms", "--warmup", "200ms"]);
    assert!(count(&it, "/requests/sent") * 64 < echo.seen.bytes());
    assert_accounted(&it);
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let echo = echo();
    let address = echo.address.to_string();
    let it = report(&["open", &address, "-r", "2000", "-c", "8", "-d", "500ms"]);
    let due = number(&it, "/seconds") * 2000.0;
    let sent = count(&it, "/requests/sent");
    // The window begins and ends between two requests.
    assert!((sent as f64 - due).abs() <= 1.0, "{sent} sent, {due} due");
    assert_eq!(count(&it, "/requests/answered"), sent);
    assert_eq!(count(&it, "/generator/send_lateness/count"), sent);
    assert!(count(&it, "/generator/held_back/count") <= sent);
}

#[test]
fn a_churn_makes_a_connection_for_each_request() {
    for rate in [&[][..], &["-r", "500"]] {
        let echo = echo();
        let address = echo.address.to_string();
        let it = report(&[&["churn", &address, "-c4", "-d300ms", "--warmup=0"], rate].concat());
        let sent = count(&it, "/requests/sent");
        assert!(sent >= 4, "{it:#}");
        assert_eq!(count(&it, "/requests/answered"), sent);
        assert_eq!(count(&it, "/connections/opened"), sent);
        assert_eq!(
            (echo.seen.connections(), echo.seen.bytes()),
            (sent, sent * 64)
        );
        assert_eq!(count(&it, "/connections/closed_by_peer"), 0, "{it:#}");
    }
}

#[test]
fn the_connects_of_a_warm_up_are_not_among_those_of_the_churn() {
    let echo = echo();
    let address = echo.address.to_string();
    let it = report(&[
        "churn",
        &address,
        "-c2",
        "-r200",
        "-d300ms",
        "--warmup=600ms",
    ]);
    let (connects, sent) = (count(&it, "/connect/count"), count(&it, "/requests/sent"));
    // The warm-up has 120 visits. Some of them may be late, on a machine that is busy, and connect in
    // the window.
    assert!(connects > 0 && connects <= sent + 60, "{it:#}");
    assert!(count(&it, "/connections/opened") >= sent + 60, "{it:#}");
}

#[test]
fn an_idle_army_says_nothing_and_is_counted() {
    const STANDS: Duration = Duration::from_millis(500);
    const WINDOW: Duration = Duration::from_millis(1500);
    const ROW: Duration = Duration::from_millis(100);
    let it = in_time(|| {
        // Every tenth connection is closed once the army has stood for a while.
        let stands = Arc::new(RwLock::new(()));
        let (until, told) = (stands.clone(), stands.write().unwrap());
        let server = server(move |mut peer| {
            if peer.number.is_multiple_of(10) {
                drop(until.read().unwrap());
            } else {
                assert_eq!(peer.read(&mut [0; 1]), b"", "an idle connection speaks");
            }
        });
        let address = server.address.to_string();
        let began = Instant::now();
        let army = start(&["idle", &address, "-c40", &window(WINDOW), "--warmup=0"]);
        wait_until(|| server.seen.connections() == 40);
        thread::sleep(STANDS); // the course of time is the subject
        let before = began.elapsed();
        drop(told);
        let after = began.elapsed();
        let it = report_of(army);
        assert_eq!((server.seen.connections(), server.seen.bytes()), (40, 0));
        // The window ended before the process, and began after it. Its first row and its last ones have to
        // lie on either side.
        let in_first = before < began.elapsed().saturating_sub(WINDOW) + ROW;
        let in_last = after > WINDOW - 5 * ROW;
        (!in_first && !in_last).then_some(it)
    });
    assert_eq!(count(&it, "/connections/opened"), 40);
    assert_eq!(count(&it, "/connections/closed_by_peer"), 4);
    // No request and no answer comes to turn the rows, and yet each tells of its own time.
    let open = it["intervals"]["open_connections"].as_array().unwrap();
    assert_eq!(open.first().unwrap().as_u64(), Some(40), "{it:#}");
    assert_eq!(open.last().unwrap().as_u64(), Some(36), "{it:#}");
}

#[test]
fn an_army_that_trickles_spreads_its_requests_over_all_connections() {
    let echo = echo();
    let address = echo.address.to_string();
    let it = report(&["idle", &address, "-c20", "-r200", "-d500ms", "--warmup=0"]);
    let due = number(&it, "/seconds") * 200.0;
    let sent = count(&it, "/requests/sent");
    assert!((sent as f64 - due).abs() <= 1.0, "{sent} sent, {due} due");
    assert_eq!(echo.seen.bytes(), sent * 64);
    assert_accounted(&it);
}

#[test]
fn bulk_bytes_all_come_back() {
    let echo = echo();
    let address = echo.address.to_string();
    let it = report(&["bulk", &address, "-c2", "-d300ms", "--warmup=0"]);
    let sent = count(&it, "/requests/sent");
    assert!(sent > 0);
    assert_eq!(echo.seen.bytes(), sent * 65_536);
    assert_eq!(count(&it, "/requests/answered"), sent);
    assert_eq!(errors(&it), 0);
}

#[test]
fn every_load_works_against_the_echo_example() {
    let echo = Example::start("echo", &["0"]);
    let address = echo.address.to_string();
    for load in [
        &["closed", "-p4"][..],
        &["closed", "-s200000", "-c2"],
        &["open", "-r1000"],
        &["churn"],
        &["churn", "-s200000"],
        &["bulk", "-c2"],
    ] {
        let it = report(&[&[&address, "-c8", "-d200ms", "--warmup=50ms"], load].concat());
        assert!(count(&it, "/requests/answered") > 0, "{load:?}: {it:#}");
        assert_eq!(errors(&it), 0, "{load:?}: {it:#}");
    }
    let lines = Example::start("echo", &["0", "--lines"]);
    let address = lines.address.to_string();
    let it = report(&[&address, "--protocol=lines", "-p16", "-s40", "-d200ms"]);
    assert!(count(&it, "/requests/answered") > 0, "{it:#}");
    assert_accounted(&it);
}

#[test]
fn http_answers_are_counted_by_their_length_and_their_status() {
    for (answer, refused) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..],
            false,
        ),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", true),
    ] {
        let server = server(move |mut peer| {
            let host = peer.stream.local_addr().unwrap();
            let expected = format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let mut request = vec![0; expected.len()];
            while peer.read_exact(&mut request) {
                assert_eq!(request, expected.as_bytes());
                peer.write(answer);
            }
        });
        let address = server.address.to_string();
        let load = [
            "--protocol=http",
            "--path=/x",
            "-c3",
            "-d200ms",
            "--warmup=0",
        ];
        let it = report(&[&[address.as_str()], &load[..]].concat());
        let answered = count(&it, "/requests/answered");
        assert!(answered > 0, "{it:#}");
        assert_eq!(errors(&it), if refused { answered } else { 0 }, "{it:#}");
        assert_accounted(&it);
    }
}

#[test]
fn redis_is_asked_for_what_was_said() {
    const GET: &str = "*2\r\n$3\r\nGET\r\n$11\r\nloadgen:key\r\n";
    const SET: &str = "*3\r\n$3\r\nSET\r\n$11\r\nloadgen:key\r\n$4\r\nxxxx\r\n";
    for (command, request, answer) in [
        (&["get"][..], GET, &b"$3\r\nabc\r\n"[..]),
        (&["get"], GET, b"$-1\r\n"),
        (&["set", "-s4"], SET, b"+OK\r\n"),
        (&["ping"], "*1\r\n$4\r\nPING\r\n", b"-ERR no\r\n"),
    ] {
        let server = answering(request.len(), answer);
        let address = server.address.to_string();
        let load = [&address, "--protocol=redis", "-p4", "-d200ms", "--warmup=0"];
        let it = report(&[&load[..], &["--command"], command].concat());
        let sent = count(&it, "/requests/sent");
        assert!(sent > 0, "{it:#}");
        assert_eq!(server.seen.bytes(), sent * request.len() as u64);
        let of_all = |is_so| if is_so { sent } else { 0 };
        let refused = of_all(answer.starts_with(b"-"));
        assert_eq!(crate::error(&it, "refused"), refused, "{it:#}");
        let nil = of_all(answer == b"$-1\r\n");
        assert_eq!(count(&it, "/requests/nil"), nil, "{it:#}");
        assert_accounted(&it);
    }
}

#[test]
#[cfg(unix)]
fn a_path_is_a_local_socket() {
    let directory = crate::support::Directory::new();
    let path = directory.path("echo.sock");
    let path = path.to_str().unwrap();
    let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                std::io::copy(&mut stream.try_clone().unwrap(), &mut stream)
            });
        }
    });
    let it = report(&[path, "-c3", "-d100ms", "--warmup=0"]);
    assert!(count(&it, "/requests/answered") > 0, "{it:#}");
    assert_accounted(&it);
}
