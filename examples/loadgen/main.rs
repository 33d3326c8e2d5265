//! A load generator without lies: one thread, many connections, on netloop itself.
//!
//! ```text
//! cargo run --release --example loadgen -- [closed | open | churn | idle | bulk] [ADDRESS | PORT] [OPTION ..]
//! ```
//!
//! `--help` tells the options. Built with `--features signal`, Ctrl-C ends the load early and what was
//! measured is still reported, once the last answers have come; a second one ends the program.
//!
//! # What is measured
//!
//! In a **closed loop** each connection sends its next request when the answer has come, or with `-p` a batch
//! of so many at once, and the next batch when all of it is answered. It finds out how much a server can do at
//! most. It says little of how long users wait: while the server stalls the
//! generator stalls with it, one request is late, and all those that users would have sent meanwhile are
//! neither sent nor measured. That is *coordinated omission*: the slower the server, the fewer
//! the questions.
//!
//! An **open loop** sends at a fixed rate, as many independent users do. Its schedule is laid down before
//! the first answer and never slips: the n-th request is due at the beginning plus n periods. If it
//! can't leave then, because every connection waits for as many answers as it may (`-p`), it leaves as
//! soon as one comes, and **its latency still counts from when it was due**. A server that stalls for
//! a second at 1,000 requests a second so has a thousand bad latencies, from a second downwards, as it has
//! a thousand users who waited. The report has beside it the time from when the request was *sent*, which
//! is what other generators call latency, and how late requests left: *held back* if no connection
//! was free, which is the server's doing, *sent late* if one was, which is the generator's.
//!
//! Requests that were never answered count with the time for which they were waited for, the timeout at
//! least, so that what never comes does not make the percentiles better. Those lost with a reset are
//! counted as errors only.
//!
//! # Whose figures they are
//!
//! A generator that can't keep up measures itself. It looks at its own use of its core, at how long it
//! had to wait for it, at how late it sent, and at how long answers lay about before it read them, and
//! the report begins with a warning if the figures are its own (see `verdict.rs`), or if it had fewer
//! connections than it was to have, for want of descriptors or ports (`limits.rs`). Give it a core of
//! its own: `taskset -c 1`. Which clock stamps what, and why, stands in `clock.rs`.
//!
//! # Held against others
//!
//! With the server on one core and the generator on another, wrk and this should agree to a tenth:
//!
//! ```text
//! taskset -c 1 wrk -t1 -c50 -d10 http://127.0.0.1:8080/
//! taskset -c 1 loadgen 8080 --protocol http -c50 -d10
//! ```
//!
//! nginx answering 64 bytes was asked 160,000 times a second by wrk and 162,000 times by this. With
//! redis-server the two to compare are
//!
//! ```text
//! taskset -c 1 redis-benchmark -p 6379 -t get -c 50 -P 16 -n 5000000
//! taskset -c 1 loadgen 6379 --protocol redis -c50 -p16 -d10
//! ```
//!
//! at 1.67 and 1.91 million a second, and without pipelining 102,000 and 177,000. These do not agree, nor
//! need they: redis-benchmark makes more system calls for a request and is the sooner at its own limit. What
//! can be held against this is the server's own count (`redis-cli info commandstats`): it is what is reported,
//! to the last request. Neither of them sets the key that it asks for; answers that there is none are told
//! here as *nil*.
//!
//! Pipelined requests leave as they do from redis-benchmark, and from wrk with a script for it: a batch at
//! once, and the next when all of it is answered. `SET` of 4 KiB and of 16 KiB by 50 connections, 16 at once, on
//! two virtual cores, Linux 6.18, in thousands a second, the least and the most of three rounds or more:
//!
//! ```text
//! taskset -c 1 redis-benchmark -p 6379 -t set -c 50 -P 16 -d 16384 -n 500000
//! taskset -c 1 loadgen 6379 --protocol redis --command set -s16384 -c50 -p16 -d10
//!
//!                                            4 KiB           16 KiB
//! redis-benchmark                       403 to 503       237 to 312
//! this                                  483 to 541       262 to 317
//! a new request for each answer         407 to 504       162 to 219
//! ```
//!
//! The last line is a window that slides, as this program had it once. As many requests are under way, but
//! a server that answers large ones one by one is then asked one by one as well, and what is measured
//! is a load without pipelining.
//!
//! # Where to begin reading
//!
//! `connection.rs` is the client: a `Handler`. `run.rs` is what the connections share. `schedule.rs` and
//! `pacer.rs` hang on the loop's timers what happens by itself. `pace.rs`, `measure.rs`, `protocol/` and
//! `report/` compute, and know nothing of the loop.

