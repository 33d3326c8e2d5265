//! What has happened: counts, histograms, and a row of figures for each interval.
//!
//! Is told of everything as it happens, with its time, and knows no socket. Requests are counted by
//! when they were due: those of the warm-up are answered and forgotten, those of the window are followed
//! to their end, after the window too. Rates are of what came within the window.

use crate::pace::Nanos;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Values from 100 nanoseconds to an hour, to three digits.
const LEAST: u64 = 100;
const MOST: u64 = 3600 * 1_000_000_000;

/// A request that is under way, or a visit in a churn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// When it should have left: what its latency counts from.
    pub(crate) due: Nanos,
    /// When it did leave.
    pub(crate) sent: Nanos,
}

/// One interval of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) answers: u64,
    pub(crate) errors: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    pub(crate) open: usize,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

pub(crate) struct Measure {
    /// When measuring began and when it ended; in the beginning both are still to come.
    start: Nanos,
    end: Nanos,

    pub(crate) sent: u64,
    pub(crate) answered: u64,
    /// Answers among these that said that there is nothing.
    pub(crate) nils: u64,
    /// Requests that had no proper answer, by what came instead.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Answers that came within the window, to whichever requests.
    pub(crate) arrivals: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,

    pub(crate) opened: u64,
    pub(crate) reconnects: u64,
    pub(crate) closed_by_peer: u64,
    pub(crate) connect_errors: BTreeMap<String, u64>,
    /// Sockets that are connected now.
    pub(crate) open: usize,
    /// The most that were at any time.
    pub(crate) most_open: usize,

    /// From when a request was due until its answer.
    pub(crate) latency: Histogram<u64>,
    /// From when it was sent until its answer.
    pub(crate) service: Histogram<u64>,
    /// How long connecting took: of a churn's window, or in other modes of the whole run.
    pub(crate) connect: Histogram<u64>,
    /// How late requests were sent although a connection was free: the generator's own doing. Those that
    /// were held back are in it with nothing, so that its percentiles are of as many requests as those
    /// of the latencies, which they are compared with.
    pub(crate) late: Histogram<u64>,
    /// How late they were sent because no connection was free: the server's doing.
    pub(crate) held_back: Histogram<u64>,
    /// From the poll until an answer was read.
    pub(crate) turn_lag: Histogram<u64>,

    pub(crate) interval: Nanos,
    pub(crate) rows: Vec<Row>,
    row: Row,
    row_ends: Nanos,
    row_latency: Histogram<u64>,
}

/// What intervals are drawn with need not be exact, and is looked through often.
const ROW_DIGITS: u8 = 2;

impl Measure {
    pub(crate) fn new() -> Measure {
        Measure {
            start: Nanos::MAX,
            end: Nanos::MAX,
            sent: 0,
            answered: 0,
            nils: 0,
            errors: BTreeMap::new(),
            arrivals: 0,
            bytes_sent: 0,
            bytes_received: 0,
            opened: 0,
            reconnects: 0,
            closed_by_peer: 0,
            connect_errors: BTreeMap::new(),
            open: 0,
            most_open: 0,
            latency: histogram(3),
            service: histogram(3),
            connect: histogram(3),
            late: histogram(3),
            held_back: histogram(3),
            turn_lag: histogram(3),
            interval: Nanos::MAX,
            rows: Vec::new(),
            row: Row::default(),
            row_ends: Nanos::MAX,
            row_latency: histogram(ROW_DIGITS),
        }
    }

    /// The window begins, with rows of `interval`.
    pub(crate) fn begin(&mut self, now: Nanos, interval: Nanos) {
        self.start = now;
        self.interval = interval;
        self.row_ends = now.saturating_add(interval);
    }

    /// The window ends; what was sent in it may still be answered.
    pub(crate) fn end(&mut self, now: Nanos) {
        self.turn_rows(now);
        if now > self.row_ends.saturating_sub(self.interval) {
            self.finish_row(); // a last one, which may be shorter
        }
        self.end = now;
        self.row_ends = Nanos::MAX;
    }

