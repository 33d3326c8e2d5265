//! When the generator itself is what is slow, the report says so.

use crate::server::echo;
use crate::{
    assert_accounted, count, in_time, number, report, report_of, start, wait_until, window,
};
use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(400);
const WINDOW: Duration = Duration::from_millis(1500);

#[test]
fn a_generator_that_was_stopped_reports_its_own_lateness_and_warns() {
    let it = in_time(|| {
        let echo = echo();
        let address = echo.address.to_string();
        let began = Instant::now();
        // So many connections that the machine, however busy, leaves one free when the stop comes.
        let child = start(&[
            "open",
            &address,
            &window(WINDOW),
            "-c64",
            "-r1000",
            "--warmup=0",
        ]);
        wait_until(|| echo.seen.bytes() >= 100 * 64);
        child.signal("STOP");
        thread::sleep(PAUSE); // it stands still, which is the subject
        let in_time = began.elapsed() < WINDOW; // which began later than that
        child.signal("CONT");
        let it = report_of(child);
        in_time.then_some(it)
    });
    // What was due meanwhile was sent late although every connection was free. The server did
    // nothing wrong; the latencies are bad all the same, and the report says whose they are. A stop
    // takes hold a moment after it was sent, so a little of the pause may be missing.
    let pause = PAUSE.as_secs_f64() * 1e6 * 0.75;
    assert!(
        number(&it, "/generator/send_lateness/max") >= pause,
        "{it:#}"
    );
    assert!(number(&it, "/latency/max") >= pause, "{it:#}");
    let warnings = it["generator"]["warnings"].as_array().unwrap();
    let warned = |words| {
        warnings
            .iter()
            .any(|it| it.as_str().unwrap().contains(words))
    };
    assert!(warned("left late although a connection was free"), "{it:#}");
    let due = number(&it, "/seconds") * 1000.0;
    let sent = count(&it, "/requests/sent") as f64;
    assert!((sent - due).abs() <= 1.0, "{sent} sent, {due} due");
    assert_accounted(&it);
}

#[test]
#[cfg(target_os = "linux")]
fn a_generator_without_descriptors_says_so_and_does_not_go_on_asking() {
    use crate::support::example::example_command;

    const MOST: u32 = 60;
    let echo = echo();
    let address = echo.address.to_string();
    for load in [&["closed"][..], &["open", "-r500"], &["churn"], &["idle"]] {
        let more = [&address, "-c100", "-d500ms", "--warmup=0", "--output=json"];
        let arguments = [load, &more].concat();
        let outcome = example_command(Some(MOST), "loadgen", &arguments).output();
        let it: serde_json::Value = serde_json::from_slice(&outcome.unwrap().stdout).unwrap();
        // Each of the missing has asked once.
        let failed = it["connections"]["failed"]["EMFILE"].as_u64().unwrap();
        assert!((100 - u64::from(MOST)..100).contains(&failed), "{it:#}");
        let most = 100 - failed;
        let warnings = it["generator"]["warnings"].as_array().unwrap();
        let warned = |words: &str| {
            warnings
                .iter()
                .any(|it| it.as_str().unwrap().contains(words))
        };
        assert!(warned("100 connections were asked for"), "{it:#}");
        let words = format!(
            "{failed} times a connection could not be had, because this program may have {MOST} \
             descriptors (ulimit -n) (EMFILE)"
        );
        assert!(warned(&words), "{it:#}");
        if load != ["churn"] {
            assert_eq!(count(&it, "/connections/opened"), most, "{it:#}");
            assert!(warned(&format!("at most {most} were open")), "{it:#}");
        }
        // The load goes on with those that there are.
        if load != ["idle"] {
            assert!(count(&it, "/requests/answered") > 0, "{it:#}");
        }
        assert_accounted(&it);
        assert_core_is_known(&it, 0.0); // less than a tick counts as none
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_use_of_its_core_is_a_share_of_the_time() {
    let echo = echo();
    let it = report(&[&echo.address.to_string(), "-c1", "-d500ms", "--warmup=0"]);
    assert_core_is_known(&it, f64::MIN_POSITIVE);
    // It asks the kernel for at least a send and a receive for each.
    let answered = count(&it, "/requests/answered");
    assert!(count(&it, "/generator/syscalls") >= 2 * answered, "{it:#}");
}

#[cfg(target_os = "linux")]
#[track_caller]
fn assert_core_is_known(it: &serde_json::Value, least: f64) {
    // The kernel counts by its tick, so that each end of the window may be off by some milliseconds.
    if std::path::Path::new("/proc/self/schedstat").exists() {
        let busy = number(it, "/generator/busy");
        assert!((least..1.1).contains(&busy), "{it:#}");
    }
}