mod arguments;
mod bulk;
mod clock;
mod connection;
mod cost;
mod limits;
mod measure;
#[path = "../common/output.rs"]
mod output;
mod overdue;
mod pace;
mod pacer;
mod progress;
mod protocol;
mod report;
mod run;
mod schedule;
mod target;
mod verdict;
#[path = "../common/words.rs"]
mod words;

use arguments::{Arguments, Format, HELP, Output, USAGE};
use netloop::Reactor;
use output::{complain, say};
use report::{Report, html, json, text};
use run::{Run, Shared};
use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;

fn main() -> ExitCode {
    let words = words::words();
    let asks = |words: &Vec<String>| words.iter().any(|word| word == "--help" || word == "-h");
    if words.as_ref().is_ok_and(asks) {
        say(format_args!("{USAGE}\n\n{HELP}"));
        return ExitCode::SUCCESS;
    }
    let prepared = words.and_then(arguments::parse).and_then(|arguments| {
        let others = prepare(&arguments)?;
        Ok((arguments, others))
    });
    let (arguments, others) = match prepared {
        Ok(prepared) => prepared,
        Err(mistake) => {
            complain(format_args!("{mistake}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let outputs = arguments.outputs.clone();
    let done = generate(arguments).and_then(|report| deliver(&report, &others, &outputs));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

/// Reads and opens what the run's end will need: nobody should wait a minute for that to fail.
fn prepare(arguments: &Arguments) -> Result<Vec<Report>, String> {
    for file in arguments.outputs.iter().filter_map(|it| it.file.as_ref()) {
        let opened = fs::OpenOptions::new().append(true).create(true).open(file);
        opened.map_err(|error| format!("{}: {error}", file.display()))?;
    }
    arguments
        .compare
        .iter()
        .map(|file| json::read(file))
        .collect()
}

/// Makes the load and tells what came of it.
fn generate(arguments: Arguments) -> Result<Report, String> {
    let in_words = |error: netloop::Error| error.to_string();
    let mut reactor = Reactor::new().map_err(in_words)?;
    let run: Shared = Rc::new(RefCell::new(Run::new(arguments, reactor.net())));
    let bar = progress::begin(reactor.net(), &run);
    end_early_on_interrupt(&mut reactor, &run).map_err(in_words)?;
    schedule::begin(reactor.net(), &run);
    let outcome = reactor.run();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    outcome.map_err(in_words)?;
    let run = run.borrow();
    if let Some(error) = &run.failed {
        return Err(error.to_string());
    }
    if !run.measure.has_window() {
        return Err("interrupted before anything was measured".to_string());
    }
    Ok(Report::of(&run))
}

#[cfg(feature = "signal")]
fn end_early_on_interrupt(reactor: &mut Reactor, run: &Shared) -> netloop::Result<()> {
    use netloop::signal::SIGINT;

    let run = run.clone();
    let listener = Rc::new(std::cell::Cell::new(None));
    let own = listener.clone();
    let id = reactor.net().on_signal(SIGINT, move |net| {
        run.borrow_mut().interrupted = true;
        schedule::end_window(net, &run);
        if let Some(id) = own.take() {
            net.off_signal(id); // the next one does what it always does
        }
    })?;
    listener.set(Some(id));
    Ok(())
}

#[cfg(not(feature = "signal"))]
fn end_early_on_interrupt(_: &mut Reactor, _: &Shared) -> netloop::Result<()> {
    Ok(())
}

/// Writes the reports that were asked for. One that can't be written keeps none of the others from it: a
/// run may have taken an hour.
fn deliver(report: &Report, others: &[Report], outputs: &[Output]) -> Result<(), String> {
    let mut errors = Vec::new();
    for output in outputs {
        let text = match output.format {
            Format::Text => text::write(report, others),
            Format::Json => json::write(report),
            Format::Html => html::write(report, others),
        };
        let (written, place) = match &output.file {
            Some(file) => (fs::write(file, text), file.display().to_string()),
            None => (to_stdout(&text), "standard output".to_string()),
        };
        errors.extend(written.err().map(|error| format!("{place}: {error}")));
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(errors.join("\n")),
    }
}

fn to_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush() // what it still holds at the end of the program is lost without a word if it can't be written
}