    /// Whether anything is measured, or was.
    pub(crate) fn has_window(&self) -> bool {
        self.start < Nanos::MAX
    }

    /// Nanoseconds from the beginning of the window to its end; zero if it has not ended.
    pub(crate) fn window(&self) -> Nanos {
        match self.end {
            Nanos::MAX => 0,
            end => end.saturating_sub(self.start),
        }
    }

    /// Nanoseconds since the window began; zero if it has not.
    pub(crate) fn so_far(&self, now: Nanos) -> Nanos {
        now.saturating_sub(self.start)
    }

    /// When the window ended, or never began.
    pub(crate) fn ended(&self) -> Nanos {
        self.end
    }

    fn is_open(&self, now: Nanos) -> bool {
        self.start <= now && now < self.end
    }

    /// Whether a request that is due at `due` is one of the window.
    fn counts(&self, due: Nanos) -> bool {
        self.is_open(due)
    }

    /// A request leaves.
    pub(crate) fn sent(&mut self, due: Nanos) {
        if self.counts(due) {
            self.sent += 1;
        }
    }

    /// A request that is due leaves although it could have left before.
    pub(crate) fn late(&mut self, due: Nanos, now: Nanos) {
        if self.counts(due) {
            self.late.saturating_record(now.saturating_sub(due));
        }
    }

    /// A request leaves that had to wait for a connection: not late by the generator's doing.
    pub(crate) fn held_back(&mut self, due: Nanos, now: Nanos) {
        if self.counts(due) {
            self.held_back.saturating_record(now.saturating_sub(due));
            self.late.saturating_record(0);
        }
    }

    /// Something is read at `now` that was announced at `polled`.
    pub(crate) fn read(&mut self, polled: Nanos, now: Nanos) {
        if self.is_open(now) {
            self.turn_lag.saturating_record(now.saturating_sub(polled));
        }
    }

    /// Its answer has come. `refused`: and says no.
    pub(crate) fn answered(&mut self, request: Request, now: Nanos, refused: bool) {
        self.turn_rows(now);
        if self.is_open(now) {
            self.arrivals += 1;
            self.row.answers += 1;
        }
        if self.counts(request.due) {
            self.answered += 1;
            let latency = now.saturating_sub(request.due);
            self.latency.saturating_record(latency);
            self.row_latency.saturating_record(latency);
            let service = now.saturating_sub(request.sent);
            self.service.saturating_record(service);
            if refused {
                self.error(now, "refused");
            }
        }
    }

    /// What has come was an answer, and nothing else.
    pub(crate) fn nil(&mut self, request: Request) {
        if self.counts(request.due) {
            self.nils += 1;
        }
    }

    /// It will never be answered, and there is no telling how long that would have taken.
    pub(crate) fn lost(&mut self, request: Request, now: Nanos, why: &str) {
        if self.counts(request.due) {
            self.error(now, why);
        }
    }

    /// It was given up with all that its connection owed, and counts with the time that it was waited
    /// for: else what never comes would make the percentiles better. That is no less than the `timeout`:
    /// who is cut off for an older request would have waited as long for a younger one.
    pub(crate) fn timed_out(&mut self, due: Nanos, now: Nanos, timeout: Nanos) {
        self.gave_up(due, now, now.saturating_sub(due).max(timeout), "timeout");
    }

    /// It could not be sent until the run was over, and counts with the time that it was held back.
    pub(crate) fn never_sent(&mut self, due: Nanos, now: Nanos) {
        self.gave_up(due, now, now.saturating_sub(due), "never sent");
    }

    fn gave_up(&mut self, due: Nanos, now: Nanos, waited: Nanos, why: &str) {
        if self.counts(due) {
            self.error(now, why);
            self.latency.saturating_record(waited);
            self.row_latency.saturating_record(waited);
        }
    }

