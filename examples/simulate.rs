//! Plays many seeds of the simulated world, and prints the smallest program that breaks something.
//!
//! ```text
//! cargo run --release --features sim --example simulate -- --seeds A..B \
//!     [--seconds N] [--threads N] [--tally]
//! ```
//!
//! Progress goes to stderr. It ends with the range, after so many seconds if they are given, or at
//! the first seed that breaks something: then the exit code is 1, and the shrunk list of operations
//! stands on stdout, together with the number that repeats it. With `--tally` stdout tells what
//! happened in how many of the seeds.

#[path = "common/output.rs"]
mod output;
#[path = "common/words.rs"]
mod words;

use netloop::sim::campaign::{self, Failure, Tally};
use output::{complain, say};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const USAGE: &str = "usage: simulate --seeds A..B [--seconds N] [--threads N] [--tally]";

struct Arguments {
    seeds: Range<u64>,
    seconds: Option<u64>,
    threads: usize,
    tally: bool,
}

fn main() -> ExitCode {
    let words = words::words();
    let asks = |words: &Vec<String>| words.iter().any(|word| word == "--help" || word == "-h");
    if words.as_ref().is_ok_and(asks) {
        say(USAGE);
        return ExitCode::SUCCESS;
    }
    let arguments = match words.and_then(|words| parse(words.into_iter())) {
        Ok(arguments) => arguments,
        Err(mistake) => {
            complain(format_args!("{mistake}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    // A broken seed panics; what is to be known about it is printed below, once.
    std::panic::set_hook(Box::new(|_| ()));
    match search(&arguments) {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            complain(format_args!("{failure:?}"));
            complain("making it smaller ...");
            say(failure.shrunk());
            ExitCode::FAILURE
        }
    }
}

/// Plays the range on several threads; the failure with the smallest seed of those that were found.
fn search(arguments: &Arguments) -> Option<Failure> {
    let Range { start, end } = arguments.seeds;
    let begin = Instant::now();
    let deadline = arguments.seconds.map(|it| begin + Duration::from_secs(it));
    let next = AtomicU64::new(start);
    let tally = Mutex::new(Tally::default());
    let over = AtomicBool::new(false);
    let failed: Mutex<Option<Failure>> = Mutex::new(None);

    let work = || {
        while !over.load(Ordering::Relaxed) && deadline.is_none_or(|it| Instant::now() < it) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                break;
            }
            match campaign::check(seed) {
                Ok(its) => tally.lock().unwrap().add(&its),
                Err(failure) => {
                    over.store(true, Ordering::Relaxed);
                    let mut first = failed.lock().unwrap();
                    if first.as_ref().is_none_or(|it| failure.seed() < it.seed()) {
                        *first = Some(failure);
                    }
                    break;
                }
            }
        }
    };
    let report = |what: &str| {
        let (played, steps) = {
            let tally = tally.lock().unwrap();
            (tally.seeds(), tally.steps())
        };
        let seconds = begin.elapsed().as_secs_f64();
        let each = played as f64 / seconds;
        complain(format_args!(
            "{what}: {played} seeds, {steps} steps in {seconds:.1} s, {each:.0} seeds/s"
        ));
    };
    complain(format_args!(
        "seeds {start}..{end} on {} threads",
        arguments.threads
    ));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.threads).map(|_| scope.spawn(work)).collect();
        let mut reported = Instant::now();
        while workers.iter().any(|it| !it.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            if reported.elapsed() > Duration::from_secs(5) {
                report("so far");
                reported = Instant::now();
            }
        }
    });
    report("done");
    if arguments.tally {
        say(tally.into_inner().unwrap().to_string().trim_end());
    }
    failed.into_inner().unwrap()
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut seeds, mut seconds, mut tally) = (None, None, false);
    let mut threads = std::thread::available_parallelism().map_or(1, |it| it.get());
    while let Some(option) = words.next() {
        if option == "--tally" {
            tally = true;
            continue;
        }
        let value = words.next().ok_or(format!("{option} needs a value"))?;
        let mistake = |_| format!("{value:?} is no value for {option}");
        match option.as_str() {
            "--seeds" => {
                let (first, last) = value.split_once("..").ok_or("seeds are A..B")?;
                let bound = |it: &str| it.parse::<u64>().map_err(mistake);
                seeds = Some(bound(first)?..bound(last)?);
            }
            "--seconds" => seconds = Some(value.parse().map_err(mistake)?),
            "--threads" => threads = value.parse().map_err(mistake)?,
            _ => return Err(format!("unknown option {option}")),
        }
    }
    Ok(Arguments {
        seeds: seeds.ok_or("--seeds is missing")?,
        seconds,
        threads: threads.max(1),
        tally,
    })
}
