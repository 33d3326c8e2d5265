//! Ctrl-C ends the load early, and what was measured is reported. (With the feature `signal`.)
#![cfg(feature = "signal")]

use crate::server::echo;
use crate::{assert_accounted, count, number, report_of, start, wait_until};

#[test]
fn an_interrupted_load_is_reported_as_far_as_it_came() {
    for load in [&["closed"][..], &["open", "-r2000"], &["churn"], &["bulk"]] {
        let echo = echo();
        let address = echo.address.to_string();
        let child = start(&[load, &[&address, "-c2", "-d60s", "--warmup=0"]].concat());
        wait_until(|| echo.seen.bytes() >= 100 * 64);
        child.signal("INT");
        let it = report_of(child);
        assert_eq!(it["interrupted"], true);
        assert!(number(&it, "/seconds") < 60.0);
        assert!(count(&it, "/requests/answered") > 0, "{it:#}");
        assert_accounted(&it);
    }
}