    fn error(&mut self, now: Nanos, why: &str) {
        self.turn_rows(now);
        self.row.errors += 1;
        count(&mut self.errors, why);
    }

    /// A connection could not be had.
    pub(crate) fn connect_failed(&mut self, why: &str) {
        count(&mut self.connect_errors, why);
    }

    pub(crate) fn connected(&mut self, now: Nanos) {
        self.turn_rows(now);
        self.opened += 1;
        self.open += 1;
        self.most_open = self.most_open.max(self.open);
    }

    /// How long it took to connect, at whatever time of the run that was.
    pub(crate) fn connect_took(&mut self, took: Nanos) {
        self.connect.saturating_record(took);
    }

    /// The same, where connecting is the load itself: of the window only.
    pub(crate) fn visit_connect_took(&mut self, now: Nanos, took: Nanos) {
        if self.is_open(now) {
            self.connect_took(took);
        }
    }

    /// A socket that was connected is no longer.
    pub(crate) fn left(&mut self, now: Nanos) {
        self.turn_rows(now);
        self.open -= 1;
    }

    /// Bytes that were handed to `write`; the kernel takes them later.
    pub(crate) fn bytes_out(&mut self, now: Nanos, bytes: u64) {
        self.turn_rows(now);
        if self.is_open(now) {
            self.bytes_sent += bytes;
            self.row.bytes_sent += bytes;
        }
    }

    pub(crate) fn bytes_in(&mut self, now: Nanos, bytes: u64) {
        self.turn_rows(now);
        if self.is_open(now) {
            self.bytes_received += bytes;
            self.row.bytes_received += bytes;
        }
    }

    /// Finishes the rows that have ended by `now`.
    ///
    /// Whatever changes a row calls this first. So a row holds what happened in its own interval, and
    /// nothing has to come round when nothing happens.
    pub(crate) fn turn_rows(&mut self, now: Nanos) {
        while now >= self.row_ends {
            self.finish_row();
            self.row_ends = self.row_ends.saturating_add(self.interval);
        }
    }

    fn finish_row(&mut self) {
        let latency = &mut self.row_latency;
        self.rows.push(Row {
            open: self.open,
            p50: latency.value_at_quantile(0.5),
            p99: latency.value_at_quantile(0.99),
            max: latency.max(),
            ..self.row
        });
        self.row = Row::default();
        latency.reset();
    }
}

fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(LEAST, MOST, digits).expect("bounds that stand above")
}

