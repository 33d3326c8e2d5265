//! Coordinated omission: a server stops for a while, and the report has to show what its users felt.

use crate::server::{Server, server};
use crate::{assert_accounted, count, error, in_time, number, report, window};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

const STALL: Duration = Duration::from_millis(400);
const WINDOW: Duration = Duration::from_millis(1500);
const BYTES: usize = 64;

/// Makes this load on a server that stalls, within the window. Answers with the report, and with how long the
/// stall really was, in microseconds.
fn stalled(load: &[&str]) -> (Value, f64) {
    in_time(|| {
        let (server, told) = stalling();
        let address = server.address.to_string();
        let began = Instant::now();
        let it = report(&[load, &[&address, &window(WINDOW), "-c4", "--warmup=0"]].concat());
        let (stall, ended) = told.recv().unwrap();
        // The window began later than that, and no request was sent before it.
        (ended - began < WINDOW).then_some((it, stall))
    })
}

/// An echo server that stands still once, for all connections, when the hundredth request has come.
/// Tells how long that really was, in microseconds, and when it ended.
fn stalling() -> (Server, Receiver<(f64, Instant)>) {
    let (tell, told) = channel();
    let (gate, tell) = (RwLock::new(()), Mutex::new(tell));
    let requests = AtomicU64::new(0);
    let server = server(move |mut peer| {
        let mut buffer = [0; BYTES];
        while !peer.read(&mut buffer).is_empty() {
            if requests.fetch_add(1, Ordering::SeqCst) + 1 == 100 {
                let _closed = gate.write().unwrap();
                let began = Instant::now();
                thread::sleep(STALL); // the stall is the subject
                let micros = began.elapsed().as_secs_f64() * 1e6;
                let stall = (micros, Instant::now());
                tell.lock().unwrap().send(stall).unwrap();
            }
            drop(gate.read().unwrap());
            peer.write(&buffer);
        }
    });
    (server, told)
}

#[test]
fn an_open_loop_shows_a_stall_in_the_latencies_of_all_who_would_have_waited() {
    let (it, stall) = stalled(&["open", "-r1000"]);

    // The request that met the stall waited for all of it, and those due a little later for nearly
    // as long: of 1,500 requests, 400 wait, evenly from the whole stall to nothing.
    assert!(number(&it, "/latency/max") >= stall, "{it:#}");
    assert!(number(&it, "/latency/p99") >= stall * 0.8, "{it:#}");
    assert!(number(&it, "/latency/p90") >= stall * 0.4, "{it:#}");

    // Four connections had one request each under way. Who looks at nothing else sees a server that
    // is fast for 99 of 100.
    let sent = number(&it, "/service/p99");
    assert!(sent < number(&it, "/latency/p99") / 2.0, "{it:#}");
    assert!(number(&it, "/service/max") >= stall, "{it:#}");

    // The schedule did not slip: every request was sent, those of the stall late, and the report
    // says why.
    let due = number(&it, "/seconds") * 1000.0;
    let requests = count(&it, "/requests/sent");
    assert!((requests as f64 - due).abs() <= 1.0, "{it:#}");
    assert!(number(&it, "/generator/held_back/count") >= stall / 1e6 * 1000.0 * 0.8);
    assert!(
        number(&it, "/generator/held_back/max") >= stall * 0.8,
        "{it:#}"
    );
    assert_accounted(&it);
}

#[test]
fn a_closed_loop_stalls_together_with_the_server() {
    let (it, stall) = stalled(&["closed"]);
    assert!(number(&it, "/latency/max") >= stall, "{it:#}");
    // This is the lie that the open loop is for: four slow requests, among thousands.
    assert!(number(&it, "/latency/p99") < stall / 2.0, "{it:#}");
    assert_accounted(&it);
}

#[test]
fn what_is_still_due_at_the_end_counts_with_the_time_it_has_waited() {
    // Answers nobody but keeps every connection: all that was due is waited for and given up.
    let silent = server(|mut peer| while !peer.read(&mut [0; 4096]).is_empty() {});
    let address = silent.address.to_string();
    let it = report(&[
        "open",
        &address,
        "-c2",
        "-r500",
        "-d400ms",
        "--warmup=0",
        "--timeout=1s",
    ]);
    let due = number(&it, "/seconds") * 500.0;
    let sent = count(&it, "/requests/sent");
    assert!((sent as f64 - due).abs() <= 1.0, "{it:#}");
    assert_eq!(count(&it, "/requests/answered"), 0);
    // Two were sent, and as many again if those were cut off a moment before all was given up.
    let timeouts = error(&it, "timeout");
    assert!((2..=4).contains(&timeouts), "{it:#}");
    assert_eq!(error(&it, "never sent"), sent - timeouts, "{it:#}");
    assert_eq!(count(&it, "/latency/count"), sent);
    assert!(number(&it, "/latency/p50") >= 1e6, "{it:#}");
}
