//! Ctrl-C ends the load early, and what was measured is reported. (With the feature `signal`.)
#![cfg(feature = "signal")]

use crate::server::echo;
use crate::support::{PATIENCE, Process, example};
use crate::{assert_accounted, count, number};
use std::io::Read;
use std::thread;
use std::time::Instant;

#[test]
fn an_interrupted_load_is_reported_as_far_as_it_came() {
    for load in [&["closed"][..], &["open", "-r2000"], &["churn"], &["bulk"]] {
        let echo = echo();
        let address = echo.address.to_string();
        let arguments = [&address, "-c2", "-d60s", "--warmup=0", "--output=json"];
        let child = example::start("loadgen", &[load, &arguments].concat());
        let mut child = Process(child);
        let deadline = Instant::now() + PATIENCE;
        while echo.seen.bytes() < 100 * 64 {
            assert!(Instant::now() < deadline, "no load");
            thread::yield_now();
        }
        child.signal("INT");
        let mut json = String::new();
        let mut stdout = child.0.stdout.take().unwrap();
        stdout.read_to_string(&mut json).unwrap();
        assert!(child.0.wait().unwrap().success(), "{load:?}");
        let it: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(it["interrupted"], true);
        assert!(number(&it, "/seconds") < 60.0);
        assert!(count(&it, "/requests/answered") > 0, "{it:#}");
        assert_accounted(&it);
    }
}