fn count(counts: &mut BTreeMap<String, u64>, what: &str) {
    match counts.get_mut(what) {
        Some(count) => *count += 1,
        None => drop(counts.insert(what.to_string(), 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(due: Nanos, sent: Nanos) -> Request {
        Request { due, sent }
    }

    #[test]
    fn requests_of_the_warm_up_are_not_counted_and_their_answers_only_in_the_rate() {
        let mut measure = Measure::new();
        measure.sent(5);
        measure.begin(1000, 100);
        measure.answered(request(5, 5), 1050, false);
        assert_eq!(
            (measure.sent, measure.answered, measure.arrivals),
            (0, 0, 1)
        );
        assert_eq!(measure.latency.len(), 0);
    }

    #[test]
    fn requests_of_the_window_are_followed_beyond_its_end_and_are_not_in_the_rate_then() {
        let mut measure = Measure::new();
        measure.begin(0, 100);
        measure.sent(50);
        measure.end(1000);
        measure.answered(request(50, 50), 5050, false);
        assert_eq!(
            (measure.sent, measure.answered, measure.arrivals),
            (1, 1, 0)
        );
        assert_eq!(measure.latency.len(), 1);
        assert_eq!(measure.rows.len(), 10);
        assert_eq!(measure.window(), 1000);
    }

    #[test]
    fn connects_of_visits_count_in_the_window_only_and_those_of_an_army_always() {
        let mut measure = Measure::new();
        measure.visit_connect_took(50, 1000);
        measure.connect_took(1000);
        assert_eq!(measure.connect.len(), 1);
        measure.begin(100, 100);
        measure.visit_connect_took(150, 1000);
        measure.connect_took(1000);
        measure.end(200);
        measure.visit_connect_took(250, 1000);
        assert_eq!(measure.connect.len(), 3);
    }

    #[test]
    fn latency_counts_from_when_a_request_was_due() {
        let mut measure = Measure::new();
        measure.begin(0, 1_000_000_000);
        measure.answered(request(0, 900_000), 1_000_000, false);
        assert!(measure.latency.max() >= 1_000_000);
        assert!(measure.service.max() < 101_000);
    }

    #[test]
    fn what_is_given_up_counts_with_the_time_it_was_waited_for() {
        let mut measure = Measure::new();
        measure.begin(0, 1_000_000_000);
        measure.timed_out(0, 5_000_000, 2_000_000);
        measure.never_sent(0, 4_000_000);
        measure.lost(request(0, 0), 5_000_000, "closed");
        assert!(measure.latency.max() >= 5_000_000);
        assert_eq!(measure.latency.len(), 2);
        let errors: Vec<&str> = measure.errors.keys().map(String::as_str).collect();
        assert_eq!(errors, ["closed", "never sent", "timeout"]);
    }

    #[test]
    fn who_is_cut_off_for_an_older_request_has_waited_as_long_for_the_younger() {
        let mut measure = Measure::new();
        measure.begin(0, 1_000_000_000);
        measure.timed_out(0, 5_000_000, 5_000_000);
        measure.timed_out(4_999_000, 5_000_000, 5_000_000);
        assert!(measure.latency.min() >= 4_990_000);
        measure.end(1_000_000_000);
        assert!(measure.rows[0].p50 >= 4_990_000, "{:?}", measure.rows);
    }

    #[test]
    fn percentiles_of_lateness_are_of_all_requests_that_were_sent() {
        let mut measure = Measure::new();
        measure.begin(0, 1_000_000_000);
        for _ in 0..99 {
            measure.held_back(0, 8_000_000);
        }
        measure.late(0, 3_000_000);
        assert_eq!((measure.late.len(), measure.held_back.len()), (100, 99));
        assert!(measure.late.value_at_quantile(0.99) < 1000);
        assert!(measure.late.max() >= 3_000_000);
    }

    #[test]
    fn every_interval_has_a_row_also_if_nothing_came() {
        let mut measure = Measure::new();
        measure.begin(0, 100);
        measure.answered(request(10, 10), 20, false);
        measure.answered(request(10, 10), 350, true);
        measure.end(430);
        let answers: Vec<u64> = measure.rows.iter().map(|row| row.answers).collect();
        assert_eq!(answers, [1, 0, 0, 1, 0]);
        assert_eq!(measure.rows[3].errors, 1);
    }

    #[test]
    fn what_happens_after_a_silence_is_in_the_row_of_its_own_time() {
        let mut measure = Measure::new();
        measure.connected(0);
        measure.connected(0);
        measure.begin(0, 100);
        measure.sent(10);
        measure.sent(10);
        measure.bytes_out(120, 7);
        measure.lost(request(10, 10), 250, "closed");
        measure.left(350);
        measure.connected(450);
        measure.timed_out(10, 550, 100);
        measure.left(650);
        measure.end(700);
        let column = |take: fn(&Row) -> u64| measure.rows.iter().map(take).collect::<Vec<_>>();
        assert_eq!(column(|row| row.open as u64), [2, 2, 2, 1, 2, 2, 1]);
        assert_eq!(column(|row| row.errors), [0, 0, 1, 0, 0, 1, 0]);
        assert_eq!(column(|row| row.bytes_sent), [0, 7, 0, 0, 0, 0, 0]);
    }
}
