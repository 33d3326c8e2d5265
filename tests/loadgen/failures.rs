//! Servers that close, reset, lie and keep silent: each has its own line in the report, and no request
//! is forgotten.

use crate::server::{Server, answering, server};
use crate::support::{example, refusing, reset};
use crate::{assert_accounted, count, error, errors, number, report};
use std::time::Instant;

#[test]
fn a_server_that_closes_now_and_then_is_connected_to_again() {
    let server = server(|mut peer| {
        let mut buffer = [0; 64];
        for _ in 0..10 {
            match peer.read(&mut buffer) {
                [] => return,
                bytes => peer.write(bytes),
            }
        }
    });
    let address = server.address.to_string();
    let it = report(&[&address, "-c4", "-d300ms", "--warmup=0"]);
    assert!(count(&it, "/connections/reconnects") > 0, "{it:#}");
    assert!(count(&it, "/connections/closed_by_peer") > 0, "{it:#}");
    assert!(count(&it, "/requests/answered") >= 40, "{it:#}");
    assert!(server.seen.connections() > 4);
    assert_accounted(&it);
}

/// A server of HTTP whose connections give these answers, each to so many requests, and are closed by
/// whoever asks: it says only that they are over. A request that came after that would be lost.
fn announcing(requests: usize, answers: &'static [&'static str]) -> Server {
    server(move |mut peer| {
        let host = peer.stream.local_addr().unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut buffer = vec![0; requests * request.len()];
        for answer in answers {
            if !peer.read_exact(&mut buffer) {
                return;
            }
            peer.write(answer.as_bytes());
        }
        while !peer.read(&mut buffer).is_empty() {}
    })
}

const PERSISTS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CLOSES: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const OLD: &str = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
const OLD_PERSISTS: &str =
    "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok";

#[test]
fn a_connection_is_replaced_behind_the_answer_that_ends_it() {
    for answers in [
        &[PERSISTS, PERSISTS, CLOSES][..],
        &[OLD_PERSISTS, OLD],
        &[OLD],
    ] {
        let server = announcing(1, answers);
        let address = server.address.to_string();
        for load in [&["closed"][..], &["open", "-r500"], &["churn"]] {
            let more = [&address, "--protocol=http", "-c3", "-d300ms", "--warmup=0"];
            let it = report(&[load, &more].concat());
            assert_eq!(errors(&it), 0, "{load:?}: {it:#}");
            assert_accounted(&it);
            let (answered, opened) = (
                count(&it, "/requests/answered"),
                count(&it, "/connections/opened"),
            );
            assert!(answered <= opened * answers.len() as u64, "{it:#}");
            if load != ["churn"] {
                assert!(count(&it, "/connections/reconnects") > 3, "{it:#}");
                assert!(count(&it, "/connections/closed_by_peer") > 3, "{it:#}");
            }
        }
    }
}

#[test]
fn requests_that_were_pipelined_behind_the_last_answer_are_lost() {
    let server = announcing(3, &[CLOSES]);
    let address = server.address.to_string();
    let more = ["--protocol=http", "-c1", "-p3", "-d300ms", "--warmup=0"];
    let it = report(&[&[address.as_str()][..], &more].concat());
    let lost = error(&it, "closed behind an earlier answer");
    assert_eq!(lost, 2 * count(&it, "/requests/answered"), "{it:#}");
    assert_eq!(errors(&it), lost, "{it:#}");
    assert!(count(&it, "/connections/reconnects") > 0, "{it:#}");
    assert_accounted(&it);
}

#[test]
fn requests_that_a_reset_takes_along_are_lost_by_its_name() {
    let server = server(|mut peer| {
        let mut buffer = [0; 64];
        for _ in 0..3 {
            peer.read(&mut buffer);
            peer.write(&buffer);
        }
        peer.read(&mut buffer);
        reset(peer.stream);
    });
    let address = server.address.to_string();
    for load in [&["closed"][..], &["open", "-r200"]] {
        let it = report(&[load, &[&address, "-c3", "-d400ms", "--warmup=0"]].concat());
        assert!(error(&it, "ECONNRESET") > 0, "{it:#}");
        assert_eq!(errors(&it), error(&it, "ECONNRESET"), "{it:#}");
        assert!(count(&it, "/connections/reconnects") > 0, "{it:#}");
        assert_accounted(&it);
    }
}

#[test]
fn bytes_that_were_not_sent_are_a_wrong_answer() {
    let server = answering(64, &[7; 64]);
    let address = server.address.to_string();
    let it = report(&[&address, "-c2", "-d200ms", "--warmup=0"]);
    let wrong = error(&it, "wrong answer: bytes came back that were not sent");
    assert!(wrong > 0, "{it:#}");
    assert_eq!(count(&it, "/requests/answered"), 0);
    assert_accounted(&it);
    // Who talks nonsense is asked again after a tenth of a second, not as fast as it can be.
    let tries = 2.0 * (number(&it, "/seconds") / 0.1 + 2.0);
    let connections = server.seen.connections() as f64;
    assert!(
        connections <= tries,
        "{connections} connections, {tries} at most"
    );
}

