//! What does each latency knob change, and what does it cost?
//!
//! One file a knob; each begins with its question, load and unit. Both ends are on loopback, the
//! loop on core 0 and its peers on core 1, which is done by `taskset`. Times are medians and 99th
//! percentiles of single round trips, CPU is that of the loop's thread alone, in percent of the time
//! that passed.
//!
//! Not criterion's, which times what one thread does over and over: here the figure is what another
//! thread sees, and half of the answer is the CPU that it takes.
//!
//! ```text
//! cargo bench --bench latency                      all of them, some two minutes
//! cargo bench --bench latency -- busy_poll reserve
//! ```
//!
//! Where benches are only tried (`cargo test --benches`), rounds and connections are few, and the
//! figures say nothing.

mod budgets;
mod busy_poll;
mod flush_now;
mod measure;
mod not_sent;
mod quick_ack;
mod reserve;

use std::process::ExitCode;

const KNOBS: [(&str, fn()); 6] = [
    ("busy_poll", busy_poll::run),
    ("reserve", reserve::run),
    ("flush_now", flush_now::run),
    ("budgets", budgets::run),
    ("quick_ack", quick_ack::run),
    ("not_sent", not_sent::run),
];

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    arguments.retain(|it| it != "--bench"); // cargo's own word
    if let [role, rest @ ..] = arguments.as_slice()
        && role == reserve::SERVER
    {
        return reserve::serve(rest);
    }
    let known = |name: &String| KNOBS.iter().any(|(knob, _)| knob == name);
    if let Some(unknown) = arguments.iter().find(|it| !known(it)) {
        let names = KNOBS.map(|(knob, _)| knob).join("|");
        eprintln!("{unknown}: no such knob\nusage: latency [{names}]...");
        return ExitCode::from(2);
    }
    if !measure::measures() {
        println!("latency: this run measures nothing, it only shows that all of it runs");
    }
    measure::warn_of_one_core();
    measure::stay_on(measure::PEERS);
    for (name, run) in KNOBS {
        if arguments.is_empty() || arguments.iter().any(|it| it == name) {
            run();
            println!();
        }
    }
    ExitCode::SUCCESS
}