#[test]
fn more_answers_than_requests_are_wrong_too() {
    let server = answering(10, b"one\ntwo\n");
    let address = server.address.to_string();
    let it = report(&[
        &address,
        "--protocol=lines",
        "-s10",
        "-c1",
        "-d200ms",
        "--warmup=0",
    ]);
    // The request of each connection is answered by the line before the one too many.
    assert!(count(&it, "/connections/reconnects") > 0, "{it:#}");
    assert_accounted(&it);
}

#[test]
fn who_never_answers_is_cut_off_and_the_time_counts() {
    let server = server(|mut peer| while !peer.read(&mut [0; 4096]).is_empty() {});
    let address = server.address.to_string();
    let began = Instant::now();
    let it = report(&[
        &address,
        "-c3",
        "-p2",
        "-d500ms",
        "--warmup=0",
        "--timeout=200ms",
    ]);
    assert!(began.elapsed().as_secs() < 20);
    let timeouts = error(&it, "timeout");
    assert!(timeouts >= 6, "{it:#}");
    assert_eq!(count(&it, "/requests/sent"), timeouts);
    assert_eq!(count(&it, "/requests/answered"), 0);
    // They are in the percentiles: what never comes is no reason to be called fast.
    assert_eq!(count(&it, "/latency/count"), timeouts);
    assert!(number(&it, "/latency/max") >= 200e3, "{it:#}");
    assert!(count(&it, "/connections/reconnects") > 0, "{it:#}");
}

#[test]
fn requests_behind_the_one_that_is_given_up_do_not_make_the_latencies_better() {
    // It keeps silent: the first request is cut off after the timeout, and behind it on the same
    // connection wait others that are up to the whole timeout younger.
    let silent = server(|mut peer| while !peer.read(&mut [0; 4096]).is_empty() {});
    let address = silent.address.to_string();
    let load = ["open", &address, "-c1", "-p1000", "-r500", "-d600ms"];
    let it = report(&[&load[..], &["--warmup=0", "--timeout=300ms"]].concat());
    let timeouts = error(&it, "timeout");
    assert!(timeouts > 100, "{it:#}");
    assert_eq!(count(&it, "/latency/count"), count(&it, "/requests/sent"));
    assert!(number(&it, "/latency/p50") >= 299e3, "{it:#}");
    let rows = it["intervals"]["p50"].as_array().unwrap();
    let drawn = rows.iter().any(|row| row.as_f64().unwrap() >= 290e3);
    assert!(drawn, "{it:#}");
}

#[test]
fn a_churn_counts_visits_that_came_to_nothing() {
    // Every other visitor is sent away without an answer.
    let server = server(|mut peer| {
        let mut buffer = [0; 64];
        peer.read(&mut buffer);
        if peer.number % 2 == 0 {
            peer.write(&buffer);
        }
    });
    let address = server.address.to_string();
    let it = report(&["churn", &address, "-c4", "-d400ms", "--warmup=0", "-r100"]);
    assert!(count(&it, "/requests/answered") > 0, "{it:#}");
    assert!(error(&it, "closed") > 0, "{it:#}");
    assert_accounted(&it);
}

#[test]
fn a_server_that_nobody_runs_is_an_error_at_once() {
    let (_kept, address) = refusing();
    for load in [
        &["closed"][..],
        &["churn"],
        &["idle"],
        &["bulk"],
        &["open", "-r10"],
    ] {
        let address = address.to_string();
        let outcome = example::run("loadgen", &[load, &[&address, "-c5", "-d60s"]].concat());
        let words = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.status.code(), Some(1), "{load:?}: {words}");
        assert_eq!(
            words,
            format!("connect ECONNREFUSED {address}\n"),
            "{load:?}"
        );
        assert!(outcome.stdout.is_empty());
    }
}

#[test]
fn a_server_that_goes_away_in_mid_run_is_still_reported() {
    // It answers ten requests, of one connection, and from then on the port refuses.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answers = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        let mut buffer = [0; 64];
        for _ in 0..10 {
            stream.read_exact(&mut buffer).unwrap();
            stream.write_all(&buffer).unwrap();
        }
    });
    let it = report(&[&address, "-c1", "-d500ms", "--warmup=0"]);
    answers.join().unwrap();
    assert_eq!(count(&it, "/requests/answered"), 10, "{it:#}");
    let failed = &it["connections"]["failed"]["ECONNREFUSED"];
    assert!(failed.as_u64().unwrap() > 0, "{it:#}");
    assert_accounted(&it);
}
